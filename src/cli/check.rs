//! `crossfade check`: checks settings files and packs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;

use super::diagnostic::{self, GREEN, RED, counted};
use super::exit_code;
use super::flags;
use crate::config::{self, Settings};
use crate::document::{Diagnostic, Diagnostics, Source, Span};
use crate::mapping::{self, Pack, StatsdSettings};
use crate::packs::{self, PackRef, PackSet};
use crate::regular_file;
use crate::relay;

#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  crossfade check config crossfade.yaml
  crossfade check pack kong ours.yaml")]
pub(super) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Check a settings file and the files it refers to: packs, TLS files and credentials.
    #[command(after_long_help = "\
Examples:
  crossfade check config crossfade.yaml
  crossfade check config --syntax-only --format=json crossfade.yaml")]
    Config {
        /// The settings file.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Do not read TLS files and credentials.
        ///
        /// They may be on another machine. Packs are checked only if they exist.
        #[arg(long)]
        syntax_only: bool,
        #[command(flatten)]
        output: Output,
    },
    /// Check packs: each on its own, and in combination with the others, and with kong if none is a
    /// shipped pack.
    #[command(
        visible_alias = "mapping",
        after_long_help = "\
Examples:
  crossfade check pack ours.yaml
  crossfade check pack kong ours.yaml --format=json"
    )]
    Pack {
        /// The packs: files, or names of shipped packs.
        #[arg(value_name = "NAME|FILE", value_parser = flags::pack(), hide_possible_values = true, required = true)]
        packs: Vec<PackRef>,
        #[command(flatten)]
        output: Output,
    },
}

#[derive(Clone, Copy, Debug, Args)]
struct Output {
    /// Output format.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// Text for people, JSON for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    Text,
    Json,
}

/// The output of `--format=json`.
#[derive(Debug, Serialize)]
struct Report<'a> {
    errors: usize,
    warnings: usize,
    diagnostics: &'a [Diagnostic],
}

/// Checks, and succeeds if there is no error. Warnings are not errors. A file of the command line
/// that cannot be read was not checked.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let (diagnostics, files, checked, output) = match &arguments.what {
        What::Config { file, syntax_only, output } => {
            (config(file, *syntax_only), vec![file.as_path()], 1, output)
        }
        What::Pack { packs, output } => {
            (pack(packs), packs.iter().filter_map(PackRef::path).collect(), packs.len(), output)
        }
    };
    let mut diagnostics = Diagnostics(diagnostics);
    diagnostics.sort();
    let Diagnostics(diagnostics) = diagnostics;
    let errors = diagnostics.iter().filter(|it| it.is_error()).count();
    let warnings = diagnostics.len() - errors;
    match output.format {
        Format::Json => {
            let report = Report { errors, warnings, diagnostics: &diagnostics };
            anstream::println!("{}", serde_json::to_string_pretty(&report)?);
        }
        Format::Text => {
            let style = if errors == 0 { GREEN } else { RED };
            let space = if diagnostics.is_empty() { "" } else { "\n" };
            anstream::println!(
                "{}{space}{style}{}{style:#} in {}, {}",
                diagnostic::text(&diagnostics),
                counted(errors, "error"),
                counted(checked, "file"),
                counted(warnings, "warning")
            );
        }
    }
    if files.iter().any(|file| regular_file::open(file).is_err()) {
        return Ok(exit_code::error());
    }
    Ok(exit_code::answer(errors == 0))
}

/// The first position of a key in a YAML or JSON text.
fn key(text: &str, key: &str) -> Option<Span> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let (start, _) = text.match_indices(key).find(|(at, _)| {
        let (before, from) = text.split_at(*at);
        let after = from.trim_start_matches(key).trim_start_matches(['"', '\'', ' ']);
        !before.ends_with(is_part) && after.starts_with(':')
    })?;
    Some(Span::new(start..start + key.len()))
}

fn config(file: &Path, syntax_only: bool) -> Vec<Diagnostic> {
    let text = regular_file::read_to_string(file).unwrap_or_default();
    let config::Checked { diagnostics, packs: named, has_all_packs, settings } =
        config::check(file, !syntax_only);
    let source = Source::new(&file.display().to_string(), text);
    let Diagnostics(mut diagnostics) = diagnostics;
    match packs::check(&named) {
        Err(Diagnostics(errors)) => diagnostics.extend(errors),
        Ok(packs) => {
            // Those about shipped packs are not for the operator.
            let is_file = |pack: &&PackRef| matches!(pack, PackRef::File(_));
            let files: Vec<PackRef> = named.iter().filter(is_file).cloned().collect();
            diagnostics.extend(warnings(&packs, &files));
            // A pack that is missing may have what the settings name.
            if has_all_packs {
                diagnostics.extend(used(&config::pack_set(&settings, packs), &settings, &source));
            }
        }
    }
    diagnostics
}

/// The errors in settings that packs are compiled with, if the packs themselves have none.
fn used(packs: &PackSet, settings: &Settings, source: &Source) -> Vec<Diagnostic> {
    let mut errors = config::unknown_packs(settings, packs);
    let unknown_editions = config::unknown_editions(settings, packs.all());
    if !unknown_editions.is_empty() {
        errors.extend(unknown_editions);
        return errors;
    }
    let dynamic = settings.dynamic_targets.iter();
    let dynamic =
        dynamic.flat_map(|all| [&all.proxy, &all.probe].into_iter().chain(all.modules.values()));
    let dynamic = dynamic.map(|its| (&its.mapping, &its.packs));
    let targets = settings.targets.iter().map(|target| (&target.mapping, &target.packs));
    for (mapping, names) in targets.chain(dynamic) {
        let used = packs.named(names.as_deref());
        let emit = mapping.emit.with_packs(&used, packs.all());
        let settings = mapping::Settings { emit, fill: BTreeMap::new(), ..mapping.clone() };
        if let Err(Diagnostics(more)) = mapping::compile(&used, &settings) {
            errors.extend(more);
        }
    }
    for target in &settings.targets {
        let used = packs.named(target.packs.as_deref());
        for (label, value) in &target.mapping.fill {
            // One at a time, so that the error can be located.
            let fill = [(label.clone(), value.clone())].into();
            let emit = target.mapping.emit.with_packs(&used, packs.all());
            let settings = mapping::Settings { emit, fill, ..target.mapping.clone() };
            let Err(Diagnostics(more)) = mapping::compile(&used, &settings) else { continue };
            let span = key(source.text(), label);
            let location = span.map_or_else(|| source.whole(), |span| source.location(span));
            errors.extend(more.into_iter().map(|it| it.at(location.clone())));
        }
    }
    errors.extend(of_relay(packs, settings, source));
    errors.dedup();
    errors
}

/// The errors in what lines of the relay are rewritten with.
fn of_relay(packs: &PackSet, settings: &Settings, source: &Source) -> Vec<Diagnostic> {
    let mut errors = Vec::new();
    for selection in settings.relay.iter().flat_map(relay::Settings::plan_selections) {
        let used = packs.named(selection.packs.as_deref());
        let emit = selection.emit.with_packs(&used, packs.all());
        let statsd = StatsdSettings { emit, ..settings.statsd.clone() };
        let Err(Diagnostics(more)) = mapping::compile_statsd(&used, &statsd) else { continue };
        for error in more {
            let error = match error.location {
                Some(_) => error,
                None => error.at(source.whole()),
            };
            // The same error with another generation.
            if !errors.contains(&error) {
                errors.push(error);
            }
        }
    }
    errors
}

fn pack(files: &[PackRef]) -> Vec<Diagnostic> {
    match packs::check(files) {
        Err(Diagnostics(errors)) => errors,
        Ok(packs) => warnings(&packs, files).collect(),
    }
}

/// The warnings about these packs, not those about others.
fn warnings(packs: &[Pack], files: &[PackRef]) -> impl Iterator<Item = Diagnostic> {
    let files: BTreeSet<String> = files.iter().map(PackRef::file_name).collect();
    let is_of_files = move |warning: &Diagnostic| {
        warning.location.as_ref().is_some_and(|it| files.contains(&*it.file))
    };
    mapping::warnings(packs).into_iter().filter(is_of_files)
}
