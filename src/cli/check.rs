//! `crossfade check`: what can be told of settings and packs without running anything.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;

use super::diagnostic::{self, Diagnostic, GREEN, RED, counted};
use crate::config::{self, Settings};
use crate::mapping::{self, Emit, Fault, Faults, Pack, Place, StatsdSettings};
use crate::packs;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// A settings file, and what it names: packs, and the files of TLS and credentials.
    Config {
        /// The settings file.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Leaves the files of TLS and credentials alone, which may be on another machine.
        #[arg(long)]
        syntax_only: bool,
        #[command(flatten)]
        output: Output,
    },
    /// Packs: each by itself, and how they fit together and with the built-in ones.
    Mapping {
        /// The packs.
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
        #[command(flatten)]
        output: Output,
    },
}

#[derive(Clone, Copy, Debug, Args)]
struct Output {
    /// How to say it.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// Text for people, JSON for machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    Text,
    Json,
}

/// What `--format=json` says.
#[derive(Debug, Serialize)]
struct Said<'a> {
    faults: usize,
    notes: usize,
    diagnostics: &'a [Diagnostic],
}

/// Checks, and succeeds when nothing is wrong. Notes are not faults.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let (mut diagnostics, files, output) = match &arguments.what {
        What::Config { file, syntax_only, output } => (config(file, *syntax_only), 1, output),
        What::Mapping { files, output } => (mapping(files), files.len(), output),
    };
    diagnostic::sort(&mut diagnostics);
    let faults = diagnostics.iter().filter(|it| it.is_fault()).count();
    let notes = diagnostics.len() - faults;
    match output.format {
        Format::Json => {
            let said = Said { faults, notes, diagnostics: &diagnostics };
            anstream::println!("{}", serde_json::to_string_pretty(&said)?);
        }
        Format::Text => {
            let style = if faults == 0 { GREEN } else { RED };
            let space = if diagnostics.is_empty() { "" } else { "\n" };
            anstream::println!(
                "{}{space}{style}{}{style:#} in {}, {}",
                diagnostic::text(&diagnostics),
                counted(faults, "fault"),
                counted(files, "file"),
                counted(notes, "note")
            );
        }
    }
    Ok(if faults == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn config(file: &Path, syntax_only: bool) -> Vec<Diagnostic> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let config::Checked { diagnostics, packs: named, settings } = config::check(file, !syntax_only);
    let of_settings = |diagnostic| Diagnostic::of_settings(diagnostic, &text);
    let mut diagnostics: Vec<Diagnostic> = diagnostics.0.into_iter().map(of_settings).collect();
    match packs::check(&named) {
        Err(Faults(faults)) => diagnostics.extend(faults.into_iter().map(Diagnostic::from)),
        Ok(packs) => {
            let faults = used(&packs, &settings, &Place::file(&file.display().to_string()), &text);
            diagnostics.extend(faults.into_iter().map(Diagnostic::from));
            diagnostics.extend(notes(&packs, &named));
        }
    }
    diagnostics
}

/// What is wrong with the settings that packs are compiled with, where nothing is wrong with the packs.
fn used(packs: &[Pack], settings: &Settings, file: &Place, text: &str) -> Vec<Fault> {
    let mut faults: Vec<Fault> = Vec::new();
    for target in &settings.targets {
        for (label, value) in &target.mapping.fill {
            // One by one, so that it is known which of them is meant.
            let fill = [(label.clone(), value.clone())].into();
            let settings = mapping::Settings { fill, ..target.mapping.clone() };
            let Err(Faults(more)) = mapping::compile(packs, &settings) else { continue };
            let place = file.of_key(text, label);
            faults.extend(more.into_iter().map(|it| Fault { place: Some(place.clone()), ..it }));
        }
    }
    let statsd = StatsdSettings { emit: Emit::Both, ..settings.statsd.clone() };
    if let Err(Faults(more)) = mapping::compile_statsd(packs, &statsd) {
        let of_file = |it: Fault| Fault { place: it.place.or_else(|| Some(file.clone())), ..it };
        faults.extend(more.into_iter().map(of_file));
    }
    faults.dedup();
    faults
}

fn mapping(files: &[PathBuf]) -> Vec<Diagnostic> {
    match packs::check(files) {
        Err(Faults(faults)) => faults.into_iter().map(Into::into).collect(),
        Ok(packs) => notes(&packs, files).collect(),
    }
}

/// What is worth knowing of these files; what the others say is known.
fn notes(packs: &[Pack], files: &[PathBuf]) -> impl Iterator<Item = Diagnostic> {
    let files: BTreeSet<String> = files.iter().map(|file| file.display().to_string()).collect();
    let notes = mapping::notes(packs).into_iter();
    notes.filter(move |note| files.contains(&*note.place.file)).map(Into::into)
}
