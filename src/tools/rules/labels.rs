//! The labels of a rule, as `label_replace` and an aggregation.

use std::collections::BTreeSet;

use super::conditions::whole;
use super::expression::{Expr, literal, regex_of};
use super::utf8::text;
use crate::mapping::plan::exposition::LabelEdits;
use crate::mapping::plan::label_text::LabelText;
use crate::mapping::plan::value_edit::{Translation, ValueEdit};

/// The label that holds a new value until the old one of the same name is aggregated away.
const HELD: &str = "crossfade_new_";

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
    /// `PromQL` cannot make them.
    pub(super) fn make(&self, mut expr: Expr) -> Result<Expr, String> {
        for (from, to) in &self.edits.rename {
            expr = expr.replace(&self.held(text(to)), "$1", text(from), "(.+)");
        }
        for edit in &self.edits.values {
            for written in &edit.written {
                expr = made(expr, edit, written, &self.held(text(&written.label)))?;
            }
        }
        Ok(expr)
    }

    /// Gives held labels their names, after the aggregation, and adds labels with fixed texts.
    pub(super) fn finish(&self, mut expr: Expr) -> Expr {
        let renamed = self.edits.rename.iter().map(|(_, to)| &**to);
        let made = self.edits.values.iter().flat_map(|edit| &edit.written).map(|it| &*it.label);
        for label in renamed.chain(made).map(text) {
            let held = self.held(label);
            if held != label {
                expr = expr.replace(label, "$1", &held, "(.*)").with_label(&held, "");
            }
        }
        for (label, value) in &self.edits.append {
            expr = expr.with_label(text(label), text(value));
        }
        for (label, value) in &self.edits.fill {
            if !value.is_empty() {
                expr = expr.replace(text(label), &literal(text(value)), text(label), "");
            }
        }
        expr
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
fn made(expr: Expr, edit: &ValueEdit, written: &LabelText, target: &str) -> Result<Expr, String> {
    if let [variable] = written.variables[..] {
        return of_one(expr, edit, written, target, variable);
    }
    let mut expr = expr;
    let mut sources = Vec::new();
    for variable in &written.variables {
        let is_changed = edit
            .variables
            .get(*variable)
            .is_none_or(|it| it.optional || it.translation != Translation::None);
        let mut reading = edit.read.iter().filter(|it| it.variables == [*variable]);
        let (Some(source), false) = (reading.next(), is_changed) else {
            return Err(format!(
                "`{}` is made of several labels that change",
                text(&written.label)
            ));
        };
        if source.texts.iter().any(|text| !text.is_empty()) {
            return Err(format!("`{}` is made of parts of labels", text(&written.label)));
        }
        sources.push(text(&source.label).to_owned());
    }
    let mut texts = written.texts.iter().map(|it| text(it).to_owned());
    let before = texts.next().unwrap_or_default();
    let mut sources = sources.into_iter();
    let mut joined = sources.next().unwrap_or_default();
    for source in sources {
        let separator = texts.next().unwrap_or_default();
        let (of, sources) = (Box::new(expr), vec![joined.clone(), source]);
        expr = Expr::Join { of, target: target.to_owned(), separator, sources };
        target.clone_into(&mut joined);
    }
    let after = texts.next().unwrap_or_default();
    if before.is_empty() && after.is_empty() {
        return Ok(expr);
    }
    let replacement = format!("{}${{1}}{}", literal(&before), literal(&after));
    Ok(expr.replace(target, &replacement, target, "(.*)"))
}

/// Adds a label that is made of one variable.
fn of_one(
    mut expr: Expr,
    edit: &ValueEdit,
    written: &LabelText,
    target: &str,
    variable: usize,
) -> Result<Expr, String> {
    let source = edit.read.iter().find(|it| it.variables.contains(&variable));
    let source = source.ok_or_else(|| format!("`{target}` is made of no label"))?;
    let label = text(&source.label);
    let [before, after] = &written.texts[..] else {
        return Err(format!("`{target}` has an unknown text"));
    };
    let (before, after) = (literal(text(before)), literal(text(after)));
    let around = |value: &str| format!("{before}{value}{after}");
    let value = if after.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_') {
        "${1}"
    } else {
        "$1"
    };
    let capturing = whole(source, |at| if at == variable { "(.+)".into() } else { ".+".into() })?;
    let translation = edit.variables.get(variable).map(|it| &it.translation);
    match translation {
        Some(Translation::Lower | Translation::Upper) => {
            return Err(format!("PromQL cannot change the case of `{label}`"));
        }
        Some(Translation::Texts { texts, others }) => {
            if *others {
                expr = expr.replace(target, &around(value), label, capturing);
            }
            let mut pairs: Vec<(&str, &str)> =
                texts.iter().map(|(from, to)| (text(from), text(to))).collect();
            pairs.sort_unstable();
            for (from, to) in pairs {
                let regex =
                    whole(source, |at| if at == variable { regex_of(from) } else { ".+".into() })?;
                let regex = if from.is_empty() { String::new() } else { regex };
                let to = if to.is_empty() { String::new() } else { around(&literal(to)) };
                expr = expr.replace(target, &to, label, regex);
            }
        }
        Some(Translation::None) | None => {
            expr = expr.replace(target, &around(value), label, capturing);
        }
    }
    Ok(expr)
}
