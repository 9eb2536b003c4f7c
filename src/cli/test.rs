//! `crossfade test`: runs the test cases of packs.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;

use super::diagnostic::{self, BOLD, GREEN, RED, counted};
use super::exit_code;
use super::file_result::{FileResult, failures};
use super::flags;
use super::junit;
use crate::document::Diagnostics;
use crate::packs::PackRef;
use crate::regular_file;
use crate::tools::pack_tests::{Outcome, Suite};

#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  crossfade test
  crossfade test kong ours.yaml
  crossfade test ours.yaml --junit=results.xml")]
pub(super) struct Arguments {
    /// Packs with test cases, names of shipped packs, or files with test cases only [default: all
    /// shipped packs].
    #[arg(value_name = "NAME|FILE", value_parser = flags::pack(), hide_possible_values = true)]
    packs: Vec<PackRef>,

    #[arg(
        long,
        value_name = "FILE",
        help = "Also write the results to this file, in the JUnit format"
    )]
    junit: Option<PathBuf>,
}

/// Runs all test cases. Succeeds if all pass. A file that cannot be read was not tested.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let suites: Vec<(String, Result<Suite, Diagnostics>)> = if arguments.packs.is_empty() {
        Suite::shipped().into_iter().map(|suite| (suite.file.clone(), Ok(suite))).collect()
    } else {
        let load = |pack: &PackRef| match pack {
            PackRef::Shipped(pack) => Ok(Suite::of(pack)),
            PackRef::File(path) => Suite::load(path),
        };
        arguments.packs.iter().map(|pack| (pack.file_name(), load(pack))).collect()
    };
    let mut all = Vec::new();
    let (mut passed, mut failed) = (0, 0);
    for (file, suite) in suites {
        anstream::println!("{BOLD}{file}{BOLD:#}");
        let outcomes = suite.map(|suite| {
            let print = |outcome: &Outcome| anstream::print!("{}", text(outcome));
            suite.run().inspect(print).collect::<Vec<_>>()
        });
        match &outcomes {
            Ok(outcomes) => {
                let ok = outcomes.iter().filter(|it| it.failures.is_empty()).count();
                passed += ok;
                failed += outcomes.len() - ok;
            }
            Err(Diagnostics(errors)) => {
                anstream::println!("\n{}", diagnostic::text(errors));
                failed += 1;
            }
        }
        all.push(FileResult { file, outcomes });
    }
    if let Some(path) = &arguments.junit {
        std::fs::write(path, junit::report(&all))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    let style = if failed == 0 { GREEN } else { RED };
    anstream::println!("{style}{} passed, {failed} failed{style:#}", counted(passed, "case"));
    if arguments
        .packs
        .iter()
        .filter_map(PackRef::path)
        .any(|file| regular_file::open(file).is_err())
    {
        return Ok(exit_code::error());
    }
    Ok(exit_code::answer(failed == 0))
}

/// One line, followed by the differences if the test case failed.
fn text(outcome: &Outcome) -> String {
    let name = &outcome.name;
    if outcome.failures.is_empty() {
        return format!("  {GREEN}ok{GREEN:#}    {name}\n");
    }
    let mut text = format!("  {RED}FAIL{RED:#}  {name} ({})\n", outcome.place);
    for line in failures(outcome).lines() {
        let style = match line.trim_start().chars().next() {
            Some('-') => RED,
            Some('+') => GREEN,
            _ => BOLD,
        };
        writeln!(text, "        {style}{line}{style:#}").expect("writing to a String cannot fail");
    }
    text
}
