//! Limits the rate of requests.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::file;
use crate::document::{Reader, Spanned};
use crate::duration;

/// A token bucket: a request takes one token. It is full at first, and each interval adds a token.
#[derive(Debug)]
pub(in crate::http_server) struct Rate {
    interval: Duration,
    burst: u32,
    /// When the bucket was, or will be, empty if nothing more is taken.
    empty_at: Mutex<Option<Instant>>,
}

impl Rate {
    /// `None` without a limit.
    pub(super) fn new(file: &file::Rate, errors: &mut Reader<'_>) -> Option<Rate> {
        let Spanned { value, span } = file.interval.as_ref()?;
        let interval = match duration::parse(value) {
            Ok(interval) => interval,
            Err(error) => {
                errors.error(*span, format!("`{value}`: {error}"), "see docs/security.md");
                return None;
            }
        };
        if interval.is_zero() {
            return None;
        }
        let burst = file.burst.value;
        if burst == 0 {
            let message = "`rate_limit.burst` is 0, so every request would be refused";
            errors.error(file.burst.span, message, "set the number of requests to allow at once");
        }
        Some(Rate { interval, burst, empty_at: Mutex::new(None) })
    }

    /// Takes a token, if there is one.
    pub(in crate::http_server) fn admits(&self) -> bool {
        let now = Instant::now();
        let full = self.interval.saturating_mul(self.burst);
        let mut empty_at = self.empty_at.lock().unwrap_or_else(PoisonError::into_inner);
        // Each interval that passes restores a token, up to a full bucket.
        let spent = empty_at.map_or(Duration::ZERO, |at| at.saturating_duration_since(now));
        let spent = spent.saturating_add(self.interval);
        let then = now.checked_add(spent).filter(|_| spent <= full);
        if then.is_some() {
            *empty_at = then;
        }
        then.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Source;

    #[tokio::test(start_paused = true)]
    async fn the_highest_rate_and_the_longest_interval_admit() {
        let source = Source::new("web.yaml", "");
        let interval = Some(Spanned { value: "87600h".into(), ..Spanned::default() });
        let burst = Spanned { value: u32::MAX, ..Spanned::default() };
        let file = file::Rate { interval, burst };
        let rate = Rate::new(&file, &mut Reader::new(&source, "")).expect("a rate");
        assert!((0..10).all(|_| rate.admits()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_and_then_one_for_each_interval() {
        let source = Source::new("web.yaml", "");
        let interval = Some(Spanned { value: "1s".into(), ..Spanned::default() });
        let burst = Spanned { value: 3, ..Spanned::default() };
        let file = file::Rate { interval, burst };
        let rate = Rate::new(&file, &mut Reader::new(&source, "")).expect("a rate");
        let admitted = || (0..10).filter(|_| rate.admits()).count();
        assert_eq!(admitted(), 3);
        tokio::time::advance(Duration::from_millis(999)).await;
        assert_eq!(admitted(), 0);
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(admitted(), 1);
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert_eq!(admitted(), 3);
    }
}
