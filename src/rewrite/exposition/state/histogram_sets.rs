//! The label sets that the buckets of one family had, to recognize them in its other samples.
//!
//! In an exposition, the buckets of a family are often followed by all of its counts and then by all
//! of its sums, with the same label sets in the same order: exporters in Lua sort them. What was
//! decided for the buckets of a label set applies to its count and its sum, so that comparing the
//! text is enough.

use crate::mapping::plan::exposition::RuleId;
use crate::rewrite::exposition::families::FamilyId;
use crate::rewrite::exposition::gathered::SeriesRef;

/// About how many bytes a label set takes, in addition to its text.
const SET_BYTES: usize = size_of::<usize>() + size_of::<GatheredSet>();

/// How many of the next label sets are compared if the next one is another: a target may export a
/// histogram without one of its parts.
const LOOK_AHEAD: usize = 8;

/// The label sets of the buckets of one family, in order of arrival.
#[derive(Debug, Default)]
pub(super) struct HistogramSets {
    family: FamilyId,
    /// The labels of each set as they arrived, without braces and `le`.
    text: Vec<u8>,
    /// Where the text of each set ends.
    ends: Vec<usize>,
    /// Where each set is gathered. Empty if the samples of the family pass.
    gathered: Vec<GatheredSet>,
    /// The set that probably follows in the lines of the current part.
    next: usize,
}

/// What happens to the histogram of a label set.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    /// It is output unchanged.
    Passes,
    Gathered(GatheredSet),
}

/// Where the histogram of a label set is gathered.
#[derive(Clone, Copy, Debug)]
pub(super) struct GatheredSet {
    pub(super) series: SeriesRef,
    /// The rule that is reported.
    pub(super) rule: RuleId,
    /// The hash of its labels, without `le`.
    pub(super) key: u64,
    /// Its samples are also output unchanged.
    pub(super) forward: bool,
}

impl HistogramSets {
    /// The samples that follow have another name.
    pub(super) fn restart(&mut self) {
        self.next = 0;
    }

    /// Remembers the label set of a bucket, unless its place is another kind than that of those before.
    /// Returns how many bytes that takes.
    pub(super) fn remember(&mut self, family: FamilyId, labels: &[u8], place: Place) -> usize {
        if self.family != family {
            *self = HistogramSets { family, ..HistogramSets::default() };
        }
        if let Some(last) = self.ends.len().checked_sub(1) {
            let passes = matches!(place, Place::Passes);
            if passes != self.gathered.is_empty() || self.labels(last) == labels {
                return 0;
            }
        }
        self.text.extend_from_slice(labels);
        self.ends.push(self.text.len());
        if let Place::Gathered(set) = place {
            self.gathered.push(set);
        }
        labels.len() + SET_BYTES
    }

    /// A sample with these labels was read: the next one probably has those of the set after it.
    /// Returns `false` if no set is known that could follow.
    pub(super) fn follow(&mut self, family: FamilyId, labels: &[u8]) -> bool {
        if self.family != family {
            return false;
        }
        let sets = self.next..self.ends.len().min(self.next + LOOK_AHEAD);
        if let Some(at) = sets.into_iter().find(|&at| self.labels(at) == labels) {
            self.next = at + 1;
        }
        self.next < self.ends.len()
    }

    /// The labels of the set that probably follows.
    #[inline]
    pub(super) fn next_labels(&self) -> Option<&[u8]> {
        (self.next < self.ends.len()).then(|| self.labels(self.next))
    }

    /// Where the set that probably follows is gathered. `None` if its samples pass.
    #[inline]
    pub(super) fn next_gathered(&self) -> Option<GatheredSet> {
        self.gathered.get(self.next).copied()
    }

    /// The set followed indeed.
    #[inline]
    pub(super) fn advance(&mut self) {
        self.next += 1;
    }

    #[inline]
    fn labels(&self, set: usize) -> &[u8] {
        let start = set.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text[start..self.ends[set]]
    }
}
