//! Rules whose families are given by patterns: checks and compiled rules.

use std::collections::{BTreeMap, HashSet};

use crate::document::{Diagnostic, Diagnostics};
use crate::mapping::compile::Settings;
use crate::mapping::compile::exposition::active::ActiveRule;
use crate::mapping::compile::exposition::{build, labels};
use crate::mapping::emitted::Emitted;
use crate::mapping::generation::Generation;
use crate::mapping::pack::PackRule;
use crate::mapping::pack::exposition::selector::Selector;
use crate::mapping::plan::exposition::{
    Kind, LabelSigns, Output, OutputId, PatternRule, Patterns, Plan, Rule, RuleId,
};

/// Pairs of patterns that can both read a family, while neither is more specific. A pattern cannot
/// contradict rules for named families, because those come first.
pub(in crate::mapping) fn errors(patterns: &[ActiveRule<'_>]) -> Vec<Diagnostic> {
    let mut errors = Vec::new();
    for generation in [Generation::Old, Generation::New] {
        // Only patterns with the same amount of text can be ambiguous.
        let mut by_length: BTreeMap<usize, Vec<ActiveRule<'_>>> = BTreeMap::new();
        for &second in patterns {
            let Some(names) = second.rule.side(generation).names() else { continue };
            let alike = by_length.entry(names.text_len()).or_default();
            errors.extend(alike.iter().filter_map(|first| ambiguous(*first, second, generation)));
            alike.push(second);
            if Diagnostics::stop_at_most(&mut errors) {
                return errors;
            }
        }
    }
    errors
}

fn ambiguous(
    first: ActiveRule<'_>,
    second: ActiveRule<'_>,
    generation: Generation,
) -> Option<Diagnostic> {
    let (a, b) = (first.rule.side(generation), second.rule.side(generation));
    let family = a.names()?.common_name(b.names()?)?;
    Some(second.error(
        second.rule.span(generation),
        format!("`{}` and `{}` ({}) both match `{family}`", b.family, a.family, first.source()),
        "of two patterns, the one with more text applies: add text to one of them, or a rule for \
         each family that both match",
    ))
}

/// Adds the patterns to a plan of the other rules.
pub(in crate::mapping) fn add_to(
    plan: &mut Plan,
    named: &[ActiveRule<'_>],
    patterns: &[ActiveRule<'_>],
    emitted: Emitted,
    settings: &Settings,
) {
    if patterns.is_empty() {
        return;
    }
    let sides = |its: &ActiveRule<'_>| -> [Box<[u8]>; 2] {
        [&its.rule.old, &its.rule.new].map(|side| side.family.as_bytes().into())
    };
    let named: HashSet<Box<[u8]>> = named.iter().flat_map(sides).collect();
    let mut rules = Vec::new();
    for &from in patterns {
        let mut compiled = |written| {
            let rule = rule(plan, from, written, emitted, settings)?;
            let id = RuleId(number(plan.rules.len()));
            plan.outputs[rule.to.0 as usize].rules.push(id);
            plan.rules.push(rule);
            Some(id)
        };
        let (to_new, to_old) = (compiled(Generation::New), compiled(Generation::Old));
        let names = |selector: &Selector| selector.names().cloned().unwrap_or_default();
        let (old, new) = (names(&from.rule.old), names(&from.rule.new));
        rules.push(PatternRule { old, new, to_new, to_old, signs: signs(from.rule) });
    }
    plan.patterns = Patterns::new(rules, named);
}

/// The labels that only one side of a rule has, if its families have the same names on both.
pub(in crate::mapping) fn signs(rule: &PackRule) -> Vec<LabelSigns> {
    if !rule.keeps_name() {
        return Vec::new();
    }
    let of = |generation: Generation| {
        let (own, other) = (rule.side(generation), rule.side(generation.other()));
        let optional: Vec<&str> = rule.optional(generation).collect();
        let names = |is_common: bool| -> Vec<Box<[u8]>> {
            let labels = own.items.iter().map(|item| item.label.as_str());
            let labels = labels.filter(|label| other.item(label).is_some() == is_common);
            let labels = labels.filter(|label| !is_common || !optional.contains(label));
            labels.map(|label| label.as_bytes().into()).collect()
        };
        LabelSigns { generation, required: names(true), any_of: names(false) }
    };
    let signs = [Generation::Old, Generation::New].map(of);
    signs.into_iter().filter(|signs| !signs.any_of.is_empty()).collect()
}

/// The rule for families of a pattern. Its families are the patterns: the engine replaces them by
/// names.
fn rule(
    plan: &mut Plan,
    from: ActiveRule<'_>,
    written: Generation,
    emitted: Emitted,
    settings: &Settings,
) -> Option<Rule> {
    let pack_rule = from.rule;
    let labels = labels::labels(pack_rule, written, &settings.fill);
    // Under `both`, a family with the same name in both generations is emitted in its new form.
    let is_emitted = emitted.has(written)
        && (!pack_rule.keeps_name() || !emitted.is_both() || written == Generation::New);
    if !is_emitted || pack_rule.keeps_name() && labels.is_identity() && pack_rule.scale.is_none() {
        return None;
    }
    let (read, write) = (pack_rule.side(written.other()), pack_rule.side(written));
    let to = OutputId(number(plan.outputs.len()));
    plan.outputs.push(Output {
        name: write.family.as_bytes().into(),
        help: pack_rule.help(written).map(Into::into),
        rules: Vec::new(),
    });
    let mut rule = Rule {
        title: build::title(from, written),
        source: from.source(),
        from: read.family.as_bytes().into(),
        to,
        when: labels::conditions(pack_rule, written, &labels),
        labels,
        kind: pack_rule.merge.map_or(Kind::Typed, Kind::TypedOrGauge),
        scale: pack_rule.scale_to(written),
        types: pack_rule.types_to(written),
        stream: false,
        distinct: false,
        keep: emitted.is_both() && !pack_rule.keeps_name(),
        same_generation: false,
        also: false,
        derived: false,
        part_of: None,
        remainder: false,
        redirects: Vec::new(),
    };
    // No other rule writes the family: a name has one pattern, and the rest of the name is kept.
    rule.distinct = labels::keeps_apart(&rule);
    rule.stream = rule.distinct && !emitted.is_both();
    Some(rule)
}

fn number(index: usize) -> u32 {
    u32::try_from(index).expect("a pack with four thousand million rules does not fit in memory")
}
