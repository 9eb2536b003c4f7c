//! Bucket boundaries whose counts the rewriter estimated.

use super::parsed::Series;
use crate::mapping::Plan;
use crate::mapping::plan::exposition::Rule;
use crate::rewrite::exposition::{Estimated, Report};

/// Which boundaries of the rewritten families are estimated.
#[derive(Debug, Default)]
pub(super) struct EstimatedBoundaries {
    rules: Vec<OfRule>,
}

/// The estimated boundaries of one rule. A boundary that one rule estimates may be exact in the
/// series of another.
#[derive(Debug)]
struct OfRule {
    family: String,
    /// Labels that the rule gives to all its series.
    labels: Vec<(String, String)>,
    bounds: Vec<f64>,
    max_error: f64,
    max_error_of_sum: f64,
}

impl EstimatedBoundaries {
    pub(super) fn new(plan: &Plan, report: &Report) -> EstimatedBoundaries {
        let of_rule = |estimated: &Estimated| OfRule {
            family: estimated.family.clone(),
            labels: labels(plan, &estimated.title),
            bounds: estimated.boundaries.iter().filter_map(|le| le.parse().ok()).collect(),
            max_error: estimated.max_error,
            max_error_of_sum: estimated.max_error_of_sum,
        };
        EstimatedBoundaries { rules: report.estimated.iter().map(of_rule).collect() }
    }

    /// Adds those of the other side.
    pub(super) fn extend(&mut self, other: EstimatedBoundaries) {
        self.rules.extend(other.rules);
    }

    /// True if the bucket counts of a series at a boundary are estimates.
    pub(super) fn contains(&self, family: &str, series: &Series, le: f64) -> bool {
        let covers_series = |rule: &&OfRule| {
            rule.family == family
                && rule
                    .labels
                    .iter()
                    .all(|(label, value)| series.labels.get(label) == Some(value.as_str()))
        };
        let mut rules = self.rules.iter().filter(covers_series);
        rules.any(|rule| rule.bounds.iter().any(|its| its.total_cmp(&le).is_eq()))
    }

    /// The largest errors that estimates of a family can have: of a series, and of a sum.
    pub(super) fn max_errors(&self, family: &str) -> (f64, f64) {
        let rules = self.rules.iter().filter(|rule| rule.family == family);
        rules.fold((0.0, 0.0), |(series, sum): (f64, f64), rule| {
            (series.max(rule.max_error), sum.max(rule.max_error_of_sum))
        })
    }
}

/// The labels that a rule, or the rule of a redirect, adds.
fn labels(plan: &Plan, title: &str) -> Vec<(String, String)> {
    let text = |name: &[u8]| name.escape_ascii().to_string();
    let has_title = |rule: &&Rule| {
        rule.title == title || rule.redirects.iter().any(|redirect| redirect.title == title)
    };
    let rule = plan.rules.iter().find(has_title);
    let added = rule.into_iter().flat_map(|rule| &rule.labels.append);
    added.map(|(label, value)| (text(label), text(value))).collect()
}
