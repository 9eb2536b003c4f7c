//! Parts of a line, as byte offsets: what was read need not be copied to be remembered.

/// A part of a line: byte offsets from the line's first byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    start: u32,
    end: u32,
}

impl Span {
    #[allow(clippy::cast_possible_truncation, reason = "a line's length is limited below 4 GiB")]
    pub(super) fn new(start: usize, end: usize) -> Self {
        Span { start: start as u32, end: end as u32 }
    }

    /// The first byte's offset.
    #[must_use]
    pub fn start(self) -> usize {
        self.start as usize
    }

    /// The offset behind the last byte.
    #[must_use]
    pub fn end(self) -> usize {
        self.end as usize
    }

    /// The same part where what stood at offset `was` stands at `is`.
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
    /// The name; with its quotes where it is quoted.
    pub name: Span,
    /// What stands between the quotes of the value, escapes and all.
    pub value: Span,
    /// Whether the value has a raw newline, or a backslash that escapes nothing: we would write it
    /// differently.
    pub odd: bool,
}
