//! A tree of name segments that finds the rule for a name.
//!
//! Segments before a `{x*}` are read from the left, and those after it from the right, so that no
//! length has to be tried. The search backtracks only if a text leads to no rule and there is a
//! placeholder at the same position; it visits no node twice for one name.

use crate::mapping::Generation;
use crate::mapping::plan::known::{Known, KnownEnd};
use crate::mapping::plan::line_rule_id::LineRuleId;
use crate::mapping::plan::runs::{NodeId, Runs};
use crate::mapping::plan::text::{Name, first_eight};
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
    /// The first of the heads, if the next name begins alike.
    known: Known,
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
            known: Known::default(),
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

#[derive(Debug, Default)]
struct Node {
    /// Whether it is read from the right.
    is_tail: bool,
    /// Children by text.
    texts: Vec<(Box<[u8]>, NodeId)>,
    /// The texts, prepared by [`NameTree::prepare`].
    runs: Runs,
    /// Whether there are no placeholders.
    only_texts: bool,
    /// The only placeholder, if there is one that takes any one segment.
    only_one: Option<NodeId>,
    /// Sorted by the number of excluded texts, most first.
    ones: Vec<One>,
    many: Option<NodeId>,
    /// Those with a named type first.
    ends: Vec<End>,
}

/// A placeholder of one segment.
#[derive(Debug)]
struct One {
    except: Vec<Box<[u8]>>,
    node: NodeId,
}

impl One {
    #[inline]
    fn matches(&self, segment: &[u8]) -> bool {
        self.except.is_empty() || !self.except.iter().any(|text| **text == *segment)
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
    name: Name<'a>,
    metric_type: u64,
    only: Option<Generation>,
    name_parts: &'a mut NameParts,
    /// Whether the way so far is the only one, or has priority.
    is_first: bool,
}

impl Wanted<'_> {
    /// Remembers the way up to the placeholder of a node, which is the only one and takes any
    /// segment.
    #[inline]
    fn remember(&mut self, node: &Node, (start, end): (usize, usize), one: NodeId, depth: usize) {
        let known = &mut self.name_parts.known;
        if known.len() == 0
            && self.is_first
            && !node.runs.begin_with(&self.name.bytes()[start..end])
        {
            known.remember(self.name, end + 1, one, depth + 1);
        }
    }
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
            self.node(false);
        }
        let many = segments.iter().position(|segment| matches!(segment, Segment::Many(_)));
        let (heads, tails) = match many {
            None => (segments, &segments[..0]),
            Some(many) => (&segments[..many], &segments[many + 1..]),
        };
        let mut node = heads.iter().fold(0, |node, segment| self.child(node, segment));
        if many.is_some() {
            let tail = self.nodes[node as usize].many.unwrap_or_else(|| self.node(true));
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

    fn node(&mut self, is_tail: bool) -> NodeId {
        self.nodes.push(Node { is_tail, ..Node::default() });
        NodeId::try_from(self.nodes.len() - 1).expect("a tree that large does not fit in memory")
    }

    fn child(&mut self, of: NodeId, segment: &Segment) -> NodeId {
        let next = NodeId::try_from(self.nodes.len()).expect("checked when it was added");
        let node = &mut self.nodes[of as usize];
        let is_tail = node.is_tail;
        match segment {
            Segment::Text(text) => {
                let is_its = |child: &&(Box<[u8]>, NodeId)| *child.0 == *text.as_bytes();
                if let Some((_, child)) = node.texts.iter().find(is_its) {
                    return *child;
                }
                node.texts.push((text.as_bytes().into(), next));
            }
            Segment::One(_, except) => {
                let except: Vec<Box<[u8]>> =
                    except.iter().map(|text| text.as_bytes().into()).collect();
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
        self.node(is_tail)
    }

    /// Prepares the tree for [`find`](Self::find), after the last rule was added.
    pub(in crate::mapping) fn prepare(&mut self) {
        for node in 0..self.nodes.len() {
            let runs = self.runs(&self.nodes[node]);
            let node = &mut self.nodes[node];
            node.runs = runs;
            node.only_texts = node.ones.is_empty() && node.many.is_none();
            node.only_one = match &node.ones[..] {
                [one] if node.many.is_none() && one.except.is_empty() => Some(one.node),
                _ => None,
            };
        }
    }

    /// The texts that lead from a node to others. Where a segment can only be followed by one of a
    /// few texts, each of them is compared together with it.
    fn runs(&self, node: &Node) -> Runs {
        let next = |child: NodeId| {
            let child = &self.nodes[child as usize];
            let only_texts = child.ones.is_empty() && child.many.is_none() && child.ends.is_empty();
            &child.texts[..if only_texts { child.texts.len() } else { 0 }]
        };
        let count = node.texts.iter().map(|(_, child)| next(*child).len().max(1)).sum::<usize>();
        if node.is_tail || count > Runs::FEW {
            return Runs::of_segments(&node.texts);
        }
        let mut runs = Runs::default();
        for (first, child) in &node.texts {
            for (second, after) in next(*child) {
                runs.add(&[first, &b"."[..], second].concat(), *after, first.len() + 1);
            }
            if next(*child).is_empty() {
                runs.add(first, *child, 0);
            }
        }
        runs
    }

    /// How many bytes of a line are those that the last name begins with, up to a dot, and where
    /// its name ends if a text and a colon follow.
    #[inline]
    pub(in crate::mapping) fn known(
        &self,
        line: &[u8],
        name_parts: &NameParts,
    ) -> (usize, Option<KnownEnd>) {
        let known = &name_parts.known;
        if !known.begins(line) {
            return (0, None);
        }
        let run = self.at(known.node).runs.find_before_colon(&line[known.len()..]);
        let end = run.map(|run| KnownEnd {
            length: known.len() + run.len(),
            node: run.node,
            second: run.second,
        });
        (known.len(), end)
    }

    /// [`find`](Self::find) for a name whose end is known.
    #[inline]
    pub(in crate::mapping) fn find_known(
        &self,
        known_end: KnownEnd,
        metric_type: &[u8],
        name_parts: &mut NameParts,
    ) -> Option<LineRuleId> {
        let end = self.at(known_end.node).end(type_number(metric_type), None)?;
        let (start, mut depth) = (name_parts.known.len(), name_parts.known.depth);
        name_parts.heads[depth] = start;
        if known_end.second > 0 {
            depth += 1;
            name_parts.heads[depth] = start + known_end.second;
        }
        name_parts.heads[depth + 1] = known_end.length + 1;
        name_parts.front = end.front;
        Some(end.rule)
    }

    #[inline(never)] // so that the loop over lines is small
    pub(in crate::mapping) fn find(
        &self,
        name: Name<'_>,
        metric_type: &[u8],
        only: Option<Generation>,
        name_parts: &mut NameParts,
    ) -> Option<LineRuleId> {
        let root = self.nodes.first()?;
        let metric_type = type_number(metric_type);
        let mut wanted = Wanted { name, metric_type, only, name_parts, is_first: true };
        let mut end = None;
        if wanted.name_parts.known.begins(name.bytes()) {
            let known = &wanted.name_parts.known;
            let (node, at, depth) = (self.at(known.node), known.len(), known.depth);
            end = self.head(node, at, depth, &mut wanted);
        }
        if end.is_none() {
            wanted.name_parts.known.forget();
            end = self.head(root, 0, 0, &mut wanted);
        }
        let end = end?;
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
            if at > wanted.name.len() {
                return node.end(wanted.metric_type, wanted.only);
            }
            if let Some(run) = node.runs.find(wanted.name, at) {
                let child = self.at(run.node);
                let mut next = depth + 1;
                if run.second > 0 {
                    wanted.name_parts.heads[next] = at + run.second;
                    next += 1;
                }
                if node.only_texts {
                    (node, at, depth) = (child, at + run.len() + 1, next);
                    continue;
                }
                let found = self.head(child, at + run.len() + 1, next, wanted);
                if found.is_some() {
                    return found;
                }
                wanted.name_parts.known.forget();
            }
            let Some(one) = node.only_one else {
                return self.placeholders(node, at, depth, wanted);
            };
            let end = wanted.name.segment_end(at);
            wanted.remember(node, (at, end), one, depth);
            (node, at, depth) = (self.at(one), end + 1, depth + 1);
        }
    }

    /// Continues with the placeholders of a node.
    fn placeholders<'n>(
        &'n self,
        node: &'n Node,
        at: usize,
        depth: usize,
        wanted: &mut Wanted<'_>,
    ) -> Option<&'n End> {
        wanted.is_first = false;
        if !node.ones.is_empty() {
            let end = wanted.name.segment_end(at);
            let segment = &wanted.name.bytes()[at..end];
            for one in node.ones.iter().filter(|one| one.matches(segment)) {
                let found = self.head(self.at(one.node), end + 1, depth + 1, wanted);
                if found.is_some() {
                    return found;
                }
            }
        }
        // Children may have overwritten later starts, but those are not read.
        let tail = self.at(node.many?);
        self.tail(tail, (at, wanted.name.len()), 0, wanted)
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
        let has_more = !node.runs.is_empty() || !node.ones.is_empty();
        if has_more && let Some(dot) = wanted.name.last_dot(start, end) {
            let name = wanted.name.until(end);
            let text = node.runs.find(name, dot + 1).map(|run| run.node);
            let ones = node.ones.iter().filter(|one| one.matches(&name.bytes()[dot + 1..]));
            for child in text.into_iter().chain(ones.map(|one| one.node)) {
                if let Some(found) = self.tail(self.at(child), (start, dot), place + 1, wanted) {
                    wanted.name_parts.tails[place] = (dot + 1, end);
                    return Some(found);
                }
            }
        }
        let found = node.end(wanted.metric_type, wanted.only)?;
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
    fn end(&self, metric_type: u64, only: Option<Generation>) -> Option<&End> {
        self.ends.iter().find(|end| {
            end.metric_type.is_none_or(|its| its == metric_type)
                && only.is_none_or(|only| end.reads == only)
        })
    }
}
