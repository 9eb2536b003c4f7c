//! What all scrapes together may cost.
//!
//! The count goes on when settings change: scrapes that are under way then are part of what the new limits are about.
//! Each keeps to the limits that it began with.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Failure, Settings};

/// How much is going on.
#[derive(Debug, Default)]
pub(super) struct Load {
    scrapes: AtomicUsize,
    held_bytes: AtomicUsize,
}

/// One scrape's share of it, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Share {
    load: Arc<Load>,
    held_bytes: usize,
    /// How much all scrapes may hold when this one wants more.
    max_held_bytes: usize,
}

impl Load {
    /// One more scrape; `None` where there are enough.
    pub(super) fn begin(self: &Arc<Self>, settings: &Settings) -> Option<Share> {
        let more = |scrapes: usize| (scrapes < settings.max_scrapes).then_some(scrapes + 1);
        self.scrapes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        let max_held_bytes = settings.max_held_bytes;
        Some(Share { load: Arc::clone(self), held_bytes: 0, max_held_bytes })
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
        let limit = self.max_held_bytes;
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
    use std::time::Duration;

    use super::*;

    fn limits(max_scrapes: usize, max_held_bytes: usize) -> Settings {
        Settings {
            timeout: Duration::ZERO,
            timeout_margin: Duration::ZERO,
            idle_timeout: Duration::ZERO,
            max_scrapes,
            max_held_bytes,
            gzip_level: 0,
            external_address: None,
        }
    }

    #[test]
    fn what_ends_makes_room() {
        let (load, limits) = (Arc::new(Load::default()), limits(2, 100));
        let mut first = load.begin(&limits).expect("room");
        let mut second = load.begin(&limits).expect("room");
        assert!(load.begin(&limits).is_none());
        assert!(first.holds(60).is_ok());
        assert!(first.holds(50).is_ok(), "what was counted stays counted");
        assert!(second.holds(40).is_ok());
        assert!(second.holds(41).is_err());
        drop(second);
        assert!(first.holds(100).is_ok());
        drop(first);
        let mut third = load.begin(&limits).expect("room");
        assert!(third.holds(100).is_ok());
    }

    #[test]
    fn new_limits_are_for_all_that_is_going_on() {
        let load = Arc::new(Load::default());
        let mut first = load.begin(&limits(2, 100)).expect("room");
        let second = load.begin(&limits(2, 100)).expect("room");
        assert!(first.holds(60).is_ok());
        assert!(load.begin(&limits(1, 80)).is_none(), "two are two, whatever they began with");
        drop(second);
        assert!(load.begin(&limits(1, 80)).is_none());
        let mut third = load.begin(&limits(2, 80)).expect("room");
        assert!(third.holds(20).is_ok());
        assert!(third.holds(21).is_err(), "what the first holds counts");
        assert!(first.holds(79).is_ok(), "the first has the limits that it began with");
        drop((first, third));
        assert!(load.begin(&limits(1, 80)).is_some());
    }
}
