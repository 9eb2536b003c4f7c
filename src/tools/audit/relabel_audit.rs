//! Audits relabeling rules that read or remove labels: the upgrade must not change what they do.

use std::collections::BTreeSet;

use regex::Regex;

use super::auditor::Auditor;
use super::catalog::Catalog;
use super::finding::{Finding, Impact};
use super::relabeling::Relabeling;
use crate::mapping::{Correspondence, Generation, Meaning};

const NAME: &str = "__name__";

impl Auditor {
    /// A relabeling rule of metrics; `None` if it does the same in both generations.
    pub(super) fn label_rule(&self, rule: &Relabeling) -> Option<Finding> {
        let mut finding = Finding::new(rule.line, "relabeling", &rule.title, &rule.shown());
        let mut affected = BTreeSet::new();
        for it in self.catalog.all().filter(|it| it.derive.is_none()) {
            for (generation, label) in changes(rule, it, &self.catalog) {
                affected.insert(generation);
                let has = &it.side(generation).family;
                let lacks = &it.side(generation.other()).family;
                let detail = format!("label `{label}` of {has} is not the same in {lacks}");
                if !finding.details.contains(&detail) {
                    finding.details.push(detail);
                }
            }
        }
        if affected.is_empty() {
            return None;
        }
        finding.direct = Impact::Unknown;
        // With the old generation, nothing changes for the rule.
        if self.emitted.has(Generation::New) {
            finding.gateway = Impact::Unknown;
        }
        finding.generations = affected.iter().copied().map(Generation::as_str).collect();
        if affected.contains(&self.to.other()) {
            finding.obstacles.push("relabeling rules are not migrated".to_owned());
        }
        Some(finding)
    }
}

/// The labels by which a relabeling rule does something else with the samples of one side than with
/// those of the other.
fn changes(
    rule: &Relabeling,
    pair: &Correspondence,
    catalog: &Catalog,
) -> Vec<(Generation, String)> {
    let differing = differing(pair);
    if rule.is_of_labels() {
        let Ok(regex) = anchored(&rule.pattern) else { return differing };
        let is_hit = |label: &str| regex.is_match(label) == (rule.action != "labelkeep");
        let mut hit = differing;
        hit.retain(|(generation, label)| {
            let other = match pair.side(*generation).meaning(label) {
                Some(Meaning::Carried(other)) => is_hit(other),
                // No two series differ only in it.
                Some(Meaning::Own) if pair.single_valued.contains(label) => is_hit(label),
                _ => false,
            };
            is_hit(label) != other
        });
        return hit;
    }
    let may_match = |family: &str| matches_name(rule, family, &catalog.series_names(family));
    let (old, new) = (may_match(&pair.old.family), may_match(&pair.new.family));
    let mut used = differing;
    let uses = |label: &String| rule.sources.contains(label) || rule.target.as_ref() == Some(label);
    used.retain(|(_, label)| (old || new) && uses(label));
    // A rule of the name alone is audited as a pattern of names.
    if rule.sources.len() > 1 && old != new {
        let generation = if old { Generation::Old } else { Generation::New };
        used.push((generation, NAME.to_owned()));
    }
    used
}

/// The labels that one side has and the other has not, has under another name, or with other values.
pub(super) fn differing(pair: &Correspondence) -> Vec<(Generation, String)> {
    let mut labels = Vec::new();
    for generation in [Generation::Old, Generation::New] {
        let other = pair.side(generation.other());
        for (label, meaning) in &pair.side(generation).labels {
            let is_same = match meaning {
                Meaning::Own => false,
                Meaning::Fixed(_) => other.meaning(label) == Some(meaning),
                Meaning::Carried(to) => to == label && !pair.edited.contains(label),
            };
            if !is_same {
                labels.push((generation, label.clone()));
            }
        }
    }
    labels
}

/// True if the pattern may match a series of a family. Without the name as a source, it may.
fn matches_name(rule: &Relabeling, family: &str, series: &[String]) -> bool {
    let Some(index) = rule.sources.iter().position(|it| it == NAME) else { return true };
    let Some(alternatives) = rule.parts() else { return rule.pattern.contains(family) };
    alternatives.iter().any(|parts| {
        let Some(Ok(regex)) = parts.get(index).map(|part| anchored(part)) else { return true };
        series.iter().any(|name| regex.is_match(name))
    })
}

fn anchored(pattern: &str) -> Result<Regex, regex::Error> {
    Regex::new(&format!("^(?s:{pattern})$"))
}
