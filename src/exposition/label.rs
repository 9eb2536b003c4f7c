//! Label values: escapes, and hashes of label sets that do not depend on their order.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::LazyLock;

use foldhash::fast::FixedState;

/// Appends a label value read from an exposition, escaped so that all parsers agree on it.
///
/// `\\`, `\"` and `\n` are copied; a raw newline is written as `\n`. Prometheus reads any other
/// backslash literally and strict parsers refuse it, so it is doubled, which both read the same.
pub fn write_value(raw: &[u8], out: &mut Vec<u8>) {
    let mut rest = raw;
    while let Some(at) = memchr::memchr2(b'\\', b'\n', rest) {
        out.extend_from_slice(&rest[..at]);
        if rest[at] == b'\n' {
            out.extend_from_slice(b"\\n");
            rest = &rest[at + 1..];
            continue;
        }
        out.push(b'\\');
        if let Some(&escaped @ (b'\\' | b'"' | b'n')) = rest.get(at + 1) {
            out.push(escaped);
            rest = &rest[at + 2..];
        } else {
            out.push(b'\\');
            rest = &rest[at + 1..];
        }
    }
    out.extend_from_slice(rest);
}

/// Appends an unescaped label value with the necessary escapes.
pub fn write_escaped(text: &[u8], out: &mut Vec<u8>) {
    for &byte in text {
        match byte {
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'"' => out.extend_from_slice(b"\\\""),
            b'\n' => out.extend_from_slice(b"\\n"),
            _ => out.push(byte),
        }
    }
}

/// Hashes label sets. The order of labels and labels with empty values make no difference.
///
/// In Prometheus `{a="1",b="2"}`, `{b="2",a="1"}` and `{a="1",b="2",c=""}` are one series.
#[derive(Clone, Debug)]
pub struct LabelHasher {
    state: FixedState,
}

impl LabelHasher {
    /// One of several independent hashers. The same number gives the same hasher within a process,
    /// and another one in the next process: label values are untrusted, and clients must not be
    /// able to predict their hashes.
    #[must_use]
    pub fn numbered(number: u64) -> Self {
        static SEED: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(0));
        LabelHasher { state: FixedState::with_seed(SEED.wrapping_add(number)) }
    }

    /// The hash of one label. The hash of a set is the wrapping sum of its labels' hashes. `label`
    /// is `name="value` without the closing quote, as in a line.
    #[must_use]
    #[inline]
    pub fn label(&self, label: &[u8]) -> u64 {
        // The quote at the end is the opening one: inside a value it would follow a backslash.
        if label.ends_with(b"=\"") {
            return 0;
        }
        let mut hasher = self.state.build_hasher();
        hasher.write(label);
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(raw: &str) -> String {
        let mut out = Vec::new();
        write_value(raw.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn values_are_escaped_for_all_parsers() {
        assert_eq!(rewritten("plain"), "plain");
        assert_eq!(rewritten("two\nlines"), r"two\nlines");
        assert_eq!(rewritten(r#"q\"u"#), r#"q\"u"#);
        assert_eq!(rewritten(r"back\\slash"), r"back\\slash");
        assert_eq!(rewritten(r"odd\q"), r"odd\\q");
        assert_eq!(rewritten(r"end\\"), r"end\\");
        assert_eq!(rewritten("\\\n"), "\\\\\\n");
    }

    #[test]
    fn order_and_empty_values_do_not_matter() {
        let hasher = LabelHasher::numbered(1);
        let set = |labels: &[(&str, &str)]| {
            labels.iter().fold(0u64, |sum, (n, v)| {
                sum.wrapping_add(hasher.label(format!("{n}=\"{v}").as_bytes()))
            })
        };
        assert_eq!(set(&[("a", "1"), ("b", "2")]), set(&[("b", "2"), ("c", ""), ("a", "1")]));
        assert_ne!(set(&[("a", "1"), ("b", "2")]), set(&[("a", "2"), ("b", "1")]));
        assert_ne!(set(&[("ab", "c")]), set(&[("a", "bc")]));
        assert_ne!(set(&[("a", r#"\""#)]), 0); // a quote is not an empty value
    }
}
