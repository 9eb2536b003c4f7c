//! Chunks cut anywhere become whole lines.

/// Keeps the beginning of a line until the rest of it comes.
///
/// Lines that lie whole within a chunk are read where they are. Only what a cut has torn is copied.
#[derive(Debug, Default)]
pub(super) struct LineBuffer {
    torn: Vec<u8>,
    /// Reading the torn line has failed at this length; it is tried again when half as much again
    /// has come. (A newline between quotes does not end a line, so a newline is no promise.) This
    /// keeps a peer that sends a long line in tiny pieces from costing the square of its length.
    failed_at: usize,
}

impl LineBuffer {
    /// Bytes that wait.
    pub(super) fn len(&self) -> usize {
        self.torn.len()
    }

    /// Takes of a chunk what ends the line that waits, and returns what is behind it: the beginning of a line, to be
    /// read where it is. What is not read of that [waits](Self::keep).
    ///
    /// `read` is given what has waited, with its end. It says how many of the bytes it took: whole lines only.
    ///
    /// # Errors
    ///
    /// Those of `read`.
    pub(super) fn complete_with<'a, E>(
        &mut self,
        mut chunk: &'a [u8],
        mut read: impl FnMut(&[u8]) -> Result<usize, E>,
    ) -> Result<&'a [u8], E> {
        while !self.torn.is_empty() {
            let wanted = (self.failed_at + self.failed_at / 2).saturating_sub(self.torn.len());
            if chunk.len() <= wanted {
                self.torn.extend_from_slice(chunk);
                return Ok(&[]);
            }
            let newline = memchr::memchr(b'\n', &chunk[wanted..]);
            let taken = newline.map_or(chunk.len(), |at| wanted + at + 1);
            self.torn.extend_from_slice(&chunk[..taken]);
            chunk = &chunk[taken..];
            if newline.is_none() {
                return Ok(&[]);
            }
            self.reparse(&mut read)?;
        }
        Ok(chunk)
    }

    /// The last of a chunk waits for the next one; nothing else does.
    pub(super) fn keep(&mut self, torn: &[u8]) {
        self.torn.extend_from_slice(torn);
        if !torn.is_empty() {
            self.failed_at = if torn.contains(&b'\n') { torn.len() } else { 0 };
        }
    }

    /// Reads what waits once more, whatever its length: lines may be complete in it.
    ///
    /// # Errors
    ///
    /// Those of `read`.
    pub(super) fn reparse<E>(
        &mut self,
        mut read: impl FnMut(&[u8]) -> Result<usize, E>,
    ) -> Result<(), E> {
        let read = read(&self.torn)?;
        self.torn.drain(..read);
        self.failed_at = if read == 0 { self.torn.len() } else { 0 };
        Ok(())
    }

    /// The input is complete: gives what waits, ended by a newline, in one piece.
    pub(super) fn take_last(&mut self) -> Vec<u8> {
        if self.torn.last().is_some_and(|&byte| byte != b'\n') {
            self.torn.push(b'\n');
        }
        self.failed_at = 0;
        std::mem::take(&mut self.torn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines end at a newline that is not within quotes.
    fn split(input: &[u8], chunk: usize) -> (Vec<Vec<u8>>, usize) {
        let mut lines = Vec::new();
        let mut looked_at = 0;
        let mut line_buffer = LineBuffer::default();
        let mut read = |bytes: &[u8]| {
            let (mut start, mut quoted) = (0, false);
            looked_at += bytes.len();
            for (at, byte) in bytes.iter().enumerate() {
                match byte {
                    b'"' => quoted = !quoted,
                    b'\n' if !quoted => {
                        lines.push(bytes[start..=at].to_vec());
                        start = at + 1;
                    }
                    _ => {}
                }
            }
            Ok::<_, ()>(start)
        };
        for piece in input.chunks(chunk) {
            let rest = line_buffer.complete_with(piece, &mut read).unwrap();
            let taken = read(rest).unwrap();
            line_buffer.keep(&rest[taken..]);
        }
        let last = line_buffer.take_last();
        assert_eq!(read(&last), Ok(last.len()));
        (lines, looked_at)
    }

    #[test]
    fn every_cutting_gives_the_same_lines() {
        let input = b"a\n\nb \"x\ny\n\" c\n\"\n\n\n\"d\nlast";
        let (whole, _) = split(input, input.len());
        assert_eq!(whole.len(), 5);
        for chunk in 1..input.len() {
            assert_eq!(split(input, chunk).0, whole, "chunks of {chunk}");
        }
    }

    #[test]
    fn a_long_line_in_tiny_pieces_is_not_read_over_and_over() {
        let mut input = vec![b'"'];
        input.extend([b'\n'; 10_000]);
        input.extend(b"\"\n");
        let (lines, looked_at) = split(&input, 1);
        assert_eq!(lines.len(), 1);
        assert!(looked_at < 10 * input.len(), "{looked_at}");
    }
}
