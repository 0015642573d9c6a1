//! An envelope to be: what the originator says, signed once. SPEC §7.6.

use alloc::borrow::{Cow, ToOwned};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::VERSION;
use super::assemble::{Assembler, Part, inputs};
use super::element::NewElement;
use super::header::{self, HeaderFields, InReplyTo};
use super::hop::{HopFields, before_hop_0};
use super::received::Admitted;
use super::sent::Sent;
use crate::budget::Terms;
use crate::cbor::Encoder;
use crate::context::{ElementChain, Kind, Line, Stand};
use crate::delegation::DelegationChain;
use crate::digest::{ContextId, EnvelopeId};
use crate::identity::{AgentId, Identity, KeyPackage};
use crate::limits::{LABEL_KEY, LABEL_VALUE, is_printable};
use crate::{Entropy, Error, Limits, Place, Timestamp};

/// An envelope in the making. Signing consumes it: its bytes are to be stored and re-sent, never made again, since two
/// versions under one header accuse their originator.
///
/// Elements travel in the order in which they are added. An envelope expires after a minute unless
/// [`expires_in`](Draft::expires_in) says otherwise.
#[derive(Clone, Debug)]
#[must_use = "a draft does nothing until it is signed"]
pub struct Draft<'d> {
    from: &'d Identity,
    context: Option<ContextId>,
    base: Option<Stand>,
    in_reply_to: Option<InReplyTo>,
    to: BTreeSet<AgentId>,
    via: Vec<AgentId>,
    next: BTreeSet<AgentId>,
    lifetime: Duration,
    labels: BTreeMap<String, String>,
    terms: Option<Terms>,
    parts: Vec<Part<'d>>,
    /// The first misuse, kept until signing so that calls can be chained.
    fault: Option<Error>,
}

impl<'d> Draft<'d> {
    /// Begins a conversation.
    pub const fn new(from: &'d Identity) -> Self {
        Self {
            from,
            context: None,
            base: None,
            in_reply_to: None,
            to: BTreeSet::new(),
            via: Vec::new(),
            next: BTreeSet::new(),
            lifetime: Duration::from_secs(60),
            labels: BTreeMap::new(),
            terms: None,
            parts: Vec::new(),
            fault: None,
        }
    }

    /// Goes on in a conversation, to all its other parties.
    pub fn in_conversation(from: &'d Identity, line: &Line) -> Self {
        let mut draft = Self::branching_from(from, line);
        draft.to = line.parties.iter().copied().filter(|party| *party != from.id()).collect();
        draft
    }

    /// Leaves a conversation for another with other parties, whom [`to`](Draft::to) names. Those who were parties before
    /// see where it comes from; to others it begins here.
    pub fn branching_from(from: &'d Identity, line: &Line) -> Self {
        let mut draft = Self::new(from);
        draft.context = Some(line.context);
        draft.base = Some(line.stand);
        if line.parties.binary_search(&from.id()).is_err() {
            let reason = "the line belongs to a conversation that the sender is no party to";
            draft.fault = Some(Error::IncompleteDraft { reason });
        }
        draft
    }

    /// Answers an envelope, to its sender and all other parties. If the one who answers has spoken in the conversation
    /// before, [`continuing`](Draft::continuing) says so.
    pub fn reply_to(received: &Admitted<'_>, from: &'d Identity) -> Self {
        let verified = received.verified();
        let header = verified.header();
        let mut draft = Self::new(from);
        draft.context = Some(header.context());
        let tip = (verified.hops().len() > 1).then(|| verified.tip());
        draft.in_reply_to = Some(InReplyTo { origin: verified.origin(), tip });
        let parties = header.parties();
        draft.to = parties.iter().copied().filter(|party| *party != from.id()).collect();
        if parties.binary_search(&from.id()).is_err() {
            let reason = "only a party to the conversation replies; an agent on the way forwards";
            draft.fault = Some(Error::IncompleteDraft { reason });
        }
        draft
    }

    /// Follows up on an envelope of one's own, to all other parties: the next of the sender's line, and in reply to what it
    /// follows. So a request rests on the acceptance that came before it.
    pub fn following(sent: &Sent, from: &'d Identity) -> Self {
        let mut draft = Self::in_conversation(from, &sent.line());
        draft.in_reply_to = Some(InReplyTo { origin: sent.origin(), tip: None });
        draft.fault = from.id().must_be(sent.entry().from).err().or(draft.fault);
        draft
    }

    /// Continues the sender's own line in the conversation. Without this, an answer from someone who has spoken before
    /// shows as a fork.
    pub fn continuing(mut self, line: &Line) -> Self {
        self.base = Some(line.stand);
        self
    }

    /// Adds recipients.
    pub fn to(mut self, recipients: impl IntoRecipients) -> Self {
        self.to.extend(recipients.into_recipients());
        self
    }

    /// Lays down the path: these agents in this order, then the recipients.
    pub fn via(mut self, path: impl IntoRecipients) -> Self {
        self.via.extend(path.into_recipients());
        self
    }

    /// Names who may act next, if that is neither the first of `via` nor the recipients: an orchestrator, for example.
    pub fn next(mut self, agents: impl IntoRecipients) -> Self {
        self.next.extend(agents.into_recipients());
        self
    }

    /// Sets when the envelope expires, in whole seconds from signing: a minute unless set. What waits in a queue needs more;
    /// receivers take up to [`Limits::lifetime`], a day by default.
    pub const fn expires_in(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// Adds a clear, signed label for routers.
    pub fn label(mut self, key: &str, value: &str) -> Self {
        let sizes = !key.is_empty() && key.len() <= LABEL_KEY && value.len() <= LABEL_VALUE;
        let fits = sizes && is_printable(key) && is_printable(value);
        if !fits {
            let reason = "a label has a key of 1 to 64 bytes, a value of 256 at most, and no control characters";
            self.fault.get_or_insert(Error::IncompleteDraft { reason });
        } else if self.labels.insert(key.to_owned(), value.to_owned()).is_some() {
            self.fault.get_or_insert(Error::IncompleteDraft { reason: "a label is set twice" });
        }
        self
    }

    /// Declares what the request may cost. Declaring funds nothing.
    pub fn declare(mut self, terms: Terms) -> Self {
        self.terms = Some(terms);
        self
    }

    /// Carries a delegation chain that ends in the sender. Several are several roles, never their union.
    pub fn authority(mut self, chain: &'d DelegationChain) -> Self {
        self.parts.push(Part::Authority(chain));
        self
    }

    /// Carries the sender's key package, so that answers can be sealed.
    pub fn key_package(mut self, package: &'d KeyPackage) -> Self {
        self.parts.push(Part::KeyPackage(package));
        self
    }

    /// Reports on an allotment that the sender holds: the history that [`Ledger::close`](crate::budget::Ledger::close) or
    /// [`give_back`](crate::budget::Ledger::give_back) gave. One of more than some sixty entries exceeds the signatures
    /// that one envelope may carry, and travels as content.
    pub fn report(mut self, history: &'d [u8]) -> Self {
        self.parts.push(Part::Report(history));
        self
    }

    /// Adds clear content.
    pub fn clear(
        self,
        kind: Kind,
        content_type: impl Into<Cow<'d, str>>,
        content: impl Into<Cow<'d, [u8]>>,
    ) -> Self {
        self.element(NewElement::clear(kind, content_type, content))
    }

    /// Adds content that only the agents of these key packages can read.
    pub fn sealed(
        self,
        kind: Kind,
        content_type: impl Into<Cow<'d, str>>,
        content: impl Into<Cow<'d, [u8]>>,
        readers: impl IntoIterator<Item = &'d KeyPackage>,
    ) -> Self {
        self.element(NewElement::sealed(kind, content_type, content, readers))
    }

    /// Adds content that only the agents of these key packages can read, encoded as CBOR.
    #[cfg(feature = "serde")]
    pub fn sealed_cbor<T: serde::Serialize>(
        mut self,
        kind: Kind,
        value: &T,
        readers: impl IntoIterator<Item = &'d KeyPackage>,
    ) -> Self {
        let mut content = Vec::new();
        if ciborium::into_writer(value, &mut content).is_err() {
            let expected = "a value that serde can write as CBOR";
            self.fault.get_or_insert(Error::ContentForm { expected });
        }
        self.sealed(kind, "application/cbor", content, readers)
    }

    /// Adds an element.
    pub fn element(mut self, element: NewElement<'d>) -> Self {
        self.parts.push(Part::Content(element));
        self
    }

    /// Signs the envelope, created `now`.
    ///
    /// # Errors
    ///
    /// [`Error::IncompleteDraft`] without recipients, with a sender that would be its own next, with a path that cannot be
    /// walked, with an element that is sealed to nobody or refers to a later one, and for what the calls before were given wrongly;
    /// [`Error::WrongIdentity`] for somebody else's chain, key package or envelope to follow; [`Error::DuplicateHint`] and
    /// [`Error::WeakSealingKey`] for readers' key packages; [`Error::KeyPackageWindow`] for one that is not valid now;
    /// [`Error::WindowReversed`] for a lifetime under a second; [`Error::LifetimeTooLong`] and [`Error::LimitExceeded`]
    /// beyond what a verifier with default [`Limits`] takes.
    pub fn sign(self, now: Timestamp, entropy: Entropy) -> Result<Sent, Error> {
        self.sign_with(now, entropy, &[], |_| Ok(()))
    }

    pub(super) const fn signer(&self) -> &'d Identity {
        self.from
    }

    /// Signs with `last` written after all other elements; `more` is what goes into that.
    pub(super) fn sign_with(
        self,
        now: Timestamp,
        entropy: Entropy,
        more: &[u8],
        last: impl FnOnce(&mut Assembler<'_>) -> Result<(), Error>,
    ) -> Result<Sent, Error> {
        let Self { from, base, in_reply_to, terms, parts, .. } = self;
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let to: Vec<_> = self.to.into_iter().collect();
        let next: Vec<_> = match (self.next.is_empty(), self.via.first()) {
            (false, _) => self.next.into_iter().collect(),
            (true, Some(first)) => alloc::vec![*first],
            (true, None) => to.clone(),
        };
        if to.is_empty() {
            return Err(Error::IncompleteDraft { reason: "it has no recipient" });
        }
        if next.contains(&from.id()) {
            return Err(Error::IncompleteDraft { reason: "the sender would be its own next" });
        }
        let limits = Limits::default();
        // Hop 0 and one for each station.
        if self.via.len() >= limits.hops {
            return Err(Error::IncompleteDraft { reason: "its path has more than 15 stations" });
        }
        if self.via.windows(2).any(|pair| pair[0] == pair[1]) {
            let reason = "a station of its path would be its own next";
            return Err(Error::IncompleteDraft { reason });
        }
        if self.lifetime > limits.lifetime {
            let (seconds, maximum) = (self.lifetime.as_secs(), limits.lifetime.as_secs());
            return Err(Error::LifetimeTooLong { place: Place::Header, seconds, maximum });
        }
        check_packages(&parts, now)?;
        let mut labels: Vec<_> =
            self.labels.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        // Encoded text sorts by length, then by bytes.
        labels.sort_by_key(|(key, _)| (key.len(), *key));
        let mut fields = HeaderFields {
            id: EnvelopeId([0; 16]),
            context: self.context.unwrap_or(ContextId([0; 16])),
            from: from.id(),
            to: &to,
            created: now,
            expires: now.saturating_add(self.lifetime),
            base,
            in_reply_to,
            terms: terms.as_ref(),
            labels: &labels,
            via: &self.via,
        };
        if fields.expires <= now {
            let (place, expires) = (Place::Header, fields.expires);
            return Err(Error::WindowReversed { place, not_before: now, expires });
        }
        // Who is next stands in hop 0 only; without it here, one seed could sign two hop 0 over one header.
        let mut context = Encoder::new();
        context.array(2).bytes(&fields.encode());
        header::encode_agents(&mut context, &next);
        let seed = entropy.bind(&inputs(&context.finish(), &parts, more));
        fields.id = EnvelopeId(*seed.derive("envelope-id", 0));
        fields.context = self.context.unwrap_or_else(|| ContextId(*seed.derive("context-id", 0)));
        let header = fields.encode();
        let digest = header::digest(&header);

        let chain = ElementChain::begin(&digest);
        let mut assembler = Assembler::new(&seed, digest, from.id(), chain, 0);
        for part in &parts {
            assembler.push(part)?;
        }
        last(&mut assembler)?;
        let hop = HopFields {
            later: None,
            next: &next,
            count: assembler.next,
            head: &assembler.chain.0,
            absent: &assembler.absent,
        };
        let (hop, _) = hop.sign(from.signing_key(), before_hop_0(&digest));
        let elements = assembler.encoded.finish();
        let mut bytes = Encoder::with_capacity(elements.len() + header.len() + hop.len() + 48);
        bytes.array(4).text(VERSION).bytes(&header);
        bytes.array(assembler.next).raw(&elements).array(1).raw(&hop);
        let bytes = bytes.finish();
        // What a verifier would refuse for its form is not handed out.
        Sent::read(bytes, &limits)
    }
}

/// Senders seal only to key packages that are valid now.
pub(super) fn check_packages(parts: &[Part<'_>], now: Timestamp) -> Result<(), Error> {
    use super::element::Readers;
    for part in parts {
        let readers = match part {
            Part::Content(NewElement { readers: Readers::Of(readers), .. })
            | Part::Admit(_, readers) => readers,
            Part::KeyPackage(package) => {
                package.claims().check_sealable(now)?;
                continue;
            }
            _ => continue,
        };
        readers.iter().try_for_each(|reader| reader.claims().check_sealable(now))?;
    }
    Ok(())
}

/// One agent, or several: what [`Draft::to`], [`Draft::via`] and [`Draft::next`] take.
pub trait IntoRecipients {
    /// Returns the agents.
    fn into_recipients(self) -> impl Iterator<Item = AgentId>;
}

impl IntoRecipients for AgentId {
    fn into_recipients(self) -> impl Iterator<Item = AgentId> {
        core::iter::once(self)
    }
}

impl<const N: usize> IntoRecipients for [AgentId; N] {
    fn into_recipients(self) -> impl Iterator<Item = AgentId> {
        self.into_iter()
    }
}

impl IntoRecipients for Vec<AgentId> {
    fn into_recipients(self) -> impl Iterator<Item = AgentId> {
        self.into_iter()
    }
}

impl IntoRecipients for &[AgentId] {
    fn into_recipients(self) -> impl Iterator<Item = AgentId> {
        self.iter().copied()
    }
}
