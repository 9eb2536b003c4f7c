//! An independent rewriter of labels, slow and obvious. It uses neither the pack nor the engine, and
//! tries every way to split a value.
#![allow(clippy::string_slice, reason = "only ends of characters are tried")]
#![allow(clippy::format_push_string, reason = "a pack is built piece by piece, as it reads")]

use std::collections::{BTreeMap, BTreeSet};

use super::naive::{Exposition, Series};

/// A part of a label's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Fixed text.
    Text(String),
    /// A variable.
    Variable(String),
}

/// The labels of one side, each with its text.
pub(crate) type Side = Vec<(String, Vec<Piece>)>;

/// A rule from the family `old` to the family `new`.
#[derive(Clone, Debug, Default)]
pub(crate) struct LabelRule {
    pub(crate) old: Side,
    pub(crate) new: Side,
    pub(crate) optional: BTreeSet<String>,
    /// Old and new texts of a variable, and whether others stay.
    pub(crate) values: BTreeMap<String, (Vec<(String, String)>, bool)>,
}

/// The emitted generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum To {
    Old,
    New,
}

type Meaning = BTreeMap<String, String>;

fn quoted(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    text.replace('$', "$$")
}

impl LabelRule {
    /// The rule as it is in a pack.
    pub(crate) fn yaml(&self) -> String {
        let side = |family: &str, labels: &Side| {
            let labels = labels.iter().map(|(label, pieces)| {
                let text = pieces.iter().map(|piece| match piece {
                    Piece::Text(text) => quoted(text),
                    Piece::Variable(name) => format!("${name}"),
                });
                format!("{label}=\"{}\"", text.collect::<String>())
            });
            let labels = labels.collect::<Vec<_>>().join(", ");
            let selector = format!("{family}{{{labels}}}");
            format!("'{}'", selector.replace('\'', "''"))
        };
        let mut yaml = format!("- old: {}\n", side("old", &self.old));
        yaml += &format!("  new: {}\n  type: counter\n", side("new", &self.new));
        if !self.optional.is_empty() {
            let names: Vec<&str> = self.optional.iter().map(String::as_str).collect();
            yaml += &format!("  optional: [{}]\n", names.join(", "));
        }
        if !self.values.is_empty() {
            yaml += "  values:\n";
        }
        for (name, (pairs, others)) in &self.values {
            yaml += &format!("    {name}:\n");
            for (old, new) in pairs {
                yaml += &format!("      '{old}': '{new}'\n");
            }
            if *others {
                yaml += "      '*': '*'\n";
            }
        }
        yaml
    }

    fn sides(&self, to: To) -> (&Side, &Side) {
        if to == To::New { (&self.old, &self.new) } else { (&self.new, &self.old) }
    }

    /// What the variables stand for in a sample. `None`: it is not read.
    fn read(&self, series: &Series, side: &Side) -> Option<Meaning> {
        let mut all = Meaning::new();
        for (label, pieces) in side {
            let value = series.label(label);
            let names: Vec<&String> = pieces.iter().filter_map(name).collect();
            let absent = value.is_empty() && !names.is_empty();
            let its: Meaning = if absent && names.iter().all(|it| self.optional.contains(*it)) {
                names.iter().map(|it| ((*it).clone(), String::new())).collect()
            } else {
                split(value, pieces)?
            };
            for (name, text) in its {
                if *all.entry(name).or_insert_with(|| text.clone()) != text {
                    return None;
                }
            }
        }
        Some(all)
    }

    fn translate(&self, name: &str, text: &str, to: To) -> Option<String> {
        let Some((pairs, others)) = self.values.get(name) else { return Some(text.to_owned()) };
        let other_way: Vec<(String, String)> =
            pairs.iter().map(|(old, new)| (new.clone(), old.clone())).collect();
        let pairs = if to == To::New { pairs } else { &other_way };
        if let Some((_, written)) = pairs.iter().find(|(read, _)| read == text) {
            return Some(written.clone());
        }
        let speaks_of_absence = pairs.iter().any(|(a, b)| a.is_empty() || b.is_empty());
        let stays = *others || text.is_empty() && !speaks_of_absence;
        stays.then(|| text.to_owned())
    }

    /// The labels of a sample, rewritten. `None`: it is not read.
    fn labels(&self, series: &Series, to: To) -> Option<BTreeMap<String, String>> {
        let (read, write) = self.sides(to);
        let mut meaning = self.read(series, read)?;
        for (name, text) in &mut meaning {
            *text = self.translate(name, text, to)?;
        }
        let mut labels = series.labels.clone();
        for (label, _) in read {
            labels.remove(label);
        }
        for (label, pieces) in write {
            if labels.contains_key(label) {
                return None;
            }
            let names: Vec<&String> = pieces.iter().filter_map(name).collect();
            if !names.is_empty() && names.iter().all(|name| meaning[*name].is_empty()) {
                continue;
            }
            let text: String = pieces
                .iter()
                .map(|piece| match piece {
                    Piece::Text(text) => text.as_str(),
                    Piece::Variable(name) => &meaning[name],
                })
                .collect();
            let again = split(&text, pieces)?;
            if again.iter().any(|(name, text)| meaning[name] != *text) {
                return None;
            }
            labels.insert(label.clone(), text);
        }
        Some(labels)
    }
}

fn name(piece: &Piece) -> Option<&String> {
    match piece {
        Piece::Variable(name) => Some(name),
        Piece::Text(_) => None,
    }
}

/// Of all ways to cut a value into the pieces, the one in which each variable ends where the text
/// after it first occurs.
fn split(value: &str, pieces: &[Piece]) -> Option<Meaning> {
    let Some((first, others)) = pieces.split_first() else {
        return value.is_empty().then(Meaning::new);
    };
    match first {
        Piece::Text(text) => split(value.strip_prefix(text.as_str())?, others),
        Piece::Variable(name) => {
            let ends = value.char_indices().map(|(at, letter)| at + letter.len_utf8());
            let is_first = |end: &usize| match others {
                // What follows is not the end of the text: it must not occur before.
                [Piece::Text(text), _, ..] => {
                    let with_text = format!("{}{text}", &value[..*end]);
                    with_text.find(text.as_str()) == Some(*end)
                }
                _ => true,
            };
            ends.filter(is_first).find_map(|end| {
                let mut meaning = split(&value[end..], others)?;
                meaning.insert(name.clone(), value[..end].to_owned());
                Some(meaning)
            })
        }
    }
}

/// The series and values that the output has. Series that become equal are summed, and of equal
/// series of the input the first counts.
pub(crate) fn rewrite(body: &Exposition, rule: &LabelRule, to: To) -> BTreeMap<Series, f64> {
    let (read, written) = if to == To::New { ("old", "new") } else { ("new", "old") };
    let mut output = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for sample in body.samples() {
        let series = sample.series();
        if !seen.insert(series.clone()) {
            continue;
        }
        let labels = if series.name == read { rule.labels(&series, to) } else { None };
        let series = match labels {
            Some(labels) => Series { name: written.to_owned(), labels },
            None => series,
        };
        *output.entry(series).or_insert(0.0) += sample.value;
    }
    output
}

/// A label set as it is in a body.
pub(crate) fn braces(labels: &[(String, String)]) -> String {
    let escaped = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let labels = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value)));
    format!("{{{}}}", labels.collect::<Vec<_>>().join(","))
}
