//! Writes the lines of one series.

use crate::exposition::{short_integer_text, write_number};
use crate::rewrite::exposition::gathered::{Buckets, Conversion, Ending, USUAL, is_absent};

/// Room for a usual ending, eight digits, and the end of the line.
const TAIL: usize = 2 * USUAL;

/// Writes the lines of one series. Keeps a buffer between series.
#[derive(Debug, Default)]
pub(super) struct SeriesLines {
    /// A bucket line of the series, of which everything before `tail` is the same in all buckets.
    line: Vec<u8>,
    /// The offset of the value of `le`.
    tail: usize,
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
        let blank = usize::from(labels.is_empty());
        if let Some((digits, length)) = short_integer_text(value) {
            let mut end = *b"} 12345678\n";
            end[2..10].copy_from_slice(&digits);
            end[2 + length] = b'\n';
            out.extend_from_slice(&end[blank..=2 + length]);
        } else {
            out.extend_from_slice(&b"} "[blank..]);
            write_number(value, out);
            out.push(b'\n');
        }
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
        self.line.clear();
        begin(name, b"_bucket", labels, &mut self.line);
        self.line.extend_from_slice(if labels.is_empty() { b"{le=\"" } else { b",le=\"" });
        self.tail = self.line.len();
        self.line.resize(self.tail + TAIL, 0);
        let mut lines = 0;
        for (ending, &value) in conversion.endings().zip(&buckets.values) {
            if !is_absent(value) {
                self.write_bucket(ending, value, out);
                lines += 1;
            }
        }
        lines
    }

    #[inline]
    fn write_bucket(&mut self, ending: &Ending, value: f64, out: &mut Vec<u8>) {
        if let Some((digits, length)) = short_integer_text(value)
            && let Some((usual, value_at)) = ending.padded()
            && let Some(tail) = self.line[self.tail..].first_chunk_mut::<TAIL>()
        {
            tail[..USUAL].copy_from_slice(usual);
            tail[value_at..value_at + digits.len()].copy_from_slice(&digits);
            tail[value_at + length] = b'\n';
            let end = self.tail + value_at + length + 1;
            out.extend_from_slice(&self.line[..end]);
        } else {
            out.extend_from_slice(&self.line[..self.tail]);
            out.extend_from_slice(ending.text());
            write_number(value, out);
            out.push(b'\n');
        }
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
