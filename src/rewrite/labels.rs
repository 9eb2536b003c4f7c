//! Label sets: whether a rule applies to one, and how it leaves.

use crate::exposition::{LabelHasher, LabelSpan, needs_escape, write_escaped, write_value};
use crate::mapping::plan::{LabelEdits, Match};

/// The label whose value is a bucket's upper bound.
pub(super) const LE: &[u8] = b"le";

/// A sample's labels and the line they lie in.
#[derive(Clone, Copy)]
pub(super) struct Labels<'a> {
    pub(super) line: &'a [u8],
    pub(super) spans: &'a [LabelSpan],
}

impl<'a> Labels<'a> {
    pub(super) fn iter(self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        self.spans.iter().map(move |span| (span.name.of(self.line), span.value.of(self.line)))
    }

    /// The value of a label; empty where there is none, which in Prometheus is the same.
    pub(super) fn value(self, name: &[u8]) -> &'a [u8] {
        self.iter().find(|(n, _)| *n == name).map_or(b"", |(_, value)| value)
    }

    pub(super) fn hash(self, hasher: &LabelHasher, without: Option<&[u8]>) -> u64 {
        self.spans
            .iter()
            .filter(|span| Some(span.name.of(self.line)) != without)
            .fold(0, |sum, span| sum.wrapping_add(self.hash_one(hasher, span)))
    }

    /// The hash of those labels alone that are named.
    pub(super) fn hash_of(self, hasher: &LabelHasher, names: &[Box<[u8]>]) -> u64 {
        self.spans
            .iter()
            .filter(|span| named(names, span.name.of(self.line)))
            .fold(0, |sum, span| sum.wrapping_add(self.hash_one(hasher, span)))
    }

    /// One label's share in the hash of its set, the same however it was escaped and spaced.
    fn hash_one(self, hasher: &LabelHasher, span: &LabelSpan) -> u64 {
        let (name, value) = (span.name, span.value);
        let tight = value.start() == name.end() + 2;
        if tight && !needs_escape(value.of(self.line)) {
            return hasher.label(&self.line[name.start()..value.end()]);
        }
        let mut label = name.of(self.line).to_vec();
        label.extend_from_slice(b"=\"");
        write_value(value.of(self.line), &mut label);
        hasher.label(&label)
    }

    /// Whether a rule applies to these labels.
    pub(super) fn satisfy(self, when: &Match) -> bool {
        when.equal.iter().all(|(name, value)| self.value(name) == &**value)
            && when.present.iter().all(|name| !self.value(name).is_empty())
            && (when.any_of.is_empty()
                || when.any_of.iter().any(|name| !self.value(name).is_empty()))
            && when.none_of.iter().all(|name| self.value(name).is_empty())
    }
}

/// A label that a rule adds is there already with another value.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Conflict;

/// A label set as it leaves: `a="b",c="d"`, values escaped.
#[derive(Debug, Default)]
pub(super) struct LabelText {
    text: Vec<u8>,
    /// Where each label ends, in front of its closing quote.
    ends: Vec<usize>,
}

impl LabelText {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.text
    }

    pub(super) fn hash(&self, hasher: &LabelHasher) -> u64 {
        let mut start = 0;
        self.ends.iter().fold(0, |sum, &end| {
            let label = &self.text[start..end];
            start = end + 2; // the quote and a comma
            sum.wrapping_add(hasher.label(label))
        })
    }

    /// Renders `labels` under a rule's edits, less those named in `without` and, for the label set of
    /// a ladder, less `le`.
    ///
    /// # Errors
    ///
    /// [`Conflict`] where the rule would give the sample a second label of the same name.
    pub(super) fn render(
        &mut self,
        labels: Labels<'_>,
        edits: &LabelEdits,
        without: &[Box<[u8]>],
        of_ladder: bool,
    ) -> Result<(), Conflict> {
        self.text.clear();
        self.ends.clear();
        for (name, value) in labels.iter() {
            if named(&edits.drop, name) || named(without, name) || (of_ladder && name == LE) {
                continue;
            }
            let renamed = edits.rename.iter().find(|(from, _)| **from == *name);
            if renamed.is_none() && self.would_clash(labels, edits, name, value) {
                return Err(Conflict);
            }
            self.push_name(renamed.map_or(name, |(_, to)| to));
            if needs_escape(value) {
                write_value(value, &mut self.text);
            } else {
                self.text.extend_from_slice(value);
            }
            self.close();
        }
        for (name, value) in &edits.append {
            self.push_name(name);
            write_escaped(value, &mut self.text);
            self.close();
        }
        for (name, value) in &edits.fill {
            // What the source says is better than what the operator configured.
            if labels.iter().all(|(n, _)| n != &**name) {
                self.push_name(name);
                write_escaped(value, &mut self.text);
                self.close();
            }
        }
        Ok(())
    }

    /// A label that passes must not bear the name of one that the rule writes.
    fn would_clash(
        &self,
        labels: Labels<'_>,
        edits: &LabelEdits,
        name: &[u8],
        value: &[u8],
    ) -> bool {
        !value.is_empty()
            && (edits.append.iter().any(|(n, _)| **n == *name)
                || edits
                    .rename
                    .iter()
                    .any(|(from, to)| **to == *name && !labels.value(from).is_empty()))
    }

    fn close(&mut self) {
        self.ends.push(self.text.len());
        self.text.push(b'"');
    }

    fn push_name(&mut self, name: &[u8]) {
        if !self.text.is_empty() {
            self.text.push(b',');
        }
        self.text.extend_from_slice(name);
        self.text.extend_from_slice(b"=\"");
    }
}

fn named(names: &[Box<[u8]>], name: &[u8]) -> bool {
    names.iter().any(|n| **n == *name)
}

/// The labels of a text written by [`LabelText`]: each one's name, and its `name="value` in one run.
pub(super) fn split(text: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let open = memchr::memchr(b'"', rest)?;
        let mut close = open + 1;
        while *rest.get(close)? != b'"' {
            close += if rest[close] == b'\\' { 2 } else { 1 };
        }
        let (name, label) = (&rest[..open.saturating_sub(1)], &rest[..close]);
        rest = rest.get(close + 2..).unwrap_or_default();
        Some((name, label))
    })
}

pub(super) fn hash_text(hasher: &LabelHasher, text: &[u8]) -> u64 {
    split(text).fold(0, |sum, (_, label)| sum.wrapping_add(hasher.label(label)))
}

/// The hash of those labels alone that are named; [`Labels::hash_of`] of a text.
pub(super) fn hash_text_of(hasher: &LabelHasher, text: &[u8], names: &[Box<[u8]>]) -> u64 {
    split(text)
        .filter(|(name, _)| named(names, name))
        .fold(0, |sum, (_, label)| sum.wrapping_add(hasher.label(label)))
}

/// Whether two texts are the same label set, in whatever order.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exposition::{Scan, Scanner};

    fn bytes(text: &str) -> Box<[u8]> {
        text.as_bytes().into()
    }

    fn rendered(line: &str, edits: &LabelEdits) -> Result<String, Conflict> {
        let mut scanner = Scanner::new(1000, 20, true);
        assert!(matches!(scanner.scan(line.as_bytes()), Scan::Sample(_)), "{line}");
        let labels = Labels { line: line.as_bytes(), spans: scanner.labels() };
        let mut text = LabelText::default();
        text.render(labels, edits, &[], true)?;
        // Whichever way a hash is found, it is the same one.
        let hasher = LabelHasher::with_seed(0);
        assert_eq!(text.hash(&hasher), hash_text(&hasher, text.bytes()));
        if edits.is_identity() {
            assert_eq!(text.hash(&hasher), labels.hash(&hasher, Some(LE)));
        }
        Ok(String::from_utf8(text.bytes().to_vec()).unwrap())
    }

    #[test]
    fn labels_leave_as_a_rule_says() {
        let edits = LabelEdits {
            drop: vec![bytes("c")],
            rename: vec![(bytes("t"), bytes("direction"))],
            append: vec![(bytes("type"), bytes("k\"1\""))],
            fill: vec![(bytes("a"), bytes("filled")), (bytes("w"), bytes("filled"))],
        };
        assert_eq!(
            rendered("x{a=\"1\",c=\"2\",t=\"in\",le=\"5\"} 1\n", &edits).as_deref(),
            Ok(r#"a="1",direction="in",type="k\"1\"",w="filled""#)
        );
        let clash = "x{t=\"in\",type=\"other\"} 1\n";
        assert_eq!(rendered(clash, &edits), Err(Conflict));
        let clash = "x{t=\"in\",direction=\"other\"} 1\n";
        assert_eq!(rendered(clash, &edits), Err(Conflict));
    }

    #[test]
    fn spacing_and_escapes_do_not_make_another_series() {
        let edits = LabelEdits::default();
        assert_eq!(
            rendered("x{ a = \"two\nlines\" , le=\"5\", b=\"odd\\q\",} 1\n", &edits).as_deref(),
            Ok(r#"a="two\nlines",b="odd\\q""#)
        );
    }

    #[test]
    fn texts_are_split_where_labels_end() {
        let text = br#"a="1",b="q\"=\"",c="",d="\\""#;
        let names: Vec<_> = split(text).map(|(name, _)| name.escape_ascii().to_string()).collect();
        assert_eq!(names, ["a", "b", "c", "d"]);
        assert!(same_set(text, br#"d="\\",b="q\"=\"",a="1""#));
        assert!(!same_set(text, br#"d="\\",b="q\"=\"",a="2""#));
        assert_eq!(split(b"a=\"unfinished").count(), 0);
    }
}
