//! What a request may cost: dimensions, amounts of them, and terms. SPEC §11.
//!
//! Values and their algebra only; who grants, spends and returns them is written in a ledger.

mod amounts;
mod dimension;
mod entry;
mod evidence;
mod history;
mod ledger;
mod lineage;
mod measure;
pub mod negotiation;
mod quota;
mod share;
mod snapshot;
mod tariff;
mod terms;
#[cfg(test)]
mod tests;

pub use amounts::{Amount, Amounts};
pub use dimension::{Dimension, DimensionKind};
pub use entry::{Basis, Breach, Outcome};
pub(crate) use entry::{Event, RootClaims, SignedEntry};
pub use evidence::{Account, Audit, Evidence, audit};
pub use history::entries;
pub(crate) use history::read as read_history;
pub use ledger::{Abandoned, Child, Hold, Ledger, Prepared, Split};
pub(crate) use lineage::Lineage;
pub use lineage::{Funded, Unfunded, splits};
pub use quota::Quota;
pub use share::share;
pub use tariff::{Rate, Tariff};
pub use terms::{DepthRule, Terms, Wider};
