//! Places in a text, in bytes.

use std::ops::Range;

/// A range of bytes in the text of a [`Source`](super::Source).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// The byte after the last one.
    pub end: usize,
}

impl Span {
    /// The span of these bytes.
    #[must_use]
    pub fn new(range: Range<usize>) -> Span {
        Span { start: range.start, end: range.end }
    }

    /// An empty span: a point between two characters.
    #[must_use]
    pub fn at(byte: usize) -> Span {
        Span { start: byte, end: byte }
    }

    /// The bytes as a range.
    #[must_use]
    pub fn range(self) -> Range<usize> {
        self.start..self.end
    }

    /// True for a point.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.start >= self.end
    }
}

/// A value and the place it was read from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Where it is written.
    pub span: Span,
}
