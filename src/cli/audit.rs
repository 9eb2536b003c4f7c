//! `crossfade audit`: whether dashboards and rules survive the upgrade, and how they move.
//!
//! Exit codes: 0 when every query survives, 1 when one does not or cannot be read, 2 when there is nothing to audit.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};
use serde::Serialize;

use super::flags::choice;
use super::value_enums::Format;
use crate::mapping::{Emit, Generation};
use crate::packs;
use crate::tools::audit::{self, Auditor, Fate, FileAudit};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Dashboards (JSON), rule files and manifests (YAML), or folders of them.
    #[arg(required = true)]
    paths: Vec<PathBuf>,

    /// A pack on disk, replacing or extending the built-in ones. May be repeated.
    #[arg(long = "pack", value_name = "FILE")]
    packs: Vec<PathBuf>,

    /// Judge behind a gateway that emits this; without it, the upgrade alone is judged.
    #[arg(long, value_name = "GENERATION", value_parser = choice::<Emit>())]
    emit: Option<Emit>,

    /// Move the queries that can be moved, and say why the others cannot.
    #[arg(long)]
    rewrite: bool,

    /// The generation to move queries to.
    #[arg(long, value_enum, value_name = "GENERATION", default_value_t = To::New)]
    to: To,

    /// Where moved files go, under the names that they have.
    #[arg(long, value_name = "DIR", requires = "rewrite", conflicts_with = "in_place")]
    output: Option<PathBuf>,

    /// Write moved files over the ones that were read.
    #[arg(long, requires = "rewrite")]
    in_place: bool,

    /// A family that does not occur, so that nothing is kept for it. May be repeated.
    #[arg(long, value_name = "FAMILY")]
    absent: Vec<String>,

    /// How to say it.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum To {
    Old,
    New,
}

/// What machines get.
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
    let to = match arguments.to {
        To::Old => Generation::Old,
        To::New => Generation::New,
    };
    let emit = arguments.emit.unwrap_or(Emit::Old);
    let auditor = Auditor::new(&packs, emit, to, arguments.absent.clone());
    if let Some(family) = arguments.absent.iter().find(|family| !auditor.knows(family)) {
        bail!("--absent={family}: no pack knows such a family");
    }
    let mut files = Vec::new();
    let mut written = BTreeSet::new();
    for path in &arguments.paths {
        let found = found(path)?;
        let base = if path.is_dir() { path.as_path() } else { path.parent().unwrap_or(path) };
        for file in found {
            let text =
                std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
            let mut audited = match String::from_utf8(text) {
                Ok(text) => auditor.file(&file, &text),
                Err(_) => unreadable(&file, "it is not UTF-8"),
            };
            // In a folder there is much that is none of ours.
            if audited.unreadable.is_some() && path.is_dir() && !names_a_family(&auditor, &file) {
                audited.unreadable = None;
            }
            if arguments.rewrite {
                write(arguments, base, &audited, &mut written)?;
            }
            files.push(audited);
        }
    }
    let fate = |finding: &audit::Finding| match arguments.emit {
        None => finding.direct,
        Some(_) => finding.gateway,
    };
    let breaks = |file: &FileAudit| {
        file.unreadable.is_some() || file.findings.iter().any(|it| fate(it) == Fate::Breaks)
    };
    let survive = !files.iter().any(breaks);
    let text = match arguments.format {
        Format::Table => {
            audit::table(&files, width(), arguments.rewrite) + &summary(&files, arguments)
        }
        Format::Json => serde_json::to_string_pretty(&Document { survive, files: &files })? + "\n",
    };
    std::io::stdout().write_all(text.as_bytes()).context("cannot write")?;
    Ok(survive)
}

fn unreadable(path: &Path, reason: &str) -> FileAudit {
    FileAudit {
        path: path.to_owned(),
        unreadable: Some(reason.to_owned()),
        queries: 0,
        findings: Vec::new(),
        moved: None,
    }
}

fn names_a_family(auditor: &Auditor, file: &Path) -> bool {
    let text = std::fs::read(file).unwrap_or_default();
    let part = |byte: &u8| !(byte.is_ascii_alphanumeric() || *byte == b'_' || *byte == b':');
    let mut words = text.split(part).filter_map(|word| std::str::from_utf8(word).ok());
    words.any(|word| auditor.knows(word))
}

/// The file, or what a folder holds, in order.
fn found(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
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
        // Links may lead anywhere, back here too.
        if entry.file_type()?.is_dir() {
            files.extend(found(&path)?);
        } else if ours && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn write(
    arguments: &Arguments,
    base: &Path,
    audited: &FileAudit,
    written: &mut BTreeSet<PathBuf>,
) -> anyhow::Result<()> {
    let Some(text) = &audited.moved else {
        return Ok(());
    };
    let path = if arguments.in_place {
        audited.path.clone()
    } else if let Some(folder) = &arguments.output {
        let path = folder.join(audited.path.strip_prefix(base).unwrap_or(&audited.path));
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)
                .with_context(|| format!("cannot make {}", parent.display()))?;
        }
        path
    } else {
        return Ok(());
    };
    if !written.insert(path.clone()) {
        bail!("two files would become {}; audit their folders one by one", path.display());
    }
    std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// How wide the terminal says that it is.
fn width() -> usize {
    let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    columns.unwrap_or(100)
}

fn summary(files: &[FileAudit], arguments: &Arguments) -> String {
    let findings = || files.iter().flat_map(|file| &file.findings);
    let queries: usize = files.iter().map(|file| file.queries).sum();
    let breaks = |fate: fn(&audit::Finding) -> Fate| {
        findings().filter(|it| fate(it) == Fate::Breaks).count()
    };
    let emit = arguments.emit.unwrap_or(Emit::Old);
    let mut text = format!(
        "{} files, {queries} queries, {} that packs know; {} break in the upgrade, {} behind a gateway with emit: {emit}\n",
        files.len(),
        findings().count(),
        breaks(|finding| finding.direct),
        breaks(|finding| finding.gateway),
    );
    if arguments.rewrite {
        let moved = findings().filter(|it| it.moved.is_some()).count();
        let left = findings().filter(|it| !it.obstacles.is_empty()).count();
        let to = match arguments.to {
            To::Old => Generation::Old.as_str(),
            To::New => Generation::New.as_str(),
        };
        let nowhere = arguments.output.is_none() && !arguments.in_place;
        let written = if nowhere { ", nothing written (--output=DIR or --in-place)" } else { "" };
        let said =
            format!("{moved} moved to the {to} generation, {left} left as they are{written}\n");
        text.push_str(&said);
    }
    text
}
