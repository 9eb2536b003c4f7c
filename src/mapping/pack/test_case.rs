//! Test cases of packs: an input, the settings to rewrite it with, and the expected output.
//!
//! A fixture may be a file, so running the tests is left to code that may read files.

use super::check::Check;
use super::keys::{FixtureKeys, ScrapeKeys, TestKeys};
use crate::document::{Location, Scalar};
use crate::mapping::generation::{BucketPolicy, Emit};
use crate::mapping::settings::{Settings, StatsdSettings};
use crate::statsd::Dialect;

/// A test case.
#[derive(Clone, Debug)]
pub struct PackTest {
    /// The behavior that it tests.
    pub name: String,
    /// The location of its name in the file.
    pub location: Location,
    /// The location of `emit`.
    pub(in crate::mapping) emit: Location,
    /// The input, and the expected output.
    pub input: TestInput,
}

impl PackTest {
    /// What the packs emit in this test.
    pub(in crate::mapping) fn emitted(&self) -> Emit {
        match &self.input {
            TestInput::Scrapes(settings, _) => settings.emit,
            TestInput::Lines { settings, .. } => settings.emit,
        }
    }
}

/// What a test rewrites.
#[derive(Clone, Debug)]
pub enum TestInput {
    /// Scrapes of one target, in order.
    Scrapes(Settings, Vec<TestScrape>),
    /// `StatsD` lines of one sender.
    Lines {
        /// The settings to compile the packs with.
        settings: StatsdSettings,
        /// The lines.
        lines: Fixture,
        /// The expected lines, in order.
        output: Fixture,
    },
}

/// One scrape.
#[derive(Clone, Debug)]
pub struct TestScrape {
    /// The exposition to rewrite.
    pub exposition: Fixture,
    /// The expectations; never empty.
    pub expected: Vec<Expected>,
}

/// An expectation of a rewritten exposition.
#[derive(Clone, Debug)]
pub enum Expected {
    /// The whole output, with families, samples and labels in any order.
    Output(Fixture),
    /// All samples of the names that occur in this text.
    Series(String),
    /// No sample of this family.
    Absent(String),
}

/// A text, inline or in a file.
#[derive(Clone, Debug)]
pub enum Fixture {
    /// The text.
    Text(String),
    /// The path of a file, relative to the file with the test, and the location of the path.
    File(String, Location),
}

impl PackTest {
    /// Checks a test case. Returns `None` if it cannot be run; the reasons are reported.
    pub(in crate::mapping) fn from_keys(keys: TestKeys, check: &mut Check<'_>) -> Option<PackTest> {
        let name = keys.name.text.clone();
        let location = check.reader.source().location(keys.name.span);
        let emit = keys.emit.as_ref().and_then(|word| check.emit(word));
        let emit_at = keys.emit.as_ref().map_or(keys.name.span, |word| word.span);
        let emit_at = check.reader.source().location(emit_at);
        let input = match keys.lines {
            Some(_) => check.test_of_lines(keys, emit)?,
            None => check.test_of_scrapes(keys, emit)?,
        };
        Some(PackTest { name, location, emit: emit_at, input })
    }
}

impl Check<'_> {
    fn test_of_lines(&mut self, keys: TestKeys, emit: Option<Emit>) -> Option<TestInput> {
        let lines = keys.lines?;
        self.only_for_scrapes(&keys.scrape, keys.scrapes.is_some(), keys.buckets.as_ref());
        let tags = keys.tags.as_ref().and_then(|word| self.tag_dialect(word));
        let prefixes = keys.prefixes.into_iter().map(|prefix| prefix.text).collect();
        let Some(output) = keys.scrape.output else {
            self.error(keys.scrape.span, "no output is expected of the lines", "add `output: …`");
            return None;
        };
        Some(TestInput::Lines {
            settings: StatsdSettings { emit: emit?, prefixes, tags },
            lines: self.fixture(lines),
            output: self.fixture(output),
        })
    }

    fn test_of_scrapes(&mut self, keys: TestKeys, emit: Option<Emit>) -> Option<TestInput> {
        for (key, text) in keys
            .tags
            .iter()
            .map(|it| ("tags", it))
            .chain(keys.prefixes.iter().map(|it| ("prefixes", it)))
        {
            let message = format!("`{key}` is for `lines`, and this test has scrapes");
            self.error(text.span, message, format!("remove `{key}`"));
        }
        let buckets = keys.buckets.as_ref().and_then(|word| self.bucket_policy(word));
        let scrapes = match keys.scrapes {
            Some(scrapes) => {
                if keys.scrape.exposition.is_some() {
                    let message = "`scrape` and `scrapes` exclude each other";
                    self.error(keys.scrape.span, message, "keep one of them");
                }
                if scrapes.is_empty() {
                    self.error(keys.scrape.span, "no scrape under `scrapes`", "add one");
                }
                scrapes
            }
            None => vec![keys.scrape],
        };
        // All scrapes are checked before the first invalid one ends the test.
        let scrapes: Vec<_> = scrapes.into_iter().map(|scrape| self.scrape(scrape)).collect();
        let fill = keys.fill.into_iter().map(|(label, value)| (label.text, value.text));
        let settings = Settings {
            fill: fill.collect(),
            buckets: buckets.unwrap_or_default(),
            ..Settings::new(emit?)
        };
        Some(TestInput::Scrapes(settings, scrapes.into_iter().collect::<Option<_>>()?))
    }

    fn emit(&mut self, word: &Scalar) -> Option<Emit> {
        if word.text.starts_with(|first: char| first.is_ascii_digit()) {
            return self.reader.value(word, str::parse).map(|it| it.value);
        }
        let emits = [("old", Emit::Old), ("new", Emit::New), ("both", Emit::Both)];
        self.one_of(word, "a generation", &emits)
    }

    fn bucket_policy(&mut self, word: &Scalar) -> Option<BucketPolicy> {
        let words = [
            ("target", BucketPolicy::Target),
            ("common", BucketPolicy::Common),
            ("native", BucketPolicy::Native),
        ];
        self.one_of(word, "a policy for buckets", &words)
    }

    fn tag_dialect(&mut self, word: &Scalar) -> Option<Dialect> {
        let words = [
            ("dogstatsd", Dialect::DogStatsd),
            ("influxdb", Dialect::Influx),
            ("librato", Dialect::Librato),
            ("signalfx", Dialect::SignalFx),
        ];
        self.one_of(word, "a style of tags", &words)
    }

    fn fixture(&mut self, keys: FixtureKeys) -> Fixture {
        match keys {
            FixtureKeys::Inline(text) => Fixture::Text(text.text),
            FixtureKeys::File(path) => {
                let location = self.reader.source().location(path.span);
                Fixture::File(path.text, location)
            }
        }
    }

    fn scrape(&mut self, keys: ScrapeKeys) -> Option<TestScrape> {
        let mut expected = Vec::new();
        expected.extend(keys.output.map(|output| Expected::Output(self.fixture(output))));
        expected.extend(keys.series.map(|series| Expected::Series(series.text)));
        for family in keys.absent {
            self.family(&family.text, family.span);
            expected.push(Expected::Absent(family.text));
        }
        if expected.is_empty() {
            let help = "add `output: …`, `series: …` or `absent: […]`";
            self.error(keys.span, "nothing is expected of the scrape", help);
        }
        if keys.exposition.is_none() {
            let help = "add `scrape: …`, `scrapes: […]` or `lines: …`";
            self.error(keys.span, "the test has no input", help);
        }
        let exposition = self.fixture(keys.exposition?);
        (!expected.is_empty()).then_some(TestScrape { exposition, expected })
    }

    /// Reports the keys that a test of lines cannot have.
    fn only_for_scrapes(&mut self, keys: &ScrapeKeys, scrapes: bool, buckets: Option<&Scalar>) {
        let found = [
            ("scrape", keys.exposition.is_some().then_some(keys.span)),
            ("scrapes", scrapes.then_some(keys.span)),
            ("series", keys.series.as_ref().map(|series| series.span)),
            ("absent", keys.absent.first().map(|absent| absent.span)),
            ("buckets", buckets.map(|buckets| buckets.span)),
        ];
        for (key, span) in found {
            let Some(span) = span else { continue };
            let message = format!("`{key}` is for scrapes, and this test has `lines`");
            self.error(span, message, format!("remove `{key}`"));
        }
    }
}
