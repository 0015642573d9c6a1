//! Remembers chains whose signatures were found valid, so that they are not checked again. SPEC §6.7.
//!
//! A hit saves signatures and nothing else: narrowing, time, audience and revocation are looked at every time.

use alloc::collections::{BTreeSet, VecDeque};

use crate::digest::Digest;

/// A bounded memory of delegation chains with valid signatures, keyed by all their bytes, signatures included, so that
/// the same content under other signatures is another chain. It holds chains of trusted roots only, so that strangers
/// cannot fill it; when it is full, the oldest goes.
#[derive(Clone, Debug)]
pub struct AuthorityCache {
    known: BTreeSet<Digest>,
    order: VecDeque<Digest>,
    capacity: usize,
}

impl AuthorityCache {
    /// Makes a cache for this many chains, at 64 bytes and some overhead each.
    pub const fn new(capacity: usize) -> Self {
        Self { known: BTreeSet::new(), order: VecDeque::new(), capacity }
    }

    /// Returns how many chains are remembered.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Tells whether no chain is remembered.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    pub(crate) fn contains(&self, chain: &Digest) -> bool {
        self.known.contains(chain)
    }

    pub(crate) fn insert(&mut self, chain: Digest) {
        if self.capacity == 0 || !self.known.insert(chain) {
            return;
        }
        self.order.push_back(chain);
        if self.order.len() > self.capacity
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_chain_goes_when_the_cache_is_full() {
        let mut cache = AuthorityCache::new(2);
        for byte in [1, 2, 2, 3] {
            cache.insert(Digest([byte; 32]));
        }
        assert_eq!(cache.len(), 2);
        assert!(!cache.is_empty());
        assert!(!cache.contains(&Digest([1; 32])));
        assert!(cache.contains(&Digest([2; 32])) && cache.contains(&Digest([3; 32])));
    }

    #[test]
    fn a_cache_without_room_remembers_nothing() {
        let mut cache = AuthorityCache::new(0);
        cache.insert(Digest([1; 32]));
        assert!(cache.is_empty() && !cache.contains(&Digest([1; 32])));
    }
}
