//! The samples that a target is expected to expose, and the explanations for missing ones.

use std::collections::{HashMap, HashSet};

use crate::mapping::compile::exposition::active::ActiveRule;
use crate::mapping::generation::Generation;
use crate::mapping::pack::exposition::selector::Selector;
use crate::mapping::plan::exposition::{
    ExpectedMetric, ExpectedSamples, MissingHint, PackFamilies, RuleId,
};
use crate::mapping::{Hint, Pack};

/// The hints of each family.
type Hints<'a> = HashMap<&'a str, Vec<&'a Hint>>;

/// The families of each pack, in the order of `packs`. A rule's families belong to the pack whose
/// rule is active.
pub(in crate::mapping) fn families(packs: &[Pack], active: &[ActiveRule<'_>]) -> Vec<PackFamilies> {
    let of = |pack: &Pack| {
        let rules = active.iter().filter(|its| std::ptr::eq(its.pack, pack));
        let sides = rules.flat_map(|its| [&its.rule.old.family, &its.rule.new.family]);
        let hints = pack.hints().iter().map(|hint| &hint.selector().family);
        let all = sides.chain(hints).chain(pack.repeats());
        PackFamilies {
            name: pack.name().to_owned(),
            families: all.map(|family| family.as_bytes().into()).collect(),
        }
    };
    packs.iter().map(of).collect()
}

/// One item for each rule, in order, followed by the families for which packs only have a hint.
///
/// `ids` has the compiled rule by the index of the pack rule and the generation written.
pub(in crate::mapping) fn expected(
    packs: &[Pack],
    active: &[ActiveRule<'_>],
    ids: &HashMap<(usize, Generation), RuleId>,
) -> Vec<ExpectedMetric> {
    // Hints of later packs take precedence.
    let by_pack = packs.iter().enumerate().rev();
    let by_pack: Vec<(usize, &Hint)> =
        by_pack.flat_map(|(at, pack)| pack.hints().iter().map(move |hint| (at, hint))).collect();
    let mut hints: Hints<'_> = HashMap::new();
    for (_, hint) in &by_pack {
        hints.entry(&hint.selector().family).or_default().push(hint);
    }
    let samples = |index: usize, generation: Generation| {
        let ActiveRule { rule: pack_rule, .. } = active[index];
        // A generation does not expose samples that it only derives. With `only_with`, the old side
        // is the same samples as the rule without that condition.
        let own = pack_rule.derive != Some(generation)
            && !pack_rule.changes_nothing()
            && (pack_rule.only_with.is_none() || generation == Generation::New);
        let rule = ids.get(&(index, generation.other())).copied();
        own.then(|| of_selector(pack_rule.side(generation), rule, &hints))
    };
    let of_rules = (0..active.len()).map(|index| ExpectedMetric {
        pack: position(packs, active[index].pack),
        old: samples(index, Generation::Old),
        new: samples(index, Generation::New),
    });
    let mut expected: Vec<ExpectedMetric> = of_rules.collect();
    let sides = expected.iter().flat_map(|its| [&its.old, &its.new]).flatten();
    let mut named: HashSet<Box<[u8]>> = sides.map(|samples| samples.family.clone()).collect();
    for (pack, hint) in by_pack.iter().filter(|(_, hint)| hint.selector().items.is_empty()) {
        let family = &hint.selector().family;
        if named.insert(family.as_bytes().into()) {
            let samples = of_selector(hint.selector(), None, &hints);
            let (old, new) = (Some(samples.clone()), Some(samples));
            expected.push(ExpectedMetric { pack: *pack, old, new });
        }
    }
    expected
}

fn position(packs: &[Pack], pack: &Pack) -> usize {
    let found = packs.iter().position(|its| std::ptr::eq(its, pack));
    found.expect("active rules are those of the packs")
}

fn of_selector(selector: &Selector, rule: Option<RuleId>, hints: &Hints<'_>) -> ExpectedSamples {
    let wanted = conditions(selector);
    let mut without_family: Option<&Hint> = None;
    // The hint with the most conditions, among those whose conditions all occur in the selector.
    let mut without_samples: Option<(usize, &Hint)> = None;
    for hint in hints.get(selector.family.as_str()).into_iter().flatten() {
        let its = conditions(hint.selector());
        if hint.selector().items.is_empty() {
            without_family.get_or_insert(*hint);
        } else if its.iter().all(|condition| wanted.contains(condition))
            && without_samples.is_none_or(|(most, _)| its.len() > most)
        {
            without_samples = Some((its.len(), hint));
        }
    }
    ExpectedSamples {
        family: selector.family.as_bytes().into(),
        selector: shown(&selector.family, &wanted),
        rules: rule.into_iter().collect(),
        without_family: without_family.map(missing_hint),
        without_samples: without_samples.map(|(_, hint)| missing_hint(hint)),
    }
}

fn missing_hint(hint: &Hint) -> MissingHint {
    let (say, option) = (hint.say.clone(), hint.option.clone());
    MissingHint { say, option, optional: hint.optional }
}

/// The conditions of a selector on labels: a text, or `None` for any value that is not empty.
fn conditions(selector: &Selector) -> Vec<(&str, Option<&str>)> {
    let fixed = selector.fixed().map(|(label, text)| (label, Some(text)));
    fixed.chain(selector.variables().map(|(label, _)| (label, None))).collect()
}

/// The samples as a `PromQL` selector.
fn shown(family: &str, conditions: &[(&str, Option<&str>)]) -> String {
    let condition = |(label, text): &(&str, Option<&str>)| match text {
        Some(text) => format!("{label}={text:?}"),
        None => format!("{label}!=\"\""),
    };
    let conditions: Vec<String> = conditions.iter().map(condition).collect();
    if conditions.is_empty() {
        family.to_owned()
    } else {
        format!("{family}{{{}}}", conditions.join(", "))
    }
}
