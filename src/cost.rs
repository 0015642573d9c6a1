//! Counts, for tests alone, what costs time: curve equations by the signatures in them, key agreements, hashes. Every test has
//! a thread of its own, and so counters of its own.

use core::cell::Cell;

/// What a piece of work cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cost {
    /// Signatures whose curve equation was evaluated: one alone, or as many as there are in a combination.
    pub(crate) signatures: usize,
    /// X25519 with a secret.
    pub(crate) agreements: usize,
    /// SHA-256 over header, records, bodies or statements.
    pub(crate) hashes: usize,
}

std::thread_local!(static SPENT: Cell<Cost> = const { Cell::new(Cost { signatures: 0, agreements: 0, hashes: 0 }) });

fn add(change: impl FnOnce(&mut Cost)) {
    SPENT.with(|spent| {
        let mut cost = spent.get();
        change(&mut cost);
        spent.set(cost);
    });
}

pub(crate) fn signatures(count: usize) {
    add(|cost| cost.signatures += count);
}

pub(crate) fn agreement() {
    add(|cost| cost.agreements += 1);
}

pub(crate) fn hash() {
    add(|cost| cost.hashes += 1);
}

/// Runs `work` and returns what it cost.
pub(crate) fn of<T>(work: impl FnOnce() -> T) -> (T, Cost) {
    SPENT.with(|spent| spent.set(Cost::default()));
    let result = work();
    (result, SPENT.with(Cell::get))
}
