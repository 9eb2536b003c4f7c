//! Labels of the result that may change: those that only the query itself and its legend use.

use std::collections::{BTreeMap, BTreeSet};

use super::input::Input;
use super::label_diff::LabelDiff;
use super::select::{Selected, Selection};
use crate::tools::audit::vector_use::{SelectorUse, labels_in_functions};

/// Labels that may have another name after the migration, or be missing.
#[derive(Debug, Default)]
pub(super) struct LabelNames {
    pub(super) renamed: BTreeMap<String, String>,
    pub(super) lost: BTreeSet<String>,
}

impl LabelNames {
    pub(super) fn new(input: &Input<'_>, selection: &Selection<'_>) -> LabelNames {
        let mut names = LabelNames::default();
        if input.labels_matter && input.values_of.is_none() {
            return names;
        }
        let in_functions = labels_in_functions(&input.masked.text, input.expr);
        let in_list = |label: &str| input.expr.label_lists().iter().any(|it| it.has(label));
        let from = input.from;
        // A label can only change if it changes in every vector that has it.
        let in_every_vector = |label: &str, changes: &dyn Fn(&LabelDiff<'_>) -> bool| {
            let all_rules = |it: &Selected<'_>| {
                it.rules.iter().all(|rule| changes(&LabelDiff::new(rule, from)))
            };
            // A list that removes a label must name it as each vector does.
            let uses = |it: &SelectorUse<'_>| it.live.has(label) || it.mentioned.contains(label);
            let mut with_label = selection.selected.iter().filter(|it| uses(&it.usage));
            with_label.all(all_rules) && !selection.unchanged.iter().any(uses)
        };
        for rule in selection.selected.iter().flat_map(|selected| &selected.rules) {
            let diff = LabelDiff::new(rule, from);
            for (label, to) in diff.renamed {
                let same = |diff: &LabelDiff<'_>| diff.renamed.contains(&(label, to));
                let is_free = !input.beside.contains(label)
                    && !in_functions.contains(label)
                    && !in_functions.contains(to)
                    && !in_list(to);
                if is_free && in_every_vector(label, &same) {
                    names.renamed.insert(label.to_owned(), to.to_owned());
                }
            }
            let is_free = |label: &str| {
                !input.legend.contains(label)
                    && !input.beside.contains(label)
                    && !in_functions.contains(label)
                    && !in_list(label)
            };
            for (label, value) in diff.lost {
                let same = |diff: &LabelDiff<'_>| diff.lost.contains(&(label, value));
                if is_free(label) && in_every_vector(label, &same) {
                    names.lost.insert(label.to_owned());
                }
            }
            for label in diff.single_valued {
                let same = |diff: &LabelDiff<'_>| diff.single_valued.contains(label);
                if is_free(label) && in_every_vector(label, &same) {
                    names.lost.insert(label.to_owned());
                }
            }
        }
        names
    }
}
