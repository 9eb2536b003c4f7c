//! The commands. Flags have the names that Prometheus and its exporters use.
//!
//! Exit codes are those of `diff`: 0 for success or yes, 1 for no, 2 for an error, with the reason
//! on stderr. Only commands with an answer end with 1: `check`, `test`, `verify`, `audit`,
//! `status`, `health`.

#[cfg(feature = "tools")]
mod audit;
#[cfg(feature = "tools")]
mod backfill;
mod check;
mod completions;
#[cfg(feature = "tools")]
mod demo;
mod diagnostic;
mod environment;
mod exit_code;
#[cfg(feature = "tools")]
mod explain;
#[cfg(feature = "tools")]
mod file_result;
mod flags;
mod health;
mod http;
mod input;
#[cfg(feature = "tools")]
mod junit;
mod man;
mod packs;
#[cfg(feature = "tools")]
mod progress;
mod rewrite;
#[cfg(feature = "tools")]
mod rules;
mod serve;
mod signals;
#[cfg(feature = "tools")]
mod sources;
#[cfg(feature = "tools")]
mod status;
#[cfg(feature = "tools")]
mod test;
mod value_enums;
#[cfg(feature = "tools")]
mod verify;

use std::process::ExitCode;

use clap::error::ContextValue;
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::build_info;
use crate::shown_url::{has_secret, shown_value};
use crate::telemetry::write_to_stderr;

/// The last lines of `--help`.
#[cfg(not(feature = "tools"))]
const AFTER_HELP: &str = "\
Examples:
  crossfade serve --emit=old --target=http://kong:8100/metrics
  crossfade check config crossfade.yaml
  crossfade help serve

Exit codes:
  0  success
  1  the answer is no: errors found (check), or not healthy (health)
  2  an error: a wrong command line, settings or packs with errors, an input that is missing or
     empty, or a failure

This program was built without the tools: demo, explain, test, verify, audit, rules, backfill, status.";

/// The last lines of `--help`.
#[cfg(feature = "tools")]
const AFTER_HELP: &str = "\
Examples:
  crossfade demo
  crossfade serve --emit=old --target=http://kong:8100/metrics
  crossfade help serve

Exit codes:
  0  success
  1  the answer is no: errors found (check), failed test cases (test), differences (verify),
     queries that break (audit), something needs Crossfade (status), or not healthy (health)
  2  an error: a wrong command line, settings or packs with errors, an input that is missing or
     empty, nothing to do, an answer that is not known (status), or a failure";

/// A metrics gateway that keeps Kong dashboards continuous across the 2.x to 3.x upgrade.
#[derive(Debug, Parser)]
#[command(name = "crossfade", version, long_version = build_info::LONG_VERSION, arg_required_else_help = true, max_term_width = 100, after_long_help = AFTER_HELP)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway.
    Serve(serve::Arguments),
    /// Run the gateway with two simulated Kong nodes (2.8 and 3.9), and show its output.
    #[cfg(feature = "tools")]
    Demo(demo::Arguments),
    #[command(about = "Rewrite a file, a URL or stdin to stdout: one exposition, or StatsD lines")]
    Rewrite(rewrite::Arguments),
    /// Check settings files and packs, and report all errors.
    Check(check::Arguments),
    /// Explain how a line, a family or a scrape is rewritten, rule by rule.
    #[cfg(feature = "tools")]
    Explain(explain::Arguments),
    /// Run the test cases of packs.
    #[cfg(feature = "tools")]
    Test(test::Arguments),
    /// List the shipped packs, or print one of them.
    Packs(packs::Arguments),
    /// Compare the metrics of an old and a new Kong, family by family.
    #[cfg(feature = "tools")]
    Verify(verify::Arguments),
    /// Find queries in dashboards and rule files that break in the upgrade, and migrate them.
    #[cfg(feature = "tools")]
    Audit(audit::Arguments),
    /// Write the correspondence of packs as rules of Prometheus: recording rules or relabeling.
    #[cfg(feature = "tools")]
    Rules(rules::Arguments),
    /// Write the stored samples of one generation in the names of the other.
    #[cfg(feature = "tools")]
    Backfill(backfill::Arguments),
    /// Answer whether Crossfade can be removed, and list what still needs it.
    #[cfg(feature = "tools")]
    Status(status::Arguments),
    /// Check the health of a running gateway: exit code 0 if it is healthy, 1 if not.
    Health(health::Arguments),
    /// Print the script that completes the command line in a shell.
    Completions(completions::Arguments),
    /// Print the manual page of a command, or write all pages to a folder.
    Man(man::Arguments),
}

/// An error that quotes the command line, without the secrets of its URLs.
fn without_secrets(mut error: clap::Error) -> clap::Error {
    let quoted = error.context().filter_map(|(kind, value)| match value {
        ContextValue::String(text) if has_secret(text) => Some((kind, shown_value(text))),
        _ => None,
    });
    for (kind, shown) in quoted.collect::<Vec<_>>() {
        error.insert(kind, ContextValue::String(shown));
    }
    error
}

/// The arguments of the command line and the environment.
fn parse() -> Result<Arguments, clap::Error> {
    let mut command = environment::with_variables(Arguments::command());
    let matches = command.try_get_matches_from_mut(std::env::args_os());
    let parsed = matches.and_then(|matches| Arguments::from_arg_matches(&matches));
    parsed.map_err(|error| environment::naming_variable(error.format(&mut command), &command))
}

/// Parses the command line and runs the command.
#[must_use]
pub fn run() -> ExitCode {
    let arguments = parse().unwrap_or_else(|error| without_secrets(error).exit());
    let success = |()| ExitCode::SUCCESS;
    let done = match arguments.command {
        Command::Serve(arguments) => serve::run(arguments).map(success),
        #[cfg(feature = "tools")]
        Command::Demo(arguments) => demo::run(&arguments).map(success),
        Command::Rewrite(arguments) => rewrite::run(&arguments).map(success),
        Command::Check(arguments) => check::run(&arguments),
        #[cfg(feature = "tools")]
        Command::Explain(arguments) => explain::run(&arguments),
        #[cfg(feature = "tools")]
        Command::Test(arguments) => test::run(&arguments),
        Command::Packs(arguments) => packs::run(&arguments).map(success),
        #[cfg(feature = "tools")]
        Command::Verify(arguments) => verify::run(&arguments),
        #[cfg(feature = "tools")]
        Command::Audit(arguments) => audit::run(&arguments),
        #[cfg(feature = "tools")]
        Command::Rules(arguments) => rules::run(&arguments).map(success),
        #[cfg(feature = "tools")]
        Command::Backfill(arguments) => backfill::run(&arguments).map(success),
        #[cfg(feature = "tools")]
        Command::Status(arguments) => status::run(&arguments),
        Command::Health(arguments) => health::run(&arguments),
        Command::Completions(arguments) => {
            completions::run(&arguments, Arguments::command()).map(success)
        }
        Command::Man(arguments) => man::run(&arguments, Arguments::command()).map(success),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            write_to_stderr(&format!("crossfade: {error:#}\n"));
            exit_code::error()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words of a command, without its pipes and redirections, as a shell splits it.
    fn words(line: &str) -> Vec<String> {
        let (mut words, mut quote, mut is_word) = (vec![String::new()], None, false);
        for char in line.chars() {
            match (char, quote) {
                ('|' | '>' | '#', None) => break,
                (' ', None) if is_word => {
                    words.push(String::new());
                    is_word = false;
                }
                (' ', None) => {}
                ('\'' | '"', None) => quote = Some(char),
                (char, Some(its)) if char == its => quote = None,
                (char, _) => {
                    is_word = true;
                    words.last_mut().expect("there is one").push(char);
                }
            }
        }
        words.retain(|word| !word.is_empty());
        words
    }

    fn check(command: &clap::Command) {
        let text = command.get_after_long_help().map(ToString::to_string).unwrap_or_default();
        let lines = text.lines().skip_while(|line| *line != "Examples:").skip(1);
        let lines: Vec<&str> = lines.take_while(|line| line.starts_with("  ")).collect();
        assert!((2..=4).contains(&lines.len()), "{}: {lines:?}", command.get_name());
        for line in lines {
            assert!(line.len() <= 100, "{line}");
            let (_, example) = line.split_once("crossfade ").expect(line);
            let words = words(example);
            let arguments = ["crossfade".to_owned()].into_iter().chain(words);
            match Arguments::command().try_get_matches_from(arguments) {
                Err(error) if error.use_stderr() => panic!("{line}\n{error}"),
                _ => {}
            }
        }
        for command in command.get_subcommands() {
            check(command);
        }
    }

    #[test]
    fn every_command_has_examples_that_it_accepts() {
        check(&Arguments::command());
    }
}
