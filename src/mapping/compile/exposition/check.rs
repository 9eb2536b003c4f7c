//! Checks of all active rules against each other.
//!
//! The result does not depend on the emitted generation: a pack that compiles for one compiles for
//! all.

use std::collections::BTreeMap;

use crate::document::listed;
use crate::document::{Diagnostic, closest};
use crate::mapping::Pack;
use crate::mapping::compile::Settings;
use crate::mapping::compile::exposition::active::ActiveRule;
use crate::mapping::compile::exposition::labels;
use crate::mapping::generation::Generation;
use crate::mapping::layouts::Layouts;
use crate::mapping::pack::OnlyWith;

/// All errors of the active rules, in their order, then those of the settings.
pub(in crate::mapping) fn errors(
    packs: &[Pack],
    rules: &[ActiveRule<'_>],
    settings: &Settings,
) -> Vec<Diagnostic> {
    let mut errors = editions(packs);
    for (index, active) in rules.iter().enumerate() {
        errors.extend(clashes(*active, &rules[..index]));
        errors.extend(includes(*active, rules));
        errors.extend(derives(*active, rules));
        if let Some(condition) = &active.rule.only_with {
            only_with(*active, condition, rules, &mut errors);
        }
    }
    errors.extend(fill(rules, settings));
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
pub(in crate::mapping) fn pairs(rules: &[ActiveRule<'_>]) -> Vec<Diagnostic> {
    let each = rules.iter().enumerate();
    each.flat_map(|(index, active)| clashes(*active, &rules[..index])).collect()
}

fn clashes(active: ActiveRule<'_>, earlier: &[ActiveRule<'_>]) -> Vec<Diagnostic> {
    let clash = |its: &ActiveRule<'_>| [both_claim(*its, active), both_write(*its, active)];
    earlier.iter().flat_map(clash).flatten().collect()
}

/// Two rules that read the same samples, without a key that allows it.
fn both_claim(first: ActiveRule<'_>, second: ActiveRule<'_>) -> Option<Diagnostic> {
    let (a, b) = (first.rule, second.rule);
    let derived = a.derive.is_some() || b.derive.is_some();
    // Reading the old side, a condition shares samples with the rule it takes them from.
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
        } else if a.metric_type.zip(b.metric_type).is_some_and(|(a, b)| a != b) {
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

fn includes(active: ActiveRule<'_>, rules: &[ActiveRule<'_>]) -> Option<Diagnostic> {
    let (family, span) = active.rule.includes.as_ref()?;
    let included: Vec<_> = rules
        .iter()
        .filter(|its| its.rule.old.family == *family && its.rule.derive.is_none())
        .collect();
    if *family == active.rule.old.family {
        return Some(active.error(
            *span,
            format!("`{family}` cannot include itself"),
            "name the family whose counts are already inside this one",
        ));
    }
    if included.is_empty() {
        let families = rules.iter().map(|its| its.rule.old.family.as_str());
        return Some(active.error(
            *span,
            format!("no rule reads `{family}`"),
            meant(family, families, "name the `old` family of another rule"),
        ));
    }
    let elsewhere = included.iter().find(|its| its.rule.new.family != active.rule.new.family)?;
    Some(active.error(
        *span,
        format!(
            "`{family}` becomes `{}`, and `{}` becomes `{}`",
            elsewhere.rule.new.family, active.rule.old.family, active.rule.new.family
        ),
        "counts can only be shared out within one new family: give both the same",
    ))
}

fn derives(active: ActiveRule<'_>, rules: &[ActiveRule<'_>]) -> Option<Diagnostic> {
    let read = active.rule.derive?.other();
    let side = active.rule.side(read);
    let accompanied =
        rules.iter().any(|its| its.rule.derive.is_none() && its.rule.side(read).overlaps(side));
    (!accompanied).then(|| {
        active.error(
            active.rule.span(read),
            format!("nothing but this derived rule reads `{side}`"),
            "add a rule that rewrites these samples themselves",
        )
    })
}

/// A condition moves label sets from the plain rule of the same samples to another family. Both
/// rules share the gathered series, so they must treat them equally.
fn only_with(
    active: ActiveRule<'_>,
    condition: &OnlyWith,
    rules: &[ActiveRule<'_>],
    errors: &mut Vec<Diagnostic>,
) {
    let mut error = |message: String, remedy: String| {
        errors.push(active.error(condition.span, message, remedy));
    };
    let OnlyWith { family, on, .. } = condition;
    let known = || {
        let sides = rules.iter().flat_map(|its| [&its.rule.old, &its.rule.new]);
        let repeats = rules.iter().flat_map(|its| its.pack.repeats());
        sides.map(|side| &side.family).chain(repeats).map(String::as_str)
    };
    if !known().any(|its| its == family) {
        error(
            format!("no rule names `{family}`"),
            meant(family, known(), "name a family that some rule names"),
        );
    }
    let other = rules.iter().find_map(|its| {
        let other = its.rule.only_with.as_ref()?;
        (other.family == *family && other.on != *on).then_some((other, its))
    });
    if let Some((other, its)) = other {
        let labels: Vec<&str> = other.on.iter().map(String::as_str).collect();
        error(
            format!("`{family}` is compared by {} at {}", listed(&labels), its.source()),
            "compare one family by the same labels everywhere".to_owned(),
        );
    }
    let Some(plain) = plain_rule(active, rules).map(|place| rules[place]) else {
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
    {
        error(
            format!("`{}` and `{}` differ in more than the name", mine.new, its.new),
            format!(
                "write the same labels, `buckets` and `merge` as the rule at {}",
                plain.source()
            ),
        );
    }
    for label in &condition.on {
        let same = |its: &[u8]| its == label.as_bytes();
        let touched = edits.drop.iter().any(|its| same(its))
            || edits.rename.iter().any(|(from, to)| same(from) || same(to))
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

/// The index of the rule without a condition that reads the same old samples.
pub(in crate::mapping) fn plain_rule(
    active: ActiveRule<'_>,
    rules: &[ActiveRule<'_>],
) -> Option<usize> {
    rules.iter().position(|its| {
        its.rule.only_with.is_none()
            && its.rule.derive.is_none()
            && its.rule.old.reads_like(&active.rule.old)
    })
}

/// Values of `fill` for labels that no rule writes.
fn fill(rules: &[ActiveRule<'_>], settings: &Settings) -> Vec<Diagnostic> {
    let mut known: Vec<&str> =
        rules.iter().flat_map(|its| its.rule.old.bare().chain(its.rule.new.bare())).collect();
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
