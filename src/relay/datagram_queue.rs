//! A bounded queue of datagrams for one sink.

use std::collections::VecDeque;

use memchr::memchr_iter;

/// What to drop when a queue is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overflow {
    /// New datagrams. A sink that recovers receives the oldest ones.
    #[default]
    Newest,
    /// The oldest datagrams. A sink that recovers receives the most recent ones.
    Oldest,
}

/// Above this capacity in bytes, an empty queue frees its memory.
const KEPT_CAPACITY: usize = 1 << 20;

/// A bounded queue of datagrams, stored one after the other in one buffer and passed to the kernel
/// without a copy. Nothing is allocated per datagram.
#[derive(Debug)]
pub(super) struct Queue {
    bytes: Vec<u8>,
    /// Offset of the first datagram. Bytes before it have been sent.
    head: usize,
    datagrams: VecDeque<Datagram>,
    limit: usize,
    overflow: Overflow,
}

#[derive(Clone, Copy, Debug)]
struct Datagram {
    len: usize,
    lines: u64,
}

/// What was removed from the queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Removed {
    pub(super) datagrams: u64,
    pub(super) lines: u64,
    pub(super) bytes: u64,
}

/// Number of lines in a datagram: the number of newlines, plus one if it does not end in one.
pub(super) fn count_lines(datagram: &[u8]) -> u64 {
    let newlines = memchr_iter(b'\n', datagram).count() as u64;
    newlines + u64::from(datagram.last().is_some_and(|last| *last != b'\n'))
}

impl Queue {
    /// `limit` is the maximum number of queued bytes.
    pub(super) fn new(limit: usize, overflow: Overflow) -> Queue {
        Queue { bytes: Vec::new(), head: 0, datagrams: VecDeque::new(), limit, overflow }
    }

    /// Changes the limits. Queued datagrams stay queued.
    pub(super) fn reconfigure(&mut self, limit: usize, overflow: Overflow) {
        self.limit = limit;
        self.overflow = overflow;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.datagrams.is_empty()
    }

    /// Number of queued bytes.
    pub(super) fn len(&self) -> usize {
        self.bytes.len() - self.head
    }

    /// Adds a datagram, and a final newline if `newline` is set and it has none. Returns the number
    /// of lines that were dropped, of this datagram or of earlier ones.
    pub(super) fn push(&mut self, datagram: &[u8], newline: bool) -> u64 {
        let newline = newline && datagram.last().is_some_and(|last| *last != b'\n');
        let len = datagram.len() + usize::from(newline);
        let lines = count_lines(datagram);
        let mut dropped = 0;
        if self.overflow == Overflow::Oldest && len <= self.limit {
            while self.len() + len > self.limit {
                dropped += self.pop(1).lines;
            }
        }
        if self.len() + len > self.limit {
            return lines;
        }
        // The free space is at least as long as what is moved, so each byte moves once on average.
        if self.head >= self.len() {
            self.bytes.drain(..self.head);
            self.head = 0;
        }
        self.bytes.extend_from_slice(datagram);
        if newline {
            self.bytes.push(b'\n');
        }
        self.datagrams.push_back(Datagram { len, lines });
        dropped
    }

    /// The datagrams, in order.
    pub(super) fn datagrams(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = &self.bytes[self.head..];
        self.datagrams.iter().map(move |datagram| {
            let (first, others) = rest.split_at(datagram.len);
            rest = others;
            first
        })
    }

    /// All queued bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[self.head..]
    }

    /// Removes the first `count` datagrams.
    pub(super) fn pop(&mut self, count: usize) -> Removed {
        let mut left = Removed::default();
        for datagram in self.datagrams.drain(..count.min(self.datagrams.len())) {
            left.datagrams += 1;
            left.lines += datagram.lines;
            left.bytes += datagram.len as u64;
            self.head += datagram.len;
        }
        if self.datagrams.is_empty() {
            self.bytes.clear();
            self.head = 0;
            if self.bytes.capacity() > KEPT_CAPACITY {
                self.bytes = Vec::new();
                self.datagrams = VecDeque::new();
            }
        }
        left
    }

    /// Removes the datagrams in the first `written` bytes. A datagram that was written in part is
    /// removed too: all its bytes are copied to `cut`, and the number of its written bytes is
    /// returned.
    pub(super) fn advance(&mut self, written: usize, cut: &mut Vec<u8>) -> (Removed, usize) {
        let (mut whole, mut rest) = (0, written);
        for datagram in &self.datagrams {
            if datagram.len > rest {
                break;
            }
            rest -= datagram.len;
            whole += 1;
        }
        let left = self.pop(whole);
        if rest > 0 {
            cut.clear();
            cut.extend(self.datagrams().next().into_iter().flatten());
            self.pop(1);
        }
        (left, rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(queue: &Queue) -> Vec<String> {
        queue.datagrams().map(|it| String::from_utf8(it.to_vec()).unwrap()).collect()
    }

    #[test]
    fn lines_are_counted_as_they_are_read() {
        for (datagram, lines) in [("", 0), ("a", 1), ("a\n", 1), ("a\nb", 2), ("\n\n", 2)] {
            assert_eq!(count_lines(datagram.as_bytes()), lines, "{datagram:?}");
        }
    }

    #[test]
    fn the_newest_or_the_oldest_are_dropped() {
        for (overflow, left) in
            [(Overflow::Newest, ["a\nb", "c"]), (Overflow::Oldest, ["c", "d\ne"])]
        {
            let mut queue = Queue::new(5, overflow);
            let dropped = ["a\nb", "c", "d\ne"].map(|it| queue.push(it.as_bytes(), false));
            assert_eq!(dropped, [0, 0, 2]);
            assert_eq!(waiting(&queue), left);
            assert_eq!(queue.push(b"longer", false), 1, "never fits");
            assert_eq!(waiting(&queue), left);
        }
    }

    #[test]
    fn order_is_kept_while_space_is_used_again() {
        let mut queue = Queue::new(10, Overflow::Newest);
        let (mut pushed, mut popped) = (0_u8, 0_u8);
        let datagram = |number: u8| [b'a' + number % 16; 3];
        for _ in 0..100 {
            while queue.push(&datagram(pushed), false) == 0 {
                pushed += 1;
            }
            assert_eq!(queue.datagrams().next(), Some(&datagram(popped)[..]));
            assert_eq!(queue.pop(2), Removed { datagrams: 2, lines: 2, bytes: 6 });
            popped += 2;
            assert!(queue.bytes.capacity() < 100, "memory is bounded");
        }
    }

    #[test]
    fn a_cut_datagram_is_handed_over() {
        let mut queue = Queue::new(100, Overflow::Newest);
        for datagram in [&b"a\nb"[..], b"c\n", b"dd"] {
            assert_eq!(queue.push(datagram, true), 0);
        }
        assert_eq!(queue.bytes(), b"a\nb\nc\ndd\n");
        let mut cut = Vec::new();
        assert_eq!(queue.advance(7, &mut cut), (Removed { datagrams: 2, lines: 3, bytes: 6 }, 1));
        assert_eq!(cut, b"dd\n");
        assert!(queue.is_empty());
    }
}
