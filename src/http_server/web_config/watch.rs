//! Looks at files regularly, on a thread of its own: a file system that does not respond must not delay
//! requests.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// Pause between two looks.
const PAUSE: Duration = Duration::from_secs(1);

/// A look that takes longer is late.
pub(super) const LATE: Duration = Duration::from_secs(30);

/// The thread. Dropping it ends the thread, as soon as the look in progress has ended.
#[derive(Debug)]
pub(super) struct Watch {
    _stop: mpsc::Sender<()>,
    look: Arc<Look>,
}

/// The look in progress.
#[derive(Debug)]
struct Look {
    epoch: Instant,
    /// Its start, in milliseconds since `epoch`; 0 without one.
    begun: AtomicU64,
}

impl Watch {
    /// Calls `look` again and again, also after a panic.
    ///
    /// # Errors
    ///
    /// The operating system has no more threads.
    pub(super) fn start(look: impl Fn() + Send + 'static) -> io::Result<Watch> {
        let (stop, stopped) = mpsc::channel();
        let state = Arc::new(Look { epoch: Instant::now(), begun: AtomicU64::new(0) });
        let its = Arc::clone(&state);
        let run = move || {
            while stopped.recv_timeout(PAUSE) == Err(RecvTimeoutError::Timeout) {
                its.begun.store(its.now(), Ordering::Relaxed);
                // The panic hook reports it, and the next look may succeed.
                drop(catch_unwind(AssertUnwindSafe(&look)));
                its.begun.store(0, Ordering::Relaxed);
            }
        };
        thread::Builder::new().name("web-config".to_owned()).spawn(run)?;
        Ok(Watch { _stop: stop, look: state })
    }

    /// Whether the look in progress takes too long.
    pub(super) fn is_late(&self) -> bool {
        let begun = self.look.begun.load(Ordering::Relaxed);
        let late = u64::try_from(LATE.as_millis()).unwrap_or(u64::MAX);
        begun > 0 && self.look.now().saturating_sub(begun) > late
    }
}

impl Look {
    fn now(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(u64::MAX).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_looks_on_after_a_panic_until_it_is_dropped() {
        let (report, looks) = mpsc::channel();
        let watch = Watch::start(move || {
            report.send(()).expect("the test waits");
            panic!("a panic of the test");
        });
        let watch = watch.expect("a thread");
        looks.recv().expect("a look");
        looks.recv().expect("another one");
        assert!(!watch.is_late());
        drop(watch);
        // The thread drops its end.
        while looks.recv().is_ok() {}
    }

    #[test]
    fn a_look_that_does_not_end_is_late() {
        let now = Instant::now();
        let epoch = now.checked_sub(LATE * 2).unwrap_or(now);
        let (stop, _) = mpsc::channel();
        let of = |begun| Arc::new(Look { epoch, begun: AtomicU64::new(begun) });
        assert!(Watch { _stop: stop.clone(), look: of(1) }.is_late());
        assert!(!Watch { _stop: stop.clone(), look: of(0) }.is_late());
        assert!(!Watch { _stop: stop, look: of(of(0).now()) }.is_late());
    }
}
