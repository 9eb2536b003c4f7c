//! What the packs say about a family that is missing.

use crate::mapping::{Generation, Hint, Pack, Plan};

/// A family, and the labels that select the samples in question.
type Selection = (String, Vec<String>);

/// The hints for a family that a generation lacks, or for the families that it would be made from.
/// `plans` are those that emit the old and the new generation.
pub(super) fn hints(
    packs: &[Pack],
    plans: [&Plan; 2],
    family: &str,
    lacks: Generation,
) -> Vec<String> {
    let text = |name: &[u8]| name.escape_ascii().to_string();
    let mut selections: Vec<Selection> = vec![(family.to_owned(), Vec::new())];
    for plan in plans {
        for output in plan.outputs.iter().filter(|output| *output.name == *family.as_bytes()) {
            selections.extend(output.rules.iter().map(|id| {
                let rule = plan.rule(*id);
                let equal = rule.when.equal.iter();
                let equal =
                    equal.map(|(label, value)| format!("{}={:?}", text(label), text(value)));
                (text(&rule.from), equal.collect())
            }));
        }
    }
    // A family that exists only in the other generation is not what is missing.
    selections.retain(|(name, _)| {
        let family = plans[0].families.get(name.as_bytes());
        family.and_then(|family| family.generation) != Some(lacks.other())
    });
    let mut hints: Vec<String> = Vec::new();
    let applies = |hint: &&Hint| selections.iter().any(|it| covers(&hint.when_missing, it));
    for hint in packs.iter().flat_map(Pack::hints).filter(applies) {
        if !hints.contains(&hint.say) {
            hints.push(hint.say.clone());
        }
    }
    hints
}

/// True if a hint's selector (`family{label="value", other=$x}`) is about a selection.
fn covers(when_missing: &str, (family, fixed): &Selection) -> bool {
    let (name, labels) = when_missing.split_once('{').unwrap_or((when_missing, ""));
    let labels = labels.trim_end_matches('}').split(',').map(str::trim);
    let mut labels = labels.filter(|label| !label.is_empty());
    // The name of a variable is arbitrary.
    let same = |it: &str, label: &str| it == label || (it.ends_with('$') && label.starts_with(it));
    family == name.trim() && labels.all(|label| fixed.iter().any(|it| same(it, label)))
}
