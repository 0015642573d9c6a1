//! Points in time: Unix seconds, always given by the caller.

use core::fmt;
use core::time::Duration;

/// A point in time in Unix seconds, as in a CWT (RFC 8392 §2); at most 2^53 − 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The latest time that can be written: 2^53 − 1 seconds.
    pub const MAX: Self = Self((1 << 53) - 1);

    /// Makes a time from Unix seconds. Seconds beyond [`Timestamp::MAX`] become `MAX`.
    pub const fn from_unix_seconds(seconds: u64) -> Self {
        if seconds > Self::MAX.0 { Self::MAX } else { Self(seconds) }
    }

    /// Returns the Unix seconds.
    pub const fn as_unix_seconds(self) -> u64 {
        self.0
    }

    /// Reads the system clock.
    ///
    /// # Errors
    ///
    /// [`Error::Clock`](crate::Error::Clock) if the clock is set before 1970.
    #[cfg(feature = "std")]
    pub fn now() -> Result<Self, crate::Error> {
        let since = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_err(|_| crate::Error::Clock)?;
        Ok(Self::from_unix_seconds(since.as_secs()))
    }

    /// Adds whole seconds of `duration`, stopping at [`Timestamp::MAX`].
    #[must_use]
    pub const fn saturating_add(self, duration: Duration) -> Self {
        Self::from_unix_seconds(self.0.saturating_add(duration.as_secs()))
    }

    /// Subtracts whole seconds of `duration`, stopping at 0.
    #[must_use]
    pub const fn saturating_sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(duration.as_secs()))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The greatest difference between clocks that is ever tolerated.
pub(crate) const MAX_SKEW: Duration = Duration::from_secs(60);

/// Verification time with the tolerated difference between clocks, which widens *now* and nothing else.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    now: Timestamp,
    skew: Duration,
}

impl Clock {
    pub(crate) const fn new(now: Timestamp, skew: Duration) -> Self {
        Self { now, skew }
    }

    pub(crate) const fn exact(now: Timestamp) -> Self {
        Self::new(now, Duration::ZERO)
    }

    /// Returns the time as given, for errors.
    pub(crate) const fn now(&self) -> Timestamp {
        self.now
    }

    /// Returns the latest time it may be elsewhere.
    pub(crate) const fn latest(&self) -> Timestamp {
        self.now.saturating_add(self.skew)
    }

    /// Returns the earliest time it may be elsewhere.
    pub(crate) const fn earliest(&self) -> Timestamp {
        self.now.saturating_sub(self.skew)
    }

    /// Tells whether what begins at `begin` lies in the future on every tolerated clock.
    pub(crate) fn is_before(&self, begin: Timestamp) -> bool {
        self.latest() < begin
    }

    /// Tells whether what ends at `end` is over on every tolerated clock. The end itself is not included (RFC 8392).
    pub(crate) fn is_past(&self, end: Timestamp) -> bool {
        self.earliest() >= end
    }
}
