//! The labels of a rule, as `label_replace` and an aggregation.

use std::collections::{BTreeMap, BTreeSet};

use super::conditions::whole;
use super::expression::{Expr, literal, regex_of};
use super::utf8::text;
use crate::mapping::plan::exposition::LabelEdits;
use crate::mapping::plan::label_text::LabelText;
use crate::mapping::plan::value_edit::{Translation, ValueEdit};

/// The label that holds a new value until the old one of the same name is aggregated away.
const HELD: &str = "crossfade_new_";

/// A label that gets a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// `target` gets the replacement, if the value of `source` matches. No source and no regular
    /// expression match always.
    Replace { target: String, replacement: String, source: String, regex: String },
    /// `target` gets the values of these labels with a text between them.
    Join { target: String, separator: String, sources: [String; 2] },
}

impl Step {
    /// `target` gets the replacement, if the value of `source` matches.
    pub(super) fn replace(
        target: &str,
        replacement: &str,
        source: &str,
        regex: impl Into<String>,
    ) -> Step {
        Step::Replace {
            target: target.to_owned(),
            replacement: replacement.to_owned(),
            source: source.to_owned(),
            regex: regex.into(),
        }
    }

    /// `target` gets a text. The empty one removes it.
    pub(super) fn fixed(target: &str, text: &str) -> Step {
        Step::replace(target, &literal(text), "", "")
    }

    /// The samples of an expression after the step.
    pub(super) fn of(self, expr: Expr) -> Expr {
        let of = Box::new(expr);
        match self {
            Step::Replace { target, replacement, source, regex } => {
                Expr::Replace { of, target, replacement, source, regex }
            }
            Step::Join { target, separator, sources } => {
                Expr::Join { of, target, separator, sources: sources.to_vec() }
            }
        }
    }
}

/// How a rule rewrites labels: first new labels are made of the old ones, then the old ones are
/// aggregated away, and then texts are added. So series stay different until they are aggregated.
#[derive(Debug)]
pub(super) struct LabelSteps<'a> {
    edits: &'a LabelEdits,
    /// The labels that do not remain.
    removed: BTreeSet<String>,
}

impl<'a> LabelSteps<'a> {
    pub(super) fn new(edits: &'a LabelEdits) -> LabelSteps<'a> {
        let renamed = edits.rename.iter().map(|(from, _)| &**from);
        let read = edits.values.iter().filter(|edit| !is_in_place(edit));
        let read = read.flat_map(|edit| &edit.read).map(|it| &*it.label);
        let all = edits.drop.iter().map(|label| &**label).chain(renamed).chain(read);
        LabelSteps { edits, removed: all.map(|label| text(label).to_owned()).collect() }
    }

    /// The labels that are written and do not exist before.
    pub(super) fn added(&self) -> BTreeSet<String> {
        let renamed = self.edits.rename.iter().map(|(_, to)| &**to);
        let made = self.edits.values.iter().flat_map(|edit| &edit.written).map(|it| &*it.label);
        let made = made.filter(|label| !self.is_read(label));
        let fixed = self.edits.append.iter().map(|(label, _)| &**label);
        let all = renamed.chain(made).chain(fixed).map(|label| text(label).to_owned());
        all.filter(|label| !self.removed.contains(label)).collect()
    }

    /// The labels to aggregate away.
    pub(super) fn removed(&self) -> Vec<String> {
        self.removed.iter().cloned().collect()
    }

    /// Adds the labels that are made of others.
    ///
    /// # Errors
    ///
    /// No step makes one of them.
    pub(super) fn make(&self) -> Result<Vec<Step>, String> {
        let renamed = self.edits.rename.iter();
        let mut steps: Vec<Step> = renamed
            .map(|(from, to)| Step::replace(&self.held(text(to)), "$1", text(from), "(.+)"))
            .collect();
        for edit in &self.edits.values {
            for written in &edit.written {
                steps.extend(made(edit, written, &self.held(text(&written.label)))?);
            }
        }
        Ok(steps)
    }

    /// Gives held labels their names, after the others were removed, and adds labels with fixed texts.
    pub(super) fn finish(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        let renamed = self.edits.rename.iter().map(|(_, to)| &**to);
        let made = self.edits.values.iter().flat_map(|edit| &edit.written).map(|it| &*it.label);
        for label in renamed.chain(made).map(text) {
            let held = self.held(label);
            if held != label {
                steps.push(Step::replace(label, "$1", &held, "(.*)"));
                steps.push(Step::fixed(&held, ""));
            }
        }
        let fixed = self.edits.append.iter();
        steps.extend(fixed.map(|(label, value)| Step::fixed(text(label), text(value))));
        for (label, value) in self.edits.fill.iter().filter(|(_, value)| !value.is_empty()) {
            steps.push(Step::replace(text(label), &literal(text(value)), text(label), ""));
        }
        steps
    }

    fn is_read(&self, label: &[u8]) -> bool {
        let mut read = self.edits.values.iter().flat_map(|edit| &edit.read);
        read.any(|it| *it.label == *label)
    }

    /// The label that gets the value before the aggregation.
    fn held(&self, label: &str) -> String {
        if self.removed.contains(label) { format!("{HELD}{label}") } else { label.to_owned() }
    }
}

/// Whether only the text around the value of one label changes, so that series stay different.
fn is_in_place(edit: &ValueEdit) -> bool {
    let ([read], [written], [variable]) = (&edit.read[..], &edit.written[..], &edit.variables[..])
    else {
        return false;
    };
    read.label == written.label && variable.translation == Translation::None
}

/// Adds one label of an edit, under the name `target`.
fn made(edit: &ValueEdit, written: &LabelText, target: &str) -> Result<Vec<Step>, String> {
    if let [variable] = written.variables[..] {
        return of_one(edit, written, target, variable);
    }
    let label = text(&written.label);
    let mut sources = Vec::new();
    for variable in &written.variables {
        let is_changed = edit
            .variables
            .get(*variable)
            .is_none_or(|it| it.optional || it.translation != Translation::None);
        let mut reading = edit.read.iter().filter(|it| it.variables == [*variable]);
        let (Some(source), false) = (reading.next(), is_changed) else {
            return Err(format!("`{label}` is made of several labels that change"));
        };
        if source.texts.iter().any(|text| !text.is_empty()) {
            return Err(format!("`{label}` is made of parts of labels"));
        }
        sources.push(text(&source.label).to_owned());
    }
    let mut texts = written.texts.iter().map(|it| text(it).to_owned());
    let before = texts.next().unwrap_or_default();
    let mut sources = sources.into_iter();
    let mut joined = sources.next().unwrap_or_default();
    let mut steps = Vec::new();
    for source in sources {
        let separator = texts.next().unwrap_or_default();
        let sources = [std::mem::replace(&mut joined, target.to_owned()), source];
        steps.push(Step::Join { target: target.to_owned(), separator, sources });
    }
    let after = texts.next().unwrap_or_default();
    if !before.is_empty() || !after.is_empty() {
        let replacement = format!("{}${{1}}{}", literal(&before), literal(&after));
        steps.push(Step::replace(target, &replacement, target, "(.*)"));
    }
    Ok(steps)
}

/// Adds a label that is made of one variable.
fn of_one(
    edit: &ValueEdit,
    written: &LabelText,
    target: &str,
    variable: usize,
) -> Result<Vec<Step>, String> {
    let source = edit.read.iter().find(|it| it.variables.contains(&variable));
    let source = source.ok_or_else(|| format!("`{target}` is made of no label"))?;
    let label = text(&source.label);
    let [before, after] = &written.texts[..] else {
        return Err(format!("`{target}` has an unknown text"));
    };
    let (before, after) = (literal(text(before)), literal(text(after)));
    let around = |value: &str| format!("{before}{value}{after}");
    let is_in_word = after.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    let value = if is_in_word { "${1}" } else { "$1" };
    let of = |regex: &str| {
        whole(source, |at| if at == variable { regex.to_owned() } else { ".+".to_owned() })
    };
    let mut steps = Vec::new();
    match edit.variables.get(variable).map(|it| &it.translation) {
        Some(Translation::Lower | Translation::Upper) => {
            return Err(format!("no rule changes the case of `{label}`"));
        }
        Some(Translation::Texts { texts, others }) => {
            if *others {
                steps.push(Step::replace(target, &around(value), label, of("(.+)")?));
            }
            let pairs = texts.iter().map(|(from, to)| (text(from), text(to)));
            let pairs: BTreeMap<&str, &str> = pairs.collect();
            for (from, to) in pairs {
                let regex = if from.is_empty() { String::new() } else { of(&regex_of(from))? };
                let to = if to.is_empty() { String::new() } else { around(&literal(to)) };
                steps.push(Step::replace(target, &to, label, regex));
            }
        }
        Some(Translation::None) | None => {
            steps.push(Step::replace(target, &around(value), label, of("(.+)")?));
        }
    }
    Ok(steps)
}
