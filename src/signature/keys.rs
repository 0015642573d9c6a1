//! The points of keys, so that each is searched for once.
//!
//! Finding the point of a key is a square root, a tenth of what its signature costs. A point is the
//! only one that its 32 bytes encode, so remembering it changes no answer.

use alloc::collections::BTreeMap;
use core::fmt;

use curve25519_dalek::edwards::EdwardsPoint;

use super::{Check, decompress};
use crate::fifo::Fifo;

/// A bounded memory of the points of keys that signed what was verified, at about 300 bytes each.
///
/// It saves a tenth of each signature under a key that was met before, and changes no answer. Only
/// keys of envelopes that were verified in full get in, so that outsiders cannot fill it; when it is
/// full, the oldest goes.
#[derive(Clone)]
pub struct KeyCache {
    points: Fifo<[u8; 32], EdwardsPoint>,
}

impl KeyCache {
    /// Makes a cache for this many keys.
    pub const fn new(capacity: usize) -> Self {
        Self { points: Fifo::new(capacity) }
    }

    /// Returns how many keys are remembered.
    pub fn len(&self) -> usize {
        self.points.len()
    }

    /// Tells whether no key is remembered.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Remembers the keys of signatures that hold, as far as their points were found just now.
    pub(crate) fn learn<'c>(&mut self, met: &Met, held: impl IntoIterator<Item = &'c Check>) {
        for check in held {
            if let Some(point) = met.0.get(&check.key) {
                self.points.insert(check.key, *point);
            }
        }
    }
}

impl fmt::Debug for KeyCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyCache({} keys)", self.len())
    }
}

/// What one verification knows of keys: the points that a cache remembers and those it has found.
///
/// Keys are looked up by bytes that passed [`check_key`](super::check_key).
#[derive(Default)]
pub(crate) struct Keys<'c> {
    cache: Option<&'c KeyCache>,
    met: Met,
}

/// The points that a verification has found itself.
#[derive(Default)]
pub(crate) struct Met(BTreeMap<[u8; 32], EdwardsPoint>);

impl<'c> Keys<'c> {
    pub(crate) fn new(cache: Option<&'c KeyCache>) -> Self {
        Self { cache, met: Met::default() }
    }

    /// Returns the point of a key, if there is one on the curve.
    pub(super) fn point(&mut self, key: &[u8; 32]) -> Option<EdwardsPoint> {
        let known =
            self.cache.and_then(|cache| cache.points.get(key)).or_else(|| self.met.0.get(key));
        if let Some(point) = known {
            return Some(*point);
        }
        let point = decompress(key)?;
        self.met.0.insert(*key, point);
        Some(point)
    }

    /// Ends the use of the cache, which may then learn what it did not know.
    pub(crate) fn into_met(self) -> Met {
        self.met
    }
}
