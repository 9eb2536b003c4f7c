//! A pack that has been checked for everything that one rule can tell about itself.
//!
//! What rules can only tell together (overlaps, families that no rule names) is checked by
//! [`compile`](super::compile()), because packs extend each other.

mod check;
pub(super) mod exposition;
pub(super) mod file;
mod grammar;
mod names;
pub(super) mod statsd;
mod test_case;

use std::sync::Arc;

use crate::document::{Diagnostic, Diagnostics, Limits, Reader, Source, parse_one};
use crate::mapping::pack::exposition::selector::Selector;
use check::Check;

pub(super) use exposition::rule::{OnlyWith, PackRule};
pub(super) use statsd::rule::{Lines, MAX_SEGMENTS, MAX_TYPE_BYTES, PackLineRule, parse_prefix};
pub use test_case::{Case, Cases, Expected, Given, Step, Trial};

/// Where the format of packs is described.
const SHAPE_HELP: &str = "see the shipped packs for the shape of a pack";

/// A mapping between two generations of metrics, valid in itself.
#[derive(Clone, Debug)]
pub struct Pack {
    name: String,
    description: Option<String>,
    rules: Vec<PackRule>,
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
    fn from_file(hint: file::HintFile, check: &mut Check<'_>) -> Option<Hint> {
        let selector = check.selector(&hint.when_missing)?;
        Some(Hint { when_missing: hint.when_missing.text, say: hint.say.text, selector })
    }

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
    pub fn parse(file_name: &str, text: &str) -> Result<Pack, Diagnostics> {
        match Pack::read(file_name, text) {
            (Some(pack), faults) if faults.is_empty() => Ok(pack),
            (_, faults) => Err(Diagnostics(faults)),
        }
    }

    /// As [`parse`](Self::parse), but with faults there may be a pack all the same: what is right of it.
    #[must_use]
    pub fn read(file_name: &str, text: &str) -> (Option<Pack>, Vec<Diagnostic>) {
        let source = Source::new(file_name, text);
        let document = match parse_one(&source, Limits::WRITTEN) {
            Ok(document) => document,
            Err(error) => return (None, vec![error]),
        };
        let mut check = Check { reader: Reader::new(&source, SHAPE_HELP) };
        let file = file::read(document, &mut check.reader);
        let name = file.name.map(|name| check.pack_name(name)).unwrap_or_default();
        let rules = file.prometheus.into_iter();
        let rules = rules.filter_map(|rule| PackRule::from_file(rule, &mut check)).collect();
        let repeats = check.families_once(file.repeats, "repeats");
        let hints =
            file.hints.into_iter().filter_map(|hint| Hint::from_file(hint, &mut check)).collect();
        let common = (file.prefix, file.between, file.tags, file.either);
        let lines = Lines::from_file(&file.statsd, common, &mut check);
        let tests = file.tests.into_iter();
        let cases = tests.filter_map(|case| Case::from_file(case, &mut check)).collect();
        let description = file.description.map(|description| description.text);
        let Diagnostics(errors) = check.reader.finish();
        let source = Arc::new(source);
        let pack = Pack { name, description, rules, repeats, hints, lines, cases, source };
        (Some(pack), errors)
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

    pub(super) fn rules(&self) -> &[PackRule] {
        &self.rules
    }

    /// What the pack says of `StatsD` lines.
    pub(super) fn lines(&self) -> &Lines {
        &self.lines
    }

    pub(super) fn source(&self) -> &Source {
        &self.source
    }
}
