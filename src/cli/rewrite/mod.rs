//! `crossfade rewrite`: rewrites one input to stdout, without a gateway.

mod exposition;
mod filter;
mod statsd;

use std::io::{self, Read, Write as _};

use anyhow::{Context as _, bail};
use clap::{Arg, Args};

use super::flags::{EmitFlag, Lines, Rewriting, choice};
use super::http::HttpConfig;
use super::input;
use crate::exposition::Format;
use crate::packs;
#[cfg(feature = "tools")]
pub(super) use exposition::write_reason;
use filter::{Ended, Engine};

#[derive(Debug, Args)]
#[command(
    mut_args(require_statsd),
    after_long_help = "\
Examples:
  curl -s http://kong:8100/metrics | crossfade rewrite --emit=old
  crossfade rewrite --emit=new --report http://kong:8100/metrics
  crossfade rewrite --emit=old --statsd lines.txt"
)]
pub(super) struct Arguments {
    /// The input: a file, a URL, or - for stdin. Gzip is unpacked.
    #[arg(value_name = "FILE|URL", default_value = "-")]
    input: String,

    #[command(flatten)]
    emit: EmitFlag,

    #[arg(
        long,
        conflicts_with_all = ["buckets", "fill", "format", "malformed", "not_counted", "strict"],
        help = "The input is StatsD lines of one sender, not Prometheus metrics"
    )]
    statsd: bool,

    #[command(flatten)]
    lines: Lines,

    #[command(flatten)]
    rewriting: Rewriting,

    #[command(flatten)]
    http: HttpConfig,

    /// The format of the input [default: from its last line; of a pipe: text].
    #[arg(long, value_name = "FORMAT", value_parser = choice::<Format>())]
    format: Option<Format>,

    /// Write what the strictest readers accept.
    ///
    /// Every family is in one place, every histogram sorted and complete. Nothing is written before the end
    /// of the input.
    #[arg(long)]
    strict: bool,

    /// Print a summary of the rewriting to stderr.
    #[arg(long)]
    report: bool,
}

/// Makes the `StatsD` flags, which `serve` has too, require `--statsd`.
fn require_statsd(flag: Arg) -> Arg {
    let is_of_statsd = flag.get_long().is_some_and(|long| long.starts_with("statsd."));
    if is_of_statsd { flag.requires("statsd") } else { flag }
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let Arguments { emit: EmitFlag { emit }, rewriting, .. } = arguments;
    let packs = packs::load(&rewriting.packs)?;
    if arguments.statsd {
        let engine = statsd::StatsdEngine::new(&packs, &arguments.lines.settings(*emit))?;
        let input = input::open(&arguments.input, &arguments.http)?;
        run_engine(arguments, engine, input, "StatsD lines")
    } else {
        let plan = exposition::plan(&packs, rewriting, *emit)?;
        let (input, format) = match arguments.format {
            Some(format) => (input::open(&arguments.input, &arguments.http)?, format),
            None => input::open_with_format(&arguments.input, &arguments.http)?,
        };
        let options = crate::rewrite::exposition::Options {
            strict: arguments.strict,
            format,
            ..rewriting.options()
        };
        let engine = exposition::ExpositionEngine::new(plan, options);
        run_engine(arguments, engine, input, "the metrics of Kong in the Prometheus text format")
    }
}

fn run_engine(
    arguments: &Arguments,
    mut engine: impl Engine,
    mut input: impl Read,
    expected: &str,
) -> anyhow::Result<()> {
    let name = input::name(&arguments.input);
    match filter::filter(&mut engine, (&name, &mut input), &mut io::stdout().lock())? {
        Ended::OutputClosed => return Ok(()),
        Ended::EmptyInput => bail!("{name} is empty; expected {expected}"),
        Ended::Complete => {}
    }
    if arguments.report {
        let summary = engine.summary();
        io::stderr().write_all(summary.as_bytes()).context("cannot write the summary")?;
    }
    engine.check().with_context(|| name.into_owned())
}
