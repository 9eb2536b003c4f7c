//! Migrates the name and the matchers of a selector.

use std::borrow::Cow;

use super::boundaries::{check_all_boundaries, migrated_boundary};
use super::input::Input;
use super::select::Selected;
use super::uncounted::{excluding_matchers, is_superfluous};
use crate::document::Edit;
use crate::mapping::{Correspondence, Meaning};
use crate::tools::audit::matching::{Match, all_match, matches_everything};

/// The edits of a selector's name and braces. The first edit is that of the name.
pub(super) fn edit_selector(
    input: &Input<'_>,
    selected: &Selected<'_>,
    rule: &Correspondence,
) -> Result<Vec<Edit>, String> {
    let selector = selected.usage.selector;
    let to = rule.side(input.from.other());
    let name = selector.name.clone().ok_or("it has no name")?;
    let new_name = format!("{}{}", to.family, selected.family.suffix);
    let mut edits = vec![Edit::replace(name.clone(), new_name.clone())];
    let kept = kept_matchers(input, selected, rule)?;
    let mut added = added_matchers(input, selected, rule);
    for matcher in excluding_matchers(input, selector, rule)? {
        if !added.contains(&matcher) {
            added.push(matcher);
        }
    }
    if kept.len() == selector.matchers.len() && added.is_empty() {
        // Only labels and values change, so that white space and order stay.
        for (matcher, kept) in selector.matchers.iter().zip(&kept) {
            if input.label(matcher) != kept.label {
                edits.push(Edit::replace(matcher.label.clone(), kept.label));
            }
            if kept.has_new_value {
                edits.push(Edit::replace(matcher.label.end..matcher.at.end, &*kept.rest));
            }
        }
        return Ok(edits);
    }
    let in_braces = selector.name_matcher.as_ref().map(|at| {
        let (before, after) = (at.start..name.start, name.end..at.end);
        format!("{}{new_name}{}", input.slice(&before), input.slice(&after))
    });
    if in_braces.is_some() {
        edits.clear();
    }
    let kept = kept.iter().map(|it| format!("{}{}", it.label, it.rest));
    let matchers: Vec<String> = in_braces.into_iter().chain(kept).chain(added).collect();
    let braces = selector.braces.clone();
    let spaced = braces.as_ref().is_some_and(|braces| input.slice(braces).contains(", "));
    let list = matchers.join(if spaced { ", " } else { "," });
    let text = if matchers.is_empty() { String::new() } else { format!("{{{list}}}") };
    edits.push(match braces {
        Some(braces) => Edit::replace(braces, text),
        None => Edit::after(name.end, text),
    });
    Ok(edits)
}

/// A matcher that stays.
struct KeptMatcher<'a> {
    /// The label's name in the target.
    label: &'a str,
    /// The operator and the value.
    rest: Cow<'a, str>,
    has_new_value: bool,
}

impl<'a> KeptMatcher<'a> {
    fn new(label: &'a str, rest: &'a str) -> KeptMatcher<'a> {
        KeptMatcher { label, rest: Cow::Borrowed(rest), has_new_value: false }
    }
}

/// The matchers that stay.
fn kept_matchers<'a>(
    input: &Input<'a>,
    selected: &Selected<'_>,
    rule: &'a Correspondence,
) -> Result<Vec<KeptMatcher<'a>>, String> {
    let (from, to) = (rule.side(input.from), rule.side(input.from.other()));
    let lacks = |label: &str, family: &str| {
        Err(format!("it selects by `{label}`, which {family} does not have"))
    };
    let mut kept = Vec::new();
    for matcher in &selected.usage.selector.matchers {
        let label = input.label(matcher);
        let rest = input.slice(&(matcher.label.end..matcher.at.end));
        if is_superfluous(input, rule, matcher) {
            continue;
        }
        match from.meaning(label) {
            // It has chosen the rule.
            Some(Meaning::Fixed(_)) => {}
            // It separates the samples of the rule from others, which the target does not have.
            Some(Meaning::Carried(other))
                if matcher.op == "!="
                    && matcher.value.is_empty()
                    && input.catalog.must_be_present(rule, input.from, label)
                    && !input.catalog.must_be_present(rule, input.from.other(), other) => {}
            Some(Meaning::Carried(other)) => kept.push(KeptMatcher::new(other, rest)),
            Some(Meaning::Own) if matches_everything(matcher, input.templated) => {}
            Some(Meaning::Own) => return lacks(label, &to.family),
            None if label == "le" => {
                let value = migrated_boundary(input, selected, rule, matcher)?;
                kept.push(match value {
                    Some(value) => KeptMatcher {
                        label,
                        rest: Cow::Owned(format!("={value:?}")),
                        has_new_value: true,
                    },
                    None => KeptMatcher::new(label, rest),
                });
            }
            None if label == "__name__" => {
                return Err("it selects by a pattern of names".to_owned());
            }
            None if to.meaning(label).is_some() => return lacks(label, &from.family),
            None => kept.push(KeptMatcher::new(label, rest)),
        }
    }
    check_all_boundaries(input, selected, rule)?;
    Ok(kept)
}

/// New matchers: fixed values of the target, and labels that tell its samples from those of another
/// rule.
fn added_matchers(
    input: &Input<'_>,
    selected: &Selected<'_>,
    rule: &Correspondence,
) -> Vec<String> {
    let to = input.from.other();
    let from = rule.side(input.from);
    let mut added = Vec::new();
    for (label, meaning) in &rule.side(to).labels {
        match meaning {
            Meaning::Fixed(value) if from.meaning(label) != Some(meaning) => {
                added.push(format!("{label}={value:?}"));
            }
            Meaning::Carried(other) if input.catalog.must_be_present(rule, to, label) => {
                let matchers = input.matchers(&selected.usage, other);
                if all_match(&matchers, "", input.templated) != Match::No {
                    added.push(format!("{label}!=\"\""));
                }
            }
            Meaning::Fixed(_) | Meaning::Carried(_) | Meaning::Own => {}
        }
    }
    added
}
