//! `crossfade verify`: compares the metrics of an old and a new Kong.
//!
//! Exit codes: 0 if they agree, 1 if they differ, 2 if they cannot be compared.

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};

use super::exit_code;
use super::flags::{self, Rewriting};
use super::http::HttpConfig;
use super::input;
use super::progress::Progress;
use super::value_enums::Format;
use crate::mapping::{self, Emit, Emitted, Generation};
use crate::packs;
use crate::tools::verify::{self, Options, Outcome, Traffic};

#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  crossfade verify old.prom new.prom
  crossfade verify --traffic=similar http://kong-2:8100/metrics http://kong-3:8100/metrics
  crossfade verify old.prom new.prom --format=json")]
pub(super) struct Arguments {
    /// Metrics of the old Kong: a file, a URL, or - for stdin.
    old: String,

    /// Metrics of the new Kong: a file, a URL, or - for stdin.
    new: String,

    /// The traffic of both nodes.
    ///
    /// The same requests (compares every series), or similar requests (compares the totals of families).
    #[arg(long, value_enum, default_value_t = TrafficFlag::Same)]
    traffic: TrafficFlag,

    /// The generation to compare in.
    ///
    /// The other side is rewritten to it. Rewriting to old loses no information. With an edition, such as
    /// 2.8 or 3.0, both sides are converted to its buckets.
    #[arg(long, value_name = "old|new|EDITION", value_parser = flags::emitted(), hide_possible_values = true, default_value_t = Emit::Old)]
    emit: Emit,

    /// Accepted difference of two numbers, as a fraction (0.01) or percentage (1%) [default: 0, or
    /// 20% for similar traffic].
    #[arg(long, value_name = "FRACTION", value_parser = fraction)]
    tolerance: Option<f64>,

    /// Also compare the values of gauges, which change from moment to moment.
    #[arg(long)]
    gauges: bool,

    /// Treat families and series that only the new side has as differences.
    #[arg(long)]
    strict: bool,

    /// A family to list without comparing it. May be repeated.
    #[arg(long, value_name = "FAMILY")]
    ignore: Vec<String>,

    #[command(flatten)]
    rewriting: Rewriting,

    #[command(flatten)]
    http: HttpConfig,

    /// Output format.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum TrafficFlag {
    Same,
    Similar,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let outcome = compare(arguments)?;
    let text = match arguments.format {
        Format::Table => verify::table(&outcome),
        Format::Json => serde_json::to_string_pretty(&outcome)? + "\n",
    };
    std::io::stdout().write_all(text.as_bytes()).context("cannot write to stdout")?;
    Ok(exit_code::answer(outcome.agree))
}

fn compare(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let rewriting = &arguments.rewriting;
    let packs = packs::load(&rewriting.packs)?;
    mapping::two_generations(&packs)?;
    let emitted =
        Emitted::new(arguments.emit, &packs).map_err(|error| anyhow::anyhow!("--emit: {error}"))?;
    let compared_as = match (emitted.has(Generation::Old), emitted.has(Generation::New)) {
        (true, true) => bail!("--emit: the two sides are compared in one generation, not in both"),
        (true, false) => Generation::Old,
        (false, _) => Generation::New,
    };
    let traffic = match arguments.traffic {
        TrafficFlag::Same => Traffic::Same,
        TrafficFlag::Similar => Traffic::Similar,
    };
    let default = if traffic == Traffic::Same { 0.0 } else { 0.2 };
    let options = Options {
        compared_as,
        edition: emitted.edition(),
        traffic,
        tolerance: arguments.tolerance.unwrap_or(default),
        gauges: arguments.gauges,
        strict: arguments.strict,
        ignore: arguments.ignore.clone(),
        // `verify` replaces the generation where it rewrites.
        settings: rewriting.conversion.settings(Emit::Old),
    };
    if arguments.old == "-" && arguments.new == "-" {
        bail!("stdin can be only one of the two sides; give a file or a URL for the other");
    }
    let mut progress = Progress::new();
    let names = [&arguments.old, &arguments.new].map(|input| input::name(input));
    progress.step(&format!("reading {}", names[0]));
    let old = input::read(&arguments.old, &arguments.http)?;
    progress.step(&format!("reading {}", names[1]));
    let new = input::read(&arguments.new, &arguments.http)?;
    let (old, new) = ((&*names[0], &old[..]), (&*names[1], &new[..]));
    progress.step("comparing");
    let outcome = verify::verify(old, new, &packs, &options)?;
    let rules = mapping::correspondences(&packs, Emitted::default());
    for family in &arguments.ignore {
        let is_known = outcome.families.iter().any(|it| it.name == *family)
            || outcome.only_new.contains(family)
            || rules.iter().any(|it| it.old.family == *family || it.new.family == *family);
        if !is_known {
            bail!(
                "--ignore={family}: no pack has a rule for this family, and neither input has it"
            );
        }
    }
    Ok(outcome)
}

fn fraction(text: &str) -> Result<f64, String> {
    let (number, scale) = match text.strip_suffix('%') {
        Some(percent) => (percent, 100.0),
        None => (text, 1.0),
    };
    let fraction = number.trim().parse::<f64>().map(|number| number / scale);
    let fraction = fraction.ok().filter(|fraction| (0.0..=1.0).contains(fraction));
    fraction.ok_or_else(|| "expected a fraction or percentage between 0 and 100%".to_owned())
}
