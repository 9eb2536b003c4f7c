//! `crossfade audit`: finds queries that break in the upgrade, and migrates them.
//!
//! Exit codes: 0 if no query breaks, 1 if one breaks or a file cannot be read, 2 if nothing can be
//! audited.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Args;
use serde::Serialize;

use super::flags::choice;
use super::value_enums::{Format, GenerationFlag};
use crate::mapping::{Emit, Generation};
use crate::packs;
use crate::tools::audit::{self, Auditor, FileAudit, Finding, Impact};

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
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    match audit(arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("crossfade: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn audit(arguments: &Arguments) -> anyhow::Result<bool> {
    let packs = packs::load(&arguments.packs)?;
    let emit = arguments.emit.unwrap_or(Emit::Old);
    let auditor = Auditor::new(&packs, emit, arguments.to.into(), arguments.absent.clone());
    if let Some(family) = arguments.absent.iter().find(|family| !auditor.knows(family)) {
        bail!("--absent={family}: no pack has a rule for this family");
    }
    let mut files = Vec::new();
    let mut written = BTreeSet::new();
    for path in &arguments.paths {
        let found = files_in(path)?;
        let base = if path.is_dir() { path.as_path() } else { path.parent().unwrap_or(path) };
        for file in found {
            let text =
                std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
            let mut audited = match String::from_utf8(text) {
                Ok(text) => auditor.file(&file, &text),
                Err(_) => FileAudit::unreadable(&file, "it is not UTF-8"),
            };
            // Folders may contain unrelated files.
            if audited.unreadable.is_some() && path.is_dir() && !names_a_family(&auditor, &file) {
                audited.unreadable = None;
            }
            if arguments.rewrite {
                write(arguments, base, &audited, &mut written)?;
            }
            files.push(audited);
        }
    }
    let impact = |finding: &Finding| match arguments.emit {
        None => finding.direct,
        Some(_) => finding.gateway,
    };
    let breaks = |file: &FileAudit| {
        file.unreadable.is_some() || file.findings.iter().any(|it| impact(it) >= Impact::Unknown)
    };
    let survive = !files.iter().any(breaks);
    let text = match arguments.format {
        Format::Table => {
            audit::table(&files, width(), arguments.rewrite) + &summary(&files, arguments)
        }
        Format::Json => serde_json::to_string_pretty(&Document { survive, files: &files })? + "\n",
    };
    std::io::stdout().write_all(text.as_bytes()).context("cannot write to stdout")?;
    Ok(survive)
}

/// True if a file contains the name of a known family.
fn names_a_family(auditor: &Auditor, file: &Path) -> bool {
    let text = std::fs::read(file).unwrap_or_default();
    let part = |byte: &u8| !(byte.is_ascii_alphanumeric() || *byte == b'_' || *byte == b':');
    let mut words = text.split(part).filter_map(|word| std::str::from_utf8(word).ok());
    words.any(|word| auditor.knows(word))
}

/// A file, or the files of a folder and its subfolders that can contain queries, sorted.
fn files_in(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    let entries =
        std::fs::read_dir(path).with_context(|| format!("cannot read {}", path.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot read {}", path.display()))?;
        let path = entry.path();
        let known = ["json", "yaml", "yml", "rules"];
        let ours = path.extension().is_some_and(|it| known.iter().any(|known| it == *known));
        // Links to folders are not followed, because they can form a loop.
        if entry.file_type()?.is_dir() {
            files.extend(files_in(&path)?);
        } else if ours && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Writes the migrated text of a file, if there is one and a place for it.
fn write(
    arguments: &Arguments,
    base: &Path,
    audited: &FileAudit,
    written: &mut BTreeSet<PathBuf>,
) -> anyhow::Result<()> {
    let Some(text) = &audited.migrated else {
        return Ok(());
    };
    let path = if arguments.in_place {
        audited.path.clone()
    } else if let Some(folder) = &arguments.output {
        let path = folder.join(audited.path.strip_prefix(base).unwrap_or(&audited.path));
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)
                .with_context(|| format!("cannot create {}", parent.display()))?;
        }
        path
    } else {
        return Ok(());
    };
    if !written.insert(path.clone()) {
        bail!("two files would be written to {}; audit their folders separately", path.display());
    }
    std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// The width of the terminal, in characters.
fn width() -> usize {
    let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    columns.unwrap_or(100)
}

fn summary(files: &[FileAudit], arguments: &Arguments) -> String {
    let findings = || files.iter().flat_map(|file| &file.findings);
    let queries: usize = files.iter().map(|file| file.queries).sum();
    let breaks = |impact: fn(&Finding) -> Impact| {
        findings().filter(|it| impact(it) == Impact::Breaks).count()
    };
    let emit = arguments.emit.unwrap_or(Emit::Old);
    let mut text = format!(
        "{} files, {queries} queries, {} with a known family; {} break in the upgrade, {} with a gateway (emit: {emit})\n",
        files.len(),
        findings().count(),
        breaks(|finding| finding.direct),
        breaks(|finding| finding.gateway),
    );
    let unknown = findings().filter(|it| it.direct == Impact::Unknown).count();
    if unknown > 0 {
        text += &format!("{unknown} could not be read, so their impact is unknown\n");
    }
    if arguments.rewrite {
        let migrated = findings().filter(|it| it.migrated.is_some()).count();
        let left = findings().filter(|it| !it.obstacles.is_empty()).count();
        let to = Generation::from(arguments.to).as_str();
        let nowhere = arguments.output.is_none() && !arguments.in_place;
        let written = if nowhere { ", nothing written (--output=DIR or --in-place)" } else { "" };
        let line =
            format!("{migrated} migrated to the {to} generation, {left} not migrated{written}\n");
        text.push_str(&line);
    }
    text
}
