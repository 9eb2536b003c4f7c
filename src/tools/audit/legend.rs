//! Labels in the legends of Grafana panels: `{{ label }}`.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::document::Edit;

/// The labels that a legend uses.
pub(super) fn labels(legend: &str) -> BTreeSet<String> {
    let text = |at: Range<usize>| legend.get(at).map(str::to_owned);
    ranges(legend).into_iter().filter_map(text).collect()
}

/// The edits that rename labels in a legend.
pub(super) fn edits(legend: &str, renames: &BTreeMap<String, String>) -> Vec<Edit> {
    let edit = |at: Range<usize>| {
        let to = renames.get(legend.get(at.clone())?)?;
        Some(Edit::replace(at, to))
    };
    ranges(legend).into_iter().filter_map(edit).collect()
}

/// The bytes of each label.
fn ranges(legend: &str) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let mut from = 0;
    while let Some(open) = legend.get(from..).and_then(|rest| rest.find("{{")) {
        let start = from + open + 2;
        let Some(close) = legend.get(start..).and_then(|rest| rest.find("}}")) else { break };
        let inner = legend.get(start..start + close).unwrap_or_default();
        let label = start + inner.len() - inner.trim_start().len();
        ranges.push(label..label + inner.trim().len());
        from = start + close + 2;
    }
    ranges
}
