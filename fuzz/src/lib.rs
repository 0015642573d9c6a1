//! The fuzz targets, one function each. What they do is in `tests/fuzzing/` of the crate, where `cargo test` does the same to
//! the seeds in `seeds/`.
#![allow(dead_code, reason = "the tests use more of what they share")]

#[path = "../../tests/adversary/mod.rs"]
mod adversary;
#[path = "../../tests/fuzzing/mod.rs"]
mod fuzzing;
#[path = "../../tests/support/mod.rs"]
mod support;

/// Any bytes as one item.
#[cfg(fuzzing)]
pub fn codec(data: &[u8]) {
    fuzzing::codec::check(data, agent_envelope::fuzzing::rewrite);
}

macro_rules! targets {
    ($($name:ident)+) => { $(
        #[doc = concat!("See `tests/fuzzing/", stringify!($name), ".rs`.")]
        pub fn $name(data: &[u8]) {
            fuzzing::$name::run(data);
        }
    )+ };
}

targets!(decode differential ledger open seal state text verify);
