//! The relabeling of one family that a plan writes.

use super::contribution::{Contribution, Outline, contributions_of, may_meet};
use super::options::Spelling;
use super::relabel::Relabelling;
use super::source::Source;
use super::utf8::text;
use crate::mapping::plan::exposition::{Kind, OutputId, Rule, RuleId};

/// The relabeling of one family. There is none if one of its rules does more.
#[derive(Clone, Debug)]
pub(super) struct RelabelledFamily {
    pub(super) outline: Outline,
    pub(super) rules: Vec<(RuleId, Relabelling)>,
}

impl RelabelledFamily {
    /// The relabeling of an output of a plan.
    pub(super) fn new(source: &Source<'_>, id: OutputId, spelling: Spelling) -> RelabelledFamily {
        let contributions = contributions_of(source, id);
        let mut outline = Outline::new(text(&source.plan.output(id).name), &contributions);
        let mut rules = Vec::new();
        for (at, contribution) in contributions.iter().enumerate() {
            let others = contributions.get(at + 1..).unwrap_or_default();
            if others.iter().any(|other| may_meet(contribution, other)) {
                outline.add_reason("series of several families can become equal".to_owned());
            }
            let reason = more_than_names(source, contribution, spelling);
            match reason.map_or_else(|| Relabelling::new(source, contribution.id), Err) {
                Ok(relabelling) => rules.push((contribution.id, relabelling)),
                Err(reason) => outline.add_reason(reason),
            }
        }
        if !outline.reasons.is_empty() {
            rules.clear();
        }
        RelabelledFamily { outline, rules }
    }

    /// The number of entries.
    pub(super) fn len(&self) -> usize {
        self.rules.iter().map(|(_, rule)| rule.len()).sum()
    }
}

/// What a rule does that is more than to change names and labels of samples.
fn more_than_names(
    source: &Source<'_>,
    contribution: &Contribution<'_>,
    spelling: Spelling,
) -> Option<String> {
    let rule = contribution.rule;
    let reason = if rule.same_generation {
        "buckets of another edition are converted"
    } else if rule.derived {
        "it is an additional family, and relabeling adds no series"
    } else if rule.also {
        "its samples are also counted in another family, and relabeling adds no series"
    } else if rule.remainder {
        "it is a difference of two families"
    } else if !rule.redirects.is_empty() {
        "another family decides which series it has"
    } else if rule.scale.is_some_and(|scale| !scale.is_one()) {
        "the unit of its values changes"
    } else if layouts_differ(contribution, source, spelling) {
        "the bucket layouts differ"
    } else if joins_values(source, rule) {
        "series become equal and have to be aggregated"
    } else {
        return None;
    };
    Some(reason.to_owned())
}

/// Whether series can become equal, other than by a label that has one value in each exposition.
fn joins_values(source: &Source<'_>, rule: &Rule) -> bool {
    let single = source.own_pack_rule(rule).map(|it| &it.single_valued);
    let has_one_value = |label: &[u8]| {
        rule.when.equal.iter().any(|(its, _)| **its == *label)
            || single.is_some_and(|labels| labels.iter().any(|its| its.as_bytes() == label))
    };
    rule.labels.drop.iter().any(|label| !has_one_value(label))
        || rule.labels.values.iter().any(|edit| !edit.keeps_apart())
}

/// Whether a boundary, or its spelling as it is stored, differs between the generations.
fn layouts_differ(
    contribution: &Contribution<'_>,
    source: &Source<'_>,
    spelling: Spelling,
) -> bool {
    if !matches!(contribution.rule.kind, Kind::Histogram(_)) {
        return false;
    }
    let written = source.written;
    let layouts = |its| contribution.pack_rule.and_then(|rule| rule.layouts_in(its));
    let (Some(read), Some(write)) = (layouts(written.other()), layouts(written)) else {
        return true;
    };
    let bounds: Vec<Vec<f64>> = read.each().chain(write.each()).collect();
    let differ = bounds.iter().any(|it| Some(it) != bounds.first());
    let respelled =
        || write.newest().iter().any(|it| read.spellings(it.bound).any(|text| *text != *it.text));
    differ || spelling == Spelling::AsExported && respelled()
}
