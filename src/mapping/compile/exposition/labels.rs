//! Labels of a rule, in one direction.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::exposition::write_escaped;
use crate::mapping::generation::Generation;
use crate::mapping::pack::PackRule;
use crate::mapping::pack::exposition::selector::{Item, Term, Variable};
use crate::mapping::plan::exposition::{LabelEdits, Match, Pair, Rule, RuleId, ValueStep};
use crate::mapping::plan::value_edit::{Translation, ValueEdit};

fn bytes(text: &str) -> Box<[u8]> {
    text.as_bytes().into()
}

/// Which samples a rule reads if it writes `written`.
pub(in crate::mapping) fn conditions(
    rule: &PackRule,
    written: Generation,
    edits: &LabelEdits,
) -> Match {
    let (read, write) = (rule.side(written.other()), rule.side(written));
    let mut when = own_conditions(rule, written.other());
    if rule.keeps_name() && !told_apart(rule, written) {
        let renamed = |side: Generation| {
            let other = rule.side(side.other());
            rule.optional(side).filter(|label| other.item(label).is_none())
        };
        // A sample with a label of the written side already has the written shape.
        when.none_of = write.bare().chain(renamed(written)).map(bytes).collect();
        // If no label is added, only samples with a label to drop or rename need rewriting.
        if edits.append.is_empty() && edits.fill.is_empty() {
            when.any_of = read.bare().chain(renamed(written.other())).map(bytes).collect();
        }
        // So does one whose value has the text around it that is written.
        when.not_values = edits.values.iter().filter_map(written_around).collect();
    }
    for step in &edits.values {
        when.values.retain(|(label, _)| *label != step.from);
        when.values.push((step.from.clone(), Arc::clone(&step.edit)));
    }
    when
}

/// Recognizes values that have the texts around them that a step adds.
fn written_around(step: &ValueStep) -> Option<(Box<[u8]>, ValueEdit)> {
    let (before, after) = &step.edit.written;
    let is_added = before.len() + after.len() > 0 && step.edit.read != step.edit.written;
    let edit = ValueEdit { read: step.edit.written.clone(), ..ValueEdit::default() };
    (is_added && step.from == step.to).then_some((step.to.clone(), edit))
}

/// Which samples have the shape of one side of a rule.
pub(in crate::mapping) fn own_conditions(rule: &PackRule, generation: Generation) -> Match {
    let selector = rule.side(generation);
    let is_optional = |label: &str| rule.optional(generation).any(|its| its == label);
    let required = selector.variables().map(|(label, _)| label).filter(|it| !is_optional(it));
    Match {
        equal: selector.fixed().map(|(label, text)| (bytes(label), bytes(text))).collect(),
        present: required.map(bytes).collect(),
        values: selector.variables().filter_map(around).collect(),
        ..Match::default()
    }
}

/// The condition on a value with text around it.
fn around((label, variable): (&str, &Variable)) -> Option<(Box<[u8]>, Arc<ValueEdit>)> {
    let read = texts(variable);
    let edit = ValueEdit { written: read.clone(), read, translation: Translation::None };
    let has_text = !variable.before.is_empty() || !variable.after.is_empty();
    has_text.then(|| (bytes(label), Arc::new(edit)))
}

/// The texts around a variable, as they are escaped.
fn texts(variable: &Variable) -> (Box<[u8]>, Box<[u8]>) {
    let escaped = |text: &str| {
        let mut escaped = Vec::new();
        write_escaped(text.as_bytes(), &mut escaped);
        escaped.into()
    };
    (escaped(&variable.before), escaped(&variable.after))
}

/// True if no sample that a rule reads can have the shape that it writes.
fn told_apart(rule: &PackRule, written: Generation) -> bool {
    let (read, write) = (rule.side(written.other()), rule.side(written));
    let required = |item: &&Item| !rule.optional(written.other()).any(|label| label == item.label);
    read.items.iter().filter(required).any(|item| {
        match (&item.term, write.item(&item.label).map(|its| &its.term)) {
            (Term::Fixed(text), Some(Term::Fixed(its))) => text != its,
            (Term::Fixed(_) | Term::Variable(_), None) => true,
            _ => false,
        }
    })
}

/// True if two series that a rule reads cannot become equal: a label that it drops has a single value.
pub(in crate::mapping) fn keeps_apart(rule: &Rule) -> bool {
    let has_one_value = |label: &[u8]| rule.when.equal.iter().any(|(its, _)| **its == *label);
    rule.labels.drop.iter().all(|label| has_one_value(label))
        && rule.labels.values.iter().all(|step| step.edit.keeps_apart())
}

/// Of the rules that write one family, those that write a label with a text that no other of them
/// writes, while all of them write a text. So no other rule can write an equal series.
pub(in crate::mapping) fn told_apart_by_text(rules: &[Rule], writing: &[RuleId]) -> Vec<RuleId> {
    let mut by_label: HashMap<&[u8], HashMap<&[u8], Vec<RuleId>>> = HashMap::new();
    for id in writing {
        for (label, text) in written_texts(&rules[id.0 as usize]) {
            by_label.entry(label).or_default().entry(text).or_default().push(*id);
        }
    }
    let mut apart: Vec<RuleId> = if writing.len() == 1 { writing.to_vec() } else { Vec::new() };
    for texts in by_label.into_values() {
        let with_text: usize = texts.values().map(Vec::len).sum();
        if with_text == writing.len() {
            apart.extend(texts.into_values().filter(|ids| ids.len() == 1).flatten());
        }
    }
    apart
}

/// The labels that a rule writes with a fixed text: those it adds, and those it requires and keeps.
fn written_texts(rule: &Rule) -> impl Iterator<Item = &Pair> {
    let LabelEdits { drop, rename, append, values, .. } = &rule.labels;
    let is_kept = move |(label, _): &&Pair| {
        !drop.contains(label)
            && !rename.iter().any(|(from, _)| from == label)
            && !values.iter().any(|step| step.from == *label)
    };
    append.iter().chain(rule.when.equal.iter().filter(is_kept))
}

/// How labels are rewritten if a rule writes `written`.
pub(in crate::mapping) fn labels(
    rule: &PackRule,
    written: Generation,
    fill: &BTreeMap<String, String>,
) -> LabelEdits {
    let (read, write) = (rule.side(written.other()), rule.side(written));
    let mut edits = LabelEdits::default();
    for item in &read.items {
        match &item.term {
            Term::Variable(variable) => {
                let (target, its) = write
                    .variables()
                    .find(|(_, its)| its.name == variable.name)
                    .expect("a pack's variables occur on both sides");
                let translation = rule.values.get(&variable.name).map(|it| it.to(written));
                let translation = translation.unwrap_or_default();
                let edit = ValueEdit { read: texts(variable), written: texts(its), translation };
                if edit.read != edit.written || edit.translation != Translation::None {
                    let (from, to) = (bytes(&item.label), bytes(target));
                    edits.values.push(ValueStep { from, to, edit: Arc::new(edit) });
                } else if target != item.label {
                    edits.rename.push((bytes(&item.label), bytes(target)));
                }
            }
            term if write.item(&item.label).is_some_and(|its| its.term == *term) => {}
            Term::Fixed(_) | Term::Bare => edits.drop.push(bytes(&item.label)),
        }
    }
    for item in &write.items {
        let added = |text: &String| (bytes(&item.label), bytes(text));
        match &item.term {
            Term::Fixed(text) if read.item(&item.label).is_none_or(|its| its.term != item.term) => {
                edits.append.push(added(text));
            }
            Term::Bare => edits.fill.extend(fill.get(&item.label).map(added)),
            Term::Fixed(_) | Term::Variable(_) => {}
        }
    }
    edits
}
