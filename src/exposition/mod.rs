//! The Prometheus text exposition format: one line's grammar, numbers, label values.
//!
//! Nothing here knows rules or families. A line is read where it lies: [`Scanner`] finds its parts
//! and says whether Prometheus would accept it, the bytes stay as they came. The grammar is that of
//! Prometheus' own text parser (`prometheus/prometheus:model/textparse/promparse.go`), which is a
//! little wider than the documented format: blanks may stand between any two tokens, a label value
//! may contain a raw newline, names may be quoted.

mod header;
mod label;
mod number;
mod scanner;
mod span;
mod token;

pub use header::{Header, HeaderKind};
pub use label::{LabelHasher, write_escaped, write_value};
pub use number::{parse_number, write_number};
pub use scanner::{Sample, Scan, Scanner};
pub use span::{LabelSpan, Span};

/// The type that a `# TYPE` line declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricType {
    /// `counter`
    Counter,
    /// `gauge`
    Gauge,
    /// `histogram`
    Histogram,
    /// `summary`
    Summary,
    /// `untyped`
    Untyped,
}

impl MetricType {
    /// The word as it stands in a `# TYPE` line; Prometheus wants it in lower case.
    #[must_use]
    pub fn from_word(word: &[u8]) -> Option<Self> {
        Some(match word {
            b"counter" => MetricType::Counter,
            b"gauge" => MetricType::Gauge,
            b"histogram" => MetricType::Histogram,
            b"summary" => MetricType::Summary,
            b"untyped" => MetricType::Untyped,
            _ => return None,
        })
    }

    /// The word to write in a `# TYPE` line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            MetricType::Counter => "counter",
            MetricType::Gauge => "gauge",
            MetricType::Histogram => "histogram",
            MetricType::Summary => "summary",
            MetricType::Untyped => "untyped",
        }
    }
}

/// Why Prometheus would refuse a line, and with it the whole scrape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// The metric name is missing or has an illegal character.
    BadName,
    /// The label set is not `{name="value",…}`.
    BadLabels,
    /// A label name occurs twice.
    DuplicateLabel,
    /// A label value or help text is not UTF-8.
    BadUtf8,
    /// The value is not a number.
    BadValue,
    /// The timestamp is not a whole number of milliseconds, or something follows it.
    BadTimestamp,
    /// A `# HELP` or `# TYPE` line without a legal name, or with an unknown type.
    BadHeader,
    /// The body ends inside a label value.
    Unterminated,
}

impl Flaw {
    /// The flaw as a metric label value.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Flaw::BadName => "bad_name",
            Flaw::BadLabels => "bad_labels",
            Flaw::DuplicateLabel => "duplicate_label",
            Flaw::BadUtf8 => "bad_utf8",
            Flaw::BadValue => "bad_value",
            Flaw::BadTimestamp => "bad_timestamp",
            Flaw::BadHeader => "bad_header",
            Flaw::Unterminated => "unterminated",
        }
    }
}

/// `[a-zA-Z_:]`: the bytes that may begin a metric name. Label names may not contain the colon.
fn is_name_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte == b':'
}

/// Bytes that may go on in a metric name.
fn is_name_byte(byte: u8) -> bool {
    is_name_start(byte) || byte.is_ascii_digit()
}
