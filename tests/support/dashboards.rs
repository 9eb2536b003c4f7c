//! Dashboards and rules for `audit`, from `tests/audit`.

use std::path::{Path, PathBuf};

use crossfade::mapping::{Emit, Generation};
use crossfade::packs;
use crossfade::tools::audit::{Auditor, FileAudit, Finding};

use super::root;

/// Written for Kong 2.x, with every form of query in every place that can contain one.
pub(crate) const OLD: [&str; 3] = ["old-dashboard.json", "old-rules.yaml", "old-manifests.yaml"];

/// Written for Kong 3.x, with typical mistakes.
pub(crate) const NEW: &str = "new-dashboard.json";

pub(crate) fn fixture(name: &str) -> (PathBuf, String) {
    let path = root("tests/audit").join(name);
    let text = std::fs::read_to_string(&path).expect("a fixture");
    (PathBuf::from(name), text)
}

pub(crate) fn audited(name: &str, to: Generation, absent: &[&str]) -> FileAudit {
    let absent = absent.iter().map(|family| (*family).to_owned()).collect();
    let (path, text) = fixture(name);
    Auditor::new(&packs::builtin(), Emit::Old, to, absent).expect("no edition").file(&path, &text)
}

/// As [`audited`], and queries whose results differ within a known bound are migrated too.
pub(crate) fn audited_with_differences(name: &str, to: Generation, absent: &[&str]) -> FileAudit {
    let absent = absent.iter().map(|family| (*family).to_owned()).collect();
    let (path, text) = fixture(name);
    let auditor = Auditor::new(&packs::builtin(), Emit::Old, to, absent).expect("no edition");
    auditor.allow_differs(true).file(&path, &text)
}

/// Without it, there are no streams. Kong 3 does not count their bandwidth.
pub(crate) const STREAMS: &str = "kong_stream_status";

/// Audits one query: in a recording rule (`record`), so that its labels must be kept, or in a panel.
/// If it is of bandwidth, there are no streams.
pub(crate) fn findings(
    kind: &str,
    query: &str,
    to: Generation,
    allow_differs: bool,
) -> Vec<Finding> {
    let quoted = serde_json::to_string(query).expect("text is JSON");
    let text = match kind {
        "record" => format!("{{\"record\": \"x\", \"expr\": {quoted}}}"),
        _ => format!("{{\"targets\": [{{\"expr\": {quoted}}}]}}"),
    };
    let absent = query.contains("bandwidth").then(|| STREAMS.to_owned());
    let absent = absent.into_iter().collect();
    let auditor = Auditor::new(&packs::builtin(), Emit::Old, to, absent).expect("no edition");
    auditor.allow_differs(allow_differs).file(Path::new("q.json"), &text).findings
}

/// The query in another generation, or why it is not migrated.
pub(crate) fn migrated(kind: &str, query: &str, to: Generation) -> Result<String, String> {
    let found = findings(kind, query, to, false);
    assert_eq!(found.len(), 1, "{query}: {found:?}");
    found[0].migrated.clone().ok_or_else(|| found[0].obstacles.join("; "))
}
