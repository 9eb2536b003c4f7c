//! What packs say about families that are missing.

use crate::mapping::{Correspondence, Generation, Hint, Meaning, Pack};

/// A family, and the labels of the samples in question: `label="value"`, or `label=$` for any
/// value.
pub(super) type Selection = (String, Vec<String>);

/// The samples of one side of a rule.
pub(super) fn selection(rule: &Correspondence, generation: Generation) -> Selection {
    let shape = rule.side(generation);
    let labels = shape.labels.iter().filter_map(|(label, meaning)| match meaning {
        Meaning::Fixed(value) => Some(format!("{label}={value:?}")),
        Meaning::Carried(_) => Some(format!("{label}=$")),
        Meaning::Own => None,
    });
    (shape.family.clone(), labels.collect())
}

/// The texts of the hints about any of these samples, each once. A hint about samples with a label
/// is preferred to one about all samples of the family.
pub(super) fn texts<'a>(
    packs: &[Pack],
    selections: impl Iterator<Item = &'a Selection>,
) -> Vec<String> {
    let mut texts: Vec<String> = Vec::new();
    for selection in selections {
        let hints: Vec<&Hint> =
            packs.iter().flat_map(Pack::hints).filter(|hint| covers(hint, selection)).collect();
        let is_of_label = |hint: &&Hint| hint.when_missing.contains("=$");
        let has_label = hints.iter().any(is_of_label);
        for hint in hints.iter().filter(|hint| !has_label || is_of_label(hint)) {
            if !texts.contains(&hint.say) {
                texts.push(hint.say.clone());
            }
        }
    }
    texts
}

/// True if a hint's selector (`family{label="value", other=$x}`) is about a selection.
fn covers(hint: &Hint, (family, fixed): &Selection) -> bool {
    // The name of a pattern has braces too, and a hint about it has no labels.
    let (_, labels) = hint.when_missing.rsplit_once('{').unwrap_or_default();
    let labels = labels.trim_end_matches('}').split(',').map(str::trim);
    let mut labels = labels.filter(|label| label.contains('='));
    // The name of a variable is arbitrary.
    let same = |it: &str, label: &str| it == label || (it.ends_with('$') && label.starts_with(it));
    hint.is_about(family) && labels.all(|label| fixed.iter().any(|it| same(it, label)))
}
