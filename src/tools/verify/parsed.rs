//! An exposition as families of series with numbers, read with [`Scanner`].

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::labels::Labels;
use super::name::{Name, Names};
use crate::exposition::{
    Format, HeaderKind, MetricType, Scan, Scanner, parse_number, write_number,
};
use crate::rewrite::exposition::Limits;
use crate::rewrite::printable;

/// A name with labels. As in Prometheus, a label with an empty value is absent. `le` has its
/// canonical spelling, so `25.0` and `25` are the same series.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Series {
    pub(super) name: Name,
    pub(super) labels: Labels,
}

/// The series of one `# TYPE`, or of one name that has no type.
#[derive(Clone, Debug, Default)]
pub(super) struct ParsedFamily {
    pub(super) metric_type: Option<MetricType>,
    pub(super) series: BTreeMap<Series, f64>,
}

/// All families of one exposition.
#[derive(Clone, Debug, Default)]
pub(super) struct ParsedExposition {
    pub(super) families: BTreeMap<String, ParsedFamily>,
    /// Lines that Prometheus would refuse, by reason.
    pub(super) malformed: BTreeMap<&'static str, u64>,
}

impl Series {
    /// The series without one label.
    pub(super) fn without(&self, label: &str) -> Series {
        Series { name: self.name.clone(), labels: self.labels.without(label) }
    }

    /// The series with this value of one label.
    pub(super) fn with(&self, label: &str, value: &str) -> Series {
        Series { name: self.name.clone(), labels: self.labels.with(label, value) }
    }

    /// The values of some labels; empty where the series does not have the label.
    pub(super) fn values_of(&self, labels: &[String]) -> Vec<&str> {
        labels.iter().map(|label| self.labels.get(label).unwrap_or_default()).collect()
    }
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        for (index, (label, value)) in self.labels.iter().enumerate() {
            write!(f, "{}{label}={value:?}", if index == 0 { "{" } else { "," })?;
        }
        f.write_str(if self.labels.is_empty() { "" } else { "}" })
    }
}

impl ParsedExposition {
    /// Reads all lines that Prometheus accepts. Of two equal series the first one counts, as in
    /// Prometheus.
    pub(super) fn read(body: &[u8]) -> ParsedExposition {
        let mut read = ParsedExposition::default();
        let types = read.types(body);
        let mut families: BTreeMap<String, Vec<(Series, f64)>> = BTreeMap::new();
        let mut names = Names::default();
        let limits = Limits::default();
        let mut scanner = Scanner::new(limits.line_bytes, usize::MAX, Format::OpenMetrics);
        for_each_line(body, &mut scanner, |scanner, line, scan| {
            if let Scan::Sample(_) = scan {
                let series = parse_series(scanner, line, &mut names);
                let value = parse_number(scanner.value().of(line)).unwrap_or(f64::NAN);
                let family = family_of(&series.name, &types);
                match families.get_mut(family) {
                    Some(read) => read.push((series, value)),
                    None => drop(families.insert(family.to_owned(), vec![(series, value)])),
                }
            }
        });
        let of_family = |(family, series): (String, _)| {
            let metric_type = types.get(&family).copied();
            (family, ParsedFamily { metric_type, series: first_of_equal(series) })
        };
        read.families = families.into_iter().map(of_family).collect();
        read
    }

    /// Reads all `# TYPE` lines, and counts malformed lines.
    fn types(&mut self, body: &[u8]) -> BTreeMap<String, MetricType> {
        let mut types = BTreeMap::new();
        let limits = Limits::default();
        let mut scanner = Scanner::new(limits.line_bytes, usize::MAX, Format::OpenMetrics);
        for_each_line(body, &mut scanner, |_, line, scan| match scan {
            Scan::Header { header, .. } => {
                if let HeaderKind::Type(metric_type) = header.kind {
                    types.insert(header.name.of(line).escape_ascii().to_string(), metric_type);
                }
            }
            Scan::Flawed { flaw, .. } => *self.malformed.entry(flaw.as_str()).or_default() += 1,
            Scan::Incomplete => *self.malformed.entry("unterminated").or_default() += 1,
            Scan::TooLong => *self.malformed.entry("too_long").or_default() += 1,
            _ => {}
        });
        types
    }

    /// Number of series.
    pub(super) fn series_count(&self) -> usize {
        self.families.values().map(|family| family.series.len()).sum()
    }

    /// True if a series of the family has the label.
    pub(super) fn has_label(&self, family: &str, label: &str) -> bool {
        let family = self.families.get(family);
        family.is_some_and(|family| family.series.keys().any(|it| it.labels.has(label)))
    }

    /// Removes labels, by family. Series that become equal are summed; of gauges the largest value
    /// is kept.
    pub(super) fn remove_labels(&mut self, labels: &BTreeMap<String, BTreeSet<String>>) {
        for (family, labels) in labels {
            let Some(read) = self.families.get_mut(family) else { continue };
            let mut summed: BTreeMap<Series, f64> = BTreeMap::new();
            for (mut series, value) in std::mem::take(&mut read.series) {
                series.labels.retain(|label| !labels.contains(label));
                let gauge = read.metric_type == Some(MetricType::Gauge);
                let join = |sum: &mut f64| *sum = if gauge { sum.max(value) } else { *sum + value };
                summed.entry(series).and_modify(join).or_insert(value);
            }
            read.series = summed;
        }
    }
}

/// Series in order; of equal ones, the first. Sorting many at once is faster than inserting each.
fn first_of_equal(mut series: Vec<(Series, f64)>) -> BTreeMap<Series, f64> {
    series.sort_by(|(a, _), (b, _)| a.cmp(b));
    series.dedup_by(|(later, _), (first, _)| later == first);
    series.into_iter().collect()
}

/// Calls `each` for every line. A missing newline at the end is added.
fn for_each_line(body: &[u8], scanner: &mut Scanner, mut each: impl FnMut(&Scanner, &[u8], &Scan)) {
    let whole;
    let mut rest = body;
    if !body.ends_with(b"\n") {
        whole = [body, b"\n"].concat();
        rest = &whole;
    }
    while !rest.is_empty() {
        let scan = scanner.scan(rest);
        let len = match &scan {
            Scan::Sample(sample) => sample.len,
            Scan::Header { len, .. } | Scan::Comment { len } | Scan::Flawed { len, .. } => *len,
            // An unterminated quote or a line over the limit: skip it.
            Scan::Incomplete | Scan::TooLong | Scan::TooManyLabels => {
                let newline = memchr::memchr(b'\n', rest);
                newline.map_or(rest.len(), |at| at + 1)
            }
        };
        each(scanner, rest, &scan);
        rest = rest.get(len..).unwrap_or_default();
    }
}

fn parse_series(scanner: &Scanner, line: &[u8], names: &mut Names) -> Series {
    let name = names.name(&printable(scanner.name().of(line)));
    let labels = scanner.labels().iter().filter_map(|label| {
        let name = printable(label.name.of(line));
        let value = unescaped(printable(label.value.of(line)));
        let value = if name == "le" { canonical_le(value) } else { value };
        (!value.is_empty()).then_some((name, value))
    });
    Series { name, labels: labels.collect() }
}

/// The canonical spelling of a bucket boundary: `00025.0` becomes `25`.
pub(super) fn canonical_le(le: Cow<'_, str>) -> Cow<'_, str> {
    parse_number(le.as_bytes()).map_or(le, |number| number_text(number).into())
}

/// The canonical spelling of a number.
pub(super) fn number_text(number: f64) -> String {
    let mut text = Vec::new();
    write_number(number, &mut text);
    String::from_utf8(text).expect("numbers are ASCII")
}

fn unescaped(value: Cow<'_, str>) -> Cow<'_, str> {
    if !value.contains('\\') {
        return value;
    }
    let mut text = String::with_capacity(value.len());
    let mut rest = value.chars();
    while let Some(c) = rest.next() {
        match (c, rest.clone().next()) {
            ('\\', Some(escaped @ ('\\' | '"'))) => text.push(escaped),
            ('\\', Some('n')) => text.push('\n'),
            _ => {
                text.push(c);
                continue;
            }
        }
        rest.next();
    }
    text.into()
}

/// The family of a sample: its own name, or the histogram or summary that it is a part of.
fn family_of<'a>(name: &'a str, types: &BTreeMap<String, MetricType>) -> &'a str {
    if types.contains_key(name) {
        return name;
    }
    let parts = ["_bucket", "_sum", "_count"].iter();
    let mut whole = parts.filter_map(|suffix| name.strip_suffix(suffix));
    let grouped = |whole: &&str| {
        matches!(types.get(*whole), Some(MetricType::Histogram | MetricType::Summary))
    };
    whole.find(grouped).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_series_and_spellings() {
        let body = concat!(
            "# TYPE h histogram\n",
            "h_bucket{a=\"q\\\"\\\\\\n\",le=\"00025.0\",empty=\"\"} 3\nh_count 4\n",
            "lone_count 1\nh_count 9\nbroken{ 1\nopen{a=\"x 1\nlast 2",
        );
        let read = ParsedExposition::read(body.as_bytes());
        let names: Vec<&str> = read.families.keys().map(String::as_str).collect();
        assert_eq!(names, ["h", "last", "lone_count"]);
        let series: Vec<String> = read.families["h"]
            .series
            .iter()
            .map(|(series, value)| format!("{series} {value}"))
            .collect();
        assert_eq!(series, ["h_bucket{a=\"q\\\"\\\\\\n\",le=\"25\"} 3", "h_count 4"]);
        assert_eq!(read.malformed, BTreeMap::from([("bad_labels", 1), ("unterminated", 1)]));
    }

    #[test]
    fn series_that_become_equal_are_joined() {
        let body = "# TYPE g gauge\ng{n=\"1\"} 3\ng{n=\"2\"} 2\nc{n=\"1\"} 3\nc{n=\"2\"} 2\n";
        let mut read = ParsedExposition::read(body.as_bytes());
        let n = BTreeSet::from(["n".to_owned()]);
        read.remove_labels(&BTreeMap::from([("g".to_owned(), n.clone()), ("c".to_owned(), n)]));
        let values: Vec<f64> =
            read.families.values().flat_map(|family| family.series.values().copied()).collect();
        assert_eq!(values, [5.0, 3.0]);
    }
}
