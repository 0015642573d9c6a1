//! Hex for the vectors of this module's tests.

use alloc::vec::Vec;

pub(super) fn hex(text: &str) -> Vec<u8> {
    assert!(text.len().is_multiple_of(2), "half a byte in {text}");
    let digits = |at| text.get(at..at + 2).expect("ASCII hex");
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(digits(at), 16).expect("hex digits"))
        .collect()
}

pub(super) fn hex_array<const N: usize>(text: &str) -> [u8; N] {
    hex(text).try_into().expect("a vector of this length")
}
