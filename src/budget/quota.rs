//! How much a principal may ask for over time. SPEC §11.7.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

use super::measure::find;
use super::{Amount, Amounts, Dimension};
use crate::cbor::{Decoder, Encoder, MAX_UINT};
use crate::context::{count, expect_label};
use crate::digest::{Digest, Use, hash};
use crate::{Error, Principal, Timestamp};

/// A rate limit for each principal and dimension: a value without a clock.
///
/// In any stretch of time, a principal is granted at most the burst plus what its limits allow in that stretch (the generic
/// cell rate algorithm of ITU-T I.371, exact in integers). Ask it once the signatures of a request are known to be good,
/// lest somebody use up another's quota; and ask for the whole allotment, not for what may be left of it later.
///
/// A consumable without a limit is never granted, in whatever unit: what is not stated is zero. Advisory dimensions that
/// the limits do not speak of pass, since nobody has to meter them. Ceilings are not spent and pass too.
///
/// A principal that has all of its quota back is forgotten when its place is needed. One that has not is never forgotten;
/// when no place is left, newcomers are refused.
///
/// ```
/// use agent_envelope::budget::{Amounts, Dimension, Quota};
/// use agent_envelope::{Error, Principal, Timestamp};
/// use core::time::Duration;
///
/// let calls = |n| Amounts::new().with(Dimension::TOOL_CALLS, n);
/// // 60 calls an hour: one a minute, and at most 10 at once.
/// let mut quota = Quota::new(calls(60)?, Duration::from_secs(3600), 1000)?.with_burst(calls(10)?)?;
/// let alice = Principal::new("https://login.example", "alice");
/// let now = Timestamp::from_unix_seconds(1_800_000_000);
///
/// quota.ask(alice, &calls(8)?, now)?;
/// assert_eq!(
///     quota.ask(alice, &calls(4)?, now),
///     Err(Error::QuotaExceeded { dimension: Dimension::TOOL_CALLS, retry_after: 120 }),
/// );
/// quota.ask(alice, &calls(4)?, now.saturating_add(Duration::from_secs(120)))?;
///
/// // It survives a restart, so that restarting gives nobody more.
/// let stored = quota.to_bytes();
/// assert_eq!(Quota::from_bytes(&stored)?, quota);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quota {
    limits: Amounts,
    burst: Amounts,
    /// Seconds in which the limits come back.
    period: u64,
    capacity: usize,
    /// The latest time at which anything was granted: a clock that steps back gives nothing twice.
    past: Timestamp,
    buckets: BTreeMap<Digest, Bucket>,
}

/// For each limit, the time at which all of it is back, in seconds times the limit: so nothing is ever rounded.
type Bucket = Vec<u128>;

impl Quota {
    /// Grants each of up to `max_principals` principals `limits` in each `period`, in whole seconds rounded up, and as much
    /// at once.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] for limits that state no consumable, or a ceiling, which is not spent; a period under a
    /// second or above 2^53 − 1 of them; and no principals.
    pub fn new(limits: Amounts, period: Duration, max_principals: usize) -> Result<Self, Error> {
        let seconds = period.as_secs().saturating_add(u64::from(period.subsec_nanos() > 0));
        let reason = if limits.is_empty() {
            "a quota needs a limit; one without would grant nothing"
        } else if limits.iter().any(|limit| limit.dimension().is_ceiling()) {
            "a quota limits consumables; a ceiling is not spent"
        } else if !(1..=MAX_UINT).contains(&seconds) {
            "the period of a quota is 1 to 2^53 - 1 seconds"
        } else if max_principals == 0 {
            "a quota without principals would grant nothing"
        } else {
            return Ok(Self {
                burst: limits.clone(),
                limits,
                period: seconds,
                capacity: max_principals,
                past: Timestamp::from_unix_seconds(0),
                buckets: BTreeMap::new(),
            });
        };
        Err(Error::Configuration { reason })
    }

    /// Sets what may be granted at once, in exactly the dimensions and units of the limits; less or more than they are.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] for other dimensions or units, and once something has been granted.
    pub fn with_burst(self, burst: Amounts) -> Result<Self, Error> {
        let alike = |(ours, theirs): (Amount<'_>, Amount<'_>)| {
            (ours.dimension(), ours.unit()) == (theirs.dimension(), theirs.unit())
        };
        let count = self.limits.iter().len() == burst.iter().len();
        let reason = if !count || !self.limits.iter().zip(burst.iter()).all(alike) {
            "the burst of a quota has the dimensions and units of its limits"
        } else if !self.buckets.is_empty() {
            "the burst of a quota is set before anything is asked for"
        } else {
            return Ok(Self { burst, ..self });
        };
        Err(Error::Configuration { reason })
    }

    /// Takes `amounts` from a principal's quota: all dimensions, or none.
    ///
    /// A clock that steps back gives nothing: it counts as standing still until it is past the last grant again.
    ///
    /// # Errors
    ///
    /// [`Error::BeyondQuota`] for more than is ever granted at once, also of what has no limit;
    /// [`Error::QuotaExceeded`] for more than is left now, with the time to wait; [`Error::QuotaFull`] for another
    /// principal than there is room for. Nothing is changed then.
    pub fn ask(
        &mut self,
        principal: Principal<'_>,
        amounts: &Amounts,
        now: Timestamp,
    ) -> Result<(), Error> {
        if !self.charges(amounts)? {
            return Ok(());
        }
        let key = key(principal);
        let time = now.max(self.past);
        let known = self.buckets.get(&key);
        let mut bucket = Bucket::with_capacity(self.limits.iter().len());
        let mut longest = None;
        for (index, (limit, burst)) in self.limits.iter().zip(self.burst.iter()).enumerate() {
            let (full, latest) = self.range(limit, burst, time);
            let before = known.map_or(0, |bucket| bucket[index]);
            let asked = find(amounts, limit.dimension(), limit.unit()).unwrap_or(0);
            let after = match asked {
                0 => before,
                // At most `latest` of some time up to now, and less than 2^117 more.
                asked => before.max(full) + u128::from(asked) * u128::from(self.period),
            };
            bucket.push(after);
            if let Some(excess @ 1..) = after.checked_sub(latest) {
                let wait = excess.div_ceil(u128::from(limit.value()));
                longest = longest.max(Some((wait, limit.dimension())));
            }
        }
        if let Some((wait, dimension)) = longest {
            // Counted from the caller's clock, which may be behind.
            let behind = time.as_unix_seconds() - now.as_unix_seconds();
            let wait = u64::try_from(wait).unwrap_or(u64::MAX);
            return Err(Error::QuotaExceeded {
                dimension,
                retry_after: wait.saturating_add(behind),
            });
        }
        if known.is_none() && self.buckets.len() >= self.capacity {
            self.make_room(time)?;
        }
        self.buckets.insert(key, bucket);
        self.past = time;
        Ok(())
    }

    /// Returns how many principals have used some of their quota, as far as that is remembered.
    pub fn len(&self) -> usize {
        self.buckets.len()
    }

    /// Tells whether nobody is remembered.
    pub fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }

    /// Writes the whole state, limits included, for storage.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Encoder::new();
        out.array(7).text(STATE);
        self.limits.encode(&mut out);
        self.burst.encode(&mut out);
        out.uint(self.period).count(self.capacity).uint(self.past.as_unix_seconds());
        out.array(self.buckets.len());
        for (principal, bucket) in &self.buckets {
            out.array(1 + bucket.len()).bytes(principal.as_bytes());
            bucket.iter().for_each(|time| {
                out.bytes(&time.to_be_bytes());
            });
        }
        out.finish()
    }

    /// Goes on with what [`Quota::to_bytes`] wrote.
    ///
    /// # Errors
    ///
    /// Encoding errors, and [`Error::BadState`] for a state that would never have been written.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let mut decoder = Decoder::new(bytes);
        decoder.array_of(7)?;
        expect_label(&mut decoder, STATE)?;
        let offset = decoder.offset();
        let bad = |reason| Error::BadState { offset, reason };
        let (limits, burst) = (Amounts::decode(&mut decoder)?, Amounts::decode(&mut decoder)?);
        let period = Duration::from_secs(decoder.uint()?);
        let mut quota = Self::new(limits, period, count(&mut decoder)?)
            .and_then(|quota| quota.with_burst(burst))
            .map_err(|_| bad("its limits are none that a quota can have"))?;
        quota.past = Timestamp::from_unix_seconds(decoder.uint()?);
        let principals = decoder.array()?;
        let mut last = None;
        for _ in 0..principals {
            let offset = decoder.offset();
            decoder.array_of(1 + quota.limits.iter().len())?;
            let principal = Digest(*decoder.fixed()?);
            if last >= Some(principal) {
                return Err(Error::BadState { offset, reason: "principals are out of order" });
            }
            last = Some(principal);
            let bucket = quota.bucket(&mut decoder)?;
            quota.buckets.insert(principal, bucket);
        }
        if principals > quota.capacity {
            return Err(bad("there are more principals than it may hold"));
        }
        decoder.finish()?;
        Ok(quota)
    }

    fn bucket(&self, decoder: &mut Decoder<'_>) -> Result<Bucket, Error> {
        let mut bucket = Bucket::with_capacity(self.limits.iter().len());
        for (limit, burst) in self.limits.iter().zip(self.burst.iter()) {
            let offset = decoder.offset();
            let time = u128::from_be_bytes(*decoder.fixed()?);
            if time > self.range(limit, burst, self.past).1 {
                let reason = "more was granted than is ever granted";
                return Err(Error::BadState { offset, reason });
            }
            bucket.push(time);
        }
        Ok(bucket)
    }

    /// Returns up to when a bucket may have to wait at `time`: not at all, if it is full, and at most.
    fn range(&self, limit: Amount<'_>, burst: Amount<'_>, time: Timestamp) -> (u128, u128) {
        // Below 2^117 each: times and periods are below 2^53.
        let full = u128::from(time.as_unix_seconds()) * u128::from(limit.value());
        (full, full + u128::from(burst.value()) * u128::from(self.period))
    }

    /// Tells whether `amounts` charge anything, and refuses what could never be granted.
    fn charges(&self, amounts: &Amounts) -> Result<bool, Error> {
        let mut charges = false;
        for amount in amounts.iter() {
            let (dimension, asked) = (amount.dimension(), amount.value());
            if dimension.is_ceiling() {
                continue;
            }
            let burst = match find(&self.burst, dimension, amount.unit()) {
                None if dimension.is_advisory() && !self.speaks_of(dimension) => continue,
                burst => burst.unwrap_or(0),
            };
            if asked > burst {
                return Err(Error::BeyondQuota { dimension, burst, asked });
            }
            charges = true;
        }
        Ok(charges)
    }

    /// Tells whether a dimension is limited in any unit or variant: by calling it advisory nobody gets around a limit.
    fn speaks_of(&self, dimension: Dimension) -> bool {
        self.limits.iter().any(|limit| limit.dimension().advisory() == dimension.advisory())
    }

    /// Forgets principals that have all of their quota back: to forget them changes no answer.
    fn make_room(&mut self, time: Timestamp) -> Result<(), Error> {
        let full: Vec<_> = self
            .limits
            .iter()
            .zip(self.burst.iter())
            .map(|(limit, burst)| self.range(limit, burst, time).0)
            .collect();
        let used = |bucket: &Bucket| bucket.iter().zip(&full).any(|(time, full)| time > full);
        if self.buckets.values().all(used) {
            return Err(Error::QuotaFull { capacity: self.capacity });
        }
        self.buckets.retain(|_, bucket| used(bucket));
        Ok(())
    }
}

/// Names of any length take 32 bytes, and are not to be read from a stored state.
fn key(principal: Principal<'_>) -> Digest {
    hash(Use::Principal, 2, |fields| {
        fields.text(principal.issuer()).text(principal.subject());
    })
}

const STATE: &str = "agent-envelope/1/state/quota";
