//! What a source is expected to print, and what packs say where it does not.

use std::collections::HashMap;

use crate::mapping::compile::exposition::active::ActiveRule;
use crate::mapping::generation::Generation;
use crate::mapping::pack::exposition::selector::Selector;
use crate::mapping::plan::exposition::{Expected, Input, RuleId};
use crate::mapping::{Hint, Pack};

/// One for each rule, in order, followed by the families for which packs only have a hint.
///
/// `ids` are the rules: that of a rule that writes a generation.
pub(in crate::mapping) fn expected(
    packs: &[Pack],
    active: &[ActiveRule<'_>],
    ids: &HashMap<(usize, Generation), RuleId>,
) -> Vec<Expected> {
    // What a later pack says takes the place of what an earlier one does.
    let hints: Vec<&Hint> = packs.iter().rev().flat_map(Pack::hints).collect();
    let input = |index: usize, generation: Generation| {
        let ActiveRule { rule: pack_rule, .. } = active[index];
        // What one generation only derives from something else is not its own. And samples that another family
        // tells apart are those of the rule without that condition, too.
        let own = pack_rule.derive != Some(generation)
            && (pack_rule.only_with.is_none() || generation == Generation::New);
        let rule = ids.get(&(index, generation.other())).copied();
        own.then(|| of_selector(pack_rule.side(generation), rule, &hints))
    };
    let of_rules = (0..active.len()).map(|index| Expected {
        old: input(index, Generation::Old),
        new: input(index, Generation::New),
    });
    let mut expected: Vec<Expected> = of_rules.collect();
    for hint in hints.iter().filter(|hint| hint.selector().items.is_empty()) {
        let family = &hint.selector().family;
        let named = |expected: &Expected| {
            [&expected.old, &expected.new]
                .into_iter()
                .flatten()
                .any(|it| *it.family == *family.as_bytes())
        };
        if !expected.iter().any(named) {
            let input = of_selector(hint.selector(), None, &hints);
            expected.push(Expected { old: Some(input.clone()), new: Some(input) });
        }
    }
    expected
}

fn of_selector(selector: &Selector, rule: Option<RuleId>, hints: &[&Hint]) -> Input {
    let asked = conditions(selector);
    let mut without_family = None;
    // Of the hints that ask for nothing that is not asked here, the one that asks for most.
    let mut without_samples: Option<(usize, &Hint)> = None;
    for hint in hints.iter().filter(|hint| hint.selector().family == selector.family) {
        let its = conditions(hint.selector());
        if hint.selector().items.is_empty() {
            without_family.get_or_insert(*hint);
        } else if its.iter().all(|condition| asked.contains(condition))
            && without_samples.is_none_or(|(most, _)| its.len() > most)
        {
            without_samples = Some((its.len(), hint));
        }
    }
    Input {
        family: selector.family.as_bytes().into(),
        selector: shown(&selector.family, &asked),
        rules: rule.into_iter().collect(),
        without_family: without_family.map(|hint| hint.say.clone()),
        without_samples: without_samples.map(|(_, hint)| hint.say.clone()),
    }
}

/// What a selector asks of a sample's labels: a text, or (`None`) any that is not empty.
fn conditions(selector: &Selector) -> Vec<(&str, Option<&str>)> {
    let fixed = selector.fixed().map(|(label, text)| (label, Some(text)));
    fixed.chain(selector.variables().map(|(label, _)| (label, None))).collect()
}

/// The samples as `PromQL` selects them.
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
