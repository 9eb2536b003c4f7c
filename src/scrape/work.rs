//! How much work one response may cause before other tasks of its thread run.
//!
//! A target can send faster than its response can be rewritten, so its body would always be ready.
//! After each slice of work the task is scheduled again only when all others have run and the
//! thread has looked at its sockets and timers. So a response delays others on its thread, and its
//! own deadline, by one slice at most.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

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
    /// The turn of the others, until it is over.
    others: Option<Arc<Turn>>,
}

/// The turn of other tasks, sockets and timers.
///
/// The runtime wakes this after it. Until then, the task can be woken for other reasons: a
/// connection wakes it when the bytes that it had read are consumed.
#[derive(Debug)]
struct Turn {
    is_over: AtomicBool,
    task: Mutex<Waker>,
}

impl Wake for Turn {
    fn wake(self: Arc<Self>) {
        self.is_over.store(true, Ordering::Release);
        self.task.lock().unwrap_or_else(PoisonError::into_inner).wake_by_ref();
    }
}

impl Slice {
    pub(super) fn new() -> Slice {
        Slice { left: SLICE_BYTES, step: SLICE_BYTES, others: None }
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

    /// Ready if there is work left in the slice. Otherwise the others have their turn, and then a
    /// new slice begins.
    pub(super) fn poll_proceed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(turn) = &self.others {
            turn.task.lock().unwrap_or_else(PoisonError::into_inner).clone_from(cx.waker());
            if !turn.is_over.load(Ordering::Acquire) {
                return Poll::Pending;
            }
            self.others = None;
        }
        if !self.is_over() {
            return Poll::Ready(());
        }
        self.left = SLICE_BYTES;
        let task = Mutex::new(cx.waker().clone());
        let turn = Arc::new(Turn { is_over: AtomicBool::new(false), task });
        let waker = Waker::from(Arc::clone(&turn));
        self.others = Some(turn);
        // Only its first poll matters: it has the runtime wake the turn after sockets and timers.
        pin!(tokio::task::yield_now()).poll(&mut Context::from_waker(&waker))
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::atomic::AtomicUsize;

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
        let turns = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&turns);
        // This runs once each time after the runtime has looked at its sockets and timers.
        let other = tokio::spawn(async move {
            loop {
                counter.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
            }
        });
        // In a task, because the runtime always has such a turn before it polls the test itself.
        let work = tokio::spawn(async move {
            let mut slice = Slice::new();
            let (mut before, mut steps) = (0, 0);
            for _ in 0..1000 {
                poll_fn(|cx| {
                    // As a connection does whose bytes were consumed.
                    cx.waker().wake_by_ref();
                    slice.poll_proceed(cx)
                })
                .await;
                let now = turns.load(Ordering::SeqCst);
                steps = if now == before { steps + 1 } else { 1 };
                before = now;
                // Both are woken after each turn, in either order.
                assert!(steps <= 2 * SLICE_BYTES / LEAST_BYTES, "no turn of the others");
                slice.charge(0);
            }
        });
        work.await.expect("the others have their turns");
        other.abort();
    }
}
