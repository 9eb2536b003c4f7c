//! Joins chunks, which can be cut anywhere, into whole lines.

/// Keeps an incomplete line until the rest of it arrives.
///
/// Lines that are whole within a chunk are read where they are. Only lines that span two chunks are
/// copied.
#[derive(Debug, Default)]
pub(super) struct LineBuffer {
    incomplete: Vec<u8>,
    /// Parsing the incomplete line failed at this length. It is parsed again when it is half as
    /// long again. (A newline between quotes does not end a line.) Without this, a target that
    /// sends a long line in tiny pieces would cost the square of its length.
    failed_at: usize,
}

impl LineBuffer {
    /// Bytes allocated, which can be twice as many as are kept.
    pub(super) fn allocated(&self) -> usize {
        self.incomplete.capacity()
    }

    /// Bytes kept.
    pub(super) fn len(&self) -> usize {
        self.incomplete.len()
    }

    /// Completes the incomplete line with the beginning of `chunk`. Returns the rest of the chunk,
    /// which begins with a line. Pass what remains of that to [`keep`](Self::keep).
    ///
    /// `read` is given the incomplete line and what completes it. It returns how many bytes it has
    /// read: whole lines only.
    ///
    /// # Errors
    ///
    /// Those of `read`.
    pub(super) fn complete_with<'a, E>(
        &mut self,
        mut chunk: &'a [u8],
        mut read: impl FnMut(&[u8]) -> Result<usize, E>,
    ) -> Result<&'a [u8], E> {
        while !self.incomplete.is_empty() {
            let wanted =
                (self.failed_at + self.failed_at / 2).saturating_sub(self.incomplete.len());
            if chunk.len() <= wanted {
                self.incomplete.extend_from_slice(chunk);
                return Ok(&[]);
            }
            let newline = memchr::memchr(b'\n', &chunk[wanted..]);
            let taken = newline.map_or(chunk.len(), |at| wanted + at + 1);
            self.incomplete.extend_from_slice(&chunk[..taken]);
            chunk = &chunk[taken..];
            if newline.is_none() {
                return Ok(&[]);
            }
            self.reparse(&mut read)?;
        }
        Ok(chunk)
    }

    /// Keeps the end of a chunk for the next one.
    pub(super) fn keep(&mut self, incomplete: &[u8]) {
        self.incomplete.extend_from_slice(incomplete);
        if !incomplete.is_empty() {
            self.failed_at = if incomplete.contains(&b'\n') { incomplete.len() } else { 0 };
        }
    }

    /// Parses what is kept once more, whatever its length: there may be complete lines in it.
    ///
    /// # Errors
    ///
    /// Those of `read`.
    pub(super) fn reparse<E>(
        &mut self,
        mut read: impl FnMut(&[u8]) -> Result<usize, E>,
    ) -> Result<(), E> {
        let read = read(&self.incomplete)?;
        self.incomplete.drain(..read);
        self.failed_at = if read == 0 { self.incomplete.len() } else { 0 };
        Ok(())
    }

    /// The input is complete: returns what is kept, with a newline at its end.
    pub(super) fn take_last(&mut self) -> Vec<u8> {
        if self.incomplete.last().is_some_and(|&byte| byte != b'\n') {
            self.incomplete.push(b'\n');
        }
        self.failed_at = 0;
        std::mem::take(&mut self.incomplete)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines end at a newline that is not between quotes.
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
    fn lines_do_not_depend_on_the_chunks() {
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
