//! The values of a line's tags, by the number of the tag.

use crate::mapping::plan::statsd::{LineRule, StatsdPlan};
use crate::statsd::{Dialect, pieces};

/// The positions of the values of known tags, in the tags of one line.
///
/// Tags are in any order. Values have no escapes, so text that does not begin with a known key belongs
/// to the value before it, and so does a repeated key: a consumer may be called `Doe, John`.
#[derive(Clone, Debug, Default)]
pub(super) struct TagValues {
    values: [(usize, usize); u32::BITS as usize],
    /// The tags that are present, as bits.
    present: u32,
}

impl TagValues {
    /// Reads tags. Returns false if the first one is unknown to the packs: then the line is from another
    /// source.
    pub(super) fn read(&mut self, tags: &[u8], dialect: Dialect, plan: &StatsdPlan) -> bool {
        self.present = 0;
        let mut last = None;
        for piece in pieces(tags, dialect) {
            let known = piece.tag.and_then(|(key, _)| Some((plan.tag(key)?, key.len())));
            match known.filter(|(tag, _)| self.present & 1 << tag == 0) {
                Some((tag, key)) => {
                    if let Some(last) = last.replace(usize::from(tag)) {
                        let (_, end): &mut (usize, usize) = &mut self.values[last];
                        *end = piece.start - 1;
                    }
                    self.values[usize::from(tag)].0 = piece.start + key + 1;
                    self.present |= 1 << tag;
                }
                None if last.is_none() => return false,
                None => {}
            }
        }
        let last = last.expect("there is at least one piece, and it was known");
        self.values[last].1 = tags.len();
        true
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

    /// The value of a tag that is present.
    pub(super) fn value<'a>(&self, tags: &'a [u8], tag: u8) -> &'a [u8] {
        let (start, end) = self.values[usize::from(tag)];
        &tags[start..end]
    }
}
