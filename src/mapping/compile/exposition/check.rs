//! What entries can only tell together.
//!
//! Nothing here depends on what is emitted, so a pack that compiles for one generation compiles for
//! the others.

use std::collections::BTreeMap;

use crate::document::listed;
use crate::document::{Diagnostic, closest};
use crate::mapping::compile::Settings;
use crate::mapping::compile::exposition::active::InForce;
use crate::mapping::compile::exposition::labels;
use crate::mapping::generation::Generation;
use crate::mapping::pack::OnlyWith;

/// Everything that is wrong with the entries in force, in their order; settings last.
pub(in crate::mapping) fn faults(entries: &[InForce<'_>], settings: &Settings) -> Vec<Diagnostic> {
    let mut faults = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        faults.extend(clashes(*entry, &entries[..index]));
        faults.extend(includes(*entry, entries));
        faults.extend(derives(*entry, entries));
        if let Some(condition) = &entry.entry.only_with {
            only_with(*entry, condition, entries, &mut faults);
        }
    }
    faults.extend(fill(entries, settings));
    faults
}

/// What is wrong with entries two by two: true whatever other entries there may be.
pub(in crate::mapping) fn pairs(entries: &[InForce<'_>]) -> Vec<Diagnostic> {
    let each = entries.iter().enumerate();
    each.flat_map(|(index, entry)| clashes(*entry, &entries[..index])).collect()
}

fn clashes(entry: InForce<'_>, earlier: &[InForce<'_>]) -> Vec<Diagnostic> {
    let clash = |its: &InForce<'_>| [both_claim(*its, entry), both_write(*its, entry)];
    earlier.iter().flat_map(clash).flatten().collect()
}

/// Two entries that read the same samples, without one saying that it does so on purpose.
fn both_claim(first: InForce<'_>, second: InForce<'_>) -> Option<Diagnostic> {
    let (a, b) = (first.entry, second.entry);
    let derived = a.derive.is_some() || b.derive.is_some();
    // Reading the old side, a condition shares samples with the entry it takes them from.
    let shared = match (&a.only_with, &b.only_with) {
        (None, None) => false,
        (Some(a), Some(b)) => a.family != b.family,
        _ => true,
    };
    let old = a.old.overlaps(&b.old) && !derived && !shared;
    let including = includes_entry(first, second) || includes_entry(second, first);
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

/// True when the first entry's old side counts what the second one's counts too.
fn includes_entry(first: InForce<'_>, second: InForce<'_>) -> bool {
    let included = first.entry.includes.as_ref();
    included.is_some_and(|(family, _)| *family == second.entry.old.family)
}

/// Two entries that write into one family and do not agree on what it is.
fn both_write(first: InForce<'_>, second: InForce<'_>) -> Option<Diagnostic> {
    let (a, b) = (first.entry, second.entry);
    let written = |generation: &Generation| {
        [a, b].iter().all(|entry| entry.derive.is_none_or(|derived| derived == *generation))
    };
    [Generation::Old, Generation::New].into_iter().filter(written).find_map(|generation| {
        let (mine, its) = (b.side(generation), a.side(generation));
        if mine.family != its.family {
            return None;
        }
        let disagree = if b.help(generation).zip(a.help(generation)).is_some_and(|(b, a)| b != a) {
            "help texts"
        } else if a.buckets.is_some() != b.buckets.is_some()
            || mine.overlaps(its) && a.boundaries(generation) != b.boundaries(generation)
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
            "give both entries the same",
        ))
    })
}

fn includes(entry: InForce<'_>, entries: &[InForce<'_>]) -> Option<Diagnostic> {
    let (family, span) = entry.entry.includes.as_ref()?;
    let included: Vec<_> = entries
        .iter()
        .filter(|its| its.entry.old.family == *family && its.entry.derive.is_none())
        .collect();
    if *family == entry.entry.old.family {
        return Some(entry.error(
            *span,
            format!("`{family}` cannot include itself"),
            "name the family whose counts are already inside this one",
        ));
    }
    if included.is_empty() {
        let families = entries.iter().map(|its| its.entry.old.family.as_str());
        return Some(entry.error(
            *span,
            format!("no entry reads `{family}`"),
            meant(family, families, "name the `old` family of another entry"),
        ));
    }
    let elsewhere = included.iter().find(|its| its.entry.new.family != entry.entry.new.family)?;
    Some(entry.error(
        *span,
        format!(
            "`{family}` becomes `{}`, and `{}` becomes `{}`",
            elsewhere.entry.new.family, entry.entry.old.family, entry.entry.new.family
        ),
        "counts can only be shared out within one new family: give both the same",
    ))
}

fn derives(entry: InForce<'_>, entries: &[InForce<'_>]) -> Option<Diagnostic> {
    let read = entry.entry.derive?.other();
    let side = entry.entry.side(read);
    let accompanied =
        entries.iter().any(|its| its.entry.derive.is_none() && its.entry.side(read).overlaps(side));
    (!accompanied).then(|| {
        entry.error(
            entry.entry.span(read),
            format!("nothing but this derived entry reads `{side}`"),
            "add an entry that says what becomes of these samples themselves",
        )
    })
}

/// A condition moves label sets from the plain entry of the same samples to another family. Both share the
/// series that are held, so they must treat them alike.
fn only_with(
    entry: InForce<'_>,
    condition: &OnlyWith,
    entries: &[InForce<'_>],
    faults: &mut Vec<Diagnostic>,
) {
    let mut fault = |message: String, remedy: String| {
        faults.push(entry.error(condition.span, message, remedy));
    };
    let OnlyWith { family, on, .. } = condition;
    let known = || {
        let sides = entries.iter().flat_map(|its| [&its.entry.old, &its.entry.new]);
        let repeats = entries.iter().flat_map(|its| its.pack.repeats());
        sides.map(|side| &side.family).chain(repeats).map(String::as_str)
    };
    if !known().any(|its| its == family) {
        fault(
            format!("no entry names `{family}`"),
            meant(family, known(), "name a family that some entry names"),
        );
    }
    let other = entries.iter().find_map(|its| {
        let other = its.entry.only_with.as_ref()?;
        (other.family == *family && other.on != *on).then_some((other, its))
    });
    if let Some((other, its)) = other {
        let labels: Vec<&str> = other.on.iter().map(String::as_str).collect();
        fault(
            format!("`{family}` is compared by {} at {}", listed(&labels), its.source()),
            "compare one family by the same labels everywhere".to_owned(),
        );
    }
    let Some(plain) = plain_entry(entry, entries).map(|place| entries[place]) else {
        fault(
            format!("no plain entry reads `{}`", entry.entry.old),
            "add the entry that says what becomes of the samples that are not meant".to_owned(),
        );
        return;
    };
    let (mine, its) = (entry.entry, plain.entry);
    // Any value will do, so that labels which could be filled count as written.
    let fill: BTreeMap<String, String> = mine
        .new
        .bare()
        .chain(its.new.bare())
        .map(|label| (label.to_owned(), String::new()))
        .collect();
    let edits = labels::labels(its, Generation::New, &fill);
    if labels::labels(mine, Generation::New, &fill) != edits
        || mine.buckets != its.buckets
        || mine.merge != its.merge
    {
        fault(
            format!("`{}` and `{}` differ in more than the name", mine.new, its.new),
            format!(
                "write the same labels, `buckets` and `merge` as the entry at {}",
                plain.source()
            ),
        );
    }
    for label in on {
        let same = |its: &[u8]| its == label.as_bytes();
        let touched = edits.drop.iter().any(|its| same(its))
            || edits.rename.iter().any(|(from, to)| same(from) || same(to))
            || edits.append.iter().chain(&edits.fill).any(|(its, _)| same(its));
        if touched {
            fault(
                format!("`{label}` is compared, but does not pass through unchanged"),
                "compare labels that no selector of the entry touches".to_owned(),
            );
        }
    }
}

/// The place of the entry without a condition that reads the same samples on the old side.
pub(in crate::mapping) fn plain_entry(
    entry: InForce<'_>,
    entries: &[InForce<'_>],
) -> Option<usize> {
    entries.iter().position(|its| {
        its.entry.only_with.is_none()
            && its.entry.derive.is_none()
            && its.entry.old.reads_like(&entry.entry.old)
    })
}

/// Values for labels that no entry has to write.
fn fill(entries: &[InForce<'_>], settings: &Settings) -> Vec<Diagnostic> {
    let mut known: Vec<&str> =
        entries.iter().flat_map(|its| its.entry.old.bare().chain(its.entry.new.bare())).collect();
    known.sort_unstable();
    known.dedup();
    let unknown = settings.fill.keys().filter(|label| !known.contains(&label.as_str()));
    unknown
        .map(|label| {
            let remedy = match known.as_slice() {
                [] => "no entry has a label to fill: remove `fill`".to_owned(),
                known => format!("labels that can be filled: {}", listed(known)),
            };
            Diagnostic::error(format!("fill: no entry writes a label `{label}` without a value"))
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
