//! The wait before the next attempt.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(10);

/// Exponential backoff with jitter: the limit doubles with each attempt, and the wait is random
/// between half the limit and the limit, so that many workers do not reconnect at the same moment.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    attempts: u32,
}

impl Backoff {
    /// Whether no attempt has failed yet.
    pub(super) fn is_fresh(&self) -> bool {
        self.attempts == 0
    }

    pub(super) fn next(&mut self) -> Duration {
        let longest = FIRST.saturating_mul(1 << self.attempts.min(10)).min(LONGEST);
        self.attempts = self.attempts.saturating_add(1);
        // The operating system seeds it for each use: random enough for jitter.
        let chance = RandomState::new().hash_one(self.attempts) % 1000;
        longest / 2 + longest / 2 * u32::try_from(chance).unwrap_or(0) / 1000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_up_to_a_bound() {
        let mut backoff = Backoff::default();
        let waits: Vec<Duration> = (0..100).map(|_| backoff.next()).collect();
        assert!(waits[0] >= FIRST / 2 && waits[0] <= FIRST);
        assert!(waits[7..].iter().all(|wait| (LONGEST / 2..=LONGEST).contains(wait)));
    }

    /// Of a thousand steps of chance: that twenty sinks take the same one is out of the question.
    #[test]
    fn sinks_do_not_come_back_all_at_once() {
        let waits: Vec<Duration> = (0..20).map(|_| Backoff::default().next()).collect();
        assert!(waits.iter().any(|wait| *wait != waits[0]), "{waits:?}");
    }
}
