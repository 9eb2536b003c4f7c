//! Dumps of `promtool`: one sample per line, one series after the other.
//!
//! ```text
//! up{instance="kong:8100", job="kong"} 1 1700000000.123          dump-openmetrics
//! {__name__="up", instance="kong:8100", job="kong"} 1 1700000000123          dump
//! ```
//!
//! Label values are written as strings of Go. (`prometheus/prometheus:cmd/promtool/tsdb.go`, and
//! `Labels.String` in `model/labels`.)

use std::io::BufRead;

use super::lines::{Ignored, InputError, Lines};
use crate::exposition::{Format, HeaderKind, Scan, Scanner};
use crate::tools::backfill::labels::{LabelSet, MAX_LABELS};
use crate::tools::backfill::run::Backfill;

/// How the name is written in a dump of `promtool tsdb dump`.
const NAME: &[u8] = b"__name__=\"";

const EXPECTED: &str = "expected a line of `promtool tsdb dump-openmetrics`, of `promtool tsdb dump`, \
                        or of /api/v1/export of VictoriaMetrics";

/// The series of the last line. The next line usually has the same one.
#[derive(Default)]
struct Last {
    /// As the dump writes it.
    text: Vec<u8>,
    /// `None`: it is not needed.
    number: Option<u32>,
}

pub(super) fn read(
    lines: &mut Lines<'_, impl BufRead>,
    to: &mut Backfill,
) -> Result<Ignored, InputError> {
    let mut ignored = Ignored::default();
    let mut scanners = [Format::OpenMetrics, Format::Text]
        .map(|format| Scanner::new(usize::MAX, MAX_LABELS, format));
    let (mut last, mut has_end, mut is_open_metrics) = (Last::default(), false, false);
    let mut plain = Vec::new();
    while lines.advance()? {
        has_end = lines.line.starts_with(b"# EOF");
        if lines.is_cut && !has_end {
            return Err(lines.error("it has no newline, so the dump was cut here"));
        }
        let with_name_first = name_first(&lines.line, &mut plain);
        is_open_metrics |= !with_name_first && !lines.line.starts_with(b"#");
        let line = if with_name_first { &plain } else { &lines.line };
        let scanner = &mut scanners[usize::from(with_name_first)];
        match scanner.scan(line) {
            Scan::Sample(_) => {
                let text = &line[..scanner.labels_end()];
                if last.text != text {
                    last.text = text.to_vec();
                    last.number = to.series(&labels(scanner, line));
                }
                let time = scanner.timestamp();
                let Some(time) = time else {
                    return Err(lines.error(format!("it has no timestamp; {EXPECTED}")));
                };
                let value = scanner.value().of(line);
                let value = crate::exposition::parse_number(value).expect("the scanner reads it");
                match last.number {
                    None => ignored.other_families += 1,
                    Some(_) if value.is_nan() => ignored.not_numbers += 1,
                    Some(series) => to.sample(series, time, value)?,
                }
            }
            Scan::Header { header, .. } => {
                if let HeaderKind::Type(metric_type) = header.kind {
                    to.declare(header.name.of(line), metric_type);
                }
            }
            Scan::Comment { .. } => {}
            Scan::Flawed { .. } if !to.needs(name(&lines.line)) => ignored.other_families += 1,
            Scan::Flawed { .. } if is_native_histogram(&lines.line) => {
                ignored.native_histograms += 1;
            }
            Scan::Flawed { flaw, .. } => {
                return Err(lines.error(format!("{}; {EXPECTED}", flaw.as_str())));
            }
            Scan::Incomplete | Scan::TooLong | Scan::TooManyLabels => {
                return Err(lines.error(EXPECTED));
            }
        }
    }
    ignored.has_no_end = is_open_metrics && !has_end;
    Ok(ignored)
}

/// The name of the series of a line that cannot be read.
fn name(line: &[u8]) -> &[u8] {
    let end = line.iter().position(|byte| matches!(byte, b'{' | b' ' | b'\n'));
    let start = &line[..end.unwrap_or(line.len())];
    let in_braces = || {
        let at = memchr::memmem::find(line, NAME)? + NAME.len();
        line[at..].split(|byte| *byte == b'"').next()
    };
    if start.is_empty() { in_braces().unwrap_or_default() } else { start }
}

/// Whether the value is a native histogram: `{count:10, sum:5, …}`.
fn is_native_histogram(line: &[u8]) -> bool {
    memchr::memmem::find(line, b"} {count:").is_some()
}

/// A line of `promtool tsdb dump` as a line of an exposition. False for a line of another kind.
fn name_first(line: &[u8], to: &mut Vec<u8>) -> bool {
    if !line.starts_with(b"{") {
        return false;
    }
    // Names of labels in upper case are before the name. The text is not part of a value: a quote in a
    // value has a backslash.
    let Some((start, name)) = memchr::memmem::find_iter(line, NAME).find_map(|start| {
        let is_label = line[..start].ends_with(b"{") || line[..start].ends_with(b", ");
        let name = &line[start + NAME.len()..];
        let name = &name[..memchr::memchr(b'"', name)?];
        let is_name = name.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b':'));
        (is_label && is_name).then_some((start, name))
    }) else {
        return false;
    };
    let rest = &line[start + NAME.len() + name.len() + 1..];
    to.clear();
    to.extend_from_slice(name);
    to.extend_from_slice(&line[..start]);
    to.extend_from_slice(rest.strip_prefix(b", ").unwrap_or(rest));
    true
}

/// The labels of a line, in which values are strings of Go.
fn labels(scanner: &Scanner, line: &[u8]) -> LabelSet {
    let mut set = LabelSet::of_sample(scanner, line);
    if memchr::memchr(b'\\', line).is_some() {
        for label in scanner.labels() {
            let value = go_string(label.value.of(line));
            let name = label.name.of(line);
            if let Some((_, is)) = set.labels.iter_mut().find(|(its, _)| &**its == name) {
                *is = value.into();
            }
        }
    }
    set
}

/// A string of Go, spelled as in an exposition.
fn go_string(raw: &[u8]) -> Vec<u8> {
    let mut value = Vec::new();
    let mut rest = raw;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        value.extend_from_slice(&rest[..at]);
        let escape = rest.get(at + 1).copied().unwrap_or(b'\\');
        let (decoded, length) = match escape {
            b'a' => (Some('\u{7}'), 2),
            b'b' => (Some('\u{8}'), 2),
            b'f' => (Some('\u{c}'), 2),
            b'r' => (Some('\r'), 2),
            b't' => (Some('\t'), 2),
            b'v' => (Some('\u{b}'), 2),
            b'x' => (code_point(rest, at, 2), 4),
            b'u' => (code_point(rest, at, 4), 6),
            b'U' => (code_point(rest, at, 8), 10),
            // `\\`, `\"` and `\n` are the same in an exposition.
            _ => (None, 2),
        };
        match decoded {
            Some(decoded) => value.extend_from_slice(decoded.encode_utf8(&mut [0; 4]).as_bytes()),
            None => value.extend_from_slice(&rest[at..rest.len().min(at + 2)]),
        }
        rest = rest.get(at + if decoded.is_some() { length } else { 2 }..).unwrap_or_default();
    }
    value.extend_from_slice(rest);
    value
}

/// The character with the hexadecimal digits after a backslash and a letter.
fn code_point(text: &[u8], backslash: usize, digits: usize) -> Option<char> {
    let digits = text.get(backslash + 2..backslash + 2 + digits)?;
    let number = u32::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()?;
    char::from_u32(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_comes_first() {
        for (line, expected) in [
            (r#"{__name__="up", job="a"} 1 5"#, Some(r#"up{job="a"} 1 5"#)),
            (r#"{__name__="up"} 1 5"#, Some("up{} 1 5")),
            (
                r#"{A="__name__=\"", __name__="up", b="c"} 1 5"#,
                Some(r#"up{A="__name__=\"", b="c"} 1 5"#),
            ),
            (
                r#"{A="x, __name__=", B="", __name__="up"} 1 5"#,
                Some(r#"up{A="x, __name__=", B="", } 1 5"#),
            ),
            (r#"{"a.b", job="a"} 1 5"#, None),
            (r#"up{__name="x"} 1 5"#, None),
        ] {
            let mut plain = Vec::new();
            let found = name_first(line.as_bytes(), &mut plain);
            let plain = found.then(|| String::from_utf8(plain).unwrap());
            assert_eq!(plain.as_deref(), expected, "{line}");
        }
    }

    #[test]
    fn strings_of_go() {
        for (raw, expected) in [
            (r"plain", "plain"),
            (r#"\\ \" \n"#, r#"\\ \" \n"#),
            (r"\t|\r|\x7f|\u00a0|\U0001f600|", "\t|\r|\u{7f}|\u{a0}|\u{1f600}|"),
            (r"\u12", r"\u12"),
        ] {
            assert_eq!(String::from_utf8(go_string(raw.as_bytes())).unwrap(), expected);
        }
    }
}
