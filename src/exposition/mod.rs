//! The Prometheus text exposition format: one line's grammar, numbers, label values.
//!
//! A [`Scanner`] finds the parts of each line and checks whether Prometheus would accept it;
//! nothing is copied or unescaped. Rules and families are in other modules.
//!
//! The grammar is that of Prometheus' own text parser
//! (`prometheus/prometheus:model/textparse/promparse.go`), which is a little wider than the
//! documented format: blanks are allowed between any two tokens, a label value may contain a raw
//! newline, names may be quoted.

mod header;
mod label;
mod number;
mod scanner;
mod span;
mod token;
mod word;

pub use header::{Header, HeaderKind};
pub use label::{HashSeed, LabelHasher, unescaped, write_escaped, write_value};
pub(crate) use number::short_integer_text;
pub use number::{parse_number, write_number};
pub use scanner::{Alike, PlainSample, Sample, Scan, Scanner};
pub use span::{LabelSpan, Span};
pub(crate) use word::{end_of_plain_text, same};

/// Which of the two text formats an exposition is in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// The Prometheus text format, `text/plain; version=0.0.4`: timestamps are whole milliseconds.
    #[default]
    Text,
    /// `application/openmetrics-text`: timestamps are seconds, exemplars may follow values, headers
    /// name a counter without `_total`, and `# EOF` is the last line.
    OpenMetrics,
}

impl Format {
    /// The format of a whole body without a content type: `# EOF` ends every body in `OpenMetrics`.
    ///
    /// ```
    /// use crossfade::exposition::Format;
    ///
    /// assert_eq!(Format::of_body(b"hits_total 1\n# EOF\n"), Format::OpenMetrics);
    /// assert_eq!(Format::of_body(b"hits_total 1\n"), Format::Text);
    /// ```
    #[must_use]
    pub fn of_body(body: &[u8]) -> Format {
        let last = body.trim_ascii_end().rsplit(|byte| *byte == b'\n').next();
        if last == Some(b"# EOF") { Format::OpenMetrics } else { Format::Text }
    }
}

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
    /// `untyped`, in `OpenMetrics` `unknown`
    Untyped,
    /// `info`, only in `OpenMetrics`.
    Info,
    /// `stateset` or `gaugehistogram`, only in `OpenMetrics`. No rule reads them as such.
    Other,
}

impl MetricType {
    /// Parses the type in a `# TYPE` line. As in Prometheus, only lower case is accepted.
    #[must_use]
    pub fn from_word(word: &[u8], format: Format) -> Option<Self> {
        Some(match word {
            b"unknown" if format == Format::OpenMetrics => MetricType::Untyped,
            b"info" if format == Format::OpenMetrics => MetricType::Info,
            b"stateset" | b"gaugehistogram" if format == Format::OpenMetrics => MetricType::Other,
            b"counter" => MetricType::Counter,
            b"gauge" => MetricType::Gauge,
            b"histogram" => MetricType::Histogram,
            b"summary" => MetricType::Summary,
            b"untyped" => MetricType::Untyped,
            _ => return None,
        })
    }

    /// The type as written in a `# TYPE` line of the text format.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            MetricType::Counter => "counter",
            MetricType::Gauge => "gauge",
            MetricType::Histogram => "histogram",
            MetricType::Summary => "summary",
            MetricType::Untyped | MetricType::Info | MetricType::Other => "untyped",
        }
    }

    /// The type as written in a `# TYPE` line of this format.
    #[must_use]
    pub fn word(self, format: Format) -> &'static str {
        match (self, format) {
            (MetricType::Info, Format::OpenMetrics) => "info",
            (MetricType::Untyped | MetricType::Other, Format::OpenMetrics) => "unknown",
            _ => self.as_str(),
        }
    }
}

/// Why Prometheus would refuse a line, and therefore the whole scrape.
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
    /// The timestamp is not a whole number of milliseconds, or has text after it.
    BadTimestamp,
    /// A `# HELP` or `# TYPE` line without a legal name, or with an unknown type. In `OpenMetrics` also
    /// a unit that is no suffix of the name, and any other comment.
    BadHeader,
    /// The input ends inside a label value.
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

/// `[a-zA-Z_:]`: the bytes that a metric name can begin with. Label names cannot contain a colon.
fn is_name_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte == b':'
}

/// The bytes that a metric name can contain after the first.
fn is_name_byte(byte: u8) -> bool {
    is_name_start(byte) || byte.is_ascii_digit()
}
