//! A slow and simple parser of the text exposition format.
//!
//! It follows the specification and the text parser of Prometheus, and shares no code with `src/`.
//! There is one function for each rule of the grammar, and every value is copied. Where Prometheus
//! would refuse a line, and with it the scrape, the line and the reason are in
//! [`Exposition::refused`], and reading continues after the first newline of the line, so that an
//! unclosed quote costs only one line.
//!
//! `tests/external/verdicts.rs` compares its verdicts with a real Prometheus.

use std::collections::BTreeMap;
use std::fmt;

/// Why Prometheus would refuse a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Refusal {
    /// Not a metric name, a comment or a blank where a line starts.
    LineStart,
    /// `# HELP ` or `# TYPE ` without a metric name.
    HeaderName,
    /// A TYPE other than the five, in lower case, without trailing blanks.
    MetricType,
    /// HELP text that is not UTF-8.
    HelpNotUtf8,
    /// Text other than `name="value"` between the braces, or no closing brace.
    Labels,
    /// A label value that is not UTF-8.
    LabelNotUtf8,
    /// A label name twice in one sample, or `__name__` among the labels.
    DuplicateLabel,
    /// No value, or not a number.
    Value,
    /// Text after the value that is not a timestamp in digits, or text after the timestamp.
    Timestamp,
}

/// A line that Prometheus would refuse.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Refused {
    /// Number of the line, from 1.
    pub(crate) line: usize,
    /// The line up to its first newline.
    pub(crate) raw: Vec<u8>,
    /// Why.
    pub(crate) why: Refusal,
}

/// One name with one label set. Labels with an empty value are absent, as they are in Prometheus.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Series {
    /// The metric name.
    pub(crate) name: String,
    /// The labels.
    pub(crate) labels: BTreeMap<String, String>,
}

impl Series {
    /// A series from literals, for expectations.
    pub(crate) fn new(name: &str, labels: &[(&str, &str)]) -> Self {
        let labels = labels.iter().filter(|(_, value)| !value.is_empty());
        Series {
            name: name.to_owned(),
            labels: labels.map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
        }
    }

    /// The value of a label; absent and empty are one.
    pub(crate) fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }

    /// The same without these labels.
    pub(crate) fn without(&self, names: &[&str]) -> Self {
        let mut series = self.clone();
        series.labels.retain(|name, _| !names.contains(&name.as_str()));
        series
    }

    /// The same under another name.
    pub(crate) fn named(&self, name: &str) -> Self {
        Series { name: name.to_owned(), labels: self.labels.clone() }
    }

    /// The same with a label more.
    pub(crate) fn with(&self, name: &str, value: &str) -> Self {
        let mut series = self.clone();
        if !value.is_empty() {
            series.labels.insert(name.to_owned(), value.to_owned());
        }
        series
    }
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name)?;
        if self.labels.is_empty() {
            return Ok(());
        }
        let labels: Vec<String> = self.labels.iter().map(|(n, v)| format!("{n}={v:?}")).collect();
        write!(f, "{{{}}}", labels.join(","))
    }
}

/// One sample, unchanged.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sample {
    /// The metric name.
    pub(crate) name: String,
    /// The labels in their order, values unescaped, empty ones included.
    pub(crate) labels: Vec<(String, String)>,
    /// The value.
    pub(crate) value: f64,
    /// The value as it is spelled.
    pub(crate) value_text: String,
    /// Milliseconds, where there are some.
    pub(crate) timestamp: Option<i64>,
    /// Some name was quoted: only Prometheus 3 reads that.
    pub(crate) quoted: bool,
    /// The bytes of the line without its newline.
    pub(crate) raw: Vec<u8>,
    /// Number of the line, from 1.
    pub(crate) line: usize,
}

impl Sample {
    /// Name and labels, as Prometheus identifies them.
    pub(crate) fn series(&self) -> Series {
        let mut labels: BTreeMap<String, String> = self.labels.iter().cloned().collect();
        for name in emptied(&self.labels) {
            labels.remove(name);
        }
        Series { name: self.name.clone(), labels }
    }
}

/// One line, in the order of the body.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Item {
    /// `# HELP name text`, unescaped.
    Help(String, String),
    /// `# TYPE name type`.
    Type(String, String),
    /// Any other comment.
    Comment,
    /// An empty line, or blanks alone.
    Blank,
    /// A sample.
    Sample(Sample),
    /// A line that Prometheus would refuse.
    Refused(Refused),
    /// A NUL where a token of a line or comment starts: Prometheus treats it as the end of the
    /// body.
    End,
}

/// A body, read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Exposition {
    /// Its lines with their raw bytes (newline included where there was one), in order.
    pub(crate) lines: Vec<(Item, Vec<u8>)>,
}

impl Exposition {
    /// The samples, in order.
    pub(crate) fn samples(&self) -> impl Iterator<Item = &Sample> {
        self.lines.iter().filter_map(|(item, _)| match item {
            Item::Sample(sample) => Some(sample),
            _ => None,
        })
    }

    /// The lines that Prometheus would refuse, in order.
    pub(crate) fn refused(&self) -> Vec<&Refused> {
        let refused = self.lines.iter().filter_map(|(item, _)| match item {
            Item::Refused(refused) => Some(refused),
            _ => None,
        });
        refused.collect()
    }

    /// The series that Prometheus would store: of equal series the first.
    pub(crate) fn stored(&self) -> BTreeMap<Series, f64> {
        let mut stored = BTreeMap::new();
        for sample in self.samples() {
            stored.entry(sample.series()).or_insert(sample.value);
        }
        stored
    }

    /// The metric type of each family; of several the last.
    pub(crate) fn types(&self) -> BTreeMap<String, String> {
        let types = self.lines.iter().filter_map(|(item, _)| match item {
            Item::Type(name, kind) => Some((name.clone(), kind.clone())),
            _ => None,
        });
        types.collect()
    }

    /// The help text of each family; of several the last.
    pub(crate) fn helps(&self) -> BTreeMap<String, String> {
        let helps = self.lines.iter().filter_map(|(item, _)| match item {
            Item::Help(name, text) => Some((name.clone(), text.clone())),
            _ => None,
        });
        helps.collect()
    }

    /// The family that a sample's name belongs to, by the types that the body declares.
    pub(crate) fn family_of(&self, name: &str) -> String {
        family_of(&self.types(), name)
    }
}

/// The family that a sample's name belongs to: its own, or that of a histogram or summary it is
/// part of.
pub(crate) fn family_of(types: &BTreeMap<String, String>, name: &str) -> String {
    for suffix in ["_bucket", "_sum", "_count"] {
        let Some(family) = name.strip_suffix(suffix) else {
            continue;
        };
        match types.get(family).map(String::as_str) {
            Some("histogram") => return family.to_owned(),
            Some("summary") if suffix != "_bucket" => return family.to_owned(),
            _ => {}
        }
    }
    name.to_owned()
}

/// Reads a body.
pub(crate) fn parse(body: &[u8]) -> Exposition {
    let mut exposition = Exposition::default();
    let mut at = 0;
    let mut line = 1;
    while at < body.len() {
        let mut cursor = Cursor { bytes: body, at };
        let item = match parse_line(&mut cursor) {
            Ok(item) => item,
            Err(why) => {
                let first_newline = body[at..].iter().position(|&b| b == b'\n');
                cursor.at = first_newline.map_or(body.len(), |n| at + n + 1);
                let raw = without_newline(&body[at..cursor.at]).to_vec();
                Item::Refused(Refused { line, raw, why })
            }
        };
        let raw = body[at..cursor.at].to_vec();
        let item = match item {
            Item::Sample(sample) => {
                Item::Sample(Sample { raw: without_newline(&raw).to_vec(), line, ..sample })
            }
            other => other,
        };
        at = cursor.at;
        line += raw.split(|&b| b == b'\n').count() - 1;
        let end = item == Item::End;
        exposition.lines.push((item, raw));
        if end {
            break;
        }
    }
    exposition
}

/// The labels that a set does not have because an empty value removes, at any position.
fn emptied(labels: &[(String, String)]) -> Vec<&str> {
    labels.iter().filter(|(_, value)| value.is_empty()).map(|(name, _)| name.as_str()).collect()
}

fn without_newline(raw: &[u8]) -> &[u8] {
    raw.strip_suffix(b"\n").unwrap_or(raw)
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn take_while(&mut self, wanted: impl Fn(u8) -> bool) -> &'a [u8] {
        let start = self.at;
        while self.peek().is_some_and(&wanted) {
            self.at += 1;
        }
        &self.bytes[start..self.at]
    }

    fn blanks(&mut self) -> &'a [u8] {
        self.take_while(|b| b == b' ' || b == b'\t')
    }

    fn rest_of_line(&mut self) -> &'a [u8] {
        self.take_while(|b| b != b'\n')
    }

    /// A name: a letter, `_` (or `:` in a metric name) first, digits allowed later.
    fn name(&mut self, colons: bool) -> &'a [u8] {
        let first = |b: u8| b.is_ascii_alphabetic() || b == b'_' || (colons && b == b':');
        if self.peek().is_some_and(first) {
            self.take_while(|b| first(b) || b.is_ascii_digit())
        } else {
            &[]
        }
    }

    /// The end of a line: a newline, or the end of the body (Prometheus appends the newline there).
    fn end_of_line(&mut self) -> bool {
        match self.peek() {
            None => true,
            Some(b'\n') => {
                self.at += 1;
                true
            }
            Some(_) => false,
        }
    }

    /// The text between two quotes, with its escapes. Raw newlines are part of it, except after a
    /// backslash.
    fn quoted(&mut self) -> Option<&'a [u8]> {
        if self.peek() != Some(b'"') {
            return None;
        }
        let start = self.at + 1;
        let mut at = start;
        loop {
            match self.bytes.get(at)? {
                b'"' => break,
                b'\\' if *self.bytes.get(at + 1)? == b'\n' => return None,
                b'\\' => at += 2,
                _ => at += 1,
            }
        }
        self.at = at + 1;
        Some(&self.bytes[start..at])
    }
}

fn parse_line(cursor: &mut Cursor<'_>) -> Result<Item, Refusal> {
    let indented = !cursor.blanks().is_empty();
    match cursor.peek() {
        None => Ok(Item::Blank),
        Some(b'\n') => {
            cursor.at += 1;
            Ok(Item::Blank)
        }
        Some(0) => Ok(Item::End),
        Some(b'#') => parse_comment(cursor),
        // Prometheus reads the blanks as part of the name, and then refuses the name.
        Some(_) if indented => Err(Refusal::LineStart),
        Some(_) => parse_sample(cursor),
    }
}

fn parse_comment(cursor: &mut Cursor<'_>) -> Result<Item, Refusal> {
    cursor.at += 1;
    let spaced = !cursor.blanks().is_empty();
    let rest = &cursor.bytes[cursor.at..];
    let keyword = [&b"HELP"[..], b"TYPE"].into_iter().find(|word| {
        let after = rest.get(word.len());
        rest.starts_with(word) && matches!(after, Some(b' ' | b'\t'))
    });
    let Some(keyword) = keyword.filter(|_| spaced) else {
        let comment = cursor.rest_of_line();
        let end = if spaced { comment.first() == Some(&0) } else { comment.contains(&0) };
        cursor.end_of_line();
        return Ok(if end { Item::End } else { Item::Comment });
    };

    cursor.at += keyword.len();
    cursor.blanks();
    let name = match cursor.quoted() {
        Some(name) => name.escape_ascii().to_string(), // since 3.0
        None => match cursor.name(true) {
            b"" => return Err(Refusal::HeaderName),
            name => text(name),
        },
    };
    let after = cursor.rest_of_line();
    cursor.end_of_line();
    // One byte separates name and text. Blanks alone are no text.
    let only_blanks = after.iter().all(|&b| b == b' ' || b == b'\t');
    let words = if only_blanks { &[][..] } else { &after[1..] };
    if keyword == b"HELP" {
        let words = std::str::from_utf8(words).map_err(|_| Refusal::HelpNotUtf8)?;
        return Ok(Item::Help(name, unescape(words, "\\n")));
    }
    match words {
        b"counter" | b"gauge" | b"histogram" | b"summary" | b"untyped" => {
            Ok(Item::Type(name, text(words)))
        }
        _ => Err(Refusal::MetricType),
    }
}

fn parse_sample(cursor: &mut Cursor<'_>) -> Result<Item, Refusal> {
    let mut name = text(cursor.name(true));
    let mut labels = Vec::new();
    let mut quoted = false;
    if name.is_empty() && cursor.peek() != Some(b'{') {
        return Err(Refusal::LineStart);
    }
    cursor.blanks();
    if cursor.peek() == Some(b'{') {
        cursor.at += 1;
        parse_labels(cursor, &mut name, &mut labels, &mut quoted)?;
        cursor.blanks();
    }
    if name.is_empty() {
        return Err(Refusal::LineStart);
    }
    let emptied = emptied(&labels);
    let mut seen: Vec<&str> = vec!["__name__"];
    for (label, _) in labels.iter().filter(|(label, _)| !emptied.contains(&label.as_str())) {
        if seen.contains(&label.as_str()) {
            return Err(Refusal::DuplicateLabel);
        }
        seen.push(label);
    }

    let value_text = cursor.take_while(|b| !matches!(b, b'{' | b' ' | b'\t' | b'\n'));
    let value = parse_value(value_text).ok_or(Refusal::Value)?;
    let value_text = text(value_text);
    cursor.blanks();
    let digits = cursor.take_while(|b| b.is_ascii_digit());
    let timestamp = match digits {
        b"" => None,
        digits => Some(text(digits).parse().map_err(|_| Refusal::Timestamp)?),
    };
    cursor.blanks();
    if !cursor.end_of_line() {
        return Err(Refusal::Timestamp);
    }
    let (raw, line) = (Vec::new(), 0); // filled in by `parse`, which knows the extent
    Ok(Item::Sample(Sample { name, labels, value, value_text, timestamp, quoted, raw, line }))
}

/// Reads up to the closing brace. Commas may be missing or trail, as Prometheus reads it.
fn parse_labels(
    cursor: &mut Cursor<'_>,
    name: &mut String,
    labels: &mut Vec<(String, String)>,
    quoted: &mut bool,
) -> Result<(), Refusal> {
    loop {
        cursor.blanks();
        if cursor.peek() == Some(b'}') {
            cursor.at += 1;
            return Ok(());
        }
        let (label, in_quotes) = match cursor.quoted() {
            Some(label) => (label_text(label)?, true),
            None => (text(cursor.name(false)), false),
        };
        *quoted |= in_quotes;
        cursor.blanks();
        if cursor.peek() == Some(b'=') && !label.is_empty() {
            cursor.at += 1;
            cursor.blanks();
            let value = cursor.quoted().ok_or(Refusal::Labels)?;
            labels.push((label, label_text(value)?));
        } else if in_quotes && name.is_empty() && matches!(cursor.peek(), Some(b',' | b'}')) {
            *name = label;
        } else {
            return Err(Refusal::Labels);
        }
        cursor.blanks();
        if cursor.peek() == Some(b',') {
            cursor.at += 1;
        }
    }
}

fn label_text(raw: &[u8]) -> Result<String, Refusal> {
    let raw = std::str::from_utf8(raw).map_err(|_| Refusal::LabelNotUtf8)?;
    Ok(unescape(raw, "\\\"n"))
}

/// Undoes escapes of the characters in `known`; any other escape is kept.
fn unescape(raw: &str, known: &str) -> String {
    let mut plain = String::new();
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            plain.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => plain.push('\n'),
            Some(c) if known.contains(c) => plain.push(c),
            Some(c) => plain.extend(['\\', c]),
            None => plain.push('\\'),
        }
    }
    plain
}

/// Go's floats without hexadecimal, underscores, signed NaN and numbers out of range.
fn parse_value(raw: &[u8]) -> Option<f64> {
    let word = std::str::from_utf8(raw).ok()?;
    let unsigned = word.strip_prefix(['+', '-']).unwrap_or(word).to_ascii_lowercase();
    match unsigned.as_str() {
        "nan" => (word.len() == 3).then_some(f64::NAN),
        "inf" | "infinity" => word.parse().ok(),
        _ => word.parse().ok().filter(|value: &f64| value.is_finite()),
    }
}

fn text(ascii: &[u8]) -> String {
    ascii.iter().map(|&b| char::from(b)).collect()
}
