//! Compiles what packs have under `reduce:` into the plan for the output of the other rules.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::document::{Diagnostic, Diagnostics};
use crate::exposition::{MetricType, write_escaped};
use crate::mapping::Pack;
use crate::mapping::compile::Settings;
use crate::mapping::generation::Generation;
use crate::mapping::pack::{Reduce, ReducedLabels, Reduction};
use crate::mapping::plan::exposition::{
    Kind, LabelEdits, Match, Output, OutputId, PatternRule, Patterns, Plan, Rule, RuleId,
};

/// An active item and its pack.
#[derive(Clone, Copy)]
struct Active<'a> {
    item: &'a Reduction,
    pack: &'a Pack,
}

impl Active<'_> {
    /// The location as `pack:line`.
    fn source(self) -> String {
        format!("{}:{}", self.pack.name(), self.pack.source().line(self.item.span.start))
    }
}

/// The active items: each that drops samples, and of those that aggregate the same families, that of
/// the last pack.
fn active(packs: &[Pack]) -> Vec<Active<'_>> {
    let all = packs
        .iter()
        .flat_map(|pack| pack.reductions().iter().map(move |item| Active { item, pack }));
    let mut active: Vec<Active<'_>> = Vec::new();
    let mut places: HashMap<Vec<&str>, usize> = HashMap::new();
    for its in all {
        if its.item.action == Reduce::Drop {
            active.push(its);
            continue;
        }
        let place = *places.entry(its.item.selector.reading_key()).or_insert(active.len());
        match active.get_mut(place) {
            Some(replaced) => *replaced = its,
            None => active.push(its),
        }
    }
    active
}

/// Pairs of patterns that can both aggregate a family, while neither is more specific.
pub(in crate::mapping) fn errors(packs: &[Pack]) -> Vec<Diagnostic> {
    let mut errors = Vec::new();
    let mut by_length: BTreeMap<usize, Vec<Active<'_>>> = BTreeMap::new();
    for second in active(packs).into_iter().filter(|its| its.item.action != Reduce::Drop) {
        let Some(names) = second.item.selector.names() else { continue };
        let alike = by_length.entry(names.text_len()).or_default();
        errors.extend(alike.iter().filter_map(|first| {
            let family = names.common_name(first.item.selector.names()?)?;
            let (a, b) = (&second.item.selector.family, &first.item.selector.family);
            Some(second.pack.source().error(
                second.item.span,
                format!("`{a}` and `{b}` ({}) both match `{family}`", first.source()),
                "of two patterns, the one with more text applies: add text to one of them, or an \
                 item for each family that both match",
            ))
        }));
        alike.push(second);
        if Diagnostics::stop_at_most(&mut errors) {
            break;
        }
    }
    errors
}

/// Families that are aggregated although a rule says that their samples cannot be, and items that
/// leave nothing to write.
pub(in crate::mapping) fn warnings(packs: &[Pack]) -> Vec<Diagnostic> {
    let mut warnings = Vec::new();
    for its in active(packs) {
        let selector = &its.item.selector;
        let is_all = selector.names().is_some_and(|names| names.text_len() == 0);
        if is_all && selector.fixed().next().is_none() && its.item.action == Reduce::Drop {
            let message = "every sample is dropped, so scrapes are empty";
            let remedy = "name the families to drop, or a label with its text";
            warnings.push(its.pack.source().warning(its.item.span, message, remedy));
        }
        if !matches!(its.item.action, Reduce::Aggregate(_, None)) {
            continue;
        }
        let family = &its.item.selector.family;
        let rules = packs.iter().flat_map(Pack::rules);
        let mut types = rules.flat_map(|rule| {
            let sides = [Generation::Old, Generation::New].into_iter();
            let sides = sides.filter(|side| rule.side(*side).family == *family);
            sides.filter_map(|side| rule.type_of(side)).collect::<Vec<_>>()
        });
        let remedy = match types.find(|it| matches!(it, MetricType::Gauge | MetricType::Summary)) {
            Some(MetricType::Gauge) => "add `merge: max`, `merge: min` or `merge: sum`",
            Some(_) => "remove the item: quantiles cannot be added up",
            None => continue,
        };
        let message = format!("`{family}` cannot be summed, so all of its series are forwarded");
        warnings.push(its.pack.source().warning(its.item.span, message, remedy));
    }
    warnings
}

/// The plan. `None` if no pack reduces the output.
pub(in crate::mapping) fn plan(packs: &[Pack], settings: &Settings) -> Option<Plan> {
    let active = active(packs);
    if active.is_empty() || !settings.reduce {
        return None;
    }
    let mut plan = Plan { is_reduction: true, ..Plan::default() };
    let mut named: HashSet<Box<[u8]>> = HashSet::new();
    let mut patterns = Vec::new();
    for its in active {
        let selector = &its.item.selector;
        let family: Box<[u8]> = selector.family.as_bytes().into();
        match (&its.item.action, selector.names()) {
            (Reduce::Drop, None) => {
                plan.families.entry(family).or_default().dropped.push(dropped(its.item));
            }
            (Reduce::Drop, Some(names)) => {
                plan.dropped.push((names.clone(), dropped(its.item)));
            }
            (Reduce::Aggregate(..), None) => {
                let id = add_rule(&mut plan, its);
                let its_plan = plan.families.entry(family.clone()).or_default();
                its_plan.rules.push(id);
                its_plan.written = true;
                named.insert(family);
            }
            (Reduce::Aggregate(..), Some(names)) => {
                let id = add_rule(&mut plan, its);
                patterns.push(PatternRule {
                    old: names.clone(),
                    new: names.clone(),
                    to_new: Some(id),
                    to_old: None,
                    signs: Vec::new(),
                });
            }
        }
    }
    plan.patterns = Patterns::new(patterns, named);
    Some(plan)
}

/// The samples that an item drops.
fn dropped(item: &Reduction) -> Match {
    let equal = item.selector.fixed().map(|(label, text)| {
        let mut escaped = Vec::new();
        write_escaped(text.as_bytes(), &mut escaped);
        (label.as_bytes().into(), escaped.into())
    });
    Match { equal: equal.collect(), ..Match::default() }
}

fn add_rule(plan: &mut Plan, its: Active<'_>) -> RuleId {
    let id = RuleId(number(plan.rules.len()));
    let to = OutputId(number(plan.outputs.len()));
    let name: Box<[u8]> = its.item.selector.family.as_bytes().into();
    plan.outputs.push(Output { name: name.clone(), help: None, rules: vec![id] });
    let mut labels = LabelEdits::default();
    let (mut title, mut merge) = (its.item.selector.family.clone(), None);
    if let Reduce::Aggregate(reduced, method) = &its.item.action {
        let bytes = |names: &[String]| names.iter().map(|name| name.as_bytes().into()).collect();
        let (word, names) = match reduced {
            ReducedLabels::Without(names) => {
                labels.drop = bytes(names);
                ("without", names)
            }
            ReducedLabels::Keep(names) => {
                labels.keep_only = Some(bytes(names));
                ("keep", names)
            }
        };
        title = format!("{title} {word} ({})", names.join(", "));
        merge = *method;
    }
    plan.rules.push(Rule {
        title,
        source: its.source(),
        from: name,
        to,
        when: Match::default(),
        labels,
        kind: merge.map_or(Kind::Typed, Kind::TypedOrGauge),
        scale: None,
        types: None,
        stream: false,
        distinct: false,
        keep: false,
        same_generation: false,
        also: false,
        derived: false,
        part_of: None,
        remainder: false,
        redirects: Vec::new(),
    });
    id
}

fn number(index: usize) -> u32 {
    u32::try_from(index).expect("a pack has at most some thousand items")
}
