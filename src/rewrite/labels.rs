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
        self.spans
            .iter()
            .map(move |span| (span.name.of(self.line), span.value.of(self.line)))
    }

    /// The value of a label; empty where there is none, which in Prometheus is the same.
    pub(super) fn value(self, name: &[u8]) -> &'a [u8] {
        self.iter()
            .find(|(n, _)| *n == name)
            .map_or(b"", |(_, value)| value)
    }

    pub(super) fn hash(self, hasher: &LabelHasher, without: Option<&[u8]>) -> u64 {
        self.iter()
            .filter(|(name, _)| Some(*name) != without)
            .fold(0, |sum, (name, value)| {
                sum.wrapping_add(hash_label(hasher, name, value))
            })
    }

    /// Whether a rule applies to these labels.
    pub(super) fn satisfy(self, when: &Match) -> bool {
        when.equal
            .iter()
            .all(|(name, value)| self.value(name) == &**value)
            && when.present.iter().all(|name| !self.value(name).is_empty())
            && (when.any_of.is_empty()
                || when.any_of.iter().any(|name| !self.value(name).is_empty()))
            && when.none_of.iter().all(|name| self.value(name).is_empty())
    }
}

/// One label's share in the hash of its set, the same however its value was escaped.
pub(super) fn hash_label(hasher: &LabelHasher, name: &[u8], value: &[u8]) -> u64 {
    if needs_escape(value) {
        let mut escaped = Vec::with_capacity(value.len() + 8);
        write_value(value, &mut escaped);
        return hasher.label(name, &escaped);
    }
    hasher.label(name, value)
}

/// A label that a rule adds is there already with another value.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Conflict;

/// A label set as it leaves: `a="b",c="d"`, values escaped.
#[derive(Debug, Default)]
pub(super) struct LabelText {
    text: Vec<u8>,
}

impl LabelText {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.text
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
            self.text.push(b'"');
        }
        for (name, value) in &edits.append {
            self.push_name(name);
            write_escaped(value, &mut self.text);
            self.text.push(b'"');
        }
        for (name, value) in &edits.fill {
            // What the source says is better than what the operator configured.
            if labels.iter().all(|(n, _)| n != &**name) {
                self.push_name(name);
                write_escaped(value, &mut self.text);
                self.text.push(b'"');
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

/// The labels of a text written by [`LabelText`].
pub(super) fn split(text: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let open = memchr::memmem::find(rest, b"=\"")?;
        let name = rest[..open].strip_prefix(b",").unwrap_or(&rest[..open]);
        let value = &rest[open + 2..];
        let mut close = 0;
        while *value.get(close)? != b'"' {
            close += if value[close] == b'\\' { 2 } else { 1 };
        }
        rest = &value[close + 1..];
        Some((name, &value[..close]))
    })
}

pub(super) fn hash_text(hasher: &LabelHasher, text: &[u8]) -> u64 {
    split(text).fold(0, |sum, (name, value)| {
        sum.wrapping_add(hasher.label(name, value))
    })
}

/// Whether two texts are the same label set, in whatever order.
pub(super) fn same_set(a: &[u8], b: &[u8]) -> bool {
    if a == b {
        return true;
    }
    let sorted = |text| {
        let mut labels: Vec<_> = split(text).filter(|(_, value)| !value.is_empty()).collect();
        labels.sort_unstable();
        labels
    };
    sorted(a) == sorted(b)
}
