//! What the packs say about the families in a query.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::mapping::{Correspondence, Generation, Meaning, PatternedRules};

/// Suffixes of the series of a family. A family is also a series name itself.
pub(super) const SUFFIXES: [&str; 4] = ["", "_bucket", "_sum", "_count"];

/// The rules of all packs, by family.
#[derive(Clone, Debug)]
pub(super) struct Catalog {
    /// The rules of the packs, and after them those with patterns in place of families.
    rules: Arc<[Correspondence]>,
    patterned: Arc<PatternedRules>,
    /// The rules of patterns for the families of a query.
    resolved: Vec<Correspondence>,
    /// Families that do not occur in the queried Prometheus.
    absent: Arc<[String]>,
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
    pub(super) fn new(
        rules: Vec<Correspondence>,
        patterned: Arc<PatternedRules>,
        absent: Arc<[String]>,
    ) -> Catalog {
        let rules = rules.into_iter().chain(patterned.all().cloned()).collect();
        Catalog { rules, patterned, resolved: Vec::new(), absent }
    }

    /// The catalog with the rules of patterns for the families that a text names. `None` if no
    /// pattern matches a name.
    pub(super) fn resolved(&self, text: &str) -> Option<Catalog> {
        if self.patterned.is_empty() {
            return None;
        }
        let mut catalog = self.clone();
        for name in words(text) {
            for rule in resolve(&self.patterned, name) {
                let is_known = |it: &Correspondence| {
                    (&it.old.family, &it.new.family) == (&rule.old.family, &rule.new.family)
                };
                if !catalog.resolved.iter().any(is_known) {
                    catalog.resolved.push(rule);
                }
            }
        }
        (!catalog.resolved.is_empty()).then_some(catalog)
    }

    /// The rules of all packs.
    pub(super) fn all(&self) -> impl Iterator<Item = &Correspondence> {
        self.rules.iter().chain(&self.resolved)
    }

    /// The family of a series name, if a pack has a rule for it. Rules for named families come
    /// before patterns.
    pub(super) fn lookup(&self, name: &str) -> Option<FamilyRef> {
        let of_rules = |family: &str| sides(&self.rules, family);
        let of_patterns = |family: &str| sides(&self.patterned.of_family(family), family);
        family_ref(name, &of_rules).or_else(|| family_ref(name, &of_patterns))
    }

    /// As [`lookup`](Self::lookup), but of a word in any text. A word is no family only because a
    /// pattern renames labels of all families.
    pub(super) fn lookup_word(&self, word: &str) -> Option<FamilyRef> {
        let found = self.lookup(word)?;
        let is_named = || sides(&self.rules, &found.family).contains(&true);
        (found.generation.is_some() || is_named()).then_some(found)
    }

    /// The first known series name in any text, as a whole word.
    pub(super) fn first_in(&self, text: &str) -> Option<FamilyRef> {
        words(text).find_map(|word| self.lookup_word(word))
    }

    /// Whether a rule renames families by a pattern.
    pub(super) fn has_patterns(&self) -> bool {
        self.patterned.all().any(|it| it.old.family != it.new.family)
    }

    /// The names that series of a family can have. Of a pattern, some of them.
    pub(super) fn series_names(&self, family: &str) -> Vec<String> {
        let families = self.patterned.samples(family).unwrap_or_else(|| vec![family.to_owned()]);
        let names = |family: &String| SUFFIXES.map(|suffix| format!("{family}{suffix}"));
        families.iter().flat_map(names).collect()
    }

    /// A pattern of a rule that has some names which begin with a text, or are its beginning, and
    /// differ between the generations.
    pub(super) fn pattern_near(&self, prefix: &str, generation: Generation) -> Option<&str> {
        let renaming = self.patterned.all().filter(|it| it.old.family != it.new.family);
        let patterns = renaming.map(|it| it.side(generation).family.as_str());
        patterns.into_iter().find(|pattern| {
            let before = pattern.split('{').next().unwrap_or_default();
            before.starts_with(prefix) || prefix.starts_with(before)
        })
    }

    /// The families that only one generation has.
    pub(super) fn only_in(&self, generation: Generation) -> Vec<&str> {
        let families = self.all().map(|it| it.side(generation).family.as_str());
        let only = |family: &&str| self.lookup(family).is_some_and(|it| it.generation.is_some());
        families.filter(only).collect()
    }

    /// The names of families that differ between the generations: old and new.
    pub(super) fn pairs(&self) -> BTreeSet<(&str, &str)> {
        let rules = self.all().filter(|it| it.derive.is_none());
        let pairs = rules.map(|it| (it.old.family.as_str(), it.new.family.as_str()));
        pairs.filter(|(old, new)| old != new).collect()
    }

    /// The rules for a family of a generation.
    pub(super) fn rules(&self, family: &str, generation: Generation) -> Vec<&Correspondence> {
        self.all().filter(|it| it.side(generation).family == family).collect()
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
        let mut rules = self.all().filter(|it| it.old.family == family).peekable();
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
        let other = self.all().find(|it| {
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
        self.all().any(|it| {
            it.side(to).family == rule.side(to).family
                && it.derive.is_none()
                && !matches!(it.side(to).meaning(label), Some(Meaning::Carried(_)))
        })
    }
}

const SIDES: [Generation; 2] = [Generation::Old, Generation::New];

/// Which sides of rules are this family.
fn sides(rules: &[Correspondence], family: &str) -> [bool; 2] {
    SIDES.map(|side| rules.iter().any(|it| it.side(side).family == family))
}

/// The family of a series name. `sides` tells which generations have a family: old and new.
fn family_ref(name: &str, sides: &dyn Fn(&str) -> [bool; 2]) -> Option<FamilyRef> {
    SUFFIXES.into_iter().find_map(|suffix| {
        let family = name.strip_suffix(suffix)?;
        let generation = match sides(family) {
            [false, false] => return None,
            [true, true] => None,
            [true, false] => Some(Generation::Old),
            [false, true] => Some(Generation::New),
        };
        Some(FamilyRef { family: family.to_owned(), suffix, generation })
    })
}

/// The words of a text that could be names of series.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    text.split(move |c| !is_part(c)).filter(|word| !word.is_empty())
}

/// The rules of patterns for the family of a series.
///
/// A name that ends like the series of a histogram can be such a series, or a family. If the names
/// of the other generation then differ, it cannot be known.
fn resolve(patterned: &PatternedRules, name: &str) -> Vec<Correspondence> {
    let mut found: Vec<Correspondence> = Vec::new();
    for suffix in SUFFIXES {
        let Some(family) = name.strip_suffix(suffix) else { continue };
        for rule in patterned.of_family(family) {
            let same = |its: &str, other: &str| its == format!("{other}{suffix}");
            let differs = found.iter_mut().find(|its| {
                same(&its.old.family, &rule.old.family) != same(&its.new.family, &rule.new.family)
            });
            if let Some(its) = differs {
                its.differs = Some(format!(
                    "`{name}` can be a family, or a series of `{family}`, which have other names"
                ));
            }
            found.push(rule);
        }
    }
    found
}
