//! Runs the test cases of packs: those that a pack carries, and those in files of their own.
//!
//! A case goes through the very engine that the gateway runs, under settings as an operator gives them; what leaves is
//! compared with what is expected, in any order where the format has none.

mod difference;
mod exposition;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use difference::Difference;

use crate::document::{Diagnostic, Diagnostics, Location};
use crate::mapping::{self, Expected, Fixture, Pack, PackTest, TestFile, TestInput, TestScrape};
use crate::packs;
use crate::rewrite::exposition::{History, Options, Progress, Rewriter};
use crate::rewrite::statsd;
use exposition::Exposition;

/// The cases of one file, with the packs they are about.
#[derive(Debug)]
pub struct Suite {
    /// The file's name.
    pub file: String,
    /// Where the files are that cases name.
    folder: PathBuf,
    packs: Vec<Pack>,
    tests: Vec<PackTest>,
}

/// What came of a case.
#[derive(Debug)]
pub struct Outcome {
    /// What the case shows.
    pub name: String,
    /// Where it stands.
    pub place: Location,
    /// What is wrong; empty where nothing is.
    pub failures: Vec<Failure>,
    /// How long it took.
    pub took: Duration,
}

/// What was not as expected.
#[derive(Debug)]
pub enum Failure {
    /// Something else left. The number is that of the scrape, from 1, where there are several.
    Left(Option<usize>, Difference),
    /// It could not be tried.
    Untried(String),
}

impl Suite {
    /// Reads the cases of a file, and the packs that they need.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the file or with the packs.
    pub fn load(file: &Path) -> Result<Suite, Diagnostics> {
        let name = file.display().to_string();
        let fault = |message: String, remedy: &str| {
            Diagnostics::from(
                Diagnostic::error(message).at(Location::file(&name)).with_help(remedy),
            )
        };
        let text = std::fs::read_to_string(file).map_err(|error| {
            fault(
                format!("cannot be read: {error}"),
                "check the path and the permissions of the file",
            )
        })?;
        let folder = file.parent().map(Path::to_owned).unwrap_or_default();
        let suite = match TestFile::parse(&name, &text)? {
            TestFile::Pack(pack) => {
                let packs = packs::check(&[file])?;
                Suite { file: name, folder, packs, tests: pack.tests().to_vec() }
            }
            TestFile::Tests { packs, tests } => {
                let missing = packs.iter().filter(|(pack, _)| !folder.join(pack).is_file());
                let missing = missing.map(|(pack, place)| {
                    let message = format!("there is no file `{pack}` beside this one");
                    let remedy = "give its path from here; built-in packs need not be named";
                    Diagnostic::error(message).at(place.clone()).with_help(remedy)
                });
                let missing: Vec<Diagnostic> = missing.collect();
                if !missing.is_empty() {
                    return Err(Diagnostics(missing));
                }
                let paths: Vec<PathBuf> = packs.iter().map(|(pack, _)| folder.join(pack)).collect();
                Suite { file: name, folder, packs: packs::check(&paths)?, tests }
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

    /// The cases that the built-in packs carry.
    #[must_use]
    pub fn builtin() -> Vec<Suite> {
        let packs = packs::builtin();
        let of_pack = |pack: &Pack| Suite {
            file: pack.file_name().to_owned(),
            folder: PathBuf::new(),
            packs: packs.clone(),
            tests: pack.tests().to_vec(),
        };
        packs.iter().map(of_pack).collect()
    }

    /// Runs every case.
    pub fn run(&self) -> impl Iterator<Item = Outcome> + '_ {
        self.tests.iter().map(|test| {
            let begun = Instant::now();
            let failures = match self.test(test) {
                Ok(failures) => failures,
                Err(untried) => vec![Failure::Untried(untried)],
            };
            let place = test.location.clone();
            Outcome { name: test.name.clone(), place, failures, took: begun.elapsed() }
        })
    }

    fn test(&self, test: &PackTest) -> Result<Vec<Failure>, String> {
        match &test.input {
            TestInput::Lines { settings, lines, output } => {
                let plan = mapping::compile_statsd(&self.packs, settings);
                let plan = plan.map_err(|faults| faults.to_string())?;
                let (given, expected) = (self.text(lines)?, self.text(output)?);
                let mut rewriter = statsd::Rewriter::new(Arc::new(plan));
                let mut left = Vec::new();
                let mut sender = statsd::Sender::default();
                if rewriter.rewrite(&given, &mut sender, &mut left) == statsd::Outcome::Untouched {
                    left = given;
                }
                let difference = Difference::of_lines(&expected, &left);
                Ok(difference.into_iter().map(|it| Failure::Left(None, it)).collect())
            }
            TestInput::Scrapes(settings, steps) => {
                let plan = mapping::compile(&self.packs, settings);
                let plan = Arc::new(plan.map_err(|faults| faults.to_string())?);
                let mut history = History::default();
                let mut failures = Vec::new();
                for (index, step) in steps.iter().enumerate() {
                    let number = (steps.len() > 1).then_some(index + 1);
                    let scrape = self.text(&step.exposition)?;
                    let rewriter = Rewriter::new(Arc::clone(&plan), Options::default(), history);
                    let (left, next) = rewrite(rewriter, &scrape)?;
                    history = next;
                    let differences = self.differences(step, &left)?;
                    failures.extend(differences.into_iter().map(|it| Failure::Left(number, it)));
                }
                Ok(failures)
            }
        }
    }

    /// What is not as a step expects.
    fn differences(&self, step: &TestScrape, left: &[u8]) -> Result<Vec<Difference>, String> {
        let left = Exposition::read(left).map_err(|flaw| format!("what left is wrong: {flaw}"))?;
        let mut differences = Vec::new();
        for expected in &step.expected {
            differences.extend(match expected {
                Expected::Output(given) => {
                    let text = self.text(given)?;
                    let expected = Exposition::read(&text);
                    let expected = expected.map_err(|flaw| format!("`output` is wrong: {flaw}"))?;
                    left.difference(&expected)
                }
                Expected::Series(text) => {
                    let expected = Exposition::read(text.as_bytes());
                    let expected = expected.map_err(|flaw| format!("`series` is wrong: {flaw}"))?;
                    left.of_names(&expected).difference(&expected)
                }
                Expected::Absent(family) => {
                    left.of_family(family).difference(&Exposition::default())
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

fn rewrite(mut rewriter: Rewriter, scrape: &[u8]) -> Result<(Vec<u8>, History), String> {
    let mut left = Vec::new();
    let done = rewriter.push(scrape, &mut left).and_then(|()| {
        while rewriter.finish(&mut left)? == Progress::More {}
        Ok(())
    });
    done.map_err(|error| format!("the scrape cannot be rewritten: {error}"))?;
    Ok((left, rewriter.into_history()))
}
