//! Changes of the label lists of a query: `by (…)`, `without (…)`, `on (…)` and the like.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::input::Input;
use crate::document::Edit;
use crate::tools::audit::promql::LabelList;

/// The label lists that gain or lose labels, by their first byte.
#[derive(Debug, Default)]
pub(super) struct LabelLists {
    changed: BTreeMap<usize, Changes>,
}

/// The changes of one list.
#[derive(Debug, Default)]
struct Changes {
    removed: BTreeSet<String>,
    added: Vec<String>,
}

impl LabelLists {
    /// Removes a label, if the list has it.
    pub(super) fn remove(&mut self, list: &LabelList, label: &str) {
        if list.has(label) {
            let changes = self.changed.entry(list.at.start).or_default();
            changes.removed.insert(label.to_owned());
        }
    }

    /// Adds a label, if the list does not have it.
    pub(super) fn add(&mut self, list: &LabelList, label: &str) {
        let changes = self.changed.entry(list.at.start).or_default();
        let is_removed = changes.removed.remove(label);
        let is_added = changes.added.iter().any(|its| its == label);
        if !(is_removed || is_added || list.has(label)) {
            changes.added.push(label.to_owned());
        }
    }

    /// True if a list loses all of its labels.
    pub(super) fn empties(&self, input: &Input<'_>, list: &LabelList) -> bool {
        self.changed.get(&list.at.start).is_some_and(|changes| {
            let is_removed = |(label, at): &(String, Range<usize>)| {
                !input.masked.has_variable(at) && changes.removed.contains(label)
            };
            !list.labels.is_empty()
                && changes.added.is_empty()
                && list.labels.iter().all(is_removed)
        })
    }

    /// The edits of all lists but those in `skipped`, by their first byte. Variables and labels that
    /// stay keep their text.
    pub(super) fn edits(
        &self,
        input: &Input<'_>,
        renamed: &BTreeMap<String, String>,
        skipped: &BTreeSet<usize>,
    ) -> Vec<Edit> {
        let mut edits = Vec::new();
        let none = Changes::default();
        let lists = input.expr.label_lists().into_iter();
        for list in lists.filter(|list| !skipped.contains(&list.at.start)) {
            let changes = self.changed.get(&list.at.start).unwrap_or(&none);
            let stays = list.labels.iter().filter(|(label, at)| {
                input.masked.has_variable(at) || !changes.removed.contains(label)
            });
            let new_name =
                |label: &str| renamed.get(label).map_or(label, String::as_str).to_owned();
            let added = changes.added.iter().map(|label| new_name(label));
            if list.labels.is_empty() || stays.clone().count() < list.labels.len() {
                let texts = stays.map(|(label, at)| match renamed.get(label) {
                    Some(to) => to.clone(),
                    None => input.slice(at).to_owned(),
                });
                let texts: Vec<String> = texts.chain(added).collect();
                edits.push(Edit::replace(list.at.clone(), format!("({})", texts.join(", "))));
                continue;
            }
            for (label, at) in &list.labels {
                if let Some(to) = renamed.get(label) {
                    edits.push(Edit::replace(at.clone(), to));
                }
            }
            if let Some((_, last)) = list.labels.last().filter(|_| !changes.added.is_empty()) {
                let added: Vec<String> = added.collect();
                edits.push(Edit::after(last.end, format!(", {}", added.join(", "))));
            }
        }
        edits
    }
}
