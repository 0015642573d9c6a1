//! Amounts of several dimensions at once, and their algebra. SPEC §11.1.

use alloc::boxed::Box;
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::fmt;

use super::dimension::asset;
use super::{Dimension, DimensionKind, share};
use crate::Error;
use crate::cbor::{Decoder, Encoder, MAX_UINT, Sink};

/// Amounts of several dimensions, one for each dimension and unit.
///
/// A **consumable** that is not stated is zero. A **ceiling** that is not stated is no limit. Amounts are above zero, and
/// there is no "unlimited": `u64::MAX` is a number like any other. At most 32 amounts stand together.
///
/// Each unit of a dimension is a dimension of its own, never converted into another.
///
/// ```
/// use agent_envelope::budget::{Amounts, Dimension};
///
/// let granted = Amounts::new()
///     .with(Dimension::OUTPUT_TOKENS, 100_000)?
///     .with_unit(Dimension::MONEY, 2_000_000, "USD:6")?;
/// let used = Amounts::new().with(Dimension::OUTPUT_TOKENS, 60_000)?;
///
/// assert!(used.le(&granted));
/// let left = granted.checked_sub(&used)?;
/// assert_eq!(left.to_string(), "40000 output-tokens, 2.000000 USD");
/// assert_eq!(left.checked_add(&used)?, granted);
/// # Ok::<(), agent_envelope::Error>(())
/// ```
///
/// ```cddl
/// amounts = [* amount]   ; at most 32, strictly ascending by dimension, then by unit: none first, then as encoded
/// amount  = [dimension: uint, amount: 1..18446744073709551615, ? unit: tstr]
/// ```
///
/// The order is stated on dimension and unit, not on the encoded entries: those of two and of three items begin with
/// different bytes, and the amount stands between the two that matter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Amounts {
    entries: Vec<Entry>,
}

impl Amounts {
    /// Makes amounts of nothing.
    pub const fn new() -> Self {
        Self { entries: Vec::new() }
    }

    /// Adds an amount of a dimension that is not here yet.
    ///
    /// # Errors
    ///
    /// [`Error::AmountRefused`] for zero, for a dimension that is here already, for one that needs a unit (money,
    /// compute), and for a 33rd amount.
    pub fn with(self, dimension: Dimension, amount: u64) -> Result<Self, Error> {
        self.insert(Entry { dimension, unit: None, amount })
    }

    /// Adds an amount of a dimension in a unit that is not here yet.
    ///
    /// Money takes an asset and its decimal places, such as `USD:6`; compute the SHA-256 of a cost table in 64 lower-case
    /// hex digits; a dimension that is not assigned 1 to 64 visible ASCII characters.
    ///
    /// # Errors
    ///
    /// [`Error::AmountRefused`] for zero, for a dimension and unit that are here already, for a unit of another form (`USD`,
    /// `USD:06`), for a dimension that takes none (tokens, cpu), and for a 33rd amount.
    pub fn with_unit(self, dimension: Dimension, amount: u64, unit: &str) -> Result<Self, Error> {
        // Checked before it is copied, so that what the copy costs is bounded.
        match dimension.unit_fault(Some(unit)) {
            Some(expected) => Err(Error::AmountRefused { dimension, expected }),
            None => self.insert(Entry { dimension, unit: Some(unit.into()), amount }),
        }
    }

    /// Returns the amount of a dimension without a unit.
    pub fn get(&self, dimension: Dimension) -> Option<u64> {
        self.find(dimension, None)
    }

    /// Returns the amount of a dimension in `unit`.
    pub fn get_in(&self, dimension: Dimension, unit: &str) -> Option<u64> {
        self.find(dimension, Some(unit))
    }

    /// Returns the amounts in their order on the wire.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Amount<'_>> {
        self.entries.iter().map(|entry| Amount { entry })
    }

    /// Tells whether nothing is stated: nothing may be spent, and nothing is bounded.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns the consumables alone: what a ledger adds up.
    #[must_use]
    pub fn consumables(&self) -> Self {
        let entries = self.entries.iter().filter(|entry| !entry.dimension.is_ceiling());
        Self { entries: entries.cloned().collect() }
    }

    /// Tells whether these amounts lie within `parent`.
    ///
    /// Each consumable is at most the parent's, and each ceiling of the parent is repeated or lowered; more ceilings may be
    /// added. This is a partial order: of two budgets neither may be within the other.
    pub fn le(&self, parent: &Self) -> bool {
        self.first_wider(parent).is_none()
    }

    /// Returns the largest amounts that lie within both: the lower of each two consumables, and every ceiling, the lower
    /// where both state it.
    ///
    /// # Errors
    ///
    /// [`Error::AmountRefused`] if the ceilings of both together are more than 32.
    pub fn meet(&self, other: &Self) -> Result<Self, Error> {
        self.combine(other, |dimension, ours, theirs| {
            Ok(match (dimension.kind(), ours, theirs) {
                (_, Some(ours), Some(theirs)) => Some(ours.min(theirs)),
                (DimensionKind::Consumable, ..) => None,
                (DimensionKind::Ceiling, ours, theirs) => ours.or(theirs),
            })
        })
    }

    /// Adds the consumables of `other`. Ceilings are not spent: those here stay as they are, those of `other` are passed over.
    ///
    /// # Errors
    ///
    /// [`Error::AmountOverflow`] if a sum is beyond `u64::MAX`, [`Error::AmountRefused`] if more than 32 amounts result.
    pub fn checked_add(&self, other: &Self) -> Result<Self, Error> {
        self.combine(other, |dimension, ours, theirs| match (dimension.kind(), ours, theirs) {
            (DimensionKind::Ceiling, ours, _) => Ok(ours),
            (DimensionKind::Consumable, Some(ours), Some(theirs)) => {
                ours.checked_add(theirs).map(Some).ok_or(Error::AmountOverflow { dimension })
            }
            (DimensionKind::Consumable, ours, theirs) => Ok(ours.or(theirs)),
        })
    }

    /// Subtracts the consumables of `other`. Ceilings are not spent: those here stay as they are, those of `other` are
    /// passed over.
    ///
    /// # Errors
    ///
    /// [`Error::AmountLacking`] with the first dimension of which `other` has more.
    pub fn checked_sub(&self, other: &Self) -> Result<Self, Error> {
        self.combine(other, |dimension, ours, theirs| {
            if dimension.is_ceiling() {
                return Ok(ours);
            }
            let (available, needed) = (ours.unwrap_or(0), theirs.unwrap_or(0));
            match available.checked_sub(needed) {
                Some(left) => Ok(Some(left)),
                None => Err(Error::AmountLacking { dimension, available, needed }),
            }
        })
    }

    /// Divides the consumables by `weights`, each exact to the unit as by [`share()`], and gives every ceiling to everyone.
    ///
    /// Each dimension is divided on its own, so the first of equal weights gets the odd unit of each.
    ///
    /// # Errors
    ///
    /// [`Error::ZeroWeights`] if the weights add up to zero, also if there are none.
    pub fn share(&self, weights: &[u64]) -> Result<Vec<Self>, Error> {
        // Also when there is nothing to divide.
        share(0, weights)?;
        let mut shares = vec![Self::new(); weights.len()];
        for entry in &self.entries {
            let amounts = match entry.dimension.kind() {
                DimensionKind::Consumable => share(entry.amount, weights)?,
                DimensionKind::Ceiling => vec![entry.amount; weights.len()],
            };
            for (share, amount) in shares.iter_mut().zip(amounts) {
                if amount > 0 {
                    share.entries.push(Entry { amount, ..entry.clone() });
                }
            }
        }
        Ok(shares)
    }

    /// Returns the first dimension in which these amounts are not within `parent`.
    pub(crate) fn first_wider(&self, parent: &Self) -> Option<Dimension> {
        self.pairs(parent)
            .find(|(entry, ours, theirs)| match entry.dimension.kind() {
                DimensionKind::Consumable => ours.unwrap_or(0) > theirs.unwrap_or(0),
                DimensionKind::Ceiling => match (ours, theirs) {
                    (_, None) => false,
                    (None, Some(_)) => true,
                    (Some(ours), Some(theirs)) => ours > theirs,
                },
            })
            .map(|(entry, ..)| entry.dimension)
    }

    pub(crate) fn encode<S: Sink>(&self, encoder: &mut Encoder<S>) {
        encoder.array(self.entries.len());
        for Entry { dimension, unit, amount } in &self.entries {
            encoder.array(if unit.is_some() { 3 } else { 2 }).uint(dimension.id()).uint(*amount);
            if let Some(unit) = unit {
                encoder.text(unit);
            }
        }
    }

    pub(crate) fn decode(decoder: &mut Decoder<'_>) -> Result<Self, Error> {
        let found = decoder.array()?;
        if found > MAX_AMOUNTS {
            return Err(Error::LimitExceeded { what: "amounts", limit: MAX_AMOUNTS, found });
        }
        let mut entries: Vec<Entry> = Vec::with_capacity(found);
        for _ in 0..found {
            let offset = decoder.offset();
            let entry = Entry::decode(decoder)?;
            match entries.last().map(|last| last.key().cmp(&entry.key())) {
                Some(Ordering::Equal) => return Err(Error::DuplicateMember { offset }),
                Some(Ordering::Greater) => return Err(Error::UnsortedSet { offset }),
                _ => entries.push(entry),
            }
        }
        Ok(Self { entries })
    }

    fn insert(mut self, entry: Entry) -> Result<Self, Error> {
        let dimension = entry.dimension;
        let unit_fault = dimension.unit_fault(entry.unit.as_deref());
        let place = self.entries.binary_search_by(|other| other.key().cmp(&entry.key()));
        let expected = match (unit_fault, place) {
            (Some(expected), _) => expected,
            _ if entry.amount == 0 => NOT_ZERO,
            (_, Ok(_)) => "the only one of its dimension and unit",
            _ if self.entries.len() == MAX_AMOUNTS => ONE_OF_32,
            (_, Err(index)) => {
                self.entries.insert(index, entry);
                return Ok(self);
            }
        };
        Err(Error::AmountRefused { dimension, expected })
    }

    pub(super) fn find(&self, dimension: Dimension, unit: Option<&str>) -> Option<u64> {
        let index = self.entries.binary_search_by(|entry| entry.key().cmp(&key(dimension, unit)));
        index.ok().map(|index| self.entries[index].amount)
    }

    /// Makes new amounts of the two in each dimension; `None` and zero are left out.
    fn combine(
        &self,
        other: &Self,
        mut of: impl FnMut(Dimension, Option<u64>, Option<u64>) -> Result<Option<u64>, Error>,
    ) -> Result<Self, Error> {
        let mut entries = Vec::with_capacity(self.entries.len());
        for (entry, ours, theirs) in self.pairs(other) {
            let dimension = entry.dimension;
            let Some(amount @ 1..) = of(dimension, ours, theirs)? else {
                continue;
            };
            if entries.len() == MAX_AMOUNTS {
                return Err(Error::AmountRefused { dimension, expected: ONE_OF_32 });
            }
            entries.push(Entry { amount, ..entry.clone() });
        }
        Ok(Self { entries })
    }

    /// Walks both in order and pairs what is of one dimension and unit.
    fn pairs<'a>(
        &'a self,
        other: &'a Self,
    ) -> impl Iterator<Item = (&'a Entry, Option<u64>, Option<u64>)> {
        let (mut ours, mut theirs) =
            (self.entries.iter().peekable(), other.entries.iter().peekable());
        core::iter::from_fn(move || {
            let order = match (ours.peek(), theirs.peek()) {
                (None, None) => return None,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(ours), Some(theirs)) => ours.key().cmp(&theirs.key()),
            };
            let left = if order.is_le() { ours.next() } else { None };
            let right = if order.is_ge() { theirs.next() } else { None };
            let amount = |entry: &Entry| entry.amount;
            left.or(right).map(|entry| (entry, left.map(amount), right.map(amount)))
        })
    }
}

impl fmt::Display for Amounts {
    /// Writes, for example, `100000 output-tokens, 2.000000 USD, at most 4 concurrency`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("nothing");
        }
        for (index, amount) in self.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{amount}")?;
        }
        Ok(())
    }
}

/// One of several [`Amounts`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Amount<'a> {
    entry: &'a Entry,
}

impl<'a> Amount<'a> {
    /// Returns what it is an amount of.
    pub const fn dimension(&self) -> Dimension {
        self.entry.dimension
    }

    /// Returns the unit, if it has one.
    pub fn unit(&self) -> Option<&'a str> {
        self.entry.unit.as_deref()
    }

    /// Returns how much it is, above zero.
    pub const fn value(&self) -> u64 {
        self.entry.amount
    }
}

impl fmt::Display for Amount<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (dimension, amount) = (self.dimension(), self.value());
        if dimension.is_ceiling() {
            f.write_str("at most ")?;
        }
        match self.unit() {
            Some(unit) if dimension.is_money() => {
                let (asset, places) = asset(unit).expect("checked when the amount was made");
                let digits = format!("{amount:0>width$}", width = places + 1);
                let (whole, fraction) = digits.split_at(digits.len() - places);
                let point = if places == 0 { "" } else { "." };
                let advisory = if dimension.is_advisory() { " (advisory)" } else { "" };
                write!(f, "{whole}{point}{fraction} {asset}{advisory}")
            }
            Some(unit) => write!(f, "{amount} {dimension} ({unit})"),
            None => write!(f, "{amount} {dimension}"),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Entry {
    dimension: Dimension,
    unit: Option<Box<str>>,
    amount: u64,
}

impl Entry {
    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, Error> {
        let start = decoder.offset();
        let found = decoder.array()?;
        if !(2..=3).contains(&found) {
            let expected = found.clamp(2, 3);
            return Err(Error::WrongCount { offset: start, expected, found });
        }
        let dimension = Dimension::from_id(decoder.uint_up_to(MAX_UINT)?)?;
        let offset = decoder.offset();
        let amount = decoder.uint_up_to(u64::MAX)?;
        if amount == 0 {
            return Err(Error::InvalidValue { offset, expected: NOT_ZERO });
        }
        let unit = if found == 3 { Some(decoder.text()?) } else { None };
        match dimension.unit_fault(unit) {
            Some(expected) => Err(Error::InvalidValue { offset: start, expected }),
            None => Ok(Self { dimension, unit: unit.map(Box::from), amount }),
        }
    }

    fn key(&self) -> Key<'_> {
        key(self.dimension, self.unit.as_deref())
    }
}

/// Ordered as the encodings of dimension and unit, where a shorter text comes first.
type Key<'a> = (Dimension, Option<(usize, &'a str)>);

fn key(dimension: Dimension, unit: Option<&str>) -> Key<'_> {
    (dimension, unit.map(|unit| (unit.len(), unit)))
}

const NOT_ZERO: &str = "an amount above zero";
const ONE_OF_32: &str = "one of at most 32 amounts";

/// Every dimension assigned so far in both variants, and ten more. Past it the amounts are refused.
const MAX_AMOUNTS: usize = 32;
