//! A bounded map that forgets its oldest entry. It knows nothing about what it keeps.

use alloc::collections::{BTreeMap, VecDeque};

/// Entries in the order in which they came, up to a capacity.
#[derive(Clone, Debug)]
pub(crate) struct Fifo<K, V> {
    known: BTreeMap<K, V>,
    order: VecDeque<K>,
    capacity: usize,
}

impl<K: Copy + Ord, V> Fifo<K, V> {
    pub(crate) const fn new(capacity: usize) -> Self {
        Self { known: BTreeMap::new(), order: VecDeque::new(), capacity }
    }

    pub(crate) fn len(&self) -> usize {
        self.order.len()
    }

    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.known.get(key)
    }

    /// Keeps an entry; one that is there already stays as it is, and as old.
    pub(crate) fn insert(&mut self, key: K, value: V) {
        if self.capacity == 0 || self.known.contains_key(&key) {
            return;
        }
        self.known.insert(key, value);
        self.order.push_back(key);
        if self.order.len() > self.capacity
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}
