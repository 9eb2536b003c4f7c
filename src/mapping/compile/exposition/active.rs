//! Which rules are active when packs extend each other.

use std::collections::HashMap;

use crate::document::{Diagnostic, Span};
use crate::mapping::Pack;
use crate::mapping::generation::Generation;
use crate::mapping::pack::PackRule;

/// An active rule and its pack.
#[derive(Clone, Copy, Debug)]
pub(in crate::mapping) struct ActiveRule<'a> {
    pub(in crate::mapping) rule: &'a PackRule,
    pub(in crate::mapping) pack: &'a Pack,
}

impl ActiveRule<'_> {
    pub(in crate::mapping) fn error(
        self,
        span: Span,
        message: String,
        remedy: impl Into<String>,
    ) -> Diagnostic {
        self.pack.source().error(span, message, remedy)
    }

    /// The location as `pack:line`.
    pub(in crate::mapping) fn source(self) -> String {
        format!(
            "{}:{}",
            self.pack.name(),
            self.pack.source().line(self.rule.span(Generation::Old).start)
        )
    }
}

/// The active rules of all packs for families that are named, in order. A rule of a later pack takes
/// the position of the first rule it replaces.
pub(in crate::mapping) fn active_rules(packs: &[Pack]) -> Vec<ActiveRule<'_>> {
    active(packs, Pack::rules)
}

/// The active rules of all packs whose families are given by patterns, likewise.
pub(in crate::mapping) fn active_patterns(packs: &[Pack]) -> Vec<ActiveRule<'_>> {
    active(packs, Pack::patterns)
}

fn active(packs: &[Pack], rules_of: fn(&Pack) -> &[PackRule]) -> Vec<ActiveRule<'_>> {
    let mut rules: Vec<ActiveRule<'_>> = Vec::new();
    for pack in packs {
        let (earlier, mut added) = (rules.len(), Vec::new());
        // A rule of this pack cannot replace another rule of this pack.
        let mut open: Vec<bool> = vec![true; earlier];
        let index = ReadingIndex::new(&rules);
        let mut kept: Vec<Option<ActiveRule<'_>>> = rules.into_iter().map(Some).collect();
        for rule in rules_of(pack) {
            let mut places = replaced(rule, &index, &kept, &open).into_iter();
            match places.next() {
                Some(first) => {
                    kept[first] = Some(ActiveRule { rule, pack });
                    open[first] = false;
                    places.for_each(|place| kept[place] = None);
                }
                None => added.push(ActiveRule { rule, pack }),
            }
        }
        rules = kept.into_iter().flatten().chain(added).collect();
    }
    rules
}

/// The places of rules by what their sides read.
struct ReadingIndex<'a> {
    old: HashMap<Vec<&'a str>, Vec<usize>>,
    new: HashMap<Vec<&'a str>, Vec<usize>>,
}

impl<'a> ReadingIndex<'a> {
    fn new(rules: &[ActiveRule<'a>]) -> ReadingIndex<'a> {
        let mut index = ReadingIndex { old: HashMap::new(), new: HashMap::new() };
        for (place, ActiveRule { rule, .. }) in rules.iter().enumerate() {
            index.old.entry(rule.old.reading_key()).or_default().push(place);
            index.new.entry(rule.new.reading_key()).or_default().push(place);
        }
        index
    }

    /// The rules with an equal selector on either side.
    fn like(&self, rule: &PackRule) -> Vec<usize> {
        let old = self.old.get(rule.old.reading_key().as_slice());
        let new = self.new.get(rule.new.reading_key().as_slice());
        let mut places: Vec<usize> = old.into_iter().chain(new).flatten().copied().collect();
        places.sort_unstable();
        places.dedup();
        places
    }
}

/// Indices of the rules that `rule` replaces: the one with equal selectors on both sides, otherwise all
/// with the same `derive` and `only_with` and an equal selector on one side.
fn replaced(
    rule: &PackRule,
    index: &ReadingIndex<'_>,
    earlier: &[Option<ActiveRule<'_>>],
    open: &[bool],
) -> Vec<usize> {
    let like = index.like(rule);
    let places = |like_it: &dyn Fn(&PackRule) -> bool| -> Vec<usize> {
        let is_replaced = |place: &&usize| {
            open[**place] && earlier[**place].is_some_and(|earlier| like_it(earlier.rule))
        };
        like.iter().filter(is_replaced).copied().collect()
    };
    let both = places(&|it| it.old.reads_like(&rule.old) && it.new.reads_like(&rule.new));
    if !both.is_empty() {
        return both;
    }
    places(&|it| it.derive == rule.derive && it.only_with.is_some() == rule.only_with.is_some())
}
