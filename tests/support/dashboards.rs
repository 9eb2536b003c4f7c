//! Dashboards and rules for `audit`, from `tests/audit`.

use std::path::PathBuf;

use crossfade::mapping::{Emit, Generation};
use crossfade::packs;
use crossfade::tools::audit::{Auditor, FileAudit};

use super::root;

/// Written for Kong 2.x, with every form of query in every place that can contain one.
pub(crate) const OLD: [&str; 3] = ["old-dashboard.json", "old-rules.yaml", "old-manifests.yaml"];

/// Written for Kong 3.x, mistakes of others included.
pub(crate) const NEW: &str = "new-dashboard.json";

pub(crate) fn fixture(name: &str) -> (PathBuf, String) {
    let path = root("tests/audit").join(name);
    let text = std::fs::read_to_string(&path).expect("a fixture");
    (PathBuf::from(name), text)
}

pub(crate) fn audited(name: &str, to: Generation, absent: &[&str]) -> FileAudit {
    let absent = absent.iter().map(|family| (*family).to_owned()).collect();
    let (path, text) = fixture(name);
    Auditor::new(&packs::builtin(), Emit::Old, to, absent).file(&path, &text)
}
