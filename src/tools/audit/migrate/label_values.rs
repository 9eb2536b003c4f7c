//! Migrates the selector of `label_values(selector, label)`.

use super::input::Input;
use super::select::Selected;
use super::selector::edit_selector;
use crate::document::{Edit, apply};
use crate::mapping::Meaning;

/// The edits of the selector. Several families become one selector with a pattern of names, because
/// `label_values` takes only one selector.
pub(super) fn edit_label_values(
    input: &Input<'_>,
    selected: &Selected<'_>,
    label: &str,
) -> Result<Vec<Edit>, String> {
    let mut selectors = Vec::new();
    for rule in &selected.rules {
        match rule.side(input.from).meaning(label) {
            Some(Meaning::Fixed(_)) => {
                return Err(format!(
                    "the values of `{label}` are family names in the other generation"
                ));
            }
            Some(Meaning::Own) => {
                return Err(format!("the other generation has no label `{label}`"));
            }
            _ => {}
        }
        selectors.push(edit_selector(input, selected, rule)?);
    }
    if let [edits] = &selectors[..] {
        return Ok(edits.clone());
    }
    let braces = |edits: &[Edit]| edits.get(1..).map(<[Edit]>::to_vec).unwrap_or_default();
    let first = braces(&selectors[0]);
    let function = selected.usage.function;
    let is_plain = function.is_none() && selected.usage.selector.name_matcher.is_none();
    if selectors.iter().any(|edits| braces(edits) != first) || !is_plain {
        return Err(format!("{} becomes several families", selected.family.family));
    }
    let names: Vec<&str> = selectors.iter().map(|edits| edits[0].text.as_str()).collect();
    let vector = &selected.usage.vector;
    let name = selected.usage.selector.name.clone().ok_or("it has no name")?;
    let within: Vec<Edit> = first
        .into_iter()
        .map(|edit| Edit { at: edit.at.start - vector.start..edit.at.end - vector.start, ..edit })
        .chain([Edit::replace(name.start - vector.start..name.end - vector.start, "")])
        .collect();
    let rest = apply(input.slice(vector), &within).unwrap_or_default();
    let inner = rest.trim().trim_start_matches('{').trim_end_matches('}').trim();
    let separator = if inner.is_empty() { "" } else { "," };
    let pattern = format!("{{__name__=~\"{}\"{separator}{inner}}}", names.join("|"));
    Ok(vec![Edit::replace(vector.clone(), pattern)])
}
