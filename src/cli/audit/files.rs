//! The files of `audit`.

use std::path::{Path, PathBuf};

/// Extensions of files that can contain dashboards or rules.
const KNOWN: [&str; 4] = ["json", "yaml", "yml", "rules"];

/// Extensions of files in folders that mention families without using them.
const PROSE: [&str; 8] = ["md", "markdown", "rst", "adoc", "txt", "html", "log", "csv"];

/// A file to audit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct InputFile {
    pub(super) path: PathBuf,
    /// The folder that it was found in. The output has the same structure.
    pub(super) base: PathBuf,
    /// The file is an argument, not one that a folder contains.
    pub(super) is_named: bool,
    /// The extension is that of a dashboard or rule file. Others are only searched for names.
    pub(super) is_known: bool,
}

/// All files of the arguments, sorted within each, and what cannot be read.
pub(super) fn find(paths: &[PathBuf]) -> (Vec<InputFile>, Vec<String>) {
    let (mut files, mut errors) = (Vec::new(), Vec::new());
    for path in paths {
        if path.is_dir() {
            let first = files.len();
            folder(path, path, &mut files, &mut errors);
            files[first..].sort_by(|a, b| a.path.cmp(&b.path));
        } else {
            let base = path.parent().unwrap_or(path).to_owned();
            files.push(InputFile { path: path.clone(), base, is_named: true, is_known: true });
        }
    }
    (files, errors)
}

fn folder(at: &Path, base: &Path, files: &mut Vec<InputFile>, errors: &mut Vec<String>) {
    let entries = match std::fs::read_dir(at) {
        Ok(entries) => entries,
        Err(error) => return errors.push(format!("cannot read {}: {error}", at.display())),
    };
    for entry in entries {
        let (path, kind) = match entry.and_then(|entry| Ok((entry.path(), entry.file_type()?))) {
            Ok(found) => found,
            Err(error) => {
                errors.push(format!("cannot read {}: {error}", at.display()));
                continue;
            }
        };
        // Links to folders are not followed, because they can form a loop.
        if kind.is_dir() {
            let is_hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes()[0] == b'.');
            if !is_hidden {
                folder(&path, base, files, errors);
            }
        } else if path.is_file() {
            let has = |known: &[&str]| {
                path.extension().is_some_and(|it| known.iter().any(|known| it == *known))
            };
            if !has(&PROSE) {
                let is_known = has(&KNOWN);
                files.push(InputFile { path, base: base.to_owned(), is_named: false, is_known });
            }
        }
    }
}
