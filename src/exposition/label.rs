//! Label values: escapes, and hashes of label sets that do not depend on their order.

use std::borrow::Cow;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::OnceLock;

use foldhash::fast::FixedState;

/// Appends a label value read from an exposition, escaped so that all parsers agree on it.
///
/// `\\`, `\"` and `\n` are copied; a raw newline is written as `\n`. Prometheus reads any other
/// backslash literally and strict parsers refuse it, so it is doubled, which both read the same.
///
/// ```
/// let mut out = Vec::new();
/// crossfade::exposition::write_value(br"C:\new\dir", &mut out);
/// assert_eq!(out, br"C:\new\\dir");
/// ```
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

/// A label value read from an exposition, without its escapes. A backslash before any character but
/// `\\`, `"` and `n` is itself, as in Prometheus.
///
/// ```
/// use crossfade::exposition::unescaped;
///
/// assert_eq!(&*unescaped(br#"a\"b\\c\d"#), br#"a"b\c\d"#);
/// ```
#[must_use]
pub fn unescaped(raw: &[u8]) -> Cow<'_, [u8]> {
    let Some(first) = memchr::memchr(b'\\', raw) else { return Cow::Borrowed(raw) };
    let (plain, mut rest) = raw.split_at(first);
    let mut text = plain.to_vec();
    while let Some((&byte, after)) = rest.split_first() {
        let escaped = match (byte, after.first()) {
            (b'\\', Some(b'n')) => Some(b'\n'),
            (b'\\', Some(&escaped @ (b'\\' | b'"'))) => Some(escaped),
            _ => None,
        };
        text.push(escaped.unwrap_or(byte));
        rest = if escaped.is_some() { &after[1..] } else { after };
    }
    Cow::Owned(text)
}

/// Hashes label sets. The order of labels and labels with empty values make no difference.
///
/// In Prometheus `{a="1",b="2"}`, `{b="2",a="1"}` and `{a="1",b="2",c=""}` are one series.
#[derive(Clone, Debug)]
pub struct LabelHasher {
    state: FixedState,
}

impl LabelHasher {
    /// One of several independent hashers. The same number gives the same hasher within a process, and
    /// another one in the next process, unless that [continues](HashSeed::restore) with this one's seed:
    /// label values are untrusted, and clients must not be able to predict their hashes.
    #[must_use]
    pub fn numbered(number: u64) -> Self {
        let HashSeed { seed } = HashSeed::current();
        LabelHasher { state: FixedState::with_seed(seed.wrapping_add(number)) }
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

/// What all hashes of a process depend on. It is random, and a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashSeed {
    seed: u64,
}

/// The seed of this process, once it is needed.
static SEED: OnceLock<HashSeed> = OnceLock::new();

impl HashSeed {
    /// The seed of this process.
    #[must_use]
    pub fn current() -> HashSeed {
        *SEED.get_or_init(|| HashSeed { seed: RandomState::new().hash_one(0) })
    }

    /// The seed as text, with a hash by which a process whose hash function is another one notices that
    /// it cannot continue with this seed.
    #[must_use]
    pub fn to_text(self) -> String {
        format!("{:016x} {:016x}", self.seed, self.check())
    }

    /// Reads what [`to_text`](Self::to_text) wrote. `None` for any other text, and for the seed of another
    /// hash function.
    #[must_use]
    pub fn from_text(text: &str) -> Option<HashSeed> {
        let (seed, check) = text.split_once(' ')?;
        let seed = HashSeed { seed: u64::from_str_radix(seed, 16).ok()? };
        (u64::from_str_radix(check, 16).ok()? == seed.check()).then_some(seed)
    }

    /// Makes it the seed of this process. False if the process already uses another one.
    #[must_use]
    pub fn restore(self) -> bool {
        *SEED.get_or_init(|| self) == self
    }

    fn check(self) -> u64 {
        let hasher = LabelHasher { state: FixedState::with_seed(self.seed) };
        hasher.label(b"name=\"a value that is longer than one block of the hash function")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_of_another_hash_function_is_not_restored() {
        let seed = HashSeed { seed: 7 };
        let text = seed.to_text();
        assert_eq!(HashSeed::from_text(&text), Some(seed));
        let other = text.replacen('7', "8", 1);
        for text in ["", "7", "7 7", "x y", &other] {
            assert_eq!(HashSeed::from_text(text), None, "{text}");
        }
        let current = HashSeed::current();
        assert!(current.restore(), "it is the same");
        assert!(!HashSeed { seed: current.seed ^ 1 }.restore());
    }

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
