//! How much work one response may cause before other tasks of its thread run.
//!
//! A target can send faster than its response can be rewritten, so its body would always be ready.
//! After each slice of work the task is scheduled again only when all others have run and the
//! thread has looked at its sockets and timers. So a response delays others on its thread, and its
//! own deadline, by one slice at most.

use std::pin::pin;
use std::task::{Context, Poll};

/// Bytes of work per slice: a fraction of a millisecond.
const SLICE_BYTES: usize = 128 * 1024;

/// The least that one step costs, in bytes. A step without output is not free.
const LEAST_BYTES: usize = 2 * 1024;

/// The least that one line costs, in bytes: short ones take hardly less time than long ones.
const LINE_BYTES: usize = 64;

/// The smallest step.
const MIN_STEP_BYTES: usize = 4 * 1024;

/// The work that one response has left in its current slice.
#[derive(Debug)]
pub(super) struct Slice {
    left: usize,
    step: usize,
}

impl Slice {
    pub(super) fn new() -> Slice {
        Slice { left: SLICE_BYTES, step: SLICE_BYTES }
    }

    /// The most bytes for the next step. If lines are short, it has fewer.
    pub(super) fn step_bytes(&self) -> usize {
        self.step
    }

    /// Records a step that has handled this many bytes.
    pub(super) fn charge(&mut self, bytes: usize) {
        self.left = self.left.saturating_sub(bytes.max(LEAST_BYTES));
    }

    /// Records a step that has handled this many bytes with this many lines.
    pub(super) fn charge_lines(&mut self, bytes: usize, lines: u64) {
        let of_lines = usize::try_from(lines).unwrap_or(usize::MAX).saturating_mul(LINE_BYTES);
        let cost = bytes.max(of_lines).max(1);
        self.charge(cost);
        if bytes > 0 {
            let step = SLICE_BYTES.saturating_mul(bytes) / cost;
            self.step = step.clamp(MIN_STEP_BYTES, SLICE_BYTES);
        }
    }

    /// Whether no more work may be done before [`poll_proceed`](Self::poll_proceed).
    pub(super) fn is_over(&self) -> bool {
        self.left == 0
    }

    /// Ready if there is work left in the slice. Otherwise a new slice begins, and the task is
    /// woken for it after the others.
    pub(super) fn poll_proceed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.is_over() {
            return Poll::Ready(());
        }
        self.left = SLICE_BYTES;
        // Only its first poll matters: it schedules the task. Waking the task directly would let
        // it run again before sockets and timers.
        pin!(tokio::task::yield_now()).poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::poll_fn;

    use super::*;

    #[test]
    fn steps_of_short_lines_are_short() {
        let mut slice = Slice::new();
        assert_eq!(slice.step_bytes(), SLICE_BYTES);
        for (bytes, lines, step) in [
            (SLICE_BYTES, 65_536, MIN_STEP_BYTES),
            (MIN_STEP_BYTES, 128, SLICE_BYTES / 2),
            (0, 0, SLICE_BYTES / 2),
            (30_000, 300, SLICE_BYTES),
            (1, 0, SLICE_BYTES),
        ] {
            slice.charge_lines(bytes, lines);
            assert_eq!(slice.step_bytes(), step, "{bytes} bytes, {lines} lines");
        }
        assert!(slice.is_over());
    }

    #[tokio::test]
    async fn others_run_after_each_slice() {
        let others = Cell::new(0);
        let work = async {
            let mut slice = Slice::new();
            let mut most = 0;
            for _ in 0..1000 {
                let before = others.get();
                poll_fn(|cx| slice.poll_proceed(cx)).await;
                most = if others.get() == before { most + 1 } else { 1 };
                assert!(most <= SLICE_BYTES / LEAST_BYTES, "steps without a turn of the others");
                slice.charge(0);
            }
            others.get()
        };
        let other = async {
            loop {
                others.set(others.get() + 1);
                tokio::task::yield_now().await;
            }
        };
        let turns = tokio::select! {
            biased;
            turns = work => turns,
            () = other => unreachable!("it has no end"),
        };
        assert!(turns >= 1000 / (SLICE_BYTES / LEAST_BYTES) - 1, "{turns} turns");
    }
}
