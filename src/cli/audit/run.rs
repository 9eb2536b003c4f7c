//! Reads, audits and writes the files of `audit`.

use std::path::PathBuf;

use anyhow::bail;

use super::apply::Change;
use super::arguments::Arguments;
use super::replace::{NewFile, replace_all};
use crate::apis::Grafana;
use crate::cli::sources::{Audited, Found, Input, Origin, audit_all, find};
use crate::mapping::{self, Emit, Emitted, Generation};
use crate::packs;
use crate::tools::audit::{Auditor, FileAudit, Finding, Impact};

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
    /// Migrated inputs that are not files.
    pub(super) changes: Vec<Change>,
    /// The Grafana of its dashboards.
    pub(super) grafana: Option<Grafana>,
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
    // The auditor knows the edition.
    let to_is_emitted = Emitted::new(emit, &packs).is_ok_and(|emitted| emitted.has(to));
    let Found { inputs, mut errors, grafana } = find(&arguments.paths, &arguments.servers)?;
    let (auditor, Audited { files, inputs, errors: unread }) = audit_all(auditor, &inputs);
    errors.extend(unread);
    let needs = auditor.needs(&files, &packs);
    let changes = changes(arguments, &inputs, &files);
    let written = Vec::new();
    let mut run = Run { to, to_is_emitted, files, written, errors, needs, changes, grafana };
    if arguments.rewrite && run.errors.is_empty() {
        write(arguments, &inputs, &mut run);
    }
    Ok(run)
}

/// The migrated inputs that are not files.
fn changes(arguments: &Arguments, inputs: &[&Input], files: &[FileAudit]) -> Vec<Change> {
    let change = |(input, audited): (&&Input, &FileAudit)| {
        let text = audited.migrated.clone()?;
        let is_file = matches!(input.origin, Origin::File);
        (!is_file).then(|| Change { input: (*input).clone(), text })
    };
    let all = inputs.iter().zip(files).filter(|_| arguments.rewrite);
    all.filter_map(change).collect()
}

/// Writes the migrated files, if there is a place for them.
fn write(arguments: &Arguments, inputs: &[&Input], run: &mut Run) {
    let mut files = Vec::new();
    for (input, audited) in inputs.iter().zip(&run.files) {
        let Some(text) = &audited.migrated else { continue };
        let path = if arguments.in_place {
            match input.origin {
                Origin::File => audited.path.clone(),
                Origin::Dashboard(_) | Origin::RuleGroup(..) => continue,
            }
        } else if let Some(folder) = &arguments.output {
            folder.join(input.file_name())
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
