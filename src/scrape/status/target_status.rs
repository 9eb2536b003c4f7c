//! The outcome of a scrape, and the state of a target that follows from its last scrapes.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::rewrite::exposition::Report;

/// A target that has not been scraped for this long, or for three of its scrape intervals, is
/// stale.
const STALE_AFTER: Duration = Duration::from_secs(300);

/// How a scrape ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The whole exposition was sent.
    Success,
    /// The client disconnected before its end.
    ClientGone,
    /// The scrape failed.
    Failed {
        /// The reason, one of a fixed set of label values.
        reason: &'static str,
        /// The error message.
        error: String,
    },
}

impl Outcome {
    /// The outcome as a label value.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Outcome::Success => "success",
            Outcome::ClientGone => "client_gone",
            Outcome::Failed { reason, .. } => reason,
        }
    }
}

/// The state of a target, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetState {
    /// No scrape has ended yet.
    NotScraped,
    /// The last scrape failed.
    Failed,
    /// The client of the last scrape disconnected.
    ClientGone,
    /// The last scrape was long ago.
    Stale,
    /// The target is scraped, but exports no family that a pack names.
    NoKnownMetrics,
    /// The last scrape succeeded.
    Ok,
}

impl TargetState {
    /// The state as a word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            TargetState::NotScraped => "not_scraped",
            TargetState::Failed => "failed",
            TargetState::ClientGone => "client_gone",
            TargetState::Stale => "stale",
            TargetState::NoKnownMetrics => "no_known_metrics",
            TargetState::Ok => "ok",
        }
    }
}

impl TargetStatus {
    /// The state of the target at a time.
    #[must_use]
    pub fn state(&self, now: SystemTime) -> TargetState {
        let Some(last) = &self.last else { return TargetState::NotScraped };
        let stale_after = self.interval.map_or(STALE_AFTER, |its| STALE_AFTER.max(its * 3));
        if now.duration_since(last.at).is_ok_and(|age| age > stale_after) {
            return TargetState::Stale;
        }
        match &last.outcome {
            Outcome::Failed { .. } => TargetState::Failed,
            Outcome::ClientGone => TargetState::ClientGone,
            Outcome::Success => match &self.complete {
                Some(complete) if complete.report.packs.is_empty() => TargetState::NoKnownMetrics,
                _ => TargetState::Ok,
            },
        }
    }
}

/// The last scrapes of a target.
#[derive(Clone, Debug, Default)]
pub struct TargetStatus {
    /// Time between the last two scrapes.
    pub interval: Option<Duration>,
    /// The last scrape, however it ended.
    pub last: Option<LastScrape>,
    /// The last scrape whose exposition was read and written to its end.
    pub complete: Option<LastScrape>,
    /// The last scrape that failed.
    pub failed: Option<LastScrape>,
}

/// A scrape that has ended.
#[derive(Clone, Debug)]
pub struct LastScrape {
    /// When it ended.
    pub at: SystemTime,
    /// Time from the request to the last byte of the response.
    pub took: Duration,
    /// How it ended.
    pub outcome: Outcome,
    /// Bytes of the exposition sent to the client, before compression.
    pub bytes_out: u64,
    /// The engine's report.
    pub report: Arc<Report>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_of_a_target() {
        let now = SystemTime::now();
        let scrape = |age: u64, outcome, packs: &[&str]| {
            let mut report = Report::default();
            report.complete = true;
            report.packs = packs.iter().map(|pack| (*pack).to_owned()).collect();
            let (at, report) = (now - Duration::from_secs(age), Arc::new(report));
            LastScrape { at, took: Duration::ZERO, outcome, bytes_out: 0, report }
        };
        let failed = Outcome::Failed { reason: "connect", error: String::new() };
        for (age, outcome, packs, interval, expected) in [
            (10, Outcome::Success, &["p"][..], Some(15), TargetState::Ok),
            (10, Outcome::Success, &[], None, TargetState::NoKnownMetrics),
            (10, Outcome::ClientGone, &["p"], None, TargetState::ClientGone),
            (10, failed, &["p"], None, TargetState::Failed),
            (301, Outcome::Success, &["p"], Some(15), TargetState::Stale),
            (301, Outcome::Success, &["p"], Some(200), TargetState::Ok),
            (601, Outcome::Success, &["p"], Some(200), TargetState::Stale),
        ] {
            let last = scrape(age, outcome, packs);
            let interval = interval.map(Duration::from_secs);
            let status = TargetStatus {
                interval,
                complete: Some(last.clone()),
                last: Some(last),
                failed: None,
            };
            assert_eq!(status.state(now), expected, "{status:?}");
        }
        assert_eq!(TargetStatus::default().state(now), TargetState::NotScraped);
    }
}
