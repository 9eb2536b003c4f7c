//! The first segments of a name, where the search for a rule does not start anew for each name.

use crate::mapping::plan::runs::NodeId;
use crate::mapping::plan::text::Name;

/// The longest prefix that is remembered.
const LONGEST: usize = 64;

/// The length up to which it is compared as a number.
const SHORT: usize = 16;

/// Where the search for a name goes on after the first placeholder. Most lines are about the same
/// service as the line before.
///
/// Up to there, nothing but these bytes decides the way, and every rule on another way has lower
/// priority: a rule that is found from there is the one that a search from the root finds.
#[derive(Clone, Debug)]
pub(super) struct Known {
    prefix: [u8; LONGEST],
    /// The first bytes of the prefix, and ones where they are.
    first: u128,
    mask: u128,
    /// 0: nothing is remembered.
    len: usize,
    pub(super) node: NodeId,
    /// The number of segments.
    pub(super) depth: usize,
}

/// The end of a name that begins like the last one and goes on with a text.
#[derive(Clone, Copy, Debug)]
pub struct KnownEnd {
    /// The length of the name in bytes.
    pub length: usize,
    /// The node of the name.
    pub(super) node: NodeId,
    /// The start of the second segment of the text in the text, or 0.
    pub(super) second: usize,
}

impl Default for Known {
    fn default() -> Self {
        Known { prefix: [0; LONGEST], first: 0, mask: 0, len: 0, node: 0, depth: 0 }
    }
}

impl Known {
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Whether there is a prefix and a text begins with it.
    #[inline]
    pub(super) fn begins(&self, text: &[u8]) -> bool {
        match text.first_chunk::<SHORT>() {
            Some(first) if self.len <= SHORT => {
                (u128::from_le_bytes(*first) ^ self.first) & self.mask == 0 && self.len > 0
            }
            _ => self.begins_far(text),
        }
    }

    #[inline(never)] // so that the usual case is small enough to be inlined
    fn begins_far(&self, text: &[u8]) -> bool {
        self.len > 0 && text.starts_with(&self.prefix[..self.len])
    }

    #[inline]
    pub(super) fn forget(&mut self) {
        self.len = 0;
    }

    /// Remembers the name up to this place, unless it has a colon: then lines that begin alike have
    /// shorter names too.
    #[inline(never)]
    pub(super) fn remember(&mut self, name: Name<'_>, at: usize, node: NodeId, depth: usize) {
        self.len = 0;
        if let Some(prefix) = name.bytes().get(..at)
            && at <= LONGEST
            && !prefix.contains(&b':')
        {
            self.prefix[..at].copy_from_slice(prefix);
            let mut first = [0; SHORT];
            let short = at.min(SHORT);
            first[..short].copy_from_slice(&prefix[..short]);
            self.first = u128::from_le_bytes(first);
            self.mask = if at >= SHORT { u128::MAX } else { (1 << (8 * at)) - 1 };
            (self.len, self.node, self.depth) = (at, node, depth);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_begin_with_the_prefix() {
        let text: Vec<u8> = (0..100).map(|number| b'a' + number % 26).collect();
        for length in 1..=LONGEST + 1 {
            let mut known = Known::default();
            known.remember(Name::from(&text[..]), length, 1, 1);
            if length > LONGEST {
                assert!(!known.begins(&text));
                continue;
            }
            for end in 0..text.len() {
                assert_eq!(known.begins(&text[..end]), end >= length, "{length} of {end}");
            }
            for at in 0..length + 5 {
                let mut other = text.clone();
                other[at] = b'.';
                assert_eq!(known.begins(&other), at >= length, "{length}, differs at {at}");
            }
            known.forget();
            assert!(!known.begins(&text));
        }
        assert!(!Known::default().begins(&text));
        let mut known = Known::default();
        known.remember(Name::from(&b"shop.a:b.c"[..]), 9, 1, 2);
        assert!(!known.begins(b"shop.a:b.c"));
    }
}
