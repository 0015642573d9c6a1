//! Why there will be no request. SPEC §11.8.

use core::fmt;
use core::num::NonZeroU64;
use core::time::Duration;

use crate::Error;
use crate::budget::Amounts;
use crate::cbor::{Decoder, Encoder, MAX_UINT, Map};

/// Why somebody refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// One side gives less than the other needs.
    Insufficient,
    /// A dimension that is not advisory cannot be metered.
    CannotMeter,
    /// The deadline is too soon, or past.
    TooLate,
    /// The work needs more levels of allotments than may follow, or would have more than the refuser takes part in.
    TooDeep,
    /// The asker's quota is used up.
    Quota,
    /// There is no room now.
    Busy,
}

impl Refusal {
    const ALL: [Self; 6] = [
        Self::Insufficient,
        Self::CannotMeter,
        Self::TooLate,
        Self::TooDeep,
        Self::Quota,
        Self::Busy,
    ];

    /// Returns the number on the wire.
    pub const fn number(self) -> u64 {
        match self {
            Self::Insufficient => 0,
            Self::CannotMeter => 1,
            Self::TooLate => 2,
            Self::TooDeep => 3,
            Self::Quota => 4,
            Self::Busy => 5,
        }
    }

    /// Finds the refusal with this number.
    pub fn from_number(number: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|refusal| refusal.number() == number)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Insufficient => "insufficient",
            Self::CannotMeter => "cannot-meter",
            Self::TooLate => "too-late",
            Self::TooDeep => "too-deep",
            Self::Quota => "quota",
            Self::Busy => "busy",
        })
    }
}

/// A refusal, with what would have helped.
///
/// ```
/// use agent_envelope::budget::negotiation::{Refusal, Refuse};
/// use core::time::Duration;
///
/// let refuse = Refuse::new(Refusal::Quota).retry_in(Duration::from_secs(120));
/// assert_eq!(refuse.to_string(), "quota, retry after 120000 ms");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Refuse {
    refusal: Refusal,
    lacking: Amounts,
    retry_after: Option<NonZeroU64>,
}

impl Refuse {
    /// Refuses.
    pub const fn new(refusal: Refusal) -> Self {
        Self { refusal, lacking: Amounts::new(), retry_after: None }
    }

    /// Says what stands in the way: of [`Refusal::Insufficient`] and [`Refusal::Quota`] the amounts that would be needed
    /// where there is too little, of [`Refusal::CannotMeter`] those asked for that cannot be metered.
    #[must_use]
    pub fn for_lack_of(self, lacking: Amounts) -> Self {
        Self { lacking, ..self }
    }

    /// Says when to try again, in whole milliseconds rounded up and at most 2^53 − 1. Nothing is said by zero.
    #[must_use]
    pub fn retry_in(self, wait: Duration) -> Self {
        let millis = wait.as_nanos().div_ceil(1_000_000).min(u128::from(MAX_UINT));
        Self { retry_after: u64::try_from(millis).ok().and_then(NonZeroU64::new), ..self }
    }

    /// Returns why.
    pub const fn refusal(&self) -> Refusal {
        self.refusal
    }

    /// Returns what stands in the way; empty if that is not said.
    pub const fn lacking(&self) -> &Amounts {
        &self.lacking
    }

    /// Returns how long to wait before trying again, if that is said.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after.map(|millis| Duration::from_millis(millis.get()))
    }

    /// Returns how many keys it takes on the wire.
    pub(super) fn keys(&self) -> usize {
        1 + usize::from(!self.lacking.is_empty()) + usize::from(self.retry_after.is_some())
    }

    pub(super) fn encode(&self, out: &mut Encoder) {
        out.uint(2).uint(self.refusal.number());
        if !self.lacking.is_empty() {
            out.uint(3);
            self.lacking.encode(out);
        }
        if let Some(retry_after) = self.retry_after {
            out.uint(4).uint(retry_after.get());
        }
    }

    pub(super) fn decode(map: &mut Map<'_, '_>) -> Result<Self, Error> {
        let invalid = |offset, expected| Error::InvalidValue { offset, expected };
        let value = map.required(2)?;
        let offset = value.offset();
        let refusal = Refusal::from_number(value.uint()?)
            .ok_or_else(|| invalid(offset, "a reason of refusal, 0 to 5"))?;
        let lacking = match map.optional(3)? {
            None => Amounts::new(),
            Some(value) => amounts_nonempty(value)?,
        };
        let retry_after = match map.optional(4)? {
            None => None,
            Some(value) => {
                let offset = value.offset();
                let millis = NonZeroU64::new(value.uint()?);
                Some(millis.ok_or_else(|| invalid(offset, "a time to wait above zero"))?)
            }
        };
        Ok(Self { refusal, lacking, retry_after })
    }
}

fn amounts_nonempty(decoder: &mut Decoder<'_>) -> Result<Amounts, Error> {
    let offset = decoder.offset();
    let amounts = Amounts::decode(decoder)?;
    if amounts.is_empty() {
        return Err(Error::Empty { offset, what: "amounts that are lacking" });
    }
    Ok(amounts)
}

impl fmt::Display for Refuse {
    /// Writes, for example, `insufficient, for lack of 2000 output-tokens`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.refusal.fmt(f)?;
        if !self.lacking.is_empty() {
            write!(f, ", for lack of {}", self.lacking)?;
        }
        match self.retry_after {
            Some(millis) => write!(f, ", retry after {millis} ms"),
            None => Ok(()),
        }
    }
}
