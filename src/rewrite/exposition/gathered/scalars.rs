//! One number for each label set.

use super::absent::{ABSENT, add, is_absent, present};
use super::ids::SeriesSlot;
use super::sources::{Latest, Source, Sources, Timed};
use crate::mapping::Merge;

/// One number for each label set: a counter, a gauge, or the difference of a total and its parts.
#[derive(Debug)]
pub(in crate::rewrite::exposition) struct Scalars {
    merge: Merge,
    totals: Numbers,
    /// Of a difference: the sum of the parts that are subtracted.
    parts: Numbers,
    has_parts: bool,
}

/// One number for each slot, and the input series that it was merged from.
#[derive(Debug, Default)]
struct Numbers {
    values: Vec<f64>,
    sources: Sources,
    latest: Latest<(SeriesSlot, u64)>,
}

impl Scalars {
    pub(super) fn new(merge: Merge, has_parts: bool) -> Self {
        Scalars { merge, totals: Numbers::default(), parts: Numbers::default(), has_parts }
    }

    /// Bytes that one more label set takes.
    pub(super) fn bytes_per_series(&self) -> usize {
        (1 + usize::from(self.has_parts)) * (size_of::<f64>() + Sources::BYTES_PER_SERIES)
    }

    /// Makes room for a slot.
    pub(super) fn reach(&mut self, slot: SeriesSlot) {
        if slot.0 == self.totals.values.len() {
            self.totals.values.push(ABSENT);
            if self.has_parts {
                self.parts.values.push(ABSENT);
            }
        }
    }

    /// Announces a sample of the input series with this key, which has no timestamp.
    pub(in crate::rewrite::exposition) fn source(&mut self, slot: SeriesSlot, key: u64) -> Source {
        self.totals.sources.add(slot, key)
    }

    /// As [`source`](Self::source), for a part that is subtracted from the total.
    pub(in crate::rewrite::exposition) fn part_source(
        &mut self,
        slot: SeriesSlot,
        key: u64,
    ) -> Source {
        self.parts.sources.add(slot, key)
    }

    /// Adds a sample.
    #[inline]
    pub(in crate::rewrite::exposition) fn add(&mut self, slot: SeriesSlot, value: f64) {
        let merge = self.merge;
        let cell = &mut self.totals.values[slot.0];
        *cell = if is_absent(*cell) { value } else { merged(merge, *cell, value) };
    }

    /// Adds a part, which is subtracted from the total.
    #[inline]
    pub(in crate::rewrite::exposition) fn add_part(&mut self, slot: SeriesSlot, value: f64) {
        if let Some(cell) = self.parts.values.get_mut(slot.0) {
            add(cell, value);
        }
    }

    /// Adds a sample that has a timestamp.
    pub(in crate::rewrite::exposition) fn add_timed(
        &mut self,
        slot: SeriesSlot,
        key: u64,
        sample: Timed,
    ) -> Source {
        self.totals.latest.add((slot, key), sample)
    }

    /// Adds a part that has a timestamp.
    pub(in crate::rewrite::exposition) fn add_timed_part(
        &mut self,
        slot: SeriesSlot,
        key: u64,
        sample: Timed,
    ) -> Source {
        self.parts.latest.add((slot, key), sample)
    }

    /// The exposition is complete: merges the samples that have timestamps.
    pub(super) fn complete(&mut self) {
        for ((slot, key), sample) in self.totals.latest.take() {
            // A sample without a timestamp is that of the scrape, which is later.
            if self.totals.sources.add(slot, key) != Source::Repeated {
                self.add(slot, sample.value);
            }
        }
        for ((slot, key), sample) in self.parts.latest.take() {
            if self.parts.sources.add(slot, key) != Source::Repeated {
                self.add_part(slot, sample.value);
            }
        }
    }

    /// The total. `None` if only parts of it arrived.
    pub(in crate::rewrite::exposition) fn total(&self, slot: SeriesSlot) -> Option<f64> {
        present(self.totals.values[slot.0])
    }

    /// The sum of the parts, if any arrived.
    pub(in crate::rewrite::exposition) fn parts(&self, slot: SeriesSlot) -> Option<f64> {
        self.parts.values.get(slot.0).copied().and_then(present)
    }

    /// How samples of one label set are merged.
    pub(in crate::rewrite::exposition) fn merge(&self) -> Merge {
        self.merge
    }

    /// Merges two numbers as samples of one label set are merged.
    pub(in crate::rewrite::exposition) fn merged(&self, a: f64, b: f64) -> f64 {
        merged(self.merge, a, b)
    }
}

fn merged(merge: Merge, a: f64, b: f64) -> f64 {
    match merge {
        Merge::Sum => a + b,
        Merge::Max => a.max(b),
        Merge::Min => a.min(b),
    }
}
