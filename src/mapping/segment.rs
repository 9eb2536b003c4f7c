//! Segments of the dotted names that patterns match, and their limits.

use std::fmt;
use std::ops::Range;

/// Maximum number of segments in a pattern. Real names have fewer than ten.
pub(in crate::mapping) const MAX_NAME_SEGMENTS: usize = 16;

/// Maximum number of segments in a prefix, and between a prefix and a name.
pub(in crate::mapping) const MAX_PREFIX_SEGMENTS: usize = 8;

/// Maximum number of segments in a whole name. The matcher stores one position for each.
pub(in crate::mapping) const MAX_SEGMENTS: usize = 2 * MAX_PREFIX_SEGMENTS + MAX_NAME_SEGMENTS;

/// Maximum length of a type in bytes. Types are compared as numbers; real ones have one or two
/// letters.
pub(in crate::mapping) const MAX_TYPE_BYTES: usize = 8;

/// One part of a name, or several.
#[derive(Clone, Debug)]
pub(in crate::mapping) enum Segment {
    /// This text.
    Text(String),
    /// Any one segment but these.
    One(Placeholder, Vec<String>),
    /// One or more segments.
    Many(Placeholder),
}

/// A segment without the name of its placeholder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::mapping) enum SegmentKey<'a> {
    Text(&'a str),
    One(&'a [String]),
    Many,
}

/// `{x}`: copies text to `{x}` in another pattern of the rule.
#[derive(Clone, Debug)]
pub(in crate::mapping) struct Placeholder {
    pub(in crate::mapping) name: String,
    /// The byte range in the pattern's text, including the braces.
    pub(in crate::mapping) range: Range<usize>,
}

impl Segment {
    pub(in crate::mapping) fn placeholder(&self) -> Option<&Placeholder> {
        match self {
            Segment::Text(_) => None,
            Segment::One(placeholder, _) | Segment::Many(placeholder) => Some(placeholder),
        }
    }

    /// Equal for segments that [read](Self::reads_like) the same, and for those only.
    pub(in crate::mapping) fn reading_key(&self) -> SegmentKey<'_> {
        match self {
            Segment::Text(text) => SegmentKey::Text(text),
            Segment::One(_, except) => SegmentKey::One(except),
            Segment::Many(_) => SegmentKey::Many,
        }
    }

    /// True if both match the same segments; names of placeholders do not matter.
    pub(in crate::mapping) fn reads_like(&self, other: &Segment) -> bool {
        match (self, other) {
            (Segment::Text(a), Segment::Text(b)) => a == b,
            (Segment::One(_, a), Segment::One(_, b)) => a == b,
            (Segment::Many(_), Segment::Many(_)) => true,
            _ => false,
        }
    }
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Segment::Text(text) => f.write_str(text),
            Segment::One(placeholder, except) if except.is_empty() => {
                write!(f, "{{{}}}", placeholder.name)
            }
            Segment::One(placeholder, except) => {
                write!(f, "{{{}!={}}}", placeholder.name, except.join(","))
            }
            Segment::Many(placeholder) => write!(f, "{{{}*}}", placeholder.name),
        }
    }
}

/// Segments with the dots between them.
pub(in crate::mapping) struct Dotted<'a>(pub(in crate::mapping) &'a [Segment]);

impl fmt::Display for Dotted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, segment) in self.0.iter().enumerate() {
            write!(f, "{}{segment}", if index == 0 { "" } else { "." })?;
        }
        Ok(())
    }
}
