//! What a worker can count. SPEC §11.8.

use alloc::vec::Vec;

use crate::Error;
use crate::budget::measure::Measure;
use crate::budget::{Amount, Dimension, Terms};
use crate::cbor::{Decoder, Encoder, Sink};

/// The dimensions, each in one unit, that a worker can meter: count while it is used, and stop.
///
/// Each unit is a dimension of its own: to meter compute by one cost table is not to meter it by another.
///
/// ```
/// use agent_envelope::budget::negotiation::Meters;
/// use agent_envelope::budget::{Amounts, Dimension, Terms};
/// use agent_envelope::{Error, Timestamp};
///
/// let meters = Meters::new().with(Dimension::OUTPUT_TOKENS)?.with_unit(Dimension::MONEY, "USD:6")?;
/// let terms = |amounts| Terms::new(amounts, Timestamp::from_unix_seconds(1_800_000_000), 0);
///
/// let tokens = Amounts::new().with(Dimension::OUTPUT_TOKENS, 100)?;
/// meters.can_meter(&terms(tokens.clone()))?;
///
/// let euros = Amounts::new().with_unit(Dimension::MONEY, 5, "EUR:2")?;
/// assert_eq!(meters.can_meter(&terms(euros)), Err(Error::CannotMeter { dimension: Dimension::MONEY }));
///
/// // An advisory dimension need not be known.
/// meters.can_meter(&terms(tokens.with(Dimension::CPU.advisory(), 1)?))?;
/// # Ok::<(), Error>(())
/// ```
///
/// ```cddl
/// meters = [* meter]   ; at most 64, strictly ascending by dimension and unit as amounts are
/// meter  = [dimension: uint, ? unit: tstr]
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Meters {
    measures: Vec<Measure>,
}

impl Meters {
    /// Meters nothing.
    pub const fn new() -> Self {
        Self { measures: Vec::new() }
    }

    /// Adds a dimension. One that is there already stays.
    ///
    /// # Errors
    ///
    /// [`Error::AmountRefused`] for a dimension that needs a unit, and for a 65th.
    pub fn with(self, dimension: Dimension) -> Result<Self, Error> {
        self.insert(dimension, None)
    }

    /// Adds a dimension in a unit. One that is there already stays.
    ///
    /// # Errors
    ///
    /// [`Error::AmountRefused`] for a unit that amounts of this dimension could not have, and for a 65th.
    pub fn with_unit(self, dimension: Dimension, unit: &str) -> Result<Self, Error> {
        self.insert(dimension, Some(unit))
    }

    /// Goes through dimensions and units in their order on the wire.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (Dimension, Option<&str>)> {
        self.measures.iter().map(|measure| (measure.dimension(), measure.unit()))
    }

    /// Checks that everything in `terms` can be metered, except what is advisory.
    ///
    /// # Errors
    ///
    /// [`Error::CannotMeter`] with the first dimension that cannot.
    pub fn can_meter(&self, terms: &Terms) -> Result<(), Error> {
        match self.unmetered(terms).next() {
            Some(amount) => Err(Error::CannotMeter { dimension: amount.dimension() }),
            None => Ok(()),
        }
    }

    /// Goes through what cannot be metered and would have to be.
    pub(super) fn unmetered<'a>(&'a self, terms: &'a Terms) -> impl Iterator<Item = Amount<'a>> {
        terms.amounts().iter().filter(|amount| {
            let dimension = amount.dimension();
            !dimension.is_advisory() && self.find(dimension, amount.unit()).is_err()
        })
    }

    pub(super) fn encode<S: Sink>(&self, out: &mut Encoder<S>) {
        out.array(self.measures.len());
        self.measures.iter().for_each(|measure| measure.encode(out, &[]));
    }

    pub(super) fn decode(decoder: &mut Decoder<'_>) -> Result<Self, Error> {
        let limit = ("meters", MAX_METERS);
        let measures = Measure::decode_list(
            decoder,
            limit,
            |measure| measure,
            |decoder| Measure::decode::<0>(decoder).map(|(measure, _)| measure),
        )?;
        Ok(Self { measures })
    }

    fn insert(mut self, dimension: Dimension, unit: Option<&str>) -> Result<Self, Error> {
        let measure = Measure::new(dimension, unit)?;
        if let Err(index) = self.find(dimension, unit) {
            if self.measures.len() == MAX_METERS {
                let expected = "one of at most 64 that are metered";
                return Err(Error::AmountRefused { dimension, expected });
            }
            self.measures.insert(index, measure);
        }
        Ok(self)
    }

    fn find(&self, dimension: Dimension, unit: Option<&str>) -> Result<usize, usize> {
        Measure::search(&self.measures, |measure| measure, dimension, unit)
    }
}

/// Twice as many as amounts, for those who meter in several units. Past it an offer is refused.
const MAX_METERS: usize = 64;
