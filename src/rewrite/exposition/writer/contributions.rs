//! Which rules contribute to a family that is written, and how their series fit together.

use crate::exposition::LabelHasher;
use crate::mapping::plan::exposition::{Kind, OutputId, Rule, RuleId};
use crate::rewrite::exposition::estimate::Errors;
use crate::rewrite::exposition::gathered::{
    Accumulator, Conversion, Gathered, GatheredId, HistogramRows,
};
use crate::rewrite::exposition::resolved_plan::ResolvedPlan;
use crate::rewrite::exposition::series_set::SeriesKeys;
use crate::rewrite::exposition::written_labels::hash_text_of;

/// The series of one rule, as far as they go to one output.
#[derive(Debug)]
pub(super) struct Contribution {
    pub(super) gathered: GatheredId,
    pub(super) rule: RuleId,
    /// `None`: the rule's own output. Otherwise that of this redirect.
    pub(super) redirect: Option<usize>,
    pub(super) conversion: Option<Conversion>,
    /// Later contributions that may have a series with equal labels.
    pub(super) overlaps: Vec<usize>,
    /// Series written so far.
    pub(super) series: u64,
    /// Samples written so far.
    pub(super) samples: u64,
    /// How wrong the estimated bucket counts written so far can be.
    pub(super) errors: Errors,
}

/// What goes to an output, in the order of its rules.
pub(super) fn contributions(
    plan: &ResolvedPlan,
    gathered: &Gathered,
    id: OutputId,
) -> Vec<Contribution> {
    let mut all: Vec<Contribution> = Vec::new();
    for &rule_id in &plan.output(id).rules {
        let rule = plan.rule(rule_id);
        let Some(gathered) = gathered.of_rule(rule_id) else {
            continue;
        };
        let own = (rule.to == id).then_some(None);
        let redirects = rule.redirects.iter().enumerate().filter(|(_, r)| r.to == id);
        for redirect in own.into_iter().chain(redirects.map(|(at, _)| Some(at))) {
            all.push(Contribution {
                gathered,
                rule: rule_id,
                redirect,
                conversion: None,
                overlaps: Vec::new(),
                series: 0,
                samples: 0,
                errors: Errors::default(),
            });
        }
    }
    for at in 0..all.len() {
        let later = at + 1..all.len();
        all[at].overlaps = later
            .filter(|&other| {
                all[other].gathered != all[at].gathered
                    && may_meet(plan.rule(all[at].rule), plan.rule(all[other].rule))
            })
            .collect();
    }
    set_conversions(plan, gathered, &mut all);
    all
}

/// Sets how the histograms of each contribution are converted. Contributions that may have the same
/// series are converted to the same boundaries.
fn set_conversions(plan: &ResolvedPlan, gathered: &Gathered, contributions: &mut [Contribution]) {
    let histograms =
        |contribution: &Contribution| match &gathered.get(contribution.gathered).accumulator {
            Accumulator::Histograms(rows) => Some(rows),
            Accumulator::Scalars(_) => None,
        };
    let shared = contributions.iter().any(|contribution| !contribution.overlaps.is_empty());
    let all: Vec<&HistogramRows> =
        if shared { contributions.iter().filter_map(histograms).collect() } else { Vec::new() };
    for contribution in contributions {
        let Some(rows) = histograms(contribution) else {
            continue;
        };
        let layouts = match &plan.rule(contribution.rule).kind {
            Kind::Histogram(layouts) => Some(layouts),
            _ => None,
        };
        let others = all.iter().map(|rows| &rows.boundaries);
        contribution.conversion = Some(Conversion::new(&rows.boundaries, layouts, others));
    }
}

/// Whether series of two rules with the same labels are merged. There are none if the rules add one
/// label with different values. A series that arrived in the emitted generation is not merged with
/// one that was rewritten to it: it is written instead of that.
fn may_meet(a: &Rule, b: &Rule) -> bool {
    a.same_generation == b.same_generation
        && !a.labels.append.iter().any(|(name, value)| {
            b.labels.append.iter().any(|(other, text)| other == name && text != value)
        })
}

/// The redirect of its rule that applies to a gathered label set, if any.
pub(super) fn redirect_of(
    plan: &ResolvedPlan,
    hasher: &LabelHasher,
    references: &[SeriesKeys],
    rule: &Rule,
    labels: &[u8],
) -> Option<usize> {
    rule.redirects.iter().position(|redirect| {
        let id = redirect.reference.0 as usize;
        let on = &plan.base().references[id].on;
        references[id].contains(&hash_text_of(hasher, labels, on))
    })
}
