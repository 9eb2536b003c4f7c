//! One histogram for each label set.

use std::collections::HashMap;

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
    /// The input series whose row a slot has, if only one was gathered in it. Otherwise the first.
    first: Vec<Option<u64>>,
    /// For each input series of a slot that has several: the cells that it set.
    merged: HashMap<(SeriesSlot, u64), Cells, foldhash::fast::RandomState>,
    /// The histogram that is being read. It is added to the row of its slot when it is complete:
    /// gaps must be filled before histograms are added.
    open: Option<Open>,
    /// If it is continued after another one, and was merged with others: the cells that it has set.
    before: Option<Cells>,
    row: Vec<f64>,
    latest: Latest<(SeriesSlot, u64, Part)>,
}

/// The histogram that is being read.
#[derive(Debug)]
struct Open {
    slot: SeriesSlot,
    /// The hash of its labels, without `le`.
    key: u64,
}

/// A set of cells.
#[derive(Clone, Debug, Default)]
struct Cells(Vec<u64>);

impl Cells {
    fn of(row: &[f64]) -> Cells {
        let word = |cells: &[f64]| {
            cells.iter().rev().fold(0, |word, &cell| word << 1 | u64::from(!is_absent(cell)))
        };
        Cells(row.chunks(64).map(word).collect())
    }

    fn contains(&self, cell: usize) -> bool {
        self.0.get(cell / 64).is_some_and(|word| word >> (cell % 64) & 1 == 1)
    }

    fn extend(&mut self, other: &Cells) {
        self.0.resize(self.0.len().max(other.0.len()), 0);
        for (word, other) in self.0.iter_mut().zip(&other.0) {
            *word |= other;
        }
    }
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
            merged: HashMap::default(),
            open: None,
            before: None,
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
        if self.open.as_ref().is_some_and(|open| (open.slot, open.key) == (slot, key)) {
            return 0;
        }
        let bytes = self.finish_row();
        self.before = self.merged.get(&(slot, key)).cloned();
        if self.before.is_none() && self.first[slot.0] == Some(key) {
            // The only one of its slot: take it back.
            self.row.copy_from_slice(&self.rows[slot.0 * self.stride..][..self.stride]);
            self.rows[slot.0 * self.stride..][..self.stride].fill(ABSENT);
        }
        self.open = Some(Open { slot, key });
        bytes
    }

    /// Adds a bucket to the open histogram, in a cell of [`Boundaries::cell`].
    ///
    /// Returns `false` if the input series has this bucket already. Then nothing is added.
    #[inline]
    #[must_use]
    pub(in crate::rewrite::exposition) fn add_bucket(&mut self, cell: usize, value: f64) -> bool {
        let slot = &mut self.row[cell];
        if !is_absent(*slot) || self.before.as_ref().is_some_and(|cells| cells.contains(cell)) {
            return false;
        }
        *slot = value;
        true
    }

    /// How many bytes [`Self::widen`] would allocate, if this cell needs it.
    #[inline]
    pub(in crate::rewrite::exposition) fn bytes_to_widen(&self, cell: usize) -> Option<usize> {
        (cell >= self.stride).then(|| self.rows.len() * size_of::<f64>())
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
        let mut rows = vec![ABSENT; self.sums.len() * stride];
        for (wide, narrow) in rows.chunks_exact_mut(stride).zip(self.rows.chunks_exact(self.stride))
        {
            wide[..self.stride].copy_from_slice(narrow);
        }
        self.rows = rows;
        self.stride = stride;
        self.row.resize(stride, ABSENT);
    }

    /// Adds the histogram that was read last to the row of its slot. Returns how many more bytes
    /// are needed to remember which one it was.
    fn finish_row(&mut self) -> usize {
        let Some(Open { slot, key }) = self.open.take() else { return 0 };
        let before = self.before.take();
        let row = &mut self.rows[slot.0 * self.stride..][..self.stride];
        let mut bytes = 0;
        if before.is_none() && row.iter().all(|&cell| is_absent(cell)) {
            row.copy_from_slice(&self.row);
            self.first[slot.0] = Some(key);
        } else {
            if let Some(first) = self.first[slot.0] {
                // What the row has so far is the first one's, unless others were added.
                self.merged.entry((slot, first)).or_insert_with(|| Cells::of(row));
            }
            let cells = Cells::of(&self.row);
            bytes = SOURCE_BYTES + cells.0.len() * size_of::<u64>();
            self.merged.entry((slot, key)).or_default().extend(&cells);
            // If a histogram is read in parts, the parts that follow are unknown.
            let whole = before.is_none();
            self.boundaries.fill_gaps(row, &self.row, whole && !is_absent(self.row[INF]));
            self.boundaries.fill_gaps(&mut self.row, row, whole);
            for (cell, &value) in row.iter_mut().zip(&self.row) {
                if !is_absent(value) {
                    add(cell, value);
                }
            }
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
        self.use_counts();
    }

    /// Of a histogram without a bucket `+Inf`, the count has all observations. If it was added to
    /// others, the sum of the counts has those of all.
    fn use_counts(&mut self) {
        for ((slot, _), cells) in &self.merged {
            let has_buckets = cells.0.iter().any(|word| *word != 0);
            let infinite = &mut self.rows[slot.0 * self.stride + INF];
            let count = self.counts[slot.0];
            if has_buckets && !cells.contains(INF) && !is_absent(count) && count >= *infinite {
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
