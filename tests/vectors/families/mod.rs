//! The families of vectors.

mod encoding;
mod structure;
mod verification;

use serde_json::Value;

use super::build::Cast;

/// All families, in the order in which they are best read.
pub(crate) fn all() -> Vec<Value> {
    let cast = Cast::new();
    vec![encoding::family(&cast), structure::family(&cast), verification::family(&cast)]
}
