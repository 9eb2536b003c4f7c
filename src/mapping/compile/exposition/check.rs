//! Checks of all active rules against each other.
//!
//! The result does not depend on the emitted generation: a pack that compiles for one compiles for
//! all.

use std::collections::BTreeMap;

use crate::document::listed;
use crate::document::{Diagnostic, Diagnostics, closest};
use crate::mapping::Pack;
use crate::mapping::compile::Settings;
use crate::mapping::compile::exposition::active::ActiveRule;
use crate::mapping::compile::exposition::index::RuleIndex;
use crate::mapping::compile::exposition::labels;
use crate::mapping::compile::exposition::patterns;
use crate::mapping::generation::Generation;
use crate::mapping::layouts::Layouts;
use crate::mapping::pack::OnlyWith;

/// All errors of the active rules, in their order.
///
/// Stops at [`Diagnostics::MOST`]: a few rules can contradict each other in very many ways.
pub(in crate::mapping) fn errors(
    packs: &[Pack],
    index: &RuleIndex<'_>,
    patterns: &[ActiveRule<'_>],
) -> Vec<Diagnostic> {
    let mut errors = editions(packs);
    for (place, active) in index.rules.iter().enumerate() {
        errors.extend(clashes(index, place));
        errors.extend(includes(*active, index));
        if let Some(condition) = &active.rule.only_with {
            only_with(*active, condition, index, &mut errors);
        }
        if Diagnostics::stop_at_most(&mut errors) {
            return errors;
        }
    }
    errors.extend(patterns::errors(patterns));
    errors
}

/// Editions of one name that packs declare for different generations.
fn editions(packs: &[Pack]) -> Vec<Diagnostic> {
    let mut errors = Vec::new();
    for (index, pack) in packs.iter().enumerate() {
        for (name, generation) in pack.editions().named() {
            let other = packs[..index].iter().find(|its| {
                its.editions().find(name).is_some_and(|(other, _)| other != generation)
            });
            let Some(other) = other else { continue };
            let message = format!(
                "the pack declares the edition `{name}` as {}, and the pack `{}` as {}",
                generation.as_str(),
                other.name(),
                generation.other().as_str()
            );
            errors.push(pack.source().error(
                pack.edition_span(name),
                message,
                "give one of them another name",
            ));
        }
    }
    errors
}

/// Errors between two rules, which do not depend on other rules.
pub(in crate::mapping) fn pairs(index: &RuleIndex<'_>) -> Vec<Diagnostic> {
    let mut errors = Vec::new();
    for place in 0..index.rules.len() {
        errors.extend(clashes(index, place));
        if Diagnostics::stop_at_most(&mut errors) {
            break;
        }
    }
    errors
}

fn clashes(index: &RuleIndex<'_>, place: usize) -> Vec<Diagnostic> {
    let active = index.rules[place];
    let clash = |its: ActiveRule<'_>| [both_claim(its, active), both_write(its, active)];
    let comparable = index.comparable(place).into_iter();
    comparable.flat_map(clash).flatten().take(Diagnostics::MOST).collect()
}

/// Two rules that read the same samples, without a key that allows it.
fn both_claim(first: ActiveRule<'_>, second: ActiveRule<'_>) -> Option<Diagnostic> {
    let (a, b) = (first.rule, second.rule);
    let derived = a.derive.is_some() || b.derive.is_some();
    // On the old side, a rule with a condition reads the same samples as the plain rule.
    let shared = match (&a.only_with, &b.only_with) {
        (None, None) => false,
        (Some(a), Some(b)) => a.family != b.family,
        _ => true,
    };
    let old = a.old.overlaps(&b.old) && !derived && !shared;
    let including = includes_rule(first, second) || includes_rule(second, first);
    let new = a.new.overlaps(&b.new) && !derived && !including;
    let side = match (old, new) {
        (true, _) => Generation::Old,
        (false, true) => Generation::New,
        (false, false) => return None,
    };
    Some(second.error(
        b.span(side),
        format!(
            "`{}` reads samples that `{}` ({}) reads already",
            b.side(side),
            a.side(side),
            first.source()
        ),
        "tell them apart by the value of a label, or say which of `includes`, `only_with` and \
         `derive` relates them",
    ))
}

/// True if the first rule's old side includes the counts of the second's.
fn includes_rule(first: ActiveRule<'_>, second: ActiveRule<'_>) -> bool {
    let included = first.rule.includes.as_ref();
    included.is_some_and(|(family, _)| *family == second.rule.old.family)
}

/// Two rules that write one family and disagree about its metadata.
fn both_write(first: ActiveRule<'_>, second: ActiveRule<'_>) -> Option<Diagnostic> {
    let (a, b) = (first.rule, second.rule);
    let written = |generation: &Generation| {
        [a, b].iter().all(|rule| rule.derive.is_none_or(|derived| derived == *generation))
    };
    [Generation::Old, Generation::New].into_iter().filter(written).find_map(|generation| {
        let (mine, its) = (b.side(generation), a.side(generation));
        if mine.family != its.family {
            return None;
        }
        let disagree = if b.help(generation).zip(a.help(generation)).is_some_and(|(b, a)| b != a) {
            "help texts"
        } else if a.buckets.is_some() != b.buckets.is_some()
            || mine.overlaps(its) && !agree(a.layouts(generation), b.layouts(generation))
        {
            "buckets"
        } else if a.type_of(generation).zip(b.type_of(generation)).is_some_and(|(a, b)| a != b) {
            "types"
        } else if a.merge != b.merge {
            "ways to merge"
        } else {
            return None;
        };
        Some(second.error(
            b.span(generation),
            format!("`{}` has other {disagree} at {}", mine.family, first.source()),
            "give both rules the same",
        ))
    })
}

fn includes(active: ActiveRule<'_>, index: &RuleIndex<'_>) -> Option<Diagnostic> {
    let (family, span) = active.rule.includes.as_ref()?;
    let included =
        || index.of_family(Generation::Old, family).filter(|its| its.rule.derive.is_none());
    if *family == active.rule.old.family {
        return Some(active.error(
            *span,
            format!("`{family}` cannot include itself"),
            "name the family whose counts this one includes",
        ));
    }
    if included().next().is_none() {
        let families = index.rules.iter().map(|its| its.rule.old.family.as_str());
        return Some(active.error(
            *span,
            format!("no rule reads `{family}`"),
            meant(family, families, "name the `old` family of another rule"),
        ));
    }
    if let Some(its) = included().find(|its| its.rule.scale != active.rule.scale) {
        return Some(active.error(
            *span,
            format!("`{family}` has another `scale` at {}", its.source()),
            "counts can only be subtracted if they have one unit: give both rules the same",
        ));
    }
    let elsewhere = included().find(|its| its.rule.new.family != active.rule.new.family)?;
    Some(active.error(
        *span,
        format!(
            "`{family}` becomes `{}`, and `{}` becomes `{}`",
            elsewhere.rule.new.family, active.rule.old.family, active.rule.new.family
        ),
        "counts can only be subtracted within one new family: give both rules the same",
    ))
}

/// A condition moves label sets from the plain rule of the same samples to another family. Both
/// rules share the gathered series, so they must treat them equally.
fn only_with(
    active: ActiveRule<'_>,
    condition: &OnlyWith,
    index: &RuleIndex<'_>,
    errors: &mut Vec<Diagnostic>,
) {
    let mut error = |message: String, remedy: String| {
        errors.push(active.error(condition.span, message, remedy));
    };
    let family = &condition.family;
    if !index.knows(family) {
        error(
            format!("no rule names `{family}`"),
            meant(family, index.known(), "name a family that some rule names"),
        );
    }
    if let Some((labels, its)) = index.other_condition(condition) {
        let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
        error(
            format!("`{family}` is compared by {} at {}", listed(&labels), its.source()),
            "compare one family by the same labels everywhere".to_owned(),
        );
    }
    let Some(plain) = index.plain_rule(active).map(|place| index.rules[place]) else {
        error(
            format!("no plain rule reads `{}`", active.rule.old),
            "add the rule that rewrites the other samples".to_owned(),
        );
        return;
    };
    same_labels(active, plain, condition, errors);
}

/// A rule with a condition and the plain rule of its samples must write the same labels, and must
/// not change those that the condition compares.
fn same_labels(
    active: ActiveRule<'_>,
    plain: ActiveRule<'_>,
    condition: &OnlyWith,
    errors: &mut Vec<Diagnostic>,
) {
    let mut error = |message: String, remedy: String| {
        errors.push(active.error(condition.span, message, remedy));
    };
    let (mine, its) = (active.rule, plain.rule);
    // With any value, so that labels that can be filled count as written.
    let fill: BTreeMap<String, String> = mine
        .new
        .bare()
        .chain(its.new.bare())
        .map(|label| (label.to_owned(), String::new()))
        .collect();
    let edits = labels::labels(its, Generation::New, &fill);
    if labels::labels(mine, Generation::New, &fill) != edits
        || [Generation::Old, Generation::New]
            .into_iter()
            .any(|generation| !agree(mine.layouts(generation), its.layouts(generation)))
        || mine.merge != its.merge
        || mine.scale != its.scale
    {
        error(
            format!("`{}` and `{}` differ in more than the name", mine.new, its.new),
            format!(
                "write the same labels, `buckets`, `merge` and `scale` as the rule at {}",
                plain.source()
            ),
        );
    }
    for label in &condition.on {
        let same = |its: &[u8]| its == label.as_bytes();
        let touched = edits.drop.iter().any(|its| same(its))
            || edits.rename.iter().any(|(from, to)| same(from) || same(to))
            || edits.values.iter().any(|edit| edit.labels().any(same))
            || edits.append.iter().chain(&edits.fill).any(|(its, _)| same(its));
        if touched {
            error(
                format!("`{label}` is compared, but does not pass through unchanged"),
                "compare labels that no selector of the rule touches".to_owned(),
            );
        }
    }
}

fn agree(a: Option<&Layouts>, b: Option<&Layouts>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => a.agree(b),
        (a, b) => a.is_none() && b.is_none(),
    }
}

/// Values of `fill` for labels that no rule writes.
pub(in crate::mapping) fn fill(packs: &[Pack], settings: &Settings) -> Vec<Diagnostic> {
    let rules = packs.iter().flat_map(|pack| pack.rules().iter().chain(pack.patterns()));
    let mut known: Vec<&str> =
        rules.flat_map(|rule| rule.old.bare().chain(rule.new.bare())).collect();
    known.sort_unstable();
    known.dedup();
    let unknown = settings.fill.keys().filter(|label| !known.contains(&label.as_str()));
    unknown
        .map(|label| {
            let remedy = match known.as_slice() {
                [] => "no rule has a label to fill: remove `fill`".to_owned(),
                known => format!("labels that can be filled: {}", listed(known)),
            };
            Diagnostic::error(format!("fill: no rule writes a label `{label}` without a value"))
                .with_help(meant(label, known.iter().copied(), &remedy))
        })
        .collect()
}

/// A suggestion where a known name is close, otherwise the general remedy.
fn meant<'a>(name: &str, known: impl Iterator<Item = &'a str>, remedy: &str) -> String {
    match closest(name, known) {
        Some(name) => format!("did you mean `{name}`?"),
        None => remedy.to_owned(),
    }
}
