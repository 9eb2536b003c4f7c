//! The values of a line's tags, by the number of the tag.

use memchr::memchr;

use crate::mapping::plan::statsd::{LineRule, StatsdPlan, TaggedLines};
use crate::statsd::{Dialect, find};

/// The tags of a line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tags<'a> {
    pub(super) text: &'a [u8],
    pub(super) dialect: Dialect,
    /// Whether a `|` may be in the text.
    pub(super) bars: bool,
}

/// The positions of the values of known tags, in the tags of one line.
///
/// Tags are in any order. Values have no escapes: after a tag whose value may be any text, a piece
/// without a key continues the value (a consumer may be called `Doe, John`).
#[derive(Clone, Debug, Default)]
pub(super) struct TagValues {
    values: [(usize, usize); u32::BITS as usize],
    /// The tags that are present, as bits.
    present: u32,
    /// The tag that followed each tag, and the first one, in earlier lines: senders write tags in
    /// the same order each time.
    following: [u8; u32::BITS as usize],
    first: u8,
    /// Whether there is a dot, or a bar, in any of them.
    dots: bool,
    bars: bool,
}

impl TagValues {
    /// Reads tags. Returns false if the sender cannot have sent them: one is unknown or repeated,
    /// one is empty, or one that it always sends is missing.
    pub(super) fn read(
        &mut self,
        Tags { text: tags, dialect, bars }: Tags<'_>,
        plan: &StatsdPlan,
        source: &TaggedLines,
    ) -> bool {
        let equals = dialect.equals();
        self.present = 0;
        let (mut last, mut start) = (None, 0);
        loop {
            let rest = &tags[start..];
            let value = match self.tag_at(rest, equals, plan, last) {
                Some((tag, length)) if self.present & 1 << tag == 0 => {
                    let tag = usize::from(tag);
                    if let Some(last) = last.replace(tag) {
                        self.values[last].1 = start - 1;
                    }
                    self.values[tag].0 = start + length;
                    self.present |= 1 << tag;
                    let is_empty = rest.get(length).is_none_or(|byte| *byte == b',');
                    if is_empty && (source.required | !source.text) & 1 << tag != 0 {
                        return false;
                    }
                    start + length
                }
                None if last.is_some_and(|last| source.text & 1 << last != 0) => {
                    if has_key(rest, equals) {
                        return false;
                    }
                    start
                }
                // Unknown, or repeated, or there is no tag whose value it could continue.
                _ => return false,
            };
            match find(b',', &tags[value..]) {
                Some(end) => start = value + end + 1,
                None => break,
            }
        }
        let Some(last) = last else { return false };
        self.values[last].1 = tags.len();
        self.dots = memchr(b'.', tags).is_some();
        self.bars = bars && memchr(b'|', tags).is_some();
        dialect != Dialect::DogStatsd || self.has(source.required)
    }

    /// The number of the tag at the start of a text, after the tag `last`, and the length of its key
    /// and `equals`.
    #[inline]
    fn tag_at(
        &mut self,
        text: &[u8],
        equals: u8,
        plan: &StatsdPlan,
        last: Option<usize>,
    ) -> Option<(u8, usize)> {
        let expected = match last {
            Some(last) => &mut self.following[last],
            None => &mut self.first,
        };
        if let Some(length) = plan.is_tag(*expected, text, equals) {
            return Some((*expected, length));
        }
        let found = plan.tag_at(text, equals)?;
        *expected = found.0;
        Some(found)
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

    /// Whether there is a bar in any tag.
    pub(super) fn have_bars(&self) -> bool {
        self.bars
    }

    /// The position of the value of a tag that is present.
    #[inline]
    pub(super) fn value(&self, tag: u8) -> (usize, usize) {
        self.values[usize::from(tag)]
    }
}

/// Whether the text up to a comma has a key: one that no sender writes, because it is not known.
#[cold]
fn has_key(text: &[u8], equals: u8) -> bool {
    let piece = &text[..memchr(b',', text).unwrap_or(text.len())];
    memchr(equals, piece).is_some()
}
