//! What a request may cost: dimensions, amounts of them, and terms. SPEC §9.
//!
//! Values and their algebra only; who grants, spends and returns them is written in a ledger.

mod amounts;
mod dimension;
mod share;
mod terms;
#[cfg(test)]
mod tests;

pub use amounts::{Amount, Amounts};
pub use dimension::{Dimension, Kind};
pub use share::share;
pub use terms::{DepthRule, Terms, Wider};
