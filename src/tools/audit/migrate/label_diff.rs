//! How the labels of a family differ between the two sides of a rule.

use std::collections::BTreeSet;

use crate::mapping::{Correspondence, Generation, Meaning};

/// The labels that differ between the source and the target of a migration.
pub(super) struct LabelDiff<'a> {
    /// Labels that only the source has.
    pub(super) only_source: BTreeSet<&'a str>,
    /// Those of them that have one value in each target at a time: no two series differ only in them.
    pub(super) single_valued: BTreeSet<&'a str>,
    /// Labels that only the target has.
    pub(super) only_target: BTreeSet<&'a str>,
    /// Labels with a fixed value in the source that the target lacks or has with another value.
    pub(super) lost: Vec<(&'a str, &'a str)>,
    /// Labels with a fixed value in the target that the source lacks or has with another value.
    pub(super) added: BTreeSet<&'a str>,
    /// Labels that have another name in the target.
    pub(super) renamed: Vec<(&'a str, &'a str)>,
}

impl<'a> LabelDiff<'a> {
    pub(super) fn new(rule: &'a Correspondence, from: Generation) -> LabelDiff<'a> {
        let (source, target) = (rule.side(from), rule.side(from.other()));
        let mut diff = LabelDiff {
            only_source: BTreeSet::new(),
            single_valued: BTreeSet::new(),
            only_target: BTreeSet::new(),
            lost: Vec::new(),
            added: BTreeSet::new(),
            renamed: Vec::new(),
        };
        for (label, meaning) in &source.labels {
            match meaning {
                Meaning::Own => {
                    diff.only_source.insert(label);
                    if rule.single_valued.contains(label) {
                        diff.single_valued.insert(label);
                    }
                }
                Meaning::Fixed(value) if target.meaning(label) != Some(meaning) => {
                    diff.lost.push((label, value));
                }
                Meaning::Carried(other) if other != label => diff.renamed.push((label, other)),
                Meaning::Fixed(_) | Meaning::Carried(_) => {}
            }
        }
        for (label, meaning) in &target.labels {
            match meaning {
                Meaning::Own => drop(diff.only_target.insert(label)),
                Meaning::Fixed(_) if source.meaning(label) != Some(meaning) => {
                    diff.added.insert(label);
                }
                Meaning::Fixed(_) | Meaning::Carried(_) => {}
            }
        }
        diff
    }
}
