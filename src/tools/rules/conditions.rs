//! The conditions of a rule, as selectors.

use std::collections::BTreeSet;

use super::expression::{Expr, Matcher, regex_of};
use super::utf8::text;
use crate::exposition::unescaped;
use crate::mapping::plan::exposition::{Match, Pair, Rule};
use crate::mapping::plan::label_text::LabelText;
use crate::mapping::plan::value_edit::{Translation, ValueEdit, Variable};

/// A regular expression for text that a variable represents.
const ANY: &str = ".+";

/// The matchers of all samples that a rule matches.
#[derive(Clone, Debug, Default)]
pub(super) struct Conditions {
    pub(super) matchers: Vec<Matcher>,
    /// At least one of these labels is present, unless the list is empty.
    pub(super) any_of: Vec<String>,
}

impl Conditions {
    /// The conditions of a rule.
    ///
    /// # Errors
    ///
    /// No matcher has one of them.
    pub(super) fn of(when: &Match) -> Result<Conditions, String> {
        let mut matchers = Vec::new();
        for pair in &when.equal {
            matchers.push(equal(pair, "="));
        }
        let mut add = |matcher: Matcher| {
            if !matchers.contains(&matcher) {
                matchers.push(matcher);
            }
        };
        for edit in &when.values {
            for read in &edit.read {
                of_value(edit, read)?.into_iter().for_each(&mut add);
            }
            for written in &edit.written {
                of_joined(edit, written)?.into_iter().for_each(&mut add);
            }
        }
        for label in &when.present {
            let label = text(label);
            if !matchers.iter().any(|it| it.label == label && !it.value.starts_with('|')) {
                matchers.push(Matcher::new(label, "!=", ""));
            }
        }
        for label in &when.none_of {
            matchers.push(Matcher::new(text(label), "=", ""));
        }
        for value in &when.not_values {
            let regex = whole(value, |_| ANY.to_owned())?;
            matchers.push(Matcher::new(text(&value.label), "!~", regex));
        }
        let any_of: Vec<String> = when.any_of.iter().map(|label| text(label).to_owned()).collect();
        Ok(Conditions { matchers, any_of })
    }

    /// Whether every sample meets them.
    pub(super) fn is_empty(&self) -> bool {
        self.matchers.is_empty() && self.any_of.is_empty()
    }

    /// The labels that a rule writes must not exist, as a sample that has one is not rewritten.
    pub(super) fn free_of(&mut self, labels: &BTreeSet<String>) {
        for label in labels {
            if !self.matchers.iter().any(|it| it.label == *label) {
                self.matchers.push(Matcher::new(label, "=", ""));
            }
        }
    }

    /// The samples of a series name that meet the conditions.
    pub(super) fn select(&self, name: &str, more: &[Matcher]) -> Expr {
        let mut selectors = self.selectors(name, more).into_iter();
        let first = selectors.next().unwrap_or_else(|| Expr::selector(name, more.to_vec()));
        selectors.fold(first, |expr, selector| expr.binary("or", selector))
    }

    /// Selectors of the samples of a series name that meet the conditions, at least one.
    pub(super) fn selectors(&self, name: &str, more: &[Matcher]) -> Vec<Expr> {
        let selector = |label: Option<&String>| {
            let present = label.map(|label| Matcher::new(label, "!=", ""));
            let matchers = self.matchers.iter().cloned().chain(present);
            Expr::selector(name, matchers.chain(more.iter().cloned()).collect())
        };
        if self.any_of.is_empty() {
            return vec![selector(None)];
        }
        self.any_of.iter().map(|label| selector(Some(label))).collect()
    }
}

/// A label with a value, as it is in an exposition.
pub(super) fn equal((label, value): &Pair, op: &'static str) -> Matcher {
    Matcher::new(text(label), op, text(&unescaped(value)))
}

/// Whether no sample can match both rules.
pub(super) fn are_disjoint(a: &Rule, b: &Rule) -> bool {
    a.when.equal.iter().any(|(label, value)| {
        let differs = |(its, text): &Pair| its == label && text != value;
        b.when.equal.iter().any(differs) || value.is_empty() && b.when.present.contains(label)
    }) || b
        .when
        .equal
        .iter()
        .any(|(label, value)| value.is_empty() && a.when.present.contains(label))
}

/// The matcher of the values that an edit accepts of one label. None, if it accepts all.
fn of_value(edit: &ValueEdit, read: &LabelText) -> Result<Option<Matcher>, String> {
    let label = text(&read.label);
    let variables = || read.variables.iter().filter_map(|at| edit.variables.get(*at));
    let shares = |it: &LabelText| {
        it.label != read.label && it.variables.iter().any(|its| read.variables.contains(its))
    };
    if edit.read.iter().any(shares) {
        return Err(format!("no matcher compares `{label}` with another label"));
    }
    let is_optional = !read.variables.is_empty() && variables().all(|it| it.optional);
    let regex = whole(read, |at| edit.variables.get(at).map_or(ANY.into(), accepted))?;
    let takes_absent = is_optional
        && match variables().next().map(|it| &it.translation) {
            Some(Translation::Texts { texts, others }) => {
                *others || texts.keys().any(|key| key.is_empty())
            }
            _ => true,
        };
    if regex == ANY {
        return Ok((!takes_absent).then(|| Matcher::new(label, "!=", "")));
    }
    let regex = if takes_absent { format!("|{regex}") } else { regex };
    Ok(Some(Matcher::new(label, "=~", regex)))
}

/// The matchers of values that a text of several variables can be split into again: none of them but the
/// last contains the text after it.
fn of_joined(edit: &ValueEdit, written: &LabelText) -> Result<Vec<Matcher>, String> {
    let mut matchers = Vec::new();
    let separators = written.texts.iter().skip(1);
    let all = written.variables.len();
    for (variable, separator) in written.variables.iter().zip(separators).take(all.max(1) - 1) {
        let separator = text(separator);
        if separator.chars().count() != 1 {
            return Err(format!("no matcher tells which values contain a part of `{separator}`"));
        }
        let reading = edit.read.iter().filter(|it| it.variables.contains(variable));
        let contains = format!(".*{}.*", regex_of(separator));
        matchers.extend(reading.map(|it| Matcher::new(text(&it.label), "!~", contains.clone())));
    }
    Ok(matchers)
}

/// A regular expression for the texts that a variable accepts, without the empty one.
fn accepted(variable: &Variable) -> String {
    let Translation::Texts { texts, others: false } = &variable.translation else {
        return ANY.to_owned();
    };
    let keys: BTreeSet<String> =
        texts.keys().filter(|key| !key.is_empty()).map(|key| regex_of(text(key))).collect();
    let keys: Vec<String> = keys.into_iter().collect();
    if keys.len() == 1 { keys.concat() } else { format!("(?:{})", keys.join("|")) }
}

/// A regular expression for a value. `of` returns that of a variable, by its index.
///
/// # Errors
///
/// A text between two variables is longer than one character: where it first occurs, no regular
/// expression finds without looking ahead.
pub(super) fn whole(value: &LabelText, of: impl Fn(usize) -> String) -> Result<String, String> {
    let last = value.variables.len();
    let mut regex = String::new();
    for (at, its) in value.texts.iter().map(|it| text(it)).enumerate() {
        if at > 0 && at < last {
            let mut chars = its.chars();
            let (Some(only), None) = (chars.next(), chars.next()) else {
                return Err(format!("no regular expression splits at the first `{its}`"));
            };
            // The variable before it ends where the text first occurs.
            let part = of(value.variables[at - 1]).replace(ANY, &format!("[^{only}]+"));
            let part = if "^]\\-".contains(only) {
                part.replace(&format!("[^{only}]"), &format!("[^\\{only}]"))
            } else {
                part
            };
            regex += &part;
        } else if at > 0 {
            regex += &of(value.variables[at - 1]);
        }
        regex += &regex_of(its);
    }
    Ok(regex)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label_text(texts: &[&str], variables: &[usize]) -> LabelText {
        LabelText {
            label: b"a".as_slice().into(),
            texts: texts.iter().map(|text| text.as_bytes().into()).collect(),
            variables: variables.to_vec(),
        }
    }

    #[test]
    fn values_as_regular_expressions() {
        let any = |_| "(.+)".to_owned();
        for (texts, variables, expected) in [
            (&["cpu", ""][..], &[0][..], Ok("cpu(.+)".to_owned())),
            (&["", "@", ""], &[0, 1], Ok("([^@]+)@(.+)".to_owned())),
            (&["", "]", "."], &[0, 1], Ok("([^\\]]+)\\](.+)\\.".to_owned())),
            (&["x"], &[], Ok("x".to_owned())),
            (
                &["", "::", ""],
                &[0, 1],
                Err("no regular expression splits at the first `::`".to_owned()),
            ),
        ] {
            assert_eq!(whole(&label_text(texts, variables), any), expected, "{texts:?}");
        }
    }

    #[test]
    fn accepted_values_as_matchers() {
        let matcher = |translation, optional| {
            let edit = ValueEdit {
                read: vec![label_text(&["", ""], &[0])],
                written: Vec::new(),
                variables: vec![Variable { translation, optional }],
            };
            let found = of_value(&edit, &edit.read[0]).expect("one label");
            found.map(|it| format!("{}{}", it.op, it.value))
        };
        let texts = |keys: &[&str], others| Translation::Texts {
            texts: keys.iter().map(|key| (key.as_bytes().into(), b"x".as_slice().into())).collect(),
            others,
        };
        assert_eq!(matcher(Translation::None, false).as_deref(), Some("!="));
        assert_eq!(matcher(Translation::None, true), None);
        assert_eq!(matcher(texts(&["OK", "a.b"], false), false).as_deref(), Some("=~(?:OK|a\\.b)"));
        assert_eq!(matcher(texts(&["OK"], true), true), None);
        assert_eq!(matcher(texts(&["", "OK"], false), true).as_deref(), Some("=~|OK"));
        assert_eq!(matcher(texts(&["OK"], false), true).as_deref(), Some("=~OK"));
    }
}
