//! Which pattern of family names applies to a family.

use std::collections::HashSet;

use super::rule_id::RuleId;
use crate::mapping::family_pattern::FamilyPattern;
use crate::mapping::generation::Generation;

/// The newer generation first, as rules are compiled.
const BOTH: [Generation; 2] = [Generation::New, Generation::Old];

/// A pack rule whose families are given by patterns.
#[derive(Debug)]
pub struct PatternRule {
    /// The families of the old generation.
    pub old: FamilyPattern,
    /// The same families in the new generation.
    pub new: FamilyPattern,
    /// The rule that writes the new generation, as compiled for no family in particular. `None`:
    /// the generation is not emitted, or has the same samples.
    pub to_new: Option<RuleId>,
    /// The rule that writes the old generation.
    pub to_old: Option<RuleId>,
    /// Labels that tell the generation of a sample, if the names of the families do not.
    pub signs: Vec<LabelSigns>,
}

/// Labels by which a sample of a family is one of a generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelSigns {
    /// The generation.
    pub generation: Generation,
    /// Labels that samples of both generations have.
    pub required: Vec<Box<[u8]>>,
    /// Labels that only samples of this generation have: at least one of them.
    pub any_of: Vec<Box<[u8]>>,
}

impl LabelSigns {
    /// Whether a sample with these labels is one of the generation. An empty label counts: targets
    /// export labels that have no value.
    #[must_use]
    pub fn are_in(&self, has: impl Fn(&[u8]) -> bool) -> bool {
        self.required.iter().all(|label| has(label)) && self.any_of.iter().any(|label| has(label))
    }
}

impl PatternRule {
    /// The families of a generation.
    #[must_use]
    pub fn side(&self, generation: Generation) -> &FamilyPattern {
        match generation {
            Generation::Old => &self.old,
            Generation::New => &self.new,
        }
    }

    /// The compiled rule that writes a generation.
    #[must_use]
    pub fn rule(&self, written: Generation) -> Option<RuleId> {
        match written {
            Generation::Old => self.to_old,
            Generation::New => self.to_new,
        }
    }

    /// Whether the families have the same names in both generations, so that labels tell the
    /// generations apart.
    #[must_use]
    pub fn keeps_name(&self) -> bool {
        self.old == self.new
    }
}

/// The pattern that applies to a family.
#[derive(Debug)]
pub struct PatternMatch<'a> {
    /// The pattern.
    pub pattern: &'a PatternRule,
    /// The name of the family in the other generation.
    pub other_name: Box<[u8]>,
}

/// The patterns of all packs.
#[derive(Debug, Default)]
pub struct Patterns {
    rules: Vec<PatternRule>,
    /// Indices of `rules`, those with the most text on the old side first.
    by_old: Vec<usize>,
    by_new: Vec<usize>,
    /// Families that rules name. Patterns neither read nor write them.
    named: HashSet<Box<[u8]>>,
}

impl Patterns {
    /// `named`: the families that rules name.
    #[must_use]
    pub fn new(rules: Vec<PatternRule>, named: HashSet<Box<[u8]>>) -> Patterns {
        let sorted = |generation: Generation| {
            let mut order: Vec<usize> = (0..rules.len()).collect();
            order.sort_by_key(|&index| std::cmp::Reverse(rules[index].side(generation).text_len()));
            order
        };
        let (by_old, by_new) = (sorted(Generation::Old), sorted(Generation::New));
        Patterns { rules, by_old, by_new, named }
    }

    /// Every rule.
    #[must_use]
    pub fn all(&self) -> &[PatternRule] {
        &self.rules
    }

    /// True if there are no patterns.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The pattern that a family has in a generation: of those that match its name, the one with
    /// the most text.
    fn of(&self, family: &[u8], generation: Generation) -> Option<&PatternRule> {
        if self.named.contains(family) || !is_legal(family) {
            return None;
        }
        let order = match generation {
            Generation::Old => &self.by_old,
            Generation::New => &self.by_new,
        };
        let mut rules = order.iter().map(|&index| &self.rules[index]);
        rules.find(|rule| rule.side(generation).rest_of(family).is_some())
    }

    /// Indices of the rules that a family can be of, in either generation.
    pub fn rules_of(&self, family: &[u8]) -> impl Iterator<Item = usize> {
        let of = |generation| self.of(family, generation);
        let [new, old] = BOTH.map(of);
        let old = old.filter(|old| !new.is_some_and(|new| std::ptr::eq(*old, new)));
        let found = [old, new].into_iter().flatten();
        found.filter_map(|found| self.rules.iter().position(|rule| std::ptr::eq(rule, found)))
    }

    /// The pattern of a family whose labels tell the generation, by its index.
    #[must_use]
    pub fn told_by_labels(&self, family: &[u8]) -> Option<usize> {
        self.rules_of(family).find(|index| !self.rules[*index].signs.is_empty())
    }

    /// The rule with this index.
    #[must_use]
    pub fn rule(&self, index: usize) -> &PatternRule {
        &self.rules[index]
    }

    /// The pattern by which a family of the input is rewritten to a generation. There is none
    ///
    /// - if a rule names the family, or the one that would be written;
    /// - if the name could also be that of a written family, unless every family that the pattern
    ///   reads has such a name;
    /// - if another pattern reads the written family in the opposite direction.
    #[must_use]
    pub fn find(&self, family: &[u8], written: Generation) -> Option<PatternMatch<'_>> {
        let pattern = self.of(family, written.other())?;
        let (read, write) = (pattern.side(written.other()), pattern.side(written));
        let is_written = write.rest_of(family).is_some();
        if is_written && !pattern.keeps_name() && !write.contains(read) {
            return None;
        }
        let to = write.with(read.rest_of(family)?);
        let back = self.of(&to, written)?;
        std::ptr::eq(back, pattern).then_some(PatternMatch { pattern, other_name: to })
    }

    /// The pattern that writes a family, and the name of the family that it reads.
    #[must_use]
    pub fn find_writing(&self, family: &[u8], written: Generation) -> Option<PatternMatch<'_>> {
        let pattern = self.of(family, written)?;
        let rest = pattern.side(written).rest_of(family)?;
        let read = pattern.side(written.other()).with(rest);
        let found = self.find(&read, written)?;
        std::ptr::eq(found.pattern, pattern).then_some(PatternMatch { pattern, other_name: read })
    }

    /// The rules that read a family of the input, each with the name of the family that it writes.
    pub fn reading(&self, family: &[u8]) -> impl Iterator<Item = (RuleId, Box<[u8]>)> {
        BOTH.into_iter().filter_map(move |written| {
            let found = self.find(family, written)?;
            Some((found.pattern.rule(written)?, found.other_name))
        })
    }

    /// The rules that read or write a family of this name.
    #[must_use]
    pub fn concerning(&self, family: &[u8]) -> Vec<RuleId> {
        let writing = |written| self.find_writing(family, written)?.pattern.rule(written);
        let mut rules: Vec<RuleId> = self.reading(family).map(|(id, _)| id).collect();
        rules.extend(BOTH.into_iter().filter_map(writing));
        rules.sort_unstable();
        rules.dedup();
        rules
    }

    /// Whether a rule writes a family of this name, if the input has the families that it reads.
    #[must_use]
    pub fn is_written(&self, family: &[u8]) -> bool {
        BOTH.into_iter().any(|written| {
            let found = self.find_writing(family, written);
            found.is_some_and(|found| found.pattern.rule(written).is_some())
        })
    }

    /// The generation that a family is of, if its name tells.
    #[must_use]
    pub fn generation(&self, family: &[u8]) -> Option<Generation> {
        let is_of = |generation: &Generation| {
            let found = self.find(family, generation.other());
            found.is_some_and(|found| !found.pattern.keeps_name())
        };
        BOTH.into_iter().find(is_of)
    }
}

/// Whether every version of Prometheus accepts the name without quotes.
fn is_legal(family: &[u8]) -> bool {
    let is_letter = |byte: &u8| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b':');
    family.first().is_some_and(is_letter)
        && family.iter().all(|byte| is_letter(byte) || byte.is_ascii_digit())
}
