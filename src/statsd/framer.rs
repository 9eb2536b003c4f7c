//! Lines out of a byte stream.

use memchr::{memchr, memrchr};

/// Cuts a stream into whole lines, wherever reads have cut it.
///
/// Lines that lie whole within a read are handed on where they are, all at once; only a torn one is copied. A line
/// beyond the limit is left out and counted: a peer that never sends a newline must not fill our memory.
///
/// ```
/// use crossfade::statsd::Framer;
///
/// let mut framer = Framer::new(100);
/// let mut seen = Vec::new();
/// framer.feed(b"a:1|c\nb:2", |lines| seen.push(lines.to_vec()));
/// framer.feed(b"|c\nc:3|c", |lines| seen.push(lines.to_vec()));
/// framer.finish(|lines| seen.push(lines.to_vec()));
/// assert_eq!(seen, [&b"a:1|c\n"[..], b"b:2|c\n", b"c:3|c"]);
/// ```
#[derive(Debug)]
pub struct Framer {
    torn: Vec<u8>,
    limit: usize,
    /// The line that is arriving is beyond the limit; what remains of it is left out too.
    skipping: bool,
    oversized: u64,
}

impl Framer {
    /// `limit` is the longest line in bytes, newline not counted.
    #[must_use]
    pub fn new(limit: usize) -> Framer {
        Framer { torn: Vec::new(), limit, skipping: false, oversized: 0 }
    }

    /// Takes what was read and gives `take` whole lines with their newlines, in order, one or more at a time.
    pub fn feed(&mut self, read: &[u8], mut take: impl FnMut(&[u8])) {
        let mut rest = read;
        if self.skipping || !self.torn.is_empty() {
            let end = memchr(b'\n', rest).map(|at| at + 1);
            let (line, behind) = rest.split_at(end.unwrap_or(rest.len()));
            rest = behind;
            self.tear(line);
            if end.is_none() {
                return;
            }
            if !self.skipping {
                take(&self.torn);
            }
            self.torn.clear();
            self.skipping = false;
        }
        let whole = memrchr(b'\n', rest).map_or(0, |at| at + 1);
        let (whole, torn) = rest.split_at(whole);
        self.whole(whole, &mut take);
        self.tear(torn);
    }

    /// The stream has ended: gives the last line if it has no newline.
    pub fn finish(&mut self, take: impl FnOnce(&[u8])) {
        if !self.torn.is_empty() {
            take(&self.torn);
        }
        self.torn.clear();
        self.skipping = false;
    }

    /// Lines left out so far because they were too long.
    #[must_use]
    pub fn oversized(&self) -> u64 {
        self.oversized
    }

    /// Keeps a piece of a line for later, newline included where it has come.
    fn tear(&mut self, piece: &[u8]) {
        if self.skipping {
            return;
        }
        let content = piece.strip_suffix(b"\n").unwrap_or(piece);
        if self.torn.len() + content.len() > self.limit {
            self.torn.clear();
            self.skipping = true;
            self.oversized += 1;
        } else {
            self.torn.extend_from_slice(piece);
        }
    }

    fn whole(&mut self, mut lines: &[u8], take: &mut impl FnMut(&[u8])) {
        // Only a read longer than the limit can hold a line that is.
        while lines.len() > self.limit {
            if let Some(end) = memrchr(b'\n', &lines[..=self.limit]) {
                let (short, rest) = lines.split_at(end + 1);
                take(short);
                lines = rest;
            } else {
                let end = memchr(b'\n', lines).expect("whole lines end in a newline");
                self.oversized += 1;
                lines = &lines[end + 1..];
            }
        }
        if !lines.is_empty() {
            take(lines);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes out, as one text, and how many lines were too long.
    fn framed(pieces: &[&[u8]], limit: usize) -> (String, u64) {
        let mut framer = Framer::new(limit);
        let mut out = Vec::new();
        for piece in pieces {
            framer.feed(piece, |lines| {
                assert!(lines.ends_with(b"\n"));
                out.extend_from_slice(lines);
            });
            assert!(framer.torn.len() <= limit, "memory is bounded");
        }
        framer.finish(|line| out.extend_from_slice(line));
        (String::from_utf8(out).unwrap(), framer.oversized())
    }

    #[test]
    fn every_cut_gives_the_same_lines() {
        let stream = b"a:1|c\n\nlonger than ten\nb:2|ms\n0123456789\n01234567890\nlast";
        let expected = ("a:1|c\n\nb:2|ms\n0123456789\nlast".to_owned(), 2);
        for cut in 0..=stream.len() {
            let (before, behind) = stream.split_at(cut);
            assert_eq!(framed(&[before, behind], 10), expected, "cut at {cut}");
        }
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(framed(&bytes, 10), expected);
        assert_eq!(framed(&[stream], 10), expected);
    }

    #[test]
    fn a_line_without_end_is_left_out() {
        let endless: Vec<&[u8]> = vec![b"xxxxxxx"; 1000];
        assert_eq!(framed(&endless, 16), (String::new(), 1));
        let and_more = [&endless[..], &[b"y\na:1|c\n"]].concat();
        assert_eq!(framed(&and_more, 16), ("a:1|c\n".to_owned(), 1));
    }

    #[test]
    fn nothing_in_nothing_out() {
        assert_eq!(framed(&[b"", b""], 5), (String::new(), 0));
        assert_eq!(framed(&[b"\n", b"", b"\n"], 5), ("\n\n".to_owned(), 0));
    }
}
