//! Bucket boundaries whose counts are exact, and those that the rewriter estimates.

use std::collections::{BTreeMap, BTreeSet};

use super::parsed::Series;
use crate::mapping::Plan;
use crate::mapping::plan::exposition::Kind;
use crate::rewrite::exposition::Report;

/// Which boundaries of the rewritten families are estimated.
#[derive(Debug)]
pub(super) struct EstimatedBoundaries {
    /// Boundaries that the rewriter estimated, by family. The rewriter reports them by family only, and
    /// a boundary that is estimated for one part of a family may be exact for another.
    by_family: BTreeMap<String, Vec<f64>>,
    /// The parts for which they are exact.
    exact: Vec<ExactBoundaries>,
}

/// Boundaries that both generations have.
#[derive(Debug)]
struct ExactBoundaries {
    families: Vec<String>,
    /// Labels of the series that the boundaries are exact for.
    labels: Vec<(String, String)>,
    bounds: Vec<f64>,
}

impl EstimatedBoundaries {
    pub(super) fn new(plan: &Plan, report: &Report) -> EstimatedBoundaries {
        let numbers =
            |texts: &BTreeSet<String>| texts.iter().filter_map(|le| le.parse().ok()).collect();
        let estimated = report.estimated.iter();
        let by_family = estimated.map(|(family, texts)| (family.clone(), numbers(texts))).collect();
        EstimatedBoundaries { by_family, exact: exact_boundaries(plan) }
    }

    /// True if the bucket counts of a series at a boundary are estimates.
    pub(super) fn contains(&self, family: &str, series: &Series, le: f64) -> bool {
        let same = |its: &f64| its.total_cmp(&le).is_eq();
        let covers_series = |exact: &&ExactBoundaries| {
            exact.families.iter().any(|its| its == family)
                && exact.labels.iter().all(|(label, value)| series.labels.get(label) == Some(value))
        };
        let is_exact =
            || self.exact.iter().filter(covers_series).any(|exact| exact.bounds.iter().any(same));
        self.by_family.get(family).is_some_and(|bounds| bounds.iter().any(same)) && !is_exact()
    }
}

fn exact_boundaries(plan: &Plan) -> Vec<ExactBoundaries> {
    let text = |name: &[u8]| name.escape_ascii().to_string();
    let mut exact = Vec::new();
    for rule in &plan.rules {
        let Kind::Histogram(buckets) = &rule.kind else { continue };
        let is_read = |bound: &f64| buckets.read.iter().any(|its| its.total_cmp(bound).is_eq());
        let bounds = buckets.write.iter().map(|boundary| boundary.bound).filter(is_read);
        let labels = rule.labels.append.iter().map(|(label, value)| (text(label), text(value)));
        let families = rule.redirects.iter().map(|redirect| redirect.to).chain([rule.to]);
        exact.push(ExactBoundaries {
            families: families.map(|to| text(&plan.output(to).name)).collect(),
            labels: labels.collect(),
            bounds: bounds.collect(),
        });
    }
    exact
}
