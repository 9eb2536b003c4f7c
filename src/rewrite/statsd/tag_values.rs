//! The values of a line's tags, by tag.

use crate::mapping::plan::statsd::{LineRule, StatsdPlan};
use crate::statsd::{Dialect, pieces};

/// Where the values of the tags lie that a plan knows, in the tags of one line.
///
/// Tags come in any order. Values have no escapes, so what begins with no known key belongs to the value in front of
/// it, and so does a key that was there before: a consumer may be called `Doe, John`.
#[derive(Clone, Debug, Default)]
pub(super) struct TagValues {
    values: [(usize, usize); u32::BITS as usize],
    /// The tags that are there, as bits.
    present: u32,
}

impl TagValues {
    /// Reads tags. False when they begin with one that no pack knows: then they are not the source's.
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

    /// The values of the tags that are there.
    pub(super) fn values<'a>(&self, tags: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        let values = self.values.iter().enumerate();
        let present = values.filter(|(tag, _)| self.has(1 << tag));
        present.map(|(_, (start, end))| &tags[*start..*end])
    }

    /// True when there are tags enough for one line at least that a rule can write.
    pub(super) fn serve(&self, rule: &LineRule) -> bool {
        rule.writes.iter().any(|template| self.has(template.needs))
    }

    pub(super) fn has(&self, needs: u32) -> bool {
        self.present & needs == needs
    }

    /// The value of a tag that is there.
    pub(super) fn value<'a>(&self, tags: &'a [u8], tag: u8) -> &'a [u8] {
        let (start, end) = self.values[usize::from(tag)];
        &tags[start..end]
    }
}
