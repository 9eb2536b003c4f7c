//! Lines that the kernel has accepted and the sink's host has not acknowledged.

use std::collections::VecDeque;

use memchr::memchr_iter;
use tokio::net::TcpStream;

use super::send_queue::SendQueue;
use crate::telemetry::SinkMetrics;

/// Counts the lines of one connection: as sent when they are acknowledged, or as dropped when it
/// breaks before, or when this is dropped.
#[derive(Debug)]
pub(super) struct InFlight {
    /// `None` if the kernel does not report it: then lines that it has accepted count as sent.
    queue: Option<SendQueue>,
    /// Number of bytes written so far.
    written: u64,
    /// The ends of the lines that are not acknowledged, as numbers of bytes.
    ends: VecDeque<u64>,
    metrics: SinkMetrics,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.give_up();
    }
}

impl InFlight {
    /// For a connection that nothing was written to.
    pub(super) fn new(stream: &TcpStream, metrics: SinkMetrics) -> InFlight {
        let queue =
            stream.local_addr().and_then(|local| SendQueue::new(local, stream.peer_addr()?));
        let queue = queue.ok().filter(|queue| queue.bytes().is_ok());
        InFlight { queue, written: 0, ends: VecDeque::new(), metrics }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Records bytes that the kernel has accepted.
    pub(super) fn wrote(&mut self, bytes: &[u8]) {
        let ends = memchr_iter(b'\n', bytes).map(|at| self.written + at as u64 + 1);
        self.ends.extend(ends);
        self.written += bytes.len() as u64;
    }

    /// Counts the lines that have been acknowledged.
    pub(super) fn settle(&mut self) {
        if self.is_empty() {
            return;
        }
        let waiting = self.queue.as_ref().map_or(Ok(0), SendQueue::bytes);
        // A connection that was reset no longer exists: unacknowledged lines stay in flight.
        if let Ok(waiting) = waiting {
            self.settle_up_to(self.written.saturating_sub(waiting));
        }
    }

    /// Counts all lines as sent: the connection is closed in order, and the kernel goes on to send
    /// them.
    pub(super) fn leave(mut self) {
        self.settle_up_to(self.written);
    }

    /// The connection broke. Counts the lines that are not known to be acknowledged as dropped;
    /// returns their number.
    pub(super) fn broke(mut self) -> u64 {
        self.give_up()
    }

    fn give_up(&mut self) -> u64 {
        self.settle();
        let lost = self.ends.len() as u64;
        self.ends.clear();
        self.metrics.dropped_unacknowledged(lost);
        lost
    }

    fn settle_up_to(&mut self, acknowledged: u64) {
        let lines = self.ends.partition_point(|end| *end <= acknowledged);
        self.ends.drain(..lines);
        self.metrics.sent(0, lines as u64, 0);
    }
}
