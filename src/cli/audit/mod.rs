//! `crossfade audit`: finds queries that break in the upgrade, and migrates them.
//!
//! Exit codes: 0 if no query breaks or all that break were migrated, 1 if one breaks or is not
//! understood, 2 if there is nothing to audit, or a file cannot be read or written.

mod apply;
mod arguments;
mod diff;
mod replace;
mod run;
mod summary;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use serde::Serialize;

use self::apply::Change;
pub(super) use self::arguments::Arguments;
use self::summary::summary;
use super::exit_code;
use super::value_enums::Format;
use crate::tools::audit::{self, FileAudit};

/// The JSON output.
#[derive(Serialize)]
struct Document<'a> {
    survive: bool,
    files: &'a [FileAudit],
    /// What the new generation needs to have the families of the queries.
    needs: &'a [String],
    written: &'a [PathBuf],
    /// Migrated dashboards of Grafana and rules of Prometheus.
    migrated: Vec<Migrated<'a>>,
    errors: &'a [String],
}

/// A migrated input that is not a file.
#[derive(Serialize)]
struct Migrated<'a> {
    path: &'a Path,
    text: &'a str,
}

impl<'a> Migrated<'a> {
    fn new(change: &'a Change) -> Migrated<'a> {
        Migrated { path: &change.input.path, text: &change.text }
    }
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    apply::check(arguments)?;
    if arguments.save.apply && matches!(arguments.format, Format::Json) {
        bail!("--apply shows the changes as a text; leave out --format=json");
    }
    let run = run::run(arguments)?;
    let survive = run.survives(arguments.emit);
    let text = match arguments.format {
        // There are only errors to report.
        Format::Table if run.files.is_empty() => String::new(),
        Format::Table => {
            audit::table(&run.files, width(), arguments.rewrite) + &summary(&run, arguments)
        }
        Format::Json => {
            let document = Document {
                survive,
                files: &run.files,
                needs: &run.needs,
                written: &run.written,
                migrated: run.changes.iter().map(Migrated::new).collect(),
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
        if arguments.rewrite && run.written.is_empty() {
            eprintln!("crossfade: nothing was written, because of the errors above");
        }
        return Ok(exit_code::error());
    }
    if !run.has_content() {
        bail!("there is nothing to audit: no file has a query, or a name that a pack knows");
    }
    if matches!(arguments.format, Format::Table) && arguments.output.is_none() {
        apply::print_rules(&run.changes)?;
    }
    let mut is_saved = true;
    if let Some(grafana) = run.grafana.as_ref().filter(|_| arguments.save.apply) {
        is_saved = apply::save(arguments, grafana, &run.changes)?;
    }
    Ok(exit_code::answer(if arguments.rewrite {
        run.survives_migrated(arguments.emit) && is_saved
    } else {
        survive
    }))
}

/// The width of the terminal, in characters.
fn width() -> usize {
    let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    columns.unwrap_or(100)
}
