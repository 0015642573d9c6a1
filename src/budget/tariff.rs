//! What use costs: prices in one unit of money. SPEC §11.7.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use super::measure::Measure;
use super::{Amounts, Dimension};
use crate::Error;
use crate::cbor::{Decoder, Encoder, MAX_UINT, Sink};
use crate::limits::within;

/// Prices of consumables, all in one unit of money.
///
/// Every dimension that is used must have a price or be listed as free of charge: what a tariff forgets is an error, not a
/// gift. Each line of a bill is rounded up to the next whole unit of money on its own, so that the lines shown to a payer
/// add up to the total. Price the running total of what was used; the prices of its parts may add up to more.
///
/// Ceilings bound use and are not spent, so they cost nothing. Money is never converted: outlay in the tariff's own unit can
/// have a price (1 per 1 passes it on, 105 per 100 adds a twentieth), outlay in any other cannot.
///
/// ```
/// use agent_envelope::Error;
/// use agent_envelope::budget::{Amounts, Dimension, Rate, Tariff};
///
/// let tariff = Tariff::new("USD:6")?
///     .with(Dimension::OUTPUT_TOKENS, Rate { price: 15_000_000, per: 1_000_000 })?
///     .with(Dimension::TOOL_CALLS, Rate { price: 500, per: 1 })?
///     .free_of_charge(Dimension::INPUT_TOKENS)?;
/// assert_eq!(
///     tariff.to_string(),
///     "15.000000 USD per 1000000 output-tokens, 0.000500 USD per 1 tool-calls, free of charge: input-tokens",
/// );
///
/// let used = Amounts::new()
///     .with(Dimension::INPUT_TOKENS, 90_000)?
///     .with(Dimension::OUTPUT_TOKENS, 1_000)?
///     .with(Dimension::TOOL_CALLS, 3)?;
/// assert_eq!(tariff.price(&used)?.to_string(), "0.016500 USD");
///
/// let forgotten = Amounts::new().with(Dimension::CPU, 1)?;
/// assert_eq!(tariff.price(&forgotten), Err(Error::Unpriced { dimension: Dimension::CPU }));
/// # Ok::<(), Error>(())
/// ```
///
/// ```cddl
/// tariff = { 1: unit: tstr, 2: prices: [* price], ? 3: free: [+ uint] }
/// price  = [dimension: uint, price: 1..18446744073709551615, per: 1..18446744073709551615, ? unit: tstr]
/// ```
///
/// Prices are at most 32, strictly ascending by dimension and unit as [`Amounts`] are; free dimensions are at most 32,
/// strictly ascending.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tariff {
    unit: Box<str>,
    prices: Vec<Price>,
    /// Ascending.
    free: Vec<Dimension>,
}

/// A price: so many units of money per so many units of a dimension, both above zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rate {
    /// Units of money.
    pub price: u64,
    /// Units of the dimension.
    pub per: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Price {
    measure: Measure,
    rate: Rate,
}

impl Tariff {
    /// Makes a tariff without prices in `unit`, an asset and its decimal places such as `USD:6`.
    ///
    /// # Errors
    ///
    /// [`Error::AmountRefused`] for a unit of another form.
    pub fn new(unit: &str) -> Result<Self, Error> {
        Measure::new(Dimension::MONEY, Some(unit))?;
        Ok(Self { unit: unit.into(), prices: Vec::new(), free: Vec::new() })
    }

    /// Sets the price of a dimension.
    ///
    /// # Errors
    ///
    /// [`Error::RateRefused`] for a rate with a zero, a ceiling, a dimension that has a price or is free already, and a 33rd
    /// price; [`Error::AmountRefused`] for a dimension that needs a unit.
    pub fn with(self, dimension: Dimension, rate: Rate) -> Result<Self, Error> {
        self.insert(dimension, None, rate)
    }

    /// Sets the price of a dimension in a unit: of compute by one cost table, of outlay in the tariff's own money.
    ///
    /// # Errors
    ///
    /// As [`Tariff::with`], and [`Error::RateRefused`] for other money than the tariff's own.
    pub fn with_unit(self, dimension: Dimension, rate: Rate, unit: &str) -> Result<Self, Error> {
        self.insert(dimension, Some(unit), rate)
    }

    /// Lists a dimension, in all its units, as costing nothing.
    ///
    /// # Errors
    ///
    /// [`Error::RateRefused`] for a ceiling, a dimension that has a price or is free already, and a 33rd one.
    pub fn free_of_charge(mut self, dimension: Dimension) -> Result<Self, Error> {
        let expected = match (self.free_fault(dimension), self.free.binary_search(&dimension)) {
            (Some(expected), _) => expected,
            (None, Ok(_)) => ONCE,
            (None, Err(_)) if self.free.len() == MAX_LINES => ONE_OF_32,
            (None, Err(index)) => {
                self.free.insert(index, dimension);
                return Ok(self);
            }
        };
        Err(Error::RateRefused { dimension, expected })
    }

    /// Returns the unit of money that prices are in.
    pub fn unit(&self) -> &str {
        &self.unit
    }

    /// Returns the price of a dimension without a unit.
    pub fn rate(&self, dimension: Dimension) -> Option<Rate> {
        self.find(dimension, None)
    }

    /// Returns the price of a dimension in `unit`.
    pub fn rate_in(&self, dimension: Dimension, unit: &str) -> Option<Rate> {
        self.find(dimension, Some(unit))
    }

    /// Tells whether a dimension is listed as costing nothing.
    pub fn is_free(&self, dimension: Dimension) -> bool {
        self.free.binary_search(&dimension).is_ok()
    }

    /// Returns what `used` costs: one amount of money in the tariff's unit, or nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Unpriced`] with the first dimension that has neither a price nor is free of charge;
    /// [`Error::AmountOverflow`] for more than 2^64 − 1 units of money.
    pub fn price(&self, used: &Amounts) -> Result<Amounts, Error> {
        let mut total = 0_u64;
        for amount in used.iter() {
            let dimension = amount.dimension();
            if dimension.is_ceiling() || self.is_free(dimension) {
                continue;
            }
            let rate = self.find(dimension, amount.unit()).ok_or(Error::Unpriced { dimension })?;
            total = rate
                .charge(amount.value())
                .and_then(|charge| total.checked_add(charge))
                .ok_or(Error::AmountOverflow { dimension: Dimension::MONEY })?;
        }
        if total == 0 {
            return Ok(Amounts::new());
        }
        Amounts::new().with_unit(Dimension::MONEY, total, &self.unit)
    }

    pub(crate) fn encode<S: Sink>(&self, out: &mut Encoder<S>) {
        out.map(if self.free.is_empty() { 2 } else { 3 }).uint(1).text(&self.unit);
        out.uint(2).array(self.prices.len());
        for Price { measure, rate } in &self.prices {
            measure.encode(out, &[rate.price, rate.per]);
        }
        if !self.free.is_empty() {
            out.uint(3).array(self.free.len());
            self.free.iter().for_each(|dimension| {
                out.uint(dimension.id());
            });
        }
    }

    pub(crate) fn decode(decoder: &mut Decoder<'_>) -> Result<Self, Error> {
        let mut map = decoder.map("tariff")?;
        let value = map.required(1)?;
        let offset = value.offset();
        let unit = value.text()?;
        if let Some(expected) = Dimension::MONEY.unit_fault(Some(unit)) {
            return Err(Error::InvalidValue { offset, expected });
        }
        let mut tariff = Self { unit: unit.into(), prices: Vec::new(), free: Vec::new() };
        let limit = ("prices of a tariff", MAX_LINES);
        tariff.prices = Measure::decode_list(map.required(2)?, limit, Price::measure, |decoder| {
            let offset = decoder.offset();
            let (measure, [price, per]) = Measure::decode(decoder)?;
            match tariff.price_fault(measure.dimension(), measure.unit()) {
                Some(expected) => Err(Error::InvalidValue { offset, expected }),
                None => Ok(Price { measure, rate: Rate { price, per } }),
            }
        })?;
        if let Some(value) = map.optional(3)? {
            let what = "dimensions free of charge";
            let count = within(MAX_LINES, value.array_nonempty(what)?, what)?;
            let mut free = Vec::with_capacity(count);
            let member = |decoder: &mut Decoder<'_>| {
                let offset = decoder.offset();
                let dimension = Dimension::from_id(decoder.uint_up_to(MAX_UINT)?)?;
                match tariff.free_fault(dimension) {
                    Some(expected) => Err(Error::InvalidValue { offset, expected }.into()),
                    None => Ok(dimension),
                }
            };
            value.set(count, member, |dimension| free.push(dimension))?;
            tariff.free = free;
        }
        map.end()?;
        Ok(tariff)
    }

    fn insert(
        mut self,
        dimension: Dimension,
        unit: Option<&str>,
        rate: Rate,
    ) -> Result<Self, Error> {
        let measure = Measure::new(dimension, unit)?;
        let place = Measure::search(&self.prices, Price::measure, dimension, unit);
        let expected = match (self.price_fault(dimension, unit), place) {
            (Some(expected), _) => expected,
            _ if rate.price == 0 || rate.per == 0 => "above zero per more than zero",
            (_, Ok(_)) => ONCE,
            _ if self.is_free(dimension) => ONCE,
            _ if self.prices.len() == MAX_LINES => ONE_OF_32,
            (_, Err(index)) => {
                self.prices.insert(index, Price { measure, rate });
                return Ok(self);
            }
        };
        Err(Error::RateRefused { dimension, expected })
    }

    /// Says what a price should have been of, if it cannot be of this.
    fn price_fault(&self, dimension: Dimension, unit: Option<&str>) -> Option<&'static str> {
        if dimension.is_ceiling() {
            Some(CONSUMABLE)
        } else if dimension.is_money() && unit != Some(&*self.unit) {
            Some("of money in the tariff's own unit; money is never converted")
        } else {
            None
        }
    }

    /// Says what a free dimension should have been, if it cannot be this.
    fn free_fault(&self, dimension: Dimension) -> Option<&'static str> {
        if dimension.is_ceiling() {
            Some(CONSUMABLE)
        } else if self.prices.iter().any(|price| price.measure.dimension() == dimension) {
            Some(ONCE)
        } else {
            None
        }
    }

    fn find(&self, dimension: Dimension, unit: Option<&str>) -> Option<Rate> {
        let found = Measure::search(&self.prices, Price::measure, dimension, unit);
        found.ok().map(|index| self.prices[index].rate)
    }
}

impl Price {
    const fn measure(&self) -> &Measure {
        &self.measure
    }
}

impl Rate {
    /// Returns what `amount` costs, rounded up; `None` beyond 2^64 − 1.
    fn charge(self, amount: u64) -> Option<u64> {
        // Two u64 make at most a u128.
        let exact = u128::from(amount) * u128::from(self.price);
        u64::try_from(exact.div_ceil(u128::from(self.per))).ok()
    }
}

impl fmt::Display for Tariff {
    /// Writes, for example, `15.000000 USD per 1000000 output-tokens, free of charge: input-tokens`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let money = Measure::new(Dimension::MONEY, Some(&self.unit)).map_err(|_| fmt::Error)?;
        let mut separator = "";
        for Price { measure, rate } in &self.prices {
            let price = money.amounts(rate.price).map_err(|_| fmt::Error)?;
            let per = measure.amounts(rate.per).map_err(|_| fmt::Error)?;
            write!(f, "{separator}{price} per {per}")?;
            separator = ", ";
        }
        for (index, dimension) in self.free.iter().enumerate() {
            let separator = if index == 0 { separator } else { ", " };
            let title = if index == 0 { "free of charge: " } else { "" };
            write!(f, "{separator}{title}{dimension}")?;
        }
        if self.prices.is_empty() && self.free.is_empty() {
            write!(f, "no prices in {}", self.unit)?;
        }
        Ok(())
    }
}

const CONSUMABLE: &str = "of a consumable; a ceiling is not spent";
const ONCE: &str = "the only statement about its dimension and unit";
const ONE_OF_32: &str = "one of at most 32";

/// As many as amounts. Past it a tariff is refused.
const MAX_LINES: usize = 32;
