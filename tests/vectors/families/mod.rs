//! The families of vectors.

mod delegation;
mod encoding;
mod funding;
mod identity;
mod local;
mod negotiation;
mod opening;
mod state;
mod structure;
mod verification;

use serde_json::Value;

use super::build::Cast;

/// All families, in the order in which they are best read.
pub(crate) fn all() -> Vec<Value> {
    let cast = Cast::new();
    let families = [
        identity::family,
        identity::signatures,
        encoding::family,
        structure::family,
        delegation::family,
        verification::family,
        opening::family,
        state::replay,
        state::conversations,
        state::authority,
        funding::allotments,
        funding::evidence,
        negotiation::family,
        local::arithmetic,
        local::configuration,
        local::builders,
        local::ledgers,
    ];
    families.map(|family: fn(&Cast) -> Value| family(&cast)).to_vec()
}
