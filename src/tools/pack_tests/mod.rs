//! Runs the test cases of packs, which are in the pack or in separate files.
//!
//! A case uses the same engine and settings as the gateway. The output is compared with the
//! expected output: without regard to order for expositions, in order for lines.

mod difference;
mod exposition;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use difference::Difference;

use crate::document::{Diagnostic, Diagnostics, Location};
use crate::exposition::Format;
use crate::mapping::{self, Expected, Fixture, Pack, PackTest, TestFile, TestInput, TestScrape};
use crate::packs::{self, PackRef, SHIPPED, ShippedPack};
use crate::regular_file;
use crate::rewrite::exposition::{History, Options, Progress, Rewriter};
use crate::rewrite::statsd;
use exposition::Exposition;

/// The cases of one file, with the packs that they test.
#[derive(Debug)]
pub struct Suite {
    /// The name of the file.
    pub file: String,
    /// The folder that file names in cases are relative to.
    folder: PathBuf,
    packs: Vec<Pack>,
    tests: Vec<PackTest>,
}

/// The result of a case.
#[derive(Debug)]
pub struct Outcome {
    /// The name of the case.
    pub name: String,
    /// The position of the case in its file.
    pub place: Location,
    /// The failures; empty if the case passed.
    pub failures: Vec<Failure>,
    /// The duration of the case.
    pub took: Duration,
}

/// Why a case failed.
#[derive(Debug)]
pub enum Failure {
    /// The output differs. The number of the scrape, from 1, if there are several.
    Different(Option<usize>, Difference),
    /// The case cannot be run, for example because a file is missing.
    NotRun(String),
}

impl Suite {
    /// Reads the cases of a file, and the packs that they need.
    ///
    /// # Errors
    ///
    /// All errors in the file or the packs.
    pub fn load(file: &Path) -> Result<Suite, Diagnostics> {
        let name = file.display().to_string();
        let error_at_file = |message: String, remedy: &str| {
            Diagnostics::from(
                Diagnostic::error(message).at(Location::file(&name)).with_help(remedy),
            )
        };
        let text = regular_file::read_to_string(file).map_err(|error| {
            error_at_file(
                format!("cannot be read: {error}"),
                "check the path and the permissions of the file",
            )
        })?;
        let folder = file.parent().map(Path::to_owned).unwrap_or_default();
        let suite = match TestFile::parse(&name, &text)? {
            TestFile::Pack(pack) => {
                let packs = packs::check(&[PackRef::File(file.to_owned())])?;
                Suite { file: name, folder, packs, tests: pack.tests().to_vec() }
            }
            TestFile::Tests { packs, tests } => {
                let refs = refs(&packs, &folder)?;
                Suite { file: name, folder, packs: packs::check(&refs)?, tests }
            }
        };
        if suite.tests.is_empty() {
            let error = Diagnostic::error("the pack has no test case")
                .at(Location::file(&suite.file))
                .with_help("list them under `tests`");
            return Err(error.into());
        }
        Ok(suite)
    }

    /// The cases of the shipped packs.
    #[must_use]
    pub fn shipped() -> Vec<Suite> {
        SHIPPED.iter().map(Suite::of).collect()
    }

    /// The cases of a shipped pack, each with this pack alone.
    #[must_use]
    pub fn of(pack: &ShippedPack) -> Suite {
        let (file, pack) = (pack.file.to_owned(), pack.parse());
        let tests = pack.tests().to_vec();
        Suite { file, folder: PathBuf::new(), packs: vec![pack], tests }
    }

    /// Runs every case.
    ///
    /// ```
    /// use crossfade::tools::pack_tests::Suite;
    ///
    /// for suite in Suite::shipped() {
    ///     assert!(suite.run().all(|outcome| outcome.failures.is_empty()));
    /// }
    /// ```
    pub fn run(&self) -> impl Iterator<Item = Outcome> + '_ {
        self.tests.iter().map(|test| {
            let begun = Instant::now();
            let failures = match self.test(test) {
                Ok(failures) => failures,
                Err(reason) => vec![Failure::NotRun(reason)],
            };
            let place = test.location.clone();
            Outcome { name: test.name.clone(), place, failures, took: begun.elapsed() }
        })
    }

    fn test(&self, test: &PackTest) -> Result<Vec<Failure>, String> {
        match &test.input {
            TestInput::Lines { settings, lines, output } => {
                let plan = mapping::compile_statsd(&self.packs, settings);
                let plan = plan.map_err(|errors| errors.to_string())?;
                let (given, expected) = (self.text(lines)?, self.text(output)?);
                let mut rewriter = statsd::Rewriter::new(Arc::new(plan));
                let mut actual = Vec::new();
                let mut sender = statsd::Sender::default();
                if rewriter.rewrite(&given, &mut sender, &mut actual) == statsd::Outcome::Untouched
                {
                    actual = given;
                }
                let difference = Difference::of_lines(&expected, &actual);
                Ok(difference.into_iter().map(|it| Failure::Different(None, it)).collect())
            }
            TestInput::Scrapes(settings, steps) => {
                let plan = mapping::compile(&self.packs, settings);
                let plan = Arc::new(plan.map_err(|errors| errors.to_string())?);
                let mut history = History::default();
                let mut failures = Vec::new();
                for (index, step) in steps.iter().enumerate() {
                    let number = (steps.len() > 1).then_some(index + 1);
                    let scrape = self.text(&step.exposition)?;
                    let format = Format::of_body(&scrape);
                    let options = Options { format, ..Options::default() };
                    let rewriter = Rewriter::new(Arc::clone(&plan), options, history);
                    let (actual, next) = rewrite(rewriter, &scrape)?;
                    history = next;
                    let differences = self.differences(step, &actual)?;
                    failures
                        .extend(differences.into_iter().map(|it| Failure::Different(number, it)));
                }
                Ok(failures)
            }
        }
    }

    /// The differences from the expected output of a step.
    fn differences(&self, step: &TestScrape, actual: &[u8]) -> Result<Vec<Difference>, String> {
        let actual =
            Exposition::read(actual).map_err(|flaw| format!("the output is invalid: {flaw}"))?;
        let mut differences = Vec::new();
        for expected in &step.expected {
            differences.extend(match expected {
                Expected::Output(given) => {
                    let text = self.text(given)?;
                    let expected = Exposition::read(&text);
                    let expected =
                        expected.map_err(|flaw| format!("`output` is invalid: {flaw}"))?;
                    actual.difference(&expected)
                }
                Expected::Series(text) => {
                    let expected = Exposition::read(text.as_bytes());
                    let expected =
                        expected.map_err(|flaw| format!("`series` is invalid: {flaw}"))?;
                    actual.of_names(&expected).difference(&expected)
                }
                Expected::Absent(family) => {
                    actual.of_family(family).difference(&Exposition::default())
                }
            });
        }
        Ok(differences)
    }

    fn text(&self, given: &Fixture) -> Result<Vec<u8>, String> {
        match given {
            Fixture::Text(text) => Ok(text.as_bytes().to_vec()),
            Fixture::File(name, place) => std::fs::read(self.folder.join(name))
                .map_err(|error| format!("{place}: {name} cannot be read: {error}")),
        }
    }
}

/// The packs that a file with test cases lists. Paths are relative to the file's folder.
fn refs(listed: &[(String, Location)], folder: &Path) -> Result<Vec<PackRef>, Diagnostics> {
    let (mut refs, mut missing) = (Vec::new(), Vec::new());
    for (text, place) in listed {
        let mut pack = text.parse().unwrap_or_else(|_| PackRef::File(PathBuf::new()));
        pack.resolve(folder);
        if pack.path().is_none_or(Path::is_file) {
            refs.push(pack);
            continue;
        }
        let message = format!("there is no file `{text}` in the folder of this file");
        let remedy = "give its path relative to this file, or the name of a shipped pack; kong need \
                      not be listed";
        missing.push(Diagnostic::error(message).at(place.clone()).with_help(remedy));
    }
    if missing.is_empty() { Ok(refs) } else { Err(Diagnostics(missing)) }
}

fn rewrite(mut rewriter: Rewriter, scrape: &[u8]) -> Result<(Vec<u8>, History), String> {
    let mut actual = Vec::new();
    let done = rewriter.push(scrape, &mut actual).and_then(|()| {
        while rewriter.finish(&mut actual)? == Progress::More {}
        Ok(())
    });
    done.map_err(|error| format!("the scrape cannot be rewritten: {error}"))?;
    Ok((actual, rewriter.into_history()))
}
