//! A dimension in one unit: what a price is for, and what a meter counts. SPEC §11.1.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cmp::Ordering;

use super::{Amounts, Dimension};
use crate::Error;
use crate::cbor::{Decoder, Encoder, MAX_UINT, Sink};
use crate::limits::within;

/// A dimension, and its unit if it has one. Ordered as [`Amounts`] are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Measure {
    dimension: Dimension,
    unit: Option<Box<str>>,
}

impl Measure {
    pub(super) fn new(dimension: Dimension, unit: Option<&str>) -> Result<Self, Error> {
        match dimension.unit_fault(unit) {
            Some(expected) => Err(Error::AmountRefused { dimension, expected }),
            None => Ok(Self { dimension, unit: unit.map(Box::from) }),
        }
    }

    pub(super) const fn dimension(&self) -> Dimension {
        self.dimension
    }

    pub(super) fn unit(&self) -> Option<&str> {
        self.unit.as_deref()
    }

    /// Returns `amount` of it.
    pub(super) fn amounts(&self, amount: u64) -> Result<Amounts, Error> {
        add(Amounts::new(), self.dimension, self.unit(), amount)
    }

    /// Compares as dimension and unit are ordered on the wire.
    pub(super) fn order(&self, dimension: Dimension, unit: Option<&str>) -> Ordering {
        let key = |unit: Option<&str>| unit.map(str::len);
        (self.dimension, key(self.unit()), self.unit()).cmp(&(dimension, key(unit), unit))
    }

    /// Finds this dimension and unit in a sorted list, or the place for it.
    pub(super) fn search<T>(
        list: &[T],
        of: impl Fn(&T) -> &Self,
        dimension: Dimension,
        unit: Option<&str>,
    ) -> Result<usize, usize> {
        list.binary_search_by(|item| of(item).order(dimension, unit))
    }

    /// Writes the parts that stand first and last in an item of `length` parts without a unit.
    pub(super) fn encode<S: Sink>(&self, out: &mut Encoder<S>, between: &[u64]) {
        out.array(1 + between.len() + usize::from(self.unit.is_some())).uint(self.dimension.id());
        between.iter().for_each(|number| {
            out.uint(*number);
        });
        if let Some(unit) = self.unit() {
            out.text(unit);
        }
    }

    /// Reads an item with `N` numbers between dimension and unit, all above zero.
    pub(super) fn decode<const N: usize>(
        decoder: &mut Decoder<'_>,
    ) -> Result<(Self, [u64; N]), Error> {
        let start = decoder.offset();
        let found = decoder.array()?;
        if !(N + 1..=N + 2).contains(&found) {
            let expected = found.clamp(N + 1, N + 2);
            return Err(Error::WrongCount { offset: start, expected, found });
        }
        let dimension = Dimension::from_id(decoder.uint_up_to(MAX_UINT)?)?;
        let mut numbers = [0; N];
        for number in &mut numbers {
            let offset = decoder.offset();
            *number = decoder.uint_up_to(u64::MAX)?;
            if *number == 0 {
                return Err(Error::InvalidValue { offset, expected: "a number above zero" });
            }
        }
        let unit = if found == N + 2 { Some(decoder.text()?) } else { None };
        match dimension.unit_fault(unit) {
            Some(expected) => Err(Error::InvalidValue { offset: start, expected }),
            None => Ok((Self { dimension, unit: unit.map(Box::from) }, numbers)),
        }
    }

    /// Reads a list of at most `limit` items, strictly ascending.
    pub(super) fn decode_list<T>(
        decoder: &mut Decoder<'_>,
        (what, limit): (&'static str, usize),
        of: impl Fn(&T) -> &Self,
        mut item: impl FnMut(&mut Decoder<'_>) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        let count = within(limit, decoder.array()?, what)?;
        let mut list: Vec<T> = Vec::with_capacity(count);
        for _ in 0..count {
            let offset = decoder.offset();
            let next = item(decoder)?;
            let measure = of(&next);
            match list.last().map(|last| of(last).order(measure.dimension, measure.unit())) {
                Some(Ordering::Equal) => return Err(Error::DuplicateMember { offset }),
                Some(Ordering::Greater) => return Err(Error::UnsortedSet { offset }),
                _ => list.push(next),
            }
        }
        Ok(list)
    }
}

/// Adds an amount with or without a unit.
pub(super) fn add(
    amounts: Amounts,
    dimension: Dimension,
    unit: Option<&str>,
    amount: u64,
) -> Result<Amounts, Error> {
    match unit {
        Some(unit) => amounts.with_unit(dimension, amount, unit),
        None => amounts.with(dimension, amount),
    }
}

/// Finds the amount of a dimension and unit.
pub(super) fn find(amounts: &Amounts, dimension: Dimension, unit: Option<&str>) -> Option<u64> {
    match unit {
        Some(unit) => amounts.get_in(dimension, unit),
        None => amounts.get(dimension),
    }
}
