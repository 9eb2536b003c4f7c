//! Labels of a rule, in one direction.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::exposition::write_escaped;
use crate::mapping::compile::exposition::variables::groups;
use crate::mapping::generation::Generation;
use crate::mapping::pack::PackRule;
use crate::mapping::pack::exposition::selector::{Item, Selector, Term};
use crate::mapping::plan::exposition::{LabelEdits, Match, Pair, Rule, RuleId};
use crate::mapping::plan::label_text::LabelText;
use crate::mapping::plan::value_edit::ValueEdit;

fn bytes(text: &str) -> Box<[u8]> {
    text.as_bytes().into()
}

/// A value as it is in an exposition.
pub(super) fn escaped(text: &[u8]) -> Box<[u8]> {
    let mut escaped = Vec::new();
    write_escaped(text, &mut escaped);
    escaped.into()
}

/// Which samples a rule reads if it writes `written`.
pub(in crate::mapping) fn conditions(
    rule: &PackRule,
    written: Generation,
    edits: &LabelEdits,
) -> Match {
    let mut when = own_conditions(rule, written.other());
    when.values.clone_from(&edits.values);
    let renamed = groups(rule.side(written.other()), rule.side(written)).into_iter();
    let renamed = renamed.filter(|it| !it.is_variable() && it.renames(rule, written).is_some());
    when.values.extend(renamed.map(|group| Arc::new(group.condition())));
    if rule.keeps_name() && !told_apart(rule, written) {
        exclude_written_shape(rule, written, edits, &mut when);
    }
    when
}

/// The family keeps its name: adds conditions by which samples of the written shape do not match.
fn exclude_written_shape(
    rule: &PackRule,
    written: Generation,
    edits: &LabelEdits,
    when: &mut Match,
) {
    let (read, write) = (rule.side(written.other()), rule.side(written));
    // A sample with a label of the written side already has the written shape.
    let added = write.templates().map(|(label, _)| label).filter(|it| read.item(it).is_none());
    when.none_of = write.bare().chain(added).map(bytes).collect();
    // So does one whose value is the text that is written, or has the text around it.
    when.not_values = write.items.iter().filter_map(|item| written_text(read, item)).collect();
    // If no label is added, only samples with a label to drop or to rewrite need rewriting.
    let is_required = |edit: &ValueEdit| edit.variables.iter().any(|its| !its.optional);
    let adds = |edit: &Arc<ValueEdit>| is_required(edit) || edit.adds_label();
    if edits.append.is_empty() && edits.fill.is_empty() && !edits.values.iter().any(adds) {
        let other = rule.side(written);
        let renamed = rule.optional(written.other()).filter(|label| other.item(label).is_none());
        when.any_of = read.bare().chain(renamed).map(bytes).collect();
        let edited = edits.values.iter().flat_map(|edit| &edit.read);
        let edited = edited.map(|text| &text.label).filter(|its| !when.any_of.contains(its));
        let edited: Vec<Box<[u8]>> = edited.cloned().collect();
        when.any_of.extend(edited);
    }
}

/// Recognizes values that a rule writes: a text that it adds, or texts around variables that were
/// not there.
fn written_text(read: &Selector, item: &Item) -> Option<LabelText> {
    let before = read.item(&item.label).map(|its| &its.term);
    match (&item.term, before) {
        (Term::Fixed(text), None | Some(Term::Bare)) if !text.is_empty() => {
            let texts = vec![bytes(text)];
            Some(LabelText { label: bytes(&item.label), texts, variables: Vec::new() })
        }
        (Term::Template(its), Some(Term::Template(read)))
            if its.only_variable().is_none() && its.texts != read.texts =>
        {
            let variables = (0..its.variables.len()).collect();
            let texts = its.texts.iter().map(|text| bytes(text)).collect();
            Some(LabelText { label: bytes(&item.label), texts, variables })
        }
        _ => None,
    }
}

/// Which samples have the shape of one side of a rule.
pub(in crate::mapping) fn own_conditions(rule: &PackRule, generation: Generation) -> Match {
    let (selector, none) = (rule.side(generation), Selector::default());
    let required = selector.templates().filter(|(_, template)| !template.optional);
    let groups = groups(selector, &none).into_iter();
    let groups = groups.filter(|group| !group.is_variable());
    Match {
        equal: selector
            .fixed()
            .map(|(label, text)| (bytes(label), escaped(text.as_bytes())))
            .collect(),
        present: required.map(|(label, _)| bytes(label)).collect(),
        values: groups.map(|group| Arc::new(group.condition())).collect(),
        ..Match::default()
    }
}

/// True if no sample that a rule reads can have the shape that it writes.
fn told_apart(rule: &PackRule, written: Generation) -> bool {
    let (read, write) = (rule.side(written.other()), rule.side(written));
    let required = |item: &&Item| !rule.optional(written.other()).any(|label| label == item.label);
    read.items.iter().filter(required).any(|item| {
        match (&item.term, write.item(&item.label).map(|its| &its.term)) {
            (Term::Fixed(text), Some(Term::Fixed(its))) => text != its,
            (Term::Fixed(_) | Term::Template(_), None) => true,
            _ => false,
        }
    })
}

/// True if two series that a rule reads cannot become equal: a label that it drops has a single value.
pub(in crate::mapping) fn keeps_apart(rule: &Rule) -> bool {
    let has_one_value = |label: &[u8]| rule.when.equal.iter().any(|(its, _)| **its == *label);
    rule.labels.drop.iter().all(|label| has_one_value(label))
        && rule.labels.values.iter().all(|edit| edit.keeps_apart())
}

/// Rules by the text that they write.
type ByText<'a> = HashMap<Cow<'a, [u8]>, Vec<RuleId>>;

/// Of the rules that write one family, those that write a label with a text that no other of them
/// writes, while all of them write a text. So no other rule can write an equal series.
pub(in crate::mapping) fn told_apart_by_text(rules: &[Rule], writing: &[RuleId]) -> Vec<RuleId> {
    let mut by_label: HashMap<&[u8], ByText<'_>> = HashMap::new();
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
fn written_texts(rule: &Rule) -> impl Iterator<Item = (&[u8], Cow<'_, [u8]>)> {
    let LabelEdits { drop, rename, append, values, .. } = &rule.labels;
    let is_kept = move |(label, _): &&Pair| {
        !drop.contains(label)
            && !rename.iter().any(|(from, _)| from == label)
            && !values.iter().any(|edit| edit.read.iter().any(|text| text.label == *label))
    };
    let added = append.iter().map(|(label, text)| (&**label, escaped(text).into_vec().into()));
    let kept = rule.when.equal.iter().filter(is_kept);
    added.chain(kept.map(|(label, text)| (&**label, Cow::Borrowed(&**text))))
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
            Term::Template(_) => {}
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
            Term::Fixed(_) | Term::Template(_) => {}
        }
    }
    for group in groups(read, write) {
        match group.renames(rule, written) {
            Some((from, to)) if from != to => edits.rename.push((bytes(from), bytes(to))),
            Some(_) => {}
            None => edits.values.push(Arc::new(group.edit(rule, written))),
        }
    }
    edits
}
