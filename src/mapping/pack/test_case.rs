//! Test cases: what comes in, under which settings, and what is expected to leave.
//!
//! A pack carries its own; an operator's are in a file of their own that names packs. Running them is the business of
//! whoever can read files.

use super::{Check, Faults, Pack, Source, file, yaml};
use crate::mapping::fault::Place;
use crate::mapping::generation::{BucketPolicy, Emit};
use crate::mapping::pack::file::{CaseFile, GivenFile, StepFile, Text};
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
        packs: Vec<(String, Place)>,
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
    pub place: Place,
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
    File(String, Place),
}

impl Cases {
    /// Reads test cases: those of a pack, or a file with nothing else. `file_name` is what faults call the file.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the file.
    pub fn parse(file_name: &str, text: &str) -> Result<Cases, Faults> {
        let source = Source::new(file_name, text);
        let document = yaml::parse(&source)?;
        if file::has_key(&document, &["name", "prometheus", "statsd"]) {
            return Pack::parse(file_name, text).map(|pack| Cases::OfPack(Box::new(pack)));
        }
        let mut faults = Vec::new();
        let spot = document.spot;
        let file = file::read_cases(document, &source, &mut faults);
        if file.tests.is_empty() && faults.is_empty() {
            faults.push(source.fault(spot, "no test case", "list them under `tests`"));
        }
        let mut check = Check { source: &source, faults: &mut faults };
        let packs = file.packs.into_iter().map(|Text { spot, text }| (text, source.place(spot)));
        let packs = packs.collect();
        let tests = file.tests.into_iter();
        let cases = tests.filter_map(|case| Case::from_file(case, &mut check)).collect();
        if faults.is_empty() {
            Ok(Cases::OfPacks { packs, cases })
        } else {
            Err(Faults(super::in_order(faults)))
        }
    }
}

impl Case {
    pub(in crate::mapping) fn from_file(file: CaseFile, check: &mut Check<'_>) -> Option<Case> {
        let place = check.source.place(file.name.spot);
        let emits = [("old", Emit::Old), ("new", Emit::New), ("both", Emit::Both)];
        let emit = file.emit.as_ref().and_then(|word| check.one_of(word, "a generation", &emits));
        let trial = match (file.lines, file.scrapes) {
            (Some(lines), scrapes) => {
                check.not_of_lines(&file.step, scrapes.is_some(), file.buckets.as_ref());
                let tags = file.tags.as_ref().and_then(|word| check.tag_style(word));
                let prefixes = file.prefixes.into_iter().map(|prefix| prefix.text).collect();
                let output = file.step.output.or_else(|| {
                    let spot = file.step.spot;
                    check.fault(spot, "nothing is expected of the lines", "add `output: …`");
                    None
                })?;
                let settings = StatsdSettings { emit: emit?, prefixes, tags };
                Trial::Lines(settings, check.given(lines), check.given(output))
            }
            (None, scrapes) => {
                for text in file.tags.iter().chain(&file.prefixes) {
                    check.fault(text.spot, "this is for `lines`", "leave it out");
                }
                let buckets = file.buckets.as_ref().map(|word| check.policy(word));
                let steps = match scrapes {
                    Some(scrapes) => {
                        if file.step.scrape.is_some() {
                            check.fault(
                                file.step.spot,
                                "`scrape` and `scrapes`",
                                "keep one of them",
                            );
                        }
                        if scrapes.is_empty() {
                            check.fault(file.step.spot, "no scrape under `scrapes`", "add one");
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
    fn policy(&mut self, word: &Text) -> Option<BucketPolicy> {
        let words = [
            ("target", BucketPolicy::Target),
            ("common", BucketPolicy::Common),
            ("native", BucketPolicy::Native),
        ];
        self.one_of(word, "a policy for buckets", &words)
    }

    fn tag_style(&mut self, word: &Text) -> Option<Dialect> {
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
                let place = self.source.place(text.spot);
                Given::File(text.text, place)
            }
        }
    }

    fn step(&mut self, step: StepFile) -> Option<Step> {
        let mut expected = Vec::new();
        expected.extend(step.output.map(|output| Expected::Output(self.given(output))));
        expected.extend(step.series.map(|series| Expected::Series(series.text)));
        for family in step.absent {
            self.family(&family.text, family.spot);
            expected.push(Expected::Absent(family.text));
        }
        if expected.is_empty() {
            self.fault(
                step.spot,
                "nothing is expected of the scrape",
                "add `output: …`, `series: …` or `absent: […]`",
            );
        }
        if step.scrape.is_none() {
            self.fault(
                step.spot,
                "nothing comes in",
                "add `scrape: …`, `scrapes: […]` or `lines: …`",
            );
        }
        let scrape = self.given(step.scrape?);
        (!expected.is_empty()).then_some(Step { scrape, expected })
    }

    /// Reports what a case of lines cannot have.
    fn not_of_lines(&mut self, step: &StepFile, scrapes: bool, buckets: Option<&Text>) {
        let mut fault = |spot, key: &str| {
            let message = format!("`{key}` is for scrapes, and these are `lines`");
            self.fault(spot, message, "leave it out");
        };
        if step.scrape.is_some() {
            fault(step.spot, "scrape");
        }
        if scrapes {
            fault(step.spot, "scrapes");
        }
        if let Some(series) = &step.series {
            fault(series.spot, "series");
        }
        if let Some(absent) = step.absent.first() {
            fault(absent.spot, "absent");
        }
        if let Some(buckets) = buckets {
            fault(buckets.spot, "buckets");
        }
    }
}
