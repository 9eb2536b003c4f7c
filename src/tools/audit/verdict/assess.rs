//! The impact of the upgrade on a query, with explanations.

use std::collections::BTreeSet;

use super::availability::is_available;
use super::boundaries::{BoundaryUse, boundary_use};
use super::name_patterns::{matched_families, near_patterns};
use super::one_sided::OneSided;
use crate::mapping::{Correspondence, Emitted, Generation, Meaning};
use crate::tools::audit::catalog::{Catalog, FamilyRef};
use crate::tools::audit::finding::Impact;
use crate::tools::audit::matching::{Match, matches};
use crate::tools::audit::only_here::{Selecting, Selects, shown};
use crate::tools::audit::promql::{Expr, Matcher};
use crate::tools::audit::template_vars::MaskedQuery;
use crate::tools::audit::vector_use::{LiveLabels, SelectorUse, selector_uses};
use crate::tools::estimates::{BETWEEN, quantile_bound};
use crate::tools::hints::{Selection, selection};

/// The generations that a query uses, and the impact of the upgrade on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::tools::audit) struct Verdict {
    pub(in crate::tools::audit) generations: BTreeSet<Generation>,
    /// Without a gateway.
    pub(in crate::tools::audit) direct: Impact,
    /// With a gateway.
    pub(in crate::tools::audit) gateway: Impact,
    pub(in crate::tools::audit) details: Vec<String>,
    /// The samples of the new generation that the query needs.
    pub(in crate::tools::audit) needs: BTreeSet<Selection>,
}

/// Assesses a query; `None` if it uses no family of a pack. `emitted` is what the gateway emits. Of
/// `label_values`, `values_of` is the label.
pub(in crate::tools::audit) fn assess(
    catalog: &Catalog,
    query: &str,
    masked: &MaskedQuery,
    expr: &Expr,
    emitted: Emitted,
    values_of: Option<&str>,
) -> Option<Verdict> {
    let uses = selector_uses(masked, expr);
    let known: Vec<(&SelectorUse<'_>, FamilyRef)> = uses
        .iter()
        .filter_map(|usage| {
            Some((usage, catalog.lookup(query.get(usage.selector.name.clone()?)?)?))
        })
        .collect();
    let matched = matched_families(catalog, query, masked, &uses);
    let mut near = near_patterns(catalog, query, masked, &uses);
    near.retain(|(generation, _)| !matched.iter().any(|(its, _)| its == generation));
    if known.is_empty() && matched.is_empty() && near.is_empty() {
        return None;
    }
    let generations = known.iter().filter_map(|(_, family)| family.generation);
    let matched_generations = matched.iter().chain(&near).map(|(generation, _)| *generation);
    let generations = generations.chain(matched_generations);
    let verdict = Verdict {
        generations: generations.collect(),
        direct: Impact::Survives,
        gateway: Impact::Survives,
        details: Vec::new(),
        needs: BTreeSet::new(),
    };
    let templated = masked.is_templated;
    let mut assessment = Assessment { catalog, query, templated, emitted, verdict };
    for (generation, family) in &matched {
        assessment.family_is_gone(*generation, family);
        assessment.detail(format!("the name is a pattern that matches {family}"));
    }
    for (generation, pattern) in &near {
        assessment.may_be_gone(*generation, pattern);
    }
    for (usage, family) in &known {
        assessment.family(usage, family);
    }
    if assessment.verdict.generations.len() == 2 && matched.is_empty() && near.is_empty() {
        assessment.both_generations(expr);
    }
    for (usage, family) in &known {
        assessment.uncounted(usage, family);
        assessment.labels(usage, family);
        assessment.additional_labels(usage, family, expr);
        if values_of.is_none_or(|label| label == "le") {
            assessment.boundaries(usage, family);
        }
    }
    Some(assessment.verdict)
}

struct Assessment<'a> {
    catalog: &'a Catalog,
    query: &'a str,
    templated: bool,
    emitted: Emitted,
    verdict: Verdict,
}

impl<'a> Assessment<'a> {
    /// A query of both generations survives if it returns something with one of them.
    fn both_generations(&mut self, expr: &Expr) {
        let available = |gone| is_available(self.catalog, self.query, expr, gone) == Some(true);
        let not_emitted = |generation: &Generation| !self.emitted.has(*generation);
        let gone = [Generation::Old, Generation::New].into_iter().find(not_emitted);
        let through_gateway = gone.is_some_and(available);
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
        let direct = generation == Generation::Old;
        self.breaks(direct, !self.emitted.has(generation) && !passes);
    }

    /// A selector may match families of a pattern that one generation does not have.
    fn may_be_gone(&mut self, generation: Generation, pattern: &str) {
        let unknown = |impact: &mut Impact| {
            if *impact == Impact::Survives {
                *impact = Impact::Unknown;
            }
        };
        if generation == Generation::Old {
            unknown(&mut self.verdict.direct);
        }
        if !self.emitted.has(generation) {
            unknown(&mut self.verdict.gateway);
        }
        self.detail(format!("the name is a pattern that may match families of {pattern}"));
    }

    fn family(&mut self, usage: &SelectorUse<'_>, family: &FamilyRef) {
        let Some(generation) = family.generation else {
            self.same_name_with_other_values(usage, family);
            return;
        };
        self.family_is_gone(generation, &family.family);
        let rules = self.selected_rules(usage, family);
        let needed = rules.iter().filter(|it| it.derive.is_none());
        self.verdict.needs.extend(needed.map(|rule| match generation {
            Generation::Old => selection(rule, Generation::New),
            Generation::New => (family.family.clone(), Vec::new()),
        }));
        if generation == Generation::Old {
            let new: BTreeSet<&str> = rules.iter().map(|it| it.new.family.as_str()).collect();
            let new = new.into_iter().collect::<Vec<_>>().join(", ");
            self.detail(format!("{} becomes {new}", family.family));
            rules.iter().filter_map(|it| it.converted_values()).for_each(|how| self.detail(how));
        }
        if generation == Generation::Old && self.emitted.has(Generation::Old) {
            self.other_values(&rules);
        }
        if usage.function == Some("absent") && generation == Generation::Old {
            self.detail("`absent` of a family that no longer exists is always true");
        }
    }

    /// A family that keeps its name, and whose samples or labels have other values then.
    fn same_name_with_other_values(&mut self, usage: &SelectorUse<'_>, family: &FamilyRef) {
        for rule in self.selected_rules(usage, family) {
            let name = |it: &Matcher| self.query.get(it.label.clone());
            let labels = rule.converted_labels.iter();
            let labels = labels.filter(|_| usage.reads_converted_labels(rule, name));
            for how in rule.converted_values().iter().chain(labels) {
                self.breaks(true, !self.emitted.has(Generation::Old));
                self.detail(format!("{} has other values then: {how}", family.family));
            }
        }
    }

    /// Values and samples that the gateway cannot give an old query after the upgrade.
    fn other_values(&mut self, rules: &[&Correspondence]) {
        for rule in rules.iter().filter(|it| it.derive.is_none()) {
            if let Some(why) = &rule.differs {
                self.breaks(false, true);
                self.detail(format!("{} has other values then: {why}", rule.old.family));
            }
            for lack in &rule.new.lacks {
                if !self.catalog.is_absent(&lack.only_with) {
                    self.verdict.gateway = self.verdict.gateway.max(Impact::Differs);
                    self.detail(format!("{} {}", lack.say, Catalog::absent_hint(&lack.only_with)));
                }
            }
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
                matchers.all(|it| matches(it, value, self.templated) != Match::No)
            })
        });
        rules
    }

    /// Samples that only one generation counts. A query of the new generation has them already, and
    /// to the old one the gateway does not add them.
    fn uncounted(&mut self, usage: &SelectorUse<'_>, family: &FamilyRef) {
        for rule in self.selected_rules(usage, family) {
            let gains_or_loses = match family.generation {
                Some(Generation::New) => &[][..],
                Some(Generation::Old) => &[Generation::Old],
                None => &[Generation::Old, Generation::New],
            };
            for generation in gains_or_loses {
                let shape = rule.side(*generation);
                let selecting = Selecting {
                    query: self.query,
                    selector: usage.selector,
                    templated: self.templated,
                    shape,
                    written_for: None,
                };
                for samples in &shape.only_here {
                    if selecting.selects(samples) == Selects::No {
                        continue;
                    }
                    self.verdict.generations.insert(Generation::Old);
                    let only_old = self.emitted.has(Generation::Old) && !self.emitted.is_both();
                    self.breaks(true, *generation == Generation::Old || !only_old);
                    self.detail(format!(
                        "only the {} generation counts {}",
                        generation.as_str(),
                        shown(&family.family, samples)
                    ));
                }
            }
        }
    }

    /// Labels that the query names but the family does not have.
    fn labels(&mut self, usage: &SelectorUse<'_>, family: &FamilyRef) {
        // A matcher that an empty label satisfies does not need the label.
        let matchers = usage.selector.matchers.iter();
        let needs = |it: &&Matcher| matches(it, "", self.templated) != Match::Yes;
        let matched: BTreeSet<&str> =
            matchers.filter(needs).filter_map(|it| self.query.get(it.label.clone())).collect();
        let named = usage.named_labels.iter().map(String::as_str);
        let labels: BTreeSet<&str> = matched.iter().copied().chain(named).collect();
        let both = [Generation::Old, Generation::New];
        let generations = family.generation.map_or(both.to_vec(), |generation| vec![generation]);
        for label in labels {
            for generation in &generations {
                if let Some((meaning, explanation)) = self.missing_label(family, *generation, label)
                {
                    // To group or join by a label that never existed gives the same as before. In a
                    // query of the new generation it is a mistake if the label has another name
                    // there.
                    let is_mistake = *generation == Generation::New && meaning != Meaning::Own;
                    let same_name = family.generation.is_none();
                    let direct = *generation == Generation::New;
                    if same_name {
                        let gateway = self.emitted.has(*generation) && !self.emitted.is_both();
                        self.breaks(direct, gateway);
                    } else if matched.contains(label) || is_mistake {
                        self.breaks(true, true);
                    }
                    let used = if same_name { generation.other() } else { *generation };
                    self.verdict.generations.insert(used);
                    self.detail(format!("{} has no label `{label}`{explanation}", family.family));
                }
            }
        }
    }

    /// Labels that a family of both generations has only after the upgrade. They change the result
    /// if another vector, which does not have them, is matched with it.
    fn additional_labels(&mut self, usage: &SelectorUse<'_>, family: &FamilyRef, expr: &Expr) {
        if family.generation.is_some() {
            return;
        }
        let one_sided = OneSided { catalog: self.catalog, query: self.query };
        for rule in self.catalog.rules(&family.family, Generation::New) {
            for (label, _) in rule.new.labels.iter().filter(|(_, it)| *it == Meaning::Own) {
                if let Some(op) = one_sided.is_sampled_by(label, expr) {
                    self.verdict.generations.insert(Generation::Old);
                    self.breaks(true, !self.emitted.has(Generation::Old));
                    self.detail(format!(
                        "`{op}` chooses other series of {} after the upgrade, because they have the \
                         additional label `{label}`",
                        family.family
                    ));
                }
                if !matches!(usage.live, LiveLabels::AllBut(_)) {
                    continue;
                }
                self.detail(format!(
                    "{} has an additional label after the upgrade: `{label}`",
                    family.family
                ));
                if one_sided.is_matched_by(label, expr) {
                    self.verdict.generations.insert(Generation::Old);
                    self.breaks(true, !self.emitted.has(Generation::Old));
                    self.detail(format!(
                        "it is matched by `{label}` with series that do not have this label"
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
    ) -> Option<(Meaning, String)> {
        let rules = self.catalog.rules(&family.family, generation);
        if rules.iter().any(|it| it.side(generation).meaning(label).is_some()) {
            return None;
        }
        rules.iter().find_map(|rule| {
            let meaning = rule.side(generation.other()).meaning(label)?;
            let explanation = match meaning {
                Meaning::Carried(other) => format!(": it is named `{other}`"),
                Meaning::Fixed(_) => ": it is part of the family's name".to_owned(),
                Meaning::Own => format!(" in the {} generation", generation.as_str()),
            };
            Some((meaning.clone(), explanation))
        })
    }

    /// Bucket boundaries that only one generation has.
    fn boundaries(&mut self, usage: &SelectorUse<'_>, family: &FamilyRef) {
        if family.suffix != "_bucket" || usage.is_of_series() {
            return;
        }
        let matchers = usage.selector.matchers.iter();
        let le: Vec<&Matcher> =
            matchers.filter(|it| self.query.get(it.label.clone()) == Some("le")).collect();
        let rules = self.selected_rules(usage, family);
        let found = boundary_use(family, &rules, &le, self.templated);
        if found.selects_nothing {
            self.breaks(true, true);
            self.detail(format!(
                "{} has no boundary that is spelled this way; it has {}",
                family.family,
                spelled(&rules, family)
            ));
        }
        let through =
            family.generation == Some(Generation::Old) && self.emitted.has(Generation::Old);
        if !found.estimated.is_empty() && through {
            self.verdict.gateway = self.verdict.gateway.max(Impact::Differs);
            self.estimated(&found, le.is_empty() && usage.quantile.is_some());
        }
    }

    /// Explains what the gateway estimates, and how wrong it can be.
    fn estimated(&mut self, found: &BoundaryUse<'_>, is_quantile: bool) {
        let estimated = found.estimated.join(" ");
        let exact: Vec<&str> = found.exact.iter().map(|it| &*it.text).collect();
        self.detail(match quantile_bound(&found.exact).filter(|_| is_quantile) {
            Some(bound) => format!("the gateway estimates counts of the quantile: {bound}"),
            None if exact.is_empty() => {
                format!("estimated by the gateway: le {estimated}; no boundary is exact")
            }
            None => format!(
                "estimated by the gateway: le {estimated}; {BETWEEN}; exact are {}",
                exact.join(" ")
            ),
        });
    }
}

/// The boundaries of a family as they are written.
fn spelled(rules: &[&Correspondence], family: &FamilyRef) -> String {
    let generation = family.generation.unwrap_or(Generation::Old);
    let bounds = rules.iter().filter_map(|rule| rule.boundaries(generation)).flatten();
    let mut texts: Vec<&str> = Vec::new();
    for bound in bounds {
        if !texts.contains(&&*bound.text) {
            texts.push(&bound.text);
        }
    }
    texts.join(" ")
}
