//! The messages of a negotiation and their form. SPEC §11.8.

use alloc::vec::Vec;
use core::fmt;

use super::{Meters, Refusal, Refuse, first_short, gathered, short};
use crate::budget::{Amounts, Dimension, Tariff, Terms};
use crate::cbor::{Decoder, Encoder, Map};
use crate::{Error, Plaintext, Timestamp};

/// The content type of the messages.
pub const CONTENT_TYPE: &str = "application/agent-envelope-negotiation+cbor";

/// A message of a negotiation.
///
/// ```
/// use agent_envelope::budget::negotiation::{Message, Refusal, Refuse};
///
/// let message = Message::Refuse(Refuse::new(Refusal::Busy));
/// let bytes = message.to_bytes();
/// assert_eq!(bytes, [0xa2, 1, 3, 2, 5]);
/// assert_eq!(Message::from_bytes(&bytes)?, message);
/// # Ok::<(), agent_envelope::Error>(())
/// ```
///
/// ```cddl
/// negotiation = ask / offer / accept / refuse
/// ask    = { 1: 0, 2: want: terms, 3: floor: amounts }
/// offer  = { 1: 1, 2: need: amounts, 3: estimate: amounts, 4: max: terms, 5: meters, 6: valid-until: uint, ? 7: tariff }
/// accept = { 1: 2 }
/// refuse = { 1: 3, 2: code: 0..5, ? 3: lacking: amounts, ? 4: retry-after: uint }
/// ; lacking is not empty; retry-after is in milliseconds, above zero
/// ```
#[expect(
    clippy::exhaustive_enums,
    reason = "whoever negotiates must say what follows each of the four"
)]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Message {
    /// Asks a worker on what terms it would work; a later one counters its offer.
    Ask(Ask),
    /// Offers to work.
    Offer(Offer),
    /// Accepts the offer before it.
    Accept,
    /// Refuses what is before it, and ends the negotiation.
    Refuse(Refuse),
}

/// What an asker would grant, and the least with which it would be served.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ask {
    want: Terms,
    floor: Amounts,
}

/// On what terms a worker would work.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Offer {
    need: Amounts,
    estimate: Amounts,
    max: Terms,
    meters: Meters,
    valid_until: Timestamp,
    tariff: Option<Tariff>,
}

impl Message {
    /// Returns what kind of message it is: `ask`, `offer`, `accept` or `refuse`.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Ask(_) => "ask",
            Self::Offer(_) => "offer",
            Self::Accept => "accept",
            Self::Refuse(_) => "refuse",
        }
    }

    /// Reads the message from content that was received. Who sent it, and whether it follows, is for a
    /// [`Transcript`](super::Transcript) to say.
    ///
    /// # Errors
    ///
    /// [`Error::ContentForm`] for another content type; encoding errors; [`Error::InvalidValue`] for a message that
    /// contradicts itself.
    pub fn from_plaintext(plaintext: &Plaintext<'_>) -> Result<Self, Error> {
        if plaintext.content_type() != CONTENT_TYPE {
            return Err(Error::ContentForm { expected: CONTENT_TYPE });
        }
        Self::from_bytes(plaintext.content())
    }

    /// Reads the message from its encoding.
    ///
    /// # Errors
    ///
    /// Encoding errors; [`Error::InvalidValue`] for a message that contradicts itself.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let mut decoder = Decoder::new(bytes);
        let mut map = decoder.map("negotiation message")?;
        let value = map.required(1)?;
        let offset = value.offset();
        let message = match value.uint()? {
            0 => Self::Ask(Ask::decode(&mut map)?),
            1 => Self::Offer(Offer::decode(&mut map)?),
            2 => Self::Accept,
            3 => Self::Refuse(Refuse::decode(&mut map)?),
            _ => return Err(Error::InvalidValue { offset, expected: "a kind of message, 0 to 3" }),
        };
        map.end()?;
        decoder.finish()?;
        Ok(message)
    }

    /// Writes the message.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Encoder::new();
        match self {
            Self::Ask(ask) => ask.encode(out.map(3).uint(1).uint(0)),
            Self::Offer(offer) => {
                let keys = 6 + usize::from(offer.tariff.is_some());
                offer.encode(out.map(keys).uint(1).uint(1));
            }
            Self::Accept => {
                out.map(1).uint(1).uint(2);
            }
            Self::Refuse(refuse) => refuse.encode(out.map(1 + refuse.keys()).uint(1).uint(3)),
        }
        out.finish()
    }
}

impl Ask {
    /// Asks for work under at most the terms of `want`, by somebody who would go up to `floor` at least.
    ///
    /// # Errors
    ///
    /// [`Error::NegotiationForm`] for a floor that is not within what is granted.
    pub fn new(want: Terms, floor: Amounts) -> Result<Self, Error> {
        let ask = Self { want, floor };
        ask.fault().map_or(Ok(ask), |expected| Err(Error::NegotiationForm { expected }))
    }

    /// Returns what the asker would grant.
    pub const fn want(&self) -> &Terms {
        &self.want
    }

    /// Returns what the worker must be ready to go up to; otherwise it would not serve the asker's purpose.
    pub const fn floor(&self) -> &Amounts {
        &self.floor
    }

    fn fault(&self) -> Option<&'static str> {
        let contradiction = short(&self.floor, self.want.amounts()).next().is_some();
        contradiction.then_some("an ask with a floor that its terms cover")
    }

    fn encode(&self, out: &mut Encoder) {
        out.uint(2);
        self.want.encode(out);
        out.uint(3);
        self.floor.encode(out);
    }

    fn decode(map: &mut Map<'_, '_>) -> Result<Self, Error> {
        let want = Terms::decode(map.required(2)?)?;
        let value = map.required(3)?;
        let offset = value.offset();
        let ask = Self { want, floor: Amounts::decode(value)? };
        ask.fault().map_or(Ok(ask), |expected| Err(Error::InvalidValue { offset, expected }))
    }
}

impl Offer {
    /// Offers work under terms of at most `max`, by somebody who can meter `meters`, if the request comes before
    /// `valid_until`.
    ///
    /// # Errors
    ///
    /// [`Error::CannotMeter`] for terms with something that could not be metered.
    pub fn new(max: Terms, meters: Meters, valid_until: Timestamp) -> Result<Self, Error> {
        meters.can_meter(&max)?;
        let (need, estimate) = (Amounts::new(), Amounts::new());
        Ok(Self { need, estimate, max, meters, valid_until, tariff: None })
    }

    /// States what must be granted at least, lest the work end half done. What is not stated is not needed.
    ///
    /// # Errors
    ///
    /// [`Error::NegotiationForm`] for more than may be granted at most.
    pub fn with_need(self, need: Amounts) -> Result<Self, Error> {
        let offer = Self { need, ..self };
        offer.fault().map_or(Ok(offer), |expected| Err(Error::NegotiationForm { expected }))
    }

    /// States what will probably be used, which binds nobody.
    #[must_use]
    pub fn with_estimate(self, estimate: Amounts) -> Self {
        Self { estimate, ..self }
    }

    /// States what use costs.
    #[must_use]
    pub fn with_tariff(self, tariff: Tariff) -> Self {
        Self { tariff: Some(tariff), ..self }
    }

    /// Returns what must be granted at least.
    pub const fn need(&self) -> &Amounts {
        &self.need
    }

    /// Returns what will probably be used.
    pub const fn estimate(&self) -> &Amounts {
        &self.estimate
    }

    /// Returns within which terms a request must lie.
    pub const fn max(&self) -> &Terms {
        &self.max
    }

    /// Returns what the worker can meter.
    pub const fn meters(&self) -> &Meters {
        &self.meters
    }

    /// Returns the second from which on the offer counts for nothing.
    pub const fn valid_until(&self) -> Timestamp {
        self.valid_until
    }

    /// Returns what use costs, if that is stated.
    pub const fn tariff(&self) -> Option<&Tariff> {
        self.tariff.as_ref()
    }

    /// Answers an ask on behalf of a worker whose capacity this offer describes: by an offer within both, or by a refusal
    /// before anything is begun.
    ///
    /// It refuses what cannot be metered; a deadline that has passed; work that needs agents where none may follow; less
    /// than is needed, and a floor that is beyond capacity; and, if this offer is no longer valid, whatever is asked.
    pub fn answer(&self, ask: &Ask, now: Timestamp) -> Message {
        self.within(ask, now).map_or_else(Message::Refuse, Message::Offer)
    }

    fn within(&self, ask: &Ask, now: Timestamp) -> Result<Self, Refuse> {
        let (want, max) = (&ask.want, &self.max);
        if now >= self.valid_until {
            return Err(Refuse::new(Refusal::Busy));
        }
        let unmetered = gathered(self.meters.unmetered(want));
        if !unmetered.is_empty() {
            return Err(Refuse::new(Refusal::CannotMeter).for_lack_of(unmetered));
        }
        let deadline = want.deadline().min(max.deadline());
        if now >= deadline {
            return Err(Refuse::new(Refusal::TooLate));
        }
        let depth = want.depth().min(max.depth());
        if depth == 0 && self.need.get(Dimension::AGENTS).is_some() {
            return Err(Refuse::new(Refusal::TooDeep));
        }
        let lacking = gathered(short(&self.need, want.amounts()));
        if !lacking.is_empty() {
            return Err(Refuse::new(Refusal::Insufficient).for_lack_of(lacking));
        }
        let lacking = gathered(short(&ask.floor, max.amounts()));
        if !lacking.is_empty() {
            return Err(Refuse::new(Refusal::Insufficient).for_lack_of(lacking));
        }
        let insufficient = |_| Refuse::new(Refusal::Insufficient);
        let amounts = want.amounts().meet(max.amounts()).map_err(insufficient)?;
        // Terms are made with 32 bits of depth; fewer levels are within both still.
        let terms = Terms::new(amounts, deadline, u32::try_from(depth).unwrap_or(u32::MAX));
        let walls = [want.wall(), max.wall()].into_iter().flatten();
        let terms = match walls.min() {
            Some(wall) => terms.with_wall(wall).map_err(insufficient)?,
            None => terms,
        };
        Ok(Self { max: terms, ..self.clone() })
    }

    fn fault(&self) -> Option<&'static str> {
        let contradiction = first_short(&self.need, &self.max).is_some();
        contradiction.then_some("an offer whose need lies within its terms")
    }

    fn encode(&self, out: &mut Encoder) {
        out.uint(2);
        self.need.encode(out);
        out.uint(3);
        self.estimate.encode(out);
        out.uint(4);
        self.max.encode(out);
        out.uint(5);
        self.meters.encode(out);
        out.uint(6).uint(self.valid_until.as_unix_seconds());
        if let Some(tariff) = &self.tariff {
            out.uint(7);
            tariff.encode(out);
        }
    }

    fn decode(map: &mut Map<'_, '_>) -> Result<Self, Error> {
        let invalid = |offset, expected| Error::InvalidValue { offset, expected };
        let value = map.required(2)?;
        let need_at = value.offset();
        let need = Amounts::decode(value)?;
        let estimate = Amounts::decode(map.required(3)?)?;
        let max = Terms::decode(map.required(4)?)?;
        let value = map.required(5)?;
        let meters_at = value.offset();
        let meters = Meters::decode(value)?;
        let valid_until = Timestamp::from_unix_seconds(map.required(6)?.uint()?);
        let tariff = map.optional(7)?.map(Tariff::decode).transpose()?;
        if meters.can_meter(&max).is_err() {
            return Err(invalid(meters_at, "meters of all that the terms state"));
        }
        let offer = Self { need, estimate, max, meters, valid_until, tariff };
        offer.fault().map_or(Ok(offer), |expected| Err(invalid(need_at, expected)))
    }
}

impl fmt::Display for Message {
    /// Writes, for example, `ask for 10 tool-calls until 1700000000, depth 2, down to 5 tool-calls`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ask(ask) => write!(f, "ask for {}, down to {}", ask.want, ask.floor),
            Self::Offer(offer) => {
                let Offer { need, max, valid_until, .. } = offer;
                write!(f, "offer valid until {valid_until} for {max}, needing {need}")
            }
            Self::Accept => f.write_str("accept"),
            Self::Refuse(refuse) => write!(f, "refuse: {refuse}"),
        }
    }
}
