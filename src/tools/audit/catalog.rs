//! What the packs say about the families in a query.

use std::collections::BTreeSet;

use crate::mapping::{Correspondence, Generation, Meaning};

/// Suffixes of the series of a family. A family is also a series name itself.
pub(super) const SUFFIXES: [&str; 4] = ["", "_bucket", "_sum", "_count"];

/// The rules of all packs, by family.
#[derive(Debug)]
pub(super) struct Catalog {
    rules: Vec<Correspondence>,
    /// Families that do not occur in the queried Prometheus.
    absent: Vec<String>,
}

/// A series name of a query, as family and suffix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FamilyRef {
    pub(super) family: String,
    /// One of [`SUFFIXES`].
    pub(super) suffix: &'static str,
    /// The generation that has the family; `None` if both have it.
    pub(super) generation: Option<Generation>,
}

impl Catalog {
    pub(super) fn new(rules: Vec<Correspondence>, absent: Vec<String>) -> Catalog {
        Catalog { rules, absent }
    }

    /// The rules of all packs.
    pub(super) fn all(&self) -> impl Iterator<Item = &Correspondence> {
        self.rules.iter()
    }

    /// The family of a series name, if a pack has a rule for it.
    pub(super) fn lookup(&self, name: &str) -> Option<FamilyRef> {
        SUFFIXES.into_iter().find_map(|suffix| {
            let family = name.strip_suffix(suffix)?;
            let has = |generation| self.rules.iter().any(|it| it.side(generation).family == family);
            let generation = match (has(Generation::Old), has(Generation::New)) {
                (false, false) => return None,
                (true, true) => None,
                (true, false) => Some(Generation::Old),
                (false, true) => Some(Generation::New),
            };
            Some(FamilyRef { family: family.to_owned(), suffix, generation })
        })
    }

    /// The first known series name in any text, as a whole word.
    pub(super) fn first_in(&self, text: &str) -> Option<FamilyRef> {
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
        let words = text.split(|c| !is_part(c)).filter(|word| !word.is_empty());
        words.into_iter().find_map(|word| self.lookup(word))
    }

    /// The families that only one generation has.
    pub(super) fn only_in(&self, generation: Generation) -> Vec<&str> {
        let families = self.rules.iter().map(|it| it.side(generation).family.as_str());
        let only = |family: &&str| self.lookup(family).is_some_and(|it| it.generation.is_some());
        families.filter(only).collect()
    }

    /// The names of families that differ between the generations: old and new.
    pub(super) fn pairs(&self) -> BTreeSet<(&str, &str)> {
        let rules = self.rules.iter().filter(|it| it.derive.is_none());
        let pairs = rules.map(|it| (it.old.family.as_str(), it.new.family.as_str()));
        pairs.filter(|(old, new)| old != new).collect()
    }

    /// The rules for a family of a generation.
    pub(super) fn rules(&self, family: &str, generation: Generation) -> Vec<&Correspondence> {
        self.rules.iter().filter(|it| it.side(generation).family == family).collect()
    }

    /// The rules that express a family of `from` in the other generation.
    pub(super) fn migration_rules(&self, family: &str, from: Generation) -> Vec<&Correspondence> {
        let to = from.other();
        let mut rules = self.rules(family, from);
        // A rule that only derives families of `to` cannot replace a query of `from`.
        rules.retain(|it| it.derive.is_none_or(|derived| derived == from));
        if rules.len() > 1 {
            rules.retain(|it| !self.is_unused(it, to));
        }
        rules
    }

    /// True if a family does not occur, or if the family that it becomes does not.
    pub(super) fn is_absent(&self, family: &str) -> bool {
        let is_declared = |family: &str| self.absent.iter().any(|it| it == family);
        let mut rules = self.rules.iter().filter(|it| it.old.family == family).peekable();
        let becomes_none = rules.peek().is_some() && rules.all(|it| is_declared(&it.new.family));
        is_declared(family) || becomes_none
    }

    /// What to do about samples that exist only with a family.
    pub(super) fn absent_hint(family: &str) -> String {
        format!("If {family} does not occur, add --absent={family}.")
    }

    /// True if one side of a rule has no samples, because its family or the one of its condition is
    /// absent.
    fn is_unused(&self, rule: &Correspondence, side: Generation) -> bool {
        self.absent.contains(&rule.side(side).family)
            || rule.only_with.as_deref().is_some_and(|family| self.is_absent(family))
    }

    /// Another family of `from` whose samples a query of the rule's other side would include, with
    /// nothing to tell them apart. The query includes the family `included` already.
    pub(super) fn indistinguishable(
        &self,
        rule: &Correspondence,
        from: Generation,
        included: Option<&str>,
    ) -> Option<&str> {
        let (to, own) = (from.other(), rule.side(from));
        let fixed = |it: &Correspondence| -> Vec<(String, String)> {
            let labels = it.side(to).labels.iter();
            let mut fixed: Vec<_> = labels
                .filter_map(|(label, meaning)| match meaning {
                    Meaning::Fixed(value) => Some((label.clone(), value.clone())),
                    _ => None,
                })
                .collect();
            fixed.sort_unstable();
            fixed
        };
        let includes = |a: &Correspondence, b: &Correspondence| {
            a.includes.as_ref().is_some_and(|family| *family == b.old.family)
        };
        let other = self.rules.iter().find(|it| {
            it.side(to).family == rule.side(to).family
                && it.side(from).family != own.family
                && it.derive.is_none()
                && fixed(it) == fixed(rule)
                && !includes(it, rule)
                && !includes(rule, it)
                && !self.is_unused(it, from)
                && included != Some(it.side(from).family.as_str())
        });
        other.map(|it| it.side(from).family.as_str())
    }

    /// True if a migrated query must require a label: another rule has the same family without it.
    pub(super) fn must_be_present(
        &self,
        rule: &Correspondence,
        to: Generation,
        label: &str,
    ) -> bool {
        self.rules.iter().any(|it| {
            it.side(to).family == rule.side(to).family
                && it.derive.is_none()
                && !matches!(it.side(to).meaning(label), Some(Meaning::Carried(_)))
        })
    }
}
