//! Label sets, and whether a rule matches one.

use crate::exposition::{LabelSpan, same, unescaped};
use crate::mapping::plan::exposition::{Match, Pair};
use crate::mapping::plan::label_text::LabelText;

/// The label whose value is a bucket's upper bound.
pub(super) const LE: &[u8] = b"le";

/// The label whose value is a quantile.
pub(super) const QUANTILE: &[u8] = b"quantile";

/// A sample's labels, and the line that contains them.
#[derive(Clone, Copy)]
pub(super) struct Labels<'a> {
    pub(super) line: &'a [u8],
    pub(super) spans: &'a [LabelSpan],
}

impl<'a> Labels<'a> {
    pub(super) fn iter(self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        self.spans.iter().map(move |span| (span.name.of(self.line), span.value.of(self.line)))
    }

    /// The value of a label; empty if there is none, which is the same in Prometheus.
    pub(super) fn value(self, name: &[u8]) -> &'a [u8] {
        let mut spans = self.spans.iter();
        let span = spans.find(|span| same(span.name.of(self.line), name));
        span.map_or(b"", |span| span.value.of(self.line))
    }

    /// Whether all of these labels are present with these values. Unlike in
    /// [`satisfy`](Self::satisfy), an empty label is not an absent one.
    pub(super) fn have(self, pairs: &[Pair]) -> bool {
        let has = |(name, value): &Pair| {
            let mut spans = self.spans.iter();
            spans.any(|span| {
                same(span.name.of(self.line), name) && same(span.value.of(self.line), value)
            })
        };
        pairs.iter().all(has)
    }

    /// True if these labels meet the conditions of a rule.
    pub(super) fn satisfy(self, when: &Match) -> bool {
        when.equal.iter().all(|(name, value)| same(self.value(name), value))
            && when.present.iter().all(|name| !self.value(name).is_empty())
            && (when.any_of.is_empty()
                || when.any_of.iter().any(|name| !self.value(name).is_empty()))
            && when.none_of.iter().all(|name| self.value(name).is_empty())
            && when.values.iter().all(|edit| edit.accepts(|name| self.value(name)))
            && !when.not_values.iter().any(|text| self.has_text(text))
    }

    fn has_text(self, text: &LabelText) -> bool {
        text.split(&unescaped(self.value(&text.label))).is_some()
    }

    /// True if the label is written `name="value`, as in the output, so that it can be copied as a
    /// whole.
    pub(super) fn is_tight(self, index: usize) -> bool {
        let span = &self.spans[index];
        !span.odd && span.value.start() == span.name.end() + 2
    }
}
