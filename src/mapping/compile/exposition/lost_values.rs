//! Warnings about values of labels that do not come back, and about those that no rule reads.

use std::collections::BTreeSet;

use crate::document::{Diagnostic, listed};
use crate::mapping::compile::exposition::active::ActiveRule;
use crate::mapping::generation::Generation;
use crate::mapping::pack::PackRule;
use crate::mapping::pack::exposition::selector::Selector;
use crate::mapping::pack::exposition::template::Template;
use crate::mapping::pack::exposition::translation::ValueTranslation;

/// All such warnings about one rule.
pub(in crate::mapping) fn of_rule(from: ActiveRule<'_>) -> Vec<Diagnostic> {
    let mut warnings = Vec::new();
    for generation in [Generation::Old, Generation::New] {
        warnings.extend(unread(from.rule, generation).into_iter().map(|message| {
            let help = "no change is needed if there are no such samples";
            from.pack.source().warning(from.rule.span(generation), message, help)
        }));
    }
    warnings.extend(alike(from.rule).map(|message| {
        let help = "no change is needed if these values do not occur";
        from.pack.source().warning(from.rule.span(Generation::New), message, help)
    }));
    let losses = from.rule.values.iter().flat_map(|(name, translation)| lost(name, translation));
    warnings.extend(losses.map(|message| {
        let help = "no change is needed if these values do not occur";
        from.pack.source().warning(from.rule.span(Generation::Old), message, help)
    }));
    warnings
}

/// Values that can be of either generation, if neither names nor other labels tell.
fn alike(rule: &PackRule) -> Option<String> {
    let labels = |side: &Selector| -> BTreeSet<String> {
        side.items.iter().map(|item| item.label.clone()).collect()
    };
    let is_other_text = |(label, text): (&str, &str)| {
        rule.new.fixed().any(|(its, other)| its == label && other != text)
    };
    if !rule.keeps_name()
        || labels(&rule.old) != labels(&rule.new)
        || rule.old.fixed().any(is_other_text)
    {
        return None;
    }
    let changes = |(label, template): &(&str, &Template)| {
        rule.new.templates().any(|(its, other)| its == *label && other != *template)
    };
    let changed = rule.old.templates().filter(changes).map(|(label, _)| label);
    let changed: Vec<&str> = changed.collect();
    (!changed.is_empty()).then(|| {
        format!(
            "`{}` has the same labels in both generations, so some values of {} are read as those \
             of the other one",
            rule.old.family,
            listed(&changed)
        )
    })
}

/// Samples of one generation that are forwarded unchanged because of their values.
fn unread(rule: &PackRule, generation: Generation) -> Vec<String> {
    let read = rule.side(generation);
    let mut messages = Vec::new();
    for (label, template) in rule.side(generation.other()).templates() {
        let variables = template.variables.iter();
        for (variable, text) in variables.zip(template.texts.iter().skip(1)) {
            let is_last = template.variables.last() == Some(variable);
            let ends_there = |its: &Template| ends_with(its, variable, text);
            if !is_last && !read.templates().any(|(_, its)| ends_there(its)) {
                messages.push(format!(
                    "`{}` is forwarded unchanged if `${variable}` contains `{text}`, where `{label}` \
                     is split on the way back",
                    read.family
                ));
            }
        }
    }
    let mut shared: Vec<&str> = read.variables().collect();
    shared.sort_unstable();
    shared.dedup();
    for variable in shared {
        let labels = read.templates().filter(|(_, template)| template.has(variable));
        let labels: Vec<&str> = labels.map(|(label, _)| label).collect();
        if labels.len() > 1 {
            messages.push(format!(
                "`{}` is forwarded unchanged if {} have different values",
                read.family,
                listed(&labels)
            ));
        }
    }
    messages
}

/// Whether a variable cannot contain a text, because it is followed by it.
fn ends_with(template: &Template, variable: &str, text: &str) -> bool {
    let variables = template.variables.iter().zip(template.texts.iter().skip(1));
    let is_last = template.variables.last().is_some_and(|last| last == variable);
    !is_last && variables.into_iter().any(|(its, after)| its == variable && after == text)
}

/// Values that come back as others, or that become one with others.
fn lost(name: &str, translation: &ValueTranslation) -> Vec<String> {
    let there_and_back = "old to new and back";
    let (pairs, others) = match translation {
        ValueTranslation::Lower => {
            return vec![format!("{there_and_back}: `${name}` comes back in lower case")];
        }
        ValueTranslation::Upper => {
            return vec![format!("{there_and_back}: `${name}` comes back in upper case")];
        }
        ValueTranslation::Texts(pairs, others) => (pairs, *others),
    };
    let mut losses = Vec::new();
    for (new, old) in translation.merged() {
        losses.push(format!(
            "{there_and_back}: {} of `${name}` become {}, which comes back as {}",
            all_shown(&old),
            shown(new),
            shown(old[0])
        ));
    }
    if !others {
        return losses;
    }
    let is_old = |text: &str| pairs.iter().any(|(old, _)| old == text);
    let is_new = |text: &str| pairs.iter().any(|(_, new)| new == text);
    let mut known: Vec<&str> = Vec::new();
    for (old, new) in pairs {
        if !is_old(new) && !known.contains(&new.as_str()) {
            known.push(new);
            let (old, new) = (shown(old), shown(new));
            losses.push(format!(
                "{there_and_back}: {new} of `${name}` stays as it is, and comes back as {old}"
            ));
        }
    }
    for (old, new) in pairs.iter().filter(|(old, _)| !is_new(old)) {
        let (old, new) = (shown(old), shown(new));
        losses.push(format!(
            "new to old and back: {old} of `${name}` stays as it is, and comes back as {new}"
        ));
    }
    losses
}

/// A value as it is shown in messages.
fn shown(text: &str) -> String {
    if text.is_empty() { "an absent label".to_owned() } else { format!("`{text}`") }
}

fn all_shown(texts: &[&str]) -> String {
    let texts: Vec<String> = texts.iter().map(|text| shown(text)).collect();
    match texts.split_last() {
        Some((last, before)) if !before.is_empty() => format!("{} and {last}", before.join(", ")),
        _ => texts.concat(),
    }
}
