//! Sets of series that were output, to recognize a series that would be output twice.

use std::collections::HashSet;

use crate::exposition::LabelHasher;

/// Hashes of series. They need no further mixing.
pub(super) type SeriesKeys = HashSet<u64, foldhash::fast::RandomState>;

/// A set that is added to often and searched rarely: adding costs as much as `Vec::push` until the
/// first lookup.
///
/// Almost every exposition *could* contain one family in both generations; very few do.
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
        if !self.list.is_empty() {
            self.set.extend(self.list.drain(..));
        }
        self.set.contains(&key)
    }
}

/// The key of a series: its family and the hash of its labels.
#[inline]
pub(super) fn series_key(hasher: &LabelHasher, family: &[u8], labels: u64) -> u64 {
    hasher.label(family).wrapping_add(labels)
}

/// Every series that must not be output twice.
#[derive(Debug, Default)]
pub(super) struct SeriesSeen {
    /// Output unchanged, of families that rules write too.
    pub(super) passed_series: SeriesSet,
    /// Written by rules that rename.
    pub(super) renamed_series: SeriesSet,
    /// Of families that the target exports more than once.
    pub(super) deduplicated: SeriesKeys,
    /// Label sets of each reference family, as hashes of the labels that are compared.
    pub(super) references: Vec<SeriesKeys>,
}

impl SeriesSeen {
    /// An empty set, for a plan with this many reference families.
    pub(super) fn new(references: usize) -> Self {
        SeriesSeen { references: vec![SeriesKeys::default(); references], ..SeriesSeen::default() }
    }
}
