//! The output for one datagram.

/// Writes the output for a datagram. What is not changed is copied as late as possible, so that the
/// end of a line, and lines after it, are copied at once.
pub(super) struct Output<'a> {
    datagram: &'a [u8],
    /// The input before this place is written, or replaced by other output.
    done: usize,
    changed: bool,
    out: &'a mut Vec<u8>,
    /// The length of `out` before.
    before: usize,
}

impl<'a> Output<'a> {
    pub(super) fn new(datagram: &'a [u8], out: &'a mut Vec<u8>) -> Output<'a> {
        let before = out.len();
        Output { datagram, done: 0, changed: false, out, before }
    }

    /// Writes the input up to this place.
    #[inline]
    pub(super) fn copy_to(&mut self, to: usize) {
        self.changed = true;
        // Between two rewritten lines there is nothing, and calling `memcpy` to copy nothing would
        // cost more than the check.
        if self.done < to {
            self.out.extend_from_slice(&self.datagram[self.done..to]);
        }
        self.done = to;
    }

    /// [`copy_to`](Self::copy_to) for the end of a line, or the start of the next.
    #[inline]
    pub(super) fn copy_line_to(&mut self, to: usize) {
        self.copy_to(to);
        if to == self.datagram.len() && !self.datagram.ends_with(b"\n") {
            self.out.push(b'\n');
        }
    }

    /// Goes on after the input up to this place, which is replaced by what was written.
    #[inline]
    pub(super) fn skip_to(&mut self, to: usize) {
        self.done = to;
    }

    #[inline]
    pub(super) fn out(&mut self) -> &mut Vec<u8> {
        self.out
    }

    /// The start of the next line, for a line that ends here.
    #[inline]
    pub(super) fn after_line(&self, end: usize) -> usize {
        self.datagram.len().min(end + 1)
    }

    /// Writes the rest. Returns `false`, and writes nothing, if the output is the datagram itself.
    pub(super) fn finish(self) -> bool {
        let Output { datagram, done, changed, out, before } = self;
        if !changed {
            return false;
        }
        out.extend_from_slice(&datagram[done..]);
        // A newline at the end is a blank line if the output before it ends with a newline.
        let blank = matches!(out[before..], [b'\n'] | [.., b'\n', b'\n']);
        if !datagram.ends_with(b"\n") && !blank && out[before..].ends_with(b"\n") {
            out.pop();
        }
        true
    }
}
