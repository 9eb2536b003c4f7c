//! The output: unchanged lines are copied in long ranges, with replacements between them.

use std::ops::Range;

/// A part of a chunk that is output unchanged and was not copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UncopiedRange {
    /// Insert it in the output before the byte of this index.
    pub at: usize,
    /// Where it is in the chunk.
    pub range: Range<usize>,
}

impl UncopiedRange {
    /// The same range within something longer that has `bytes` more bytes before it.
    pub(super) fn after(self, bytes: usize) -> UncopiedRange {
        UncopiedRange { range: self.range.start + bytes..self.range.end + bytes, ..self }
    }
}

/// The output of a piece of input that is read line by line.
///
/// Unchanged lines are not copied one by one. The range that they form is copied when something
/// else is written, and at the end, or not at all (see [`with_uncopied`](Self::with_uncopied)).
#[derive(Debug)]
pub(super) struct Output<'a> {
    out: &'a mut Vec<u8>,
    input: &'a [u8],
    /// Where the range begins that is output unchanged and not yet copied.
    unchanged: usize,
    /// Where the current line begins.
    at: usize,
    /// A range that is longer than this many bytes is not copied.
    longer_than: usize,
    uncopied: Option<UncopiedRange>,
}

impl<'a> Output<'a> {
    /// Everything in `input` is output, unless a line is skipped.
    pub(super) fn new(input: &'a [u8], out: &'a mut Vec<u8>) -> Output<'a> {
        Output { out, input, unchanged: 0, at: 0, longer_than: usize::MAX, uncopied: None }
    }

    /// Does not copy a range that is longer than `longer_than` bytes and than half of the input.
    /// There is at most one of these.
    pub(super) fn with_uncopied(self, longer_than: usize) -> Output<'a> {
        let longer_than = longer_than.max(self.input.len() / 2);
        Output { longer_than, ..self }
    }

    /// The input from the current line on.
    #[inline]
    pub(super) fn rest(&self) -> &'a [u8] {
        &self.input[self.at..]
    }

    /// The current line, of this many bytes, is output unchanged.
    #[inline]
    pub(super) fn keep(&mut self, len: usize) {
        self.at += len;
    }

    /// The current line is not output, or was [replaced](Self::replacement).
    #[inline]
    pub(super) fn skip(&mut self, len: usize) {
        self.flush();
        self.at += len;
        self.unchanged = self.at;
    }

    /// Takes what is output before the current line, or in place of it.
    #[inline]
    pub(super) fn replacement(&mut self) -> &mut Vec<u8> {
        self.flush();
        self.out
    }

    #[inline]
    fn flush(&mut self) {
        if self.unchanged < self.at {
            self.copy_or_leave();
        }
    }

    fn copy_or_leave(&mut self) {
        let range = self.unchanged..self.at;
        if range.len() > self.longer_than {
            self.uncopied = Some(UncopiedRange { at: self.out.len(), range });
        } else {
            self.out.extend_from_slice(&self.input[range]);
        }
        self.unchanged = self.at;
    }

    /// Nothing more of the input can be read. Returns how many bytes were read, and the range that
    /// was not copied.
    pub(super) fn finish(mut self) -> (usize, Option<UncopiedRange>) {
        self.flush();
        (self.at, self.uncopied)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_long_range_is_not_copied_and_all_others_are() {
        let input = b"aaaaaaaaaabccccccccccccccd";
        for (longer_than, uncopied) in
            [(20, None), (13, Some(UncopiedRange { at: 12, range: 11..25 }))]
        {
            let mut bytes = Vec::new();
            let mut out = Output::new(input, &mut bytes).with_uncopied(longer_than);
            out.keep(10);
            out.replacement().extend_from_slice(b"BB");
            out.skip(1);
            out.keep(14);
            out.replacement().push(b'D');
            out.skip(1);
            assert_eq!(out.finish(), (26, uncopied.clone()), "{longer_than}");
            let copied = if uncopied.is_some() { 0..0 } else { 11..25 };
            assert_eq!(bytes, [b"aaaaaaaaaaBB", &input[copied], b"D"].concat(), "{longer_than}");
        }
    }

    #[test]
    fn a_range_that_ends_with_the_input_is_not_copied_either() {
        let mut bytes = b"before".to_vec();
        let mut out = Output::new(b"0123456789torn", &mut bytes).with_uncopied(0);
        out.keep(10);
        assert_eq!(out.finish(), (10, Some(UncopiedRange { at: 6, range: 0..10 })));
        assert_eq!(bytes, b"before");
    }
}
