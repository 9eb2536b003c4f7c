//! One sample as it was scanned.

use super::labels::Labels;
use crate::exposition::{Sample, Scanner};

/// One sample: its line, and where the scanner found its parts.
#[derive(Clone, Copy)]
pub(super) struct SampleLine<'a> {
    /// Number of the line, from 1.
    pub(super) number: u64,
    /// The line, including its newline.
    pub(super) text: &'a [u8],
    pub(super) sample: Sample,
    pub(super) scanner: &'a Scanner,
}

impl<'a> SampleLine<'a> {
    pub(super) fn name(&self) -> &'a [u8] {
        self.scanner.name().of(self.text)
    }

    pub(super) fn labels(&self) -> Labels<'a> {
        Labels { line: self.text, spans: self.scanner.labels() }
    }

    /// The labels as they are written, if the braces enclose nothing else.
    pub(super) fn labels_between_braces(&self) -> Option<&'a [u8]> {
        let (start, end) = (self.scanner.name().end(), self.scanner.labels_end());
        let is_usual = !self.scanner.has_quoted_name() && self.text.get(start) == Some(&b'{');
        is_usual.then(|| &self.text[start + 1..end - 1])
    }

    /// The labels before the last one as they are written, if a comma separates it.
    pub(super) fn labels_before_last(&self) -> Option<&'a [u8]> {
        let start = self.scanner.name().end();
        let comma = self.scanner.labels().last()?.name.start() - 1;
        let is_usual = !self.scanner.has_quoted_name()
            && self.text[start] == b'{'
            && self.text[comma] == b','
            && start < comma;
        is_usual.then(|| &self.text[start + 1..comma])
    }

    /// Index of the first label that may differ from the sample before.
    pub(super) fn first_changed(&self) -> usize {
        self.sample.shared.saturating_sub(1)
    }

    pub(super) fn value(&self) -> f64 {
        self.sample.value
    }
}
