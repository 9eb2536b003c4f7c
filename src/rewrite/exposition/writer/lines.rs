//! Writes the lines of one series.

use crate::exposition::write_number;
use crate::rewrite::exposition::gathered::{Buckets, Conversion, is_absent};

/// Writes the lines of one series. Keeps a buffer between series.
#[derive(Debug, Default)]
pub(super) struct SeriesLines {
    /// What the bucket lines of the series begin with.
    prefix: Vec<u8>,
}

impl SeriesLines {
    /// Writes one line: name, suffix, labels and value.
    pub(super) fn write_line(
        name: &[u8],
        suffix: &[u8],
        labels: &[u8],
        value: f64,
        out: &mut Vec<u8>,
    ) {
        begin(name, suffix, labels, out);
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
        self.prefix.clear();
        begin(name, b"_bucket", labels, &mut self.prefix);
        self.prefix.extend_from_slice(if labels.is_empty() { b"{le=\"" } else { b",le=\"" });
        let mut lines = 0;
        for (ending, &value) in conversion.endings().zip(&buckets.values) {
            if !is_absent(value) {
                out.extend_from_slice(&self.prefix);
                ending.write(out);
                write_number(value, out);
                out.push(b'\n');
                lines += 1;
            }
        }
        lines
    }
}

fn begin(name: &[u8], suffix: &[u8], labels: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(name);
    out.extend_from_slice(suffix);
    if !labels.is_empty() {
        out.push(b'{');
        out.extend_from_slice(labels);
    }
}
