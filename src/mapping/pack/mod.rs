//! A pack that has been checked for everything that one entry can tell about itself.
//!
//! What entries can only tell together (overlaps, families that nobody names) is checked by
//! [`compile`](super::compile()), because packs extend each other.

pub(super) mod exposition;
pub(super) mod file;
mod grammar;
mod names;
pub(super) mod statsd;
mod test_case;

use std::sync::Arc;

use super::fault::{Fault, Faults, Source, Spot};
use super::yaml;
use crate::mapping::pack::exposition::selector::Selector;

pub(super) use exposition::entry::{Entry, OnlyWith};
pub(super) use statsd::entry::{LineEntry, Lines, MAX_SEGMENTS, MAX_TYPE_BYTES, parse_prefix};
pub use test_case::{Case, Cases, Expected, Given, Step, Trial};

/// A mapping between two generations of metrics, valid in itself.
#[derive(Clone, Debug)]
pub struct Pack {
    name: String,
    description: Option<String>,
    entries: Vec<Entry>,
    repeats: Vec<String>,
    hints: Vec<Hint>,
    lines: Lines,
    cases: Vec<Case>,
    source: Arc<Source>,
}

/// What to tell the operator when a family, or some of its samples, do not occur.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    /// The family, of either generation, or a selector of some of its samples.
    pub when_missing: String,
    /// Why it may be missing, and what to do.
    pub say: String,
    selector: Selector,
}

impl Hint {
    /// What it speaks of.
    pub(super) fn selector(&self) -> &Selector {
        &self.selector
    }
}

/// Packs are equal when they say the same in the same words.
impl PartialEq for Pack {
    fn eq(&self, other: &Pack) -> bool {
        self.source.text() == other.source.text()
    }
}

impl Eq for Pack {}

impl Pack {
    /// Reads a pack from YAML. `file_name` is what faults call the file.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the pack as far as it can be told without other packs. Where the text
    /// is not YAML, only the first such place.
    pub fn parse(file_name: &str, text: &str) -> Result<Pack, Faults> {
        match Pack::read(file_name, text) {
            (Some(pack), faults) if faults.is_empty() => Ok(pack),
            (_, faults) => Err(Faults(faults)),
        }
    }

    /// As [`parse`](Self::parse), but with faults there may be a pack all the same: what is right of it.
    #[must_use]
    pub fn read(file_name: &str, text: &str) -> (Option<Pack>, Vec<Fault>) {
        let source = Source::new(file_name, text);
        let document = match yaml::parse(&source) {
            Ok(document) => document,
            Err(Faults(faults)) => return (None, faults),
        };
        let mut faults = Vec::new();
        let file = file::read(document, &source, &mut faults);
        let mut check = Check { source: &source, faults: &mut faults };
        let name = file.name.map(|name| check.pack_name(name)).unwrap_or_default();
        let entries = file
            .prometheus
            .into_iter()
            .filter_map(|entry| Entry::from_file(entry, &mut check))
            .collect();
        let repeats = check.families_once(file.repeats, "repeats");
        let hints = check.hints(file.hints);
        let common = (file.prefix, file.between, file.tags, file.either);
        let lines = Lines::from_file(&file.statsd, common, &mut check);
        let tests = file.tests.into_iter();
        let cases = tests.filter_map(|case| Case::from_file(case, &mut check)).collect();
        let description = file.description.map(|description| description.text);
        let source = Arc::new(source);
        let pack = Pack { name, description, entries, repeats, hints, lines, cases, source };
        (Some(pack), in_order(faults))
    }

    /// The pack's name. A pack on disk with the name of a shipped one takes its place.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the pack is for.
    #[must_use]
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// What to tell the operator when a family is missing.
    #[must_use]
    pub fn hints(&self) -> &[Hint] {
        &self.hints
    }

    /// The pack's own test cases.
    #[must_use]
    pub fn cases(&self) -> &[Case] {
        &self.cases
    }

    /// What faults call the pack's file.
    #[must_use]
    pub fn file_name(&self) -> &str {
        self.source.file()
    }

    /// Families that the source prints more than once.
    pub(super) fn repeats(&self) -> &[String] {
        &self.repeats
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What the pack says of `StatsD` lines.
    pub(super) fn lines(&self) -> &Lines {
        &self.lines
    }

    pub(super) fn source(&self) -> &Source {
        &self.source
    }
}

/// Checking is done part by part; readers go from top to bottom.
fn in_order(mut faults: Vec<Fault>) -> Vec<Fault> {
    faults.sort_by_key(|fault| fault.place.as_ref().map(|place| (place.line, place.column)));
    faults
}

/// Where faults go while a pack is checked.
pub(super) struct Check<'a> {
    source: &'a Source,
    faults: &'a mut Vec<Fault>,
}

impl Check<'_> {
    fn fault(&mut self, spot: Spot, message: impl Into<String>, remedy: impl Into<String>) {
        self.faults.push(self.source.fault(spot, message, remedy));
    }

    fn pack_name(&mut self, name: file::Text) -> String {
        let legal = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if name.text.is_empty() || !name.text.chars().all(legal) {
            self.fault(
                name.spot,
                format!("`{}` cannot be the name of a pack", name.text),
                "use letters, digits, `-`, `_` and `.`",
            );
        }
        name.text
    }

    /// Reports a name that no family can have.
    fn family(&mut self, family: &str, spot: Spot) {
        if !names::is_family(family) {
            self.fault(
                spot,
                format!("`{family}` cannot be the name of a family"),
                "use letters, digits, `_` and `:`, no digit first",
            );
        }
    }

    /// Reports a name that no label can have.
    fn label(&mut self, label: &str, spot: Spot) {
        if !names::is_label(label) {
            self.fault(
                spot,
                format!("`{label}` cannot be the name of a label"),
                "use letters, digits and `_`, no digit first",
            );
        } else if label == "__name__" {
            self.fault(spot, "`__name__` is the family's name", "write it in front of the `{`");
        }
    }

    fn families_once(&mut self, families: Vec<file::Text>, key: &str) -> Vec<String> {
        let mut known: Vec<String> = Vec::new();
        for family in families {
            self.family(&family.text, family.spot);
            if known.contains(&family.text) {
                self.fault(
                    family.spot,
                    format!("`{}` stands twice under `{key}`", family.text),
                    "remove one of them",
                );
            } else {
                known.push(family.text);
            }
        }
        known
    }

    fn hints(&mut self, hints: Vec<file::HintFile>) -> Vec<Hint> {
        let hint = |hint: file::HintFile| {
            let selector = self.selector(&hint.when_missing)?;
            Some(Hint { when_missing: hint.when_missing.text, say: hint.say.text, selector })
        };
        hints.into_iter().filter_map(hint).collect()
    }
}
