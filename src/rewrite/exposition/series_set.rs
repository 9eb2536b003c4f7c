//! Series that have left, remembered in case an equal one is to be written.

use std::collections::HashSet;

/// Hashes of series, which need no further mixing.
pub(super) type SeriesKeys = HashSet<u64, foldhash::fast::RandomState>;

/// A set that is hardly ever asked: adding costs no more than a list does until somebody asks.
///
/// Bodies in which one family arrives in both shapes are rare; those in which it could are all of them.
#[derive(Debug, Default)]
pub(super) struct SeriesSet {
    list: Vec<u64>,
    set: SeriesKeys,
}

impl SeriesSet {
    #[inline]
    pub(super) fn push(&mut self, key: u64) {
        self.list.push(key);
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty() && self.set.is_empty()
    }

    #[inline]
    pub(super) fn contains(&mut self, key: u64) -> bool {
        if self.is_empty() {
            return false;
        }
        self.set.extend(self.list.drain(..));
        self.set.contains(&key)
    }
}
