//! Parts of a line as byte offsets, so that they can be stored without copying.

/// A part of a line: byte offsets from the line's first byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    start: u32,
    end: u32,
}

impl Span {
    #[allow(clippy::cast_possible_truncation, reason = "lines are limited to less than 4 GiB")]
    pub(super) fn new(start: usize, end: usize) -> Self {
        Span { start: start as u32, end: end as u32 }
    }

    /// The offset of the first byte.
    #[must_use]
    pub fn start(self) -> usize {
        self.start as usize
    }

    /// The offset after the last byte.
    #[must_use]
    pub fn end(self) -> usize {
        self.end as usize
    }

    /// The same part in a line where the byte at offset `was` has moved to `is`.
    #[inline]
    pub(super) fn moved(self, was: usize, is: usize) -> Span {
        Span::new(self.start() + is - was, self.end() + is - was)
    }

    /// The bytes of this part of `line`.
    #[must_use]
    pub fn of(self, line: &[u8]) -> &[u8] {
        &line[self.start()..self.end()]
    }
}

/// One label of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LabelSpan {
    /// The name, including the quotes if it is quoted.
    pub name: Span,
    /// The value between the quotes, still escaped.
    pub value: Span,
    /// True if the value has a raw newline, or a backslash that escapes nothing. Such a value is
    /// written differently, see [`write_value`](super::write_value).
    pub odd: bool,
}
