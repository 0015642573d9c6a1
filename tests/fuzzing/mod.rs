//! What each fuzz target does with its input. The programs of `fuzz/fuzz_targets` run these functions on what libFuzzer makes
//! up, and `cargo test` runs them on the seeds that are kept.

#[cfg(fuzzing)]
pub(crate) mod codec;
pub(crate) mod decode;
pub(crate) mod differential;
pub(crate) mod ledger;
mod lenient;
pub(crate) mod open;
pub(crate) mod seal;
pub(crate) mod state;
pub(crate) mod text;
pub(crate) mod verify;

use agent_envelope::Error;
use agent_envelope::budget::{Amounts, Ledger};

/// What a target does with its input. It panics if a promise is broken.
pub(crate) type Target = fn(&[u8]);

/// All targets but the codec's, which is private.
pub(crate) const TARGETS: [(&str, Target); 8] = [
    ("decode", decode::run),
    ("differential", differential::run),
    ("ledger", ledger::run),
    ("open", open::run),
    ("seal", seal::run),
    ("state", state::run),
    ("text", text::run),
    ("verify", verify::run),
];

/// Sees to it that a refusal of `input` can be shown, and is true.
fn refused(error: &Error, input: &[u8]) {
    lenient::assert_true(error, input);
    assert!(!error.to_string().is_empty() && !error.name().is_empty() && error.code() > 100);
    let _ = (error.culprit(), error.place(), format!("{error:?}"));
}

/// Sees to it that a ledger accounts for its whole allotment.
fn assert_conserved(ledger: &Ledger) {
    let parts =
        [ledger.own(), ledger.held(), &ledger.outstanding(), ledger.returned(), &ledger.free()];
    let sum = parts.into_iter().try_fold(Amounts::new(), |sum, part| sum.checked_add(part));
    assert_eq!(sum, Ok(ledger.terms().amounts().consumables()));
    let granted = ledger.outstanding().checked_add(ledger.credited());
    assert_eq!(granted.as_ref(), Ok(ledger.granted()));
    let _ = (ledger.quiescent(), format!("{ledger:?}"));
    for (_, child) in ledger.children() {
        let granted = child.terms().amounts().consumables();
        assert!(granted.le(ledger.granted()) && !child.terms().to_string().is_empty());
    }
}
