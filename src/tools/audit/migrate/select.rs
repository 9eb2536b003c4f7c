//! Decides which rules describe the samples of each selector.

use super::input::Input;
use super::label_diff::LabelDiff;
use super::restored::{Restored, restored};
use super::uncounted::{check_counted, excluding_matchers};
use crate::mapping::{Correspondence, Generation, Meaning};
use crate::tools::audit::catalog::FamilyRef;
use crate::tools::audit::matching::{Match, all_match, matches_everything};
use crate::tools::audit::promql::Matcher;
use crate::tools::audit::vector_use::{SelectorUse, selector_uses};

/// A selector to migrate, and the rules that describe its samples together.
pub(super) struct Selected<'a> {
    pub(super) usage: SelectorUse<'a>,
    pub(super) family: FamilyRef,
    pub(super) rules: Vec<&'a Correspondence>,
    /// What is removed around it.
    pub(super) restored: Restored,
}

/// The selectors of a query.
#[derive(Default)]
pub(super) struct Selection<'a> {
    pub(super) selected: Vec<Selected<'a>>,
    /// Selectors that stay as they are.
    pub(super) unchanged: Vec<SelectorUse<'a>>,
}

/// Chooses the rules for every selector of a query.
///
/// # Errors
///
/// All reasons why a selector cannot be migrated.
pub(super) fn select<'a>(input: &Input<'a>) -> Result<Selection<'a>, Vec<String>> {
    let mut selection = Selection::default();
    let mut obstacles: Vec<String> = Vec::new();
    for (usage, restored) in restored(input, selector_uses(input.masked, input.expr)) {
        if let Err(obstacle) = select_one(input, usage, restored, &mut selection)
            && !obstacles.contains(&obstacle)
        {
            obstacles.push(obstacle);
        }
    }
    if obstacles.is_empty() { Ok(selection) } else { Err(obstacles) }
}

fn select_one<'a>(
    input: &Input<'a>,
    usage: SelectorUse<'a>,
    restored: Restored,
    selection: &mut Selection<'a>,
) -> Result<(), String> {
    let Some(at) = &usage.selector.name else {
        check_nameless(input, &usage)?;
        selection.unchanged.push(usage);
        return Ok(());
    };
    let name = input.slice(at);
    if input.masked.has_variable(at) {
        return Err(format!("`{name}` is a name with a variable in it"));
    }
    let Some(family) = input.catalog.lookup(name) else {
        selection.unchanged.push(usage);
        return Ok(());
    };
    match family.generation {
        Some(generation) if generation != input.from => Err("it uses both generations".to_owned()),
        Some(_) => {
            let rules = choose_rules(input, &usage, &family, restored.other.as_deref())?;
            check_variables(input, &usage, &rules)?;
            check_name(input, &usage)?;
            selection.selected.push(Selected { usage, family, rules, restored });
            Ok(())
        }
        None => {
            check_same_name(input, &usage, &family)?;
            selection.unchanged.push(usage);
            Ok(())
        }
    }
}

/// A variable must not stand for a label that differs between the generations.
fn check_variables(
    input: &Input<'_>,
    usage: &SelectorUse<'_>,
    rules: &[&Correspondence],
) -> Result<(), String> {
    let differs = |rule: &&Correspondence| {
        let diff = LabelDiff::new(rule, input.from);
        !(diff.renamed.is_empty() && diff.lost.is_empty() && diff.only_source.is_empty())
    };
    if let Some(variable) = usage.variable
        && (!variable.contains("label") || rules.iter().any(differs))
    {
        return Err(variable.to_owned());
    }
    if usage.selector.matchers.iter().any(|it| input.masked.has_variable(&it.label)) {
        return Err("which label it selects by depends on a variable".to_owned());
    }
    Ok(())
}

/// The name of the series must not be part of the result.
fn check_name(input: &Input<'_>, usage: &SelectorUse<'_>) -> Result<(), String> {
    let name = "__name__";
    let is_used = usage.mentioned.contains(name)
        || usage.named_labels.contains(name)
        || input.legend.contains(name)
        || input.values_of == Some(name);
    if is_used { Err("it uses the name of the series as a label".to_owned()) } else { Ok(()) }
}

/// A selector without a name must not match a family that only the source generation has.
fn check_nameless(input: &Input<'_>, usage: &SelectorUse<'_>) -> Result<(), String> {
    let pattern = input.matchers(usage, "__name__");
    let may_match = |family: &&str| {
        let names = input.catalog.series_names(family).into_iter();
        let mut matches = names.map(|name| all_match(&pattern, &name, input.templated));
        matches.any(|it| it != Match::No)
    };
    match input.catalog.only_in(input.from).into_iter().find(may_match) {
        Some(family) => Err(format!("the name is a pattern that matches {family}")),
        None if input.catalog.has_patterns() && !pattern.is_empty() => {
            Err("the name is a pattern that may match families of a pattern".to_owned())
        }
        None => Ok(()),
    }
}

/// A family with the same name in both generations stays as it is, unless the query uses a label or
/// samples that only one of them has.
fn check_same_name(
    input: &Input<'_>,
    usage: &SelectorUse<'_>,
    family: &FamilyRef,
) -> Result<(), String> {
    for rule in input.catalog.rules(&family.family, input.from) {
        check_counted(input, usage.selector, rule)?;
        let labels = rule.converted_labels.first();
        let name = |it: &Matcher| Some(input.label(it));
        let labels = labels.filter(|_| usage.reads_converted_labels(rule, name));
        if let Some(how) = rule.converted_values().as_ref().or(labels) {
            return Err(format!(
                "{} has other values in the other generation: {how}",
                family.family
            ));
        }
        if let Some(matcher) = excluding_matchers(input, usage.selector, rule)?.first() {
            return Err(format!(
                "the {} generation counts samples of {} that this one does not; to leave them out, \
                 add {matcher}",
                input.from.other().as_str(),
                family.family
            ));
        }
        let diff = LabelDiff::new(rule, input.from);
        for label in &diff.only_source {
            let is_matched = !input.matchers(usage, label).is_empty();
            if usage.named_labels.contains(*label) || is_matched {
                return Err(format!("`{label}` of {} is only in this generation", family.family));
            }
        }
        let matched = |label: &&&str| {
            let matchers = input.matchers(usage, label);
            !matchers.iter().all(|it| matches_everything(it, input.templated))
        };
        if let Some(label) = diff.only_target.iter().find(matched) {
            return Err(format!("`{label}` of {} is only in the other generation", family.family));
        }
        // The migrated families around it neither gain nor lose the label.
        let is_absent = usage.function.is_some_and(|it| it.starts_with("absent"));
        let mut one_sided = diff.only_target.iter().chain(&diff.only_source);
        if let Some(label) = one_sided.find(|label| !is_absent && usage.live.has(label)) {
            return Err(format!(
                "only one generation of {} has the label `{label}`, which is part of the result or \
                 of a match; aggregate it without ({label})",
                family.family
            ));
        }
        let renamed = diff.renamed.iter().flat_map(|(label, other)| [*label, *other]);
        let fixed = diff.lost.iter().map(|(label, _)| *label).chain(diff.added.iter().copied());
        if let Some(label) = renamed.chain(fixed).find(|it| !is_absent && usage.live.has(it)) {
            return Err(format!(
                "the label `{label}` of {} has another name or value in the other generation, and is \
                 part of the result or of a match; aggregate it without ({label})",
                family.family
            ));
        }
    }
    Ok(())
}

fn choose_rules<'a>(
    input: &Input<'a>,
    usage: &SelectorUse<'_>,
    family: &FamilyRef,
    included: Option<&str>,
) -> Result<Vec<&'a Correspondence>, String> {
    let from = input.from;
    let family = family.family.as_str();
    let candidates = input.catalog.migration_rules(family, from);
    let mut rules = Vec::new();
    let mut undecided = None;
    for rule in &candidates {
        match selects(input, usage, rule) {
            Ok(true) => rules.push(*rule),
            Ok(false) => {}
            Err(obstacle) => drop(undecided.get_or_insert(obstacle)),
        }
    }
    if let Some(obstacle) = undecided {
        return Err(obstacle);
    }
    drop_parts_or_totals(input, usage, &mut rules);
    if rules.is_empty() {
        return Err(if candidates.is_empty() {
            format!("{family} has no counterpart")
        } else {
            format!("the selector matches no part of {family} that a pack has a rule for")
        });
    }
    for label in &usage.named_labels {
        let has = |generation: Generation| {
            rules.iter().any(|it| it.side(generation).meaning(label).is_some())
        };
        if has(from.other()) && !has(from) {
            return Err(format!("it uses label `{label}`, which {family} does not have"));
        }
    }
    for rule in &rules {
        if from == Generation::New
            && let Some(other) = input.catalog.indistinguishable(rule, from, included)
        {
            return Err(format!(
                "{} would include {other} too; if {other} does not occur, add --absent={other}",
                rule.side(from.other()).family
            ));
        }
    }
    Ok(rules)
}

/// If one rule is for a part of another rule's total, the query means one of them: the part if it
/// requires a label of the part, otherwise the total.
fn drop_parts_or_totals(
    input: &Input<'_>,
    usage: &SelectorUse<'_>,
    rules: &mut Vec<&Correspondence>,
) {
    let mut dropped = Vec::new();
    for (index, part) in rules.iter().enumerate() {
        for (other, total) in rules.iter().enumerate() {
            if total.includes.as_ref() == Some(&part.old.family) {
                let means_part = part.side(input.from).labels.iter().any(|(label, meaning)| {
                    matches!(meaning, Meaning::Carried(_)) && requires_label(input, usage, label)
                });
                dropped.push(if means_part { other } else { index });
            }
        }
    }
    let mut index = 0;
    rules.retain(|_| {
        index += 1;
        !dropped.contains(&(index - 1))
    });
}

/// True if a selector selects samples of a rule.
fn selects(
    input: &Input<'_>,
    usage: &SelectorUse<'_>,
    rule: &Correspondence,
) -> Result<bool, String> {
    for (label, meaning) in &rule.side(input.from).labels {
        let matchers = input.matchers(usage, label);
        let matched = match meaning {
            Meaning::Fixed(value) => all_match(&matchers, value, input.templated),
            // All samples of the rule have the label.
            Meaning::Carried(_) => {
                let without = matchers.iter().any(|it| it.op == "=" && it.value.is_empty());
                if without { Match::No } else { Match::Yes }
            }
            Meaning::Own => Match::Yes,
        };
        match matched {
            Match::Yes => {}
            Match::No => return Ok(false),
            Match::Unknown => {
                return Err(format!("which family it becomes depends on the value of `{label}`"));
            }
        }
    }
    Ok(true)
}

/// True if a selector selects only samples that have a label.
fn requires_label(input: &Input<'_>, usage: &SelectorUse<'_>, label: &str) -> bool {
    let matchers = input.matchers(usage, label);
    all_match(&matchers, "", input.templated) == Match::No || input.values_of == Some(label)
}
