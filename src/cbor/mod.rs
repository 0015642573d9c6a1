//! Deterministic CBOR (RFC 8949 §4.2.1), written and read in exactly one form. SPEC §3.
//!
//! Knows nothing of what the items mean. There is no recursion and no skipping: a caller names each item it
//! expects, and whatever else comes is refused with the byte offset where it stands.

mod decode;
mod encode;
#[cfg(test)]
mod tests;

pub(crate) use decode::{Decoder, Fault, Map};
pub(crate) use encode::{Buffer, Encoder, Sink};

#[cfg(any(test, fuzzing))]
pub(crate) use decode::rewrite;

/// The largest integer of the format where nothing else is said: exact in every language's numbers.
pub(crate) const MAX_UINT: u64 = (1 << 53) - 1;

const UINT: u8 = 0;
const NEGATIVE: u8 = 1;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;
const NULL: u8 = 0xf6;
