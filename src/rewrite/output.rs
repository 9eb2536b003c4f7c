//! Where bytes leave: untouched ones in long runs, others in between.

/// Output of a piece of input that is read line by line.
///
/// Lines that leave as they came are not touched one by one: the run that they make is copied when
/// something else has to be written, and at the end.
#[derive(Debug)]
pub(super) struct Output<'a> {
    out: &'a mut Vec<u8>,
    input: &'a [u8],
    /// Where the run begins that has yet to be copied.
    run: usize,
    /// Where the line at hand begins.
    at: usize,
}

impl<'a> Output<'a> {
    /// Everything of `input` from `start` on leaves, unless told otherwise.
    pub(super) fn new(input: &'a [u8], start: usize, out: &'a mut Vec<u8>) -> Output<'a> {
        Output { out, input, run: start, at: start }
    }

    /// Where the line at hand begins.
    #[inline]
    pub(super) fn at(&self) -> usize {
        self.at
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
    pub(super) fn instead(&mut self) -> &mut Vec<u8> {
        self.flush();
        self.out
    }

    /// The input is read as far as it goes.
    pub(super) fn flush(&mut self) {
        if self.run < self.at {
            self.out.extend_from_slice(&self.input[self.run..self.at]);
            self.run = self.at;
        }
    }
}
