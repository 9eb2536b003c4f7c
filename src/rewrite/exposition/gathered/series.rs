//! Everything that one rule has gathered.

use super::histograms::HistogramRows;
use super::ids::SeriesSlot;
use super::label_sets::{LABEL_SET_BYTES, LabelSets};
use super::scalars::Scalars;
use crate::mapping::{Merge, Scale};
use crate::rewrite::exposition::label_transform::RenderedLabels;

/// How the samples of a rule are gathered.
#[derive(Clone, Copy, Debug)]
pub(in crate::rewrite::exposition) enum Shape<'a> {
    /// One number per label set, merged like this. `has_parts`: parts are subtracted from it.
    Scalar { merge: Merge, has_parts: bool },
    /// One histogram per label set, with the boundaries that the input is known to have.
    /// `scale` is the factor from those to the boundaries that are written.
    Histogram { known: &'a [f64], scale: Option<Scale> },
}

/// The series that one rule has gathered.
#[derive(Debug)]
pub(in crate::rewrite::exposition) struct GatheredSeries {
    labels: LabelSets,
    pub(in crate::rewrite::exposition) accumulator: Accumulator,
}

/// The numbers of the label sets.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "one per rule, and an indirection would cost each sample"
)]
pub(in crate::rewrite::exposition) enum Accumulator {
    Scalars(Scalars),
    Histograms(HistogramRows),
}

impl GatheredSeries {
    pub(super) fn new(shape: Shape<'_>) -> Self {
        let accumulator = match shape {
            Shape::Scalar { merge, has_parts } => {
                Accumulator::Scalars(Scalars::new(merge, has_parts))
            }
            Shape::Histogram { known, scale } => {
                Accumulator::Histograms(HistogramRows::new(known, scale))
            }
        };
        GatheredSeries { labels: LabelSets::default(), accumulator }
    }

    /// Whether samples of this shape can be added.
    pub(super) fn takes(&self, shape: Shape<'_>) -> bool {
        matches!(shape, Shape::Histogram { .. })
            == matches!(self.accumulator, Accumulator::Histograms(_))
    }

    /// The slot of a label set. Adds one for a new label set.
    #[inline]
    pub(super) fn slot(&mut self, labels: &RenderedLabels) -> SeriesSlot {
        let slot = self.labels.slot(labels);
        match &mut self.accumulator {
            Accumulator::Scalars(scalars) => scalars.reach(slot),
            Accumulator::Histograms(rows) => rows.reach(slot),
        }
        slot
    }

    /// The slot of a label set with this hash, if there is one.
    pub(in crate::rewrite::exposition) fn find(
        &self,
        hash: u64,
        labels: &[u8],
    ) -> Option<SeriesSlot> {
        self.labels.find(hash, labels)
    }

    pub(in crate::rewrite::exposition) fn hash(&self, slot: SeriesSlot) -> u64 {
        self.labels.hash(slot)
    }

    /// The labels as they are written, without braces.
    pub(in crate::rewrite::exposition) fn labels(&self, slot: SeriesSlot) -> &[u8] {
        self.labels.text(slot)
    }

    /// The slot of this index, in order of arrival.
    pub(in crate::rewrite::exposition) fn slot_at(&self, index: usize) -> Option<SeriesSlot> {
        (index < self.labels.len()).then_some(SeriesSlot(index))
    }

    /// Every slot, in order of arrival.
    pub(in crate::rewrite::exposition) fn slots(&self) -> impl Iterator<Item = SeriesSlot> + use<> {
        (0..self.labels.len()).map(SeriesSlot)
    }

    /// Number of slots.
    pub(super) fn len(&self) -> usize {
        self.labels.len()
    }

    /// About how many bytes one more label set takes, in addition to its text.
    pub(in crate::rewrite::exposition) fn bytes_per_series(&self) -> usize {
        let numbers = match &self.accumulator {
            Accumulator::Scalars(scalars) => scalars.bytes_per_series(),
            Accumulator::Histograms(rows) => rows.bytes_per_series(),
        };
        numbers + LABEL_SET_BYTES
    }
}
