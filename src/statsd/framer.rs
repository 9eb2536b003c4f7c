//! Splits a byte stream into lines.

use memchr::{memchr, memrchr};

/// Splits a stream into whole lines, regardless of how reads split it.
///
/// Lines inside one read are passed on together without copying; only a line that spans reads is
/// copied. A line longer than the limit is dropped and counted, so that a peer that never sends a
/// newline cannot fill the memory.
///
/// ```
/// use crossfade::statsd::Framer;
///
/// let mut framer = Framer::new(100);
/// let mut received = Vec::new();
/// framer.feed(b"a:1|c\nb:2", |lines| received.push(lines.to_vec()));
/// framer.feed(b"|c\nc:3|c", |lines| received.push(lines.to_vec()));
/// framer.finish(|lines| received.push(lines.to_vec()));
/// assert_eq!(received, [&b"a:1|c\n"[..], b"b:2|c\n", b"c:3|c"]);
/// ```
#[derive(Debug)]
pub struct Framer {
    /// The start of a line whose end has not been read.
    partial: Vec<u8>,
    limit: usize,
    /// The current line is longer than the limit; its remainder is dropped too.
    skipping: bool,
    oversized: u64,
}

impl Framer {
    /// `limit` is the maximum length of a line in bytes, without its newline.
    #[must_use]
    pub fn new(limit: usize) -> Framer {
        Framer { partial: Vec::new(), limit, skipping: false, oversized: 0 }
    }

    /// Adds the bytes of one read, and calls `take` with whole lines, newlines included: one or
    /// more lines per call, in order.
    pub fn feed(&mut self, read: &[u8], mut take: impl FnMut(&[u8])) {
        let mut rest = read;
        if self.skipping || !self.partial.is_empty() {
            let end = memchr(b'\n', rest).map(|at| at + 1);
            let (line, after) = rest.split_at(end.unwrap_or(rest.len()));
            rest = after;
            self.store(line);
            if end.is_none() {
                return;
            }
            if !self.skipping {
                take(&self.partial);
            }
            self.partial.clear();
            self.skipping = false;
        }
        let whole = memrchr(b'\n', rest).map_or(0, |at| at + 1);
        let (whole, partial) = rest.split_at(whole);
        self.whole(whole, &mut take);
        self.store(partial);
    }

    /// Ends the stream, and calls `take` with the last line if it has no newline.
    pub fn finish(&mut self, take: impl FnOnce(&[u8])) {
        if !self.partial.is_empty() {
            take(&self.partial);
        }
        self.partial.clear();
        self.skipping = false;
    }

    /// Number of lines dropped because they were too long.
    #[must_use]
    pub fn oversized(&self) -> u64 {
        self.oversized
    }

    /// Stores a part of a line, newline included if there is one.
    fn store(&mut self, piece: &[u8]) {
        if self.skipping {
            return;
        }
        let content = piece.strip_suffix(b"\n").unwrap_or(piece);
        if self.partial.len() + content.len() > self.limit {
            self.partial.clear();
            self.skipping = true;
            self.oversized += 1;
        } else {
            self.partial.extend_from_slice(piece);
        }
    }

    fn whole(&mut self, mut lines: &[u8], take: &mut impl FnMut(&[u8])) {
        // Only a read that is longer than the limit can contain such a line.
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

    /// The output as one text, and the number of lines that were too long.
    fn framed(pieces: &[&[u8]], limit: usize) -> (String, u64) {
        let mut framer = Framer::new(limit);
        let mut out = Vec::new();
        for piece in pieces {
            framer.feed(piece, |lines| {
                assert!(lines.ends_with(b"\n"));
                out.extend_from_slice(lines);
            });
            assert!(framer.partial.len() <= limit, "memory is bounded");
        }
        framer.finish(|line| out.extend_from_slice(line));
        (String::from_utf8(out).unwrap(), framer.oversized())
    }

    #[test]
    fn every_cut_gives_the_same_lines() {
        let stream = b"a:1|c\n\nlonger than ten\nb:2|ms\n0123456789\n01234567890\nlast";
        let expected = ("a:1|c\n\nb:2|ms\n0123456789\nlast".to_owned(), 2);
        for cut in 0..=stream.len() {
            let (before, after) = stream.split_at(cut);
            assert_eq!(framed(&[before, after], 10), expected, "cut at {cut}");
        }
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(framed(&bytes, 10), expected);
        assert_eq!(framed(&[stream], 10), expected);
    }

    #[test]
    fn an_endless_line_is_dropped() {
        let endless: Vec<&[u8]> = vec![b"xxxxxxx"; 1000];
        assert_eq!(framed(&endless, 16), (String::new(), 1));
        let and_more = [&endless[..], &[b"y\na:1|c\n"]].concat();
        assert_eq!(framed(&and_more, 16), ("a:1|c\n".to_owned(), 1));
    }

    #[test]
    fn empty_input_gives_no_line() {
        assert_eq!(framed(&[b"", b""], 5), (String::new(), 0));
        assert_eq!(framed(&[b"\n", b"", b"\n"], 5), ("\n\n".to_owned(), 0));
    }
}
