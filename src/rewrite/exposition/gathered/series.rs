//! Label sets that are held until the whole body is known, as compactly as they go.

use hashbrown::HashTable;

use crate::mapping::Merge;
use crate::rewrite::exposition::gathered::buckets::{
    ABSENT, Boundaries, Buckets, Conversion, add, is_absent,
};
use crate::rewrite::exposition::labels::{RenderedLabels, same_set};

/// Number of a label set within its [`GatheredSeries`], in order of arrival.
pub(in crate::rewrite::exposition) type SeriesSlot = usize;

/// What one rule has gathered.
#[derive(Debug)]
pub(in crate::rewrite::exposition) struct GatheredSeries {
    sets: LabelSets,
    pub(in crate::rewrite::exposition) accumulator: Accumulator,
}

/// The numbers of the label sets.
#[derive(Debug)]
pub(in crate::rewrite::exposition) enum Accumulator {
    /// One number each.
    Scalars(Scalars),
    /// A ladder each.
    Histograms(HistogramRows),
}

impl GatheredSeries {
    pub(in crate::rewrite::exposition) fn new(accumulator: Accumulator) -> Self {
        GatheredSeries { sets: LabelSets::default(), accumulator }
    }

    /// The slot of a label set, a new one where it is new.
    #[inline]
    pub(in crate::rewrite::exposition) fn slot(&mut self, labels: &RenderedLabels) -> SeriesSlot {
        let slot = self.sets.slot(labels);
        match &mut self.accumulator {
            Accumulator::Scalars(values) => values.reach(slot),
            Accumulator::Histograms(ladders) => ladders.reach(slot),
        }
        slot
    }

    /// The slot of a label set that another hold has under this hash.
    pub(in crate::rewrite::exposition) fn find(
        &self,
        hash: u64,
        labels: &[u8],
    ) -> Option<SeriesSlot> {
        self.sets.find(hash, labels)
    }

    pub(in crate::rewrite::exposition) fn hash(&self, slot: SeriesSlot) -> u64 {
        self.sets.sets[slot].hash
    }

    pub(in crate::rewrite::exposition) fn labels(&self, slot: SeriesSlot) -> &[u8] {
        self.sets.text(slot)
    }

    pub(in crate::rewrite::exposition) fn len(&self) -> usize {
        self.sets.sets.len()
    }

    /// About how many bytes one more label set takes, beside its text.
    pub(in crate::rewrite::exposition) fn set_bytes(&self) -> usize {
        let cells = match &self.accumulator {
            Accumulator::Scalars(values) => 1 + usize::from(values.has_parts),
            Accumulator::Histograms(ladders) => ladders.stride + 2,
        };
        cells * size_of::<f64>() + size_of::<Set>() + 2 * size_of::<u32>()
    }
}

/// Label sets by their text, whatever the order of their labels.
#[derive(Debug, Default)]
struct LabelSets {
    text: Vec<u8>,
    sets: Vec<Set>,
    index: HashTable<u32>,
    /// The slot found last.
    last: SeriesSlot,
}

#[derive(Clone, Copy, Debug)]
struct Set {
    hash: u64,
    end: usize,
}

impl LabelSets {
    fn text(&self, slot: SeriesSlot) -> &[u8] {
        let start = slot.checked_sub(1).map_or(0, |before| self.sets[before].end);
        &self.text[start..self.sets[slot].end]
    }

    #[inline]
    fn slot(&mut self, labels: &RenderedLabels) -> SeriesSlot {
        // Sums come in neighbouring lines; `_count` and `_sum` lines in the order of the ladders.
        for guess in [self.last, self.last + 1] {
            if guess < self.sets.len() && self.text(guess) == labels.bytes() {
                self.last = guess;
                return guess;
            }
        }
        let hash = labels.hash();
        let labels = labels.bytes();
        self.last = self.find(hash, labels).unwrap_or_else(|| self.insert(hash, labels));
        self.last
    }

    fn find(&self, hash: u64, labels: &[u8]) -> Option<SeriesSlot> {
        let same = |&slot: &u32| {
            let slot = slot as usize;
            self.sets[slot].hash == hash && same_set(self.text(slot), labels)
        };
        self.index.find(hash, same).map(|&slot| slot as usize)
    }

    fn insert(&mut self, hash: u64, labels: &[u8]) -> SeriesSlot {
        let slot = self.sets.len();
        self.text.extend_from_slice(labels);
        self.sets.push(Set { hash, end: self.text.len() });
        let sets = &self.sets;
        #[allow(clippy::cast_possible_truncation, reason = "limits.held_series is far below")]
        self.index.insert_unique(hash, slot as u32, |&slot| sets[slot as usize].hash);
        slot
    }
}

/// How numbers of equal label sets are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::rewrite::exposition) enum Join {
    /// Counters, untyped samples.
    Sum,
    /// Gauges, as the pack says.
    Gauge(Merge),
}

impl Join {
    pub(in crate::rewrite::exposition) fn join(self, a: f64, b: f64) -> f64 {
        match self {
            Join::Sum | Join::Gauge(Merge::Sum) => a + b,
            Join::Gauge(Merge::Max) => a.max(b),
            Join::Gauge(Merge::Min) => a.min(b),
        }
    }
}

/// One number for each label set.
#[derive(Debug)]
pub(in crate::rewrite::exposition) struct Scalars {
    pub(in crate::rewrite::exposition) join: Join,
    totals: Vec<f64>,
    /// For a total that leaves as what its parts leave over: the sum of those parts.
    parts: Vec<f64>,
    has_parts: bool,
}

impl Scalars {
    pub(in crate::rewrite::exposition) fn new(join: Join, has_parts: bool) -> Self {
        Scalars { join, totals: Vec::new(), parts: Vec::new(), has_parts }
    }

    fn reach(&mut self, slot: SeriesSlot) {
        if slot == self.totals.len() {
            self.totals.push(ABSENT);
            if self.has_parts {
                self.parts.push(ABSENT);
            }
        }
    }

    #[inline]
    pub(in crate::rewrite::exposition) fn join(&mut self, slot: SeriesSlot, value: f64) {
        let cell = &mut self.totals[slot];
        *cell = if is_absent(*cell) { value } else { self.join.join(*cell, value) };
    }

    #[inline]
    pub(in crate::rewrite::exposition) fn join_part(&mut self, slot: SeriesSlot, value: f64) {
        if let Some(cell) = self.parts.get_mut(slot) {
            add(cell, value);
        }
    }

    /// `None` where only parts of the total have come.
    pub(in crate::rewrite::exposition) fn value(&self, slot: SeriesSlot) -> Option<f64> {
        Some(self.totals[slot]).filter(|v| !is_absent(*v))
    }

    pub(in crate::rewrite::exposition) fn parts(&self, slot: SeriesSlot) -> Option<f64> {
        self.parts.get(slot).copied().filter(|v| !is_absent(*v))
    }
}

/// A ladder for each label set: a row of cells, one for each boundary that the family has.
#[derive(Debug)]
pub(in crate::rewrite::exposition) struct HistogramRows {
    pub(in crate::rewrite::exposition) boundaries: Boundaries,
    /// Accumulator of one row; at least as many as boundaries.
    stride: usize,
    rows: Vec<f64>,
    sums: Vec<f64>,
    counts: Vec<f64>,
    /// The ladder that is being read. It is joined to its slot's row when it is complete: a hole
    /// must be filled before ladders are added up.
    open: Option<(SeriesSlot, u64)>,
    row: Vec<f64>,
}

/// What a line of a histogram says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::rewrite::exposition) enum HistogramPart {
    Bucket,
    Sum,
    Count,
}

impl HistogramRows {
    pub(in crate::rewrite::exposition) fn new(known: &[f64]) -> Self {
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

    fn reach(&mut self, slot: SeriesSlot) {
        if slot == self.sums.len() {
            self.rows.resize(self.rows.len() + self.stride, ABSENT);
            self.sums.push(ABSENT);
            self.counts.push(ABSENT);
        }
    }

    /// The buckets that follow are those of `slot`, and of the series that `key` stands for: several
    /// series may be summed in one slot, and a bad line does not make two ladders of one.
    pub(in crate::rewrite::exposition) fn open(&mut self, slot: SeriesSlot, key: u64) {
        if self.open == Some((slot, key)) {
            return;
        }
        self.finish_row();
        self.open = Some((slot, key));
    }

    /// Adds a bucket to the open ladder, in a cell of [`Boundaries::cell`].
    #[inline]
    pub(in crate::rewrite::exposition) fn bucket(&mut self, cell: usize, value: f64) {
        add(&mut self.row[cell], value);
    }

    /// How many bytes [`Self::widen`] would take, where this cell needs it.
    #[inline]
    pub(in crate::rewrite::exposition) fn short_of(&self, cell: usize) -> Option<usize> {
        (cell >= self.stride).then(|| self.rows.len() * size_of::<f64>())
    }

    pub(in crate::rewrite::exposition) fn sum_or_count(
        &mut self,
        part: HistogramPart,
        slot: SeriesSlot,
        value: f64,
    ) {
        let cells = if part == HistogramPart::Sum { &mut self.sums } else { &mut self.counts };
        add(&mut cells[slot], value);
    }

    /// More boundaries than were known: gives every row more cells.
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

    /// Joins the ladder that was read last to its slot's row.
    pub(in crate::rewrite::exposition) fn finish_row(&mut self) {
        let Some((slot, _)) = self.open.take() else { return };
        let row = &mut self.rows[slot * self.stride..][..self.stride];
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

    /// Moves a slot's ladder to the boundaries of `conversion`; returns its sum and count.
    pub(in crate::rewrite::exposition) fn convert(
        &self,
        slot: SeriesSlot,
        conversion: &Conversion,
        ladder: &mut Buckets,
    ) -> (Option<f64>, Option<f64>) {
        let row = &self.rows[slot * self.stride..][..self.stride];
        conversion.apply(row, self.counts[slot], ladder);
        let present = |value: f64| Some(value).filter(|v| !is_absent(*v));
        (present(self.sums[slot]), present(self.counts[slot]))
    }
}
