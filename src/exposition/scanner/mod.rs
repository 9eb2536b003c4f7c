//! Scans lines, comparing each sample with the one before it.
//!
//! Adjacent samples of an exposition are nearly equal: in a histogram everything up to the `le`
//! value is the same. The [`Scanner`] stores the last sample and the offsets of its parts, and
//! reads only the part of the next sample after the first label that differs. Checking every byte
//! the way Prometheus does therefore costs about as much as copying it.

mod scan;

use super::token::{Stop, byte, common_prefix, exemplar, quoted, skip_blanks};
use super::word::{end_of_usual_text, same, short_integer};
use super::{Flaw, Format, LabelSpan, Span, header, is_name_byte, is_name_start, number};

pub use scan::{Alike, PlainSample, Sample, Scan};

/// No exporter writes a number with more characters, with the newline after it.
const LONGEST_NUMBER: usize = 32;

/// Scans an exposition line by line.
///
/// ```
/// use crossfade::exposition::{Format, HeaderKind, MetricType, Scan, Scanner};
///
/// let body = b"# TYPE up gauge\nup{job=\"a\"} 1\nup{job=\"b\"} 0\n";
/// let mut scanner = Scanner::new(1024, 16, Format::Text);
/// let mut rest = &body[..];
/// let mut jobs = Vec::new();
/// while !rest.is_empty() {
///     let len = match scanner.scan(rest) {
///         Scan::Sample(sample) => {
///             assert_eq!(scanner.name().of(rest), b"up");
///             jobs.push((scanner.labels()[0].value.of(rest), scanner.value().of(rest)));
///             sample.len
///         }
///         Scan::Header { header, len } => {
///             assert_eq!(header.kind, HeaderKind::Type(MetricType::Gauge));
///             len
///         }
///         other => panic!("unexpected: {other:?}"),
///     };
///     rest = &rest[len..];
/// }
/// assert_eq!(jobs, [(&b"a"[..], &b"1"[..]), (b"b", b"0")]);
/// ```
#[derive(Debug)]
pub struct Scanner {
    /// The last sample up to the value of its last label. Empty if the next sample cannot be
    /// compared with it.
    last: Vec<u8>,
    name: Span,
    quoted_name: bool,
    labels: Vec<LabelSpan>,
    labels_end: usize,
    value: Span,
    timestamp: Option<i64>,
    format: Format,
    max_line: usize,
    max_labels: usize,
}

impl Scanner {
    /// A scanner for this format that refuses lines longer than `max_line` bytes and samples with
    /// more than `max_labels` labels.
    #[must_use]
    pub fn new(max_line: usize, max_labels: usize, format: Format) -> Self {
        Scanner {
            last: Vec::new(),
            name: Span::default(),
            quoted_name: false,
            labels: Vec::new(),
            labels_end: 0,
            value: Span::default(),
            timestamp: None,
            format,
            max_line: max_line.min(u32::MAX as usize - 1),
            max_labels,
        }
    }

    /// The last sample's metric name.
    #[must_use]
    pub fn name(&self) -> Span {
        self.name
    }

    /// True if the name was in quotes inside the braces (Prometheus 3).
    #[must_use]
    pub fn has_quoted_name(&self) -> bool {
        self.quoted_name
    }

    /// The last sample's labels, in order.
    #[must_use]
    pub fn labels(&self) -> &[LabelSpan] {
        &self.labels
    }

    /// The offset after the last sample's `}`, or after its name if it has no braces.
    #[must_use]
    pub fn labels_end(&self) -> usize {
        self.labels_end
    }

    /// The last sample's value.
    #[must_use]
    pub fn value(&self) -> Span {
        self.value
    }

    /// The last sample's timestamp, in milliseconds since 1970.
    #[must_use]
    pub fn timestamp(&self) -> Option<i64> {
        self.timestamp
    }

    /// Clears the stored sample, so that the next one is read as if it were the first.
    pub fn forget(&mut self) {
        self.last.clear();
    }

    /// Finds the parts of the first line of `input` if it is a plain sample that differs from the
    /// previous one only in the value of its last label and in its own value. Otherwise returns
    /// `None`, and [`scan`](Self::scan) must read the line.
    ///
    /// The line does not become the last one: the offsets that the scanner has are not its own.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "called in the loops that read nearly every line")]
    #[must_use]
    pub fn alike(&self, input: &[u8]) -> Option<Alike> {
        let from = self.last_label(input)?;
        let close = end_of_usual_text(input, from);
        let start = close + 3;
        if input.get(close..start)? != b"\"} " {
            return None;
        }
        let (value, len) = self.plain_value(input, start)?;
        Some(Alike { len, label: Span::new(from, close), value })
    }

    /// Where the value of the last label begins, if everything before it is as in the previous sample.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "called in the loops that read nearly every line")]
    #[must_use]
    pub fn last_label(&self, input: &[u8]) -> Option<usize> {
        let same = !self.last.is_empty() && input.starts_with(&self.last);
        same.then_some(self.last.len())
    }

    /// The value at an offset in the first line of `input`, and the length of the line, if the line
    /// ends after the value and is not too long. The value is an integer of at most 15 digits.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "called in the loops that read nearly every line")]
    #[must_use]
    pub fn plain_value(&self, input: &[u8], at: usize) -> Option<(f64, usize)> {
        let (value, end) = short_integer(input, at)?;
        let is_whole = *input.get(end)? == b'\n' && end <= self.max_line;
        is_whole.then_some((value, end + 1))
    }

    /// Reads the first line of `input` if it is a sample with this name and these labels, which must be
    /// those of a sample that was read, and nothing but a value follows. Otherwise returns `None`, and
    /// [`scan`](Self::scan) must read the line.
    ///
    /// The line does not become the last one: the offsets that the scanner has are not its own.
    #[inline]
    #[must_use]
    pub fn sample_of_series(
        &self,
        input: &[u8],
        name: &[u8],
        labels: &[u8],
    ) -> Option<PlainSample> {
        let open = name.len();
        let start = open + 1 + labels.len() + 2;
        let is_same = input.get(open..open + 1)? == b"{"
            && input.get(start - 2..start)? == b"} "
            && input[..open] == *name
            && input[open + 1..start - 2] == *labels;
        if !is_same {
            return None;
        }
        let (value, end) = match short_integer(input, start) {
            Some((value, end)) if input.get(end) == Some(&b'\n') => (value, end),
            _ => {
                let rest = &input[start..input.len().min(start + LONGEST_NUMBER)];
                let end = memchr::memchr(b'\n', rest)?;
                (number::parse_number(&rest[..end])?, start + end)
            }
        };
        (end <= self.max_line).then_some(PlainSample { len: end + 1, value })
    }

    /// Reads the first line of `input` if it is [`alike`](Self::alike).
    #[inline]
    pub fn scan_alike(&mut self, input: &[u8]) -> Option<Sample> {
        let Alike { len, label, value } = self.alike(input)?;
        let last = self.labels.last_mut()?;
        (last.value, last.odd) = (label, false);
        self.labels_end = label.end() + 2;
        self.value = Span::new(self.labels_end + 1, len - 1);
        self.timestamp = None;
        Some(Sample { len, shared: self.labels.len(), value })
    }

    /// Reads the first line of `input`.
    ///
    /// Headers and comments do not affect the comparison with the last sample. A prefix of the same
    /// input gives either [`Scan::Incomplete`] or the same result.
    pub fn scan(&mut self, input: &[u8]) -> Scan {
        // A line may have max_line bytes and a newline.
        let window = &input[..input.len().min(self.max_line + 1)];
        match self.sample(window) {
            Ok(sample) => Scan::Sample(sample),
            Err(stop) => self.other(window, input.len(), stop),
        }
    }

    /// Classifies a line that is not a sample.
    #[cold]
    fn other(&mut self, window: &[u8], available: usize, stop: Stop) -> Scan {
        let newline = memchr::memchr(b'\n', window);
        let unfinished = if available > self.max_line { Scan::TooLong } else { Scan::Incomplete };
        let start = window.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
        match (window.get(start), newline) {
            (Some(b'#'), Some(newline)) => {
                match header::parse(&window[..newline], start, self.format) {
                    Ok(Some(header)) => Scan::Header { header, len: newline + 1 },
                    Ok(None) => Scan::Comment { len: newline + 1 },
                    Err(flaw) => Scan::Flawed { len: newline + 1, flaw },
                }
            }
            (Some(b'\n'), _) => Scan::Comment { len: start + 1 },
            (_, newline) => {
                let scan = match (stop, newline) {
                    (Stop::Flaw(flaw), Some(newline)) => Scan::Flawed { len: newline + 1, flaw },
                    (Stop::TooManyLabels, _) => Scan::TooManyLabels,
                    // A quote that is not closed within a legal line: the line ends where it ends.
                    (Stop::Incomplete, Some(newline)) if available > self.max_line => {
                        Scan::Flawed { len: newline + 1, flaw: Flaw::Unterminated }
                    }
                    _ => unfinished,
                };
                self.last.clear();
                scan
            }
        }
    }

    /// Reads a sample, starting at the first label that differs from the last sample.
    fn sample(&mut self, line: &[u8]) -> Result<Sample, Stop> {
        let common = common_prefix(line, &self.last);
        let labels = self.labels.len();
        // The last label whose value begins inside the common prefix, or directly after it.
        let resumed = if self.last.is_empty() {
            None
        } else {
            self.labels.iter().rposition(|label| label.value.start() <= common)
        };
        let (at, mut shared) = match resumed {
            Some(index) => (self.labels_from_value(line, index)?, index + 1),
            None => (self.name_and_labels(line)?, 0),
        };
        if self.labels.len() != labels {
            shared = shared.saturating_sub(1);
        }
        let (len, value) = self.value_and_rest(line, at)?;
        self.last.clear();
        // The parts of a line whose name comes after labels cannot be compared one by one.
        let name_first = self.labels.first().is_none_or(|l| l.name.start() > self.name.start());
        if let Some(label) = self.labels.last().filter(|_| name_first) {
            self.last.extend_from_slice(&line[..label.value.start()]);
        }
        Ok(Sample { len, shared, value })
    }

    fn name_and_labels(&mut self, line: &[u8]) -> Result<usize, Stop> {
        let mut at = 0;
        // The caller handles comments and blank lines. A leading blank is a flaw: Prometheus reads
        // it as part of the name.
        let first = byte(line, at)?;
        if matches!(first, b'#' | b' ' | b'\t' | b'\n') {
            return Err(Flaw::BadName.into());
        }
        // The parts read below are no longer those of the last sample.
        self.last.clear();
        self.labels.clear();
        self.quoted_name = first == b'{';
        if self.quoted_name {
            self.name = Span::default();
            return self.labels_from_name(line, at + 1);
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
            // A value directly after the name: Prometheus accepts it, but it is surely a mistake.
            _ if open == at => Err(Flaw::BadName.into()),
            _ => Ok(open),
        }
    }

    fn close(&mut self, brace: usize) -> Result<usize, Stop> {
        if self.name.start() == self.name.end() {
            return Err(Flaw::BadName.into());
        }
        self.labels_end = brace + 1;
        Ok(brace + 1)
    }

    /// A quoted text without a value is the metric name, at any place between the braces. Returns
    /// where the next label is expected.
    fn take_quoted_name(&mut self, line: &[u8], name: Span, after: usize) -> Result<usize, Stop> {
        if !self.quoted_name || self.name.start() < self.name.end() {
            return Err(Flaw::BadLabels.into());
        }
        self.name = name;
        Ok(if line[after] == b',' { after + 1 } else { after })
    }

    /// Reads labels, starting where a name or the closing brace is expected.
    fn labels_from_name(&mut self, line: &[u8], mut at: usize) -> Result<usize, Stop> {
        loop {
            at = skip_blanks(line, at);
            let mut is_quoted = false;
            let name = match byte(line, at)? {
                b'}' => return self.close(at),
                b'"' => {
                    let (span, _, next) = quoted(line, at + 1)?;
                    if span.start() == span.end() {
                        return Err(Flaw::BadLabels.into());
                    }
                    let after = skip_blanks(line, next);
                    if matches!(byte(line, after)?, b',' | b'}') {
                        at = self.take_quoted_name(line, span, after)?;
                        continue;
                    }
                    let whole = Span::new(at, next);
                    at = next;
                    is_quoted = true;
                    // Only a name that needs them is written with its quotes.
                    if is_label_name(span.of(line)) { span } else { whole }
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
            self.labels.push(LabelSpan { name, value, odd: odd || is_quoted });
            match self.after_value(line, next)? {
                After::Label(next) => at = next,
                After::Closed(next) => return Ok(next),
            }
        }
    }

    /// Reads labels, starting at the value of the label with this index.
    #[inline]
    fn labels_from_value(&mut self, line: &[u8], mut index: usize) -> Result<usize, Stop> {
        let mut start = self.labels[index].value.start();
        let next = loop {
            let label = &mut self.labels[index];
            let was = label.value.end();
            let next;
            (label.value, label.odd, next) = quoted(line, start)?;
            let is = label.value.end();
            index += 1;
            let (last, following) = (self.labels.len() - 1, self.labels.get_mut(index));
            let Some(following) = following else { break next };
            // Usually the same labels follow at other offsets: all values are the same, or only
            // those after the next one.
            let others = &self.last[was..];
            let between = &self.last[was..following.value.start()];
            if index < last && line[is..].starts_with(others) {
                for label in &mut self.labels[index..] {
                    label.name = label.name.moved(was, is);
                    label.value = label.value.moved(was, is);
                }
                (index, start) = (last, is + others.len());
            } else if line[is..].get(..between.len()).is_some_and(|its| same(its, between)) {
                following.name = following.name.moved(was, is);
                start = is + between.len();
            } else {
                self.labels.truncate(index);
                break next;
            }
        };
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
            b'}' => Ok(After::Closed(self.close(at)?)),
            // Prometheus accepts labels without a comma between them.
            b'"' => Ok(After::Label(at)),
            next if is_name_start(next) => Ok(After::Label(at)),
            _ => Err(Flaw::BadLabels.into()),
        }
    }

    /// Reads value, timestamp and exemplar. Returns the length of the line, and the value.
    #[inline]
    fn value_and_rest(&mut self, line: &[u8], at: usize) -> Result<(usize, f64), Stop> {
        let start = skip_blanks(line, at);
        self.timestamp = None;
        if let Some((value, end)) = short_integer(line, start)
            && byte(line, end)? == b'\n'
        {
            self.value = Span::new(start, end);
            return Ok((end + 1, value));
        }
        let mut end = start;
        while !matches!(byte(line, end)?, b' ' | b'\t' | b'\n') {
            end += 1;
        }
        let value = number::parse_number(&line[start..end]).ok_or(Flaw::BadValue)?;
        self.value = Span::new(start, end);
        Ok((self.timestamp_and_rest(line, end)?, value))
    }

    fn timestamp_and_rest(&mut self, line: &[u8], at: usize) -> Result<usize, Stop> {
        let mut at = skip_blanks(line, at);
        let start = at;
        while !matches!(byte(line, at)?, b' ' | b'\t' | b'\n' | b'#') {
            at += 1;
        }
        if at > start {
            let timestamp = number::parse_timestamp(&line[start..at], self.format);
            self.timestamp = Some(timestamp.ok_or(Flaw::BadTimestamp)?);
            at = skip_blanks(line, at);
        }
        match byte(line, at)? {
            b'\n' => Ok(at + 1),
            b'#' if self.format == Format::OpenMetrics => exemplar(line, at + 1),
            _ => Err(Flaw::BadTimestamp.into()),
        }
    }
}

/// Whether a label name needs no quotes.
fn is_label_name(name: &[u8]) -> bool {
    name.iter().all(|&byte| is_name_byte(byte) && byte != b':') && is_name_start(name[0])
}

enum After {
    Label(usize),
    Closed(usize),
}

#[cfg(test)]
mod tests;
