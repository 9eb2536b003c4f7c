//! One histogram for each label set.

use std::collections::{HashMap, HashSet};

use super::absent::{ABSENT, add, is_absent, present};
use super::boundaries::{Boundaries, INF};
use super::conversion::{Buckets, Conversion};
use super::ids::SeriesSlot;
use super::sources::{Latest, SOURCE_BYTES, Source, Sources, Timed};
use crate::mapping::Scale;
use crate::rewrite::exposition::estimate::EstimatedCount;

/// One histogram for each label set: a row of cells, one for each boundary that the family has.
#[derive(Debug)]
pub(in crate::rewrite::exposition) struct HistogramRows {
    pub(in crate::rewrite::exposition) boundaries: Boundaries,
    /// Cells of one row; at least as many as boundaries.
    stride: usize,
    rows: Vec<f64>,
    sums: Vec<f64>,
    counts: Vec<f64>,
    sum_sources: Sources,
    count_sources: Sources,
    /// The input series whose row is in `rows`, by slot: the first one that was gathered there.
    first: Vec<Option<u64>>,
    /// The input series that were gathered in a slot after the first one, in order of arrival, and
    /// their rows. They are added to the row of the slot when the exposition is complete: buckets of
    /// several series can arrive in any order, and gaps must be filled before rows are added.
    others: Vec<Open>,
    other_rows: Vec<f64>,
    /// Indices of `others`.
    index: HashMap<Open, usize, foldhash::fast::RandomState>,
    /// The histogram that is being read, and its cells.
    open: Option<Open>,
    row: Vec<f64>,
    latest: Latest<(SeriesSlot, u64, Part)>,
}

/// The histogram of one input series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Open {
    slot: SeriesSlot,
    /// The hash of its labels, without `le`.
    key: u64,
}

/// One number of a histogram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::rewrite::exposition) enum Part {
    Bucket(usize),
    Sum,
    Count,
}

impl HistogramRows {
    pub(super) fn new(known: &[f64], scale: Option<Scale>) -> Self {
        let boundaries = Boundaries::new(known, scale);
        let stride = boundaries.len().max(8);
        HistogramRows {
            boundaries,
            stride,
            rows: Vec::new(),
            sums: Vec::new(),
            counts: Vec::new(),
            sum_sources: Sources::default(),
            count_sources: Sources::default(),
            first: Vec::new(),
            others: Vec::new(),
            other_rows: Vec::new(),
            index: HashMap::default(),
            open: None,
            row: vec![ABSENT; stride],
            latest: Latest::default(),
        }
    }

    /// Bytes that one more label set takes.
    pub(super) fn bytes_per_series(&self) -> usize {
        (self.stride + 2) * size_of::<f64>() + 3 * Sources::BYTES_PER_SERIES
    }

    /// Makes room for a slot.
    pub(super) fn reach(&mut self, slot: SeriesSlot) {
        if slot.0 == self.sums.len() {
            self.rows.resize(self.rows.len() + self.stride, ABSENT);
            self.sums.push(ABSENT);
            self.counts.push(ABSENT);
            self.first.push(None);
        }
    }

    /// The buckets that follow are of `slot`, and of the input series identified by `key`: several
    /// input series may be summed in one slot, and a malformed line does not start a new series.
    ///
    /// Returns how many more bytes are needed to remember the series before.
    pub(in crate::rewrite::exposition) fn open(&mut self, slot: SeriesSlot, key: u64) -> usize {
        let next = Open { slot, key };
        if self.open == Some(next) {
            return 0;
        }
        let bytes = self.finish_row();
        if self.first[slot.0] == Some(key) {
            self.row.copy_from_slice(&self.rows[slot.0 * self.stride..][..self.stride]);
        } else if let Some(index) = self.index.get(&next) {
            self.row.copy_from_slice(&self.other_rows[index * self.stride..][..self.stride]);
        }
        self.open = Some(next);
        bytes
    }

    /// Adds a bucket to the open histogram, in a cell of [`Boundaries::cell`].
    ///
    /// Returns `false` if the input series has this bucket already. Then nothing is added.
    #[inline]
    #[must_use]
    pub(in crate::rewrite::exposition) fn add_bucket(&mut self, cell: usize, value: f64) -> bool {
        let slot = &mut self.row[cell];
        if !is_absent(*slot) {
            return false;
        }
        *slot = value;
        true
    }

    /// How many bytes [`Self::widen`] would allocate, if this cell needs it.
    #[inline]
    pub(in crate::rewrite::exposition) fn bytes_to_widen(&self, cell: usize) -> Option<usize> {
        let cells = || self.rows.len() + self.other_rows.len();
        (cell >= self.stride).then(|| cells() * size_of::<f64>())
    }

    /// Announces the sum of an input series, which has no timestamp.
    pub(in crate::rewrite::exposition) fn sum_source(
        &mut self,
        slot: SeriesSlot,
        key: u64,
    ) -> Source {
        self.sum_sources.add(slot, key)
    }

    /// Announces the count of an input series, which has no timestamp.
    pub(in crate::rewrite::exposition) fn count_source(
        &mut self,
        slot: SeriesSlot,
        key: u64,
    ) -> Source {
        self.count_sources.add(slot, key)
    }

    /// Adds to the sum of a slot's observations.
    pub(in crate::rewrite::exposition) fn add_sum(&mut self, slot: SeriesSlot, value: f64) {
        add(&mut self.sums[slot.0], value);
    }

    /// Adds to the count of a slot's observations.
    pub(in crate::rewrite::exposition) fn add_count(&mut self, slot: SeriesSlot, value: f64) {
        add(&mut self.counts[slot.0], value);
    }

    /// Adds a sample that has a timestamp.
    pub(in crate::rewrite::exposition) fn add_timed(
        &mut self,
        slot: SeriesSlot,
        key: u64,
        part: Part,
        sample: Timed,
    ) -> Source {
        self.latest.add((slot, key, part), sample)
    }

    /// There are more boundaries than cells: gives every row more cells.
    pub(in crate::rewrite::exposition) fn widen(&mut self) {
        let stride = self.stride * 2;
        for rows in [&mut self.rows, &mut self.other_rows] {
            let mut wider = vec![ABSENT; rows.len() * 2];
            for (wide, narrow) in wider.chunks_exact_mut(stride).zip(rows.chunks_exact(self.stride))
            {
                wide[..self.stride].copy_from_slice(narrow);
            }
            *rows = wider;
        }
        self.stride = stride;
        self.row.resize(stride, ABSENT);
    }

    /// Keeps the row of the histogram that was read last. Returns how many more bytes are needed for
    /// it.
    fn finish_row(&mut self) -> usize {
        let Some(open) = self.open.take() else { return 0 };
        let first = *self.first[open.slot.0].get_or_insert(open.key);
        let mut bytes = 0;
        if first == open.key {
            self.rows[open.slot.0 * self.stride..][..self.stride].copy_from_slice(&self.row);
        } else if let Some(index) = self.index.get(&open) {
            self.other_rows[index * self.stride..][..self.stride].copy_from_slice(&self.row);
        } else {
            self.index.insert(open, self.others.len());
            self.others.push(open);
            self.other_rows.extend_from_slice(&self.row);
            bytes = SOURCE_BYTES + self.stride * size_of::<f64>();
        }
        self.row.fill(ABSENT);
        bytes
    }

    /// The exposition is complete: adds what was read last, and the samples that have timestamps.
    pub(super) fn complete(&mut self) {
        self.finish_row();
        let mut latest = self.latest.take();
        // One histogram after another, each whole, in order of arrival.
        let mut order = HashMap::new();
        for &((slot, key, _), _) in &latest {
            let next = order.len();
            order.entry((slot, key)).or_insert(next);
        }
        latest.sort_by_key(|&((slot, key, _), _)| order[&(slot, key)]);
        for ((slot, key, part), Timed { value, .. }) in latest {
            // A sample without a timestamp is that of the scrape, which is later.
            match part {
                Part::Bucket(cell) => {
                    self.open(slot, key);
                    let _is_new = self.add_bucket(cell, value);
                }
                Part::Sum if self.sum_sources.add(slot, key) != Source::Repeated => {
                    self.add_sum(slot, value);
                }
                Part::Count if self.count_sources.add(slot, key) != Source::Repeated => {
                    self.add_count(slot, value);
                }
                Part::Sum | Part::Count => {}
            }
        }
        self.finish_row();
        self.add_others();
    }

    /// Adds the rows of all other input series to those of their slots.
    fn add_others(&mut self) {
        let mut without_total = HashSet::new();
        let lacks_total = |row: &[f64]| is_absent(row[INF]) && !row.iter().all(|&it| is_absent(it));
        for (open, other) in self.others.iter().zip(self.other_rows.chunks_exact_mut(self.stride)) {
            let row = &mut self.rows[open.slot.0 * self.stride..][..self.stride];
            if lacks_total(row) || lacks_total(other) {
                without_total.insert(open.slot);
            }
            self.boundaries.fill_gaps(row, other, !is_absent(other[INF]));
            self.boundaries.fill_gaps(other, row, true);
            for (cell, &value) in row.iter_mut().zip(other.iter()) {
                if !is_absent(value) {
                    add(cell, value);
                }
            }
        }
        // Of a histogram without a bucket `+Inf`, the count has all observations. If it was added to
        // others, the sum of the counts has those of all.
        for slot in without_total {
            let infinite = &mut self.rows[slot.0 * self.stride + INF];
            let count = self.counts[slot.0];
            if !is_absent(count) && count >= *infinite {
                *infinite = ABSENT;
            }
        }
    }

    /// Converts the histogram of a slot; returns its sum and count.
    pub(in crate::rewrite::exposition) fn convert(
        &self,
        slot: SeriesSlot,
        conversion: &Conversion,
        buckets: &mut Buckets,
    ) -> (Option<f64>, Option<f64>) {
        let row = &self.rows[slot.0 * self.stride..][..self.stride];
        conversion.apply(row, self.counts[slot.0], buckets);
        (present(self.sums[slot.0]), present(self.counts[slot.0]))
    }

    /// The counts that are written for a slot, with the exact counts next to them.
    pub(in crate::rewrite::exposition) fn counts_with_neighbours(
        &self,
        slot: SeriesSlot,
        conversion: &Conversion,
    ) -> Vec<EstimatedCount> {
        let row = &self.rows[slot.0 * self.stride..][..self.stride];
        conversion.counts_with_neighbours(row, self.counts[slot.0])
    }
}
