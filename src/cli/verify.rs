//! `crossfade verify`: whether an old and a new Kong say the same.
//!
//! Exit codes: 0 when they agree, 1 when they do not, 2 when there is nothing to compare.

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use super::flags::Rewriting;
use crate::cli::http_get;
use crate::mapping::{self, Emit, Generation};
use crate::packs;
use crate::tools::verify::{self, Options, Outcome, Traffic};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// What the old Kong answered: a file, an http:// URL, or - for stdin.
    old: String,

    /// What the new Kong answered.
    new: String,

    /// How alike the traffic was: the same requests (series by series), or similar (totals by family).
    #[arg(long, value_enum, default_value_t = TrafficWord::Same)]
    traffic: TrafficWord,

    /// The generation to compare in; the other side is rewritten. The old one loses nothing.
    #[arg(long, value_enum, value_name = "GENERATION", default_value_t = GenerationWord::Old)]
    emit: GenerationWord,

    /// By how much two numbers may differ, as a part (0.01) or in percent (1%) [default: 0, or 20% for similar traffic].
    #[arg(long, value_name = "PART", value_parser = part)]
    tolerance: Option<f64>,

    /// Judge the values of gauges too. They say what is at one moment.
    #[arg(long)]
    gauges: bool,

    /// What the new side has beyond the old one is a fault too.
    #[arg(long)]
    strict: bool,

    /// Show a family, and do not judge it. May be repeated.
    #[arg(long, value_name = "FAMILY")]
    ignore: Vec<String>,

    #[command(flatten)]
    rewriting: Rewriting,

    /// How to say it.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum TrafficWord {
    Same,
    Similar,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum GenerationWord {
    Old,
    New,
}

/// How to print.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Format {
    /// For people.
    Table,
    /// For machines.
    Json,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let said = compare(arguments).and_then(|outcome| {
        let text = match arguments.format {
            Format::Table => verify::table(&outcome),
            Format::Json => serde_json::to_string_pretty(&outcome)? + "\n",
        };
        std::io::stdout().write_all(text.as_bytes()).context("cannot write")?;
        Ok(outcome.agree)
    });
    match said {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("crossfade: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn compare(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let rewriting = &arguments.rewriting;
    let packs = packs::load(&rewriting.packs)?;
    let traffic = match arguments.traffic {
        TrafficWord::Same => Traffic::Same,
        TrafficWord::Similar => Traffic::Similar,
    };
    let default = if traffic == Traffic::Same { 0.0 } else { 0.2 };
    let fill = rewriting.fill.iter().map(|(label, value)| (label.0.clone(), value.clone()));
    let options = Options {
        compared_as: match arguments.emit {
            GenerationWord::Old => Generation::Old,
            GenerationWord::New => Generation::New,
        },
        traffic,
        tolerance: arguments.tolerance.unwrap_or(default),
        gauges: arguments.gauges,
        strict: arguments.strict,
        ignore: arguments.ignore.clone(),
        settings: mapping::Settings {
            buckets: rewriting.buckets.unwrap_or_default(),
            fill: fill.collect(),
            ..mapping::Settings::new(Emit::Old)
        },
    };
    let (old, new) = (http_get::read(&arguments.old)?, http_get::read(&arguments.new)?);
    let (old, new) = ((arguments.old.as_str(), &old[..]), (arguments.new.as_str(), &new[..]));
    Ok(verify::verify(old, new, &packs, &options)?)
}

fn part(text: &str) -> Result<f64, String> {
    let (number, scale) = match text.strip_suffix('%') {
        Some(percent) => (percent, 100.0),
        None => (text, 1.0),
    };
    let part = number.trim().parse::<f64>().map(|number| number / scale);
    let part = part.ok().filter(|part| (0.0..=1.0).contains(part));
    part.ok_or_else(|| "expected a part such as 0.01, or 1%, between 0 and 100%".to_owned())
}
