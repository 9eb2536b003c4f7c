//! Packs, parsed and checked.
//!
//! A [`Pack`] is checked for every error that can be seen in one rule. Errors that involve several
//! rules (overlaps, families that no rule names) are found by [`compile`](super::compile()),
//! because packs extend each other.

mod check;
mod editions;
pub(super) mod exposition;
mod for_people;
mod grammar;
mod keys;
mod names;
pub(super) mod statsd;
mod test_case;
mod test_file;

use std::borrow::Cow;
use std::sync::Arc;

use crate::document::{Diagnostic, Diagnostics, Limits, Scalar, Source, Span, parse_one};
use crate::mapping::edition::EditionName;
use crate::mapping::editions::Editions;
use crate::mapping::generation::Generation;
use crate::mapping::pack::exposition::selector::{Selector, Term};
use check::Check;
use for_people::ForPeople;
use keys::PerGeneration;

pub(super) use exposition::reduction::{Reduce, ReducedLabels, Reduction};
pub(super) use exposition::rule::{OnlyWith, PackRule};
pub(super) use statsd::rule::{Lines, PackLineRule, parse_prefix};
pub use test_case::{Expected, Fixture, PackTest, TestInput, TestScrape};
pub use test_file::TestFile;

/// A mapping between two generations of metrics, valid in itself.
#[derive(Clone, Debug)]
pub struct Pack {
    name: String,
    description: Option<String>,
    follows: Option<Scalar>,
    for_people: ForPeople,
    editions: Editions,
    edition_spans: Vec<(EditionName, Span)>,
    rules: Vec<PackRule>,
    /// The rules whose families are given by patterns.
    patterns: Vec<PackRule>,
    reductions: Vec<Reduction>,
    repeats: Vec<String>,
    single_valued: Vec<String>,
    only_in: Vec<OnlyIn>,
    hints: Vec<Hint>,
    series_hints: Vec<SeriesHint>,
    lines: Lines,
    tests: Vec<PackTest>,
    source: Arc<Source>,
}

/// An explanation for the operator if a family, or some of its samples, are missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    /// The family, of either generation, or a selector of some of its samples.
    pub when_missing: String,
    /// Why it can be missing, and what to do.
    pub say: String,
    /// The option of the target that enables the samples.
    pub option: Option<String>,
    /// A healthy target can lack the samples, so they are not reported as a problem.
    pub optional: bool,
    selector: Selector,
}

impl Hint {
    fn from_keys(hint: keys::HintKeys, check: &mut Check<'_>) -> Option<Hint> {
        let selector = check.selector_of_hint(&hint.when_missing)?;
        let known = [("true", true), ("false", false)];
        let optional = hint.optional.map(|it| check.reader.one_of(&it, "value", &known));
        Some(Hint {
            when_missing: hint.when_missing.text,
            say: hint.say.text,
            option: hint.option.map(|option| option.text),
            optional: optional.flatten().unwrap_or(false),
            selector,
        })
    }

    /// Whether it is about a family of this name.
    #[must_use]
    pub fn is_about(&self, family: &str) -> bool {
        match self.selector.names() {
            Some(names) => names.rest_of(family.as_bytes()).is_some(),
            None => self.selector.family == family,
        }
    }

    /// The samples that it is about.
    pub(super) fn selector(&self) -> &Selector {
        &self.selector
    }
}

/// An explanation for the operator if only a part of a family's series is missing.
#[derive(Clone, Debug)]
pub struct SeriesHint {
    /// The family, of either generation.
    pub when_missing: String,
    /// Why the series can be missing, and what to do.
    pub say: String,
    only_with: OnlyWith,
}

impl SeriesHint {
    /// The hint is about series whose labels [`labels`](Self::labels) occur in this family of the
    /// other node.
    #[must_use]
    pub fn family(&self) -> &str {
        &self.only_with.family
    }

    /// See [`family`](Self::family).
    #[must_use]
    pub fn labels(&self) -> &[String] {
        &self.only_with.on
    }
}

/// The hints about families and samples, and those about a part of the series.
fn hints(keys: Vec<keys::HintKeys>, check: &mut Check<'_>) -> (Vec<Hint>, Vec<SeriesHint>) {
    let (mut hints, mut series_hints) = (Vec::new(), Vec::new());
    for key in keys {
        let Some(text) = &key.only_with else {
            hints.extend(Hint::from_keys(key, check));
            continue;
        };
        for (name, given) in [("option", &key.option), ("optional", &key.optional)] {
            if let Some(given) = given {
                let message = format!("a hint with `only_with` has no `{name}`");
                check.error(given.span, message, "the hint is not about a family: remove it");
            }
        }
        check.family(&key.when_missing.text, key.when_missing.span);
        if let Some(only_with) = check.only_with(text) {
            let (when_missing, say) = (key.when_missing.text, key.say.text);
            series_hints.push(SeriesHint { when_missing, say, only_with });
        }
    }
    (hints, series_hints)
}

/// A selector under `only_in`. Each label has a text, which can be empty.
#[derive(Clone, Debug)]
pub(super) struct OnlyIn {
    /// The generation whose targets count the samples.
    pub(super) generation: Generation,
    pub(super) selector: Selector,
    pub(super) span: Span,
}

/// The selectors under `only_in`.
fn only_in(keys: Option<PerGeneration<Vec<Scalar>>>, check: &mut Check<'_>) -> Vec<OnlyIn> {
    let Some(PerGeneration { old, new }) = keys else { return Vec::new() };
    let old = old.into_iter().map(|text| (Generation::Old, text));
    let new = new.into_iter().map(|text| (Generation::New, text));
    let mut read = |(generation, text): (Generation, Scalar)| {
        let selector = check.selector_of_one(&text)?;
        if selector.fixed().count() < selector.items.len() || selector.items.is_empty() {
            check.error(
                text.span,
                "a selector under `only_in` has labels with texts",
                "write `family{label=\"text\"}`; the text can be empty",
            );
            return None;
        }
        Some(OnlyIn { generation, selector, span: text.span })
    };
    old.chain(new).filter_map(&mut read).collect()
}

/// The labels under `single_valued`. Each is a label that only one side of some rule has.
fn single_valued(labels: Vec<Scalar>, rules: &[PackRule], check: &mut Check<'_>) -> Vec<String> {
    let sides = || rules.iter().flat_map(|rule| [&rule.old, &rule.new]);
    let is_bare = |label: &str| {
        let mut items = sides().flat_map(|side| &side.items);
        items.any(|item| item.label == label && item.term == Term::Bare)
    };
    for Scalar { text, span, .. } in labels.iter().filter(|label| !is_bare(&label.text)) {
        let message = format!("no rule has a label `{text}` that only one generation has");
        check.error(*span, message, "remove it, or correct the name of the label");
    }
    labels.into_iter().map(|label| label.text).collect()
}

/// Packs are equal if their texts are equal; the file name does not matter.
impl PartialEq for Pack {
    fn eq(&self, other: &Pack) -> bool {
        self.source.text() == other.source.text()
    }
}

impl Eq for Pack {}

impl Pack {
    /// Parses a pack from YAML. Diagnostics name the file `file_name`.
    ///
    /// ```
    /// use crossfade::mapping::Pack;
    ///
    /// let pack = Pack::parse("demo.yaml", "
    /// name: demo
    /// prometheus:
    ///   - { old: 'demo_status{service=$s}', new: 'demo_requests_total{app=$s}' }
    /// ")?;
    /// assert_eq!(pack.name(), "demo");
    ///
    /// let errors = Pack::parse("demo.yaml", "name: demo\nrules: []").unwrap_err();
    /// assert!(errors.to_string().contains("demo.yaml:2"));
    /// # Ok::<(), crossfade::document::Diagnostics>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Every error that can be found without other packs. If the text is not YAML, only the first
    /// syntax error.
    pub fn parse(file_name: &str, text: &str) -> Result<Pack, Diagnostics> {
        match Pack::read(file_name, text) {
            (Some(pack), errors) if errors.is_empty() => Ok(pack),
            (_, errors) => Err(Diagnostics(errors)),
        }
    }

    /// Like [`parse`](Self::parse), but also returns the valid parts of a pack that has errors.
    #[must_use]
    pub fn read(file_name: &str, text: &str) -> (Option<Pack>, Vec<Diagnostic>) {
        let source = Source::new(file_name, text);
        let document = match parse_one(&source, Limits::WRITTEN) {
            Ok(document) => document,
            Err(error) => return (None, vec![error]),
        };
        let mut check = Check::new(&source);
        let file = keys::read(document, &mut check.reader);
        check.at_most(file.prometheus.len(), "prometheus");
        check.at_most(file.statsd.len(), "statsd");
        let name = file.name.map(|name| check.pack_name(name)).unwrap_or_default();
        let edition_spans = check.editions(file.editions);
        let for_people = ForPeople::from_keys(file.generations, file.options, &mut check);
        let rules = file.prometheus.into_iter();
        let rules: Vec<PackRule> =
            rules.filter_map(|rule| PackRule::from_keys(rule, &mut check)).collect();
        check.needless(&rules);
        let repeats = check.distinct_families(file.repeats, "repeats");
        let single_valued = single_valued(file.single_valued, &rules, &mut check);
        let (patterns, rules) = rules.into_iter().partition(PackRule::has_patterns);
        let only_in = only_in(file.only_in, &mut check);
        let reductions = check.reductions(file.reduce);
        let (hints, series_hints) = hints(file.hints, &mut check);
        let common = (file.prefix, file.between, file.tags, file.either);
        let lines = Lines::from_keys(&file.statsd, common, &mut check);
        let follows = check.follows(file.follows, &file.statsd);
        let tests = file.tests.into_iter();
        let tests = tests.filter_map(|test| PackTest::from_keys(test, &mut check)).collect();
        let description = file.description.map(|description| description.text);
        let Check { reader, editions } = check;
        let Diagnostics(errors) = reader.finish();
        let source = Arc::new(source);
        let pack = Pack {
            name,
            description,
            follows,
            for_people,
            editions,
            edition_spans,
            rules,
            patterns,
            reductions,
            repeats,
            single_valued,
            only_in,
            hints,
            series_hints,
            lines,
            tests,
            source,
        };
        (Some(pack), errors)
    }

    /// The pack's name. A pack replaces an earlier pack of the same name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the pack is for.
    #[must_use]
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// What operators call a generation, such as `shop 2.x`. Without a name in the pack: the name
    /// of the pack and the keyword of the generation.
    #[must_use]
    pub fn generation_name(&self, generation: Generation) -> Cow<'_, str> {
        match self.for_people.generation_name(generation) {
            Some(name) => Cow::Borrowed(name),
            None => Cow::Owned(format!("{} {}", self.name, generation.as_str())),
        }
    }

    /// Options of hints as YAML: in the place where the source has them, if the pack tells it.
    #[must_use]
    pub fn options_yaml(&self, options: &[&str]) -> String {
        self.for_people.options_yaml(options)
    }

    /// The pack whose new generation is the old one of this pack.
    #[must_use]
    pub fn follows(&self) -> Option<&str> {
        self.follows.as_ref().map(|name| name.text.as_str())
    }

    /// An error at `follows`, or in the file if there is no such key.
    pub(super) fn follows_error(&self, message: impl Into<String>, remedy: &str) -> Diagnostic {
        let span = self.follows.as_ref().map(|name| name.span);
        match span {
            Some(span) => self.source.error(span, message.into(), remedy),
            None => Diagnostic::error(message).at(self.source.whole()).with_help(remedy),
        }
    }

    /// A warning at `follows`.
    pub(super) fn follows_warning(&self, message: String, help: &str) -> Option<Diagnostic> {
        let span = self.follows.as_ref()?.span;
        Some(self.source.warning(span, message, help))
    }

    /// The editions that it declares.
    #[must_use]
    pub fn editions(&self) -> &Editions {
        &self.editions
    }

    /// Explanations for families that are missing.
    #[must_use]
    pub fn hints(&self) -> &[Hint] {
        &self.hints
    }

    /// Explanations for families of which a part is missing.
    #[must_use]
    pub fn series_hints(&self) -> &[SeriesHint] {
        &self.series_hints
    }

    /// The pack's own test cases.
    #[must_use]
    pub fn tests(&self) -> &[PackTest] {
        &self.tests
    }

    /// The number of its rules: also those with patterns, for lines, and under `reduce`.
    #[must_use]
    pub fn rule_count(&self) -> usize {
        self.rules.len() + self.patterns.len() + self.lines.rules.len() + self.reductions.len()
    }

    /// The name of the pack's file in diagnostics.
    #[must_use]
    pub fn file_name(&self) -> &str {
        self.source.file()
    }

    /// Where it declares an edition.
    pub(super) fn edition_span(&self, name: EditionName) -> Span {
        let found = self.edition_spans.iter().find(|(its, _)| *its == name);
        found.expect("only editions that it declares are asked for").1
    }

    /// Samples that only targets of this generation count.
    pub(super) fn only_in(&self, generation: Generation) -> impl Iterator<Item = &Selector> {
        let of_generation = move |it: &&OnlyIn| it.generation == generation;
        self.only_in.iter().filter(of_generation).map(|it| &it.selector)
    }

    /// All selectors under `only_in`.
    pub(super) fn all_only_in(&self) -> &[OnlyIn] {
        &self.only_in
    }

    /// Families that the target exposes more than once.
    pub(super) fn repeats(&self) -> &[String] {
        &self.repeats
    }

    /// Labels that have one value in all samples of one exposition.
    pub(super) fn single_valued(&self) -> &[String] {
        &self.single_valued
    }

    /// The rules for families that are named.
    pub(super) fn rules(&self) -> &[PackRule] {
        &self.rules
    }

    /// The rules whose families are given by patterns.
    pub(super) fn patterns(&self) -> &[PackRule] {
        &self.patterns
    }

    /// What is left out of the output, or aggregated in it.
    pub(super) fn reductions(&self) -> &[Reduction] {
        &self.reductions
    }

    /// The rules for `StatsD` lines.
    pub(super) fn lines(&self) -> &Lines {
        &self.lines
    }

    pub(super) fn source(&self) -> &Source {
        &self.source
    }
}
