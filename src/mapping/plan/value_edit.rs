//! How the values of labels are rewritten.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use super::label_text::LabelText;
use crate::exposition::{unescaped, write_escaped};

/// Labels whose values are split into the texts that variables stand for, and the labels that are
/// written with these texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ValueEdit {
    /// The labels read.
    pub read: Vec<LabelText>,
    /// The labels written. None, if the edit is only a condition.
    pub written: Vec<LabelText>,
    /// The variables of all these labels.
    pub variables: Vec<Variable>,
}

/// What a variable represents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variable {
    /// How it is translated.
    pub translation: Translation,
    /// A sample can lack its labels. It then represents the empty text.
    pub optional: bool,
}

/// How the text that a variable represents is translated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Translation {
    /// It stays as it is.
    #[default]
    None,
    /// These texts become others.
    Texts {
        /// From each text that is read to the one that is written. The empty text is an absent
        /// label.
        texts: HashMap<Box<[u8]>, Box<[u8]>>,
        /// Other texts stay as they are. Otherwise a label with one does not match.
        others: bool,
    },
    /// ASCII letters become lower case.
    Lower,
    /// ASCII letters become upper case.
    Upper,
}

impl ValueEdit {
    /// Whether it can be applied to a sample. `value` returns the value of a label, as it is escaped
    /// in the exposition; an absent label has an empty one.
    pub fn accepts<'v>(&self, value: impl Fn(&[u8]) -> &'v [u8]) -> bool {
        self.with_written_parts(value, |_| ()).is_some()
    }

    /// Appends the value of the written label with this index, escaped. Appends nothing if the label
    /// is absent, or if the sample is not [accepted](Self::accepts).
    pub fn write<'v>(&self, index: usize, value: impl Fn(&[u8]) -> &'v [u8], out: &mut Vec<u8>) {
        let Some(written) = self.written.get(index) else { return };
        self.with_written_parts(value, |parts| {
            written.join(parts, &mut |text| write_escaped(text, out));
        });
    }

    /// Whether different values that it accepts become different values. A text of several variables
    /// is only written if it is split into the same texts again, so only translations matter.
    #[must_use]
    pub fn keeps_apart(&self) -> bool {
        self.variables.iter().all(|variable| variable.translation.keeps_apart())
    }

    /// Whether it applies to samples without any of the labels read, and adds a label to them.
    #[must_use]
    pub fn adds_label(&self) -> bool {
        self.with_written_parts(|_| &[], |parts| parts.iter().any(|part| !part.is_empty()))
            .unwrap_or(false)
    }

    /// The labels read and written.
    pub fn labels(&self) -> impl Iterator<Item = &[u8]> {
        self.read.iter().chain(&self.written).map(|text| &*text.label)
    }

    /// Calls a function with what each variable represents, translated. `None` if a label does not
    /// have its text, if two labels with one variable differ in it, if a text is not translated, or
    /// if the written text would be split into other texts.
    fn with_written_parts<'v, T>(
        &self,
        value: impl Fn(&[u8]) -> &'v [u8],
        then: impl FnOnce(&[Cow<'_, [u8]>]) -> T,
    ) -> Option<T> {
        if let ([text], [variable]) = (&self.read[..], &self.variables[..])
            && text.variables.len() == 1
        {
            // Most edits, so without allocations.
            let value = unescaped(value(&text.label));
            let is_absent = value.is_empty() && variable.optional;
            let part = if is_absent { &[][..] } else { text.only_part(&value)? };
            return Some(then(&[variable.translation.of(part)?]));
        }
        let values: Vec<Cow<'v, [u8]>> =
            self.read.iter().map(|it| unescaped(value(&it.label))).collect();
        let mut read: Vec<Option<&[u8]>> = vec![None; self.variables.len()];
        for (text, value) in self.read.iter().zip(&values) {
            let is_absent = value.is_empty() && self.is_optional(text);
            let parts =
                if is_absent { vec![&[][..]; text.variables.len()] } else { text.split(value)? };
            for (&variable, part) in text.variables.iter().zip(parts) {
                if read[variable].replace(part).is_some_and(|its| its != part) {
                    return None;
                }
            }
        }
        let mut parts = Vec::with_capacity(read.len());
        for (variable, part) in self.variables.iter().zip(read) {
            parts.push(variable.translation.of(part.unwrap_or_default())?);
        }
        let splits_back = |text: &LabelText| text.splits_back(&parts);
        self.written.iter().all(splits_back).then(|| then(&parts))
    }

    /// Whether a sample can lack a label.
    fn is_optional(&self, text: &LabelText) -> bool {
        text.variables.iter().all(|variable| self.variables[*variable].optional)
    }
}

impl Translation {
    /// The text that is written for one that is read. `None` if there is none.
    fn of<'a>(&'a self, text: &'a [u8]) -> Option<Cow<'a, [u8]>> {
        Some(match self {
            Translation::None => Cow::Borrowed(text),
            Translation::Texts { texts, others } => match texts.get(text) {
                Some(written) => Cow::Borrowed(written),
                None if *others => Cow::Borrowed(text),
                None => return None,
            },
            Translation::Lower => Cow::Owned(text.to_ascii_lowercase()),
            Translation::Upper => Cow::Owned(text.to_ascii_uppercase()),
        })
    }

    /// Whether different texts become different texts.
    #[must_use]
    pub fn keeps_apart(&self) -> bool {
        match self {
            Translation::None => true,
            Translation::Lower | Translation::Upper => false,
            Translation::Texts { texts, others } => {
                let written: HashSet<&[u8]> = texts.values().map(|text| &**text).collect();
                // A text that is written, and not read, may also be one of the others.
                let is_read = |text: &&[u8]| texts.contains_key(*text);
                written.len() == texts.len() && (!others || written.iter().all(is_read))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Box<[u8]> {
        text.as_bytes().into()
    }

    fn text(label: &str, texts: &[&str], variables: &[usize]) -> LabelText {
        let texts = texts.iter().map(|text| bytes(text)).collect();
        LabelText { label: bytes(label), texts, variables: variables.to_vec() }
    }

    fn translation(pairs: &[(&str, &str)], others: bool) -> Translation {
        let texts = pairs.iter().map(|(read, written)| (bytes(read), bytes(written))).collect();
        Translation::Texts { texts, others }
    }

    /// The values written for these labels; `None` if they are not accepted.
    fn written(edit: &ValueEdit, labels: &[(&str, &'static str)]) -> Option<Vec<String>> {
        let value = |name: &[u8]| -> &'static [u8] {
            let found = labels.iter().find(|(its, _)| its.as_bytes() == name);
            found.map_or(b"", |(_, value)| value.as_bytes())
        };
        let values = (0..edit.written.len()).map(|index| {
            let mut out = Vec::new();
            edit.write(index, value, &mut out);
            String::from_utf8(out).expect("UTF-8")
        });
        edit.accepts(value).then(|| values.collect())
    }

    fn one(read: &[&str], written: &[&str], variable: Variable) -> ValueEdit {
        ValueEdit {
            read: vec![text("a", read, &[0])],
            written: vec![text("b", written, &[0])],
            variables: vec![variable],
        }
    }

    #[test]
    fn texts_around_a_value() {
        let edit = one(&["cpu", ""], &["<", "\">"], Variable::default());
        assert_eq!(written(&edit, &[("a", "cpu12")]), Some(vec!["<12\\\">".to_owned()]));
        for value in ["cpu", "12", "", "CPU1"] {
            assert_eq!(written(&edit, &[("a", value)]), None, "{value}");
        }
        // A text is not found inside of an escape.
        let edit = one(&["", "n"], &["", ""], Variable::default());
        assert_eq!(written(&edit, &[("a", "x\\n")]), None);
        assert_eq!(written(&edit, &[("a", "x\\nn")]), Some(vec!["x\\n".to_owned()]));
    }

    #[test]
    fn translations() {
        let edit =
            |translation, optional| one(&["", ""], &["", ""], Variable { translation, optional });
        let became =
            |edit: &ValueEdit, value| written(edit, &[("a", value)]).map(|all| all.concat());
        let all = edit(translation(&[("OK", "0"), ("q\"", "1")], false), false);
        assert_eq!(became(&all, "OK").as_deref(), Some("0"));
        assert_eq!(became(&all, "q\\\"").as_deref(), Some("1"));
        assert_eq!(became(&all, "Other"), None);
        let others = edit(translation(&[("OK", "0")], true), false);
        assert_eq!(became(&others, "Other").as_deref(), Some("Other"));
        assert_eq!(became(&others, ""), None);
        let lower = edit(Translation::Lower, true);
        assert_eq!(became(&lower, "GeT\\nÄ").as_deref(), Some("get\\nÄ"));
        assert_eq!(became(&lower, "").as_deref(), Some(""));
        let upper = edit(Translation::Upper, false);
        assert_eq!(became(&upper, "get\\n\\\\n").as_deref(), Some("GET\\n\\\\N"));
        let absent = edit(translation(&[("", "none")], true), true);
        assert_eq!(became(&absent, "").as_deref(), Some("none"));
        assert!(absent.adds_label() && !lower.adds_label() && !all.adds_label());
    }

    /// `service="$0@$1"`, and `backend=$0` with `provider=$1`.
    #[test]
    fn several_variables() {
        let whole = || vec![text("service", &["", "@", ""], &[0, 1])];
        let parts = || vec![text("backend", &["", ""], &[0]), text("provider", &["", ""], &[1])];
        let variables = vec![Variable::default(); 2];
        let split = ValueEdit { read: whole(), written: parts(), variables: variables.clone() };
        assert_eq!(
            written(&split, &[("service", "a@b@c")]),
            Some(vec!["a".to_owned(), "b@c".to_owned()])
        );
        assert_eq!(written(&split, &[("service", "a")]), None);
        let joined = ValueEdit { read: parts(), written: whole(), variables };
        let labels = [("backend", "a"), ("provider", "b@c")];
        assert_eq!(written(&joined, &labels), Some(vec!["a@b@c".to_owned()]));
        // It would be split elsewhere.
        assert_eq!(written(&joined, &[("backend", "a@b"), ("provider", "c")]), None);
        assert_eq!(written(&joined, &[("backend", "a")]), None);
    }

    #[test]
    fn one_variable_in_several_labels() {
        let edit = ValueEdit {
            read: vec![text("x", &["", ""], &[0]), text("y", &["y", ""], &[0])],
            written: vec![text("x", &["", ""], &[0])],
            variables: vec![Variable { optional: true, ..Variable::default() }],
        };
        assert_eq!(written(&edit, &[("x", "1"), ("y", "y1")]), Some(vec!["1".to_owned()]));
        assert_eq!(written(&edit, &[]), Some(vec![String::new()]));
        for labels in [&[("x", "1"), ("y", "y2")][..], &[("x", "1")], &[("y", "y1")]] {
            assert_eq!(written(&edit, labels), None, "{labels:?}");
        }
    }

    #[test]
    fn which_translations_keep_values_apart() {
        for (pairs, others, apart) in [
            (&[("a", "1"), ("b", "2")][..], false, true),
            (&[("a", "1"), ("b", "1")], false, false),
            (&[("a", "1")], true, false), // "1" is one of the others
            (&[("a", "b"), ("b", "a")], true, true),
            (&[("", "none"), ("none", "")], true, true),
        ] {
            assert_eq!(translation(pairs, others).keeps_apart(), apart, "{pairs:?} {others}");
        }
    }
}
