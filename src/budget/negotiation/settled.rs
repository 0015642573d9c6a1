//! What a negotiation came to. SPEC §11.8.

use super::transcript::check_valid;
use super::{Offer, first_short};
use crate::budget::{DepthRule, Terms, Wider};
use crate::digest::{ConversationId, HopId};
use crate::{Admission, Admitted, AgentId, Draft, Error, Identity, Sent, Timestamp};

/// An accepted offer: what a [`Transcript`](super::Transcript) settled. It is good for one request.
///
/// The request is in reply to the acceptance and comes from the asker, before the offer expires; it declares terms that give
/// at least what the offer needs and at most what it allows. Both sides check this: the asker in
/// [`request`](Settled::request), the worker in [`check_request`](Settled::check_request).
#[derive(Debug, PartialEq, Eq)]
pub struct Settled {
    asker: AgentId,
    worker: AgentId,
    conversation: ConversationId,
    accept: HopId,
    offer: Offer,
    used: bool,
}

impl Settled {
    pub(super) const fn new(
        asker: AgentId,
        worker: AgentId,
        conversation: ConversationId,
        accept: HopId,
        offer: Offer,
    ) -> Self {
        Self { asker, worker, conversation, accept, offer, used: false }
    }

    /// Returns who asked, accepted, and may make the request.
    pub const fn asker(&self) -> AgentId {
        self.asker
    }

    /// Returns who offered.
    pub const fn worker(&self) -> AgentId {
        self.worker
    }

    /// Returns the conversation in which all this took place.
    pub const fn conversation(&self) -> ConversationId {
        self.conversation
    }

    /// Returns the origin id of the envelope that carried the acceptance, which the request answers.
    pub const fn accept(&self) -> HopId {
        self.accept
    }

    /// Returns the offer that was accepted: need, most, tariff and end.
    pub const fn offer(&self) -> &Offer {
        &self.offer
    }

    /// Checks terms against the accepted offer: those that a request declares, or those that fund it.
    ///
    /// # Errors
    ///
    /// [`Error::OfferExpired`]; [`Error::TermsBelowNeed`] for less than the offer needs; [`Error::TermsNotAccepted`] for
    /// anything beyond what it allows, and where they leave out a wall time that it states: what holds is what is stated.
    pub fn check_terms(&self, terms: &Terms, now: Timestamp) -> Result<(), Error> {
        check_valid(&self.offer, now)?;
        if let Some(lacking) = first_short(self.offer.need(), terms) {
            let (dimension, needed) = (lacking.dimension(), lacking.value());
            return Err(Error::TermsBelowNeed { dimension, needed });
        }
        let max = self.offer.max();
        let wider = match max.narrow(terms, DepthRule::AtMost) {
            Err(wider) => wider,
            Ok(running) if running != *terms => Wider::Wall,
            Ok(_) => return Ok(()),
        };
        Err(Error::TermsNotAccepted { wider })
    }

    /// Begins the request for the asker: in reply to the envelope that carried its acceptance, declaring `terms`.
    ///
    /// It goes on from the acceptance; if the asker has said more in the conversation since,
    /// [`continuing`](Draft::continuing) says so.
    ///
    /// # Errors
    ///
    /// [`Error::SettlementUsed`] the second time; [`Error::WrongIdentity`] for anybody but the asker;
    /// [`Error::ReplyToAnother`] if `accept` is not the acceptance; and as [`Settled::check_terms`].
    pub fn request<'d>(
        &mut self,
        from: &'d Identity,
        accept: &Sent,
        terms: Terms,
        now: Timestamp,
    ) -> Result<Draft<'d>, Error> {
        self.check_unused()?;
        from.id().must_be(self.asker)?;
        if accept.origin() != self.accept {
            return Err(Error::ReplyToAnother { answers: accept.origin() });
        }
        self.check_terms(&terms, now)?;
        self.used = true;
        Ok(Draft::following(accept, from).declare(terms))
    }

    /// Checks for the worker that a request rests on this, once, and returns the terms that it declares. Whether somebody
    /// funds them is another question.
    ///
    /// # Errors
    ///
    /// [`Error::SettlementUsed`] after the first request that was right; [`Error::NegotiationStranger`] for one from
    /// anybody but the asker; [`Error::AlreadyActedOn`] for one that was admitted before; [`Error::ReplyElsewhere`],
    /// [`Error::NotAReply`] and [`Error::ReplyToAnother`] for one that does not answer the acceptance;
    /// [`Error::TermsMissing`] for one that declares none; and as [`Settled::check_terms`]. It can still be used then.
    pub fn check_request(
        &mut self,
        request: &Admitted<'_>,
        now: Timestamp,
    ) -> Result<Terms, Error> {
        self.check_unused()?;
        let verified = request.verified();
        let header = verified.header();
        let (expected, from) = (self.asker, header.from());
        if expected != from {
            return Err(Error::NegotiationStranger { expected, from });
        }
        if request.admission() != Admission::New {
            return Err(Error::AlreadyActedOn { element: 0 });
        }
        if verified.conversation() != self.conversation {
            return Err(Error::ReplyElsewhere);
        }
        let answers = header.in_reply_to().ok_or(Error::NotAReply)?.origin();
        if answers != self.accept {
            return Err(Error::ReplyToAnother { answers });
        }
        let terms = header.terms().ok_or(Error::TermsMissing)?;
        self.check_terms(terms, now)?;
        self.used = true;
        Ok(terms.clone())
    }

    const fn check_unused(&self) -> Result<(), Error> {
        if self.used { Err(Error::SettlementUsed) } else { Ok(()) }
    }
}
