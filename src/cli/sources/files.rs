//! Files with dashboards and rules, and folders of them.

use std::path::{Path, PathBuf};

use super::input::{Input, Origin};

/// Extensions of files that can contain dashboards or rules.
const KNOWN: [&str; 4] = ["json", "yaml", "yml", "rules"];

/// Extensions of files in folders that mention families without using them.
const PROSE: [&str; 8] = ["md", "markdown", "rst", "adoc", "txt", "html", "log", "csv"];

/// All files of the arguments, sorted within each, and what cannot be read.
pub(super) fn find(paths: &[PathBuf]) -> (Vec<Input>, Vec<String>) {
    let (mut files, mut errors) = (Vec::new(), Vec::new());
    for path in paths {
        if path.is_dir() {
            let first = files.len();
            folder(path, path, &mut files, &mut errors);
            files[first..].sort_by(|a, b| a.path.cmp(&b.path));
        } else {
            let base = path.parent().unwrap_or(path).to_owned();
            files.push(Input {
                path: path.clone(),
                base,
                is_named: true,
                is_known: true,
                origin: Origin::File,
            });
        }
    }
    (files, errors)
}

fn folder(at: &Path, base: &Path, files: &mut Vec<Input>, errors: &mut Vec<String>) {
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
                files.push(Input {
                    path,
                    base: base.to_owned(),
                    is_named: false,
                    is_known,
                    origin: Origin::File,
                });
            }
        }
    }
}
