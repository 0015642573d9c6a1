//! Agreeing on a budget before work begins: ask, offer, accept or refuse. SPEC §11.8.
//!
//! The four messages travel as content of [`Kind::Negotiation`] in ordinary envelopes, clear or sealed, so parties, order,
//! expiry and replay are bound already. Each answers the one before it; a counter-offer is a new ask. A [`Transcript`] on
//! either side refuses whatever does not follow, and gives what was [`Settled`]: the one request that comes of it is in
//! reply to the acceptance, and its terms lie within the accepted offer.
//!
//! ```text
//! asker    ask { want, floor }  ─────────────▶
//!          ◀───────────── offer { need, estimate, max, meters, valid-until, tariff }   or refuse
//!          accept  ──────────────────────────▶                                         or ask, or refuse
//!          request, in reply to the acceptance, need ≤ terms ≤ max ─▶
//! ```
//!
//! A worker with nothing to negotiate about answers an ask by [`Offer::answer`]: it refuses before it starts what it could
//! not finish.
//!
//! ```
//! use agent_envelope::budget::negotiation::{Ask, Message, Meters, Offer, Refusal};
//! use agent_envelope::budget::{Amounts, Dimension, Terms};
//! use agent_envelope::Timestamp;
//!
//! let now = Timestamp::from_unix_seconds(1_800_000_000);
//! let later = Timestamp::from_unix_seconds(1_800_000_600);
//! let tokens = |n| Amounts::new().with(Dimension::OUTPUT_TOKENS, n);
//!
//! // What this worker needs at least, takes at most, and can count.
//! let meters = Meters::new().with(Dimension::OUTPUT_TOKENS)?.with(Dimension::TOOL_CALLS)?;
//! let capacity = Offer::new(Terms::new(tokens(100_000)?, later, 1), meters, later)?.with_need(tokens(2_000)?)?;
//!
//! let enough = Ask::new(Terms::new(tokens(20_000)?, later, 2), tokens(5_000)?)?;
//! let Message::Offer(offer) = capacity.answer(&enough, now) else { panic!("refused") };
//! assert_eq!(offer.max(), &Terms::new(tokens(20_000)?, later, 1));
//!
//! let little = Ask::new(Terms::new(tokens(500)?, later, 2), Amounts::new())?;
//! let Message::Refuse(refuse) = capacity.answer(&little, now) else { panic!("offered") };
//! assert_eq!((refuse.refusal(), refuse.lacking()), (Refusal::Insufficient, &tokens(2_000)?));
//! # Ok::<(), agent_envelope::Error>(())
//! ```

mod message;
mod meters;
mod refuse;
mod settled;
#[cfg(test)]
mod tests;
mod transcript;

pub use message::{Ask, CONTENT_TYPE, Message, Offer};
pub use meters::Meters;
pub use refuse::{Refusal, Refuse};
pub use settled::Settled;
pub use transcript::{MAX_ROUNDS, Transcript};

use super::measure::{add, find};
use super::{Amount, Amounts, Dimension, Terms};
use crate::{Draft, KeyPackage, Kind};

impl<'d> Draft<'d> {
    /// Adds a message of a negotiation in the clear. [`Transcript::send`] does so, and sees to it that it is in turn.
    pub fn negotiate(self, message: &Message) -> Self {
        self.clear(Kind::Negotiation, CONTENT_TYPE, message.to_bytes())
    }

    /// Adds a message of a negotiation that only the agents of these key packages can read.
    pub fn negotiate_sealed(
        self,
        message: &Message,
        readers: impl IntoIterator<Item = &'d KeyPackage>,
    ) -> Self {
        self.sealed(Kind::Negotiation, CONTENT_TYPE, message.to_bytes(), readers)
    }
}

/// Goes through what of `need` is not covered by `granted`.
///
/// A need is a lower bound: what is not stated is not needed, of ceilings too. Of what is granted, a consumable that is not
/// stated is zero and a ceiling that is not stated no limit.
fn short<'a>(need: &'a Amounts, granted: &'a Amounts) -> impl Iterator<Item = Amount<'a>> {
    need.iter().filter(|need| match find(granted, need.dimension(), need.unit()) {
        Some(granted) => granted < need.value(),
        None => !need.dimension().is_ceiling(),
    })
}

/// Finds the first of `need` that `terms` do not cover; agents are of no use where none may follow.
fn first_short<'a>(need: &'a Amounts, terms: &'a Terms) -> Option<Amount<'a>> {
    let in_vain = |need: &Amount<'_>| terms.depth() == 0 && need.dimension() == Dimension::AGENTS;
    short(need, terms.amounts()).next().or_else(|| need.iter().find(in_vain))
}

/// Gathers amounts that stood among others before, and so are few and well formed.
fn gathered<'a>(amounts: impl Iterator<Item = Amount<'a>>) -> Amounts {
    amounts.fold(Amounts::new(), |sum, one| {
        add(sum, one.dimension(), one.unit(), one.value()).expect("each stood among others before")
    })
}
