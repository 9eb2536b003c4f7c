//! What a connection is at.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// What a connection is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing of a request has come.
    Quiet,
    /// A part of a request's head has come.
    Head,
    /// A request is being answered.
    Answer,
    /// All of an answer is there; some of it waits to be written.
    Rest,
}

/// What a connection is at, and since when. Written by the connection alone; the listener looks.
#[derive(Debug)]
pub(super) struct ConnectionState {
    /// Before any of the times.
    epoch: Instant,
    /// The phase in the last two bits, in front of it the milliseconds since the epoch.
    state: AtomicU64,
    leave: Notify,
}

impl ConnectionState {
    pub(super) fn new(epoch: Instant) -> ConnectionState {
        let activity = ConnectionState { epoch, state: AtomicU64::new(0), leave: Notify::new() };
        activity.enter(Phase::Quiet);
        activity
    }

    /// Begins a phase.
    pub(super) fn enter(&self, phase: Phase) {
        let millis = u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(u64::MAX >> 2);
        self.state.store(millis << 2 | phase as u64, Ordering::Relaxed);
    }

    /// All of an answer is there. What is not written yet counts from when the answer was begun.
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

    /// When the phase began, to the millisecond.
    pub(super) fn since(&self) -> Instant {
        self.epoch + Duration::from_millis(self.state.load(Ordering::Relaxed) >> 2)
    }

    /// Since when it has been waiting for a request, if it is.
    pub(super) fn waits_since(&self) -> Option<u64> {
        let waits = matches!(self.phase(), Phase::Quiet | Phase::Head);
        waits.then(|| self.state.load(Ordering::Relaxed) >> 2)
    }

    /// Asks the connection to make room.
    pub(super) fn ask_to_leave(&self) {
        self.leave.notify_one();
    }

    /// Resolves when it was asked to. Cancel safe.
    pub(super) async fn asked_to_leave(&self) {
        self.leave.notified().await;
    }
}
