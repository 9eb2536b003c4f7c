//! Where bytes leave: untouched ones in long runs, others in between.

use std::ops::Range;

/// A part of a chunk that leaves as it came, and that nobody has copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UncopiedRange {
    /// It leaves behind this many bytes of what is written.
    pub at: usize,
    /// Where in the chunk it is.
    pub range: Range<usize>,
}

impl UncopiedRange {
    /// The run where it is a part of something longer, which has `bytes` more in front.
    pub(super) fn behind(self, bytes: usize) -> UncopiedRange {
        UncopiedRange { range: self.range.start + bytes..self.range.end + bytes, ..self }
    }
}

/// Output of a piece of input that is read line by line.
///
/// Lines that leave as they came are not touched one by one: the run that they make is copied when
/// something else has to be written, and at the end. Or it is not copied at all, but [uncopied](Self::sparing).
#[derive(Debug)]
pub(super) struct Output<'a> {
    out: &'a mut Vec<u8>,
    input: &'a [u8],
    /// Where the run begins that has yet to be copied.
    run: usize,
    /// Where the line at hand begins.
    at: usize,
    /// A run is uncopied if it is longer than this.
    longer_than: usize,
    uncopied: Option<UncopiedRange>,
}

impl<'a> Output<'a> {
    /// Everything of `input` leaves, unless told otherwise.
    pub(super) fn new(input: &'a [u8], out: &'a mut Vec<u8>) -> Output<'a> {
        Output { out, input, run: 0, at: 0, longer_than: usize::MAX, uncopied: None }
    }

    /// A run that is longer than `longer_than` bytes is not copied. No other can be as long: at least half of the input.
    pub(super) fn with_uncopied(self, longer_than: usize) -> Output<'a> {
        let longer_than = longer_than.max(self.input.len() / 2);
        Output { longer_than, ..self }
    }

    /// The input from the line at hand on.
    #[inline]
    pub(super) fn rest(&self) -> &'a [u8] {
        &self.input[self.at..]
    }

    /// The line at hand leaves as it came, with so many bytes.
    #[inline]
    pub(super) fn keep(&mut self, len: usize) {
        self.at += len;
    }

    /// The line at hand does not leave, or something else has left [instead](Self::instead).
    #[inline]
    pub(super) fn skip(&mut self, len: usize) {
        self.flush();
        self.at += len;
        self.run = self.at;
    }

    /// Takes what leaves before the line at hand, or instead of it.
    #[inline]
    pub(super) fn replacement(&mut self) -> &mut Vec<u8> {
        self.flush();
        self.out
    }

    #[inline]
    fn flush(&mut self) {
        if self.run < self.at {
            self.copy_or_spare();
        }
    }

    fn copy_or_spare(&mut self) {
        let run = self.run..self.at;
        if run.len() > self.longer_than {
            self.uncopied = Some(UncopiedRange { at: self.out.len(), range: run });
        } else {
            self.out.extend_from_slice(&self.input[run]);
        }
        self.run = self.at;
    }

    /// The input is read as far as it goes: how many bytes that is, and the run that was uncopied.
    pub(super) fn finish(mut self) -> (usize, Option<UncopiedRange>) {
        self.flush();
        (self.at, self.uncopied)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_long_run_is_spared_and_all_others_are_copied() {
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
    fn a_run_that_ends_with_the_input_is_spared_too() {
        let mut bytes = b"before".to_vec();
        let mut out = Output::new(b"0123456789torn", &mut bytes).with_uncopied(0);
        out.keep(10);
        assert_eq!(out.finish(), (10, Some(UncopiedRange { at: 6, range: 0..10 })));
        assert_eq!(bytes, b"before");
    }
}
