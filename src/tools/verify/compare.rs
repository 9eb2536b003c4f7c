//! Compares the families of both sides.

use std::collections::{BTreeMap, BTreeSet};

use super::boundaries::EstimatedBoundaries;
use super::comparison::{Comparison, one_sided};
use super::histogram::compare_histogram;
use super::options::{Options, Traffic};
use super::outcome::{Difference, FamilyResult, Verdict};
use super::parsed::{ParsedExposition, ParsedFamily};
use crate::exposition::MetricType;
use crate::mapping::Generation;

/// Both sides, in the same generation.
#[derive(Debug)]
pub(super) struct Sides<'a> {
    pub(super) old: &'a ParsedExposition,
    pub(super) new: &'a ParsedExposition,
    pub(super) estimated: EstimatedBoundaries,
    /// Families that a rule can output. The old generation can have them.
    pub(super) outputs: BTreeSet<String>,
}

/// Compares all families that the old side has or could have. Returns the results, and the names of
/// the families that only the new generation has.
///
/// `hints` returns what the packs say about a family that a generation lacks, and `series_hints` about
/// series that the new side of a family lacks.
pub(super) fn compare_families(
    sides: &Sides<'_>,
    options: &Options,
    hints: impl Fn(&str, Generation) -> Vec<String>,
    series_hints: impl Fn(&str, &ParsedFamily, &ParsedFamily) -> Vec<String>,
) -> (Vec<FamilyResult>, Vec<String>) {
    let names: BTreeSet<&String> =
        sides.old.families.keys().chain(sides.new.families.keys()).collect();
    let (mut results, mut only_new) = (Vec::new(), Vec::new());
    for name in names {
        let (old, new) = (sides.old.families.get(name), sides.new.families.get(name));
        let mut result = match (old, new) {
            (Some(old), Some(new)) => compare_family(name, old, new, sides, options),
            (Some(old), None) => one_sided(name, Verdict::Missing, old.series.len()),
            _ if sides.outputs.contains(name) || options.strict => {
                let series = new.map_or(0, |new| new.series.len());
                let verdict = if options.strict { Verdict::Different } else { Verdict::Extra };
                FamilyResult { only_new: series, ..one_sided(name, verdict, 0) }
            }
            _ => {
                only_new.push(name.clone());
                continue;
            }
        };
        let lacks = |side: fn(&Difference) -> Option<f64>| {
            result.worst.iter().any(|worst| side(worst).is_none())
        };
        if new.is_none() || lacks(|worst| worst.new) {
            result.hints = hints(name, Generation::New);
        } else if old.is_none() || lacks(|worst| worst.old) {
            result.hints = hints(name, Generation::Old);
        }
        if let (Some(old), Some(new), Traffic::Same) = (old, new, options.traffic)
            && lacks(|worst| worst.new)
        {
            result.hints.extend(series_hints(name, old, new));
        }
        if options.ignore.contains(name) {
            result.verdict = Verdict::Ignored;
        }
        results.push(result);
    }
    (results, only_new)
}

fn compare_family(
    name: &str,
    old: &ParsedFamily,
    new: &ParsedFamily,
    sides: &Sides<'_>,
    options: &Options,
) -> FamilyResult {
    if old.metric_type == Some(MetricType::Gauge) && !options.gauges {
        let compared = old.series.len();
        return FamilyResult { compared, ..one_sided(name, Verdict::Present, 0) };
    }
    let mut comparison = Comparison::new(name, options);
    match options.traffic {
        Traffic::Same if old.metric_type == Some(MetricType::Histogram) => {
            compare_histogram(old, new, &sides.estimated, &mut comparison);
        }
        Traffic::Same => comparison.all_series(&old.series, &new.series),
        Traffic::Similar => {
            let (old, new) = (totals(old), totals(new));
            for (part, value) in &old {
                comparison.number(|| (*part).to_owned(), Some(*value), new.get(part).copied());
            }
        }
    }
    comparison.finish()
}

/// The sum of all series of a family, by series name. Buckets are cumulative, so they are not
/// summed.
fn totals(family: &ParsedFamily) -> BTreeMap<&str, f64> {
    let mut totals = BTreeMap::new();
    for (series, value) in &family.series {
        if !series.labels.has("le") {
            *totals.entry(&*series.name).or_insert(0.0) += value;
        }
    }
    totals
}
