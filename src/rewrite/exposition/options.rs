//! Settings and limits of one rewriting, and why it can fail.

use crate::exposition::{Flaw, Format};

/// What to do with a line that Prometheus would refuse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Malformed {
    /// Drop it and count it.
    #[default]
    Drop,
    /// Forward it unchanged.
    Pass,
    /// Fail the scrape.
    Fail,
}

/// Limits of one exposition. If it exceeds one of them its scrape fails, and only that scrape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest line in bytes, newline not counted. Protects against a peer that never sends one.
    pub line_bytes: usize,
    /// Maximum number of label sets (and families) that are remembered until the end of the body.
    pub held_series: usize,
    /// Maximum number of bytes that they may take.
    pub held_bytes: usize,
    /// Maximum number of labels of one sample.
    pub labels: usize,
    /// Longest body in bytes, uncompressed.
    pub body_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            line_bytes: 1 << 20,
            held_series: 1_000_000,
            held_bytes: 512 << 20,
            labels: 64,
            body_bytes: 1 << 30,
        }
    }
}

/// Settings of one rewriting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// What to do with lines that Prometheus would refuse.
    pub malformed: Malformed,
    /// The format of the input, which is also that of the output.
    pub format: Format,
    /// Whether a histogram (or summary) that opens a second time keeps its second `# TYPE`.
    ///
    /// Strict parsers refuse it. Prometheus does not, and from version 3 on needs it: it writes
    /// `le` as a number (`25` becomes `25.0`) only after a `# TYPE … histogram`, and the
    /// last `# TYPE` counts. Without it the following buckets would become other series.
    pub repeated_types: bool,
    /// Write what the strictest readers accept, at the end of the input: every family in one place
    /// after its headers, every histogram sorted and without gaps, every series once.
    ///
    /// The whole output is held until then, within the limits. Lines that Prometheus would refuse are
    /// dropped even under [`Malformed::Pass`].
    pub strict: bool,
    /// The limits of the exposition.
    pub limits: Limits,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            malformed: Malformed::Drop,
            format: Format::Text,
            repeated_types: false,
            strict: false,
            limits: Limits::default(),
        }
    }
}

/// Why an exposition cannot be rewritten. Each fails the scrape; the output written until then
/// is incomplete and must not be served.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// A line passed [`Limits::line_bytes`].
    #[error("line {line} is longer than {limit} bytes (limits.line_bytes)")]
    LineTooLong {
        /// Number of the line, from 1.
        line: u64,
        /// The limit.
        limit: usize,
    },
    /// A sample passed [`Limits::labels`].
    #[error("line {line} has more than {limit} labels (limits.labels)")]
    TooManyLabels {
        /// Number of the line, from 1.
        line: u64,
        /// The limit.
        limit: usize,
    },
    /// [`Limits::held_series`] was passed.
    #[error("line {line}: more than {limit} label sets to hold (limits.held_series)")]
    TooManySeries {
        /// Number of the line, from 1.
        line: u64,
        /// The limit.
        limit: usize,
    },
    /// [`Limits::held_bytes`] was passed.
    #[error("line {line}: more than {limit} bytes to hold (limits.held_bytes)")]
    TooMuchHeld {
        /// Number of the line, from 1.
        line: u64,
        /// The limit.
        limit: usize,
    },
    /// One histogram has more bucket boundaries than any real one.
    #[error("line {line}: a histogram with more than {limit} bucket boundaries")]
    TooManyBuckets {
        /// Number of the line, from 1.
        line: u64,
        /// The limit.
        limit: usize,
    },
    /// The body passed [`Limits::body_bytes`].
    #[error("the body is longer than {limit} bytes (limits.body_bytes)")]
    BodyTooLong {
        /// The limit.
        limit: u64,
    },
    /// An `OpenMetrics` exposition without `# EOF` was cut.
    #[error("the OpenMetrics exposition does not end with # EOF")]
    NoEof,
    /// The rest of the exposition is an error message: the upstream failed while it was sending
    /// the response.
    #[error("line {line} is an error message of the upstream, not a sample: {text}")]
    UpstreamFailed {
        /// Number of the line, from 1.
        line: u64,
        /// The beginning of the message, escaped.
        text: String,
    },
    /// A line was refused under [`Malformed::Fail`].
    #[error("line {line} would fail the scrape: {}", flaw.as_str())]
    Malformed {
        /// Number of the line, from 1.
        line: u64,
        /// Why.
        flaw: Flaw,
    },
}

impl Error {
    /// The same error in another line.
    pub(super) fn in_line(mut self, number: u64) -> Error {
        match &mut self {
            Error::LineTooLong { line, .. }
            | Error::TooManyLabels { line, .. }
            | Error::TooManySeries { line, .. }
            | Error::TooMuchHeld { line, .. }
            | Error::TooManyBuckets { line, .. }
            | Error::UpstreamFailed { line, .. }
            | Error::Malformed { line, .. } => *line = number,
            Error::BodyTooLong { .. } | Error::NoEof => {}
        }
        self
    }
}
