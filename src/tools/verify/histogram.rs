//! Compares the buckets of one histogram.

use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::thread;

use super::boundaries::EstimatedBoundaries;
use super::comparison::Comparison;
use super::options::Options;
use super::outcome::Estimated;
use super::parsed::{ParsedFamily, Series, number_text};
use crate::mapping::{BucketPolicy, Generation};

/// Cumulative counts by boundary, ascending.
type Buckets = Vec<(f64, f64)>;

/// Compares two histograms at the boundaries that both sides have.
pub(super) fn compare_histogram(
    old: &ParsedFamily,
    new: &ParsedFamily,
    estimated_boundaries: &EstimatedBoundaries,
    comparison: &mut Comparison<'_>,
) {
    let ((old_buckets, old_others), (new_buckets, new_others)) = thread::scope(|scope| {
        let old = scope.spawn(|| split_buckets(old));
        let new = split_buckets(new);
        (old.join().unwrap_or_else(|panic| resume_unwind(panic)), new)
    });
    comparison.all_series(&old_others, &new_others);
    let boundaries = common_boundaries(&old_buckets, &new_buckets, comparison.options);
    let (max_error, max_error_of_sum) = estimated_boundaries.max_errors(&comparison.result.name);
    let mut estimated = Estimated {
        boundaries: Vec::new(),
        compared: 0,
        worst_deviation: 0.0,
        max_error,
        max_error_of_sum,
    };
    for (series, old) in &old_buckets {
        let Some(new) = new_buckets.get(series) else {
            comparison.number(|| series.to_string(), Some(count_at(old, f64::INFINITY)), None);
            continue;
        };
        let total = count_at(old, f64::INFINITY).max(1.0);
        for &le in &boundaries {
            let (old, new) = (count_at(old, le), count_at(new, le));
            if estimated_boundaries.contains(&comparison.result.name, series, le) {
                estimated.boundaries.push(le);
                estimated.compared += 1;
                estimated.worst_deviation =
                    estimated.worst_deviation.max((old - new).abs() / total);
                continue;
            }
            let bucket = || series.with("le", &number_text(le)).to_string();
            comparison.number(bucket, Some(old), Some(new));
        }
    }
    for (series, buckets) in &new_buckets {
        if !old_buckets.contains_key(series) {
            comparison.only_new(|| series.to_string(), count_at(buckets, f64::INFINITY));
        }
    }
    if estimated.compared > 0 {
        estimated.boundaries.sort_by(f64::total_cmp);
        estimated.boundaries.dedup();
        comparison.result.estimated = Some(estimated);
    }
}

/// The buckets by their label set without `le`, and all other series.
fn split_buckets(family: &ParsedFamily) -> (BTreeMap<Series, Buckets>, BTreeMap<Series, f64>) {
    let (mut all, mut others) = (Vec::new(), BTreeMap::new());
    for (series, value) in &family.series {
        match series.labels.get("le").and_then(|le| le.parse::<f64>().ok()) {
            Some(le) => all.push((series.without("le"), (le, *value))),
            None => {
                others.insert(series.clone(), *value);
            }
        }
    }
    // Sorting many at once is faster than looking for the series of each.
    all.sort_by(|(a, its), (b, other)| a.cmp(b).then(its.0.total_cmp(&other.0)));
    let mut by_series: Vec<(Series, Buckets)> = Vec::new();
    for (series, bucket) in all {
        match by_series.last_mut().filter(|(last, _)| *last == series) {
            Some((_, buckets)) => buckets.push(bucket),
            None => by_series.push((series, vec![bucket])),
        }
    }
    (by_series.into_iter().collect(), others)
}

/// The count at a boundary. A bucket that is not exported counts what the next lower one counts;
/// below the lowest one, nothing.
fn count_at(buckets: &Buckets, bound: f64) -> f64 {
    let below = buckets.partition_point(|(le, _)| *le <= bound);
    below.checked_sub(1).map_or(0.0, |last| buckets[last].1)
}

/// The boundaries to compare at.
///
/// The rewritten side has all boundaries of its generation, unless `buckets: native` keeps those of
/// the input. The other side exports a bucket only after it counted something, so its boundaries
/// are ignored in that case.
fn common_boundaries(
    old: &BTreeMap<Series, Buckets>,
    new: &BTreeMap<Series, Buckets>,
    options: &Options,
) -> Vec<f64> {
    let bounds = |all: &BTreeMap<Series, Buckets>| -> Vec<f64> {
        let mut bounds: Vec<f64> = all.values().flatten().map(|(le, _)| *le).collect();
        bounds.sort_by(f64::total_cmp);
        bounds.dedup();
        bounds
    };
    let (rewritten, other) = match options.compared_as {
        Generation::Old => (bounds(new), bounds(old)),
        Generation::New => (bounds(old), bounds(new)),
    };
    let native = options.settings.buckets == BucketPolicy::Native;
    let other_has = |le: &f64| other.iter().any(|its| its.total_cmp(le).is_eq());
    rewritten.into_iter().filter(|le| !native || other_has(le)).collect()
}
