//! Label sets as they are written: `a="b",c="d"`.

use crate::exposition::{LabelHasher, end_of_plain_text};

/// The labels of a text from [`RenderedLabels`](super::label_transform::RenderedLabels): the name of each, and the label as `name="value`.
pub(super) fn split(text: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let open = memchr::memchr(b'"', rest)?;
        let mut close = end_of_plain_text(rest, open + 1);
        while *rest.get(close)? != b'"' {
            close = end_of_plain_text(rest, close + if rest[close] == b'\\' { 2 } else { 1 });
        }
        let (name, label) = (&rest[..open.saturating_sub(1)], &rest[..close]);
        rest = rest.get(close + 2..).unwrap_or_default();
        Some((name, label))
    })
}

/// The hash of a text from [`RenderedLabels`](super::label_transform::RenderedLabels).
pub(super) fn hash_text(hasher: &LabelHasher, text: &[u8]) -> u64 {
    split(text).fold(0, |sum, (_, label)| sum.wrapping_add(hasher.label(label)))
}

/// The hash of only the labels with these names.
pub(super) fn hash_text_of(hasher: &LabelHasher, text: &[u8], names: &[Box<[u8]>]) -> u64 {
    split(text)
        .filter(|(name, _)| named(names, name))
        .fold(0, |sum, (_, label)| sum.wrapping_add(hasher.label(label)))
}

/// True if two texts are the same label set, in any order.
pub(super) fn same_set(a: &[u8], b: &[u8]) -> bool {
    if a == b {
        return true;
    }
    let sorted = |text| {
        let mut labels: Vec<_> =
            split(text).map(|(_, label)| label).filter(|label| !label.ends_with(b"=\"")).collect();
        labels.sort_unstable();
        labels
    };
    sorted(a) == sorted(b)
}

/// The labels without those of these names that are empty. `None` if there are none.
pub(super) fn without_empty(text: &[u8], names: &[&[u8]]) -> Option<Vec<u8>> {
    // Nearly every text has no such label.
    memchr::memmem::find(text, b"=\"\"")?;
    let is_empty =
        |label: &[u8]| names.iter().any(|&name| label.strip_suffix(b"=\"") == Some(name));
    split(text).find(|(_, label)| is_empty(label))?;
    let others = split(text).map(|(_, label)| label).filter(|label| !is_empty(label));
    Some(others.map(|label| [label, b"\""].concat()).collect::<Vec<_>>().join(&b','))
}

/// Whether a list contains a name.
pub(super) fn named(names: &[Box<[u8]>], name: &[u8]) -> bool {
    names.iter().any(|n| **n == *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_split_where_labels_end() {
        let set = br#"a="1",b="q\"=\"",c="",d="\\""#;
        let names: Vec<_> = split(set).map(|(name, _)| name.escape_ascii().to_string()).collect();
        assert_eq!(names, ["a", "b", "c", "d"]);
        assert!(same_set(set, br#"d="\\",b="q\"=\"",a="1""#));
        assert!(!same_set(set, br#"d="\\",b="q\"=\"",a="2""#));
        assert_eq!(split(b"a=\"unfinished").count(), 0);
    }

    #[test]
    fn empty_labels_of_a_name_are_removed() {
        let without = |text: &str| {
            let text = without_empty(text.as_bytes(), &[b"le", b"quantile"])?;
            Some(String::from_utf8(text).expect("text"))
        };
        assert_eq!(without(r#"le="""#).as_deref(), Some(""));
        assert_eq!(without(r#"a="1",le="",b="",quantile="""#).as_deref(), Some(r#"a="1",b="""#));
        for text in ["", r#"a="""#, r#"le="1",a="""#, r#"ale="",x="le=\"\"""#] {
            assert_eq!(without(text), None, "{text}");
        }
    }
}
