//! Work that may wait for files, on a thread of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::error::Error;

/// How long reading the files and compiling the packs may take.
const LIMIT: Duration = Duration::from_secs(30);

/// Runs one preparation at a time.
///
/// A thread that waits for a file cannot be stopped. It must not keep the process from ending either, so
/// it is none of the runtime's, which waits for its threads.
#[derive(Debug, Default)]
pub(super) struct Preparation {
    is_running: Arc<AtomicBool>,
}

/// The preparation is running as long as this exists, even if it panics.
struct Permit(Arc<AtomicBool>);

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl Preparation {
    /// Runs `work` on a new thread, in the context of the caller's runtime.
    ///
    /// # Errors
    ///
    /// The work took too long or panicked, an earlier one that took too long has not ended, or the system
    /// has no more threads.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        if self.is_running.swap(true, Ordering::Acquire) {
            return Err(Error::StillReading);
        }
        let permit = Permit(Arc::clone(&self.is_running));
        let (done, outcome) = oneshot::channel();
        let runtime = Handle::current();
        let thread = std::thread::Builder::new().name("reload".to_owned()).spawn(move || {
            let _context = runtime.enter();
            let outcome = work();
            drop(permit);
            // The caller may have stopped waiting.
            drop(done.send(outcome));
        });
        thread.map_err(Error::Thread)?;
        match timeout(LIMIT, outcome).await {
            Ok(outcome) => outcome.map_err(|_| Error::Panicked),
            Err(_) => Err(Error::TooSlow(LIMIT)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn work_that_does_not_end_is_given_up() {
        let preparation = Preparation::default();
        let (release, wait) = mpsc::channel::<()>();
        let (report, ended) = oneshot::channel::<()>();
        let outcome = preparation.run(move || {
            assert!(wait.recv().is_err());
            report
        });
        assert!(matches!(outcome.await, Err(Error::TooSlow(_))));
        assert!(matches!(preparation.run(|| ()).await, Err(Error::StillReading)));
        drop(release);
        // The report is dropped when the outcome is, after the end of the work.
        tokio::time::resume();
        assert!(ended.await.is_err());
        preparation.run(|| ()).await.expect("it has ended");
    }

    #[tokio::test]
    async fn a_panic_is_an_error() {
        let preparation = Preparation::default();
        assert!(matches!(preparation.run(|| panic!("test")).await, Err::<(), _>(Error::Panicked)));
        assert_eq!(preparation.run(|| 7).await.expect("it has ended"), 7);
    }
}
