//! One sample as it was scanned.

use super::labels::Labels;
use crate::exposition::{Sample, Scanner, parse_number};

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

    /// Index of the first label that may differ from the sample before.
    pub(super) fn first_changed(&self) -> usize {
        self.sample.shared.saturating_sub(1)
    }

    pub(super) fn value(&self) -> f64 {
        #[allow(clippy::cast_precision_loss, reason = "at most 15 digits")]
        if self.sample.is_integer {
            return self.scanner.integer(self.text) as f64;
        }
        parse_number(self.scanner.value().of(self.text)).unwrap_or(f64::NAN)
    }
}
