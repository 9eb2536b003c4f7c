//! Compares expositions without regard to the order of lines or the spelling of numbers and labels.

use std::collections::{BTreeMap, BTreeSet};

use super::Difference;
use crate::exposition::{Format, HeaderKind, Scan, Scanner, parse_number, write_value};
use crate::rewrite::printable;

/// A parsed exposition.
#[derive(Debug, Default)]
pub(super) struct Exposition {
    /// Family and text of each header.
    headers: BTreeSet<(String, String)>,
    /// The samples of each series, in order.
    samples: BTreeMap<Series, Vec<SampleText>>,
}

/// A name and labels, sorted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Series {
    name: String,
    labels: Vec<String>,
}

/// The text of a sample after the labels.
#[derive(Clone, Debug)]
struct SampleText {
    value: String,
    /// The timestamp, and an exemplar.
    suffix: String,
}

impl PartialEq for SampleText {
    fn eq(&self, other: &SampleText) -> bool {
        let number = |sample: &SampleText| parse_number(sample.value.as_bytes());
        let same = match (number(self), number(other)) {
            (Some(a), Some(b)) => a.total_cmp(&b).is_eq() || (a - b).abs() == 0.0,
            _ => self.value == other.value,
        };
        same && self.suffix == other.suffix
    }
}

impl Exposition {
    /// Reads an exposition.
    ///
    /// # Errors
    ///
    /// The first invalid line, with the reason.
    pub(super) fn read(text: &[u8]) -> Result<Exposition, String> {
        let mut exposition = Exposition::default();
        let mut scanner = Scanner::new(usize::MAX, usize::MAX, Format::OpenMetrics);
        // The last line may have no newline.
        let text = [text.strip_suffix(b"\n").unwrap_or(text), b"\n"].concat();
        let mut at = 0;
        while at < text.len() {
            let rest = &text[at..];
            let shown = || {
                let line = rest.split(|byte| *byte == b'\n').next().unwrap_or_default();
                line.escape_ascii().to_string()
            };
            at += match scanner.scan(rest) {
                Scan::Sample(sample) => {
                    exposition.sample(&scanner, &rest[..sample.len]);
                    sample.len
                }
                Scan::Header { header, len } => {
                    let family = header.name.of(rest).escape_ascii().to_string();
                    let word = match header.kind {
                        HeaderKind::Help => "HELP",
                        HeaderKind::Type(_) => "TYPE",
                        HeaderKind::Unit => "UNIT",
                    };
                    let text = printable(header.text.of(rest)).into_owned();
                    let line = format!("# {word} {family} {text}");
                    exposition.headers.insert((family, line));
                    len
                }
                Scan::Comment { len } => len,
                Scan::Flawed { flaw, .. } => return Err(format!("{}: {}", flaw.as_str(), shown())),
                Scan::Incomplete => return Err(format!("unterminated: {}", shown())),
                Scan::TooLong | Scan::TooManyLabels => unreachable!("there are no limits"),
            };
        }
        Ok(exposition)
    }

    fn sample(&mut self, scanner: &Scanner, line: &[u8]) {
        let mut labels: Vec<String> = Vec::new();
        for span in scanner.labels() {
            let value = span.value.of(line);
            // Prometheus treats an empty label like a missing one.
            if value.is_empty() {
                continue;
            }
            let mut text = span.name.of(line).to_vec();
            text.extend_from_slice(b"=\"");
            if span.name.of(line) == b"le"
                && let Some(bound) = parse_number(value)
            {
                crate::exposition::write_number(bound, &mut text);
            } else {
                write_value(value, &mut text);
            }
            text.push(b'"');
            labels.push(printable(&text).into_owned());
        }
        labels.sort_unstable();
        let name = printable(scanner.name().of(line)).into_owned();
        let series = Series { name, labels };
        let sample = SampleText {
            value: printable(scanner.value().of(line)).into_owned(),
            suffix: printable(line[scanner.value().end()..].trim_ascii()).into_owned(),
        };
        self.samples.entry(series).or_default().push(sample);
    }

    /// The samples whose name occurs in another exposition.
    pub(super) fn of_names(&self, other: &Exposition) -> Exposition {
        let names: BTreeSet<&String> = other.samples.keys().map(|series| &series.name).collect();
        self.only(|series| names.contains(&series.name))
    }

    /// The samples of one family.
    pub(super) fn of_family(&self, family: &str) -> Exposition {
        self.only(|series| {
            let suffix = series.name.strip_prefix(family);
            suffix.is_some_and(|suffix| ["", "_bucket", "_sum", "_count"].contains(&suffix))
        })
    }

    fn only(&self, wanted: impl Fn(&Series) -> bool) -> Exposition {
        let samples = self.samples.iter().filter(|(series, _)| wanted(series));
        let samples = samples.map(|(series, sample)| (series.clone(), sample.clone())).collect();
        Exposition { headers: BTreeSet::new(), samples }
    }

    /// The difference from what is expected, if any. Headers are compared only if some are
    /// expected.
    pub(super) fn difference(&self, expected: &Exposition) -> Option<Difference> {
        let mut difference = Difference::default();
        if !expected.headers.is_empty() {
            let headers: BTreeSet<_> = self.headers.union(&expected.headers).collect();
            for header in headers {
                match (expected.headers.contains(header), self.headers.contains(header)) {
                    (true, false) => difference.missing(header.1.clone()),
                    (false, true) => difference.unexpected(header.1.clone()),
                    _ => {}
                }
            }
        }
        let all: BTreeSet<&Series> = self.samples.keys().chain(expected.samples.keys()).collect();
        for series in all {
            let (ours, theirs) = (self.samples.get(series), expected.samples.get(series));
            if ours == theirs {
                continue;
            }
            for sample in theirs.into_iter().flatten() {
                difference.missing(series.line(sample));
            }
            for sample in ours.into_iter().flatten() {
                difference.unexpected(series.line(sample));
            }
        }
        difference.is_any().then_some(difference)
    }
}

impl Series {
    fn line(&self, sample: &SampleText) -> String {
        let labels = match self.labels.as_slice() {
            [] => String::new(),
            labels => format!("{{{}}}", labels.join(",")),
        };
        let space = if sample.suffix.is_empty() { "" } else { " " };
        format!("{}{labels} {}{space}{}", self.name, sample.value, sample.suffix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn difference(expected: &str, actual: &str) -> String {
        let read = |text: &str| Exposition::read(text.as_bytes()).unwrap();
        let difference = read(actual).difference(&read(expected));
        difference.map(|it| it.to_string()).unwrap_or_default()
    }

    #[test]
    fn order_and_spelling_are_ignored() {
        let actual = "# TYPE a counter\n# HELP a A.\na{x=\"1\",y=\"2\"} 3\nb{le=\"25\"} 1e3\nc 1\n";
        for same in [
            actual,
            "c 1.0\nb{le=\"025.0\"} 1000\na{ y=\"2\", x=\"1\", z=\"\" } 3",
            "# HELP a A.\n# TYPE a counter\nb{le=\"25\",} 1000\n\nc{} 1\na{x=\"1\",y=\"2\"} 3\n",
        ] {
            assert_eq!(difference(same, actual), "", "{same}");
        }
    }

    #[test]
    fn values_and_series_are_compared() {
        let actual = "# TYPE a counter\na{x=\"1\"} 3\nc 1 99\n";
        for (expected, text) in [
            ("a{x=\"1\"} 4\nc 1 99\n", "- a{x=\"1\"} 4\n+ a{x=\"1\"} 3\n"),
            ("a{x=\"1\"} 3\n", "+ c 1 99\n"),
            ("a{x=\"1\"} 3\nc 1 99\nd 0\n", "- d 0\n"),
            ("a{x=\"1\"} 3\nc 1\n", "- c 1\n+ c 1 99\n"),
            (
                "a{x=\"1\"} 3\na{x=\"1\"} 3\nc 1 99\n",
                "- a{x=\"1\"} 3\n- a{x=\"1\"} 3\n+ a{x=\"1\"} 3\n",
            ),
            ("# TYPE a gauge\na{x=\"1\"} 3\nc 1 99\n", "+ # TYPE a counter\n- # TYPE a gauge\n"),
        ] {
            assert_eq!(difference(expected, actual), text, "{expected}");
        }
    }

    #[test]
    fn invalid_lines_are_errors() {
        let error = Exposition::read(b"a 1\nb{ 2\n").unwrap_err();
        assert_eq!(error, "bad_labels: b{ 2");
    }
}
