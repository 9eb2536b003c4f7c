//! A tree of name segments that finds the rule for a name.
//!
//! Segments before a `{x*}` are read from the left, and those after it from the right, so that no
//! length has to be tried. The search backtracks only if a text leads to no rule and there is a
//! placeholder at the same position; it visits no node twice for one name.

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use crate::mapping::Generation;
use crate::mapping::plan::line_rule_id::LineRuleId;
use crate::mapping::plan::text::{NameSegment, Text, first_eight};
use crate::mapping::segment::{MAX_SEGMENTS, MAX_TYPE_BYTES, Segment};

/// A part of a line that a rule reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capture {
    /// A segment after the prefix and before any `{x*}`, counted from 0.
    Head(u8),
    /// The segments that match the `{x*}`.
    Many,
    /// A segment after the `{x*}`, counted from the end of the name.
    Tail(u8),
    /// The value.
    Value,
    /// The value of a tag, by its number.
    Tag(u8),
}

/// The positions of the parts of a name. Reused from line to line: nothing is cleared or allocated.
#[derive(Clone, Debug)]
pub struct NameParts {
    /// The starts of segments, up to one after the last segment read. A segment ends one byte
    /// before the next one starts.
    heads: [usize; MAX_SEGMENTS + 1],
    many: (usize, usize),
    tails: [(usize, usize); MAX_SEGMENTS],
    /// The prefix.
    front: Front,
}

/// The prefix of a pattern.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::mapping) struct Front {
    /// The number of its segments.
    pub(in crate::mapping) segments: usize,
    /// Whether it ends with `between` segments of the pack.
    pub(in crate::mapping) between: bool,
}

impl Default for NameParts {
    fn default() -> Self {
        NameParts {
            heads: [0; MAX_SEGMENTS + 1],
            many: (0, 0),
            tails: [(0, 0); MAX_SEGMENTS],
            front: Front::default(),
        }
    }
}

impl NameParts {
    /// The prefix, with the dot after it.
    #[inline]
    #[must_use]
    pub fn prefix<'a>(&self, name: &'a [u8]) -> &'a [u8] {
        &name[..self.heads[self.front.segments]]
    }

    /// Whether the prefix ends with segments that a pack lists as `between`.
    #[inline]
    #[must_use]
    pub fn is_between(&self) -> bool {
        self.front.between
    }

    /// A part of the name that these positions were found in; empty for captures outside the name.
    #[inline]
    #[must_use]
    pub fn part<'a>(&self, name: &'a [u8], capture: Capture) -> &'a [u8] {
        let (start, end) = self.range(capture);
        &name[start..end]
    }

    /// The start of a part of the name.
    #[inline]
    #[must_use]
    pub fn start(&self, capture: Capture) -> usize {
        self.range(capture).0
    }

    #[inline]
    fn range(&self, capture: Capture) -> (usize, usize) {
        match capture {
            Capture::Head(place) => {
                let place = self.front.segments + usize::from(place);
                (self.heads[place], self.heads[place + 1] - 1)
            }
            Capture::Many => self.many,
            Capture::Tail(place) => self.tails[usize::from(place)],
            Capture::Value | Capture::Tag(_) => (0, 0),
        }
    }
}

/// The tree. Node 0 is the root; nodes after a `{x*}` are read from the right.
#[derive(Debug, Default)]
pub(in crate::mapping) struct NameTree {
    nodes: Vec<Node>,
}

type NodeId = u32;

#[derive(Debug, Default)]
struct Node {
    texts: Texts,
    /// Sorted by the number of excluded texts, most first.
    ones: Vec<One>,
    many: Option<NodeId>,
    /// Those with a named type first.
    ends: Vec<End>,
}

/// A placeholder of one segment.
#[derive(Debug)]
struct One {
    except: Vec<Text>,
    node: NodeId,
}

impl One {
    #[inline]
    fn matches(&self, segment: &NameSegment<'_>) -> bool {
        !self.except.iter().any(|text| text.is(segment))
    }
}

/// The end of a pattern.
#[derive(Debug)]
struct End {
    /// As a number, see [`MAX_TYPE_BYTES`].
    metric_type: Option<u64>,
    reads: Generation,
    rule: LineRuleId,
    front: Front,
}

/// Children by text. A few are compared one by one, many are looked up in a map.
#[derive(Debug, Default)]
struct Texts {
    few: Vec<(Text, NodeId)>,
    many: HashMap<Box<[u8]>, NodeId, RandomState>,
}

impl Texts {
    const FEW: usize = 12;

    /// The child whose text is the segment.
    #[inline]
    fn get(&self, segment: &NameSegment<'_>) -> Option<NodeId> {
        let few = self.few.iter().find(|(text, _)| text.is(segment));
        match few {
            Some((_, node)) => Some(*node),
            None if self.many.is_empty() => None,
            None => self.look_up(segment.bytes),
        }
    }

    #[inline(never)] // so that `get` is small enough to be inlined
    fn look_up(&self, segment: &[u8]) -> Option<NodeId> {
        self.many.get(segment).copied()
    }

    fn insert(&mut self, text: &[u8], node: NodeId) {
        if self.many.is_empty() && self.few.len() < Self::FEW {
            self.few.push((Text::new(text), node));
        } else {
            self.many.extend(self.few.drain(..).map(|(text, node)| (text.into_bytes(), node)));
            self.many.insert(text.into(), node);
        }
    }
}

/// A type as a number. Types are letters, so padding with zeros is unambiguous; no pattern has a
/// longer one.
#[inline]
fn type_number(metric_type: &[u8]) -> u64 {
    match *metric_type {
        // Nearly every type.
        [letter] => u64::from(letter),
        [first, second] => u64::from(u16::from_le_bytes([first, second])),
        _ if metric_type.len() > MAX_TYPE_BYTES => 0,
        _ => first_eight(metric_type),
    }
}

/// The name to find.
struct Wanted<'a> {
    name: &'a [u8],
    metric_type: u64,
    only: Option<Generation>,
    name_parts: &'a mut NameParts,
}

impl NameTree {
    /// Adds a rule for names with these segments, which begin with the prefix, and with these types
    /// (none: any).
    pub(in crate::mapping) fn insert(
        &mut self,
        segments: &[Segment],
        front: Front,
        types: &[String],
        reads: Generation,
        rule: LineRuleId,
    ) {
        if self.nodes.is_empty() {
            self.node();
        }
        let many = segments.iter().position(|segment| matches!(segment, Segment::Many(_)));
        let (heads, tails) = match many {
            None => (segments, &segments[..0]),
            Some(many) => (&segments[..many], &segments[many + 1..]),
        };
        let mut node = heads.iter().fold(0, |node, segment| self.child(node, segment));
        if many.is_some() {
            let tail = self.nodes[node as usize].many.unwrap_or_else(|| self.node());
            self.nodes[node as usize].many = Some(tail);
            node = tail;
            node = tails.iter().rev().fold(node, |node, segment| self.child(node, segment));
        }
        let end = |metric_type| End { metric_type, reads, rule, front };
        let ends = &mut self.nodes[node as usize].ends;
        ends.extend(types.iter().map(|word| end(Some(type_number(word.as_bytes())))));
        ends.extend(types.is_empty().then(|| end(None)));
        ends.sort_by_key(|end| end.metric_type.is_none());
    }

    fn node(&mut self) -> NodeId {
        self.nodes.push(Node::default());
        NodeId::try_from(self.nodes.len() - 1).expect("a tree that large does not fit in memory")
    }

    fn child(&mut self, of: NodeId, segment: &Segment) -> NodeId {
        let next = NodeId::try_from(self.nodes.len()).expect("checked when it was added");
        let node = &mut self.nodes[of as usize];
        match segment {
            Segment::Text(text) => {
                if let Some(child) = node.texts.get(&NameSegment::whole(text.as_bytes())) {
                    return child;
                }
                node.texts.insert(text.as_bytes(), next);
            }
            Segment::One(_, except) => {
                let except: Vec<Text> =
                    except.iter().map(|text| Text::new(text.as_bytes())).collect();
                if let Some(one) = node.ones.iter().find(|one| one.except == except) {
                    return one.node;
                }
                node.ones.push(One { except, node: next });
                node.ones.sort_by_key(|one| std::cmp::Reverse(one.except.len()));
            }
            Segment::Many(_) => {
                unreachable!("a pattern has one `{{x*}}`, which is taken out before")
            }
        }
        self.node()
    }

    #[inline]
    pub(in crate::mapping) fn find(
        &self,
        name: &[u8],
        metric_type: &[u8],
        only: Option<Generation>,
        name_parts: &mut NameParts,
    ) -> Option<LineRuleId> {
        let root = self.nodes.first()?;
        let metric_type = type_number(metric_type);
        let end = self.head(root, 0, 0, &mut Wanted { name, metric_type, only, name_parts })?;
        name_parts.front = end.front;
        Some(end.rule)
    }

    /// Continues with the segment at the offset `at`, which is the `depth`th.
    fn head<'n>(
        &'n self,
        mut node: &'n Node,
        mut at: usize,
        mut depth: usize,
        wanted: &mut Wanted<'_>,
    ) -> Option<&'n End> {
        loop {
            wanted.name_parts.heads[depth] = at;
            let Some(rest) = wanted.name.get(at..) else {
                return node.end(wanted);
            };
            let segment = NameSegment::first(rest);
            let next = at + segment.bytes.len() + 1;
            if let Some(child) = node.texts.get(&segment) {
                let child = self.at(child);
                if node.ones.is_empty() && node.many.is_none() {
                    (node, at, depth) = (child, next, depth + 1);
                    continue;
                }
                let found = self.head(child, next, depth + 1, wanted);
                if found.is_some() {
                    return found;
                }
            }
            let mut ones = node.ones.iter().filter(|one| one.matches(&segment));
            if node.many.is_none() && node.ones.len() == 1 {
                let one = ones.next()?;
                (node, at, depth) = (self.at(one.node), next, depth + 1);
                continue;
            }
            for one in ones {
                let found = self.head(self.at(one.node), next, depth + 1, wanted);
                if found.is_some() {
                    return found;
                }
            }
            // Children may have overwritten later starts, but those are not read.
            let tail = self.at(node.many?);
            return self.tail(tail, (at, wanted.name.len()), 0, wanted);
        }
    }

    /// Continues with the last segment in `start..end`, after `place` segments were removed from
    /// the end. The first segment must remain: the `{x*}` matches at least one.
    fn tail<'n>(
        &'n self,
        node: &'n Node,
        (start, end): (usize, usize),
        place: usize,
        wanted: &mut Wanted<'_>,
    ) -> Option<&'n End> {
        // Segments are short, so this costs less than calling memrchr.
        if let Some(dot) = wanted.name[start..end].iter().rposition(|byte| *byte == b'.') {
            let dot = start + dot;
            let segment = NameSegment::whole(&wanted.name[dot + 1..end]);
            let text = node.texts.get(&segment).into_iter();
            let ones = node.ones.iter().filter(|one| one.matches(&segment));
            for child in text.chain(ones.map(|one| one.node)) {
                if let Some(found) = self.tail(self.at(child), (start, dot), place + 1, wanted) {
                    wanted.name_parts.tails[place] = (dot + 1, end);
                    return Some(found);
                }
            }
        }
        let found = node.end(wanted)?;
        wanted.name_parts.many = (start, end);
        Some(found)
    }

    #[inline]
    fn at(&self, node: NodeId) -> &Node {
        &self.nodes[node as usize]
    }
}

impl Node {
    #[inline]
    fn end(&self, wanted: &Wanted<'_>) -> Option<&End> {
        self.ends.iter().find(|end| {
            end.metric_type.is_none_or(|its| its == wanted.metric_type)
                && wanted.only.is_none_or(|only| end.reads == only)
        })
    }
}
