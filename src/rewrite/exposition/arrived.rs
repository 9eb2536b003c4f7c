//! Which packs an exposition is of, and what it lacks according to them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::families::Families;
use super::missing::Missing;
use crate::mapping::Generation;
use crate::mapping::plan::exposition::{
    Evidence, ExpectedMetric, ExpectedSamples, PackFamilies, Plan, RuleId,
};

/// The families of an exposition, as packs know them.
pub(super) struct Arrived<'a> {
    families: &'a Families,
    /// Patterns of which a family arrived, with the generations that its name or labels tell.
    patterns: HashMap<usize, BTreeSet<Generation>>,
    /// Of each pack, the generations of its families. `None`: no family of it arrived.
    packs: Vec<Option<BTreeSet<Generation>>>,
}

impl<'a> Arrived<'a> {
    /// `signed`: patterns of which a sample had the labels of a generation.
    pub(super) fn new(
        plan: &Plan,
        families: &'a Families,
        signed: &BTreeSet<(usize, Generation)>,
    ) -> Arrived<'a> {
        let mut patterns = patterns(plan, families);
        for (pattern, generation) in signed {
            patterns.entry(*pattern).or_default().insert(*generation);
        }
        let mut arrived = Arrived { families, patterns, packs: Vec::new() };
        arrived.packs = plan.packs.iter().map(|pack| arrived.generations(plan, pack)).collect();
        arrived
    }

    fn generations(&self, plan: &Plan, pack: &PackFamilies) -> Option<BTreeSet<Generation>> {
        let named = pack.families.iter().filter(|family| self.families.has_arrived(family));
        let mut named = named.peekable();
        let of_patterns: Vec<&BTreeSet<Generation>> =
            pack.patterns.iter().filter_map(|pattern| self.patterns.get(pattern)).collect();
        if named.peek().is_none() && of_patterns.is_empty() {
            return None;
        }
        let of_name = |family: &[u8]| {
            let told = plan.families.get(family).and_then(|plan| plan.generation);
            told.or_else(|| plan.patterns.generation(family))
        };
        let named = named.filter_map(|family| of_name(family));
        Some(named.chain(of_patterns.into_iter().flatten().copied()).collect())
    }

    /// The names of the packs of which any family arrived.
    pub(super) fn packs(&self, plan: &Plan) -> Vec<String> {
        let packs = plan.packs.iter().zip(&self.packs);
        packs.filter(|(_, its)| its.is_some()).map(|(pack, _)| pack.name.clone()).collect()
    }

    /// The generations of each of these packs.
    pub(super) fn generations_by_pack(
        &self,
        plan: &Plan,
    ) -> BTreeMap<String, BTreeSet<Generation>> {
        let packs = plan.packs.iter().zip(&self.packs);
        packs.filter_map(|(pack, its)| Some((pack.name.clone(), its.clone()?))).collect()
    }

    /// What did not arrive of the generations that did. `reached` tells whether a rule had a sample to
    /// read.
    pub(super) fn missing(&self, plan: &Plan, reached: impl Fn(RuleId) -> bool) -> Vec<Missing> {
        let mut missing: Vec<Missing> = Vec::new();
        let mut known: HashMap<String, usize> = HashMap::new();
        for (index, expected) in plan.expected.iter().enumerate() {
            // The pack is not for a target that exports none of its families.
            let Some(generations) = &self.packs[expected.pack] else { continue };
            if self.is_present(expected, &reached) {
                continue;
            }
            for generation in generations {
                let Some(input) = expected.side(*generation) else { continue };
                let (name, hint) = if self.families.has_arrived(&input.family) {
                    (input.selector.clone(), &input.without_samples)
                } else {
                    (input.family.escape_ascii().to_string(), &input.without_family)
                };
                let hint = hint.as_ref();
                let optional = hint.is_some_and(|hint| hint.optional);
                let rules = input.rules.iter().map(|id| plan.rule(*id).title.clone());
                if let Some(at) = known.get(&name) {
                    missing[*at].rules.extend(rules);
                    missing[*at].optional &= optional;
                    missing[*at].expected.push(index);
                    continue;
                }
                known.insert(name.clone(), missing.len());
                missing.push(Missing {
                    pack: plan.packs[expected.pack].name.clone(),
                    input: name,
                    generation: *generation,
                    rules: rules.collect(),
                    hint: hint.map(|hint| hint.say.clone()),
                    option: hint.and_then(|hint| hint.option.clone()),
                    optional,
                    expected: vec![index],
                });
            }
        }
        missing
    }

    fn is_present(&self, expected: &ExpectedMetric, reached: impl Fn(RuleId) -> bool) -> bool {
        let is_there = |input: &ExpectedSamples| match expected.by {
            Evidence::Pattern(pattern) => self.patterns.contains_key(&pattern),
            Evidence::Rules if !input.rules.is_empty() => input.rules.iter().any(|it| reached(*it)),
            // If no rule reads the samples, only the family is known to have arrived.
            Evidence::Rules | Evidence::Family => self.families.has_arrived(&input.family),
        };
        [&expected.old, &expected.new].into_iter().flatten().any(is_there)
    }
}

/// The patterns of which a family arrived. That of all families tells nothing.
fn patterns(plan: &Plan, families: &Families) -> HashMap<usize, BTreeSet<Generation>> {
    let mut arrived: HashMap<usize, BTreeSet<Generation>> = HashMap::new();
    if plan.patterns.is_empty() {
        return arrived;
    }
    for family in families.all().filter(|family| family.arrived) {
        let told = plan.patterns.generation(&family.name);
        for index in plan.patterns.rules_of(&family.name) {
            let pattern = plan.patterns.rule(index);
            if pattern.old.text_len() > 0 {
                arrived.entry(index).or_default().extend(told);
            }
        }
    }
    arrived
}
