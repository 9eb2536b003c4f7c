//! Label sets, stored compactly.

use hashbrown::HashTable;

use super::ids::SeriesSlot;
use crate::rewrite::exposition::label_transform::RenderedLabels;
use crate::rewrite::exposition::written_labels::same_set;

/// Distinct label sets, whatever the order of their labels.
#[derive(Debug, Default)]
pub(in crate::rewrite::exposition) struct LabelSets {
    text: Vec<u8>,
    sets: Vec<LabelSet>,
    index: HashTable<u32>,
    /// The slot found last.
    last: usize,
}

#[derive(Clone, Copy, Debug)]
struct LabelSet {
    hash: u64,
    /// Where its text ends; it begins where the one before ends.
    end: usize,
}

/// About how many bytes one label set takes, in addition to its text.
pub(in crate::rewrite::exposition) const LABEL_SET_BYTES: usize =
    size_of::<LabelSet>() + 2 * size_of::<u32>();

impl LabelSets {
    pub(in crate::rewrite::exposition) fn len(&self) -> usize {
        self.sets.len()
    }

    pub(super) fn hash(&self, slot: SeriesSlot) -> u64 {
        self.sets[slot.0].hash
    }

    pub(in crate::rewrite::exposition) fn text(&self, slot: SeriesSlot) -> &[u8] {
        self.text_at(slot.0)
    }

    fn text_at(&self, slot: usize) -> &[u8] {
        let start = slot.checked_sub(1).map_or(0, |before| self.sets[before].end);
        &self.text[start..self.sets[slot].end]
    }

    /// The slot of a label set. Adds one for a new label set.
    #[inline]
    pub(in crate::rewrite::exposition) fn slot(&mut self, labels: &RenderedLabels) -> SeriesSlot {
        let hash = labels.hash();
        let labels = labels.bytes();
        // Samples that are summed are neighbors; `_count` and `_sum` lines follow in the order of
        // the histograms.
        for guess in [self.last, self.last + 1] {
            if self.sets.get(guess).is_some_and(|set| set.hash == hash)
                && same_set(self.text_at(guess), labels)
            {
                self.last = guess;
                return SeriesSlot(guess);
            }
        }
        let slot = self.find(hash, labels).unwrap_or_else(|| self.insert(hash, labels));
        self.last = slot.0;
        slot
    }

    /// The slot of a label set, if there is one.
    pub(super) fn find(&self, hash: u64, labels: &[u8]) -> Option<SeriesSlot> {
        let same = |&slot: &u32| {
            let slot = slot as usize;
            self.sets[slot].hash == hash && same_set(self.text_at(slot), labels)
        };
        self.index.find(hash, same).map(|&slot| SeriesSlot(slot as usize))
    }

    fn insert(&mut self, hash: u64, labels: &[u8]) -> SeriesSlot {
        let slot = self.sets.len();
        self.text.extend_from_slice(labels);
        self.sets.push(LabelSet { hash, end: self.text.len() });
        let sets = &self.sets;
        #[allow(clippy::cast_possible_truncation, reason = "limits.held_series is far below")]
        self.index.insert_unique(hash, slot as u32, |&slot| sets[slot as usize].hash);
        SeriesSlot(slot)
    }
}
