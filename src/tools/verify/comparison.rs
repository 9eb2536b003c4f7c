//! Counts the numbers of one family that agree and differ.

use std::collections::BTreeMap;

use super::options::Options;
use super::outcome::{Difference, FamilyResult, Verdict};
use super::parsed::Series;

/// Smaller differences, as a fraction of the larger number, are rounding: both generations print 14
/// digits, and sums of such numbers are rounded again.
const ROUNDING: f64 = 1e-12;

/// How many differences of a family are kept.
const MAX_WORST: usize = 10;

/// The comparison of one family while it runs.
pub(super) struct Comparison<'a> {
    pub(super) result: FamilyResult,
    pub(super) options: &'a Options,
    /// A number differs, but within the tolerance.
    within_tolerance: bool,
}

impl<'a> Comparison<'a> {
    pub(super) fn new(name: &str, options: &'a Options) -> Comparison<'a> {
        let result = one_sided(name, Verdict::Equal, 0);
        Comparison { result, options, within_tolerance: false }
    }

    /// Compares all series of the old side, and counts those that only the new side has.
    pub(super) fn all_series(&mut self, old: &BTreeMap<Series, f64>, new: &BTreeMap<Series, f64>) {
        for (series, value) in old {
            self.number(|| series.to_string(), Some(*value), new.get(series).copied());
        }
        for (series, value) in new.iter().filter(|(series, _)| !old.contains_key(series)) {
            self.only_new(|| series.to_string(), *value);
        }
    }

    /// Counts a series that only the new side has.
    pub(super) fn only_new(&mut self, series: impl Fn() -> String, value: f64) {
        self.result.only_new += 1;
        if self.options.strict {
            self.number(series, None, Some(value));
        }
    }

    /// Compares two numbers.
    pub(super) fn number(
        &mut self,
        series: impl Fn() -> String,
        old: Option<f64>,
        new: Option<f64>,
    ) {
        self.result.compared += 1;
        let deviation = match (old, new) {
            (Some(old), Some(new)) => deviation(old, new),
            _ => 1.0,
        };
        if deviation <= ROUNDING {
            return;
        }
        if deviation <= self.options.tolerance && old.is_some() && new.is_some() {
            self.within_tolerance = true;
            return;
        }
        self.result.differ += 1;
        let worst = &mut self.result.worst;
        let rank = (old.is_none() || new.is_none(), deviation);
        let index = worst.partition_point(|other| rank_of(other) >= rank);
        if index < MAX_WORST {
            worst.insert(index, Difference { series: series(), old, new, deviation });
            worst.truncate(MAX_WORST);
        }
    }

    /// The result, with its verdict.
    pub(super) fn finish(mut self) -> FamilyResult {
        self.result.verdict = match (self.result.differ > 0, self.within_tolerance) {
            (true, _) => Verdict::Different,
            (false, true) => Verdict::Close,
            (false, false) => Verdict::Equal,
        };
        self.result
    }
}

/// The result for a family of which nothing is compared number by number.
pub(super) fn one_sided(name: &str, verdict: Verdict, missing: usize) -> FamilyResult {
    FamilyResult {
        name: name.to_owned(),
        verdict,
        compared: missing,
        differ: missing,
        worst: Vec::new(),
        only_new: 0,
        estimated: None,
        hints: Vec::new(),
    }
}

/// The order of differences: missing numbers first, then by deviation.
fn rank_of(difference: &Difference) -> (bool, f64) {
    (difference.old.is_none() || difference.new.is_none(), difference.deviation)
}

/// The difference of two numbers as a fraction of the larger one.
fn deviation(a: f64, b: f64) -> f64 {
    if a.total_cmp(&b).is_eq() || (a.is_nan() && b.is_nan()) || (a - b).abs() == 0.0 {
        return 0.0;
    }
    let fraction = (a - b).abs() / a.abs().max(b.abs());
    if fraction.is_nan() { 1.0 } else { fraction }
}
