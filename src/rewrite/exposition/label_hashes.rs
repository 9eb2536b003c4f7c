//! The hashes of the labels of samples.

use super::labels::{LE, Labels};
use super::written_labels::named;
use crate::exposition::{LabelHasher, same, write_value};

/// The hash of each label of a sample, independent of escapes and spacing. The hash of a label set
/// is the sum of its labels' hashes.
///
/// Adjacent samples differ only in their last labels, so the hashes of the others are reused.
#[derive(Debug)]
pub(super) struct LabelHashes {
    hasher: LabelHasher,
    hashes: Vec<u64>,
    /// The first label that may have changed since the hashes were computed.
    stale_from: usize,
    scratch: Vec<u8>,
}

impl LabelHashes {
    pub(super) fn new(hasher: LabelHasher) -> Self {
        LabelHashes { hasher, hashes: Vec::new(), stale_from: 0, scratch: Vec::new() }
    }

    /// Records that the labels of a new sample may differ from this index on.
    #[inline]
    pub(super) fn changed(&mut self, from: usize) {
        self.stale_from = self.stale_from.min(from);
    }

    /// Updates the hashes for the first `count` labels of a sample, and returns them.
    fn update(&mut self, labels: Labels<'_>, count: usize) -> &[u64] {
        let fresh = self.stale_from.min(self.hashes.len());
        self.hashes.truncate(fresh);
        for index in fresh..count {
            let span = &labels.spans[index];
            let hash = if labels.is_tight(index) {
                self.hasher.label(&labels.line[span.name.start()..span.value.end()])
            } else {
                self.scratch.clear();
                self.scratch.extend_from_slice(span.name.of(labels.line));
                self.scratch.extend_from_slice(b"=\"");
                write_value(span.value.of(labels.line), &mut self.scratch);
                self.hasher.label(&self.scratch)
            };
            self.hashes.push(hash);
        }
        self.stale_from = usize::MAX;
        &self.hashes[..count]
    }

    /// The hash of the label set.
    pub(super) fn of_set(&mut self, labels: Labels<'_>) -> u64 {
        let hashes = self.update(labels, labels.spans.len());
        hashes.iter().fold(0, |sum, hash| sum.wrapping_add(*hash))
    }

    /// The hash of the label set without `le`.
    pub(super) fn of_histogram(&mut self, labels: Labels<'_>) -> u64 {
        match labels.spans.split_last() {
            // Usually it is the last label, whose hash is not needed.
            Some((last, spans)) if same(last.name.of(labels.line), LE) => {
                self.of_set(Labels { spans, ..labels })
            }
            _ => self.of(labels, |name| name != LE),
        }
    }

    /// The hash of only the labels with these names.
    pub(super) fn of_named(&mut self, labels: Labels<'_>, names: &[Box<[u8]>]) -> u64 {
        self.of(labels, |name| named(names, name))
    }

    /// The hash of only the label with this name.
    pub(super) fn of_label(&mut self, labels: Labels<'_>, name: &[u8]) -> u64 {
        self.of(labels, |its| its == name)
    }

    fn of(&mut self, labels: Labels<'_>, wanted: impl Fn(&[u8]) -> bool) -> u64 {
        let hashes = self.update(labels, labels.spans.len()).iter().zip(labels.spans);
        hashes
            .filter(|(_, span)| wanted(span.name.of(labels.line)))
            .fold(0, |sum, (hash, _)| sum.wrapping_add(*hash))
    }

    /// The hasher, and the hashes of the first `count` labels of a sample.
    pub(super) fn first(&mut self, labels: Labels<'_>, count: usize) -> (&LabelHasher, &[u64]) {
        self.update(labels, count);
        (&self.hasher, &self.hashes[..count])
    }
}
