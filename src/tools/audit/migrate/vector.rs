//! Migrates the vector of one selector, and the query around it.

use super::emptied::{Emptied, emptied};
use super::input::{Input, Migration};
use super::label_diff::LabelDiff;
use super::label_lists::LabelLists;
use super::label_names::LabelNames;
use super::label_values::edit_label_values;
use super::scaled::{factor_of_member, scaled};
use super::select::{Selected, Selection};
use super::selector::edit_selector;
use super::wrap::wrapping;
use crate::document::{Edit, apply};
use crate::mapping::{Correspondence, Meaning};
use crate::tools::audit::promql::words;

/// The edits of the whole query.
pub(super) fn edit_query(
    input: &Input<'_>,
    selection: &Selection<'_>,
) -> Result<Migration, String> {
    let names = LabelNames::new(input, selection);
    let mut lists = LabelLists::default();
    let mut migration = Migration { renames: names.renamed.clone(), ..Migration::default() };
    for selected in &selection.selected {
        let Some(label) = input.values_of else {
            migration.edits.extend(edit_vector(input, selected, &names, &mut lists)?);
            continue;
        };
        migration.edits.extend(edit_label_values(input, selected, label)?);
        for rule in &selected.rules {
            if let Some(Meaning::Carried(other)) = rule.side(input.from).meaning(label) {
                migration.renames.insert(label.to_owned(), other.clone());
            }
        }
    }
    let scaled = scaled(input, selection)?;
    migration.edits.splice(0..0, scaled.before);
    migration.edits.extend(scaled.after);
    let emptied = emptied(input, selection, &lists);
    migration.edits.extend(emptied.iter().flat_map(Emptied::edits));
    let lists_of_emptied = emptied.iter().filter_map(Emptied::list).collect();
    migration.edits.extend(lists.edits(input, &names.renamed, &lists_of_emptied));
    Ok(migration)
}

/// The edits of one vector. A vector of several families becomes `a or b`.
fn edit_vector(
    input: &Input<'_>,
    selected: &Selected<'_>,
    names: &LabelNames,
    lists: &mut LabelLists,
) -> Result<Vec<Edit>, String> {
    let vector = selected.usage.vector.clone();
    if let [rule] = selected.rules[..] {
        let mut edits = edit_selector(input, selected, rule)?;
        edits.extend(selected.restored.removed.iter().map(|at| Edit::replace(at.clone(), "")));
        let wrapping = wrapping(input, selected, rule, names, false, lists)?;
        if !wrapping.before.is_empty() {
            edits.push(Edit::before(vector.start, wrapping.before));
            edits.push(Edit::after(vector.end, wrapping.after));
        }
        return Ok(edits);
    }
    if !selected.restored.removed.is_empty() {
        return Err(format!("{} becomes several families", selected.family.family));
    }
    let text = input.slice(&vector);
    if text.contains('#') {
        return Err("it becomes several families, and contains a comment".to_owned());
    }
    if selected.usage.is_of_series() {
        return Err(format!("{} becomes several families", selected.family.family));
    }
    let lost = |rule: &Correspondence| -> Vec<(String, String)> {
        let lost = LabelDiff::new(rule, input.from).lost;
        lost.iter().map(|(label, value)| ((*label).to_owned(), (*value).to_owned())).collect()
    };
    // `or` drops series of its right side that have the labels of a series on the left. Members
    // that differ only in their family names need their labels back.
    let keep_lost = selected.rules.iter().any(|it| lost(it) != lost(selected.rules[0]));
    let mut members = Vec::new();
    for rule in &selected.rules {
        let edits = edit_selector(input, selected, rule)?;
        let within = edits.into_iter().map(|edit| Edit {
            at: edit.at.start - vector.start..edit.at.end - vector.start,
            ..edit
        });
        let member = apply(text, &within.collect::<Vec<_>>()).unwrap_or_default();
        let wrapping = wrapping(input, selected, rule, names, keep_lost, lists)?;
        let factor = factor_of_member(input, selected, rule)?;
        let member = words(&member).join(" ");
        members.push(format!("{}{member}{}{factor}", wrapping.before, wrapping.after));
    }
    let union = members.join(" or ");
    let union = if selected.usage.is_delimited { union } else { format!("({union})") };
    Ok(vec![Edit::replace(vector, union)])
}
