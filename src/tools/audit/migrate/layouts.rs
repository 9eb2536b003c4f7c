//! Buckets of different layouts must not be added up, and a layout must not become visible.

use super::input::Input;
use super::label_diff::LabelDiff;
use super::select::{Selected, Selection};
use crate::mapping::{Boundary, Correspondence, Generation};
use crate::tools::audit::matching::{Match, matches};
use crate::tools::estimates::quantile_bound;

/// Checks the selectors of buckets that select all boundaries. Returns how far the result of the
/// migrated query can be from the original.
///
/// # Errors
///
/// The result has one row for each boundary, or boundaries of different layouts meet in one sum.
pub(super) fn check_layouts(
    input: &Input<'_>,
    selection: &Selection<'_>,
) -> Result<Vec<String>, String> {
    if input.values_of.is_some_and(|label| label != "le") {
        return Ok(Vec::new());
    }
    check_native(input, selection)?;
    let mut notes = Vec::new();
    let whole: Vec<&Selected<'_>> =
        selection.selected.iter().filter(|it| selects_all_boundaries(input, it)).collect();
    for (index, selected) in whole.iter().enumerate() {
        check_visible(input, selected)?;
        check_union(input, selected)?;
        let with_same_quantile = whole.iter().skip(index + 1);
        let mut others =
            with_same_quantile.filter(|it| it.usage.quantile == selected.usage.quantile);
        let layout = target_layout(input, selected.rules[0]);
        if others.any(|it| it.rules.iter().any(|rule| target_layout(input, rule) != layout)) {
            return Err(SUMMED.to_owned());
        }
        let quantile = selected.usage.quantile;
        let meets_other = selection.unchanged.iter().any(|it| it.quantile == quantile);
        if quantile.is_some() && meets_other && changes_layout(input, selected.rules[0]) {
            return Err(SUMMED.to_owned());
        }
        let changed = selected.rules.iter().filter(|rule| changes_layout(input, rule));
        for note in changed.map(|rule| note(input, rule)) {
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
    }
    Ok(notes)
}

/// The family name alone is a native histogram, with the boundaries of its generation.
fn check_native(input: &Input<'_>, selection: &Selection<'_>) -> Result<(), String> {
    let natives = selection.selected.iter().filter(|it| it.family.suffix.is_empty());
    let mut natives = natives.filter(|it| !it.usage.is_of_series());
    let changes = |it: &Selected<'_>| it.rules.iter().any(|rule| changes_layout(input, rule));
    match natives.find(|it| changes(it)) {
        Some(selected) => Err(format!(
            "it reads {} as a native histogram, which has other boundaries in the other generation; \
             query the series with _bucket, _sum or _count",
            selected.family.family
        )),
        None => Ok(()),
    }
}

/// How far the quantile can be from the original.
fn note(input: &Input<'_>, rule: &Correspondence) -> String {
    let target = target_layout(input, rule);
    let source = rule.boundaries(input.from).unwrap_or_default().iter();
    let exact: Vec<&Boundary> = source.filter(|it| target.contains(&it.bound)).collect();
    let bound = quantile_bound(&exact);
    let bound = bound.unwrap_or_else(|| "no two boundaries are exact".to_owned());
    format!(
        "the quantile is interpolated between other boundaries in the other generation: {bound}"
    )
}

const SUMMED: &str = "it adds buckets of families with different boundaries in the other \
    generation; write one query for each family";

/// Without a quantile, the result itself has the boundaries.
fn check_visible(input: &Input<'_>, selected: &Selected<'_>) -> Result<(), String> {
    let changed = selected.rules.iter().find(|rule| changes_spelling(input, rule));
    match (changed, selected.usage.quantile) {
        (Some(rule), None) if selected.usage.live.has("le") => {
            let to = input.from.other();
            let layout = rule.boundaries(to).unwrap_or_default().iter();
            let layout: Vec<&str> = layout.map(|it| &*it.text).collect();
            let colon = if layout.is_empty() { "" } else { ": " };
            Err(format!(
                "its result has one row per boundary, and {} has other boundaries{colon}{}",
                rule.side(to).family,
                layout.join(" ")
            ))
        }
        _ => Ok(()),
    }
}

/// Families of one selector may have different layouts only if a label of the result separates
/// them.
fn check_union(input: &Input<'_>, selected: &Selected<'_>) -> Result<(), String> {
    for (index, rule) in selected.rules.iter().enumerate() {
        for other in selected.rules.iter().skip(index + 1) {
            let (ours, others) =
                (LabelDiff::new(rule, input.from), LabelDiff::new(other, input.from));
            let mut lost = ours.lost.iter();
            let are_separate = lost.any(|(label, value)| {
                let differs = |it: &(&str, &str)| it.0 == *label && it.1 != *value;
                selected.usage.live.has(label) && others.lost.iter().any(differs)
            });
            if !are_separate && target_layout(input, rule) != target_layout(input, other) {
                return Err(SUMMED.to_owned());
            }
        }
    }
    Ok(())
}

/// True if a selector selects buckets, and not only those of boundaries that both generations have.
fn selects_all_boundaries(input: &Input<'_>, selected: &Selected<'_>) -> bool {
    let le = input.matchers(&selected.usage, "le");
    let selects = |bound: f64| {
        let text = format!("{bound}");
        le.iter().all(|it| matches(it, &text, input.templated) != Match::No)
    };
    let all = |rule: &&Correspondence| {
        layout(input, rule, input.from).into_iter().all(selects)
            && target_layout(input, rule).into_iter().all(selects)
    };
    selected.family.suffix == "_bucket"
        && !selected.usage.is_of_series()
        && selected.rules.iter().any(all)
}

/// The boundaries of both generations in the unit of the query, so that they can be compared.
fn layout(input: &Input<'_>, rule: &Correspondence, generation: Generation) -> Vec<f64> {
    rule.bounds_in(generation, input.from)
}

fn target_layout(input: &Input<'_>, rule: &Correspondence) -> Vec<f64> {
    layout(input, rule, input.from.other())
}

fn changes_layout(input: &Input<'_>, rule: &Correspondence) -> bool {
    layout(input, rule, input.from) != target_layout(input, rule)
}

/// True if a boundary is missing or written in another way in the other generation, or has another
/// unit.
fn changes_spelling(input: &Input<'_>, rule: &Correspondence) -> bool {
    rule.scale.is_some() || rule.boundaries(input.from) != rule.boundaries(input.from.other())
}
