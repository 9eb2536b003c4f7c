//! What the packs say about a family that is missing, or a part of it.

use std::collections::BTreeSet;

use super::parsed::{ParsedExposition, ParsedFamily, Series};
use crate::mapping::{Emitted, Generation, Pack, Plan, correspondences};
use crate::rewrite::exposition::{Missing, Report};
use crate::tools::hints::{Selection, selection, texts};

/// One input, rewritten to the other generation.
pub(super) struct RewrittenSide<'a> {
    pub(super) plan: &'a Plan,
    pub(super) report: &'a Report,
}

impl RewrittenSide<'_> {
    /// The hints for the samples that the input lacks and that `family` consists of or is made
    /// from.
    fn hints(&self, family: &str) -> Vec<String> {
        let makes = |title: &String| {
            let rule = self.plan.rules.iter().find(|rule| rule.title == *title);
            rule.is_some_and(|rule| {
                let redirects = rule.redirects.iter().map(|redirect| redirect.to);
                let mut outputs = redirects.chain([rule.to]).map(|to| self.plan.output(to));
                outputs.any(|output| *output.name == *family.as_bytes())
            })
        };
        let is_family = |missing: &Missing| missing.input.split('{').next() == Some(family);
        let lacks = self.report.missing.iter();
        let lacks = lacks.filter(|missing| is_family(missing) || missing.rules.iter().any(makes));
        let mut hints: Vec<String> = Vec::new();
        for hint in lacks.filter_map(|missing| missing.hint.clone()) {
            if !hints.contains(&hint) {
                hints.push(hint);
            }
        }
        hints
    }
}

/// The hints for a family that a generation lacks, or for the samples that it would be made from.
pub(super) fn hints(
    packs: &[Pack],
    side: &RewrittenSide<'_>,
    family: &str,
    lacks: Generation,
) -> Vec<String> {
    if !side.report.packs.is_empty() {
        return side.hints(family);
    }
    // The input has nothing of any pack, so every hint about the family may apply.
    let mut selections: Vec<Selection> = vec![(family.to_owned(), Vec::new())];
    let rules = correspondences(packs, Emitted::default());
    let makes = rules.iter().filter(|it| it.side(lacks.other()).family == family);
    selections.extend(makes.map(|rule| selection(rule, lacks)));
    // A family that exists only in the other generation is not what is missing.
    selections.retain(|(name, _)| {
        let family = side.plan.families.get(name.as_bytes());
        family.and_then(|family| family.generation) != Some(lacks.other())
    });
    texts(packs, selections.iter())
}

/// The hints about the series of a family that the new side lacks. A hint applies if each of them has
/// the labels of a series that the hint names, in `old`.
///
/// `old` is the input, and `family` may be of either generation.
pub(super) fn series_hints(
    packs: &[Pack],
    old: &ParsedExposition,
    family: &str,
    (old_family, new_family): (&ParsedFamily, &ParsedFamily),
) -> Vec<String> {
    let rules = correspondences(packs, Emitted::default());
    let is_about = |name: &str| {
        let mut rules = rules.iter().filter(|it| it.old.family == family);
        name == family || rules.any(|it| it.new.family == name)
    };
    let hints = packs.iter().flat_map(Pack::series_hints).filter(|it| is_about(&it.when_missing));
    let mut texts: Vec<String> = Vec::new();
    for hint in hints {
        let Some(named) = old.families.get(hint.family()) else { continue };
        let named: BTreeSet<Vec<&str>> =
            named.series.keys().map(|series| series.values_of(hint.labels())).collect();
        // Whether a boundary is missing is another question.
        let there: BTreeSet<Series> = new_family.series.keys().map(|it| it.without("le")).collect();
        let mut missing =
            old_family.series.keys().filter(|it| !there.contains(&it.without("le"))).peekable();
        let is_named = |series: &Series| named.contains(&series.values_of(hint.labels()));
        let applies = missing.peek().is_some() && missing.all(is_named);
        if applies && !texts.contains(&hint.say) {
            texts.push(hint.say.clone());
        }
    }
    texts
}
