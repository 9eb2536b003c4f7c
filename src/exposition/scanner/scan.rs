//! The results of scanning one line.

use crate::exposition::{Flaw, Header, Span};

/// The result of scanning the line at the start of the input.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scan {
    /// A sample. The scanner has the offsets of its parts until the next call.
    Sample(Sample),
    /// A `# HELP` or `# TYPE` line of `len` bytes.
    Header {
        /// Its parts.
        header: Header,
        /// Its length, newline included.
        len: usize,
    },
    /// A comment or a blank line.
    Comment {
        /// Its length, newline included.
        len: usize,
    },
    /// A line that Prometheus would refuse. It ends at the first newline, even between quotes, so
    /// that an unclosed quote does not extend to the following lines.
    Flawed {
        /// Its length, newline included.
        len: usize,
        /// Why Prometheus would refuse it.
        flaw: Flaw,
    },
    /// The input ends inside a line.
    Incomplete,
    /// The line is longer than the limit.
    TooLong,
    /// The sample has more labels than the limit.
    TooManyLabels,
}

/// A sample line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Its length, newline included.
    pub len: usize,
    /// A lower bound for what is equal to the previous sample: 0 nothing, 1 the name, 2 also the
    /// first label, and so on. If it is the number of labels, only the value of the last label
    /// differs.
    pub shared: usize,
    /// Its value.
    pub value: f64,
}

/// A sample line that differs from the one before only in the value of its last label and in its
/// own value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Alike {
    /// Its length, newline included.
    pub len: usize,
    /// The value of its last label.
    pub label: Span,
    /// Its own value, an integer of at most 15 digits.
    pub value: f64,
}

/// A sample line that has nothing after its value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlainSample {
    /// Its length, newline included.
    pub len: usize,
    /// Its value.
    pub value: f64,
}
