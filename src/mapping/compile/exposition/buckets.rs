//! Bucket layouts that a rule reads and writes, in one direction.

use super::active::ActiveRule;
use crate::mapping::boundary::Boundary;
use crate::mapping::compile::Settings;
use crate::mapping::emitted::Emitted;
use crate::mapping::generation::{BucketPolicy, Generation};
use crate::mapping::layouts::Layouts;
use crate::mapping::plan::exposition::{BucketLayouts, Kind};

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
        let mut exact: Vec<&Layouts> = other.into_iter().collect();
        // Sources of the written generation are converted too.
        exact.extend(edition.map(|_| target));
        let is_exact = |it: &Boundary| exact.iter().all(|layouts| layouts.all_have(it.bound));
        write.retain(is_exact);
    }
    Kind::Histogram(BucketLayouts { read: source.union(), write, policy: settings.buckets })
}

/// The rules whose families are converted to the edition that is emitted, although they are of the
/// emitted generation: by index.
pub(in crate::mapping) fn converted_to_edition(
    active: &[ActiveRule<'_>],
    emitted: Emitted,
) -> Vec<(usize, Generation)> {
    let mut converted: Vec<(usize, Generation)> = Vec::new();
    for (index, from) in active.iter().enumerate() {
        for generation in emitted.generations() {
            let side = from.rule.side(generation);
            let differ = from.rule.layouts(generation).is_some_and(Layouts::differ);
            let is_known = |(index, its): &(usize, Generation)| {
                *its == generation && active[*index].rule.side(generation).reads_like(side)
            };
            if emitted.edition_in(from.pack).is_some() && differ && !converted.iter().any(is_known)
            {
                converted.push((index, generation));
            }
        }
    }
    converted
}
