//! What is written: series with their samples.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde_json::Value;

use super::labels::LabelSet;
use crate::exposition::{MetricType, parse_number, unescaped};

/// Import lines hold at most this many bytes before they are written.
const HELD_BYTES: usize = 64 << 20;

/// A series that is written.
#[derive(Debug)]
pub struct WrittenSeries {
    /// Its number: each series has another one, and there are no gaps.
    pub(super) number: usize,
    /// As in a line of an exposition.
    pub(super) text: Box<[u8]>,
    /// Its family, if that is a histogram or a summary.
    pub(super) family: Option<(Box<[u8]>, MetricType)>,
    pub(super) labels: LabelSet,
}

/// Where samples are written to. The samples of one series arrive in the order of their times.
pub trait Output {
    /// Writes a sample. `time` is in milliseconds since 1970, `value` as in an exposition.
    ///
    /// # Errors
    ///
    /// It cannot be written.
    fn sample(&mut self, series: &WrittenSeries, time: i64, value: &[u8]) -> io::Result<()>;

    /// All samples of a window have been written.
    ///
    /// # Errors
    ///
    /// The rest cannot be written.
    fn finish(&mut self) -> io::Result<()>;
}

/// Counts alone: for a dry run.
#[derive(Debug, Default)]
pub struct Discard;

impl Output for Discard {
    fn sample(&mut self, _: &WrittenSeries, _: i64, _: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// `OpenMetrics` with timestamps, which `promtool tsdb create-blocks-from openmetrics` reads.
///
/// Histograms have `# TYPE` lines: with them Prometheus 3 writes `le` as it does in a scrape. Families
/// are not in one piece, which promtool does not need
/// (`prometheus/prometheus:cmd/promtool/backfill.go`).
#[derive(Debug)]
pub struct OpenMetrics<W> {
    to: W,
    /// The family of the last `# TYPE`, if that was a histogram or a summary.
    declared: Option<Box<[u8]>>,
}

impl<W: Write> OpenMetrics<W> {
    /// Writes to `to`.
    pub fn new(to: W) -> OpenMetrics<W> {
        OpenMetrics { to, declared: None }
    }

    fn declare(&mut self, series: &WrittenSeries) -> io::Result<()> {
        match &series.family {
            Some((family, metric_type)) if self.declared.as_ref() != Some(family) => {
                self.header(family, metric_type.as_str())?;
                self.declared = Some(family.clone());
            }
            None if self.declared.is_some() => {
                // The last type counts for all samples that follow.
                self.header(&series.labels.name, "unknown")?;
                self.declared = None;
            }
            _ => {}
        }
        Ok(())
    }

    fn header(&mut self, family: &[u8], word: &str) -> io::Result<()> {
        self.to.write_all(b"# TYPE ")?;
        self.to.write_all(family)?;
        writeln!(self.to, " {word}")
    }
}

impl<W: Write> Output for OpenMetrics<W> {
    fn sample(&mut self, series: &WrittenSeries, time: i64, value: &[u8]) -> io::Result<()> {
        self.declare(series)?;
        self.to.write_all(&series.text)?;
        self.to.write_all(b" ")?;
        self.to.write_all(value)?;
        let mut seconds = itoa::Buffer::new();
        self.to.write_all(b" ")?;
        self.to.write_all(seconds.format(time / 1_000).as_bytes())?;
        match time % 1_000 {
            0 => self.to.write_all(b"\n"),
            millis => writeln!(self.to, ".{millis:03}"),
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        self.to.write_all(b"# EOF\n")?;
        self.to.flush()
    }
}

/// Lines that `/api/v1/import` of `VictoriaMetrics` reads: one series with some of its samples each.
///
/// <https://docs.victoriametrics.com/victoriametrics/#json-line-format>
#[derive(Debug)]
pub struct ImportLines<W> {
    to: W,
    held: BTreeMap<usize, HeldSeries>,
    held_bytes: usize,
}

#[derive(Debug, Default)]
struct HeldSeries {
    metric: String,
    values: Vec<u8>,
    times: Vec<u8>,
}

impl<W: Write> ImportLines<W> {
    /// Writes to `to`.
    pub fn new(to: W) -> ImportLines<W> {
        ImportLines { to, held: BTreeMap::new(), held_bytes: 0 }
    }

    fn write_held(&mut self) -> io::Result<()> {
        for HeldSeries { metric, values, times } in std::mem::take(&mut self.held).into_values() {
            write!(self.to, "{{\"metric\":{metric},\"values\":[")?;
            self.to.write_all(&values)?;
            self.to.write_all(b"],\"timestamps\":[")?;
            self.to.write_all(&times)?;
            self.to.write_all(b"]}\n")?;
        }
        self.held_bytes = 0;
        Ok(())
    }
}

impl<W: Write> Output for ImportLines<W> {
    fn sample(&mut self, series: &WrittenSeries, time: i64, value: &[u8]) -> io::Result<()> {
        let held = self.held.entry(series.number).or_insert_with(|| HeldSeries {
            metric: metric(&series.labels),
            ..HeldSeries::default()
        });
        let before = held.values.len() + held.times.len();
        for list in [&mut held.values, &mut held.times] {
            if !list.is_empty() {
                list.push(b',');
            }
        }
        write_json_number(value, &mut held.values);
        held.times.extend_from_slice(itoa::Buffer::new().format(time).as_bytes());
        self.held_bytes += held.values.len() + held.times.len() - before;
        if self.held_bytes > HELD_BYTES { self.write_held() } else { Ok(()) }
    }

    fn finish(&mut self) -> io::Result<()> {
        self.write_held()?;
        self.to.flush()
    }
}

/// The labels of a series as a JSON object.
fn metric(labels: &LabelSet) -> String {
    let text = |spelled: &[u8]| {
        let inner = spelled.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
        let text = unescaped(inner.unwrap_or(spelled)).into_owned();
        String::from_utf8(text).expect("an exposition is UTF-8")
    };
    let mut object = serde_json::Map::new();
    object.insert("__name__".to_owned(), Value::String(text(&labels.name)));
    for (name, value) in &labels.labels {
        let value = unescaped(value).into_owned();
        let value = String::from_utf8(value).expect("an exposition is UTF-8");
        object.insert(text(name), Value::String(value));
    }
    Value::Object(object).to_string()
}

/// JSON has no numbers that are not finite: `VictoriaMetrics` reads words.
fn write_json_number(value: &[u8], to: &mut Vec<u8>) {
    match parse_number(value) {
        Some(number) if number.is_nan() => to.extend_from_slice(b"null"),
        Some(number) if number.is_infinite() => {
            let word = if number > 0.0 { "\"Infinity\"" } else { "\"-Infinity\"" };
            to.extend_from_slice(word.as_bytes());
        }
        Some(number) => serde_json::to_writer(to, &number).expect("a Vec can be written to"),
        None => to.extend_from_slice(b"null"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(number: usize, name: &str, family: Option<(&str, MetricType)>) -> WrittenSeries {
        let labels = LabelSet::from_pairs([("__name__", name), ("a", "x\"\\")]);
        let family = family.map(|(family, metric_type)| (family.as_bytes().into(), metric_type));
        WrittenSeries { number, text: labels.text().into(), family, labels }
    }

    fn samples() -> Vec<(WrittenSeries, i64, &'static [u8])> {
        let time = Some(("time", MetricType::Histogram));
        vec![
            (series(0, "hits", None), 1_700_000_000_000, b"5"),
            (series(1, "time_bucket", time), 1_700_000_000_007, b"1e+30"),
            (series(2, "time_sum", time), 1_700_000_000_070, b"NaN"),
            (series(0, "hits", None), 1_700_000_000_700, b"+Inf"),
            (series(0, "hits", None), 1_700_000_001_000, b"0.25"),
        ]
    }

    fn written(mut output: impl Output) {
        for (series, time, value) in samples() {
            output.sample(&series, time, value).expect("a Vec can be written to");
        }
        output.finish().expect("a Vec can be written to");
    }

    #[test]
    fn openmetrics() {
        let mut to = Vec::new();
        written(OpenMetrics::new(&mut to));
        let expected = r#"hits{a="x\"\\"} 5 1700000000
# TYPE time histogram
time_bucket{a="x\"\\"} 1e+30 1700000000.007
time_sum{a="x\"\\"} NaN 1700000000.070
# TYPE hits unknown
hits{a="x\"\\"} +Inf 1700000000.700
hits{a="x\"\\"} 0.25 1700000001
# EOF
"#;
        assert_eq!(String::from_utf8(to).unwrap(), expected);
    }

    #[test]
    fn import_lines() {
        let mut to = Vec::new();
        written(ImportLines::new(&mut to));
        let expected = concat!(
            r#"{"metric":{"__name__":"hits","a":"x\"\\"},"values":[5.0,"Infinity",0.25],"#,
            r#""timestamps":[1700000000000,1700000000700,1700000001000]}"#,
            "\n",
            r#"{"metric":{"__name__":"time_bucket","a":"x\"\\"},"values":[1e+30],"#,
            r#""timestamps":[1700000000007]}"#,
            "\n",
            r#"{"metric":{"__name__":"time_sum","a":"x\"\\"},"values":[null],"#,
            r#""timestamps":[1700000000070]}"#,
            "\n",
        );
        assert_eq!(String::from_utf8(to).unwrap(), expected);
    }
}
