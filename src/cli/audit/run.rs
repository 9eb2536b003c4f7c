//! Reads, audits and writes the files of `audit`.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::bail;

use super::arguments::Arguments;
use super::files::{InputFile, find};
use super::replace::{NewFile, replace_all};
use crate::cli::progress::Progress;
use crate::mapping::{self, Emit, Emitted, Generation};
use crate::packs;
use crate::tools::audit::{Auditor, FileAudit, Finding, Impact, hold_back_unit_tests};

/// The result of one run.
#[derive(Debug)]
pub(super) struct Run {
    /// The generation that queries are migrated to.
    pub(super) to: Generation,
    /// The gateway emits this generation.
    pub(super) to_is_emitted: bool,
    pub(super) files: Vec<FileAudit>,
    /// Files that were written.
    pub(super) written: Vec<PathBuf>,
    /// Files and folders that could not be read or written.
    pub(super) errors: Vec<String>,
    /// What the other generation needs to have the families of the queries.
    pub(super) needs: Vec<String>,
}

impl Run {
    /// The number of queries, with or without a known family.
    pub(super) fn queries(&self) -> usize {
        self.files.iter().map(|file| file.queries).sum()
    }

    /// True if there was something to audit.
    pub(super) fn has_content(&self) -> bool {
        self.files
            .iter()
            .any(|file| file.queries > 0 || !file.findings.is_empty() || file.unreadable.is_some())
    }

    /// True if every query survives: without a gateway, or with one that emits `emit`.
    pub(super) fn survives(&self, emit: Option<Emit>) -> bool {
        self.all(|finding| survives(finding, emit))
    }

    /// The same after the migration: a query that was migrated survives if the generation it was
    /// migrated to is the one that it will find.
    pub(super) fn survives_migrated(&self, emit: Option<Emit>) -> bool {
        let is_found = match emit {
            None => self.to == Generation::New,
            Some(_) => self.to_is_emitted,
        };
        let is_migrated =
            |finding: &Finding| finding.migrated.is_some() && finding.obstacles.is_empty();
        self.all(|finding| (is_found && is_migrated(finding)) || survives(finding, emit))
    }

    /// True if all files can be read, and this is true of all findings.
    fn all(&self, is: impl Fn(&Finding) -> bool) -> bool {
        self.files.iter().all(|file| file.unreadable.is_none() && file.findings.iter().all(&is))
    }
}

fn survives(finding: &Finding, emit: Option<Emit>) -> bool {
    let impact = if emit.is_some() { finding.gateway } else { finding.direct };
    impact < Impact::Unknown
}

/// Audits all files, then writes the migrated ones. If anything cannot be read, nothing is written.
///
/// # Errors
///
/// A pack is not valid, or a family of `--absent` is unknown.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<Run> {
    let packs = packs::load(&arguments.packs)?;
    mapping::two_generations(&packs)?;
    let emit = arguments.emit.unwrap_or(Emit::Old);
    let to = Emitted::new(arguments.to, &packs);
    let to = to.map_err(|error| anyhow::anyhow!("--to: {error}"))?;
    let Some(to) = to.generation() else {
        bail!("--to=both: a query is migrated to one generation, `old` or `new`");
    };
    let auditor = Auditor::new(&packs, emit, arguments.to, arguments.absent.clone())
        .map_err(|error| anyhow::anyhow!("--emit: {error}"))?
        .allow_differs(arguments.allow_differs);
    if let Some(family) = arguments.absent.iter().find(|family| !auditor.knows(family)) {
        bail!("--absent={family}: no pack has a rule for this family");
    }
    let (found, errors) = find(&arguments.paths);
    // The auditor knows the edition.
    let to_is_emitted = Emitted::new(emit, &packs).is_ok_and(|emitted| emitted.has(to));
    let mut run = Run {
        to,
        to_is_emitted,
        errors,
        files: Vec::new(),
        written: Vec::new(),
        needs: Vec::new(),
    };
    let auditor = auditor_with_recorded(auditor, &found);
    let (mut inputs, mut progress) = (Vec::new(), Progress::new());
    for (index, input) in found.iter().enumerate() {
        progress.count("auditing file", index + 1, found.len());
        match read(&input.path) {
            Ok(bytes) => {
                if let Some(audited) = audit(&auditor, input, &bytes) {
                    run.files.push(audited);
                    inputs.push(input);
                }
            }
            Err(error) => {
                run.errors.push(format!("cannot read {}: {error}", input.path.display()));
            }
        }
    }
    drop(progress);
    hold_back_unit_tests(&mut run.files);
    run.needs = auditor.needs(&run.files, &packs);
    if arguments.rewrite && run.errors.is_empty() {
        write(arguments, &inputs, &mut run);
    }
    Ok(run)
}

/// The largest file that is audited, in bytes.
const MAX_FILE: u64 = 64 << 20;

/// Reads a file.
///
/// # Errors
///
/// It cannot be read, or is larger than [`MAX_FILE`].
fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(std::io::Error::other("it is larger than 64 MiB; divide it, or leave it out"));
    }
    Ok(bytes)
}

/// A rule of one file can record what a query of another one reads.
fn auditor_with_recorded(auditor: Auditor, found: &[InputFile]) -> Auditor {
    let texts = found.iter().filter(|it| it.is_known).filter_map(|it| {
        let text = String::from_utf8(read(&it.path).ok()?).ok()?;
        Some((&it.path, text))
    });
    let recorded = texts.flat_map(|(path, text)| auditor.recorded_in(path, &text)).collect();
    auditor.recorded(recorded)
}

/// Audits one file. `None` if it is not a file with queries.
fn audit(auditor: &Auditor, input: &InputFile, bytes: &[u8]) -> Option<FileAudit> {
    let path = &input.path;
    if !input.is_known {
        let family = auditor.mentioned(bytes)?;
        let reason = format!("it mentions {family}, but audit does not read files of this kind");
        return Some(FileAudit::unreadable(path, reason));
    }
    if is_wide(bytes) {
        return Some(FileAudit::unreadable(path, "it is UTF-16 or UTF-32; convert it to UTF-8"));
    }
    let mut audited = match std::str::from_utf8(bytes) {
        Ok(text) => auditor.file(path, text),
        Err(_) => FileAudit::unreadable(path, "it is not UTF-8"),
    };
    // Folders may contain unrelated files.
    let mentions = || auditor.mentioned(bytes).is_some();
    if !input.is_named && audited.unreadable.is_some() && !mentions() {
        audited.unreadable = None;
    }
    Some(audited)
}

/// True for text in UTF-16 or UTF-32: it has a byte order mark, or begins with an ASCII character.
fn is_wide(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0xff, 0xfe])
        || bytes.starts_with(&[0xfe, 0xff])
        || bytes.get(..2).is_some_and(|first| first.contains(&0))
}

/// Writes the migrated files, if there is a place for them.
fn write(arguments: &Arguments, inputs: &[&InputFile], run: &mut Run) {
    let mut files = Vec::new();
    for (input, audited) in inputs.iter().zip(&run.files) {
        let Some(text) = &audited.migrated else { continue };
        let path = if arguments.in_place {
            audited.path.clone()
        } else if let Some(folder) = &arguments.output {
            folder.join(audited.path.strip_prefix(&input.base).unwrap_or(&audited.path))
        } else {
            return;
        };
        files.push(NewFile { path, text });
    }
    match replace_all(&files) {
        Ok(()) => run.written = files.into_iter().map(|file| file.path).collect(),
        Err(failed) => {
            run.written = failed.changed;
            run.errors.push(format!("{:#}", failed.error));
        }
    }
}
