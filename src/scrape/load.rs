//! What all scrapes together may cost.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::Failure;

/// How much is going on, and how much may.
#[derive(Debug)]
pub(super) struct Load {
    max_scrapes: usize,
    max_held_bytes: usize,
    scrapes: AtomicUsize,
    held_bytes: AtomicUsize,
}

/// One scrape's share of it, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Share {
    load: Arc<Load>,
    held_bytes: usize,
}

impl Load {
    pub(super) fn new(max_scrapes: usize, max_held_bytes: usize) -> Load {
        let none = || AtomicUsize::new(0);
        Load { max_scrapes, max_held_bytes, scrapes: none(), held_bytes: none() }
    }

    /// One more scrape; `None` where there are enough.
    pub(super) fn begin(self: &Arc<Self>) -> Option<Share> {
        let more = |scrapes: usize| (scrapes < self.max_scrapes).then_some(scrapes + 1);
        self.scrapes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(Share { load: Arc::clone(self), held_bytes: 0 })
    }
}

impl Share {
    /// The scrape holds so many bytes by now. It never lets go of any before its end.
    ///
    /// # Errors
    ///
    /// All scrapes together hold more than they may. This one, which wanted more, gives way.
    pub(super) fn holds(&mut self, bytes: usize) -> Result<(), Failure> {
        let more = bytes.saturating_sub(self.held_bytes);
        if more == 0 {
            return Ok(());
        }
        self.held_bytes = bytes;
        let before = self.load.held_bytes.fetch_add(more, Ordering::Relaxed);
        let limit = self.load.max_held_bytes;
        if before + more > limit { Err(Failure::TooMuchHeld { limit }) } else { Ok(()) }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.load.scrapes.fetch_sub(1, Ordering::Relaxed);
        self.load.held_bytes.fetch_sub(self.held_bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_makes_room() {
        let load = Arc::new(Load::new(2, 100));
        let mut first = load.begin().expect("room");
        let mut second = load.begin().expect("room");
        assert!(load.begin().is_none());
        assert!(first.holds(60).is_ok());
        assert!(first.holds(50).is_ok(), "what was counted stays counted");
        assert!(second.holds(40).is_ok());
        assert!(second.holds(41).is_err());
        drop(second);
        assert!(first.holds(100).is_ok());
        drop(first);
        let mut third = load.begin().expect("room");
        assert!(third.holds(100).is_ok());
    }
}
