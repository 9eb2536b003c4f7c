//! `crossfade rules`: the correspondence of packs as rules of Prometheus.
//!
//! Exit codes: 0 if there are rules, also if some families have none; 2 if there is not one rule.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};

use super::flags;
use crate::config::LabelName;
use crate::mapping::{Emit, NotCounted};
use crate::packs::{self, PackRef};
use crate::tools::rules::{self, Options, Spelling};

#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  crossfade rules --to=old > kong-as-2.x.rules.yaml
  crossfade rules --to=new --pack=node_exporter --output=node.rules.yaml
  crossfade rules --to=2.8 --pack=kong --pack=ours.yaml --report=json
  crossfade rules --to=new --pack=kubernetes --format=relabel")]
pub(super) struct Arguments {
    /// The generation that the rules write, or an edition of it.
    #[arg(long, value_name = "old|new|EDITION", value_parser = flags::emitted(), hide_possible_values = true)]
    to: Emit,

    /// A shipped pack by its name, or a pack on disk. May be repeated.
    ///
    /// Files alone are added to the pack kong; names replace it.
    #[arg(long = "pack", value_name = "NAME|FILE", value_parser = flags::pack(), hide_possible_values = true)]
    packs: Vec<PackRef>,

    /// What to write.
    #[arg(long, value_enum, default_value_t = Format::Rules)]
    format: Format,

    /// A family to write, by the name that is written. May be repeated [default: all].
    #[arg(long = "family", value_name = "FAMILY")]
    families: Vec<String>,

    /// Write to this file [default: stdout].
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// The format of the report on stderr.
    #[arg(long, value_enum, default_value_t = Report::Text)]
    report: Report,

    /// The major version of the Prometheus that loads the rules: 2 or 3.
    ///
    /// Prometheus 3 stores every `le` with a point, such as 25.0; Prometheus 2 stores what targets
    /// export.
    #[arg(long, value_name = "VERSION", default_value_t = 3, value_parser = clap::value_parser!(u8).range(2..=3))]
    prometheus: u8,

    /// The value of a label that only the written generation has. May be repeated.
    #[arg(long = "fill", value_name = "LABEL=VALUE", value_parser = flags::label_value)]
    fill: Vec<(LabelName, String)>,

    /// What to do with samples that the written generation does not count [default: drop].
    #[arg(long, value_name = "ACTION", value_parser = flags::choice::<NotCounted>())]
    not_counted: Option<NotCounted>,

    /// The labels that identify a target, where a rule compares two of its families.
    #[arg(long, value_name = "LABELS", value_delimiter = ',', default_value = "job,instance")]
    target_labels: Vec<LabelName>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A file of recording rules.
    Rules,
    /// Relabeling for scrape configurations, of what is only renamed.
    Relabel,
    /// Relabeling and stream aggregation for vmagent.
    Vmagent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Report {
    /// A summary for people.
    Text,
    /// JSON for programs.
    Json,
    /// Nothing.
    None,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let packs = packs::load(&arguments.packs)?;
    let outcome = rules::rules(&packs, &options(arguments))?;
    match arguments.report {
        Report::Text => eprint!("{}", outcome.report()),
        Report::Json => eprintln!("{}", serde_json::to_string_pretty(&outcome)?),
        Report::None => {}
    }
    if outcome.rules() == 0 {
        bail!("nothing is written: no family of the packs can be expressed");
    }
    match &arguments.output {
        Some(path) => std::fs::write(path, &outcome.text)
            .with_context(|| format!("cannot write {}", path.display())),
        None => {
            std::io::stdout().write_all(outcome.text.as_bytes()).context("cannot write to stdout")
        }
    }
}

fn options(arguments: &Arguments) -> Options {
    let pair = |(label, value): &(LabelName, String)| (label.0.clone(), value.clone());
    Options {
        format: match arguments.format {
            Format::Rules => rules::Format::Recording,
            Format::Relabel => rules::Format::Relabel,
            Format::Vmagent => rules::Format::Vmagent,
        },
        families: arguments.families.clone(),
        spelling: if arguments.prometheus == 2 { Spelling::AsExported } else { Spelling::Float },
        target_labels: arguments.target_labels.iter().map(|label| label.0.clone()).collect(),
        fill: arguments.fill.iter().map(pair).collect(),
        not_counted: arguments.not_counted.unwrap_or_default(),
        ..Options::new(arguments.to)
    }
}
