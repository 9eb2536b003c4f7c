//! Unit tests of rules (`promtool test rules`) are migrated together with their rules, or not at
//! all.

use std::path::{Component, Path, PathBuf};

use super::finding::FileAudit;

/// Leaves unit tests as they are whose rules are not migrated as well.
pub fn hold_back_unit_tests(files: &mut [FileAudit]) {
    for index in 0..files.len() {
        let Some(file) = files.get(index).filter(|it| it.is_unit_test && it.migrated.is_some())
        else {
            continue;
        };
        let folder = file.path.parent().unwrap_or(Path::new(""));
        let held = file.rule_files.iter().find_map(|rules| {
            let wanted = normalised(&folder.join(rules));
            let is_migrated = |it: &FileAudit| {
                normalised(&it.path) == wanted
                    && it.findings.iter().all(|finding| finding.obstacles.is_empty())
            };
            if files.iter().any(is_migrated) { None } else { Some(rules.clone()) }
        });
        if let (Some(rules), Some(file)) = (held, files.get_mut(index)) {
            file.migrated = None;
            for finding in &mut file.findings {
                if finding.migrated.take().is_some() {
                    finding.obstacles.push(format!(
                        "a unit test is migrated only with all of its rules; audit {rules} in the \
                         same run"
                    ));
                }
            }
        }
    }
}

/// A path without `.` and `a/..`.
fn normalised(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if normal.file_name().is_some() => {
                normal.pop();
            }
            part => normal.push(part),
        }
    }
    normal
}
