//! One histogram for each label set.

use super::absent::{ABSENT, add, is_absent, present};
use super::boundaries::Boundaries;
use super::conversion::{Buckets, Conversion};
use super::ids::SeriesSlot;

/// One histogram for each label set: a row of cells, one for each boundary that the family has.
#[derive(Debug)]
pub(in crate::rewrite::exposition) struct HistogramRows {
    pub(in crate::rewrite::exposition) boundaries: Boundaries,
    /// Cells of one row; at least as many as boundaries.
    stride: usize,
    rows: Vec<f64>,
    sums: Vec<f64>,
    counts: Vec<f64>,
    /// The histogram that is being read. It is added to the row of its slot when it is complete:
    /// gaps must be filled before histograms are added.
    open: Option<(SeriesSlot, u64)>,
    row: Vec<f64>,
}

impl HistogramRows {
    pub(super) fn new(known: &[f64]) -> Self {
        let boundaries = Boundaries::new(known);
        let stride = boundaries.len().max(8);
        HistogramRows {
            boundaries,
            stride,
            rows: Vec::new(),
            sums: Vec::new(),
            counts: Vec::new(),
            open: None,
            row: vec![ABSENT; stride],
        }
    }

    /// Bytes that one more label set takes.
    pub(super) fn bytes_per_series(&self) -> usize {
        (self.stride + 2) * size_of::<f64>()
    }

    /// Makes room for a slot.
    pub(super) fn reach(&mut self, slot: SeriesSlot) {
        if slot.0 == self.sums.len() {
            self.rows.resize(self.rows.len() + self.stride, ABSENT);
            self.sums.push(ABSENT);
            self.counts.push(ABSENT);
        }
    }

    /// The buckets that follow are of `slot`, and of the source series identified by `key`: several
    /// source series may be summed in one slot, and a malformed line does not start a new series.
    pub(in crate::rewrite::exposition) fn open(&mut self, slot: SeriesSlot, key: u64) {
        if self.open == Some((slot, key)) {
            return;
        }
        self.finish_row();
        self.open = Some((slot, key));
    }

    /// Adds a bucket to the open histogram, in a cell of [`Boundaries::cell`].
    #[inline]
    pub(in crate::rewrite::exposition) fn add_bucket(&mut self, cell: usize, value: f64) {
        add(&mut self.row[cell], value);
    }

    /// How many bytes [`Self::widen`] would allocate, if this cell needs it.
    #[inline]
    pub(in crate::rewrite::exposition) fn bytes_to_widen(&self, cell: usize) -> Option<usize> {
        (cell >= self.stride).then(|| self.rows.len() * size_of::<f64>())
    }

    /// Adds to the sum of a slot's observations.
    pub(in crate::rewrite::exposition) fn add_sum(&mut self, slot: SeriesSlot, value: f64) {
        add(&mut self.sums[slot.0], value);
    }

    /// Adds to the count of a slot's observations.
    pub(in crate::rewrite::exposition) fn add_count(&mut self, slot: SeriesSlot, value: f64) {
        add(&mut self.counts[slot.0], value);
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

    /// Adds the histogram that was read last to the row of its slot.
    pub(super) fn finish_row(&mut self) {
        let Some((slot, _)) = self.open.take() else { return };
        let row = &mut self.rows[slot.0 * self.stride..][..self.stride];
        if row.iter().all(|&cell| is_absent(cell)) {
            row.copy_from_slice(&self.row);
        } else {
            self.boundaries.fill_gaps(row);
            self.boundaries.fill_gaps(&mut self.row);
            for (cell, &value) in row.iter_mut().zip(&self.row) {
                if !is_absent(value) {
                    add(cell, value);
                }
            }
        }
        self.row.fill(ABSENT);
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
}
