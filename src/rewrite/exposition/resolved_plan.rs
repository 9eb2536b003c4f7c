//! The plan of one exposition: the compiled plan, and the rules that patterns of family names have
//! for its families.

use std::collections::HashMap;
use std::sync::Arc;

use crate::mapping::Plan;
use crate::mapping::plan::exposition::{FamilyPlan, Output, OutputId, Rule, RuleId};

/// About how many bytes a rule and its output take, in addition to their names.
const RULE_BYTES: usize = 1024;

/// A plan, and the rules for families that only patterns match. Their ids follow those of the plan.
#[derive(Debug)]
pub(super) struct ResolvedPlan {
    base: Arc<Plan>,
    /// The number of rules of the plan.
    base_rules: u32,
    /// Each with the rule of the pattern.
    rules: Vec<(Rule, RuleId)>,
    outputs: Vec<Output>,
    by_name: HashMap<Box<[u8]>, OutputId>,
    /// What the rules take that were added since they were counted.
    bytes: usize,
}

impl ResolvedPlan {
    pub(super) fn new(base: Arc<Plan>) -> Self {
        let (rules, outputs) = (Vec::new(), Vec::new());
        let base_rules = number(base.rules.len());
        ResolvedPlan { base, base_rules, rules, outputs, by_name: HashMap::new(), bytes: 0 }
    }

    /// The compiled plan.
    #[inline]
    pub(super) fn base(&self) -> &Arc<Plan> {
        &self.base
    }

    /// The rule with this id.
    #[inline]
    pub(super) fn rule(&self, id: RuleId) -> &Rule {
        let index = id.0 as usize;
        match self.base.rules.get(index) {
            Some(rule) => rule,
            None => &self.rules[index - self.base.rules.len()].0,
        }
    }

    /// The rule under which a rule is reported: that of the pattern, or itself.
    #[inline]
    pub(super) fn reported_as(&self, id: RuleId) -> RuleId {
        match id.0.checked_sub(self.base_rules) {
            None => id,
            Some(index) => self.rules[index as usize].1,
        }
    }

    /// Every rule.
    pub(super) fn rules(&self) -> impl Iterator<Item = (RuleId, &Rule)> {
        let resolved = self.rules.iter().map(|(rule, _)| rule);
        (0..).map(RuleId).zip(self.base.rules.iter().chain(resolved))
    }

    /// The number of rules.
    pub(super) fn rule_count(&self) -> usize {
        self.base.rules.len() + self.rules.len()
    }

    /// The output with this id.
    #[inline]
    pub(super) fn output(&self, id: OutputId) -> &Output {
        let index = id.0 as usize;
        match self.base.outputs.get(index) {
            Some(output) => output,
            None => &self.outputs[index - self.base.outputs.len()],
        }
    }

    /// The output at this index, in the order in which they are written.
    pub(super) fn output_at(&self, index: usize) -> Option<OutputId> {
        let exists = index < self.base.outputs.len() + self.outputs.len();
        exists.then(|| OutputId(number(index)))
    }

    /// Whether a rule, or one of a pattern, writes a family.
    pub(super) fn writes(&self, name: &[u8]) -> bool {
        self.base.families.get(name).is_some_and(|family| family.written)
            || self.by_name.contains_key(name)
    }

    /// Whether a rule, or one of a pattern, reads a family.
    pub(super) fn reads(&self, name: &[u8]) -> bool {
        self.base.families.get(name).is_some_and(|family| !family.rules.is_empty())
            || self.has_pattern_for(name)
    }

    /// Whether a rule reads a family, or samples of it are dropped.
    pub(super) fn claims(&self, name: &[u8]) -> bool {
        let family = self.base.families.get(name);
        let mut dropped = self.base.dropped.iter();
        self.reads(name)
            || family.is_some_and(|family| !family.dropped.is_empty())
            || dropped.any(|(names, _)| names.rest_of(name).is_some())
    }

    /// The rules that read a family of the input.
    pub(super) fn rules_of(&self, name: &[u8]) -> Vec<RuleId> {
        let base = self.base.families.get(name).into_iter().flat_map(|family| &family.rules);
        let patterns = self.base.patterns.reading(name).map(|(id, _)| id);
        base.copied().chain(patterns).collect()
    }

    /// Whether a pattern reads a family.
    pub(super) fn has_pattern_for(&self, name: &[u8]) -> bool {
        let patterns = &self.base.patterns;
        !patterns.is_empty() && patterns.reading(name).next().is_some()
    }

    /// How a family is rewritten, without the rules of patterns: for a family that is written, and
    /// of which no sample may ever arrive.
    pub(super) fn written_family(&self, name: &[u8]) -> FamilyPlan {
        let mut family = self.base.families.get(name).cloned().unwrap_or_default();
        let patterns = &self.base.patterns;
        family.written |= !patterns.is_empty() && patterns.is_written(name);
        family
    }

    /// Completes the [`written_family`](Self::written_family) for a family that arrives: adds the
    /// rules of patterns that read it.
    pub(super) fn read_family(&mut self, name: &[u8], family: &mut FamilyPlan) {
        let base = Arc::clone(&self.base);
        let dropped = base.dropped.iter().filter(|(names, _)| names.rest_of(name).is_some());
        family.dropped.extend(dropped.map(|(_, samples)| samples.clone()));
        if base.patterns.is_empty() {
            return;
        }
        family.generation = family.generation.or_else(|| base.patterns.generation(name));
        family.told_by_labels = base.patterns.told_by_labels(name);
        for (of_pattern, written) in base.patterns.reading(name) {
            family.rules.push(self.add_rule(base.rule(of_pattern), of_pattern, name, written));
        }
    }

    /// Adds the rule of a pattern for one family.
    fn add_rule(
        &mut self,
        of_pattern: &Rule,
        reported_as: RuleId,
        name: &[u8],
        written: Box<[u8]>,
    ) -> RuleId {
        let id = RuleId(number(self.rule_count()));
        self.bytes += RULE_BYTES + name.len() + 2 * written.len();
        let known = self.by_name.get(&written).copied();
        let to = known.unwrap_or_else(|| {
            let output = OutputId(number(self.base.outputs.len() + self.outputs.len()));
            let help = self.base.output(of_pattern.to).help.clone();
            self.outputs.push(Output { name: written.clone(), help, rules: Vec::new() });
            self.by_name.insert(written, output);
            output
        });
        self.outputs[to.0 as usize - self.base.outputs.len()].rules.push(id);
        let rule = Rule {
            title: of_pattern.title.clone(),
            source: of_pattern.source.clone(),
            from: name.into(),
            to,
            when: of_pattern.when.clone(),
            labels: of_pattern.labels.clone(),
            kind: of_pattern.kind.clone(),
            scale: of_pattern.scale,
            types: of_pattern.types,
            stream: of_pattern.stream,
            // Under `both`, a family can be the old one of a family and the new one of another.
            distinct: of_pattern.distinct && known.is_none(),
            keep: of_pattern.keep,
            same_generation: false,
            also: false,
            derived: false,
            part_of: None,
            remainder: false,
            redirects: Vec::new(),
        };
        self.rules.push((rule, reported_as));
        id
    }

    /// About how many bytes the rules take that were added since the last call. `None`: there are none.
    #[inline]
    pub(super) fn take_added(&mut self) -> Option<usize> {
        (self.bytes > 0).then(|| std::mem::take(&mut self.bytes))
    }
}

fn number(index: usize) -> u32 {
    u32::try_from(index).expect("limits allow fewer families")
}
