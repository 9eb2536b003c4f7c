//! Texts of labels that contain variables.

use std::borrow::Cow;

use memchr::memmem;

/// A label, and its value as texts with variables between them. Texts are not escaped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelText {
    /// The label.
    pub label: Box<[u8]>,
    /// The texts before, between and after the variables: one more than there are variables.
    pub texts: Vec<Box<[u8]>>,
    /// The variables, as indices of those of a [`ValueEdit`](super::value_edit::ValueEdit).
    pub variables: Vec<usize>,
}

impl LabelText {
    /// What each variable represents in a value. `None` if the value has another form.
    #[must_use]
    pub fn split<'v>(&self, value: &'v [u8]) -> Option<Vec<&'v [u8]>> {
        split(&self.texts, value)
    }

    /// What the only variable represents in a value, as [`split`](Self::split). `None` also if there are
    /// several.
    pub(super) fn only_part<'v>(&self, value: &'v [u8]) -> Option<&'v [u8]> {
        let [before, after] = &self.texts[..] else { return None };
        let rest = value.strip_prefix(&**before)?;
        rest.strip_suffix(&**after).filter(|part| !part.is_empty())
    }

    /// Passes on the pieces of the value, if the variables represent these texts. Nothing, if the only
    /// variable represents the empty text: the label is absent then.
    pub(super) fn join(&self, parts: &[Cow<'_, [u8]>], add: &mut impl FnMut(&[u8])) {
        if self.is_absent(parts) {
            return;
        }
        let variables = self.variables.iter().map(|variable| &*parts[*variable]);
        for (text, part) in self.texts.iter().zip(variables.map(Some).chain([None])) {
            add(text);
            add(part.unwrap_or_default());
        }
    }

    /// Whether the joined text is split into the same texts again.
    pub(super) fn splits_back(&self, parts: &[Cow<'_, [u8]>]) -> bool {
        if self.variables.len() < 2 {
            return true;
        }
        let mut value = Vec::new();
        self.join(parts, &mut |text| value.extend_from_slice(text));
        let split = self.split(&value);
        let expected = self.variables.iter().map(|variable| &*parts[*variable]);
        split.is_some_and(|split| split.into_iter().eq(expected))
    }

    fn is_absent(&self, parts: &[Cow<'_, [u8]>]) -> bool {
        matches!(self.variables[..], [variable] if parts[variable].is_empty())
    }
}

/// Splits a value at texts: the first and the last are its beginning and its end, each other one is
/// found where it first occurs. `None` if a text is missing, or if nothing is between two of them.
///
/// ```
/// use crossfade::mapping::plan::label_text::split;
///
/// let around_and_between = ["", "@", ""];
/// assert_eq!(split(&around_and_between, b"a@b@c"), Some(vec![&b"a"[..], b"b@c"]));
/// assert_eq!(split(&around_and_between, b"a"), None);
/// ```
#[must_use]
pub fn split<'v>(texts: &[impl AsRef<[u8]>], value: &'v [u8]) -> Option<Vec<&'v [u8]>> {
    let (first, others) = texts.split_first()?;
    let mut rest = value.strip_prefix(first.as_ref())?;
    let Some((last, between)) = others.split_last() else {
        return rest.is_empty().then(Vec::new);
    };
    let mut parts = Vec::with_capacity(others.len());
    for text in between {
        let text = text.as_ref();
        let at = memmem::find(rest, text).filter(|at| *at > 0)?;
        parts.push(&rest[..at]);
        rest = &rest[at + text.len()..];
    }
    parts.push(rest.strip_suffix(last.as_ref()).filter(|part| !part.is_empty())?);
    Some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_values_are_split() {
        for (texts, value, parts) in [
            (&["", ""][..], "abc", Some(&["abc"][..])),
            (&["", ""], "", None),
            (&["cpu", ""], "cpu12", Some(&["12"])),
            (&["cpu", ""], "cpu", None),
            (&["aa", "aa"], "aaa", None),
            (&["aa", "aa"], "aaaaa", Some(&["a"])),
            (&["", "@", ""], "name@docker", Some(&["name", "docker"])),
            (&["", "@", ""], "name@a@b", Some(&["name", "a@b"])),
            (&["", "@", ""], "@a", None),
            (&["", "@", ""], "@a@b", None),
            (&["", "@", ""], "a@", None),
            (&["", "@", ""], "a", None),
            (&["", "@", "@x"], "a@b@x", Some(&["a", "b"])),
            (&["", "@", "@x"], "a@x", None),
            (&["<", "-", "::", ">"], "<a-b-c::d>", Some(&["a", "b-c", "d"])),
            (&["text"], "text", Some(&[])),
            (&["text"], "texts", None),
        ] {
            let parts = parts.map(|parts| parts.iter().map(|part| part.as_bytes()).collect());
            assert_eq!(split(texts, value.as_bytes()), parts, "{texts:?} {value}");
        }
    }
}
