//! Streams of lines, and streams of packets with their length before them.
//!
//! `DogStatsD` clients write to Unix stream sockets packets of lines, each after its length: four
//! bytes, little-endian. Other clients write lines.

use super::datagram::lines;
use super::framer::Framer;

/// Bytes before each packet.
const HEAD: usize = 4;

/// Cuts a stream into whole lines, or into packets if it begins with the length of one.
///
/// A length is recognized by its last two bytes, which are zero because no packet is longer than
/// 65,535 bytes. Text contains no such bytes.
///
/// ```
/// use crossfade::statsd::StreamFramer;
///
/// let mut framer = StreamFramer::lines_or_packets(100);
/// let mut seen = Vec::new();
/// framer.feed(b"\x05\0", |lines| seen.push(lines.to_vec()));
/// framer.feed(b"\0\0a:1|c\x05\0\0\0b:2|c", |lines| seen.push(lines.to_vec()));
/// assert_eq!(seen, [b"a:1|c", b"b:2|c"]);
/// ```
#[derive(Debug)]
pub struct StreamFramer {
    framing: Framing,
    limit: usize,
}

#[derive(Debug)]
enum Framing {
    /// The first bytes, which do not determine it yet.
    Unknown(Vec<u8>),
    Lines(Framer),
    Packets(Packets),
}

impl StreamFramer {
    /// For streams of lines. `limit` is the maximum length of a line in bytes, without its newline.
    #[must_use]
    pub fn lines(limit: usize) -> StreamFramer {
        StreamFramer { framing: Framing::Lines(Framer::new(limit)), limit }
    }

    /// For streams of either kind. `limit` is the maximum length of a line, or of a packet.
    #[must_use]
    pub fn lines_or_packets(limit: usize) -> StreamFramer {
        StreamFramer { framing: Framing::Unknown(Vec::new()), limit }
    }

    /// Adds what was read, and passes whole lines with their newlines, or whole packets, to `take`,
    /// in order.
    pub fn feed(&mut self, read: &[u8], mut take: impl FnMut(&[u8])) {
        let mut rest = read;
        if let Framing::Unknown(head) = &mut self.framing {
            let (more, after) = rest.split_at(rest.len().min(HEAD - head.len()));
            head.extend_from_slice(more);
            rest = after;
            let framing = match head[..] {
                [_, _, 0, 0] => Framing::Packets(Packets::new(self.limit)),
                [] | [_] | [_, _] | [_, _, 0] => return,
                _ => Framing::Lines(Framer::new(self.limit)),
            };
            let head = std::mem::take(head);
            self.framing = framing;
            self.framed(&head, &mut take);
        }
        self.framed(rest, &mut take);
    }

    fn framed(&mut self, bytes: &[u8], take: &mut impl FnMut(&[u8])) {
        match &mut self.framing {
            Framing::Unknown(_) => {}
            Framing::Lines(framer) => framer.feed(bytes, take),
            Framing::Packets(packets) => packets.feed(bytes, take),
        }
    }

    /// Ends the stream. If its sender ended it (`ended`), the last line is passed to `take` even
    /// without a newline. Returns the number of lines that were not complete.
    pub fn finish(&mut self, ended: bool, take: impl FnOnce(&[u8])) -> u64 {
        let mut cut = 0;
        let last = |line: &[u8]| if ended { take(line) } else { cut = 1 };
        match &mut self.framing {
            Framing::Unknown(head) if head.is_empty() => {}
            Framing::Unknown(head) => last(&std::mem::take(head)),
            Framing::Lines(framer) => framer.finish(last),
            Framing::Packets(packets) => return packets.finish(),
        }
        cut
    }

    /// Number of lines or packets that were dropped because they were too long.
    #[must_use]
    pub fn oversized(&self) -> u64 {
        match &self.framing {
            Framing::Unknown(_) => 0,
            Framing::Lines(framer) => framer.oversized(),
            Framing::Packets(packets) => packets.oversized,
        }
    }
}

/// Cuts a stream of packets.
#[derive(Debug)]
struct Packets {
    /// The packet that is arriving, with its length.
    torn: Vec<u8>,
    limit: usize,
    /// Bytes to skip: the rest of a packet that is too long.
    skip: usize,
    oversized: u64,
}

impl Packets {
    fn new(limit: usize) -> Packets {
        Packets { torn: Vec::new(), limit, skip: 0, oversized: 0 }
    }

    fn feed(&mut self, mut rest: &[u8], take: &mut impl FnMut(&[u8])) {
        while !rest.is_empty() {
            let skipped = rest.len().min(self.skip);
            self.skip -= skipped;
            rest = &rest[skipped..];
            if self.torn.is_empty()
                && let Some((length, after)) = length(rest)
                && let Some((packet, after)) = after.split_at_checked(length)
                && length <= self.limit
            {
                // Most packets are read whole, and need no copy.
                Packets::pass(packet, take);
                rest = after;
                continue;
            }
            let wanted = length(&self.torn).map_or(HEAD, |(length, _)| HEAD + length);
            let (more, after) = rest.split_at(rest.len().min(wanted - self.torn.len()));
            self.torn.extend_from_slice(more);
            rest = after;
            let Some((length, packet)) = length(&self.torn) else { continue };
            if length > self.limit {
                self.skip = length;
                self.oversized += 1;
                self.torn.clear();
            } else if packet.len() == length {
                Packets::pass(packet, take);
                self.torn.clear();
            }
        }
    }

    fn pass(packet: &[u8], take: &mut impl FnMut(&[u8])) {
        if !packet.is_empty() {
            take(packet);
        }
    }

    fn finish(&mut self) -> u64 {
        let cut = self.torn.get(HEAD..).map_or(0, |packet| lines(packet).count() as u64);
        self.torn.clear();
        cut
    }
}

/// The length at the beginning, and what follows it.
fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (head, after) = bytes.split_first_chunk::<HEAD>()?;
    // More than a number can hold is too long in any case.
    Some((usize::try_from(u32::from_le_bytes(*head)).unwrap_or(usize::MAX), after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(text: &str) -> Vec<u8> {
        let length = u32::try_from(text.len()).unwrap();
        [&length.to_le_bytes()[..], text.as_bytes()].concat()
    }

    /// What is taken, each with a bar after it, the lines that were cut and those that were too
    /// long.
    fn framed(pieces: &[&[u8]], ended: bool) -> (String, u64, u64) {
        let mut framer = StreamFramer::lines_or_packets(20);
        let mut taken = Vec::new();
        let mut take = |bytes: &[u8]| taken.extend_from_slice(&[bytes, b"~"].concat());
        for piece in pieces {
            framer.feed(piece, &mut take);
        }
        let cut = framer.finish(ended, take);
        (String::from_utf8(taken).unwrap(), cut, framer.oversized())
    }

    #[test]
    fn packets_are_the_same_wherever_the_stream_is_cut() {
        // A length with the byte of a newline in it, an empty packet, one that is too long.
        let texts =
            ["a.b.cd:1|c", "", "a:1|c\nb:2|c\n", "longer than the twenty that are taken", "c:3|c"];
        let stream = [texts.map(packet).concat(), b"\x0b\0\0\0d:4|c\ne:5".to_vec()].concat();
        let expected = ("a.b.cd:1|c~a:1|c\nb:2|c\n~c:3|c~".to_owned(), 2, 1);
        for cut in 0..=stream.len() {
            let (before, after) = stream.split_at(cut);
            assert_eq!(framed(&[before, after], true), expected, "cut at {cut}");
        }
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(framed(&bytes, false), expected);
    }

    #[test]
    fn lines_are_lines_wherever_the_stream_is_cut() {
        for (stream, ended, expected) in [
            (&b"a:1|c\nb:2|c"[..], true, (6, 5, 0)),
            (b"a:1|c\nb:2|c", false, (6, 0, 1)),
            (b"\n\n\na:1|c", true, (3, 5, 0)),
            (b"a", true, (0, 1, 0)),
            (b"a", false, (0, 0, 1)),
            (b"\x0a\0b", true, (1, 2, 0)),
            (b"", true, (0, 0, 0)),
        ] {
            let (whole, last, cut) = expected;
            for at in 0..=stream.len() {
                let (before, after) = stream.split_at(at);
                let (taken, was_cut, _) = framed(&[before, after], ended);
                assert_eq!(taken.replace('~', "").len(), whole + last, "{stream:?} at {at}");
                assert_eq!(was_cut, cut, "{stream:?} at {at}");
            }
        }
    }

    #[test]
    fn memory_is_bounded() {
        let mut framer = StreamFramer::lines_or_packets(20);
        let mut taken = 0;
        framer.feed(&packet("a:1|c"), |_| taken += 1);
        framer.feed(&u32::MAX.to_le_bytes(), |_| taken += 1);
        framer.feed(&vec![b'x'; 100_000], |_| taken += 1);
        let Framing::Packets(packets) = &framer.framing else { panic!("packets") };
        assert!(packets.torn.capacity() < 100);
        assert_eq!((taken, framer.oversized()), (1, 1));
    }
}
