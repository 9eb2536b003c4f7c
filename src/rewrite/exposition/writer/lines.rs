//! Writes the lines of one series.

use crate::exposition::write_number;
use crate::rewrite::exposition::gathered::{ABSENT, Buckets, Conversion, is_absent};

/// Writes the lines of one series. Keeps a buffer between series.
#[derive(Debug, Default)]
pub(super) struct SeriesLines {
    /// What the lines of the series begin with.
    prefix: Vec<u8>,
}

impl SeriesLines {
    /// Writes one line: name, suffix, labels and value.
    pub(super) fn write_line(
        &mut self,
        name: &[u8],
        suffix: &[u8],
        labels: &[u8],
        value: f64,
        out: &mut Vec<u8>,
    ) {
        self.begin(name, suffix, labels);
        out.extend_from_slice(&self.prefix);
        out.extend_from_slice(if labels.is_empty() { b" " } else { b"} " });
        write_number(value, out);
        out.push(b'\n');
    }

    /// Writes the buckets of a histogram; returns the number of lines.
    pub(super) fn write_buckets(
        &mut self,
        name: &[u8],
        labels: &[u8],
        conversion: &Conversion,
        buckets: &Buckets,
        out: &mut Vec<u8>,
    ) -> u64 {
        self.begin(name, b"_bucket", labels);
        self.prefix.extend_from_slice(if labels.is_empty() { b"{le=\"" } else { b",le=\"" });
        let mut lines = 0;
        // The value written last, and where. Many neighboring buckets have equal counts.
        let mut last = (ABSENT, 0..0);
        for (ending, &value) in conversion.endings().zip(&buckets.values) {
            if is_absent(value) {
                continue;
            }
            out.extend_from_slice(&self.prefix);
            out.extend_from_slice(ending);
            if value.to_bits() == last.0.to_bits() {
                out.extend_from_within(last.1.clone());
            } else {
                let start = out.len();
                write_number(value, out);
                out.push(b'\n');
                last = (value, start..out.len());
            }
            lines += 1;
        }
        lines
    }

    fn begin(&mut self, name: &[u8], suffix: &[u8], labels: &[u8]) {
        self.prefix.clear();
        self.prefix.extend_from_slice(name);
        self.prefix.extend_from_slice(suffix);
        if !labels.is_empty() {
            self.prefix.push(b'{');
            self.prefix.extend_from_slice(labels);
        }
    }
}
