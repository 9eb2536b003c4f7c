//! Datagrams that wait for one sink.

use std::collections::VecDeque;

use memchr::memchr_iter;

/// What is dropped when a queue is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overflow {
    /// What arrives. What waits is sent once the sink is back.
    #[default]
    Newest,
    /// What has waited longest. A sink that comes back gets what is recent.
    Oldest,
}

/// Beyond this, memory is given back once the queue is empty.
const KEPT_CAPACITY: usize = 1 << 20;

/// A bounded queue of datagrams that lie behind each other in one buffer, so that they can be handed to the kernel
/// where they are. Nothing is allocated per datagram.
#[derive(Debug)]
pub(super) struct Queue {
    bytes: Vec<u8>,
    /// Where the first datagram begins. What lies in front has been sent.
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

/// What has left the queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Left {
    pub(super) datagrams: u64,
    pub(super) lines: u64,
    pub(super) bytes: u64,
}

/// How many lines a datagram has: as many as it has newlines, and one more if it does not end in one.
pub(super) fn count_lines(datagram: &[u8]) -> u64 {
    let newlines = memchr_iter(b'\n', datagram).count() as u64;
    newlines + u64::from(datagram.last().is_some_and(|last| *last != b'\n'))
}

impl Queue {
    /// `limit` is how many bytes may wait.
    pub(super) fn new(limit: usize, overflow: Overflow) -> Queue {
        Queue { bytes: Vec::new(), head: 0, datagrams: VecDeque::new(), limit, overflow }
    }

    /// From now on as [`new`](Self::new) would have it. What waits already goes on waiting.
    pub(super) fn reshape(&mut self, limit: usize, overflow: Overflow) {
        self.limit = limit;
        self.overflow = overflow;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.datagrams.is_empty()
    }

    /// Bytes that wait.
    pub(super) fn len(&self) -> usize {
        self.bytes.len() - self.head
    }

    /// Adds a datagram, with a newline behind it if it must have one. Returns how many lines, of this or of
    /// earlier datagrams, there was no room for.
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
        // What lies in front is at least as long as what has to be moved: each byte moves once on average.
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
            let (first, behind) = rest.split_at(datagram.len);
            rest = behind;
            first
        })
    }

    /// All that waits, as it lies there.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[self.head..]
    }

    /// Takes the first `count` datagrams out.
    pub(super) fn pop(&mut self, count: usize) -> Left {
        let mut left = Left::default();
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

    /// Takes the datagrams out of which the first `written` bytes consist. Of the one that was cut, `cut` gets all
    /// the bytes; returned is how many of them were written.
    pub(super) fn advance(&mut self, written: usize, cut: &mut Vec<u8>) -> (Left, usize) {
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
            assert_eq!(queue.pop(2), Left { datagrams: 2, lines: 2, bytes: 6 });
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
        assert_eq!(queue.advance(7, &mut cut), (Left { datagrams: 2, lines: 3, bytes: 6 }, 1));
        assert_eq!(cut, b"dd\n");
        assert!(queue.is_empty());
    }
}
