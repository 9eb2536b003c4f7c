//! The texts that can follow in a name, one or two segments at once.

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use crate::mapping::plan::text::{Name, Text, first_eight};

pub(super) type NodeId = u32;

/// The texts that lead from a node to others. A few are compared one by one, many are looked up in
/// a map.
#[derive(Debug, Default)]
pub(super) struct Runs {
    /// The first bytes of the texts, as bits: most segments that are none of them need not be
    /// compared.
    firsts: u64,
    texts: Vec<Run>,
    /// The places of the texts, if there are many.
    map: HashMap<Box<[u8]>, usize, RandomState>,
}

/// One segment, or two with the dot between them.
#[derive(Debug)]
pub(super) struct Run {
    text: Text,
    pub(super) node: NodeId,
    /// The start of the second segment in the text, or 0.
    pub(super) second: usize,
}

impl Run {
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.text.len()
    }

    fn first_segment(&self) -> &[u8] {
        match self.second {
            0 => self.text.bytes(),
            second => &self.text.bytes()[..second - 1],
        }
    }
}

impl Runs {
    /// How many texts are compared one by one.
    pub(super) const FEW: usize = 12;

    /// The text that is in the name at this place. At most one is, because a text of two segments
    /// is in place of the first of them.
    #[inline]
    pub(super) fn find(&self, name: Name<'_>, at: usize) -> Option<&Run> {
        let (rest, first) = name.rest(at);
        if self.firsts >> (first % 64) & 1 == 0 {
            return None;
        }
        if !self.map.is_empty() {
            return self.look_up(name, at);
        }
        self.texts.iter().find(|run| run.text.begins(rest, first) && name.is_end(at + run.len()))
    }

    /// The text that is in the line at this place, if a colon follows it. Does not look among many.
    #[inline]
    pub(super) fn find_before_colon(&self, rest: &[u8]) -> Option<&Run> {
        let first = first_eight(rest);
        if self.firsts >> (first % 64) & 1 == 0 || !self.map.is_empty() {
            return None;
        }
        let is_its =
            |run: &&Run| run.text.begins(rest, first) && rest.get(run.len()) == Some(&b':');
        self.texts.iter().find(is_its)
    }

    #[inline(never)] // so that `find` is small enough to be inlined
    fn look_up(&self, name: Name<'_>, at: usize) -> Option<&Run> {
        let segment = &name.bytes()[at..name.segment_end(at)];
        self.map.get(segment).map(|place| &self.texts[*place])
    }

    pub(super) fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// Whether the segment is, or begins, one of the texts.
    pub(super) fn begin_with(&self, segment: &[u8]) -> bool {
        self.texts.iter().any(|run| run.first_segment() == segment)
    }

    /// Runs of one segment.
    pub(super) fn of_segments(texts: &[(Box<[u8]>, NodeId)]) -> Runs {
        let mut runs = Runs::default();
        for (text, node) in texts {
            runs.add(text, *node, 0);
        }
        if texts.len() > Runs::FEW {
            let places = texts.iter().enumerate();
            runs.map = places.map(|(place, (text, _))| (text.clone(), place)).collect();
        }
        runs
    }

    pub(super) fn add(&mut self, text: &[u8], node: NodeId, second: usize) {
        self.firsts |= 1 << (first_eight(text) % 64);
        self.texts.push(Run { text: Text::new(text), node, second });
    }
}
