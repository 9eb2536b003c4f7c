//! A second reading of the same exposition by a parser that shares no code with this crate.
//!
//! `prometheus-parse` splits labels with a regular expression: it misreads `}`, `,` and `=` in
//! label values, does not undo escapes, skips names with a `:`, and does not support quoted names.
//! Series that it reads differently are counted; the comparison uses our own reading of them.

use std::borrow::Cow;
use std::collections::HashMap;

use foldhash::fast::RandomState;
use prometheus_parse::{Scrape, Value};
use serde::Serialize;

use super::name::Names;
use super::parsed::{ParsedExposition, Series, canonical_le, number_text};

/// How `prometheus-parse` reads an exposition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CrossCheck {
    /// Series that both parsers read the same.
    pub same: usize,
    /// Series that `prometheus-parse` misreads or skips.
    pub misread: usize,
    /// One of the misread series.
    pub example: Option<String>,
    /// The exposition is not UTF-8, so `prometheus-parse` cannot read it at all.
    pub not_utf8: bool,
}

/// Compares our reading with that of `prometheus-parse`.
pub(super) fn cross_check(ours: &ParsedExposition, body: &[u8]) -> CrossCheck {
    let Some(theirs) = std::str::from_utf8(body).ok().and_then(read) else {
        let misread = ours.series_count();
        return CrossCheck { same: 0, misread, example: None, not_utf8: true };
    };
    let mut result = CrossCheck { same: 0, misread: 0, example: None, not_utf8: false };
    for (series, value) in ours.families.values().flat_map(|family| &family.series) {
        let equal =
            |other: &f64| other.total_cmp(value).is_eq() || (other.is_nan() && value.is_nan());
        if theirs.get(series).is_some_and(equal) {
            result.same += 1;
        } else {
            result.misread += 1;
            result.example.get_or_insert_with(|| series.to_string());
        }
    }
    result
}

type AllSeries = HashMap<Series, f64, RandomState>;

fn read(body: &str) -> Option<AllSeries> {
    let lines = body.lines().map(|line| Ok(line.to_owned()));
    let scrape = Scrape::parse(lines).ok()?;
    let mut all = AllSeries::default();
    let (mut names, mut bucket_names) = (Names::default(), Names::default());
    for sample in scrape.samples {
        let labels = sample.labels.iter().filter(|(_, value)| !value.is_empty());
        let labels = labels.map(|(label, value)| {
            let value = Cow::Borrowed(value.as_str());
            (label, if label == "le" { canonical_le(value) } else { value })
        });
        let series = Series { name: names.name(&sample.metric), labels: labels.collect() };
        match sample.value {
            Value::Counter(value) | Value::Gauge(value) | Value::Untyped(value) => {
                all.entry(series).or_insert(value);
            }
            Value::Histogram(buckets) => {
                let name = bucket_names.name(&format!("{}_bucket", sample.metric));
                for bucket in buckets {
                    let labels = series.labels.with("le", &number_text(bucket.less_than));
                    let series = Series { name: name.clone(), labels };
                    all.entry(series).or_insert(bucket.count);
                }
            }
            Value::Summary(quantiles) => {
                for quantile in quantiles {
                    let series = series.with("quantile", &number_text(quantile.quantile));
                    all.entry(series).or_insert(quantile.count);
                }
            }
        }
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(body: &str) -> CrossCheck {
        cross_check(&ParsedExposition::read(body.as_bytes()), body.as_bytes())
    }

    #[test]
    fn plain_series_are_read_the_same() {
        let body =
            "# TYPE h histogram\nh_bucket{a=\"x\",le=\"25.0\"} 3\nh_sum 4\nc{a=\"x\",b=\"\"} 1\n";
        assert_eq!(
            checked(body),
            CrossCheck { same: 3, misread: 0, example: None, not_utf8: false }
        );
    }

    #[test]
    fn misread_series_are_counted() {
        for odd in [
            "a{l=\"x}\"} 1\n",
            "a{l=\"x,y\"} 1\n",
            "a{l=\"x=y\"} 1\n",
            "a:b 1\n",
            "a{l=\"x\\\"\"} 1\n",
        ] {
            let found = checked(&format!("plain 1\n{odd}"));
            assert_eq!((found.same, found.misread), (1, 1), "{odd} {found:?}");
            assert!(found.example.is_some_and(|example| example.starts_with('a')), "{odd}");
        }
    }
}
