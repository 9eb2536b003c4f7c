//! Which gathered make up a family that is written, and how they fit together.

use crate::mapping::plan::exposition::{Kind, OutputId, Rule, RuleId};
use crate::rewrite::exposition::gathered::buckets::Conversion;
use crate::rewrite::exposition::gathered::series::{Accumulator, HistogramRows};
use crate::rewrite::exposition::labels::hash_text_of;
use crate::rewrite::exposition::state::ExpositionState;

/// One hold, as far as it goes to one output.
#[derive(Debug)]
pub(in crate::rewrite::exposition) struct Source {
    pub(in crate::rewrite::exposition) hold: usize,
    pub(in crate::rewrite::exposition) rule: RuleId,
    /// `None`: the rule's own output; otherwise that of this redirect.
    pub(in crate::rewrite::exposition) redirect: Option<usize>,
    pub(in crate::rewrite::exposition) conversion: Option<Conversion>,
    /// Later sources that may hold an equal label set.
    pub(in crate::rewrite::exposition) overlaps: Vec<usize>,
    pub(in crate::rewrite::exposition) series: u64,
    pub(in crate::rewrite::exposition) samples: u64,
}

/// The gathered that go to an output, in the order of its rules.
pub(in crate::rewrite::exposition) fn sources(body: &ExpositionState, id: OutputId) -> Vec<Source> {
    let plan = &body.plan;
    let mut sources: Vec<Source> = Vec::new();
    for &rule_id in &plan.output(id).rules {
        let rule = plan.rule(rule_id);
        let Some(hold) = body.gathered_by[rule_id.0 as usize] else {
            continue;
        };
        let own = (rule.to == id).then_some(None);
        let redirects = rule.redirects.iter().enumerate().filter(|(_, d)| d.to == id);
        for redirect in own.into_iter().chain(redirects.map(|(at, _)| Some(at))) {
            sources.push(Source {
                hold,
                rule: rule_id,
                redirect,
                conversion: None,
                overlaps: Vec::new(),
                series: 0,
                samples: 0,
            });
        }
    }
    for at in 0..sources.len() {
        let later = at + 1..sources.len();
        sources[at].overlaps = later
            .filter(|&other| {
                sources[other].hold != sources[at].hold
                    && may_meet(plan.rule(sources[at].rule), plan.rule(sources[other].rule))
            })
            .collect();
    }
    convert(body, &mut sources);
    sources
}

/// Finds out how each source's ladders are moved. Sources that may hold the same series are moved
/// to the same boundaries.
fn convert(body: &ExpositionState, sources: &mut [Source]) {
    let ladders = |source: &Source| match &body.gathered[source.hold].accumulator {
        Accumulator::Histograms(ladders) => Some(ladders),
        Accumulator::Scalars(_) => None,
    };
    let shared = sources.iter().any(|source| !source.overlaps.is_empty());
    let all: Vec<&HistogramRows> =
        if shared { sources.iter().filter_map(ladders).collect() } else { Vec::new() };
    for source in sources {
        let Some(rows) = ladders(source) else {
            continue;
        };
        let known = match &body.plan.rule(source.rule).kind {
            Kind::Histogram(ladders) => Some(ladders),
            _ => None,
        };
        let others = all.iter().map(|rows| &rows.boundaries);
        source.conversion = Some(Conversion::new(&rows.boundaries, known, others));
    }
}

/// Whether two rules may give two series the same labels: not where they write one label with
/// different texts.
fn may_meet(a: &Rule, b: &Rule) -> bool {
    !a.labels.append.iter().any(|(name, value)| {
        b.labels.append.iter().any(|(other, text)| other == name && text != value)
    })
}

/// Which redirect of its rule a held label set takes, if any.
pub(in crate::rewrite::exposition) fn redirect_of(
    body: &ExpositionState,
    rule: &Rule,
    labels: &[u8],
) -> Option<usize> {
    rule.redirects.iter().position(|redirect| {
        let id = redirect.reference.0 as usize;
        let on = &body.plan.references[id].on;
        body.references[id].contains(&hash_text_of(&body.hasher, labels, on))
    })
}
