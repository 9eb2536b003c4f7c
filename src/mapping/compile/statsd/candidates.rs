//! Finds the patterns that can share names with a pattern, without comparing it with every other.

use std::collections::HashMap;

use crate::mapping::segment::Segment;

/// Patterns in two trees, one from their first segment and one from their last. Whichever narrows the
/// search first is used.
#[derive(Default)]
pub(super) struct Candidates {
    from_first: Tree,
    from_last: Tree,
}

/// Patterns by their segments up to the `{x*}`.
struct Tree {
    nodes: Vec<Node>,
}

#[derive(Default)]
struct Node {
    texts: HashMap<String, usize>,
    /// A `{x}`, whatever it excludes.
    one: Option<usize>,
    /// The patterns that end here, or whose `{x*}` is here.
    ends: Vec<usize>,
    many: Vec<usize>,
}

impl Candidates {
    /// Adds the pattern with this number.
    pub(super) fn insert(&mut self, segments: &[Segment], number: usize) {
        self.from_first.insert(segments.iter(), number);
        self.from_last.insert(segments.iter().rev(), number);
    }

    /// The numbers of all patterns that can share names with this one, in ascending order. Others are
    /// among them.
    pub(super) fn near(&self, segments: &[Segment]) -> Vec<usize> {
        let mut budget = 64;
        loop {
            let found = self.from_first.near(segments.iter(), budget);
            let found = found.or_else(|| self.from_last.near(segments.iter().rev(), budget));
            if let Some(mut found) = found {
                found.sort_unstable();
                return found;
            }
            budget *= 2;
        }
    }
}

impl Default for Tree {
    fn default() -> Tree {
        Tree { nodes: vec![Node::default()] }
    }
}

impl Tree {
    fn insert<'a>(&mut self, segments: impl Iterator<Item = &'a Segment>, number: usize) {
        let mut at = 0;
        for segment in segments {
            let next = self.nodes.len();
            let node = &mut self.nodes[at];
            at = match segment {
                Segment::Text(text) => *node.texts.entry(text.clone()).or_insert(next),
                Segment::One(..) => *node.one.get_or_insert(next),
                Segment::Many(_) => {
                    node.many.push(number);
                    return;
                }
            };
            if at == next {
                self.nodes.push(Node::default());
            }
        }
        self.nodes[at].ends.push(number);
    }

    /// `None` if the search takes more steps than `budget`.
    fn near<'a>(
        &self,
        segments: impl Iterator<Item = &'a Segment>,
        budget: usize,
    ) -> Option<Vec<usize>> {
        let (mut found, mut steps) = (Vec::new(), 0);
        let mut level = vec![0];
        for segment in segments {
            let mut next = Vec::new();
            for at in level {
                let node: &Node = &self.nodes[at];
                found.extend(&node.many);
                match segment {
                    Segment::Text(text) => next.extend(node.texts.get(text)),
                    Segment::One(..) | Segment::Many(_) => next.extend(node.texts.values()),
                }
                next.extend(node.one);
                steps += 1 + next.len();
                if steps + found.len() > budget {
                    return None;
                }
                if matches!(segment, Segment::Many(_)) {
                    found.extend(&node.ends);
                }
            }
            if matches!(segment, Segment::Many(_)) {
                return self.below(next, found, budget);
            }
            level = next;
        }
        for at in level {
            let node = &self.nodes[at];
            found.extend(node.ends.iter().chain(&node.many));
        }
        Some(found)
    }

    /// Everything at these nodes and below them.
    fn below(
        &self,
        mut open: Vec<usize>,
        mut found: Vec<usize>,
        budget: usize,
    ) -> Option<Vec<usize>> {
        let mut steps = 0;
        while let Some(at) = open.pop() {
            let node = &self.nodes[at];
            found.extend(node.ends.iter().chain(&node.many));
            open.extend(node.texts.values().chain(&node.one));
            steps += 1;
            if steps + found.len() > budget {
                return None;
            }
        }
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::super::overlap::shared;
    use super::*;
    use crate::mapping::pack::statsd::pattern::parse_name;

    #[test]
    fn patterns_that_share_names_are_found() {
        let parts = ["a", "b", "{x}", "{y!=a}", "{z*}"];
        let mut names: Vec<Vec<Segment>> = Vec::new();
        for length in 1..=4 {
            for number in 0..parts.len().pow(length) {
                let part = |place: u32| parts[number / parts.len().pow(place) % parts.len()];
                let name: Vec<&str> = (0..length).map(part).collect();
                if name.iter().filter(|part| **part == "{z*}").count() < 2 {
                    names.push(parse_name(&name.join(".")).unwrap());
                }
            }
        }
        let mut candidates = Candidates::default();
        for (number, name) in names.iter().enumerate() {
            candidates.insert(name, number);
        }
        let (mut checked, mut left_out) = (0, 0);
        for name in &names {
            let near = candidates.near(name);
            assert!(near.is_sorted());
            for (number, other) in names.iter().enumerate() {
                if near.binary_search(&number).is_err() {
                    left_out += 1;
                    assert!(shared(name, other).is_empty(), "{name:?} {other:?}");
                }
                checked += 1;
            }
        }
        assert!(left_out > checked / 4, "{left_out} of {checked}");
    }
}
