//! `PromQL` around a migrated vector that gives it the series and labels of the original.

use std::collections::BTreeSet;

use super::boundaries::shown_boundary;
use super::input::Input;
use super::label_diff::LabelDiff;
use super::label_lists::LabelLists;
use super::label_names::LabelNames;
use super::select::Selected;
use crate::mapping::{Correspondence, Merge};
use crate::tools::audit::promql::Aggregate;
use crate::tools::audit::vector_use::SelectorUse;

/// Text before and after a vector.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wrapping {
    pub(super) before: String,
    pub(super) after: String,
}

/// Finds what a vector must be wrapped in. Aggregations around it may change their label lists
/// instead.
///
/// `keep_lost` restores all labels that the target lacks, even those that nothing uses.
///
/// # Errors
///
/// Why no wrapping gives the same result.
pub(super) fn wrapping(
    input: &Input<'_>,
    selected: &Selected<'_>,
    rule: &Correspondence,
    names: &LabelNames,
    keep_lost: bool,
    lists: &mut LabelLists,
) -> Result<Wrapping, String> {
    let usage = &selected.usage;
    let diff = label_diff(input, selected, rule, names, lists);
    let (op, functions) = merging(rule.merge);
    check_joined(usage, &diff, op, lists)?;
    if usage.is_of_series() {
        return check_function_of_series(input, usage, &diff).map(|()| Wrapping::default());
    }
    let merges = !diff.only_target.is_empty() || !diff.only_source.is_empty();
    let is_range = usage.selector.has_range;
    if merges && is_range && !usage.function.is_some_and(|it| functions.contains(&it)) {
        let function = usage.function.unwrap_or("a range");
        return Err(format!(
            "`{function}` of one series is not that of several series joined by {op}"
        ));
    }
    let mut restored = RestoredLabels::new(usage, &diff, names, keep_lost);
    restored.lost.extend(shown_boundary(input, selected, rule).map(|value| ("le", value)));
    // Labels that the migrated vector has and the original does not.
    let own: BTreeSet<&str> = diff.only_target.union(&diff.added).copied().collect();
    let pending = diff.renamed.iter().filter(|(label, _)| !names.renamed.contains_key(*label));
    let mut surplus = own.clone();
    surplus.extend(pending.clone().map(|(_, to)| *to));
    let absorbed = match usage.aggregate {
        // A variable in a `by` list may be any label.
        Some(aggregate)
            if (usage.variable.is_none() || removes_labels(aggregate))
                && (diff.only_target.is_empty() || aggregate.op == op) =>
        {
            let obsolete: Vec<&str> = if selected.rules.len() == 1 {
                let written = selected.restored.renamed.as_ref().map(|(from, _)| from.as_str());
                let labels = pending.clone().chain(&diff.lost).map(|(label, _)| *label);
                labels.chain(written).collect()
            } else {
                Vec::new()
            };
            absorb(aggregate, &surplus, &obsolete, lists)
        }
        _ => false,
    };
    if !absorbed {
        // A label that something removes under its old name must not remain under its new one.
        for one in pending.filter(|(_, to)| usage.live.has(to)) {
            if !restored.renamed.contains(one) {
                restored.renamed.push(*one);
            }
        }
        surplus = own;
        surplus.extend(restored.renamed.iter().map(|(_, to)| *to));
    }
    let mut wrapping = Wrapping::default();
    let is_visible = surplus.iter().any(|label| usage.live.has(label));
    if !absorbed && (!diff.only_target.is_empty() || is_visible) {
        let list: Vec<&str> = surplus.iter().copied().collect();
        wrapping.before = format!("{op} without ({}) (", list.join(", "));
        wrapping.after.push(')');
    }
    restored.write(&mut wrapping);
    Ok(wrapping)
}

/// The labels that differ, except those that the query itself restores and those that it may lose.
fn label_diff<'a>(
    input: &Input<'_>,
    selected: &Selected<'_>,
    rule: &'a Correspondence,
    names: &LabelNames,
    lists: &mut LabelLists,
) -> LabelDiff<'a> {
    let usage = &selected.usage;
    let mut diff = LabelDiff::new(rule, input.from);
    if let Some((from, label)) = &selected.restored.renamed {
        // The migrated vector has the label that the query writes.
        diff.renamed.retain(|renamed| *renamed != (from.as_str(), label.as_str()));
    }
    if let Some(label) = &selected.restored.fixed {
        diff.added.remove(label.as_str());
    }
    let dropped = diff.only_source.iter();
    let dropped = dropped.filter(|label| may_drop(input, usage, &diff, names, label));
    let dropped: BTreeSet<&str> = dropped.copied().collect();
    if let Some(grouping) = usage.aggregate.and_then(|it| it.grouping.as_ref()) {
        for label in &dropped {
            lists.remove(&grouping.labels, label);
        }
    }
    diff.only_source.retain(|label| !dropped.contains(label));
    diff
}

/// The aggregation that merges series, and the range functions that may be applied before it.
fn merging(merge: Option<Merge>) -> (&'static str, &'static [&'static str]) {
    match merge {
        None | Some(Merge::Sum) => (
            "sum",
            &["rate", "increase", "irate", "delta", "idelta", "sum_over_time", "last_over_time"],
        ),
        Some(Merge::Max) => ("max", &["max_over_time", "last_over_time"]),
        Some(Merge::Min) => ("min", &["min_over_time", "last_over_time"]),
    }
}

/// `absent` and the like return something about the series, not their values.
fn check_function_of_series(
    input: &Input<'_>,
    usage: &SelectorUse<'_>,
    diff: &LabelDiff<'_>,
) -> Result<(), String> {
    if usage.function == Some("timestamp") {
        return Err("`timestamp` depends on the individual series".to_owned());
    }
    // `absent` returns the labels of `=` matchers.
    let returns_changed_label = usage.selector.matchers.iter().any(|it| {
        let label = input.label(it);
        it.op == "="
            && (diff.renamed.iter().any(|(its, _)| *its == label)
                || diff.lost.iter().any(|(its, _)| *its == label))
    });
    if (returns_changed_label || !diff.added.is_empty()) && input.labels_matter {
        return Err("`absent` returns the labels of its selector, which would change".to_owned());
    }
    Ok(())
}

/// True if a label that only the source has can be left out, because no two series differ only in it
/// and nothing uses it.
///
/// It has one value at a time, and another one after a restart, so this does not hold for what a
/// function sees over a range.
fn may_drop(
    input: &Input<'_>,
    usage: &SelectorUse<'_>,
    diff: &LabelDiff<'_>,
    names: &LabelNames,
    label: &str,
) -> bool {
    let is_used = usage.live.has(label) && !names.lost.contains(label);
    let is_over_time =
        usage.selector.has_range || input.expr.has_subquery_of(&usage.vector, input.text);
    diff.single_valued.contains(label) && !is_used && !is_over_time
}

/// Series that only the source tells apart must be joined by an aggregation directly around them.
fn check_joined(
    usage: &SelectorUse<'_>,
    diff: &LabelDiff<'_>,
    op: &str,
    lists: &mut LabelLists,
) -> Result<(), String> {
    let exempt = usage.is_of_series() && usage.function != Some("timestamp");
    if diff.only_source.is_empty() || exempt {
        return Ok(());
    }
    let live = diff.only_source.iter().find(|label| usage.live.has(label));
    let list: Vec<&str> = diff.only_source.iter().copied().collect();
    match (live, usage.aggregate.filter(|it| it.op == op)) {
        (None, Some(aggregate)) => {
            // The target does not have these labels, so `without` need not name them.
            if let Some(grouping) = aggregate.grouping.as_ref().filter(|it| it.without) {
                for label in &list {
                    lists.remove(&grouping.labels, label);
                }
            }
            Ok(())
        }
        (Some(label), _) if usage.named_labels.contains(*label) => {
            Err(format!("it groups by `{label}`, which the other generation does not have"))
        }
        _ => Err(format!(
            "it uses series that differ only in {}; the other generation has only their {op}",
            list.join(", ")
        )),
    }
}

/// True for `without`.
fn removes_labels(aggregate: &Aggregate) -> bool {
    aggregate.grouping.as_ref().is_some_and(|it| it.without)
}

/// Makes an aggregation remove labels. Returns false if it cannot. `obsolete` are labels that its
/// argument no longer has.
fn absorb(
    aggregate: &Aggregate,
    surplus: &BTreeSet<&str>,
    obsolete: &[&str],
    lists: &mut LabelLists,
) -> bool {
    match &aggregate.grouping {
        _ if aggregate.selects_series() => false,
        None => true,
        Some(grouping) if grouping.without => {
            for label in obsolete {
                lists.remove(&grouping.labels, label);
            }
            for label in surplus {
                lists.add(&grouping.labels, label);
            }
            true
        }
        Some(grouping) => !surplus.iter().any(|label| grouping.labels.has(label)),
    }
}

/// Labels that must have the name and value of the source.
struct RestoredLabels<'a> {
    renamed: Vec<(&'a str, &'a str)>,
    lost: Vec<(&'a str, &'a str)>,
}

impl<'a> RestoredLabels<'a> {
    fn new(
        usage: &SelectorUse<'_>,
        diff: &LabelDiff<'a>,
        names: &LabelNames,
        keep_lost: bool,
    ) -> RestoredLabels<'a> {
        let renamed = diff
            .renamed
            .iter()
            .filter(|(label, _)| usage.live.has(label) && !names.renamed.contains_key(*label));
        let lost = diff.lost.iter().filter(|(label, _)| {
            keep_lost || (usage.live.has(label) && !names.lost.contains(*label))
        });
        RestoredLabels { renamed: renamed.copied().collect(), lost: lost.copied().collect() }
    }

    /// Adds `label_replace` inside of any aggregation, which removes the other name.
    fn write(&self, wrapping: &mut Wrapping) {
        let Wrapping { before, after } = wrapping;
        for (label, to) in &self.renamed {
            before.push_str("label_replace(");
            after.insert_str(0, &format!(", \"{label}\", \"$1\", \"{to}\", \"(.*)\")"));
        }
        for (label, value) in &self.lost {
            before.push_str("label_replace(");
            let value = value.replace('$', "$$").replace('\\', "\\\\").replace('"', "\\\"");
            after.insert_str(0, &format!(", \"{label}\", \"{value}\", \"\", \"\")"));
        }
    }
}
