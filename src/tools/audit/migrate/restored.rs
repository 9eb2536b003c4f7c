//! Expressions that a migration wrote around a vector, so that they can be migrated back.
//!
//! `label_replace(vector, "type", "$1", "direction", "(.*)")` is the vector of the other
//! generation, which has `type` itself, and so is `label_replace(vector, "type", "kong", "", "")`.
//! `a or b` is one vector, if the other generation has one family for both.

use std::ops::Range;

use super::input::Input;
use super::uncounted::{check_counted, is_superfluous};
use crate::mapping::{Correspondence, Meaning};
use crate::tools::audit::promql::Selector;
use crate::tools::audit::vector_use::{SelectorUse, Shape};

/// What migrating back removes around a vector.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Restored {
    /// The bytes to remove.
    pub(super) removed: Vec<Range<usize>>,
    /// The label that `label_replace` copied, and the label that it wrote.
    pub(super) renamed: Option<(String, String)>,
    /// The label that `label_replace` added with a fixed value.
    pub(super) fixed: Option<String>,
    /// The other family of a union.
    pub(super) other: Option<String>,
}

/// Recognises the expressions around the selectors. The right sides of unions are removed.
pub(super) fn restored<'a>(
    input: &Input<'_>,
    mut uses: Vec<SelectorUse<'a>>,
) -> Vec<(SelectorUse<'a>, Restored)> {
    let vectors: Vec<(Range<usize>, &Selector)> =
        uses.iter().map(|it| (it.vector.clone(), it.selector)).collect();
    let mut merged: Vec<Range<usize>> = Vec::new();
    let mut all = Vec::new();
    for usage in uses.drain(..) {
        let Some(outer) = usage.outer.clone() else {
            all.push((usage, Restored::default()));
            continue;
        };
        let inner = usage.vector.clone();
        let whole = outer.usage.vector.clone();
        let restored = match &outer.shape {
            Shape::Renamed { label, from } if renames(input, &usage, from, label) => Restored {
                removed: vec![whole.start..inner.start, inner.end..whole.end],
                renamed: Some((from.clone(), label.clone())),
                ..Restored::default()
            },
            Shape::Fixed { label, value } if fixes(input, &usage, label, value) => Restored {
                removed: vec![whole.start..inner.start, inner.end..whole.end],
                fixed: Some(label.clone()),
                ..Restored::default()
            },
            Shape::Union { other } => {
                let right = vectors.iter().find(|(vector, _)| vector == other);
                let left = (&usage.vector, usage.selector);
                let family = right
                    .and_then(|(vector, selector)| same_target(input, left, (vector, selector)));
                let Some(family) = family else {
                    all.push((usage, Restored::default()));
                    continue;
                };
                merged.push(other.clone());
                Restored {
                    removed: std::iter::once(inner.end..whole.end).collect(),
                    other: Some(family),
                    ..Restored::default()
                }
            }
            Shape::Renamed { .. } | Shape::Fixed { .. } | Shape::Other => {
                all.push((usage, Restored::default()));
                continue;
            }
        };
        let mut outer = outer.usage;
        let written = restored.renamed.as_ref().map(|(_, label)| label).or(restored.fixed.as_ref());
        if let Some(label) = written {
            outer.named_labels.remove(label);
        }
        all.push((outer, restored));
    }
    all.retain(|(usage, _)| !merged.contains(&usage.vector));
    all
}

fn rules<'a>(input: &Input<'a>, name: &Range<usize>) -> Option<(String, Vec<&'a Correspondence>)> {
    let family = input.catalog.lookup(input.slice(name))?;
    let generation = family.generation.filter(|it| *it == input.from)?;
    let rules = input.catalog.migration_rules(&family.family, generation);
    Some((family.family, rules))
}

/// True if the other generation has the label `to` in place of `from`.
fn renames(input: &Input<'_>, usage: &SelectorUse<'_>, from: &str, to: &str) -> bool {
    all_rules(input, usage, &|rule| {
        rule.side(input.from).meaning(from) == Some(&Meaning::Carried(to.to_owned()))
    })
}

/// True if all samples of the other generation have this value of the label, and those of this
/// generation do not have the label.
fn fixes(input: &Input<'_>, usage: &SelectorUse<'_>, label: &str, value: &str) -> bool {
    all_rules(input, usage, &|rule| {
        rule.side(input.from).meaning(label).is_none()
            && rule.side(input.from.other()).meaning(label)
                == Some(&Meaning::Fixed(value.to_owned()))
    })
}

/// True if there are rules for the family of a selector, and a condition is true for all of them.
fn all_rules(
    input: &Input<'_>,
    usage: &SelectorUse<'_>,
    condition: &dyn Fn(&Correspondence) -> bool,
) -> bool {
    let rules = usage.selector.name.as_ref().and_then(|name| rules(input, name));
    rules.is_some_and(|(_, rules)| !rules.is_empty() && rules.into_iter().all(condition))
}

/// The family of the right vector, if both differ only in their families, and the other generation
/// has the same family with the same labels for both.
fn same_target(
    input: &Input<'_>,
    left: (&Range<usize>, &Selector),
    right: (&Range<usize>, &Selector),
) -> Option<String> {
    let (name, right_name) = (left.1.name.as_ref()?, right.1.name.as_ref()?);
    let ((family, ours), (other, theirs)) = (rules(input, name)?, rules(input, right_name)?);
    let ([our], [their]) = (&ours[..], &theirs[..]) else { return None };
    if parts(input, left, our) != parts(input, right, their) {
        return None;
    }
    let suffix = |name: &Range<usize>, family: &str| input.slice(name).strip_prefix(family);
    let to = input.from.other();
    let is_same = family != other
        && suffix(name, &family) == suffix(right_name, &other)
        && our.side(to) == their.side(to)
        && our.buckets == their.buckets
        && our.scale == their.scale
        && check_counted(input, right.1, their).is_ok();
    is_same.then_some(other)
}

/// The text of a vector around the name and the braces, and the matchers between them, without those
/// that only exclude what the other generation does not count.
fn parts<'a>(
    input: &Input<'a>,
    (vector, selector): (&Range<usize>, &Selector),
    rule: &Correspondence,
) -> Vec<&'a str> {
    let name = selector.name.clone().unwrap_or(vector.start..vector.start);
    let braces = selector.braces.clone().unwrap_or(name.end..name.end);
    let (start, end) = (name.start.min(braces.start), name.end.max(braces.end));
    let mut parts = vec![input.slice(&(vector.start..start)), input.slice(&(end..vector.end))];
    let matchers = selector.matchers.iter().filter(|it| !is_superfluous(input, rule, it));
    parts.extend(matchers.map(|it| input.slice(&it.at)));
    parts
}
