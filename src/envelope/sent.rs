//! What the originator keeps of an envelope: its bytes, and by what to know an answer. SPEC §10.4.

use alloc::vec::Vec;
use core::fmt;

use super::decoded::Envelope;
use super::header;
use super::received::Admitted;
use super::verified::{Role, Verified, stand_after};
use crate::context::{Entry, Line, Stand};
use crate::digest::{ContextId, ConversationId, HeaderDigest, HopId};
use crate::identity::AgentId;
use crate::{Error, Limits};

/// A signed envelope. Store its bytes before sending, and send the same bytes again if need be.
#[derive(Clone, PartialEq, Eq)]
pub struct Sent {
    bytes: Vec<u8>,
    digest: HeaderDigest,
    origin: HopId,
    from: AgentId,
    to: Vec<AgentId>,
    context: ContextId,
    parties: Vec<AgentId>,
    base: Option<Stand>,
    answers: Option<HopId>,
    after: Stand,
}

impl Sent {
    /// Restores what [`Sent::as_bytes`] gave, from storage. The bytes are trusted to be this agent's own.
    ///
    /// # Errors
    ///
    /// As [`Envelope::decode`], without limits.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, Error> {
        Self::read(bytes, &Limits::none())
    }

    pub(super) fn read(bytes: Vec<u8>, limits: &Limits) -> Result<Self, Error> {
        let envelope = Envelope::decode(&bytes, limits)?;
        let header = envelope.header();
        let sent = Self {
            digest: envelope.digest(),
            origin: envelope.origin(),
            from: header.from(),
            to: header.to().iter().collect(),
            context: header.context(),
            parties: header.parties(),
            base: header.base(),
            answers: header.in_reply_to().map(|reply| reply.origin()),
            after: stand_after(&envelope),
            bytes: Vec::new(),
        };
        Ok(Self { bytes, ..sent })
    }

    /// Returns the envelope's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Writes the envelope without the bodies that were made [detachable](crate::NewElement::detachable).
    pub fn detached(&self) -> Vec<u8> {
        Envelope::decode(&self.bytes, &Limits::none())
            .map_or_else(|_| self.bytes.clone(), |envelope| envelope.without_listed())
    }

    /// Returns the digest of the header, which names the envelope.
    pub const fn digest(&self) -> HeaderDigest {
        self.digest
    }

    /// Returns the id of hop 0, which answers name.
    pub const fn origin(&self) -> HopId {
        self.origin
    }

    /// Returns the conversation.
    pub fn conversation(&self) -> ConversationId {
        header::conversation(&self.context, self.parties.iter().copied())
    }

    /// Returns the sender's line after this envelope, to go on with.
    pub fn line(&self) -> Line {
        Line { context: self.context, parties: self.parties.clone(), stand: self.after }
    }

    /// Takes an envelope as the answer to this one. Nothing else makes a [`Reply`].
    ///
    /// # Errors
    ///
    /// [`Error::NotAReply`]; [`Error::ReplyToAnother`]; [`Error::ReplyFromStranger`] if its sender was not among the
    /// recipients; [`Error::ReplyElsewhere`] for another context or other parties.
    pub fn accept_reply<'r>(&self, reply: Admitted<'r>) -> Result<Reply<'r>, Error> {
        let header = reply.verified().header();
        let answer = header.in_reply_to().ok_or(Error::NotAReply)?;
        if answer.origin() != self.origin {
            return Err(Error::ReplyToAnother { answers: answer.origin() });
        }
        if !self.to.contains(&header.from()) {
            return Err(Error::ReplyFromStranger { from: header.from() });
        }
        if reply.verified().conversation() != self.conversation() {
            return Err(Error::ReplyElsewhere);
        }
        Ok(Reply { received: reply, origin: answer.origin(), tip: answer.tip() })
    }

    pub(crate) fn entry(&self) -> Entry<'_> {
        Entry {
            principal: None,
            conversation: self.conversation(),
            parties: &self.parties,
            from: self.from,
            base: self.base,
            answers: self.answers,
            after: self.after,
            envelope: self.digest,
            origin: self.origin,
        }
    }
}

impl fmt::Debug for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sent({}, {} bytes)", self.digest, self.bytes.len())
    }
}

/// The answer to an envelope that this agent sent.
#[derive(Debug)]
pub struct Reply<'r> {
    received: Admitted<'r>,
    origin: HopId,
    tip: Option<HopId>,
}

impl<'r> Reply<'r> {
    /// Returns the envelope that answers.
    pub const fn received(&self) -> &Admitted<'r> {
        &self.received
    }

    /// Returns the last hop that the replier saw; `None` states that it saw hop 0 alone.
    pub const fn tip(&self) -> Option<HopId> {
        self.tip
    }

    /// Compares the path that the replier saw with one that this agent knows, as from an archive or a relay.
    ///
    /// # Errors
    ///
    /// [`Error::ReplyPath`] if the replier saw another: a longer or shorter one, or other hops; [`Error::ReplyToAnother`] if
    /// `request` is not what it answers.
    pub fn check_path<R: Role>(&self, request: &Verified<'_, R>) -> Result<(), Error> {
        if self.origin != request.origin() {
            return Err(Error::ReplyToAnother { answers: self.origin });
        }
        let known = (request.hops().len() > 1).then(|| request.tip());
        if known == self.tip { Ok(()) } else { Err(Error::ReplyPath) }
    }
}
