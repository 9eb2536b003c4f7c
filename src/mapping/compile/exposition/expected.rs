//! The samples that a target is expected to expose, and the explanations for missing ones.

use std::collections::{HashMap, HashSet};

use crate::mapping::compile::exposition::active::ActiveRule;
use crate::mapping::generation::Generation;
use crate::mapping::pack::exposition::selector::Selector;
use crate::mapping::plan::exposition::{
    Evidence, ExpectedMetric, ExpectedSamples, MissingHint, PackFamilies, Plan, RuleId,
};
use crate::mapping::{Hint, Pack};

/// The families of each pack, in the order of `packs`. A rule's families belong to the pack whose
/// rule is active.
pub(in crate::mapping) fn families(packs: &[Pack], active: &[ActiveRule<'_>]) -> Vec<PackFamilies> {
    let of = |pack: &Pack| {
        let rules = active.iter().filter(|its| std::ptr::eq(its.pack, pack));
        let sides = rules.flat_map(|its| [&its.rule.old.family, &its.rule.new.family]);
        let hints = pack.hints().iter().map(Hint::selector);
        let hints = hints.filter(|it| it.pattern.is_none()).map(|selector| &selector.family);
        let all = sides.chain(hints).chain(pack.repeats());
        PackFamilies {
            name: pack.name().to_owned(),
            families: all.map(|family| family.as_bytes().into()).collect(),
            patterns: Vec::new(),
        }
    };
    packs.iter().map(of).collect()
}

/// One item for each rule, in order.
///
/// `ids` has the compiled rule by the index of the pack rule and the generation written.
pub(in crate::mapping) fn expected(
    packs: &[Pack],
    active: &[ActiveRule<'_>],
    ids: &HashMap<(usize, Generation), RuleId>,
) -> Vec<ExpectedMetric> {
    let hints = Hints::new(packs);
    let samples = |index: usize, generation: Generation| {
        let ActiveRule { rule: pack_rule, .. } = active[index];
        // A generation does not expose samples that it only derives. With `only_with`, the old side
        // is the same samples as the rule without that condition.
        let own = pack_rule.derive != Some(generation)
            && !pack_rule.changes_nothing()
            && (pack_rule.only_with.is_none() || generation == Generation::New);
        let rule = ids.get(&(index, generation.other())).copied();
        own.then(|| hints.samples(pack_rule.side(generation), rule))
    };
    let of_rules = (0..active.len()).map(|index| ExpectedMetric {
        pack: position(packs, active[index].pack),
        old: samples(index, Generation::Old),
        new: samples(index, Generation::New),
        by: Evidence::Rules,
    });
    of_rules.collect()
}

/// Adds the patterns to the families of the packs, and to what is expected the patterns and the
/// families for which packs only have a hint. The plan has its patterns.
pub(in crate::mapping) fn complete(packs: &[Pack], active: &[ActiveRule<'_>], plan: &mut Plan) {
    let hints = Hints::new(packs);
    for (index, its) in active.iter().enumerate() {
        let pack = position(packs, its.pack);
        plan.packs[pack].patterns.push(index);
        // The pattern of all families tells nothing.
        let is_telling = its.rule.old.names().is_some_and(|names| names.text_len() > 0);
        if its.rule.changes_nothing() || !is_telling {
            continue;
        }
        let samples = |side: Generation| {
            let rule = plan.patterns.rule(index).rule(side.other());
            Some(hints.samples(its.rule.side(side), rule))
        };
        let (old, new) = (samples(Generation::Old), samples(Generation::New));
        plan.expected.push(ExpectedMetric { pack, old, new, by: Evidence::Pattern(index) });
    }
    let sides = plan.expected.iter().flat_map(|its| [&its.old, &its.new]).flatten();
    let mut named: HashSet<Box<[u8]>> = sides.map(|samples| samples.family.clone()).collect();
    for (pack, hint) in &hints.latest_first {
        let selector = hint.selector();
        if !selector.items.is_empty() || selector.pattern.is_some() {
            continue;
        }
        let [old, new] = named_sides(&selector.family, plan);
        let is_new = named.insert(old.0.as_bytes().into());
        if named.insert(new.0.as_bytes().into()) || is_new {
            let [mut old, mut new] =
                [old, new].map(|(family, rule)| hints.of_family(&family, rule));
            // It is about the family in both generations, unless each has a hint.
            let hint = missing_hint(hint);
            for side in [&mut old, &mut new] {
                side.without_family.get_or_insert_with(|| hint.clone());
            }
            let by = Evidence::Family;
            plan.expected.push(ExpectedMetric { pack: *pack, old: Some(old), new: Some(new), by });
        }
    }
}

/// The names of a family in both generations, each with the rule of a pattern that reads it.
fn named_sides(family: &str, plan: &Plan) -> [(String, Option<RuleId>); 2] {
    let patterns = &plan.patterns;
    let told = patterns.generation(family.as_bytes());
    [Generation::Old, Generation::New].map(|side| {
        let other = told.filter(|told| *told != side).and_then(|told| {
            let found = patterns.find(family.as_bytes(), told.other())?;
            String::from_utf8(found.other_name.into_vec()).ok()
        });
        let name = other.unwrap_or_else(|| family.to_owned());
        let found = patterns.find(name.as_bytes(), side.other());
        let rule = found.and_then(|found| found.pattern.rule(side.other()));
        (name, rule)
    })
}

/// The hints of all packs. Those of later packs take precedence.
struct Hints<'a> {
    /// Each with the index of its pack.
    latest_first: Vec<(usize, &'a Hint)>,
    by_family: HashMap<String, Vec<&'a Hint>>,
}

impl<'a> Hints<'a> {
    fn new(packs: &'a [Pack]) -> Hints<'a> {
        let by_pack = packs.iter().enumerate().rev();
        let of = |(at, pack): (usize, &'a Pack)| pack.hints().iter().map(move |hint| (at, hint));
        let latest_first: Vec<(usize, &Hint)> = by_pack.flat_map(of).collect();
        let mut by_family: HashMap<String, Vec<&Hint>> = HashMap::new();
        for (_, hint) in &latest_first {
            by_family.entry(key(hint.selector())).or_default().push(hint);
        }
        Hints { latest_first, by_family }
    }

    /// All samples of a family.
    fn of_family(&self, family: &str, rule: Option<RuleId>) -> ExpectedSamples {
        let selector = Selector { family: family.to_owned(), pattern: None, items: Vec::new() };
        self.samples(&selector, rule)
    }

    fn samples(&self, selector: &Selector, rule: Option<RuleId>) -> ExpectedSamples {
        let wanted = conditions(selector);
        let mut without_family: Option<&Hint> = None;
        // The hint with the most conditions, among those whose conditions all occur in the selector.
        let mut without_samples: Option<(usize, &Hint)> = None;
        for hint in self.by_family.get(&key(selector)).into_iter().flatten() {
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
}

/// The family of a selector, or its pattern, whatever the name of the placeholder is.
fn key(selector: &Selector) -> String {
    match selector.names() {
        Some(names) => names.texts().join("*"),
        None => selector.family.clone(),
    }
}

fn position(packs: &[Pack], pack: &Pack) -> usize {
    let found = packs.iter().position(|its| std::ptr::eq(its, pack));
    found.expect("active rules are those of the packs")
}

fn missing_hint(hint: &Hint) -> MissingHint {
    let (say, option) = (hint.say.clone(), hint.option.clone());
    MissingHint { say, option, optional: hint.optional }
}

/// The conditions of a selector on labels: a text, or `None` for any value that is not empty.
fn conditions(selector: &Selector) -> Vec<(&str, Option<&str>)> {
    let fixed = selector.fixed().map(|(label, text)| (label, Some(text)));
    fixed.chain(selector.templates().map(|(label, _)| (label, None))).collect()
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
