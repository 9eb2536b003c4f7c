//! A buffer for the lines that replace one line, which are written in short pieces.

/// The length up to which a piece is copied as this number of bytes.
pub(super) const PIECE: usize = 32;

/// The size of the buffer: more than the lines for one tagged line usually need.
const SIZE: usize = 2048;

/// Lines in short pieces. Its memory is in use already, so that a piece is a copy of a fixed number
/// of bytes: no function is called, and nothing grows.
#[derive(Debug)]
pub(super) struct PieceBuffer {
    bytes: Box<[u8; SIZE]>,
    len: usize,
}

impl Default for PieceBuffer {
    fn default() -> PieceBuffer {
        PieceBuffer { bytes: Box::new([0; SIZE]), len: 0 }
    }
}

impl PieceBuffer {
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Removes what comes after this length.
    #[inline]
    pub(super) fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// Appends the first `len` bytes of a piece. `None`: there is no room.
    #[inline]
    pub(super) fn push(&mut self, piece: &[u8; PIECE], len: usize) -> Option<()> {
        *self.bytes.get_mut(self.len..)?.first_chunk_mut()? = *piece;
        self.len += len;
        Some(())
    }

    /// Appends a byte. `None`: there is no room.
    #[inline]
    pub(super) fn push_byte(&mut self, byte: u8) -> Option<()> {
        *self.bytes.get_mut(self.len)? = byte;
        self.len += 1;
        Some(())
    }

    /// Appends a part of a text. `None`: there is no room. Which bytes of the text come after the
    /// part does not matter, but the copy is faster if there are some.
    #[inline]
    pub(super) fn push_part(&mut self, text: &[u8], (start, end): (usize, usize)) -> Option<()> {
        match text.get(start..).and_then(|rest| rest.first_chunk()) {
            Some(piece) if end - start <= PIECE => self.push(piece, end - start),
            _ => self.push_text(&text[start..end]),
        }
    }

    /// Appends a text. `None`: there is no room.
    #[inline(never)] // so that the usual case is small enough to be inlined
    pub(super) fn push_text(&mut self, text: &[u8]) -> Option<()> {
        let end = self.len + text.len();
        self.bytes.get_mut(self.len..end)?.copy_from_slice(text);
        self.len = end;
        Some(())
    }

    /// What was appended after this length.
    #[inline]
    pub(super) fn since(&mut self, len: usize) -> &mut [u8] {
        &mut self.bytes[len..self.len]
    }

    /// Moves everything to `out`.
    #[inline]
    pub(super) fn move_to(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.bytes[..self.len]);
        self.len = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_any_length_until_there_is_no_room() {
        let text: Vec<u8> = (0..100).collect();
        let mut pieces = PieceBuffer::default();
        let mut expected = Vec::new();
        for (start, end) in (0..100).flat_map(|start| (start..=100).map(move |end| (start, end))) {
            let before = pieces.len();
            let push = |pieces: &mut PieceBuffer| {
                pieces.push_part(&text, (start, end))?;
                pieces.push_byte(b'\n')
            };
            if push(&mut pieces).is_none() {
                assert!(before + PIECE.max(end - start + 1) > SIZE);
                pieces.truncate(before);
                let mut moved = Vec::new();
                pieces.move_to(&mut moved);
                assert_eq!(moved, expected);
                expected.clear();
                push(&mut pieces).expect("it is empty");
            }
            expected.extend_from_slice(&text[start..end]);
            expected.push(b'\n');
        }
    }
}
