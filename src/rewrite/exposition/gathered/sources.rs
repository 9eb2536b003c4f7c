//! Which input series were gathered in each slot, to recognize one that arrives twice.

use std::collections::HashMap;

use super::ids::SeriesSlot;
use crate::rewrite::exposition::series_set::SeriesKeys;

/// About how many bytes one input series takes in a slot that has several.
pub(in crate::rewrite::exposition) const SOURCE_BYTES: usize = 32;

/// The input series of a slot, of those that were gathered as one number.
///
/// Most slots have one input series, whose key is compared. A set is needed only if series are
/// merged.
#[derive(Debug, Default)]
pub(super) struct Sources {
    first: Vec<Option<u64>>,
    /// The keys of the others, each mixed with its slot.
    others: SeriesKeys,
}

/// Whether an input series was gathered before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::rewrite::exposition) enum Source {
    /// It is new. `bytes` are needed to remember it, in addition to those of the slot.
    New { bytes: usize },
    /// An equal series arrived before.
    Repeated,
}

impl Sources {
    /// Bytes that one more slot takes.
    pub(super) const BYTES_PER_SERIES: usize = size_of::<Option<u64>>();

    /// Adds an input series, by the hash of its labels.
    pub(super) fn add(&mut self, slot: SeriesSlot, key: u64) -> Source {
        if self.first.len() <= slot.0 {
            self.first.resize(slot.0 + 1, None);
        }
        match &mut self.first[slot.0] {
            first @ None => {
                *first = Some(key);
                Source::New { bytes: 0 }
            }
            Some(first) if *first == key => Source::Repeated,
            Some(_) if self.others.insert(mixed(slot, key)) => Source::New { bytes: SOURCE_BYTES },
            Some(_) => Source::Repeated,
        }
    }
}

/// One number for a slot and a key. Keys are hashes, so a multiple of the slot makes no two of them
/// more likely to be equal.
fn mixed(slot: SeriesSlot, key: u64) -> u64 {
    key.wrapping_add((slot.0 as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// A sample's timestamp and value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::rewrite::exposition) struct Timed {
    pub(in crate::rewrite::exposition) timestamp: i64,
    pub(in crate::rewrite::exposition) value: f64,
}

/// Samples that have a timestamp: of each series the latest, which is the one that queries find.
#[derive(Debug)]
pub(super) struct Latest<K> {
    list: Vec<(K, Timed)>,
    index: HashMap<K, usize, foldhash::fast::RandomState>,
}

impl<K> Default for Latest<K> {
    fn default() -> Self {
        Latest { list: Vec::new(), index: HashMap::default() }
    }
}

impl<K: Copy + Eq + std::hash::Hash> Latest<K> {
    /// Adds a sample. If there is one with this key already, the one with the later timestamp is
    /// kept, or the first of two with one timestamp.
    pub(super) fn add(&mut self, key: K, sample: Timed) -> Source {
        if let Some(&at) = self.index.get(&key) {
            let kept = &mut self.list[at].1;
            if sample.timestamp > kept.timestamp {
                *kept = sample;
            }
            return Source::Repeated;
        }
        self.index.insert(key, self.list.len());
        self.list.push((key, sample));
        Source::New { bytes: 2 * size_of::<(K, Timed)>() }
    }

    /// All samples, in the order in which their keys arrived.
    pub(super) fn take(&mut self) -> Vec<(K, Timed)> {
        self.index.clear();
        std::mem::take(&mut self.list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_is_new_once_in_each_slot() {
        let mut sources = Sources::default();
        let added: Vec<bool> = [(1, 7), (0, 7), (1, 8), (1, 7), (1, 8), (0, 9), (0, 7)]
            .map(|(slot, key)| sources.add(SeriesSlot(slot), key) != Source::Repeated)
            .into();
        assert_eq!(added, [true, true, true, false, false, true, false]);
    }

    #[test]
    fn the_latest_sample_of_a_series_is_kept() {
        let mut latest = Latest::default();
        let sample = |timestamp, value| Timed { timestamp, value };
        assert!(matches!(latest.add('b', sample(10, 1.0)), Source::New { .. }));
        assert!(matches!(latest.add('a', sample(10, 2.0)), Source::New { .. }));
        for repeated in [sample(9, 3.0), sample(10, 4.0), sample(11, 5.0)] {
            assert_eq!(latest.add('b', repeated), Source::Repeated);
        }
        assert_eq!(latest.take(), [('b', sample(11, 5.0)), ('a', sample(10, 2.0))]);
    }
}
