//! Samples that are kept until the end, compactly: each label set once.

use super::suffix::{Dimension, Suffix};
use crate::rewrite::exposition::gathered::{LABEL_SET_BYTES, LabelSets, SeriesSlot};
use crate::rewrite::exposition::label_transform::RenderedLabels;

/// Samples whose names begin alike, such as all of one histogram.
#[derive(Debug, Default)]
pub(super) struct HeldSamples {
    /// Without the label of a dimension.
    labels: LabelSets,
    list: Vec<HeldSample>,
    /// Of each sample: the value of its dimension, and what follows the labels.
    text: Vec<u8>,
}

/// One sample. Its text is in [`HeldSamples`].
#[derive(Clone, Copy, Debug)]
pub(super) struct HeldSample {
    pub(super) slot: SeriesSlot,
    pub(super) suffix: Suffix,
    pub(super) dimension: Option<Dimension>,
    /// [`LATEST`] for a sample without one.
    pub(super) timestamp: i64,
    start: usize,
    dimension_len: u32,
}

/// The timestamp of a sample that has none: it is that of the scrape, so later than any other.
pub(super) const LATEST: i64 = i64::MAX;

/// About how many bytes one sample takes in addition to its text: in the list, and while its family
/// is sorted.
const SAMPLE_BYTES: usize = size_of::<HeldSample>() + 32;

/// A sample to be kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct NewSample<'a> {
    pub(super) slot: SeriesSlot,
    pub(super) suffix: Suffix,
    pub(super) dimension: Option<(Dimension, &'a [u8])>,
    pub(super) timestamp: Option<i64>,
}

impl HeldSamples {
    /// The slot of a label set. For a new one, also about how many bytes it takes.
    pub(super) fn slot(&mut self, labels: &RenderedLabels) -> (SeriesSlot, Option<usize>) {
        let before = self.labels.len();
        let slot = self.labels.slot(labels);
        let is_new = self.labels.len() > before;
        (slot, is_new.then_some(labels.bytes().len() + LABEL_SET_BYTES))
    }

    /// Keeps a sample. `write_tail` appends what follows its labels: the value, and the timestamp
    /// and the exemplar if there are any, after one blank each.
    ///
    /// Returns about how many bytes it takes.
    #[inline]
    pub(super) fn push(
        &mut self,
        sample: NewSample<'_>,
        write_tail: impl FnOnce(&mut Vec<u8>),
    ) -> usize {
        let start = self.text.len();
        let (dimension, value) = sample.dimension.unzip();
        let value = value.unwrap_or_default();
        self.text.extend_from_slice(value);
        write_tail(&mut self.text);
        #[allow(clippy::cast_possible_truncation, reason = "lines are limited to less than 4 GiB")]
        self.list.push(HeldSample {
            slot: sample.slot,
            suffix: sample.suffix,
            dimension,
            timestamp: sample.timestamp.unwrap_or(LATEST),
            start,
            dimension_len: value.len() as u32,
        });
        self.text.len() - start + SAMPLE_BYTES
    }

    /// All samples, in order of arrival.
    pub(super) fn list(&self) -> &[HeldSample] {
        &self.list
    }

    /// The sample of this index.
    pub(super) fn sample(&self, index: usize) -> HeldSample {
        self.list[index]
    }

    /// The labels of a slot, as they are written.
    pub(super) fn labels(&self, slot: SeriesSlot) -> &[u8] {
        self.labels.text(slot)
    }

    /// The value of the dimension of a sample, escaped. Empty if it has none.
    pub(super) fn dimension(&self, index: usize) -> &[u8] {
        let HeldSample { start, dimension_len, .. } = self.list[index];
        &self.text[start..start + dimension_len as usize]
    }

    /// What follows the labels of a sample.
    pub(super) fn tail(&self, index: usize) -> &[u8] {
        let HeldSample { start, dimension_len, .. } = self.list[index];
        let end = self.list.get(index + 1).map_or(self.text.len(), |next| next.start);
        &self.text[start + dimension_len as usize..end]
    }

    /// The value of a sample, as text.
    pub(super) fn value(&self, index: usize) -> &[u8] {
        words(self.tail(index)).next().unwrap_or_default()
    }

    /// The timestamp of a sample, as text.
    pub(super) fn timestamp(&self, index: usize) -> Option<&[u8]> {
        let has_one = self.list[index].timestamp != LATEST;
        words(self.tail(index)).nth(1).filter(|_| has_one)
    }
}

fn words(tail: &[u8]) -> impl Iterator<Item = &[u8]> {
    tail.split(|&byte| byte == b' ')
}
