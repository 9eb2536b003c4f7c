//! What the packs say about a family that is missing.

use crate::mapping::{Generation, Pack, Plan, correspondences};
use crate::tools::hints::{Selection, selection, texts};

/// The hints for a family that a generation lacks, or for the families that it would be made from.
pub(super) fn hints(packs: &[Pack], plan: &Plan, family: &str, lacks: Generation) -> Vec<String> {
    let mut selections: Vec<Selection> = vec![(family.to_owned(), Vec::new())];
    let rules = correspondences(packs);
    let makes = rules.iter().filter(|it| it.side(lacks.other()).family == family);
    selections.extend(makes.map(|rule| selection(rule, lacks)));
    // A family that exists only in the other generation is not what is missing.
    selections.retain(|(name, _)| {
        let family = plan.families.get(name.as_bytes());
        family.and_then(|family| family.generation) != Some(lacks.other())
    });
    texts(packs, selections.iter())
}
