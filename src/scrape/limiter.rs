//! Limits of all scrapes together.
//!
//! The counts survive a reload: scrapes in flight count for the new limits, and each of them keeps
//! the limits that it started with.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::error::Error;
use super::settings::Settings;

/// The counts of all scrapes.
#[derive(Debug, Default)]
pub(super) struct ScrapeLimiter {
    scrapes: AtomicUsize,
    held_bytes: AtomicUsize,
}

/// The share of one scrape, released when it is dropped.
#[derive(Debug)]
pub(super) struct ScrapePermit {
    limiter: Arc<ScrapeLimiter>,
    held_bytes: usize,
    /// The limit of held bytes for this scrape.
    max_held_bytes: usize,
}

impl ScrapeLimiter {
    /// Starts a scrape; `None` at the limit.
    pub(super) fn begin(self: &Arc<Self>, settings: &Settings) -> Option<ScrapePermit> {
        let more = |scrapes: usize| (scrapes < settings.max_scrapes).then_some(scrapes + 1);
        self.scrapes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        let max_held_bytes = settings.max_held_bytes;
        Some(ScrapePermit { limiter: Arc::clone(self), held_bytes: 0, max_held_bytes })
    }
}

impl ScrapePermit {
    /// Records how many bytes the scrape holds. It releases none before its end.
    ///
    /// # Errors
    ///
    /// All scrapes together exceed the limit of held bytes, so the one that asked for more fails.
    pub(super) fn holds(&mut self, bytes: usize) -> Result<(), Error> {
        let more = bytes.saturating_sub(self.held_bytes);
        if more == 0 {
            return Ok(());
        }
        self.held_bytes = bytes;
        let before = self.limiter.held_bytes.fetch_add(more, Ordering::Relaxed);
        let limit = self.max_held_bytes;
        if before + more > limit { Err(Error::TooMuchHeld { limit }) } else { Ok(()) }
    }
}

impl Drop for ScrapePermit {
    fn drop(&mut self) {
        self.limiter.scrapes.fetch_sub(1, Ordering::Relaxed);
        self.limiter.held_bytes.fetch_sub(self.held_bytes, Ordering::Relaxed);
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
        let (limiter, limits) = (Arc::new(ScrapeLimiter::default()), limits(2, 100));
        let mut first = limiter.begin(&limits).expect("room");
        let mut second = limiter.begin(&limits).expect("room");
        assert!(limiter.begin(&limits).is_none());
        assert!(first.holds(60).is_ok());
        assert!(first.holds(50).is_ok(), "what was counted stays counted");
        assert!(second.holds(40).is_ok());
        assert!(second.holds(41).is_err());
        drop(second);
        assert!(first.holds(100).is_ok());
        drop(first);
        let mut third = limiter.begin(&limits).expect("room");
        assert!(third.holds(100).is_ok());
    }

    #[test]
    fn new_limits_are_for_all_that_is_going_on() {
        let limiter = Arc::new(ScrapeLimiter::default());
        let mut first = limiter.begin(&limits(2, 100)).expect("room");
        let second = limiter.begin(&limits(2, 100)).expect("room");
        assert!(first.holds(60).is_ok());
        assert!(limiter.begin(&limits(1, 80)).is_none(), "two are two, whatever they began with");
        drop(second);
        assert!(limiter.begin(&limits(1, 80)).is_none());
        let mut third = limiter.begin(&limits(2, 80)).expect("room");
        assert!(third.holds(20).is_ok());
        assert!(third.holds(21).is_err(), "what the first holds counts");
        assert!(first.holds(79).is_ok(), "the first has the limits that it began with");
        drop((first, third));
        assert!(limiter.begin(&limits(1, 80)).is_some());
    }
}
