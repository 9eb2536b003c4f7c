//! Test cases: what comes in, under which settings, and what is expected to leave.
//!
//! A pack carries its own; an operator's are in a file of their own that names packs. Running them is the business of
//! whoever can read files.

use super::check::Check;
use super::{Pack, SHAPE_HELP, file};
use crate::document::{Diagnostics, Limits, Location, Reader, Scalar, Source, parse_one};
use crate::mapping::generation::{BucketPolicy, Emit};
use crate::mapping::pack::file::{CaseFile, GivenFile, StepFile};
use crate::mapping::settings::{Settings, StatsdSettings};
use crate::statsd::Dialect;

/// Test cases of one file.
#[derive(Debug)]
pub enum Cases {
    /// The file is a pack, and these are its own.
    OfPack(Box<Pack>),
    /// The file has nothing but cases.
    OfPacks {
        /// The packs on disk that it names, beside the built-in ones.
        packs: Vec<(String, Location)>,
        /// The cases.
        cases: Vec<Case>,
    },
}

/// One test case.
#[derive(Clone, Debug)]
pub struct Case {
    /// What it shows.
    pub name: String,
    /// Where it stands.
    pub place: Location,
    /// What is tried.
    pub trial: Trial,
}

/// What a case tries.
#[derive(Clone, Debug)]
pub enum Trial {
    /// Scrapes of one target, one after the other.
    Scrapes(Settings, Vec<Step>),
    /// `StatsD` lines of one sender, and the lines that must leave, in order.
    Lines(StatsdSettings, Given, Given),
}

/// One scrape.
#[derive(Clone, Debug)]
pub struct Step {
    /// The exposition that comes.
    pub scrape: Given,
    /// What is expected of what leaves; never empty.
    pub expected: Vec<Expected>,
}

/// What is expected of an exposition that leaves.
#[derive(Clone, Debug)]
pub enum Expected {
    /// This, as a whole; families, samples and labels in any order.
    Output(Given),
    /// Of the names that occur here, these samples and no others.
    Series(String),
    /// No sample of this family.
    Absent(String),
}

/// A text, or the file that has it.
#[derive(Clone, Debug)]
pub enum Given {
    /// The text.
    Text(String),
    /// A file, relative to that of the case.
    File(String, Location),
}

impl Cases {
    /// Reads test cases: those of a pack, or a file with nothing else. `file_name` is what faults call the file.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the file.
    pub fn parse(file_name: &str, text: &str) -> Result<Cases, Diagnostics> {
        let source = Source::new(file_name, text);
        let document = parse_one(&source, Limits::WRITTEN)?;
        if file::has_key(&document, &["name", "prometheus", "statsd"]) {
            return Pack::parse(file_name, text).map(|pack| Cases::OfPack(Box::new(pack)));
        }
        let span = document.span();
        let mut check = Check { reader: Reader::new(&source, SHAPE_HELP) };
        let file = file::read_cases(document, &mut check.reader);
        if file.tests.is_empty() && check.reader.is_clean() {
            check.error(span, "no test case", "list them under `tests`");
        }
        let packs = file.packs.into_iter().map(|pack| (pack.text, source.location(pack.span)));
        let packs = packs.collect();
        let tests = file.tests.into_iter();
        let cases = tests.filter_map(|case| Case::from_file(case, &mut check)).collect();
        let errors = check.reader.finish();
        if errors.0.is_empty() { Ok(Cases::OfPacks { packs, cases }) } else { Err(errors) }
    }
}

impl Case {
    pub(in crate::mapping) fn from_file(file: CaseFile, check: &mut Check<'_>) -> Option<Case> {
        let place = check.reader.source().location(file.name.span);
        let emits = [("old", Emit::Old), ("new", Emit::New), ("both", Emit::Both)];
        let emit = file.emit.as_ref().and_then(|word| check.one_of(word, "a generation", &emits));
        let trial = match (file.lines, file.scrapes) {
            (Some(lines), scrapes) => {
                check.not_of_lines(&file.step, scrapes.is_some(), file.buckets.as_ref());
                let tags = file.tags.as_ref().and_then(|word| check.tag_style(word));
                let prefixes = file.prefixes.into_iter().map(|prefix| prefix.text).collect();
                let output = file.step.output.or_else(|| {
                    let span = file.step.span;
                    check.error(span, "nothing is expected of the lines", "add `output: …`");
                    None
                })?;
                let settings = StatsdSettings { emit: emit?, prefixes, tags };
                Trial::Lines(settings, check.given(lines), check.given(output))
            }
            (None, scrapes) => {
                for text in file.tags.iter().chain(&file.prefixes) {
                    check.error(text.span, "this is for `lines`", "leave it out");
                }
                let buckets = file.buckets.as_ref().map(|word| check.policy(word));
                let steps = match scrapes {
                    Some(scrapes) => {
                        if file.step.scrape.is_some() {
                            check.error(
                                file.step.span,
                                "`scrape` and `scrapes`",
                                "keep one of them",
                            );
                        }
                        if scrapes.is_empty() {
                            check.error(file.step.span, "no scrape under `scrapes`", "add one");
                        }
                        scrapes
                    }
                    None => vec![file.step],
                };
                let steps: Vec<_> = steps.into_iter().map(|step| check.step(step)).collect();
                let fill = file.fill.into_iter().map(|(label, value)| (label.text, value.text));
                let mut settings = Settings { fill: fill.collect(), ..Settings::new(emit?) };
                settings.buckets = buckets.flatten().unwrap_or_default();
                Trial::Scrapes(settings, steps.into_iter().collect::<Option<_>>()?)
            }
        };
        Some(Case { name: file.name.text, place, trial })
    }
}

impl Check<'_> {
    fn policy(&mut self, word: &Scalar) -> Option<BucketPolicy> {
        let words = [
            ("target", BucketPolicy::Target),
            ("common", BucketPolicy::Common),
            ("native", BucketPolicy::Native),
        ];
        self.one_of(word, "a policy for buckets", &words)
    }

    fn tag_style(&mut self, word: &Scalar) -> Option<Dialect> {
        let words = [
            ("dogstatsd", Dialect::DogStatsd),
            ("influxdb", Dialect::Influx),
            ("librato", Dialect::Librato),
            ("signalfx", Dialect::SignalFx),
        ];
        self.one_of(word, "a style of tags", &words)
    }

    fn given(&mut self, given: GivenFile) -> Given {
        match given {
            GivenFile::Here(text) => Given::Text(text.text),
            GivenFile::In(text) => {
                let place = self.reader.source().location(text.span);
                Given::File(text.text, place)
            }
        }
    }

    fn step(&mut self, step: StepFile) -> Option<Step> {
        let mut expected = Vec::new();
        expected.extend(step.output.map(|output| Expected::Output(self.given(output))));
        expected.extend(step.series.map(|series| Expected::Series(series.text)));
        for family in step.absent {
            self.family(&family.text, family.span);
            expected.push(Expected::Absent(family.text));
        }
        if expected.is_empty() {
            self.error(
                step.span,
                "nothing is expected of the scrape",
                "add `output: …`, `series: …` or `absent: […]`",
            );
        }
        if step.scrape.is_none() {
            self.error(
                step.span,
                "nothing comes in",
                "add `scrape: …`, `scrapes: […]` or `lines: …`",
            );
        }
        let scrape = self.given(step.scrape?);
        (!expected.is_empty()).then_some(Step { scrape, expected })
    }

    /// Reports what a case of lines cannot have.
    fn not_of_lines(&mut self, step: &StepFile, scrapes: bool, buckets: Option<&Scalar>) {
        let mut fault = |span, key: &str| {
            let message = format!("`{key}` is for scrapes, and these are `lines`");
            self.error(span, message, "leave it out");
        };
        if step.scrape.is_some() {
            fault(step.span, "scrape");
        }
        if scrapes {
            fault(step.span, "scrapes");
        }
        if let Some(series) = &step.series {
            fault(series.span, "series");
        }
        if let Some(absent) = step.absent.first() {
            fault(absent.span, "absent");
        }
        if let Some(buckets) = buckets {
            fault(buckets.span, "buckets");
        }
    }
}
