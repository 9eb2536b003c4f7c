//! The impact of the upgrade on a query, with explanations.

use std::collections::BTreeSet;

use super::availability::is_available;
use super::name_patterns::matched_families;
use crate::mapping::{Correspondence, Emit, Generation, Meaning};
use crate::tools::audit::catalog::{Catalog, FamilyRef};
use crate::tools::audit::finding::Impact;
use crate::tools::audit::matching::{Match, matches};
use crate::tools::audit::promql::{Expr, Matcher};
use crate::tools::audit::template_vars::MaskedQuery;
use crate::tools::audit::vector_use::{LiveLabels, SelectorUse, selector_uses};

/// The generations that a query uses, and the impact of the upgrade on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::tools::audit) struct Verdict {
    pub(in crate::tools::audit) generations: BTreeSet<Generation>,
    /// Without a gateway.
    pub(in crate::tools::audit) direct: Impact,
    /// With a gateway.
    pub(in crate::tools::audit) gateway: Impact,
    pub(in crate::tools::audit) details: Vec<String>,
}

/// Assesses a query; `None` if it uses no family of a pack. `emit` is what the gateway emits.
pub(in crate::tools::audit) fn assess(
    catalog: &Catalog,
    query: &str,
    masked: &MaskedQuery,
    expr: &Expr,
    emit: Emit,
) -> Option<Verdict> {
    let uses = selector_uses(&masked.text, expr);
    let known: Vec<(&SelectorUse<'_>, FamilyRef)> = uses
        .iter()
        .filter_map(|usage| {
            Some((usage, catalog.lookup(query.get(usage.selector.name.clone()?)?)?))
        })
        .collect();
    let matched = matched_families(catalog, query, masked, &uses);
    if known.is_empty() && matched.is_empty() {
        return None;
    }
    let generations = known.iter().filter_map(|(_, family)| family.generation);
    let generations = generations.chain(matched.iter().map(|(generation, _)| *generation));
    let verdict = Verdict {
        generations: generations.collect(),
        direct: Impact::Survives,
        gateway: Impact::Survives,
        details: Vec::new(),
    };
    let mut assessment = Assessment { catalog, query, emit, verdict };
    for (generation, family) in &matched {
        assessment.family_is_gone(*generation, family);
        assessment.detail(format!("the name is a pattern that matches {family}"));
    }
    for (usage, family) in &known {
        assessment.family(usage, family);
    }
    if assessment.verdict.generations.len() == 2 && matched.is_empty() {
        assessment.both_generations(expr);
    }
    for (usage, family) in &known {
        assessment.labels(usage, family);
        assessment.boundaries(usage, family);
    }
    Some(assessment.verdict)
}

struct Assessment<'a> {
    catalog: &'a Catalog,
    query: &'a str,
    emit: Emit,
    verdict: Verdict,
}

impl<'a> Assessment<'a> {
    /// A query of both generations survives if it returns something with one of them.
    fn both_generations(&mut self, expr: &Expr) {
        let available = |gone| is_available(self.catalog, self.query, expr, gone) == Some(true);
        let through_gateway = match self.emit {
            Emit::Old => available(Generation::New),
            Emit::New => available(Generation::Old),
            Emit::Both => false,
        };
        if available(Generation::Old) {
            self.verdict.direct = Impact::Survives;
        }
        if through_gateway {
            self.verdict.gateway = Impact::Survives;
        }
        self.verdict.details.clear();
        self.detail("it uses both generations");
    }

    fn detail(&mut self, detail: impl Into<String>) {
        let detail = detail.into();
        if !self.verdict.details.contains(&detail) {
            self.verdict.details.push(detail);
        }
    }

    fn breaks(&mut self, direct: bool, gateway: bool) {
        if direct {
            self.verdict.direct = Impact::Breaks;
        }
        if gateway {
            self.verdict.gateway = Impact::Breaks;
        }
    }

    /// A family of one generation does not exist where only the other one is exported.
    fn family_is_gone(&mut self, generation: Generation, family: &str) {
        // The gateway forwards a family that no rule replaces.
        let rules = self.catalog.rules(family, generation);
        let passes = rules.iter().all(|it| it.derive.is_some());
        match (generation, self.emit) {
            (Generation::Old, emit) => self.breaks(true, emit == Emit::New && !passes),
            (Generation::New, emit) => self.breaks(false, emit == Emit::Old && !passes),
        }
    }

    fn family(&mut self, usage: &SelectorUse<'_>, family: &FamilyRef) {
        let Some(generation) = family.generation else {
            return;
        };
        self.family_is_gone(generation, &family.family);
        if generation == Generation::Old {
            let rules = self.selected_rules(usage, family);
            let new: BTreeSet<&str> = rules.iter().map(|it| it.new.family.as_str()).collect();
            let new = new.into_iter().collect::<Vec<_>>().join(", ");
            self.detail(format!("{} becomes {new}", family.family));
        }
        if usage.function == Some("absent") && generation == Generation::Old {
            self.detail("`absent` of a family that no longer exists is always true");
        }
    }

    /// The rules whose samples a selector can match, judging by the labels with a fixed value.
    fn selected_rules(
        &self,
        usage: &SelectorUse<'_>,
        family: &FamilyRef,
    ) -> Vec<&'a Correspondence> {
        let generation = family.generation.unwrap_or(Generation::Old);
        let mut rules = self.catalog.migration_rules(&family.family, generation);
        rules.retain(|rule| {
            let mut fixed =
                rule.side(generation).labels.iter().filter_map(|(label, meaning)| match meaning {
                    Meaning::Fixed(value) => Some((label, value)),
                    _ => None,
                });
            fixed.all(|(label, value)| {
                let of_label = |it: &&Matcher| self.query.get(it.label.clone()) == Some(label);
                let mut matchers = usage.selector.matchers.iter().filter(of_label);
                matchers.all(|it| matches(it, value, true) != Match::No)
            })
        });
        rules
    }

    /// Labels that the query names but the family does not have.
    fn labels(&mut self, usage: &SelectorUse<'_>, family: &FamilyRef) {
        let matched = usage.selector.matchers.iter();
        let matched = matched.filter_map(|it| self.query.get(it.label.clone()));
        let labels: BTreeSet<String> =
            matched.map(str::to_owned).chain(usage.named_labels.iter().cloned()).collect();
        let both = [Generation::Old, Generation::New];
        let generations = family.generation.map_or(both.to_vec(), |generation| vec![generation]);
        for label in &labels {
            for generation in &generations {
                if let Some(explanation) = self.missing_label(family, *generation, label) {
                    let same_name = family.generation.is_none();
                    let direct = *generation == Generation::New;
                    let gateway = (*generation == Generation::Old) == (self.emit == Emit::Old);
                    if same_name {
                        self.breaks(direct, gateway && self.emit != Emit::Both);
                    } else {
                        self.breaks(true, true);
                    }
                    let used = if same_name { generation.other() } else { *generation };
                    self.verdict.generations.insert(used);
                    self.detail(format!("{} has no label `{label}`{explanation}", family.family));
                }
            }
        }
        if family.generation.is_none() && matches!(usage.live, LiveLabels::AllBut(_)) {
            for rule in self.catalog.rules(&family.family, Generation::New) {
                for (label, _) in rule.new.labels.iter().filter(|(_, it)| *it == Meaning::Own) {
                    self.detail(format!(
                        "{} has an additional label after the upgrade: `{label}`",
                        family.family
                    ));
                }
            }
        }
    }

    /// Explains that a family lacks a label of the other generation.
    fn missing_label(
        &self,
        family: &FamilyRef,
        generation: Generation,
        label: &str,
    ) -> Option<String> {
        let rules = self.catalog.rules(&family.family, generation);
        if rules.iter().any(|it| it.side(generation).meaning(label).is_some()) {
            return None;
        }
        rules.iter().find_map(|rule| {
            Some(match rule.side(generation.other()).meaning(label)? {
                Meaning::Carried(other) => format!(": it is named `{other}`"),
                Meaning::Fixed(_) => ": it is part of the family's name".to_owned(),
                Meaning::Own => format!(" in the {} generation", generation.as_str()),
            })
        })
    }

    /// Bucket boundaries that only one generation has.
    fn boundaries(&mut self, usage: &SelectorUse<'_>, family: &FamilyRef) {
        let Some(generation) = family.generation.filter(|_| family.suffix == "_bucket") else {
            return;
        };
        let matchers = usage.selector.matchers.iter();
        let le: Vec<_> =
            matchers.filter(|it| self.query.get(it.label.clone()) == Some("le")).collect();
        let mut estimated: Vec<&str> = Vec::new();
        let mut differ = false;
        for rule in self.selected_rules(usage, family) {
            let (Some(these), Some(those)) =
                (rule.boundaries(generation), rule.boundaries(generation.other()))
            else {
                continue;
            };
            for bound in these {
                let exact = those.iter().any(|it| it.bound.total_cmp(&bound.bound).is_eq());
                differ |= !exact;
                let spellings = [bound.text.to_string(), format!("{:.1}", bound.bound)];
                let is_matched = |spelling: &String| {
                    le.iter().all(|it| matches(it, spelling, true) == Match::Yes)
                };
                if !le.is_empty()
                    && !exact
                    && spellings.iter().any(is_matched)
                    && !estimated.contains(&&*bound.text)
                {
                    estimated.push(&bound.text);
                }
            }
        }
        if le.is_empty() && differ {
            self.detail("the generations share only some bucket boundaries: quantiles between them are interpolated");
        }
        let through = generation == Generation::Old && self.emit != Emit::New;
        if !estimated.is_empty() && through {
            self.verdict.gateway = self.verdict.gateway.max(Impact::Differs);
            self.detail(format!("estimated by the gateway: le {}", estimated.join(" ")));
        }
    }
}
