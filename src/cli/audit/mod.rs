//! `crossfade audit`: finds queries that break in the upgrade, and migrates them.
//!
//! Exit codes: 0 if no query breaks, 1 if one breaks or is not understood, 2 if there is nothing to
//! audit, or a file cannot be read or written.

mod files;
mod replace;
mod run;
mod summary;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Args;
use serde::Serialize;

use self::summary::summary;
use super::flags::choice;
use super::value_enums::{Format, GenerationFlag};
use crate::mapping::Emit;
use crate::tools::audit::{self, FileAudit};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Grafana dashboards (JSON, schema version 16 or later), Prometheus rule files and Kubernetes
    /// manifests (YAML), or folders with such files.
    #[arg(required = true)]
    paths: Vec<PathBuf>,

    /// A pack that replaces or extends the built-in packs. May be repeated.
    #[arg(long = "pack", value_name = "FILE")]
    packs: Vec<PathBuf>,

    /// Set the exit code for queries through a gateway that exports this generation. Without this
    /// flag, the exit code is for queries without a gateway.
    #[arg(long, value_name = "GENERATION", value_parser = choice::<Emit>())]
    emit: Option<Emit>,

    /// Migrate all queries that can be migrated, and give a reason for each of the others.
    #[arg(long)]
    rewrite: bool,

    /// The generation to migrate queries to.
    #[arg(long, value_enum, value_name = "GENERATION", default_value_t = GenerationFlag::New)]
    to: GenerationFlag,

    /// Write migrated files to this folder, with the same names.
    #[arg(long, value_name = "DIR", requires = "rewrite", conflicts_with = "in_place")]
    output: Option<PathBuf>,

    /// Overwrite the audited files with the migrated ones.
    #[arg(long, requires = "rewrite")]
    in_place: bool,

    /// A family that your Kong does not export, so that migrated queries can leave it out. May be
    /// repeated.
    #[arg(long, value_name = "FAMILY")]
    absent: Vec<String>,

    /// Output format.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// The JSON output.
#[derive(Serialize)]
struct Document<'a> {
    survive: bool,
    files: &'a [FileAudit],
    /// What the new generation needs to have the families of the queries.
    needs: &'a [String],
    written: &'a [PathBuf],
    errors: &'a [String],
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    match audit(arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("crossfade: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn audit(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let run = run::run(arguments)?;
    let survive = run.survives(arguments.emit);
    let text = match arguments.format {
        Format::Table => {
            audit::table(&run.files, width(), arguments.rewrite) + &summary(&run, arguments)
        }
        Format::Json => {
            let document = Document {
                survive,
                files: &run.files,
                needs: &run.needs,
                written: &run.written,
                errors: &run.errors,
            };
            serde_json::to_string_pretty(&document)? + "\n"
        }
    };
    std::io::stdout().write_all(text.as_bytes()).context("cannot write to stdout")?;
    for error in &run.errors {
        eprintln!("crossfade: {error}");
    }
    if !run.errors.is_empty() {
        if arguments.rewrite {
            eprintln!("crossfade: nothing was written, because of the errors above");
        }
        return Ok(ExitCode::from(2));
    }
    if !run.has_content() {
        bail!("there is nothing to audit: no file has a query, or a name that a pack knows");
    }
    Ok(if survive { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The width of the terminal, in characters.
fn width() -> usize {
    let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    columns.unwrap_or(100)
}
