//! The rules of a plan that write one family, and what is known of the family.

use super::samples::are_told_apart;
use super::source::Source;
use super::utf8::text;
use crate::mapping::Correspondence;
use crate::mapping::plan::exposition::{OutputId, Rule, RuleId};

/// What is known of a family that a plan writes.
#[derive(Clone, Debug, Default)]
pub(super) struct Outline {
    /// The family that is written.
    pub(super) name: String,
    /// The pack of its first rule.
    pub(super) pack: String,
    /// The families that are read.
    pub(super) reads: Vec<String>,
    /// What an operator needs to know about rules that are exact.
    pub(super) remarks: Vec<String>,
    /// What is missing, or not as the gateway writes it.
    pub(super) reasons: Vec<String>,
}

impl Outline {
    pub(super) fn new(name: &str, contributions: &[Contribution<'_>]) -> Outline {
        let mut outline = Outline { name: name.to_owned(), ..Outline::default() };
        for contribution in contributions {
            if outline.pack.is_empty() {
                let at = contribution.source();
                at.rsplit_once(':').map_or(at, |(pack, _)| pack).clone_into(&mut outline.pack);
            }
            let from = text(&contribution.rule.from).to_owned();
            if !outline.reads.contains(&from) {
                outline.reads.push(from);
            }
            if let Some(differs) = contribution.pack_rule.and_then(|it| it.differs.as_ref()) {
                let differs = differs.trim().trim_end_matches('.');
                outline.add_remark(format!("The values of the generations differ: {differs}."));
            }
        }
        outline
    }

    pub(super) fn add_reason(&mut self, reason: String) {
        if !self.reasons.contains(&reason) {
            self.reasons.push(reason);
        }
    }

    pub(super) fn add_remark(&mut self, remark: String) {
        if !self.remarks.contains(&remark) {
            self.remarks.push(remark);
        }
    }
}

/// A rule of a plan that writes the family.
#[derive(Clone, Copy, Debug)]
pub(super) struct Contribution<'a> {
    pub(super) id: RuleId,
    pub(super) rule: &'a Rule,
    /// The index of the redirect that writes it, if it is not the rule itself.
    pub(super) redirect: Option<usize>,
    pub(super) pack_rule: Option<&'a Correspondence>,
}

impl Contribution<'_> {
    /// The location of its pack rule.
    pub(super) fn source(&self) -> &str {
        let redirect = self.redirect.and_then(|at| self.rule.redirects.get(at));
        redirect.map_or(&self.rule.source, |it| &it.source)
    }

    pub(super) fn title(&self) -> &str {
        let redirect = self.redirect.and_then(|at| self.rule.redirects.get(at));
        redirect.map_or(&self.rule.title, |it| &it.title)
    }
}

/// The rules that write an output, in the order of the packs.
pub(super) fn contributions_of<'a>(source: &'a Source<'a>, id: OutputId) -> Vec<Contribution<'a>> {
    let plan = source.plan;
    let mut found = Vec::new();
    for rule_id in &plan.output(id).rules {
        let rule = plan.rule(*rule_id);
        let contribution = |at: &str, redirect| {
            let pack_rule = source.pack_rule(at, &rule.from, &plan.output(id).name);
            Contribution { id: *rule_id, rule, redirect, pack_rule }
        };
        if rule.to == id {
            found.push(contribution(&rule.source, None));
        }
        for (at, redirect) in rule.redirects.iter().enumerate().filter(|(_, it)| it.to == id) {
            found.push(contribution(&redirect.source, Some(at)));
        }
    }
    found
}

/// Whether two rules can write equal series.
pub(super) fn may_meet(a: &Contribution<'_>, b: &Contribution<'_>) -> bool {
    let is_part = |a: &Contribution<'_>, b: &Contribution<'_>| {
        a.rule.part_of.as_ref().is_some_and(|part| part.total == b.id)
    };
    // A total has none of the labels of its parts.
    !(are_told_apart(a.rule, b.rule) || is_part(a, b) || is_part(b, a))
}
