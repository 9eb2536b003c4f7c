//! One number for each label set.

use super::absent::{ABSENT, add, is_absent, present};
use super::ids::SeriesSlot;
use crate::mapping::Merge;

/// One number for each label set: a counter, a gauge, or the difference of a total and its parts.
#[derive(Debug)]
pub(in crate::rewrite::exposition) struct Scalars {
    merge: Merge,
    totals: Vec<f64>,
    /// Of a difference: the sum of the parts that are subtracted.
    parts: Vec<f64>,
    has_parts: bool,
}

impl Scalars {
    pub(super) fn new(merge: Merge, has_parts: bool) -> Self {
        Scalars { merge, totals: Vec::new(), parts: Vec::new(), has_parts }
    }

    /// Bytes that one more label set takes.
    pub(super) fn bytes_per_series(&self) -> usize {
        (1 + usize::from(self.has_parts)) * size_of::<f64>()
    }

    /// Makes room for a slot.
    pub(super) fn reach(&mut self, slot: SeriesSlot) {
        if slot.0 == self.totals.len() {
            self.totals.push(ABSENT);
            if self.has_parts {
                self.parts.push(ABSENT);
            }
        }
    }

    /// Adds a sample.
    #[inline]
    pub(in crate::rewrite::exposition) fn add(&mut self, slot: SeriesSlot, value: f64) {
        let merge = self.merge;
        let cell = &mut self.totals[slot.0];
        *cell = if is_absent(*cell) { value } else { merged(merge, *cell, value) };
    }

    /// Adds a part, which is subtracted from the total.
    #[inline]
    pub(in crate::rewrite::exposition) fn add_part(&mut self, slot: SeriesSlot, value: f64) {
        if let Some(cell) = self.parts.get_mut(slot.0) {
            add(cell, value);
        }
    }

    /// The total. `None` if only parts of it arrived.
    pub(in crate::rewrite::exposition) fn total(&self, slot: SeriesSlot) -> Option<f64> {
        present(self.totals[slot.0])
    }

    /// The sum of the parts, if any arrived.
    pub(in crate::rewrite::exposition) fn parts(&self, slot: SeriesSlot) -> Option<f64> {
        self.parts.get(slot.0).copied().and_then(present)
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
