//! The phase of a connection.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// The phase of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// No byte of a request has arrived.
    Quiet,
    /// A part of a request head has arrived.
    Head,
    /// The response is being produced.
    Answer,
    /// The response is complete, but not fully written.
    Rest,
}

/// The phase of a connection and its start. Only the connection writes it; the listener reads it.
#[derive(Debug)]
pub(super) struct ConnectionState {
    /// Earlier than all stored times.
    epoch: Instant,
    /// The phase in the two lowest bits, and the milliseconds since `epoch` in the others.
    state: AtomicU64,
    leave: Notify,
}

impl ConnectionState {
    pub(super) fn new(epoch: Instant) -> ConnectionState {
        let activity = ConnectionState { epoch, state: AtomicU64::new(0), leave: Notify::new() };
        activity.enter(Phase::Quiet);
        activity
    }

    /// Starts a phase.
    pub(super) fn enter(&self, phase: Phase) {
        let millis = u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(u64::MAX >> 2);
        self.state.store(millis << 2 | phase as u64, Ordering::Relaxed);
    }

    /// The response is complete. The time limit still counts from the start of the response.
    pub(super) fn rest(&self) {
        let state = self.state.load(Ordering::Relaxed);
        self.state.store(state & !3 | Phase::Rest as u64, Ordering::Relaxed);
    }

    pub(super) fn phase(&self) -> Phase {
        match self.state.load(Ordering::Relaxed) & 3 {
            0 => Phase::Quiet,
            1 => Phase::Head,
            2 => Phase::Answer,
            _ => Phase::Rest,
        }
    }

    /// The start of the phase, in milliseconds.
    pub(super) fn since(&self) -> Instant {
        self.epoch + Duration::from_millis(self.state.load(Ordering::Relaxed) >> 2)
    }

    /// Since when the connection has waited for a request, if it does.
    pub(super) fn waits_since(&self) -> Option<u64> {
        let waits = matches!(self.phase(), Phase::Quiet | Phase::Head);
        waits.then(|| self.state.load(Ordering::Relaxed) >> 2)
    }

    /// Asks the connection to make room.
    pub(super) fn ask_to_leave(&self) {
        self.leave.notify_one();
    }

    /// Completes when the connection is asked to make room. Cancel safe.
    pub(super) async fn asked_to_leave(&self) {
        self.leave.notified().await;
    }
}
