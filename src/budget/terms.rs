//! What a request may cost, until when, and how far it may fan out. SPEC §11.1.

use core::fmt;
use core::num::NonZeroU64;
use core::time::Duration;

use super::{Amounts, Dimension};
use crate::cbor::{Decoder, Encoder, MAX_UINT, Sink};
use crate::{Error, Timestamp};

/// The conditions of a grant: amounts, a deadline, how many levels of allotments may follow, and at will a wall time.
///
/// Terms only ever narrow: see [`Terms::narrow`].
///
/// ```cddl
/// terms = { 1: amounts, 2: deadline, 3: depth, ? 4: wall }
/// deadline = uint      ; Unix seconds
/// depth    = uint      ; levels of allotments below this one
/// wall     = uint      ; milliseconds from admission, above zero
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Terms {
    amounts: Amounts,
    deadline: Timestamp,
    depth: u64,
    wall: Option<NonZeroU64>,
}

/// What the depth of narrowed terms may be.
#[expect(clippy::exhaustive_enums, reason = "a narrower grant either is one level down, or is not")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DepthRule {
    /// At most that of the terms above: another ceiling over the same allotment, as in a delegation.
    AtMost,
    /// Less than that of the terms above: an allotment one level down, as in a split.
    Less,
}

/// In what narrowed terms are wider than those above them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Wider {
    /// More of a consumable, or a higher ceiling or none where there is one above.
    Amount(Dimension),
    /// A later deadline.
    Deadline,
    /// More levels below.
    Depth,
    /// A longer wall time, or none where a statement must repeat the one above.
    Wall,
}

impl Terms {
    /// Grants `amounts` until `deadline`, with `depth` levels of allotments below.
    ///
    /// With depth 0 nothing can be split off; whoever holds the grant does the work itself.
    pub fn new(amounts: Amounts, deadline: Timestamp, depth: u32) -> Self {
        Self { amounts, deadline, depth: depth.into(), wall: None }
    }

    /// Bounds the time from the moment a worker admits the request, in whole milliseconds, rounded down.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] for less than a millisecond or more than 2^53 − 1 of them.
    pub fn with_wall(self, wall: Duration) -> Result<Self, Error> {
        let wall = u64::try_from(wall.as_millis()).ok().filter(|wall| *wall <= MAX_UINT);
        match wall.and_then(NonZeroU64::new) {
            Some(wall) => Ok(Self { wall: Some(wall), ..self }),
            None => {
                Err(Error::Configuration { reason: "a wall time is 1 to 2^53 - 1 milliseconds" })
            }
        }
    }

    /// Returns what may be spent, and the ceilings.
    pub const fn amounts(&self) -> &Amounts {
        &self.amounts
    }

    /// Returns when the grant ends.
    pub const fn deadline(&self) -> Timestamp {
        self.deadline
    }

    /// Returns how many levels of allotments may follow.
    pub const fn depth(&self) -> u64 {
        self.depth
    }

    /// Returns the time allowed from admission; `None` if only the deadline bounds it.
    pub fn wall(&self) -> Option<Duration> {
        self.wall.map(|wall| Duration::from_millis(wall.get()))
    }

    /// Narrows these terms to `child` and returns what holds from then on.
    ///
    /// That is `child`, with the wall time of these terms if it states none: to leave out a bound never lifts it. So go
    /// from grant to grant with the terms that each call *returns*. Comparing a grant with what the one above it merely
    /// states lets the middle one omit the wall time and the last one widen it.
    ///
    /// ```
    /// use agent_envelope::Timestamp;
    /// use agent_envelope::budget::{Amounts, DepthRule, Dimension, Terms, Wider};
    /// use core::time::Duration;
    ///
    /// let calls = |n| Amounts::new().with(Dimension::TOOL_CALLS, n);
    /// let deadline = Timestamp::from_unix_seconds(1_700_000_000);
    /// let whole = Terms::new(calls(10)?, deadline, 2).with_wall(Duration::from_secs(30))?;
    ///
    /// let part = whole.narrow(&Terms::new(calls(4)?, deadline, 1), DepthRule::Less)?;
    /// assert_eq!(part.wall(), Some(Duration::from_secs(30)));
    ///
    /// let longer = Terms::new(calls(4)?, deadline, 0).with_wall(Duration::from_secs(60))?;
    /// assert_eq!(part.narrow(&longer, DepthRule::Less), Err(Wider::Wall));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// In what `child` is wider: the first dimension, else deadline, depth or wall time. Nothing is ever clipped.
    pub fn narrow(&self, child: &Self, rule: DepthRule) -> Result<Self, Wider> {
        if let Some(dimension) = child.amounts.first_wider(&self.amounts) {
            return Err(Wider::Amount(dimension));
        }
        if child.deadline > self.deadline {
            return Err(Wider::Deadline);
        }
        let fits = match rule {
            DepthRule::AtMost => child.depth <= self.depth,
            DepthRule::Less => child.depth < self.depth,
        };
        if !fits {
            return Err(Wider::Depth);
        }
        match (self.wall, child.wall) {
            (Some(above), Some(wall)) if wall > above => Err(Wider::Wall),
            (above, wall) => Ok(Self { wall: wall.or(above), ..child.clone() }),
        }
    }

    pub(crate) fn encode<S: Sink>(&self, encoder: &mut Encoder<S>) {
        encoder.map(if self.wall.is_some() { 4 } else { 3 }).uint(1);
        self.amounts.encode(encoder);
        encoder.uint(2).uint(self.deadline.as_unix_seconds());
        encoder.uint(3).uint(self.depth);
        if let Some(wall) = self.wall {
            encoder.uint(4).uint(wall.get());
        }
    }

    pub(crate) fn decode(decoder: &mut Decoder<'_>) -> Result<Self, Error> {
        let mut map = decoder.map("terms")?;
        let amounts = Amounts::decode(map.required(1)?)?;
        let deadline = Timestamp::from_unix_seconds(map.required(2)?.uint()?);
        let depth = map.required(3)?.uint()?;
        let wall = map.optional(4)?.map(wall).transpose()?;
        map.end()?;
        Ok(Self { amounts, deadline, depth, wall })
    }
}

fn wall(decoder: &mut Decoder<'_>) -> Result<NonZeroU64, Error> {
    let offset = decoder.offset();
    let wall = decoder.uint()?;
    NonZeroU64::new(wall).ok_or(Error::InvalidValue { offset, expected: "a wall time above zero" })
}

impl fmt::Display for Terms {
    /// Writes, for example, `10 tool-calls until 1700000000, depth 2, within 30000 ms`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} until {}, depth {}", self.amounts, self.deadline, self.depth)?;
        match self.wall {
            Some(wall) => write!(f, ", within {wall} ms"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Wider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Amount(dimension) if dimension.is_ceiling() => {
                write!(f, "the ceiling of {dimension} is higher or left out")
            }
            Self::Amount(dimension) => write!(f, "there is more {dimension}"),
            Self::Deadline => f.write_str("the deadline is later"),
            Self::Depth => f.write_str("the depth is greater"),
            Self::Wall => f.write_str("the wall time is longer or left out"),
        }
    }
}

impl core::error::Error for Wider {}
