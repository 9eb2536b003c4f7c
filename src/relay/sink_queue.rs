//! The way from one worker to one sink: what is being packed, and what waits to be sent.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::relay::datagram_queue::{Overflow, Queue};
use crate::statsd::Packer;
use crate::telemetry::SinkMetrics;

/// Between the listeners and the sink task of one worker. They are on one thread, so the lock is never contended.
#[derive(Debug)]
pub(super) struct Lane {
    state: Mutex<State>,
    wake: Notify,
    closing: Notify,
    /// Each datagram has to end in a newline.
    newline: bool,
    metrics: SinkMetrics,
}

#[derive(Debug)]
struct State {
    packer: Packer,
    queue: Queue,
    flush_interval: Duration,
    closed: bool,
}

/// How a lane packs and what it holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) pack_bytes: usize,
    pub(super) queue_bytes: usize,
    pub(super) overflow: Overflow,
    /// How long a datagram may wait to be filled.
    pub(super) flush_interval: Duration,
}

/// What puts lines into a lane. The lane closes when the last of its inlets goes: nobody can be about to add a line
/// then.
#[derive(Debug)]
pub(super) struct Inlet(Arc<Lane>);

impl Inlet {
    pub(super) fn new(lane: &Arc<Lane>) -> Inlet {
        Inlet(Arc::clone(lane))
    }

    /// Adds a datagram as it came.
    pub(super) fn push(&self, datagram: &[u8]) {
        self.0.push(datagram);
    }

    /// Adds lines that stand in for a datagram.
    pub(super) fn push_lines(&self, lines: &[u8]) {
        self.0.push_lines(lines);
    }
}

impl Drop for Inlet {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Lane {
    pub(super) fn new(shape: Shape, newline: bool, metrics: SinkMetrics) -> Lane {
        let state = State {
            packer: Packer::new(shape.pack_bytes),
            queue: Queue::new(shape.queue_bytes, shape.overflow),
            flush_interval: shape.flush_interval,
            closed: false,
        };
        Lane {
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

    /// Packs and holds from now on like this. What is there already stays, in order.
    pub(super) fn reshape(&self, shape: Shape) {
        self.complete();
        let mut state = self.state();
        state.packer = Packer::new(shape.pack_bytes);
        state.queue.reshape(shape.queue_bytes, shape.overflow);
        state.flush_interval = shape.flush_interval;
        drop(state);
        self.wake.notify_one();
    }

    fn fill(&self, fill: impl FnOnce(&mut Packer)) {
        let mut state = self.state();
        let waited = state.packer.waiting() > 0;
        fill(&mut state.packer);
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
        let before = queue.len();
        let dropped: u64 =
            packer.datagrams().map(|datagram| queue.push(datagram, self.newline)).sum();
        packer.clear();
        self.metrics.dropped_overflow(dropped);
        self.metrics.queued(before, queue.len());
    }

    /// Ends the datagram that is being filled.
    fn complete(&self) {
        let mut state = self.state();
        state.packer.complete();
        self.enqueue(&mut state);
    }

    /// Lets the sink task look at the queue and change it.
    pub(super) fn with_queue<T>(&self, look: impl FnOnce(&mut Queue) -> T) -> T {
        let mut state = self.state();
        let before = state.queue.len();
        let seen = look(&mut state.queue);
        self.metrics.queued(before, state.queue.len());
        seen
    }

    /// Nothing is added any more: what waits is sent, and then [`Outlet::ready`] says so.
    pub(super) fn close(&self) {
        self.complete();
        self.state().closed = true;
        self.wake.notify_one();
        self.closing.notify_waiters();
    }

    /// Resolves once the lane is closed. Cancel safe.
    pub(super) async fn closed(&self) {
        // Asked for before looking, so that a close in between is not missed.
        let closing = self.closing.notified();
        if !self.is_closed() {
            closing.await;
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state().closed
    }

    /// Drops and counts what is left, and says how many lines that was.
    pub(super) fn abandon(&self) -> u64 {
        self.complete();
        let left = self.with_queue(|queue| queue.pop(usize::MAX));
        self.metrics.dropped_shutdown(left.lines);
        left.lines
    }

    pub(super) fn metrics(&self) -> &SinkMetrics {
        &self.metrics
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Whoever panicked has left datagrams that are whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where the sink task takes from.
#[derive(Debug)]
pub(super) struct Outlet {
    pub(super) lane: Arc<Lane>,
    /// When the datagram that is being filled has waited long enough.
    flush_at: Option<Instant>,
}

impl Outlet {
    pub(super) fn new(lane: Arc<Lane>) -> Outlet {
        Outlet { lane, flush_at: None }
    }

    /// Resolves to true once something waits to be sent, and to false once nothing ever will. Cancel safe.
    pub(super) async fn ready(&mut self) -> bool {
        loop {
            let (ready, closed, waiting, interval) = {
                let state = self.lane.state();
                let waiting = state.packer.waiting() > 0;
                (!state.queue.is_empty(), state.closed, waiting, state.flush_interval)
            };
            if ready {
                return true;
            }
            if closed {
                return false;
            }
            let woken = self.lane.wake.notified();
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
                    self.lane.complete();
                }
            }
        }
    }
}
