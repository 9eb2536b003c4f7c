//! An independent rewriter by patterns of family names, slow and obvious. It uses neither the pack
//! nor the engine, and tries every way to split a name.
#![allow(clippy::string_slice, reason = "the names are ASCII")]

use std::collections::{BTreeMap, BTreeSet};

use super::naive::{Exposition, Series, family_of};

/// A rule: families as texts around the placeholder, old and new, and one label to rename.
#[derive(Clone, Debug)]
pub(crate) struct PatternRule {
    pub(crate) old: (String, String),
    pub(crate) new: (String, String),
    pub(crate) label: Option<(String, String)>,
}

/// The emitted generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum To {
    Old,
    New,
}

type Texts = (String, String);

impl PatternRule {
    fn read(&self, to: To) -> &Texts {
        if to == To::New { &self.old } else { &self.new }
    }

    fn written(&self, to: To) -> &Texts {
        if to == To::New { &self.new } else { &self.old }
    }

    /// The rule as it is in a pack.
    pub(crate) fn yaml(&self) -> String {
        let side = |(before, after): &Texts, label: Option<(&String, &str)>| {
            let label = label.map(|(label, variable)| format!("{{{label}=${variable}}}"));
            format!("'{before}{{rest*}}{after}{}'", label.unwrap_or_default())
        };
        let label = self.label.as_ref();
        let old = side(&self.old, label.map(|(old, _)| (old, "v")));
        let new = side(&self.new, label.map(|(_, new)| (new, "v")));
        format!("- old: {old}\n  new: {new}\n")
    }
}

/// The text between, by trying every split of the name in three.
fn between(name: &str, (before, after): &Texts) -> Option<String> {
    let all = (0..name.len()).flat_map(|a| (a + 1..=name.len()).map(move |b| (a, b)));
    let mut fits = all.filter(|&(a, b)| name[..a] == **before && name[b..] == **after);
    fits.next().map(|(a, b)| name[a..b].to_owned())
}

/// The only rule with the most text of those that have the name on a side.
fn claiming<'a>(
    rules: &'a [PatternRule],
    side: impl Fn(&PatternRule) -> &Texts,
    name: &str,
) -> Option<&'a PatternRule> {
    let claims: Vec<&PatternRule> =
        rules.iter().filter(|rule| between(name, side(rule)).is_some()).collect();
    let text = |rule: &PatternRule| side(rule).0.len() + side(rule).1.len();
    let most = claims.iter().map(|rule| text(rule)).max()?;
    let with_most: Vec<&&PatternRule> = claims.iter().filter(|rule| text(rule) == most).collect();
    assert_eq!(with_most.len(), 1, "the pack would be refused: {name}");
    Some(with_most[0])
}

/// True if two patterns match one name, for all that can be told from short names.
pub(crate) fn meet(a: &Texts, b: &Texts) -> bool {
    let fits = |one: &str, other: &str, ends: bool| {
        let (long, short) = if one.len() < other.len() { (other, one) } else { (one, other) };
        if ends { long.ends_with(short) } else { long.starts_with(short) }
    };
    fits(&a.0, &b.0, false) && fits(&a.1, &b.1, true)
}

/// The family that a family becomes, with its rule. `named` are the families of other rules.
fn written<'a>(
    rules: &'a [PatternRule],
    named: &BTreeSet<String>,
    family: &str,
    to: To,
) -> Option<(String, &'a PatternRule)> {
    if named.contains(family) {
        return None;
    }
    let rule = claiming(rules, |rule| rule.read(to), family)?;
    let (read, write) = (rule.read(to), rule.written(to));
    let (before, after) = write;
    let rest = between(family, read)?;
    let wider = read.0.starts_with(before) && read.1.ends_with(after);
    if read != write && between(family, write).is_some() && !wider {
        return None;
    }
    let name = format!("{before}{rest}{after}");
    let first_is_digit = name.starts_with(|c: char| c.is_ascii_digit());
    if named.contains(&name) || first_is_digit {
        return None;
    }
    let back = claiming(rules, |rule| rule.written(to), &name)?;
    std::ptr::eq(back, rule).then_some((name, rule))
}

/// The series and values that the output has: of equal series the first.
pub(crate) fn rewrite(
    body: &Exposition,
    rules: &[PatternRule],
    named: &BTreeMap<String, String>,
    to: To,
) -> BTreeMap<Series, f64> {
    let types = body.types();
    let all_named: BTreeSet<String> =
        named.iter().flat_map(|(old, new)| [old.clone(), new.clone()]).collect();
    let by_name: BTreeMap<&String, &String> = match to {
        To::New => named.iter().collect(),
        To::Old => named.iter().map(|(old, new)| (new, old)).collect(),
    };
    let mut output = BTreeMap::new();
    let mut read = BTreeSet::new();
    for sample in body.samples() {
        let mut series = sample.series();
        if !read.insert(series.clone()) {
            continue;
        }
        let family = family_of(&types, &series.name);
        let suffix = series.name[family.len()..].to_owned();
        if let Some(name) = by_name.get(&family) {
            series.name = format!("{name}{suffix}");
        } else if let Some((name, rule)) = written(rules, &all_named, &family, to) {
            let renamed = rule.label.as_ref().map(|(old, new)| match to {
                To::New => (old, new),
                To::Old => (new, old),
            });
            let value = renamed.map(|(from, _)| series.label(from).to_owned());
            if value.as_ref().is_none_or(|value| !value.is_empty()) {
                series.name = format!("{name}{suffix}");
                if let (Some((from, into)), Some(value)) = (renamed, value) {
                    series.labels.remove(from);
                    // A label of that name is not replaced, so the sample passes.
                    if series.labels.contains_key(into) {
                        series = sample.series();
                    } else {
                        series = series.with(into, &value);
                    }
                }
            }
        }
        output.entry(series).or_insert(sample.value);
    }
    output
}
