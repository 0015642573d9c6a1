//! An envelope as received: its form, its counts and its structure are checked; nothing is hashed but what links and entries
//! name each other by, and nothing is verified. SPEC §9.2.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use super::header::{self, Header};
use super::hop::{RawHop, before_hop_0, hop_count};
use crate::budget::{Event, Lineage, SignedEntry, read_history};
use crate::cbor::{Decoder, Fault, MAX_UINT};
use crate::context::{AnyKind, Control, ElementChain, Plain, Record};
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
    /// The bodies of control elements, in the order of these.
    pub(crate) controls: Vec<ControlElement<'a>>,
    pub(crate) hops: Vec<RawHop<'a>>,
    /// How many signatures there are besides hop 0's.
    pub(crate) signatures: usize,
}

/// An element as received. It owns nothing, so that many are freed at once.
#[derive(Clone, Copy, Debug)]
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

/// A body as received.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Body<'a> {
    None,
    Clear(Plain<'a>),
    Sealed(SealedBody<'a>),
    /// The one at this position of [`Envelope::controls`], where what is large and rare lies.
    Control(usize),
}

/// The body of a control element as received.
#[derive(Debug)]
pub(crate) struct ControlElement<'a> {
    /// The index of the element.
    pub(crate) element: usize,
    pub(crate) body: ControlBody<'a>,
}

#[derive(Debug)]
pub(crate) enum ControlBody<'a> {
    Authority(Chain<'a>),
    Audience(SealedAudience<'a>),
    KeyPackage(UnverifiedKeyPackage<'a>),
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
        let mut controls = Controls::default();
        let elements = elements(&mut decoder, count, &mut controls, limits)?;
        let Controls { found: controls, signatures, .. } = controls;
        let encoded_elements = decoder.since(start);
        let count = hop_count(&mut decoder, limits)?;
        let signatures = signatures.saturating_add(count - 1);
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
            controls,
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

    /// Returns the body of a control element; `None` for content.
    pub(crate) fn control(&self, element: usize) -> Option<&ControlBody<'a>> {
        self.control_of(self.elements.get(element)?)
    }

    fn control_of(&self, element: &RawElement<'_>) -> Option<&ControlBody<'a>> {
        match element.body {
            Body::Control(at) => Some(&self.controls[at].body),
            _ => None,
        }
    }

    /// Goes through the allotments, each with the index of its element.
    pub(crate) fn allotments(&self) -> impl Iterator<Item = (usize, &Lineage<'a>)> {
        self.controls.iter().filter_map(|control| match &control.body {
            ControlBody::Allotment(lineage) => Some((control.element, &**lineage)),
            _ => None,
        })
    }

    /// Returns the allotment in this element.
    pub(crate) fn allotment(&self, element: usize) -> Option<&Lineage<'a>> {
        match self.control(element)? {
            ControlBody::Allotment(lineage) => Some(lineage),
            _ => None,
        }
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
        let (mut hop, mut until) = (0, self.count_at(0));
        // Whether the element before is an allotment of the same author.
        let mut follows_allotment = false;
        for index in 0..self.elements.len() {
            while until <= index {
                hop += 1;
                until = self.count_at(hop);
                follows_allotment = false;
            }
            self.elements[index].hop = hop;
            let element = &self.elements[index];
            let kind = element.record.kind;
            if hop > 0 && kind.is_originators() {
                let kind = kind.number();
                return Err(Error::KindOutOfPlace { element: index, kind, hop });
            }
            let control = self.control_of(element);
            if let Some(ControlBody::KeyPackage(package)) = control
                && package.claims.agent != self.header.from
            {
                return Err(Error::KeyPackageOfAnother { element: index });
            }
            // Allotments stand last among what their author wrote, so that the place they pay for comes after everything else.
            let is_allotment = matches!(control, Some(ControlBody::Allotment(_)));
            if follows_allotment && !is_allotment {
                let reason = "something of the same author follows it";
                return Err(Error::AllotmentPlace { element: index - 1, reason });
            }
            follows_allotment = is_allotment;
            if let Some(ControlBody::Report(entries)) = control
                && !is_history_of(self.hops[hop].signer, entries)
            {
                return Err(Error::ReportForm { element: index });
            }
            if let Some(sealed) = element.record.sealed {
                let below = self.elements[..index].get(sealed.audience);
                let audience = below.and_then(|below| self.control_of(below));
                if !matches!(audience, Some(ControlBody::Audience(_))) {
                    let audience = u64::try_from(sealed.audience).unwrap_or(u64::MAX);
                    return Err(Error::NoSuchAudience { element: index, audience });
                }
            }
        }
        self.check_absences()
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

/// A report is the history of its author's own ledger, up to an entry that reports.
fn is_history_of(author: AgentId, entries: &[SignedEntry<'_>]) -> bool {
    let first = &entries[0].claims;
    let fits = entries.iter().zip(0..).all(|(entry, seq)| {
        let claims = &entry.claims;
        claims.holder == author && claims.allotment == first.allotment && claims.seq == seq
    });
    let ends = entries.last().is_some_and(|last| matches!(last.claims.event, Event::Report(_)));
    fits && ends
}

/// Control bodies, and what is counted over all of them while they are read, so that reading stops at the first one too many.
#[derive(Default)]
struct Controls<'a> {
    found: Vec<ControlElement<'a>>,
    audiences: usize,
    readers: usize,
    chains: usize,
    allotments: usize,
    /// Hops not counted.
    signatures: usize,
}

impl<'a> Controls<'a> {
    /// Reads the body of an element of this kind, all of it, and returns its position.
    #[inline(never)]
    fn read(
        &mut self,
        mut decoder: Decoder<'a>,
        kind: Control,
        element: usize,
        limits: &Limits,
    ) -> Result<usize, Fault> {
        self.begin(kind, limits)?;
        let place = Some(element);
        let body = match kind {
            Control::Authority => {
                ControlBody::Authority(Chain::decode(&mut decoder, limits, place)?)
            }
            Control::Audience => {
                ControlBody::Audience(SealedAudience::decode(&mut decoder, limits)?)
            }
            Control::KeyPackage => {
                ControlBody::KeyPackage(UnverifiedKeyPackage::decode(&mut decoder, limits, place)?)
            }
            Control::Allotment => {
                ControlBody::Allotment(Box::new(Lineage::decode(&mut decoder, limits, place)?))
            }
            Control::Report => ControlBody::Report(read_history(&mut decoder, limits.signatures)?),
        };
        decoder.finish()?;
        self.add(&body, limits)?;
        self.found.push(ControlElement { element, body });
        Ok(self.found.len() - 1)
    }

    /// Counts a body of this kind before it is read.
    fn begin(&mut self, kind: Control, limits: &Limits) -> Result<(), Error> {
        match kind {
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

    /// Counts what a body holds that has been read.
    fn add(&mut self, body: &ControlBody<'_>, limits: &Limits) -> Result<(), Error> {
        match body {
            ControlBody::Audience(audience) => self.readers += audience.readers(),
            ControlBody::Authority(chain) => self.signatures += chain.links.len(),
            ControlBody::KeyPackage(_) => self.signatures += 1,
            ControlBody::Allotment(lineage) => self.signatures += lineage.signatures(),
            ControlBody::Report(entries) => self.signatures += entries.len(),
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
    controls: &mut Controls<'a>,
    limits: &Limits,
) -> Result<Vec<RawElement<'a>>, Fault> {
    let mut elements = Vec::with_capacity(count);
    for index in 0..count {
        decoder.array_of(2)?;
        let (mut inner, encoded_record) = decoder.embedded()?;
        let record = Record::decode(&mut inner, index, limits)?;
        inner.finish()?;
        let (encoded_body, body) = if decoder.null() {
            if let AnyKind::Control(_) = record.kind {
                return Err(Error::ControlRecord { element: index }.into());
            }
            (None, Body::None)
        } else {
            let (mut inner, encoded) = decoder.embedded()?;
            let body = match record.kind {
                AnyKind::Content(_) => {
                    let body = Body::decode_content(&mut inner, record.sealed.is_some())?;
                    inner.finish()?;
                    body
                }
                AnyKind::Control(kind) => Body::Control(controls.read(inner, kind, index, limits)?),
            };
            (Some(encoded), body)
        };
        let (hop, absent_by, id) = (0, None, ElementId([0; 32]));
        elements.push(RawElement {
            encoded_record,
            record,
            encoded_body,
            body,
            hop,
            absent_by,
            id,
        });
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
    use crate::context::{ContentType, Kind, Stand, encode_record};
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
        let content_type = ContentType::new("text/plain").expect("a media type");
        let plain = Plain { salt: &[6; 16], content_type, content: b"hello" };
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
