//! Remembers chains and key packages whose signatures were found valid, so that they are not checked again. SPEC §6.7.
//!
//! A hit saves signatures and nothing else: narrowing, time, audience and revocation are looked at every time.

use crate::digest::Digest;
use crate::fifo::Fifo;

/// A bounded memory of delegation chains and key packages with valid signatures, keyed by all their bytes, signatures
/// included, so that the same content under other signatures is another chain. It holds chains of trusted roots and key
/// packages of trusted originators only, so that strangers cannot fill it; when it is full, the oldest goes.
#[derive(Clone, Debug)]
pub struct AuthorityCache {
    valid: Fifo<Digest, ()>,
}

impl AuthorityCache {
    /// Makes a cache for this many chains and key packages, at 64 bytes and some overhead each.
    pub const fn new(capacity: usize) -> Self {
        Self { valid: Fifo::new(capacity) }
    }

    /// Returns how many chains and key packages are remembered.
    pub fn len(&self) -> usize {
        self.valid.len()
    }

    /// Tells whether none is remembered.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn contains(&self, statements: &Digest) -> bool {
        self.valid.get(statements).is_some()
    }

    pub(crate) fn insert(&mut self, statements: Digest) {
        self.valid.insert(statements, ());
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
