//! What packs say of the families in a query.

use regex::Regex;

use super::promql::Matcher;
use crate::mapping::Merge;
use crate::mapping::{Correspondence, Generation, Meaning};
use crate::tools::audit::template_vars::contains_variable;

/// The packs, asked by family.
#[derive(Debug)]
pub(super) struct Knowledge {
    all: Vec<Correspondence>,
    /// Families that do not occur where the queries are asked.
    absent: Vec<String>,
}

/// A name in a query, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) family: String,
    /// `_bucket`, `_sum`, `_count`, or nothing.
    pub(super) suffix: &'static str,
    /// The generation that has the family; `None` where both do.
    pub(super) generation: Option<Generation>,
}

/// Whether a matcher takes a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    Yes,
    No,
    /// There is a variable in it, or a pattern that we cannot read.
    Unknown,
}

impl Knowledge {
    pub(super) fn new(all: Vec<Correspondence>, absent: Vec<String>) -> Knowledge {
        Knowledge { all, absent }
    }

    /// The family that a name is of, where a pack knows it.
    pub(super) fn named(&self, name: &str) -> Option<Named> {
        let suffixes = ["", "_bucket", "_sum", "_count"];
        suffixes.into_iter().find_map(|suffix| {
            let family = name.strip_suffix(suffix)?;
            let has = |generation| self.all.iter().any(|it| it.side(generation).family == family);
            let generation = match (has(Generation::Old), has(Generation::New)) {
                (false, false) => return None,
                (true, true) => None,
                (true, false) => Some(Generation::Old),
                (false, true) => Some(Generation::New),
            };
            Some(Named { family: family.to_owned(), suffix, generation })
        })
    }

    /// The first family that a text names, as a word of its own.
    pub(super) fn mentioned(&self, text: &str) -> Option<Named> {
        let part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
        text.split(|c| !part(c)).filter(|word| !word.is_empty()).find_map(|word| self.named(word))
    }

    /// All families of one generation alone, for patterns of names.
    pub(super) fn only_in(&self, generation: Generation) -> Vec<&str> {
        let families = self.all.iter().map(|it| it.side(generation).family.as_str());
        let only = |family: &&str| self.named(family).is_some_and(|it| it.generation.is_some());
        families.filter(only).collect()
    }

    /// The entries that have a family in a generation.
    pub(super) fn entries(&self, family: &str, generation: Generation) -> Vec<&Correspondence> {
        self.all.iter().filter(|it| it.side(generation).family == family).collect()
    }

    /// The entries that can say in the other generation what a family says in this one.
    pub(super) fn movable(&self, family: &str, from: Generation) -> Vec<&Correspondence> {
        let to = from.other();
        let mut entries = self.entries(family, from);
        // An entry that only adds to a generation is no way into it.
        entries.retain(|it| it.derive.is_none_or(|added| added == from));
        if entries.len() > 1 {
            entries.retain(|it| !self.absent.contains(&it.side(to).family));
        }
        entries
    }

    /// A family of the same generation whose samples end up among those of `entry` and cannot be told from them.
    pub(super) fn conflict(&self, entry: &Correspondence, from: Generation) -> Option<&str> {
        let (to, own) = (from.other(), entry.side(from));
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
        let other = self.all.iter().find(|it| {
            it.side(to).family == entry.side(to).family
                && it.side(from).family != own.family
                && it.derive.is_none()
                && fixed(it) == fixed(entry)
                && !includes(it, entry)
                && !includes(entry, it)
                && !self.absent.contains(&it.side(from).family)
        });
        other.map(|it| it.side(from).family.as_str())
    }

    /// Whether a label of the other side must be said to be there: another entry writes the same family without it.
    pub(super) fn must_be_present(
        &self,
        entry: &Correspondence,
        to: Generation,
        label: &str,
    ) -> bool {
        self.all.iter().any(|it| {
            it.side(to).family == entry.side(to).family
                && it.derive.is_none()
                && !matches!(it.side(to).meaning(label), Some(Meaning::Carried(_)))
        })
    }
}

/// The aggregation that joins what becomes equal, and the functions over a range that can be done before it.
pub(super) fn joined_by(merge: Option<Merge>) -> (&'static str, &'static [&'static str]) {
    match merge {
        None | Some(Merge::Sum) => (
            "sum",
            &["rate", "increase", "irate", "delta", "idelta", "sum_over_time", "last_over_time"],
        ),
        Some(Merge::Max) => ("max", &["max_over_time", "last_over_time"]),
        Some(Merge::Min) => ("min", &["min_over_time", "last_over_time"]),
    }
}

/// Whether all matchers of a label take a value.
pub(super) fn all_take(matchers: &[&Matcher], value: &str, templated: bool) -> Takes {
    let mut unknown = false;
    for matcher in matchers {
        match takes(matcher, value, templated) {
            Takes::No => return Takes::No,
            Takes::Unknown => unknown = true,
            Takes::Yes => {}
        }
    }
    if unknown { Takes::Unknown } else { Takes::Yes }
}

/// Whether a matcher takes a value, as Prometheus matches: patterns stand for the whole value.
pub(super) fn takes(matcher: &Matcher, value: &str, templated: bool) -> Takes {
    if templated && contains_variable(&matcher.value) {
        return Takes::Unknown;
    }
    let yes = match matcher.op {
        "=" => matcher.value == value,
        "!=" => matcher.value != value,
        op => match Regex::new(&format!("^(?s:{})$", matcher.value)) {
            Ok(regex) => regex.is_match(value) == (op == "=~"),
            Err(_) => return Takes::Unknown,
        },
    };
    if yes { Takes::Yes } else { Takes::No }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn takes_text(op: &'static str, pattern: &str, value: &str) -> Takes {
        let matcher = Matcher { at: 0..0, label: 0..0, op, value: pattern.to_owned() };
        takes(&matcher, value, true)
    }

    #[test]
    fn matchers_match_as_in_prometheus() {
        for (op, pattern, value, expected) in [
            ("=", "a", "a", Takes::Yes),
            ("=~", "a", "ab", Takes::No), // the whole value
            ("=~", "a|b.*", "bcd", Takes::Yes),
            ("!~", "a|b", "c", Takes::Yes),
            ("!=", "", "", Takes::No),
            ("=~", ".*", "", Takes::Yes),
            ("=~", "$x", "a", Takes::Unknown),
            ("=~", "(", "a", Takes::Unknown),
            ("=~", "a$", "a", Takes::Yes),
        ] {
            assert_eq!(takes_text(op, pattern, value), expected, "{op} {pattern} {value}");
        }
    }
}
