//! The outcome of a scrape, and the state of a target that follows from its last scrapes.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::rewrite::exposition::Report;

/// A target that has not been scraped for three of its scrape intervals is stale, but not before
/// this time.
const STALE_AFTER_AT_LEAST: Duration = Duration::from_secs(120);

/// A target that has been scraped once is stale after this time.
const STALE_AFTER_ONE: Duration = Duration::from_secs(300);

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
        /// The same in a few words, without what to do: `connection refused`.
        brief: String,
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
    /// Time between scrapes: the longer one of the last two, because two servers that scrape the
    /// same target do so at any distance.
    #[must_use]
    pub fn interval(&self) -> Option<Duration> {
        self.intervals.iter().flatten().max().copied()
    }

    /// A further scrape has ended, this long after the one before.
    pub(super) fn add_interval(&mut self, interval: Option<Duration>) {
        self.intervals = [interval, self.intervals[0]];
    }

    /// The state of the target at a time.
    #[must_use]
    pub fn state(&self, now: SystemTime) -> TargetState {
        let Some(last) = &self.last else { return TargetState::NotScraped };
        let stale_after =
            self.interval().map_or(STALE_AFTER_ONE, |its| STALE_AFTER_AT_LEAST.max(its * 3));
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
    /// Time between the last two scrapes, and the two before.
    intervals: [Option<Duration>; 2],
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
        let failed =
            Outcome::Failed { reason: "connect", error: String::new(), brief: String::new() };
        for (age, outcome, packs, interval, expected) in [
            (10, Outcome::Success, &["p"][..], Some(15), TargetState::Ok),
            (10, Outcome::Success, &[], None, TargetState::NoKnownMetrics),
            (10, Outcome::ClientGone, &["p"], None, TargetState::ClientGone),
            (10, failed, &["p"], None, TargetState::Failed),
            (119, Outcome::Success, &["p"], Some(15), TargetState::Ok),
            (121, Outcome::Success, &["p"], Some(15), TargetState::Stale),
            (299, Outcome::Success, &["p"], None, TargetState::Ok),
            (301, Outcome::Success, &["p"], None, TargetState::Stale),
            (301, Outcome::Success, &["p"], Some(200), TargetState::Ok),
            (601, Outcome::Success, &["p"], Some(200), TargetState::Stale),
        ] {
            let last = scrape(age, outcome, packs);
            let short = interval.map(|_| Duration::from_secs(1));
            let intervals = [short, interval.map(Duration::from_secs)];
            let status = TargetStatus {
                intervals,
                complete: Some(last.clone()),
                last: Some(last),
                failed: None,
            };
            assert_eq!(status.state(now), expected, "{status:?}");
        }
        assert_eq!(TargetStatus::default().state(now), TargetState::NotScraped);
    }
}
