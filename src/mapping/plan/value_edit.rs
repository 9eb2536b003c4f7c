//! How the value of a label is rewritten.

use std::collections::{HashMap, HashSet};

/// How the value of a label is rewritten: the texts around it are replaced, and what is between them
/// is translated. All texts are escaped as in an exposition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ValueEdit {
    /// The texts before and after, as read.
    pub read: (Box<[u8]>, Box<[u8]>),
    /// The texts before and after, as written.
    pub written: (Box<[u8]>, Box<[u8]>),
    /// What happens to the text between them.
    pub translation: Translation,
}

/// How the part of a value that a variable stands for is translated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Translation {
    /// It stays as it is.
    #[default]
    None,
    /// These texts become others.
    Texts {
        /// From each text that is read to the one that is written.
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
    /// Whether it can be applied to a value, as it is escaped in the exposition.
    #[must_use]
    pub fn accepts(&self, value: &[u8]) -> bool {
        self.inner(value).is_some_and(|inner| match &self.translation {
            Translation::Texts { texts, others } => *others || texts.contains_key(inner),
            Translation::None | Translation::Lower | Translation::Upper => true,
        })
    }

    /// Appends the value that is written for one that is [accepted](Self::accepts). Any other is
    /// appended as it is.
    pub fn write(&self, value: &[u8], out: &mut Vec<u8>) {
        let Some(inner) = self.inner(value) else {
            out.extend_from_slice(value);
            return;
        };
        out.extend_from_slice(&self.written.0);
        match &self.translation {
            Translation::None => out.extend_from_slice(inner),
            Translation::Texts { texts, .. } => {
                out.extend_from_slice(texts.get(inner).map_or(inner, |text| text));
            }
            // An escaped `n` after a backslash is a line end, not a letter.
            Translation::Lower => out.extend(inner.iter().map(u8::to_ascii_lowercase)),
            Translation::Upper => upper(inner, out),
        }
        out.extend_from_slice(&self.written.1);
    }

    /// Whether different values that it accepts become different values.
    #[must_use]
    pub fn keeps_apart(&self) -> bool {
        match &self.translation {
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

    /// What is between the texts around it. `None` if they differ, or if nothing is between them.
    fn inner<'a>(&self, value: &'a [u8]) -> Option<&'a [u8]> {
        let (before, after) = &self.read;
        let inner = value.strip_prefix(&**before)?.strip_suffix(&**after)?;
        (!inner.is_empty()).then_some(inner)
    }
}

fn upper(text: &[u8], out: &mut Vec<u8>) {
    let mut escaped = false;
    for &byte in text {
        out.push(if escaped { byte } else { byte.to_ascii_uppercase() });
        escaped = byte == b'\\' && !escaped;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Box<[u8]> {
        text.as_bytes().into()
    }

    fn texts(pairs: &[(&str, &str)], others: bool) -> ValueEdit {
        let texts = pairs.iter().map(|(read, written)| (bytes(read), bytes(written))).collect();
        ValueEdit { translation: Translation::Texts { texts, others }, ..ValueEdit::default() }
    }

    fn written(edit: &ValueEdit, value: &str) -> Option<String> {
        let mut out = Vec::new();
        edit.write(value.as_bytes(), &mut out);
        let out = String::from_utf8(out).expect("UTF-8");
        edit.accepts(value.as_bytes()).then_some(out)
    }

    #[test]
    fn texts_around_a_value() {
        let edit = ValueEdit {
            read: (bytes("cpu"), bytes("")),
            written: (bytes("<"), bytes(">")),
            translation: Translation::None,
        };
        assert_eq!(written(&edit, "cpu12").as_deref(), Some("<12>"));
        for value in ["cpu", "12", "", "CPU1"] {
            assert_eq!(written(&edit, value), None, "{value}");
        }
        let both = ValueEdit { read: (bytes("aa"), bytes("aa")), ..ValueEdit::default() };
        assert_eq!(written(&both, "aaa"), None);
        assert_eq!(written(&both, "aaaaa").as_deref(), Some("a"));
    }

    #[test]
    fn translations() {
        let all = texts(&[("OK", "0"), ("NotFound", "5")], false);
        assert_eq!(written(&all, "OK").as_deref(), Some("0"));
        assert_eq!(written(&all, "Other"), None);
        let others = texts(&[("OK", "0")], true);
        assert_eq!(written(&others, "Other").as_deref(), Some("Other"));
        let case = |translation| ValueEdit { translation, ..ValueEdit::default() };
        assert_eq!(written(&case(Translation::Lower), "GeT\\nÄ").as_deref(), Some("get\\nÄ"));
        assert_eq!(
            written(&case(Translation::Upper), "get\\n\\\\n").as_deref(),
            Some("GET\\n\\\\N")
        );
    }

    #[test]
    fn which_translations_keep_values_apart() {
        for (pairs, others, apart) in [
            (&[("a", "1"), ("b", "2")][..], false, true),
            (&[("a", "1"), ("b", "1")], false, false),
            (&[("a", "1")], true, false), // "1" is one of the others
            (&[("a", "b"), ("b", "a")], true, true),
        ] {
            assert_eq!(texts(pairs, others).keeps_apart(), apart, "{pairs:?} {others}");
        }
    }
}
