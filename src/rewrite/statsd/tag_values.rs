//! The values of a line's tags, by the number of the tag.

use memchr::memchr;

use crate::mapping::plan::statsd::{LineRule, StatsdPlan, TaggedLines};
use crate::statsd::{Dialect, pieces};

/// The positions of the values of known tags, in the tags of one line.
///
/// Tags are in any order. Values have no escapes: after a tag whose value may be any text, a piece
/// without a key continues the value (a consumer may be called `Doe, John`).
#[derive(Clone, Debug, Default)]
pub(super) struct TagValues {
    values: [(usize, usize); u32::BITS as usize],
    /// The tags that are present, as bits.
    present: u32,
    /// Whether there is a dot in any of them.
    dots: bool,
}

impl TagValues {
    /// Reads tags. Returns false if the sender cannot have sent them: one is unknown or repeated,
    /// one is empty, or one that it always sends is missing.
    pub(super) fn read(
        &mut self,
        tags: &[u8],
        dialect: Dialect,
        plan: &StatsdPlan,
        source: &TaggedLines,
    ) -> bool {
        self.present = 0;
        let mut last: Option<usize> = None;
        for piece in pieces(tags, dialect) {
            let Some((key, value)) = piece.tag else {
                if last.is_none_or(|last| source.text & 1 << last == 0) {
                    return false;
                }
                continue;
            };
            let tag = plan.tag(key).filter(|tag| self.present & 1 << tag == 0);
            let Some(tag) = tag.map(usize::from) else { return false };
            if value.is_empty() && (source.required | !source.text) & 1 << tag != 0 {
                return false;
            }
            if let Some(last) = last.replace(tag) {
                self.values[last].1 = piece.start - 1;
            }
            self.values[tag].0 = piece.start + key.len() + 1;
            self.present |= 1 << tag;
        }
        let Some(last) = last else { return false };
        self.values[last].1 = tags.len();
        self.dots = memchr(b'.', tags).is_some();
        dialect != Dialect::DogStatsd || self.has(source.required)
    }

    /// The values of the tags that are present.
    pub(super) fn values<'a>(&self, tags: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        let values = self.values.iter().enumerate();
        let present = values.filter(|(tag, _)| self.has(1 << tag));
        present.map(|(_, (start, end))| &tags[*start..*end])
    }

    /// True if the tags suffice for at least one line that the rule writes.
    pub(super) fn serve(&self, rule: &LineRule) -> bool {
        rule.writes.iter().any(|template| self.has(template.needs))
    }

    /// True if all these tags are present.
    pub(super) fn has(&self, needs: u32) -> bool {
        self.present & needs == needs
    }

    /// Whether there is a dot in any tag.
    #[inline]
    pub(super) fn have_dots(&self) -> bool {
        self.dots
    }

    /// The position of the value of a tag that is present.
    #[inline]
    pub(super) fn value(&self, tag: u8) -> (usize, usize) {
        self.values[usize::from(tag)]
    }
}
