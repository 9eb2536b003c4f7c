//! Lines, one after another, each compared with the sample before it.
//!
//! Neighbouring samples of an exposition are nearly equal: in a histogram everything up to the `le`
//! value is the same. The [`Scanner`] keeps the last sample and where its parts are; of the next one
//! it reads only what lies behind the first label that differs. That is what makes checking every
//! byte as Prometheus would about as cheap as copying it.

use super::token::{Stop, byte, common_prefix, exemplar, quoted, skip_blanks};
use super::{Flaw, Header, LabelSpan, Span, header, is_name_byte, is_name_start, number};

/// What a [`Scanner`] found at the start of its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scan {
    /// A sample. Its parts are with the scanner until the next call.
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
    /// A line that Prometheus would refuse. It ends at the first newline, even one between quotes:
    /// an open quote must not swallow the lines behind it.
    Flawed {
        /// Its length, newline included.
        len: usize,
        /// Why.
        flaw: Flaw,
    },
    /// The input ends within a line.
    Incomplete,
    /// The line is longer than the limit.
    TooLong,
    /// The sample has more labels than the limit.
    TooManyLabels,
}

/// A sample line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Its length, newline included.
    pub len: usize,
    /// How much it surely shares with the sample before: 0 nothing, 1 the name, 2 the first label
    /// too, and so on. As many as there are labels: all but the last label's value.
    pub shared: usize,
    /// The value, where it has at most 15 digits and nothing else.
    pub integer: Option<u64>,
}

/// Reads lines, each against the one before it.
#[derive(Debug)]
pub struct Scanner {
    /// The last sample, as it stood, up to where its last label's value begins. Empty where the next
    /// sample cannot be compared with it.
    last: Vec<u8>,
    name: Span,
    quoted_name: bool,
    labels: Vec<LabelSpan>,
    labels_end: usize,
    value: Span,
    exemplars: bool,
    max_line: usize,
    max_labels: usize,
}

/// Integers of up to so many digits are exact in a double, and cannot overflow on the way.
const MAX_DIGITS: usize = 15;

impl Scanner {
    /// A scanner that refuses lines over `max_line` bytes and samples over `max_labels` labels.
    ///
    /// `exemplars` says whether ` # {…} value` may follow a value: legal in `OpenMetrics`, and
    /// refused by Prometheus in a text exposition.
    #[must_use]
    pub fn new(max_line: usize, max_labels: usize, exemplars: bool) -> Self {
        Scanner {
            last: Vec::new(),
            name: Span::default(),
            quoted_name: false,
            labels: Vec::new(),
            labels_end: 0,
            value: Span::default(),
            exemplars,
            max_line: max_line.min(u32::MAX as usize - 1),
            max_labels,
        }
    }

    /// The last sample's metric name.
    #[must_use]
    pub fn name(&self) -> Span {
        self.name
    }

    /// Whether the name stood in quotes inside the braces (Prometheus 3).
    #[must_use]
    pub fn has_quoted_name(&self) -> bool {
        self.quoted_name
    }

    /// The last sample's labels, in order.
    #[must_use]
    pub fn labels(&self) -> &[LabelSpan] {
        &self.labels
    }

    /// Where the last sample's label set ends: behind its `}`, or behind the name without one.
    #[must_use]
    pub fn labels_end(&self) -> usize {
        self.labels_end
    }

    /// The last sample's value.
    #[must_use]
    pub fn value(&self) -> Span {
        self.value
    }

    /// Makes the next sample be read as if it were the first.
    pub fn forget(&mut self) {
        self.last.clear();
    }

    /// Reads the line that `input` begins with, if it is a sample that differs from the one before in
    /// its last label and its value alone, and has nothing unusual about it. `None` says nothing
    /// about the line: [`scan`](Self::scan) does.
    #[inline]
    pub fn scan_alike(&mut self, input: &[u8]) -> Option<Sample> {
        let from = self.last.len();
        if from == 0 || input.len() < from || input[..from] != *self.last {
            return None;
        }
        let mut close = from;
        loop {
            match *input.get(close)? {
                b'"' => break,
                b'\\' | b'\n' | 0x80.. => return None,
                _ => close += 1,
            }
        }
        let start = close + 3;
        if input.get(close + 1..start)? != b"} " {
            return None;
        }
        let mut integer = 0u64;
        let mut end = start;
        loop {
            let digit = input.get(end)?.wrapping_sub(b'0');
            if digit > 9 {
                break;
            }
            integer = integer.wrapping_mul(10).wrapping_add(u64::from(digit));
            end += 1;
        }
        let digits = end - start;
        if input[end] != b'\n' || digits == 0 || digits > MAX_DIGITS || end > self.max_line {
            return None;
        }
        let label = self.labels.last_mut()?;
        (label.value, label.odd) = (Span::new(from, close), false);
        self.labels_end = start - 1;
        self.value = Span::new(start, end);
        Some(Sample { len: end + 1, shared: self.labels.len(), integer: Some(integer) })
    }

    /// Reads the line that `input` begins with.
    ///
    /// Anything but a sample leaves the last sample in place for comparison. The same input cut
    /// shorter gives [`Scan::Incomplete`] or the same answer, never another one.
    pub fn scan(&mut self, input: &[u8]) -> Scan {
        // A line may have max_line bytes and a newline.
        let window = &input[..input.len().min(self.max_line + 1)];
        match self.sample(window) {
            Ok(sample) => Scan::Sample(sample),
            Err(stop) => self.other(window, input.len(), stop),
        }
    }

    /// Everything that is not a sample.
    #[cold]
    fn other(&mut self, window: &[u8], available: usize, stop: Stop) -> Scan {
        let newline = memchr::memchr(b'\n', window);
        let unfinished = if available > self.max_line { Scan::TooLong } else { Scan::Incomplete };
        let start = window.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
        match (window.get(start), newline) {
            (Some(b'#'), Some(newline)) => match header::parse(&window[..newline], start) {
                Ok(Some(header)) => Scan::Header { header, len: newline + 1 },
                Ok(None) => Scan::Comment { len: newline + 1 },
                Err(flaw) => Scan::Flawed { len: newline + 1, flaw },
            },
            (Some(b'\n'), _) => Scan::Comment { len: start + 1 },
            (_, newline) => {
                let scan = match (stop, newline) {
                    (Stop::Flaw(flaw), Some(newline)) => Scan::Flawed { len: newline + 1, flaw },
                    (Stop::TooManyLabels, _) => Scan::TooManyLabels,
                    _ => unfinished,
                };
                self.last.clear();
                scan
            }
        }
    }

    /// Reads a sample, from the first label on that differs from the last one's.
    fn sample(&mut self, line: &[u8]) -> Result<Sample, Stop> {
        let same = common_prefix(line, &self.last);
        let labels = self.labels.len();
        // The last label whose value begins within what is the same, or right behind it.
        let resumed = if self.last.is_empty() {
            None
        } else {
            self.labels.iter().rposition(|label| label.value.start() <= same)
        };
        let (at, mut shared) = match resumed {
            Some(index) => (self.labels_from_value(line, index)?, index + 1),
            None => (self.name_and_labels(line)?, 0),
        };
        if self.labels.len() != labels {
            shared = shared.saturating_sub(1);
        }
        let (end, integer) = self.value_and_rest(line, at)?;
        self.last.clear();
        if let Some(label) = self.labels.last() {
            self.last.extend_from_slice(&line[..label.value.start()]);
        }
        Ok(Sample { len: end, shared, integer })
    }

    fn name_and_labels(&mut self, line: &[u8]) -> Result<usize, Stop> {
        let mut at = 0;
        // Comments and blank lines are the caller's; they are no flaw. A blank in front is: Prometheus
        // takes it for a part of the name.
        let first = byte(line, at)?;
        if matches!(first, b'#' | b' ' | b'\t' | b'\n') {
            return Err(Flaw::BadName.into());
        }
        // The parts below no longer belong to it.
        self.last.clear();
        self.labels.clear();
        self.quoted_name = first == b'{';
        if self.quoted_name {
            at = skip_blanks(line, at + 1);
            if byte(line, at)? != b'"' {
                return Err(Flaw::BadName.into());
            }
            let (span, _, next) = quoted(line, at + 1)?;
            if span.start() == span.end() {
                return Err(Flaw::BadName.into());
            }
            self.name = span;
            at = skip_blanks(line, next);
            return match byte(line, at)? {
                b',' => self.labels_from_name(line, at + 1),
                b'}' => Ok(self.close(at)),
                _ => Err(Flaw::BadLabels.into()),
            };
        }
        if !is_name_start(first) {
            return Err(Flaw::BadName.into());
        }
        let start = at;
        while is_name_byte(byte(line, at)?) {
            at += 1;
        }
        self.name = Span::new(start, at);
        self.labels_end = at;
        let open = skip_blanks(line, at);
        match byte(line, open)? {
            b'{' => self.labels_from_name(line, open + 1),
            // A value that touches the name: Prometheus reads it, but nobody writes it on purpose.
            _ if open == at => Err(Flaw::BadName.into()),
            _ => Ok(open),
        }
    }

    fn close(&mut self, brace: usize) -> usize {
        self.labels_end = brace + 1;
        brace + 1
    }

    /// Reads labels from where a name or the closing brace is expected.
    fn labels_from_name(&mut self, line: &[u8], mut at: usize) -> Result<usize, Stop> {
        loop {
            at = skip_blanks(line, at);
            let name = match byte(line, at)? {
                b'}' => return Ok(self.close(at)),
                b'"' => {
                    let (span, _, next) = quoted(line, at + 1)?;
                    let whole = Span::new(at, next);
                    if span.start() == span.end() {
                        return Err(Flaw::BadLabels.into());
                    }
                    at = next;
                    whole
                }
                b':' => return Err(Flaw::BadLabels.into()),
                first if is_name_start(first) => {
                    let start = at;
                    while is_name_byte(byte(line, at)?) && line[at] != b':' {
                        at += 1;
                    }
                    Span::new(start, at)
                }
                _ => return Err(Flaw::BadLabels.into()),
            };
            at = skip_blanks(line, at);
            if byte(line, at)? != b'=' {
                return Err(Flaw::BadLabels.into());
            }
            at = skip_blanks(line, at + 1);
            if byte(line, at)? != b'"' {
                return Err(Flaw::BadLabels.into());
            }
            let is_name_itself = name.of(line) == b"__name__";
            if is_name_itself || self.labels.iter().any(|l| l.name.of(line) == name.of(line)) {
                return Err(Flaw::DuplicateLabel.into());
            }
            if self.labels.len() == self.max_labels {
                return Err(Stop::TooManyLabels);
            }
            let (value, odd, next) = quoted(line, at + 1)?;
            self.labels.push(LabelSpan { name, value, odd });
            match self.after_value(line, next)? {
                After::Label(next) => at = next,
                After::Closed(next) => return Ok(next),
            }
        }
    }

    /// Reads on from the value of the label with this index.
    #[inline]
    fn labels_from_value(&mut self, line: &[u8], index: usize) -> Result<usize, Stop> {
        let label = &mut self.labels[index];
        let was = label.value.end();
        let mut next;
        (label.value, label.odd, next) = quoted(line, label.value.start())?;
        let (is, behind) = (label.value.end(), index + 1);
        if behind < self.labels.len() {
            // Mostly one label differs, and those behind it are the same but for their place.
            let same = &self.last[was..];
            if line[is..].starts_with(same) {
                for label in &mut self.labels[behind..] {
                    label.name = label.name.moved(was, is);
                    label.value = label.value.moved(was, is);
                }
                let last = self.labels.last_mut().expect("one is behind the one that differs");
                (last.value, last.odd, next) = quoted(line, is + same.len())?;
            } else {
                self.labels.truncate(behind);
            }
        }
        match self.after_value(line, next)? {
            After::Label(next) => self.labels_from_name(line, next),
            After::Closed(next) => Ok(next),
        }
    }

    #[inline]
    fn after_value(&mut self, line: &[u8], at: usize) -> Result<After, Stop> {
        let at = skip_blanks(line, at);
        match byte(line, at)? {
            b',' => Ok(After::Label(at + 1)),
            b'}' => Ok(After::Closed(self.close(at))),
            _ => Err(Flaw::BadLabels.into()),
        }
    }

    /// Reads value, timestamp and exemplar; returns the line's length and a short integer value.
    #[inline]
    fn value_and_rest(&mut self, line: &[u8], at: usize) -> Result<(usize, Option<u64>), Stop> {
        let start = skip_blanks(line, at);
        let mut integer = 0u64;
        let mut end = start;
        loop {
            let byte = byte(line, end)?;
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                break;
            }
            integer = integer.wrapping_mul(10).wrapping_add(u64::from(digit));
            end += 1;
        }
        let digits = end - start;
        if (1..=MAX_DIGITS).contains(&digits) && line[end] == b'\n' {
            self.value = Span::new(start, end);
            return Ok((end + 1, Some(integer)));
        }
        while !matches!(byte(line, end)?, b' ' | b'\t' | b'\n') {
            end += 1;
        }
        let text = &line[start..end];
        if number::parse_number(text).is_none() {
            return Err(Flaw::BadValue.into());
        }
        self.value = Span::new(start, end);
        let end = self.timestamp_and_rest(line, end)?;
        let short = text.len() == digits && digits <= MAX_DIGITS;
        Ok((end, short.then_some(integer)))
    }

    fn timestamp_and_rest(&mut self, line: &[u8], at: usize) -> Result<usize, Stop> {
        let mut at = skip_blanks(line, at);
        let start = at;
        while byte(line, at)?.is_ascii_digit() {
            at += 1;
        }
        if at > start {
            let fits =
                std::str::from_utf8(&line[start..at]).is_ok_and(|t| t.parse::<i64>().is_ok());
            if !fits {
                return Err(Flaw::BadTimestamp.into());
            }
            at = skip_blanks(line, at);
        }
        match byte(line, at)? {
            b'\n' => Ok(at + 1),
            b'#' if self.exemplars && at > start.saturating_sub(1) => exemplar(line, at + 1),
            _ => Err(Flaw::BadTimestamp.into()),
        }
    }
}

enum After {
    Label(usize),
    Closed(usize),
}

#[cfg(test)]
mod tests;
