//! The output, read by an independent parser.
//!
//! `prometheus-parse` 0.2.5 reads less of the format than Prometheus. The following is not
//! compared:
//!
//! - it skips names with a colon, and lines whose label values contain `}`;
//! - it splits labels at every `,` and `=`, also within quotes;
//! - it does not undo escapes, and removes all quotes at the ends of a value;
//! - it reads `_sum` and `_count` as separate metrics;
//! - it misreads histogram samples without labels, or with `le` as their only label;
//! - it reads no histogram whose lines lack the suffix `_bucket` (Kong's wasm filters).

use std::collections::BTreeMap;

use crate::support::engine::{EMITS, plan, rewrite};
use crate::support::naive::{self, Series};
use crate::support::{assert_same_series, capture, captures};
use prometheus_parse::{Scrape, Value};

type Values = BTreeMap<Series, f64>;

fn read_by_outsider(body: &[u8]) -> Values {
    let text = std::str::from_utf8(body).expect("captures outside quirk are UTF-8");
    let lines = text.lines().map(|line| Ok(line.to_owned()));
    let scrape = Scrape::parse(lines).expect("reading from memory works");
    let mut values = Values::new();
    for sample in scrape.samples {
        let mut series = Series::new(&sample.metric, &[]);
        for (label, value) in sample.labels.iter() {
            series = series.with(label, value);
        }
        match sample.value {
            Value::Counter(value) | Value::Gauge(value) | Value::Untyped(value) => {
                values.insert(series, value);
            }
            Value::Histogram(buckets) => {
                let bucket = series.named(&format!("{}_bucket", series.name));
                for count in buckets {
                    let le = count.less_than.to_string();
                    values.insert(bucket.with("le", &le), count.count);
                }
            }
            Value::Summary(_) => panic!("no capture has a summary"),
        }
    }
    values
}

/// The samples that the independent parser reads, with `le` in its spelling.
fn readable(values: &Values) -> Values {
    let misread = |series: &Series| {
        series.name.starts_with("pw_")
            || series.labels.values().any(|value| value.contains(['\\', '"', ',', '=', '{', '}']))
    };
    let plain = values.iter().filter(|(series, _)| !misread(series));
    plain
        .map(|(series, value)| match series.label("le").parse::<f64>() {
            Ok(le) => (series.with("le", &le.to_string()), *value),
            Err(_) => (series.clone(), *value),
        })
        .collect()
}

#[test]
fn an_independent_parser_reads_the_same_series() {
    for scale in ["tiny", "small"] {
        for name in captures(scale) {
            for emit in EMITS {
                let left = rewrite(&plan(emit), &capture(&name)).body;
                let ours = readable(&naive::parse(&left).stored());
                let mut theirs = readable(&read_by_outsider(&left));
                // A label value that it misreads may look plain afterwards.
                theirs.retain(|series, _| ours.contains_key(series));
                assert!(ours.len() > 30, "{name}: {} series", ours.len());
                assert_same_series(&ours, &theirs, &format!("{name} emitted as {emit:?}"));
            }
        }
    }
}
