//! The queue between one worker and one sink: a packer followed by a bounded queue of datagrams.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::relay::datagram_queue::{Overflow, Queue};
use crate::statsd::Packer;
use crate::telemetry::SinkMetrics;

/// Connects the pipelines of one worker with its sink task. They share a thread, so the lock is
/// hardly ever contended.
///
/// A reload, a removed sink and a shutdown use it from other threads. Each of these decides under one
/// lock what happens to the lines: those added before it belong to the old state, and those added
/// after it to the new one, so that each line is sent or counted as dropped.
#[derive(Debug)]
pub(super) struct SinkQueue {
    state: Mutex<State>,
    wake: Notify,
    closing: Notify,
    /// Whether each datagram must end in a newline.
    newline: bool,
    metrics: SinkMetrics,
}

#[derive(Debug)]
struct State {
    packer: Packer,
    queue: Queue,
    flush_interval: Duration,
    keepalive: Option<Duration>,
    closed: bool,
    /// Nothing is sent any more: what is added is dropped.
    abandoned: bool,
    /// The number of waiting bytes, as last reported.
    reported: usize,
}

/// The limits of a queue.
#[derive(Clone, Copy, Debug)]
pub(super) struct QueueSettings {
    pub(super) pack_bytes: usize,
    pub(super) queue_bytes: usize,
    pub(super) overflow: Overflow,
    /// How long a datagram may wait for more lines.
    pub(super) flush_interval: Duration,
    /// How long a connection to the sink is silent before the kernel checks the sink.
    pub(super) keepalive: Option<Duration>,
}

/// The sending half of a queue. Dropping it closes the queue.
#[derive(Debug)]
pub(super) struct QueueSender(Arc<SinkQueue>);

impl QueueSender {
    pub(super) fn new(queue: &Arc<SinkQueue>) -> QueueSender {
        QueueSender(Arc::clone(queue))
    }

    /// Adds a datagram unchanged.
    pub(super) fn push(&self, datagram: &[u8]) {
        self.0.push(datagram);
    }

    /// Adds rewritten lines, which may be more than a datagram holds.
    pub(super) fn push_lines(&self, lines: &[u8]) {
        self.0.push_lines(lines);
    }

    /// Reports how much waits: once per batch, not per line.
    pub(super) fn publish(&self) {
        self.0.report(&mut self.0.state());
    }
}

impl Drop for QueueSender {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl SinkQueue {
    pub(super) fn new(
        queue_settings: QueueSettings,
        newline: bool,
        metrics: SinkMetrics,
    ) -> SinkQueue {
        let state = State {
            packer: Packer::new(queue_settings.pack_bytes),
            queue: Queue::new(queue_settings.queue_bytes, queue_settings.overflow),
            flush_interval: queue_settings.flush_interval,
            keepalive: queue_settings.keepalive,
            closed: false,
            abandoned: false,
            reported: 0,
        };
        SinkQueue {
            state: Mutex::new(state),
            wake: Notify::new(),
            closing: Notify::new(),
            newline,
            metrics,
        }
    }

    pub(super) fn push(&self, datagram: &[u8]) {
        self.fill(|packer| packer.push(datagram));
    }

    fn push_lines(&self, lines: &[u8]) {
        self.fill(|packer| packer.push_lines(lines));
    }

    /// Applies new settings. Queued lines stay queued, in order.
    pub(super) fn reconfigure(&self, queue_settings: QueueSettings) {
        let mut state = self.state();
        self.complete(&mut state);
        state.packer = Packer::new(queue_settings.pack_bytes);
        state.queue.reconfigure(queue_settings.queue_bytes, queue_settings.overflow);
        state.flush_interval = queue_settings.flush_interval;
        state.keepalive = queue_settings.keepalive;
        drop(state);
        self.wake.notify_one();
    }

    fn fill(&self, fill: impl FnOnce(&mut Packer)) {
        let mut state = self.state();
        let waited = state.packer.waiting() > 0;
        fill(&mut state.packer);
        if state.abandoned {
            self.drop_all(&mut state);
            return;
        }
        let complete = state.packer.datagrams().len() > 0;
        if complete {
            self.enqueue(&mut state);
        }
        let begun = !waited && state.packer.waiting() > 0;
        drop(state);
        if complete || begun {
            self.wake.notify_one();
        }
    }

    fn enqueue(&self, state: &mut State) {
        let State { packer, queue, .. } = state;
        let dropped: u64 =
            packer.datagrams().map(|datagram| queue.push(datagram, self.newline)).sum();
        packer.clear();
        self.metrics.dropped_overflow(dropped);
        self.report(state);
    }

    /// Reports how many bytes wait, in the queue and in the datagram that is being packed.
    fn report(&self, state: &mut State) {
        let waiting = state.queue.len() + state.packer.waiting();
        self.metrics.queued(state.reported, waiting);
        state.reported = waiting;
    }

    /// Completes the datagram that is being packed and queues it.
    fn complete(&self, state: &mut State) {
        state.packer.complete();
        self.enqueue(state);
    }

    /// Drops and counts all lines. Returns their number.
    fn drop_all(&self, state: &mut State) -> u64 {
        self.complete(state);
        let left = state.queue.pop(usize::MAX);
        self.metrics.dropped_shutdown(left.lines);
        self.report(state);
        left.lines
    }

    /// Gives the sink task access to the queue.
    pub(super) fn with_queue<T>(&self, look: impl FnOnce(&mut Queue) -> T) -> T {
        let mut state = self.state();
        let seen = look(&mut state.queue);
        self.report(&mut state);
        seen
    }

    /// Closes the queue: what is queued is still sent, then [`QueueReceiver::ready`] returns false.
    pub(super) fn close(&self) {
        let mut state = self.state();
        self.complete(&mut state);
        state.closed = true;
        drop(state);
        self.wake.notify_one();
        self.closing.notify_waiters();
    }

    /// Resolves once the queue is closed. Cancel safe.
    pub(super) async fn closed(&self) {
        // Registered before the check, so that a close in between is not missed.
        let closing = self.closing.notified();
        if !self.is_closed() {
            closing.await;
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state().closed
    }

    /// Drops and counts the lines that are left, and those that are still added. Returns the number of
    /// the former.
    pub(super) fn abandon(&self) -> u64 {
        let mut state = self.state();
        state.abandoned = true;
        self.drop_all(&mut state)
    }

    /// The keepalive of the next connection to the sink.
    pub(super) fn keepalive(&self) -> Option<Duration> {
        self.state().keepalive
    }

    pub(super) fn metrics(&self) -> &SinkMetrics {
        &self.metrics
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Datagrams are added and removed whole, so a panic leaves the queue consistent.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The receiving half of a queue.
#[derive(Debug)]
pub(super) struct QueueReceiver {
    pub(super) queue: Arc<SinkQueue>,
    /// When the datagram that is being packed must be sent.
    flush_at: Option<Instant>,
}

impl QueueReceiver {
    pub(super) fn new(queue: Arc<SinkQueue>) -> QueueReceiver {
        QueueReceiver { queue, flush_at: None }
    }

    /// Resolves to true when a datagram is queued, and to false when the queue is closed and empty.
    /// Cancel safe.
    pub(super) async fn ready(&mut self) -> bool {
        loop {
            let (ready, closed, waiting, interval) = {
                let state = self.queue.state();
                let waiting = state.packer.waiting() > 0;
                (!state.queue.is_empty(), state.closed, waiting, state.flush_interval)
            };
            if ready {
                return true;
            }
            if closed {
                return false;
            }
            let woken = self.queue.wake.notified();
            if !waiting {
                self.flush_at = None;
                woken.await;
                continue;
            }
            let flush_at = *self.flush_at.get_or_insert_with(|| Instant::now() + interval);
            tokio::select! {
                () = woken => {}
                () = sleep_until(flush_at) => {
                    self.flush_at = None;
                    self.queue.complete(&mut self.queue.state());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Metrics;

    const SETTINGS: QueueSettings = QueueSettings {
        pack_bytes: 100,
        queue_bytes: 10 << 20,
        overflow: Overflow::Newest,
        flush_interval: Duration::from_secs(3600),
        keepalive: None,
    };

    #[test]
    fn new_settings_lose_no_line_that_is_added_at_the_same_time() {
        let queue = SinkQueue::new(SETTINGS, true, Metrics::new().statsd_sink("sink"));
        let lines = 100_000;
        std::thread::scope(|threads| {
            let adding = threads.spawn(|| (0..lines).for_each(|_| queue.push(b"a:1|c")));
            while !adding.is_finished() {
                queue.reconfigure(SETTINGS);
            }
        });
        assert_eq!(queue.abandon(), lines);
    }

    #[test]
    fn lines_that_are_added_during_and_after_the_end_are_counted() {
        let metrics = Metrics::new();
        let queue = SinkQueue::new(SETTINGS, true, metrics.statsd_sink("sink"));
        let lines = 100_000;
        std::thread::scope(|threads| {
            let adding = threads.spawn(|| (0..lines).for_each(|_| queue.push(b"a:1|c")));
            queue.close();
            let mut left = queue.abandon();
            while !adding.is_finished() {
                left += queue.abandon();
            }
            assert!(left <= lines, "{left}");
        });
        let labels = "{reason=\"shutdown\",sink=\"sink\"}";
        let dropped = format!("crossfade_statsd_dropped_lines_total{labels} {lines}\n");
        assert!(metrics.text().contains(&dropped), "{}", metrics.text());
        assert_eq!(queue.abandon(), 0);
    }

    #[test]
    fn the_datagram_that_is_being_packed_is_reported_as_waiting() {
        let metrics = Metrics::new();
        let queue = Arc::new(SinkQueue::new(SETTINGS, true, metrics.statsd_sink("sink")));
        let reported = |bytes: usize| {
            let line = format!("crossfade_statsd_queued_bytes{{sink=\"sink\"}} {bytes}\n");
            assert!(metrics.text().contains(&line), "{bytes}: {}", metrics.text());
        };
        let sender = QueueSender::new(&queue);
        for lines in 1..=20 {
            sender.push(b"ab:1|c");
            sender.publish();
            // The last line has no newline yet.
            reported(lines * 7 - 1);
        }
        queue.with_queue(|queue| queue.pop(1));
        reported(6 * 7 - 1);
        queue.abandon();
        reported(0);
    }
}
