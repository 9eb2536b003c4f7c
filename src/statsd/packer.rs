//! Packs lines into datagrams.

use std::ops::Range;

use memchr::{memchr, memrchr};

/// Packs lines into datagrams up to a size, in order. No line is split or lost.
///
/// The datagrams are in one buffer, so that a batch can be sent without copying.
/// [`datagrams`](Self::datagrams) returns the complete ones, [`complete`](Self::complete) ends the
/// one being filled, and [`clear`](Self::clear) removes the complete ones after they were sent.
///
/// ```
/// use crossfade::statsd::Packer;
///
/// let mut packer = Packer::new(12);
/// packer.push(b"a:1|c");
/// packer.push(b"b:2|c");
/// packer.push(b"c:3|c");
/// packer.complete();
/// let datagrams: Vec<&[u8]> = packer.datagrams().collect();
/// assert_eq!(datagrams, [&b"a:1|c\nb:2|c"[..], b"c:3|c"]);
/// ```
#[derive(Debug)]
pub struct Packer {
    limit: usize,
    bytes: Vec<u8>,
    /// The end of each complete datagram. The bytes after the last one are the datagram being
    /// filled.
    ends: Vec<usize>,
}

impl Packer {
    /// `limit` is the maximum size of a datagram in bytes. With 0, each push is a separate
    /// datagram.
    #[must_use]
    pub fn new(limit: usize) -> Packer {
        Packer { limit, bytes: Vec::new(), ends: Vec::new() }
    }

    /// Adds an unchanged datagram. It is never split: one that is longer than the limit is sent
    /// alone.
    pub fn push(&mut self, datagram: &[u8]) {
        if datagram.is_empty() {
            return;
        }
        let open = self.open();
        if !open.is_empty() {
            let newline = usize::from(self.bytes.last() != Some(&b'\n'));
            if open.len() + newline + datagram.len() > self.limit {
                self.complete();
            } else if newline > 0 {
                self.bytes.push(b'\n');
            }
        }
        self.bytes.extend_from_slice(datagram);
        if self.open().len() >= self.limit {
            self.complete();
        }
    }

    /// Adds rewritten lines, separated by newlines. They are added to the datagram being filled,
    /// and continued in the next.
    pub fn push_lines(&mut self, mut lines: &[u8]) {
        let limit = if self.limit == 0 { super::MAX_DATAGRAM_BYTES } else { self.limit };
        while !lines.is_empty() {
            let open = &self.bytes[self.open()];
            let newline = usize::from(open.last().is_some_and(|last| *last != b'\n'));
            let (filled, room) = (!open.is_empty(), limit.saturating_sub(open.len() + newline));
            if lines.len() <= room {
                return self.push(lines);
            }
            if let Some((fit, rest)) = split(lines, room) {
                self.push(fit);
                lines = rest;
            } else if !filled {
                // The line is longer than any datagram.
                let end = memchr(b'\n', lines).map_or(lines.len(), |at| at + 1);
                self.push(lines[..end].strip_suffix(b"\n").unwrap_or(lines));
                lines = &lines[end..];
            }
            self.complete();
        }
    }

    /// Ends the datagram being filled.
    pub fn complete(&mut self) {
        if !self.open().is_empty() {
            self.ends.push(self.bytes.len());
        }
    }

    /// The complete datagrams, in order.
    #[must_use]
    pub fn datagrams(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        (0..self.ends.len()).map(|index| {
            let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
            &self.bytes[start..self.ends[index]]
        })
    }

    /// Number of bytes in the datagram being filled.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.open().len()
    }

    /// Removes the complete datagrams. Capacity is retained, so that a packer in use does not
    /// allocate.
    pub fn clear(&mut self) {
        let sent = self.open().start;
        self.bytes.drain(..sent);
        self.ends.clear();
    }

    fn open(&self) -> Range<usize> {
        self.ends.last().copied().unwrap_or(0)..self.bytes.len()
    }
}

/// Splits lines that are longer than `room`: as many as fit, and the others. Returns `None` if not
/// even the first fits.
///
/// The newline between the two parts is dropped, unless it ends a blank line.
fn split(lines: &[u8], room: usize) -> Option<(&[u8], &[u8])> {
    let is_blank = |end: usize| end == 0 || lines[end - 1] == b'\n';
    let mut end = memrchr(b'\n', &lines[..=room])?;
    if end == room && is_blank(end) {
        // The blank line does not fit. The newline before it ends another line.
        end = end.checked_sub(1)?;
    }
    Some((&lines[..end + usize::from(is_blank(end))], &lines[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(limit: usize, fill: impl FnOnce(&mut Packer)) -> Vec<String> {
        let mut packer = Packer::new(limit);
        fill(&mut packer);
        packer.complete();
        packer.datagrams().map(|it| String::from_utf8(it.to_vec()).unwrap()).collect()
    }

    #[test]
    fn lines_are_packed_while_they_fit() {
        let lines = |packer: &mut Packer| {
            for line in ["aa", "bbb", "c", "dddd", "e"] {
                packer.push(line.as_bytes());
            }
        };
        assert_eq!(packed(6, lines), ["aa\nbbb", "c\ndddd", "e"]);
        assert_eq!(packed(7, lines), ["aa\nbbb", "c\ndddd", "e"]);
        assert_eq!(packed(8, lines), ["aa\nbbb\nc", "dddd\ne"]);
        assert_eq!(packed(100, lines), ["aa\nbbb\nc\ndddd\ne"]);
    }

    #[test]
    fn without_packing_datagrams_map_one_to_one() {
        let datagrams = ["a:1|c\n", "b", "c\nd", "\n"];
        let fill = |packer: &mut Packer| datagrams.iter().for_each(|it| packer.push(it.as_bytes()));
        assert_eq!(packed(0, fill), datagrams);
    }

    #[test]
    fn an_unchanged_datagram_is_not_split() {
        let fill = |packer: &mut Packer| {
            packer.push(b"a");
            packer.push(b"long\nand longer");
            packer.push(b"b");
        };
        assert_eq!(packed(8, fill), ["a", "long\nand longer", "b"]);
    }

    #[test]
    fn an_existing_newline_is_not_doubled() {
        let fill = |packer: &mut Packer| {
            packer.push(b"a\n");
            packer.push(b"b\n");
        };
        assert_eq!(packed(9, fill), ["a\nb\n"]);
        assert_eq!(packed(2, fill), ["a\n", "b\n"]);
    }

    #[test]
    fn rewritten_lines_are_split_between_lines() {
        let fill = |packer: &mut Packer| {
            packer.push(b"x");
            packer.push_lines(b"aa\nbb\ncc\nmuch too long\nd\n");
            packer.push_lines(b"e");
        };
        assert_eq!(packed(5, fill), ["x\naa", "bb\ncc", "much too long", "d\ne"]);
        assert_eq!(packed(2, fill), ["x", "aa", "bb", "cc", "much too long", "d\n", "e"]);
        assert_eq!(packed(0, fill), ["x", "aa\nbb\ncc\nmuch too long\nd\n", "e"]);
        let long = |packer: &mut Packer| packer.push_lines(b"too long\nand too long");
        assert_eq!(packed(5, long), ["too long", "and too long"]);
    }

    #[test]
    fn a_datagram_is_filled_before_the_next_one() {
        let fill = |packer: &mut Packer| (0..4).for_each(|_| packer.push_lines(b"aa\nbb\ncc"));
        assert_eq!(packed(11, fill), ["aa\nbb\ncc\naa", "bb\ncc\naa\nbb", "cc\naa\nbb\ncc"]);
    }

    #[test]
    fn blank_lines_are_lines() {
        use crate::statsd::lines;
        for text in ["\n", "\n\n\n", "a\n\nb", "\n\naa\n\n\nb\n\n", "aaa\n\n", "a\n\n\n\n\n\nb"] {
            for limit in [1, 2, 3, 4, 5, 100] {
                for before in ["", "x", "x\n"] {
                    let fill = |packer: &mut Packer| {
                        packer.push(before.as_bytes());
                        packer.push_lines(text.as_bytes());
                    };
                    let packed = packed(limit, fill);
                    let input: Vec<&[u8]> =
                        lines(before.as_bytes()).chain(lines(text.as_bytes())).collect();
                    let output: Vec<&[u8]> =
                        packed.iter().flat_map(|it| lines(it.as_bytes())).collect();
                    assert_eq!(output, input, "{before:?} {text:?} up to {limit}: {packed:?}");
                }
            }
        }
    }

    #[test]
    fn clear_keeps_the_datagram_being_filled() {
        let mut packer = Packer::new(4);
        packer.push(b"aa");
        packer.push(b"bb");
        assert_eq!((packer.datagrams().len(), packer.waiting()), (1, 2));
        packer.clear();
        packer.push(b"c");
        packer.complete();
        packer.complete();
        assert_eq!(packer.datagrams().collect::<Vec<_>>(), [b"bb\nc"]);
        packer.clear();
        packer.push(b"");
        packer.complete();
        assert_eq!(packer.datagrams().len(), 0);
    }
}
