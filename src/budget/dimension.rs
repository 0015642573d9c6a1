//! What amounts are amounts of. SPEC §11.1.

use core::fmt;

use crate::Error;
use crate::cbor::MAX_UINT;

/// How amounts of a dimension behave when an allotment is split.
#[expect(clippy::exhaustive_enums, reason = "one bit of the id: there is no third kind")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DimensionKind {
    /// Spent for good: the shares of the children add up, and what is unused comes back.
    Consumable,
    /// A bound that is not divided: a child's is at most its parent's.
    Ceiling,
}

/// A resource that is budgeted, by the number that stands for it on the wire.
///
/// The number carries the [`DimensionKind`], so that a party who has never heard of a dimension still splits, adds and compares
/// its amounts rightly: `id = number << 2 | advisory << 1 | ceiling`. An **advisory** dimension may be carried on by a
/// worker that cannot meter it; any other makes that worker refuse. Both variants of one number are dimensions apart.
///
/// ```
/// use agent_envelope::budget::{Dimension, DimensionKind};
///
/// let gpu = Dimension::private(1 << 20, DimensionKind::Consumable)?;
/// assert_eq!(gpu.to_string(), "consumable-1048576");
/// assert_eq!(Dimension::OUTPUT_TOKENS.advisory().to_string(), "advisory output-tokens");
/// assert!(Dimension::MEMORY.is_ceiling());
/// # Ok::<(), agent_envelope::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Dimension(u64);

impl Dimension {
    /// Processor time in microseconds, summed over cores.
    pub const CPU: Self = Self::consumable(1);
    /// Units of a deterministic meter; the unit is the SHA-256 of its cost table in hex.
    pub const COMPUTE: Self = Self::consumable(2);
    /// Tokens read, as counted by the model that serves, cached ones included.
    pub const INPUT_TOKENS: Self = Self::consumable(3);
    /// Tokens written, those of reasoning included.
    pub const OUTPUT_TOKENS: Self = Self::consumable(4);
    /// Tool calls that were started, failed ones too.
    pub const TOOL_CALLS: Self = Self::consumable(5);
    /// Money; the unit is an asset and the decimal places that an amount has: 2 dollars are 2000000 `USD:6`.
    pub const MONEY: Self = Self::consumable(6);
    /// Allotments below this one in the whole tree; a split costs the child's, and one more.
    pub const AGENTS: Self = Self::consumable(7);
    /// Bytes of plaintext returned.
    pub const OUTPUT_BYTES: Self = Self::consumable(8);
    /// Bytes to and from third parties.
    pub const NETWORK_BYTES: Self = Self::consumable(9);
    /// Bytes of memory at the peak.
    pub const MEMORY: Self = Self::ceiling(16);
    /// Children running at once.
    pub const CONCURRENCY: Self = Self::ceiling(17);

    /// Makes a dimension of one's own. Those who share budgets in it agree on the number among themselves.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] unless 2^20 ≤ `number` < 2^51; lower numbers are for the protocol to assign.
    pub const fn private(number: u64, kind: DimensionKind) -> Result<Self, Error> {
        if number < 1 << 20 || number > MAX_UINT >> 2 {
            let reason = "the number of a private dimension is at least 2^20 and below 2^51";
            return Err(Error::Configuration { reason });
        }
        Ok(match kind {
            DimensionKind::Consumable => Self::consumable(number),
            DimensionKind::Ceiling => Self::ceiling(number),
        })
    }

    /// Takes the id of a dimension, known here or not.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] for an id beyond 2^53 − 1.
    pub const fn from_id(id: u64) -> Result<Self, Error> {
        if id > MAX_UINT {
            return Err(Error::Configuration { reason: "a dimension's id is at most 2^53 - 1" });
        }
        Ok(Self(id))
    }

    /// Returns the id on the wire.
    pub const fn id(self) -> u64 {
        self.0
    }

    /// Returns the number that is assigned: the id without its two flags.
    pub const fn number(self) -> u64 {
        self.0 >> 2
    }

    /// Returns how its amounts behave in a split.
    pub const fn kind(self) -> DimensionKind {
        if self.is_ceiling() { DimensionKind::Ceiling } else { DimensionKind::Consumable }
    }

    /// Tells whether its amounts are bounds, not divided in a split.
    pub const fn is_ceiling(self) -> bool {
        self.0 & CEILING != 0
    }

    /// Tells whether a worker that cannot meter it may go on.
    pub const fn is_advisory(self) -> bool {
        self.0 & ADVISORY != 0
    }

    /// Returns the variant that a worker need not be able to meter.
    #[must_use]
    pub const fn advisory(self) -> Self {
        Self(self.0 | ADVISORY)
    }

    /// Returns the name of a dimension that the protocol assigns, the same for its advisory variant.
    pub const fn name(self) -> Option<&'static str> {
        Some(match Self(self.0 & !ADVISORY) {
            Self::CPU => "cpu",
            Self::COMPUTE => "compute",
            Self::INPUT_TOKENS => "input-tokens",
            Self::OUTPUT_TOKENS => "output-tokens",
            Self::TOOL_CALLS => "tool-calls",
            Self::MONEY => "money",
            Self::AGENTS => "agents",
            Self::OUTPUT_BYTES => "output-bytes",
            Self::NETWORK_BYTES => "network-bytes",
            Self::MEMORY => "memory",
            Self::CONCURRENCY => "concurrency",
            _ => return None,
        })
    }

    /// Says what an amount with this `unit` should have been, if it may not stand.
    pub(super) fn unit_fault(self, unit: Option<&str>) -> Option<&'static str> {
        let (right, expected) = match (Self(self.0 & !ADVISORY), unit) {
            (Self::MONEY, unit) => (
                unit.is_some_and(|unit| is_unit(unit) && asset(unit).is_some()),
                "an amount in an asset with its decimal places, such as USD:6",
            ),
            (Self::COMPUTE, unit) => (
                unit.is_some_and(is_digest),
                "an amount in units of a cost table, named by its SHA-256 in hex",
            ),
            (_, None) => return None,
            (_, Some(_)) if self.name().is_some() => (false, "an amount without a unit"),
            (_, Some(unit)) => {
                (is_unit(unit), "an amount in a unit of 1 to 64 visible ASCII characters")
            }
        };
        if right { None } else { Some(expected) }
    }

    pub(super) fn is_money(self) -> bool {
        self.0 & !ADVISORY == Self::MONEY.0
    }

    const fn consumable(number: u64) -> Self {
        Self(number << 2)
    }

    const fn ceiling(number: u64) -> Self {
        Self(number << 2 | CEILING)
    }
}

impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let advisory = if self.is_advisory() { "advisory " } else { "" };
        match (self.name(), self.kind()) {
            (Some(name), _) => write!(f, "{advisory}{name}"),
            (None, DimensionKind::Consumable) => {
                write!(f, "{advisory}consumable-{}", self.number())
            }
            (None, DimensionKind::Ceiling) => write!(f, "{advisory}ceiling-{}", self.number()),
        }
    }
}

impl fmt::Debug for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dimension({self})")
    }
}

/// Splits a unit of money into the asset and its decimal places: one number from 0 to 99, written in one way.
pub(super) fn asset(unit: &str) -> Option<(&str, usize)> {
    let (asset, places) = unit.rsplit_once(':')?;
    let canonical = matches!(places.as_bytes(), [b'0'..=b'9'] | [b'1'..=b'9', b'0'..=b'9']);
    if asset.is_empty() || !canonical { None } else { Some((asset, places.parse().ok()?)) }
}

fn is_unit(unit: &str) -> bool {
    (1..=MAX_UNIT).contains(&unit.len()) && unit.bytes().all(|byte| byte.is_ascii_graphic())
}

fn is_digest(unit: &str) -> bool {
    unit.len() == MAX_UNIT && unit.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

const CEILING: u64 = 1;
const ADVISORY: u64 = 2;

/// A SHA-256 in hex.
const MAX_UNIT: usize = 64;
