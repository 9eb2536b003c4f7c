//! Tasks that end with their owner, and tasks that go on after a panic.

use std::future::Future;
use std::time::Duration;

use tokio::task::JoinHandle;

/// Pause after a panic, so that one that repeats does not use a whole CPU.
const PAUSE: Duration = Duration::from_secs(1);

/// A task that is aborted when this is dropped.
#[derive(Debug)]
pub(super) struct AbortOnDrop(JoinHandle<()>);

impl AbortOnDrop {
    /// Spawns a task on the current runtime.
    pub(super) fn spawn(task: impl Future<Output = ()> + Send + 'static) -> AbortOnDrop {
        AbortOnDrop(tokio::spawn(task))
    }
}

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Runs a task until it ends without a panic. Dropping the future ends the task.
pub(super) async fn restarted<F>(make: impl Fn() -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    while (&mut AbortOnDrop::spawn(make()).0).await.is_err_and(|error| error.is_panic()) {
        tokio::time::sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_task_that_panics_is_started_again() {
        let runs = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&runs);
        let task = move || {
            let runs = Arc::clone(&counted);
            async move {
                assert!(runs.fetch_add(1, Ordering::Relaxed) == 2, "a panic of the test");
            }
        };
        restarted(task).await;
        assert_eq!(runs.load(Ordering::Relaxed), 3);
    }
}
