//! The context that an envelope carries: records in a hash chain, bodies beside them, lines of envelopes. SPEC §7.

mod conversations;
mod kind;
mod record;
#[cfg(test)]
mod tests;

pub use conversations::{Conversations, Line, Missing, Stand, Standing};
pub(crate) use conversations::{Entry, ascending, count, expect_label};
pub use kind::Kind;
pub(crate) use kind::{AnyKind, Control};
pub(crate) use record::{ContentType, ElementChain, Plain, Record, control_commit, encode_record};
