//! An envelope as received: its form, its counts and its structure are checked; nothing is hashed but what links and entries
//! name each other by, and nothing is verified. SPEC §9.2.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use super::header::{self, Header};
use super::hop::{RawHop, before_hop_0, hop_count};
use crate::budget::{Event, Lineage, SignedEntry, read_history};
use crate::cbor::{Decoder, Fault, MAX_UINT};
use crate::context::{AnyKind, Control, ElementChain, Kind, Plain, Record, Refs};
use crate::delegation::Chain;
use crate::digest::{ElementId, HeaderDigest, HopId};
use crate::identity::{AgentId, UnverifiedKeyPackage};
use crate::limits::within;
use crate::seal::{SealedAudience, SealedBody};
use crate::{Error, Limits, Place};

/// The first item of every envelope: the format and its version.
pub(crate) const VERSION: &str = "agent-envelope/1";

/// The fewest bytes of an element: two heads, a record of 38 and an absent body.
const ELEMENT: usize = 42;

/// An envelope of the right form. Everything it says is a claim until it is verified.
///
/// ```cddl
/// envelope = [ "agent-envelope/1", header: bstr .cbor header, elements: [* element], hops: [+ hop-statement] ]
/// element  = [ record: bstr .cbor record, body: bstr / null ]
/// ```
pub struct Envelope<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) encoded_header: &'a [u8],
    /// All elements, without the head of their array.
    pub(crate) encoded_elements: &'a [u8],
    /// All hops, without the head of their array.
    pub(crate) encoded_hops: &'a [u8],
    pub(crate) header: Header<'a>,
    pub(crate) elements: Vec<RawElement<'a>>,
    pub(crate) hops: Vec<RawHop<'a>>,
    /// How many signatures there are besides hop 0's.
    pub(crate) signatures: usize,
}

/// An element as received.
#[derive(Debug)]
pub(crate) struct RawElement<'a> {
    pub(crate) encoded_record: &'a [u8],
    pub(crate) record: Record<'a>,
    pub(crate) encoded_body: Option<&'a [u8]>,
    pub(crate) body: Body<'a>,
    /// The hop whose signer wrote it.
    pub(crate) hop: usize,
    /// The hop that lists it as absent.
    pub(crate) absent_by: Option<usize>,
    /// The element chain after it; right only once the chain has been verified.
    pub(crate) id: ElementId,
}

impl RawElement<'_> {
    fn unread() -> Self {
        Self {
            encoded_record: &[],
            record: Record {
                kind: AnyKind::Content(Kind::User),
                commit: &[0; 32],
                sealed: None,
                refs: Refs::default(),
                elidable: false,
            },
            encoded_body: None,
            body: Body::None,
            hop: 0,
            absent_by: None,
            id: ElementId([0; 32]),
        }
    }
}

/// A body as received. What is large and rare lies apart, so that the many elements without it stay small.
#[derive(Debug)]
pub(crate) enum Body<'a> {
    None,
    Clear(Plain<'a>),
    Sealed(SealedBody<'a>),
    Authority(Chain<'a>),
    Audience(SealedAudience<'a>),
    KeyPackage(Box<UnverifiedKeyPackage<'a>>),
    Allotment(Box<Lineage<'a>>),
    Report(Vec<SignedEntry<'a>>),
}

impl<'a> Envelope<'a> {
    /// Reads an envelope and checks its sizes, its form and its structure: everything that needs neither clock, nor keys,
    /// nor hashes of content.
    ///
    /// No signature is checked and nothing recurses; what it may cost is said at [`Limits`].
    ///
    /// # Errors
    ///
    /// [`Error::LimitExceeded`]; the encoding errors (codes 101 to 123) with their byte offsets; the errors of structure
    /// (301 to 313, 322); those of delegation chains that widen over their own links (502 to 508); and those of allotments and
    /// reports that do not follow from what is above them (1010, 1011, 1015).
    pub fn decode(bytes: &'a [u8], limits: &Limits) -> Result<Self, Error> {
        within(limits.bytes, bytes.len(), "bytes")?;
        let mut decoder = Decoder::new(bytes);
        decoder.array_of(4)?;
        let offset = decoder.offset();
        if decoder.text()? != VERSION {
            return Err(Error::WrongConstant { offset, expected: VERSION });
        }
        let (mut inner, encoded_header) = decoder.embedded()?;
        let header = Header::decode(&mut inner, limits)?;
        inner.finish()?;
        let count = within(limits.elements, decoder.items(ELEMENT)?, "elements")?;
        let start = decoder.offset();
        let mut sums = Sums::default();
        let elements = elements(&mut decoder, count, &mut sums, limits)?;
        let encoded_elements = decoder.since(start);
        let count = hop_count(&mut decoder, limits)?;
        let signatures = sums.signatures.saturating_add(count - 1);
        within(limits.signatures, signatures, "signatures")?;
        let start = decoder.offset();
        let mut hops: Vec<RawHop<'a>> = Vec::with_capacity(count);
        for index in 0..count {
            hops.push(RawHop::decode(&mut decoder, index, &header, limits)?);
        }
        let encoded_hops = decoder.since(start);
        decoder.finish()?;
        let mut envelope = Self {
            bytes,
            encoded_header,
            encoded_elements,
            encoded_hops,
            header,
            elements,
            hops,
            signatures,
        };
        envelope.check_path()?;
        envelope.check_elements()?;
        Ok(envelope)
    }

    /// Returns the bytes as received.
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Returns what the header claims.
    pub const fn header(&self) -> &Header<'a> {
        &self.header
    }

    /// Computes the digest of the header, which names the envelope.
    pub fn digest(&self) -> HeaderDigest {
        header::digest(self.encoded_header)
    }

    /// Computes the id of the last hop, which commits to the whole path and all elements.
    pub fn tip(&self) -> HopId {
        self.hop_ids(self.digest()).last().expect("decoding refuses an envelope without hops")
    }

    /// Computes the id of hop 0, which commits to the header and all elements of the originator.
    pub fn origin(&self) -> HopId {
        self.hops[0].id(before_hop_0(&self.digest()))
    }

    /// Computes the id of each hop, from hop 0 on.
    pub(crate) fn hop_ids(&self, digest: HeaderDigest) -> impl ExactSizeIterator<Item = HopId> {
        let mut prev = *before_hop_0(&digest);
        self.hops.iter().map(move |hop| {
            let id = hop.id(&prev);
            prev = *id.as_bytes();
            id
        })
    }

    pub(crate) fn last_hop(&self) -> &RawHop<'a> {
        self.hops.last().expect("decoding refuses an envelope without hops")
    }

    /// Returns the author of an element.
    pub(crate) fn author(&self, element: &RawElement<'_>) -> AgentId {
        self.hops[element.hop].signer
    }

    /// Returns the element chain before an element; right only once the chain has been verified.
    pub(crate) fn before<'s>(&'s self, index: usize, digest: &'s HeaderDigest) -> &'s [u8; 32] {
        match index.checked_sub(1) {
            None => digest.as_bytes(),
            Some(earlier) => self.elements[earlier].id.as_bytes(),
        }
    }

    /// Returns how many elements there were when the hop left.
    pub(crate) fn count_at(&self, hop: usize) -> usize {
        // Checked against the number of elements, so it fits.
        usize::try_from(self.hops[hop].count).unwrap_or(usize::MAX)
    }

    /// The window has a length; each signer is named by the hop before and not by itself; counts and times do not fall; the
    /// path keeps to `via`.
    fn check_path(&self) -> Result<(), Error> {
        let (created, expires) = (self.header.created, self.header.expires);
        if expires <= created {
            let place = Place::Header;
            return Err(Error::WindowReversed { place, not_before: created, expires });
        }
        let mut earlier: Option<&RawHop<'_>> = None;
        for (index, hop) in self.hops.iter().enumerate() {
            let signer = hop.signer;
            if let Some(earlier) = earlier
                && !earlier.next.contains(&signer)
            {
                return Err(Error::SignerNotNext { hop: index, signer });
            }
            if hop.next.contains(&signer) {
                return Err(Error::SignerInNext { hop: index });
            }
            let is_last = index + 1 == self.hops.len();
            let at_most = self.elements.len();
            let at_least = if is_last {
                at_most
            } else {
                earlier.map_or(0, |hop| usize::try_from(hop.count).unwrap_or(usize::MAX))
            };
            let before = earlier.map_or(0, |hop| hop.count);
            let found = hop.count;
            let fits =
                usize::try_from(found).is_ok_and(|found| (at_least..=at_most).contains(&found));
            if !fits || found < before {
                return Err(Error::HopCount { hop: index, at_least, at_most, found });
            }
            // Where the sender's line stands afterwards must be a number that can be written, as a base or as state.
            let base = self.header.base.map_or(0, |base| base.count());
            if index == 0 && found > MAX_UINT - base {
                let at_most = usize::try_from(MAX_UINT - base).unwrap_or(usize::MAX);
                return Err(Error::HopCount { hop: index, at_least: 0, at_most, found });
            }
            let not_before = earlier.map_or(created, |hop| hop.at);
            if hop.at < not_before || hop.at > expires {
                let (at, not_after) = (hop.at, expires);
                return Err(Error::HopTime { hop: index, at, not_before, not_after });
            }
            if !self.keeps_to_via(index, hop) {
                return Err(Error::DepartsFromVia { hop: index });
            }
            earlier = Some(hop);
        }
        Ok(())
    }

    fn keeps_to_via(&self, index: usize, hop: &RawHop<'_>) -> bool {
        let via = self.header.via;
        if via.is_empty() {
            return true;
        }
        let signed_in_turn = index
            .checked_sub(1)
            .and_then(|turn| via.get(turn))
            .is_none_or(|turn| turn == hop.signer);
        signed_in_turn
            && match via.get(index) {
                Some(turn) => hop.next.len() == 1 && hop.next.contains(&turn),
                None => hop.next.iter().all(|next| self.header.to.contains(&next)),
            }
    }

    /// Gives every element its author; kinds stand in their place; what is absent may be; audiences are where sealed
    /// elements say.
    fn check_elements(&mut self) -> Result<(), Error> {
        let mut hop = 0;
        for index in 0..self.elements.len() {
            while self.count_at(hop) <= index {
                hop += 1;
            }
            let element = &mut self.elements[index];
            element.hop = hop;
            let kind = element.record.kind;
            if hop > 0 && kind.is_originators() {
                let kind = kind.number();
                return Err(Error::KindOutOfPlace { element: index, kind, hop });
            }
            if let Body::KeyPackage(package) = &element.body
                && package.claims.agent != self.header.from
            {
                return Err(Error::KeyPackageOfAnother { element: index });
            }
            self.check_budget_element(index)?;
            if let Some(sealed) = self.elements[index].record.sealed {
                let below = self.elements[..index].get(sealed.audience);
                if !below.is_some_and(|below| matches!(below.body, Body::Audience(_))) {
                    let audience = u64::try_from(sealed.audience).unwrap_or(u64::MAX);
                    return Err(Error::NoSuchAudience { element: index, audience });
                }
            }
        }
        self.check_absences()
    }

    /// Allotments stand last among what their author wrote, so that the place they pay for comes after everything else; a
    /// report is the history of its author's own ledger.
    fn check_budget_element(&self, index: usize) -> Result<(), Error> {
        let element = &self.elements[index];
        if matches!(element.body, Body::Allotment(_)) {
            return Ok(());
        }
        if let Some(before) = index.checked_sub(1).map(|before| &self.elements[before])
            && before.hop == element.hop
            && matches!(before.body, Body::Allotment(_))
        {
            let reason = "something of the same author follows it";
            return Err(Error::AllotmentPlace { element: index - 1, reason });
        }
        let Body::Report(entries) = &element.body else { return Ok(()) };
        let (author, first) = (self.author(element), &entries[0].claims);
        let fits = entries.iter().zip(0..).all(|(entry, seq)| {
            let claims = &entry.claims;
            claims.holder == author && claims.allotment == first.allotment && claims.seq == seq
        });
        let ends = entries.last().is_some_and(|last| matches!(last.claims.event, Event::Report(_)));
        if fits && ends { Ok(()) } else { Err(Error::ReportForm { element: index }) }
    }

    /// A body is absent only if its author made it elidable and exactly one later-or-own hop lists it.
    fn check_absences(&mut self) -> Result<(), Error> {
        for (hop, raw) in self.hops.iter().enumerate() {
            for listed in raw.absent.iter() {
                let refuse = Error::AbsenceNotAllowed { hop, element: listed };
                let element = usize::try_from(listed)
                    .ok()
                    .filter(|_| listed < raw.count)
                    .and_then(|index| self.elements.get_mut(index))
                    .filter(|element| element.record.elidable && element.absent_by.is_none());
                match element {
                    Some(element) => element.absent_by = Some(hop),
                    None => return Err(refuse),
                }
            }
        }
        for (index, element) in self.elements.iter().enumerate() {
            if matches!(element.body, Body::None) && element.absent_by.is_none() {
                let elidable = element.record.elidable;
                return Err(Error::BodyMissing { element: index, elidable });
            }
        }
        Ok(())
    }

    /// Hashes the records and compares the chain with the head of every hop, filling in the elements' ids.
    pub(crate) fn check_element_chain(&mut self, digest: &HeaderDigest) -> Result<(), Error> {
        let mut chain = ElementChain::begin(digest);
        let mut index = 0;
        for hop in 0..self.hops.len() {
            let from = index;
            let until = self.count_at(hop);
            for element in self.elements.get_mut(from..until).into_iter().flatten() {
                element.id = chain.push(element.encoded_record);
            }
            if chain.0 != *self.hops[hop].head {
                return Err(Error::ElementChain { hop, from, until });
            }
            index = until;
        }
        Ok(())
    }
}

/// What is counted over all elements while they are read, so that reading stops at the first one too many.
#[derive(Default)]
struct Sums {
    audiences: usize,
    readers: usize,
    chains: usize,
    allotments: usize,
    /// Hops not counted.
    signatures: usize,
}

impl Sums {
    /// Counts a body of this kind before it is read.
    fn begin(&mut self, control: Control, limits: &Limits) -> Result<(), Error> {
        match control {
            Control::Authority => {
                self.chains += 1;
                within(limits.chains, self.chains, "delegation chains")?;
            }
            Control::Audience => {
                self.audiences += 1;
                within(limits.audiences, self.audiences, "audiences")?;
            }
            Control::Allotment => {
                self.allotments += 1;
                within(limits.allotments, self.allotments, "allotments")?;
            }
            Control::KeyPackage | Control::Report => {}
        }
        Ok(())
    }

    /// Counts what a body holds.
    fn add(&mut self, body: &Body<'_>, limits: &Limits) -> Result<(), Error> {
        match body {
            Body::Audience(audience) => self.readers += audience.readers(),
            Body::Authority(chain) => self.signatures += chain.links.len(),
            Body::KeyPackage(_) => self.signatures += 1,
            Body::Allotment(lineage) => self.signatures += lineage.signatures(),
            Body::Report(entries) => self.signatures += entries.len(),
            Body::None | Body::Clear(_) | Body::Sealed(_) => {}
        }
        within(limits.readers_in_all, self.readers, "readers in all")?;
        within(limits.signatures, self.signatures, "signatures")?;
        Ok(())
    }
}

impl fmt::Debug for Envelope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Envelope")
            .field("digest", &self.digest())
            .field("from", &self.header.from)
            .field("elements", &self.elements.len())
            .field("hops", &self.hops.len())
            .finish_non_exhaustive()
    }
}

#[inline(never)]
fn elements<'a>(
    decoder: &mut Decoder<'a>,
    count: usize,
    sums: &mut Sums,
    limits: &Limits,
) -> Result<Vec<RawElement<'a>>, Fault> {
    let mut elements = Vec::new();
    // Written where they stay: an element is large, and moving it there costs more than reading it.
    elements.resize_with(count, RawElement::unread);
    for (index, element) in elements.iter_mut().enumerate() {
        decoder.array_of(2)?;
        let (mut inner, encoded_record) = decoder.embedded()?;
        let record = Record::decode(&mut inner, index, limits)?;
        inner.finish()?;
        let (kind, is_sealed) = (record.kind, record.sealed.is_some());
        element.encoded_record = encoded_record;
        element.record = record;
        if decoder.null() {
            if let AnyKind::Control(_) = kind {
                return Err(Error::ControlRecord { element: index }.into());
            }
            continue;
        }
        if let AnyKind::Control(control) = kind {
            sums.begin(control, limits)?;
        }
        let (mut inner, encoded) = decoder.embedded()?;
        let body = match kind {
            AnyKind::Content(_) => Body::decode_content(&mut inner, is_sealed)?,
            AnyKind::Control(control) => Body::decode_control(&mut inner, control, index, limits)?,
        };
        inner.finish()?;
        if let AnyKind::Control(_) = kind {
            sums.add(&body, limits)?;
        }
        element.encoded_body = Some(encoded);
        element.body = body;
    }
    Ok(elements)
}

impl<'a> Body<'a> {
    /// Reads the body of a content element.
    #[inline(always)]
    pub(crate) fn decode_content(
        decoder: &mut Decoder<'a>,
        is_sealed: bool,
    ) -> Result<Self, Fault> {
        Ok(if is_sealed {
            Self::Sealed(SealedBody::decode(decoder)?)
        } else {
            Self::Clear(Plain::decode(decoder)?)
        })
    }

    #[inline(never)]
    fn decode_control(
        decoder: &mut Decoder<'a>,
        control: Control,
        index: usize,
        limits: &Limits,
    ) -> Result<Self, Fault> {
        Ok(match control {
            Control::Authority => Self::Authority(Chain::decode(decoder, limits, Some(index))?),
            Control::Audience => Self::Audience(SealedAudience::decode(decoder, limits)?),
            Control::KeyPackage => Self::KeyPackage(Box::new(UnverifiedKeyPackage::decode(
                decoder,
                limits,
                Some(index),
            )?)),
            Control::Allotment => {
                Self::Allotment(Box::new(Lineage::decode(decoder, limits, Some(index))?))
            }
            Control::Report => Self::Report(read_history(decoder, limits.signatures)?),
        })
    }
}

impl Body<'_> {
    /// Compares a content body with what its record commits to.
    pub(crate) fn check(
        &self,
        record: &Record<'_>,
        author: &AgentId,
        element: usize,
    ) -> Result<(), Error> {
        match (self, record.sealed) {
            (Self::Clear(plain), _) if plain.commit(author).as_bytes() != record.commit => {
                Err(Error::ContentCommit { element })
            }
            (Self::Sealed(body), Some(to)) if body.digest().as_bytes() != to.digest => {
                Err(Error::SealedDigest { element })
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::header::HeaderFields;
    use super::super::hop::{HopFields, before_hop_0};
    use super::*;
    use crate::cbor::Encoder;
    use crate::context::{Kind, Stand, encode_record};
    use crate::{ContextId, EnvelopeId, Identity, Timestamp};

    /// An envelope with one element, whose sender claims to stand at `base`.
    fn with_base(count: u64) -> Vec<u8> {
        let (from, to) = (Identity::from_seeds(&[1; 32], &[2; 32]), [*b"to"; 16].concat());
        let to = AgentId::from_bytes(to.try_into().expect("32 bytes")).expect("a canonical key");
        let header = HeaderFields {
            id: EnvelopeId([3; 16]),
            context: ContextId([4; 16]),
            from: from.id(),
            to: &[to],
            created: Timestamp::from_unix_seconds(1_800_000_000),
            expires: Timestamp::from_unix_seconds(1_800_000_060),
            base: Some(Stand { count, head: [5; 32] }),
            in_reply_to: None,
            terms: None,
            labels: &[],
            via: &[],
        }
        .encode();
        let digest = header::digest(&header);
        let plain = Plain { salt: &[6; 16], content_type: "text/plain", content: b"hello" };
        let kind = AnyKind::Content(Kind::User);
        let record = encode_record(kind, &plain.commit(&from.id()), None, &[], false);
        let mut chain = ElementChain::begin(&digest);
        chain.push(&record);
        let hop = HopFields { later: None, next: &[to], count: 1, head: &chain.0, absent: &[] };
        let (hop, _) = hop.sign(from.signing_key(), before_hop_0(&digest));
        let mut out = Encoder::new();
        out.array(4).text(VERSION).bytes(&header);
        out.array(1).array(2).bytes(&record).bytes(&plain.encode()).array(1).raw(&hop);
        out.finish()
    }

    #[test]
    fn a_line_cannot_count_beyond_what_can_be_written() {
        let decode = |bytes: &[u8]| Envelope::decode(bytes, &Limits::default()).map(|_| ());
        assert_eq!(decode(&with_base(MAX_UINT - 1)), Ok(()));
        let refused = Error::HopCount { hop: 0, at_least: 0, at_most: 0, found: 1 };
        assert_eq!(decode(&with_base(MAX_UINT)), Err(refused));
    }
}
