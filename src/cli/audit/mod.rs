//! `crossfade audit`: finds queries that break in the upgrade, and migrates them.
//!
//! Exit codes: 0 if no query breaks or all that break were migrated, 1 if one breaks or is not
//! understood, 2 if there is nothing to audit, or a file cannot be read or written.

mod arguments;
mod files;
mod replace;
mod run;
mod summary;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use serde::Serialize;

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
    errors: &'a [String],
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
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
    Ok(exit_code::answer(if arguments.rewrite {
        run.survives_migrated(arguments.emit)
    } else {
        survive
    }))
}

/// The width of the terminal, in characters.
fn width() -> usize {
    let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    columns.unwrap_or(100)
}
