//! How many requests may come.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::file;

/// A bucket of tokens, one for each request. It is full at first, and gets another after each interval.
#[derive(Debug)]
pub(in crate::http_server) struct Rate {
    interval: Duration,
    burst: u32,
    /// When the bucket was, or will be, empty if nothing more is taken.
    empty_at: Mutex<Option<Instant>>,
}

impl Rate {
    pub(super) fn new(file: &file::Rate, faults: &mut Vec<String>) -> Option<Rate> {
        let written = file.interval.as_deref().unwrap_or("0s");
        let interval = match crate::duration::parse(written) {
            Ok(interval) => interval,
            Err(error) => {
                faults.push(format!("rate_limit.interval: `{written}`: {error}"));
                return None;
            }
        };
        if interval.is_zero() {
            return None;
        }
        if file.burst == 0 {
            faults.push(
                "rate_limit.burst is 0, so nothing would ever be answered; give it a number".into(),
            );
        }
        Some(Rate { interval, burst: file.burst, empty_at: Mutex::new(None) })
    }

    /// Takes a token, if there is one.
    pub(in crate::http_server) fn admits(&self) -> bool {
        let now = Instant::now();
        let full = self.interval * self.burst;
        let mut empty_at = self.empty_at.lock().unwrap_or_else(PoisonError::into_inner);
        // With every interval that passes, time that was spent comes back, up to a full bucket.
        let spent = empty_at.map_or(Duration::ZERO, |at| at.saturating_duration_since(now));
        let admitted = spent + self.interval <= full;
        if admitted {
            *empty_at = Some(now + spent + self.interval);
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_and_then_one_for_each_interval() {
        let file = file::Rate { interval: Some("1s".into()), burst: 3 };
        let rate = Rate::new(&file, &mut Vec::new()).expect("a rate");
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
