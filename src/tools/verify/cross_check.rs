//! The same body, read by a parser that shares nothing with ours.
//!
//! `prometheus-parse` splits labels with a regular expression: it misreads `}`, `,` and `=` inside label values, does not
//! undo escapes, skips names with a `:`, and knows no quoted names. What it reads differently is read by our
//! own grammar alone, and is counted here.

use std::collections::BTreeMap;

use prometheus_parse::{Scrape, Value};
use serde::Serialize;

use super::reading::{Exposition, Series, canonical, spelled};

/// What the outside parser makes of a body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Outsider {
    /// Series that it reads as we do.
    pub alike: usize,
    /// Series that it misreads or does not see: for these our own grammar is all there is.
    pub misread: usize,
    /// One of those, for people.
    pub example: Option<String>,
    /// It reads no part of the body, which is not UTF-8.
    pub not_utf8: bool,
}

/// Holds what we read against what the outside parser reads.
pub(super) fn compare(ours: &Exposition, body: &[u8]) -> Outsider {
    let Some(theirs) = std::str::from_utf8(body).ok().and_then(read) else {
        let misread = ours.series();
        return Outsider { alike: 0, misread, example: None, not_utf8: true };
    };
    let mut outsider = Outsider { alike: 0, misread: 0, example: None, not_utf8: false };
    for (series, value) in ours.families.values().flat_map(|family| &family.series) {
        let same =
            |other: &f64| other.total_cmp(value).is_eq() || (other.is_nan() && value.is_nan());
        if theirs.get(series).is_some_and(same) {
            outsider.alike += 1;
        } else {
            outsider.misread += 1;
            outsider.example.get_or_insert_with(|| series.to_string());
        }
    }
    outsider
}

fn read(body: &str) -> Option<BTreeMap<Series, f64>> {
    let lines = body.lines().map(|line| Ok(line.to_owned()));
    let scrape = Scrape::parse(lines).ok()?;
    let mut all = BTreeMap::new();
    for sample in scrape.samples {
        let labels = sample.labels.iter().filter(|(_, value)| !value.is_empty());
        let labels = labels.map(|(label, value)| {
            let value = if label == "le" { canonical(value) } else { value.clone() };
            (label.clone(), value)
        });
        let series = Series { name: sample.metric.clone(), labels: labels.collect() };
        match sample.value {
            Value::Counter(value) | Value::Gauge(value) | Value::Untyped(value) => {
                all.entry(series).or_insert(value);
            }
            Value::Histogram(buckets) => {
                for bucket in buckets {
                    add(&mut all, &series, "_bucket", ("le", bucket.less_than), bucket.count);
                }
            }
            Value::Summary(quantiles) => {
                for quantile in quantiles {
                    add(&mut all, &series, "", ("quantile", quantile.quantile), quantile.count);
                }
            }
        }
    }
    Some(all)
}

fn add(
    all: &mut BTreeMap<Series, f64>,
    series: &Series,
    suffix: &str,
    (label, bound): (&str, f64),
    value: f64,
) {
    let mut series = series.clone();
    series.name.push_str(suffix);
    series.labels.insert(label.to_owned(), spelled(bound));
    all.entry(series).or_insert(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outsider(body: &str) -> Outsider {
        compare(&Exposition::read(body.as_bytes()), body.as_bytes())
    }

    #[test]
    fn plain_series_are_read_alike() {
        let body =
            "# TYPE h histogram\nh_bucket{a=\"x\",le=\"25.0\"} 3\nh_sum 4\nc{a=\"x\",b=\"\"} 1\n";
        assert_eq!(
            outsider(body),
            Outsider { alike: 3, misread: 0, example: None, not_utf8: false }
        );
    }

    #[test]
    fn what_it_misreads_is_counted() {
        for odd in [
            "a{l=\"x}\"} 1\n",
            "a{l=\"x,y\"} 1\n",
            "a{l=\"x=y\"} 1\n",
            "a:b 1\n",
            "a{l=\"x\\\"\"} 1\n",
        ] {
            let found = outsider(&format!("plain 1\n{odd}"));
            assert_eq!((found.alike, found.misread), (1, 1), "{odd} {found:?}");
            assert!(found.example.is_some_and(|example| example.starts_with('a')), "{odd}");
        }
    }
}
