//! The same jobs by other crates. No two of them do the same, so every pair says what the peer does not do; ours always does
//! all that the peer does, with the exceptions that are said.
//!
//! Keys are parsed before, on both sides, where the peer's interface has a type for that; randomness comes from the operating
//! system inside, on both sides.

pub mod age;
pub mod bc_envelope;
pub mod biscuit;
pub mod coset;
pub mod hpke;
pub mod jwt;

use std::sync::Arc;

use crate::race::Job;
use crate::world::World;

pub const KIB_4: usize = 4 * 1024;

/// A job of ours beside a peer's.
pub struct Pair {
    pub name: &'static str,
    pub peer: &'static str,
    /// What the peer does for this, and what it leaves out.
    pub theirs: &'static str,
    /// What ours does.
    pub ours: &'static str,
    pub our_job: Job,
    pub their_job: Job,
    /// Bytes on the wire, ours and theirs, where the job writes or reads any.
    pub bytes: Option<(usize, usize)>,
}

/// All pairs, in the order of the table.
pub fn pairs(worlds: &Worlds) -> Vec<Pair> {
    let peers =
        [coset::pairs, hpke::pairs, bc_envelope::pairs, age::pairs, jwt::pairs, biscuit::pairs];
    peers.iter().flat_map(|pairs| pairs(worlds)).collect()
}

/// Worlds that jobs share.
pub type Worlds = Arc<Vec<World>>;

/// Something for every world, to go around in.
pub struct Ring<T>(Vec<T>);

impl<T> Ring<T> {
    pub fn new(worlds: &Worlds, make: impl FnMut(&World) -> T) -> Self {
        Self(worlds.iter().map(make).collect())
    }

    pub fn map<U>(&self, make: impl FnMut(&T) -> U) -> Ring<U> {
        Ring(self.0.iter().map(make).collect())
    }

    pub fn at(&self, turn: usize) -> &T {
        &self.0[turn % self.0.len()]
    }
}

/// A job of ours over messages that were made before.
pub fn reading<T>(
    worlds: &Worlds,
    messages: Ring<Vec<u8>>,
    read: impl Fn(&World, &[u8]) -> T + 'static,
) -> Job {
    let worlds = Arc::clone(worlds);
    crate::race::job(move |turn| read(&worlds[turn % worlds.len()], messages.at(turn)))
}

/// A job of ours that makes something.
pub fn writing<T>(worlds: &Worlds, write: impl Fn(&World) -> T + 'static) -> Job {
    let worlds = Arc::clone(worlds);
    crate::race::job(move |turn| write(&worlds[turn % worlds.len()]))
}
