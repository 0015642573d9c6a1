//! What verification yields: one type for each role, and what each may do. SPEC §9.4.

use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;

use super::decoded::{Body, ControlBody, Envelope, RawElement};
use super::evidence::OriginFork;
use super::header::Header;
use super::received::{Admitted, Plaintext};
use crate::budget::Unfunded;
use crate::context::{AnyKind, Kind, Stand};
use crate::delegation::{Authority, ChainStatus};
use crate::digest::{ConversationId, Digest, ElementId, HeaderDigest, HopId, Use, hash};
use crate::identity::{AgentId, KeyPackage};
use crate::replay::{Admission, ReplayWindow};
use crate::time::Clock;
use crate::{Error, Timestamp};

/// A role in which an envelope is verified: [`Observer`], [`Relay`] or [`Reader`].
pub trait Role: sealed::Sealed + Sized {
    #[doc(hidden)]
    fn check_addressee(envelope: &Envelope<'_>, agent: &AgentId) -> Result<(), Error>;

    /// Whether this role acts on contents: chains made out to an audience are compared with a reader's, and only a reader
    /// can ask to be funded.
    #[doc(hidden)]
    const READS: bool;
}

mod sealed {
    #[expect(unnameable_types, reason = "nobody else may add a role")]
    pub trait Sealed {}
}

/// The role of an archive or a router that is named nowhere: sees clear content and labels.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Observer;

/// The role of an agent that the last hop names as next: sees what an observer sees, and may forward.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Relay;

/// The role of an agent that the last hop names as next and that the header names in `to` or `via`: alone admits, opens,
/// authorizes and answers.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Reader;

impl sealed::Sealed for Observer {}
impl sealed::Sealed for Relay {}
impl sealed::Sealed for Reader {}

impl Role for Observer {
    const READS: bool = false;

    fn check_addressee(_: &Envelope<'_>, _: &AgentId) -> Result<(), Error> {
        Ok(())
    }
}

impl Role for Relay {
    const READS: bool = false;

    fn check_addressee(envelope: &Envelope<'_>, agent: &AgentId) -> Result<(), Error> {
        if envelope.last_hop().next.contains(agent) {
            Ok(())
        } else {
            Err(Error::NotAddressed { agent: *agent })
        }
    }
}

impl Role for Reader {
    const READS: bool = true;

    fn check_addressee(envelope: &Envelope<'_>, agent: &AgentId) -> Result<(), Error> {
        Relay::check_addressee(envelope, agent)?;
        if envelope.header.to.contains(agent) || envelope.header.via.contains(agent) {
            Ok(())
        } else {
            Err(Error::NotARecipient { agent: *agent })
        }
    }
}

/// An envelope whose every byte has been checked, for one role at one time. Only verification makes one.
pub struct Verified<'a, R> {
    pub(crate) envelope: Envelope<'a>,
    pub(crate) digest: HeaderDigest,
    pub(crate) attestations: Vec<Attestation<'a>>,
    pub(crate) fundings: Vec<Funding>,
    pub(crate) conversation: ConversationId,
    /// Id and count of each hop.
    pub(crate) path: Vec<(HopId, usize)>,
    /// Whom the replay window counts it for.
    pub(crate) principal: Digest,
    /// Whom else it may have counted it for.
    pub(crate) other_principals: Vec<Digest>,
    pub(crate) clock: Clock,
    pub(crate) agent: AgentId,
    pub(crate) role: PhantomData<R>,
}

/// A chain that an author brought, or an author's being an anchor, and what it is worth.
#[derive(Debug)]
pub(crate) struct Attestation<'a> {
    /// The element that carries the chain; `None` for an anchor's own key.
    pub(crate) element: Option<usize>,
    pub(crate) author: AgentId,
    pub(crate) judged: Result<Authority<'a>, ChainStatus>,
}

/// An allotment, and why it funds nothing here, if so.
#[derive(Debug)]
pub(crate) struct Funding {
    pub(crate) element: usize,
    pub(crate) judged: Result<(), Unfunded>,
}

impl<'a, R: Role> Verified<'a, R> {
    /// Returns the header.
    pub const fn header(&self) -> &Header<'a> {
        &self.envelope.header
    }

    /// Returns the bytes as received.
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.envelope.bytes
    }

    /// Returns the digest of the header, which names the envelope.
    pub const fn digest(&self) -> HeaderDigest {
        self.digest
    }

    /// Returns the conversation that the envelope belongs to.
    pub const fn conversation(&self) -> ConversationId {
        self.conversation
    }

    /// Returns the id of hop 0, which commits to the header and all elements of the originator.
    pub fn origin(&self) -> HopId {
        self.path[0].0
    }

    /// Returns the id of the last hop, which commits to the whole path.
    pub fn tip(&self) -> HopId {
        self.path[self.path.len() - 1].0
    }

    /// Goes through the hops from the originator's on.
    pub fn hops(&self) -> impl ExactSizeIterator<Item = Hop<'_>> {
        let ids = self.path.iter().enumerate();
        ids.map(|(index, (id, _))| Hop { envelope: &self.envelope, id: *id, index })
    }

    /// Goes through all content elements in their order, absent ones included, as far as this role sees them.
    pub fn elements(&self) -> impl Iterator<Item = Seen<'_>> {
        content_indices(&self.envelope).map(|index| {
            let provenance = self.provenance(index);
            match &self.envelope.elements[index].body {
                Body::Clear(plain) => Seen::Clear(provenance, Plaintext::borrowed(*plain)),
                Body::Sealed(body) => Seen::Sealed(provenance, body.plain_size()),
                _ => Seen::Absent(provenance),
            }
        })
    }

    /// Goes through the authorities that count, whoever holds them.
    pub fn authorities(&self) -> impl Iterator<Item = &Authority<'a>> {
        self.attestations.iter().filter_map(|one| one.judged.as_ref().ok())
    }

    /// Goes through all chains with their author and what each is worth to this verifier.
    pub fn chains(&self) -> impl Iterator<Item = (AgentId, ChainStatus)> {
        self.attestations.iter().filter(|one| one.element.is_some()).map(|one| {
            (
                one.author,
                one.judged.as_ref().map_or_else(|status| *status, |_| ChainStatus::Trusted),
            )
        })
    }

    /// Returns the originator's key package to seal answers to: the latest that is valid now, if it brought one.
    pub fn key_package(&self) -> Option<KeyPackage> {
        let packages = self.envelope.controls.iter().filter_map(|control| match &control.body {
            ControlBody::KeyPackage(package) => Some(package),
            _ => None,
        });
        packages
            .filter(|package| package.claims.check_window(&self.clock).is_ok())
            .max_by_key(|package| package.claims.not_before)
            .map(KeyPackage::assertion)
    }

    /// Shows that the originator signed two different contents for one header, if `other` is another version of this
    /// envelope.
    pub fn origin_fork<S: Role>(&self, other: &Verified<'_, S>) -> Option<OriginFork> {
        OriginFork::between(self, other)
    }

    pub(crate) fn provenance(&self, index: usize) -> Provenance<'_> {
        Provenance { envelope: &self.envelope, attestations: &self.attestations, index }
    }

    /// Returns the element chain before an element.
    pub(crate) fn before(&self, index: usize) -> &[u8; 32] {
        self.envelope.before(index, &self.digest)
    }

    fn remember_in(&self, window: &mut ReplayWindow) -> Result<Admission, Error> {
        let path = self.envelope.replay_path(self.digest, &self.path);
        window.admit(&path, &self.principal, &self.other_principals, &self.clock)
    }

    /// Where the sender's line stands after this envelope.
    pub(crate) fn stand_after(&self) -> Stand {
        stand_after(&self.envelope)
    }
}

impl<'a> Verified<'a, Reader> {
    /// Remembers the envelope, so that it is acted on once, and hands it over for reading.
    ///
    /// # Errors
    ///
    /// [`Error::Replayed`], [`Error::BelowReplayFloor`], [`Error::ReplayWindowFull`]; and [`Error::Expired`] if the clock
    /// has stepped back past the envelope's end. The window is then as it was, but for envelopes that have expired.
    pub fn admit(mut self, window: &mut ReplayWindow) -> Result<Admitted<'a>, Error> {
        let admission = self.remember_in(window)?;
        let (agent, after, envelope) = (self.agent, admission.after(), &self.envelope);
        self.fundings.retain(|funding| match envelope.allotment(funding.element) {
            Some(lineage) if lineage.holder() == agent && funding.judged.is_ok() => {
                funding.element >= after && window.hand_out(&self.digest, lineage.id())
            }
            _ => true,
        });
        Ok(Admitted::new(self, admission))
    }
}

impl Verified<'_, Relay> {
    /// Remembers the envelope, so that it is passed on once. Whoever shows a relay the same bytes twice gets two
    /// continuations from it, and what it adds in its own name would count twice.
    ///
    /// # Errors
    ///
    /// As for a reader that [admits](Verified::admit) an envelope.
    pub fn remember(&self, window: &mut ReplayWindow) -> Result<Admission, Error> {
        self.remember_in(window)
    }
}

impl<R> fmt::Debug for Verified<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let envelope = &self.envelope;
        f.debug_struct("Verified")
            .field("envelope", &self.digest)
            .field("from", &envelope.header.from)
            .field("elements", &envelope.elements.len())
            .field("hops", &envelope.hops.len())
            .finish_non_exhaustive()
    }
}

/// An element as an observer or a relay sees it.
#[expect(
    clippy::exhaustive_enums,
    reason = "whoever reads elements must say what happens to absent ones"
)]
#[derive(Clone, Debug)]
pub enum Seen<'e> {
    /// Clear content.
    Clear(Provenance<'e>, Plaintext<'e>),
    /// Sealed content, and the size of its plaintext in bytes with salt and content type.
    Sealed(Provenance<'e>, usize),
    /// Content that was left out with its author's consent.
    Absent(Provenance<'e>),
}

/// One hop of a verified path.
#[derive(Clone, Copy, Debug)]
pub struct Hop<'e> {
    envelope: &'e Envelope<'e>,
    id: HopId,
    index: usize,
}

impl Hop<'_> {
    /// Returns the hop's id.
    pub const fn id(&self) -> HopId {
        self.id
    }

    /// Returns who signed.
    pub fn signer(&self) -> AgentId {
        self.envelope.hops[self.index].signer
    }

    /// Returns when, by the signer's clock.
    pub fn at(&self) -> Timestamp {
        self.envelope.hops[self.index].at
    }

    /// Returns who may act next.
    pub fn next(&self) -> super::Agents<'_> {
        self.envelope.hops[self.index].next
    }

    /// Returns how many elements the envelope held when this hop left.
    pub fn count(&self) -> usize {
        self.envelope.count_at(self.index)
    }
}

/// Where an element comes from: who wrote it, at which hop, as what, and under which authority.
///
/// Authority belongs to the author of an element. That somebody with authority sent the envelope says nothing about what
/// others added to it.
#[derive(Clone, Copy)]
pub struct Provenance<'e> {
    envelope: &'e Envelope<'e>,
    attestations: &'e [Attestation<'e>],
    index: usize,
}

impl<'e> Provenance<'e> {
    fn element(&self) -> &'e RawElement<'e> {
        &self.envelope.elements[self.index]
    }

    /// Returns the element's index in the envelope.
    pub const fn index(&self) -> usize {
        self.index
    }

    /// Returns the element's id, by which others refer to it.
    pub fn id(&self) -> ElementId {
        self.element().id
    }

    /// Returns who wrote it: the signer of its hop.
    pub fn author(&self) -> AgentId {
        self.envelope.author(self.element())
    }

    /// Returns the hop in whose range it stands; 0 is the originator's.
    pub fn hop(&self) -> usize {
        self.element().hop
    }

    /// Returns what its author says it is.
    pub fn kind(&self) -> Kind {
        match self.element().record.kind {
            AnyKind::Content(kind) => kind,
            AnyKind::Control(_) => Kind::Unassigned(63),
        }
    }

    /// Tells whether it travels sealed.
    pub fn is_sealed(&self) -> bool {
        self.element().record.sealed.is_some()
    }

    /// Tells whether its author allows it to be left out.
    pub fn is_elidable(&self) -> bool {
        self.element().record.elidable
    }

    /// Returns the hop that states its body to be absent, whether or not it is there.
    pub fn listed_absent_by(&self) -> Option<usize> {
        self.element().absent_by
    }

    /// Returns the elements that it refers to, in ascending order.
    pub fn refs(&self) -> impl Iterator<Item = ElementId> + use<'e> {
        self.element().record.refs.iter()
    }

    /// Compares what this element refers to with what it should stand for, as of a summary.
    pub fn covers(&self, elements: impl IntoIterator<Item = ElementId>) -> Coverage {
        let mut unknown: Vec<_> = self.refs().collect();
        let mut missing = Vec::new();
        for id in elements {
            match unknown.binary_search(&id) {
                Ok(found) => {
                    unknown.remove(found);
                }
                Err(_) => missing.push(id),
            }
        }
        Coverage { missing, unknown }
    }

    /// Goes through the authorities of the author that count.
    pub fn authorities(&self) -> impl Iterator<Item = &'e Authority<'e>> + use<'e> {
        let author = self.author();
        self.attestations
            .iter()
            .filter(move |one| one.author == author)
            .filter_map(|one| one.judged.as_ref().ok())
    }
}

impl fmt::Debug for Provenance<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provenance")
            .field("index", &self.index)
            .field("author", &self.author())
            .field("hop", &self.hop())
            .field("kind", &self.kind())
            .finish_non_exhaustive()
    }
}

/// How what a summary refers to compares with what it should stand for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Coverage {
    /// Elements that it should stand for and does not.
    pub missing: Vec<ElementId>,
    /// Elements that it claims to stand for and that nobody asked about.
    pub unknown: Vec<ElementId>,
}

impl Coverage {
    /// Tells whether the summary stands for exactly what it should.
    pub const fn is_complete(&self) -> bool {
        self.missing.is_empty() && self.unknown.is_empty()
    }
}

pub(crate) fn content_indices(envelope: &Envelope<'_>) -> impl Iterator<Item = usize> {
    let content = |element: &RawElement<'_>| matches!(element.record.kind, AnyKind::Content(_));
    (0..envelope.elements.len()).filter(move |index| content(&envelope.elements[*index]))
}

/// Where the sender's line stands after an envelope: what later hops add is not part of the line.
pub(crate) fn stand_after(envelope: &Envelope<'_>) -> Stand {
    let before = envelope.header.base.map_or(0, |base| base.count());
    let hop = &envelope.hops[0];
    Stand { count: before.saturating_add(hop.count), head: *hop.head }
}

/// Whom a replay window counts an envelope for: all origins without authority are one principal.
pub(crate) fn principal(origin: Option<&Authority<'_>>) -> Digest {
    match origin {
        None => hash(Use::Principal, 0, |_| {}),
        Some(authority) => principal_of(&authority.anchor(), authority.subject()),
    }
}

/// Names a subject under the key of a trust anchor.
pub(crate) fn principal_of(anchor: &AgentId, subject: &str) -> Digest {
    hash(Use::Principal, 2, |fields| {
        fields.bytes(anchor.as_bytes()).text(subject);
    })
}
