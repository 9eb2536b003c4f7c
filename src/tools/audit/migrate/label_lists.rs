//! Changes of the label lists of a query: `by (…)`, `without (…)`, `on (…)` and the like.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::document::Edit;
use crate::tools::audit::promql::{Expr, LabelList};

/// The label lists that gain or lose labels, by their first byte.
#[derive(Debug, Default)]
pub(super) struct LabelLists {
    changed: BTreeMap<usize, (Range<usize>, Vec<String>)>,
}

impl LabelLists {
    /// The labels of a list, to be changed.
    pub(super) fn labels_mut(&mut self, list: &LabelList) -> &mut Vec<String> {
        let labels = || list.labels.iter().map(|(label, _)| label.clone()).collect();
        let entry = self.changed.entry(list.at.start);
        &mut entry.or_insert_with(|| (list.at.clone(), labels())).1
    }

    /// The edits of all lists. Changed lists are written anew; in others, labels are renamed in place.
    pub(super) fn edits(&self, expr: &Expr, renamed: &BTreeMap<String, String>) -> Vec<Edit> {
        let mut edits = Vec::new();
        for list in expr.label_lists() {
            if self.changed.contains_key(&list.at.start) {
                continue;
            }
            for (label, at) in &list.labels {
                if let Some(to) = renamed.get(label) {
                    edits.push(Edit::replace(at.clone(), to));
                }
            }
        }
        for (at, labels) in self.changed.values() {
            let new_name = |label: &String| renamed.get(label).unwrap_or(label).clone();
            let labels: Vec<String> = labels.iter().map(new_name).collect();
            edits.push(Edit::replace(at.clone(), format!("({})", labels.join(", "))));
        }
        edits
    }
}
