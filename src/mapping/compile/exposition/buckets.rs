//! Bucket layouts that a rule reads and writes, in one direction.

use std::collections::HashSet;

use super::active::ActiveRule;
use crate::mapping::boundary::Boundary;
use crate::mapping::compile::Settings;
use crate::mapping::edition::EditionName;
use crate::mapping::emitted::Emitted;
use crate::mapping::generation::{BucketPolicy, Generation};
use crate::mapping::layouts::Layouts;
use crate::mapping::plan::exposition::{BucketLayouts, FamilyEditions, Kind};

/// How a rule merges series if it reads samples of `read` and writes those of `written`.
pub(in crate::mapping) fn kind(
    from: ActiveRule<'_>,
    (read, written): (Generation, Generation),
    emitted: Emitted,
    settings: &Settings,
) -> Kind {
    let rule = from.rule;
    let (Some(source), Some(target)) = (rule.layouts(read), rule.layouts(written)) else {
        return rule.merge.map_or(Kind::Typed, Kind::Gauge);
    };
    let edition = emitted.edition_in(from.pack);
    let mut write = edition.map_or(target.newest(), |index| target.of(index)).to_vec();
    if settings.buckets == BucketPolicy::Common {
        let other = rule.layouts(written.other());
        let other = other.map(|layouts| layouts.scaled(rule.scale_to(written)));
        let mut exact: Vec<&Layouts> = other.iter().collect();
        // Input of the written generation is converted too.
        exact.extend(edition.map(|_| target));
        let is_exact = |it: &Boundary| exact.iter().all(|layouts| layouts.all_have(it.bound));
        write.retain(is_exact);
    }
    Kind::Histogram(BucketLayouts {
        read: source.union(),
        read_by_edition: source.each().collect(),
        write,
        policy: settings.buckets,
    })
}

/// The rules whose families are converted to the edition that is emitted, although they are of the
/// emitted generation: by index.
pub(in crate::mapping) fn converted_to_edition(
    active: &[ActiveRule<'_>],
    emitted: Emitted,
) -> Vec<(usize, Generation)> {
    let mut converted: Vec<(usize, Generation)> = Vec::new();
    let mut known = HashSet::new();
    for (index, from) in active.iter().enumerate() {
        for generation in emitted.generations() {
            let key = || (from.rule.side(generation).reading_key(), generation);
            let differ = from.rule.layouts(generation).is_some_and(Layouts::differ);
            if emitted.edition_in(from.pack).is_some() && differ && known.insert(key()) {
                converted.push((index, generation));
            }
        }
    }
    converted
}

/// The editions of a family, if they differ and all rules that name the family agree on them.
pub(in crate::mapping) fn editions<'a>(
    generation: Generation,
    mut named: impl Iterator<Item = &'a ActiveRule<'a>>,
    emitted: Emitted,
    settings: &Settings,
) -> Option<FamilyEditions> {
    let first = named.next()?;
    let layouts = first.rule.layouts(generation)?;
    let same = |its: &ActiveRule<'_>| {
        std::ptr::eq(its.pack, first.pack) && its.rule.layouts(generation) == Some(layouts)
    };
    if !layouts.differ() || !named.all(same) {
        return None;
    }
    let names = first.pack.editions().of(generation);
    let written = emitted.edition_in(first.pack).map_or(names.last(), |index| names.get(index));
    let of_edition = |(index, name): (usize, &EditionName)| (*name, layouts.of(index).to_vec());
    Some(FamilyEditions {
        generation,
        written: written.copied().filter(|_| settings.buckets == BucketPolicy::Target),
        layouts: names.iter().enumerate().map(of_edition).collect(),
    })
}
