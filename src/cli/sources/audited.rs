//! Audits all inputs.

use super::input::Input;
use crate::cli::progress::Progress;
use crate::tools::audit::{Auditor, FileAudit, hold_back_unit_tests};

/// The audits of the inputs that have queries.
#[derive(Debug)]
pub(in crate::cli) struct Audited<'a> {
    pub(in crate::cli) files: Vec<FileAudit>,
    /// The input of each file.
    pub(in crate::cli) inputs: Vec<&'a Input>,
    /// What could not be read.
    pub(in crate::cli) errors: Vec<String>,
}

/// Audits all inputs. A rule of one can record what a query of another one reads.
pub(in crate::cli) fn audit_all(auditor: Auditor, found: &[Input]) -> (Auditor, Audited<'_>) {
    let auditor = auditor_with_recorded(auditor, found);
    let mut all = Audited { files: Vec::new(), inputs: Vec::new(), errors: Vec::new() };
    let mut progress = Progress::new();
    for (index, input) in found.iter().enumerate() {
        progress.count("auditing file", index + 1, found.len());
        match input.read() {
            Ok(bytes) => {
                if let Some(audited) = audit(&auditor, input, &bytes) {
                    all.files.push(audited);
                    all.inputs.push(input);
                }
            }
            Err(error) => all.errors.push(format!("cannot read {}: {error}", input.path.display())),
        }
    }
    hold_back_unit_tests(&mut all.files);
    (auditor, all)
}

fn auditor_with_recorded(auditor: Auditor, found: &[Input]) -> Auditor {
    if found.len() < 2 {
        // The auditor knows what the rules of the audited file itself record.
        return auditor;
    }
    let texts = found.iter().filter(|it| it.is_known).filter_map(|it| {
        let text = String::from_utf8(it.read().ok()?).ok()?;
        Some((&it.path, text))
    });
    let recorded = texts.flat_map(|(path, text)| auditor.recorded_in(path, &text)).collect();
    auditor.recorded(recorded)
}

/// Audits one file. `None` if it is not a file with queries.
fn audit(auditor: &Auditor, input: &Input, bytes: &[u8]) -> Option<FileAudit> {
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
