//! What the last scrapes of a target reported: shown on the admin page, and logged on change.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant, SystemTime};

use crate::mapping::Generation;
use crate::rewrite::exposition::{Missing, Report};
use crate::telemetry::{ScrapeInFlight, TargetMetrics};

/// Shortest interval between log lines about a target's generation and missing metrics. Several
/// instances with one address could otherwise alternate in the log.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

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

/// The last scrapes of a target.
#[derive(Clone, Debug, Default)]
pub struct TargetStatus {
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

/// The status of all targets in the settings, by name. It survives a reload that keeps the target.
#[derive(Debug, Default)]
pub(super) struct Statuses(Mutex<HashMap<String, Weak<StatusCell>>>);

impl Statuses {
    /// The status of the target with this name; a new one unless it exists already.
    pub(super) fn target(&self, name: &str) -> Arc<StatusCell> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, status| status.strong_count() > 0);
        if let Some(known) = all.get(name).and_then(Weak::upgrade) {
            return known;
        }
        let created = Arc::<StatusCell>::default();
        all.insert(name.to_owned(), Arc::downgrade(&created));
        created
    }
}

/// The status of one target.
#[derive(Debug, Default)]
pub(super) struct StatusCell(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    status: TargetStatus,
    logged: Logged,
    logged_at: Option<Instant>,
}

/// What the log last reported about a target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Logged {
    generations: BTreeSet<Generation>,
    missing: BTreeSet<String>,
}

impl StatusCell {
    pub(super) fn status(&self) -> TargetStatus {
        self.lock().status.clone()
    }

    fn record(&self, scrape: LastScrape) {
        let report = Arc::clone(&scrape.report);
        let mut state = self.lock();
        let status = &mut state.status;
        if report.complete {
            status.complete = Some(scrape.clone());
        }
        if matches!(scrape.outcome, Outcome::Failed { .. }) {
            status.failed = Some(scrape.clone());
        }
        status.last = Some(scrape);
        let before = if report.complete { state.log_due(&report) } else { None };
        drop(state);
        if let Some(before) = before {
            log(&before, &report);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A scrape that has not ended yet. If it is dropped before [`end`](Self::end), its client has
/// disconnected.
#[derive(Debug)]
pub(super) struct RunningScrape {
    /// `None` once the scrape has ended.
    counted: Option<ScrapeInFlight>,
    status: Arc<StatusCell>,
}

impl RunningScrape {
    pub(super) fn start(metrics: &TargetMetrics, status: Arc<StatusCell>) -> RunningScrape {
        RunningScrape { counted: Some(metrics.start()), status }
    }

    /// Runs a step of the engine and counts the time it takes.
    pub(super) fn timed<T>(&mut self, step: impl FnOnce() -> T) -> T {
        let started = Instant::now();
        let done = step();
        if let Some(counted) = &mut self.counted {
            counted.rewrote(started.elapsed());
        }
        done
    }

    /// The last byte of the target's response has been read.
    pub(super) fn read(&self) {
        if let Some(counted) = &self.counted {
            counted.read();
        }
    }

    /// Bytes were passed on to the client.
    pub(super) fn wrote(&mut self, bytes: usize) {
        if let Some(counted) = &mut self.counted {
            counted.wrote(bytes);
        }
    }

    /// Ends the scrape: counts it and records its outcome.
    pub(super) fn end(mut self, outcome: Outcome, report: &Report) {
        self.finish(outcome, Arc::new(report.clone()));
    }

    fn finish(&mut self, outcome: Outcome, report: Arc<Report>) {
        let Some(counted) = self.counted.take() else { return };
        let (took, bytes_out) = counted.end(outcome.as_str(), &report);
        let at = SystemTime::now();
        self.status.record(LastScrape { at, took, outcome, bytes_out, report });
    }
}

impl Drop for RunningScrape {
    fn drop(&mut self) {
        self.finish(Outcome::ClientGone, Arc::default());
    }
}

impl State {
    /// What the log reported before, if there is something new to report now.
    fn log_due(&mut self, report: &Report) -> Option<Logged> {
        let missing = || report.missing.iter().map(|missing| missing.input.as_str());
        let same = self.logged.generations == report.generations
            && missing().count() == self.logged.missing.len()
            && missing().all(|input| self.logged.missing.contains(input));
        if same && self.logged_at.is_some()
            || self.logged_at.is_some_and(|at| at.elapsed() < LOG_INTERVAL)
        {
            return None;
        }
        self.logged_at = Some(Instant::now());
        let now = Logged {
            generations: report.generations.clone(),
            missing: missing().map(str::to_owned).collect(),
        };
        Some(std::mem::replace(&mut self.logged, now))
    }
}

/// Logs changes of a target's generation and of the metrics it lacks.
fn log(before: &Logged, report: &Report) {
    let generations: Vec<&str> = report.generations.iter().map(|it| it.as_str()).collect();
    if report.generations.is_empty() {
        tracing::warn!("target has no family that a pack reads");
    } else if before.generations != report.generations {
        tracing::info!(generation = generations.join(","), "target generation detected");
    }
    // Metrics that are missing for the same reason share one line.
    let mut by_hint: Vec<(Option<&str>, Vec<&str>)> = Vec::new();
    for Missing { input, hint, .. } in &report.missing {
        let hint = hint.as_deref();
        match by_hint.iter_mut().find(|(its, _)| *its == hint) {
            _ if before.missing.contains(input) => {}
            Some((_, inputs)) => inputs.push(input),
            None => by_hint.push((hint, vec![input])),
        }
    }
    for (hint, inputs) in by_hint {
        tracing::info!(missing = inputs.join(", "), hint, "target is missing metrics");
    }
    let is_missing = |input: &String| report.missing.iter().any(|it| it.input == *input);
    let found: Vec<&str> =
        before.missing.iter().filter(|input| !is_missing(input)).map(String::as_str).collect();
    if !found.is_empty() {
        tracing::info!(found = found.join(", "), "target has metrics that were missing before");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(generations: &[Generation], missing: &[&str]) -> Report {
        let missing = missing.iter().map(|input| Missing {
            input: (*input).to_owned(),
            generation: Generation::New,
            rules: Vec::new(),
            hint: None,
        });
        let mut report = Report::default();
        report.generations = generations.iter().copied().collect();
        report.missing = missing.collect();
        report.complete = true;
        report
    }

    #[test]
    fn a_change_is_logged_once_and_not_too_often() {
        let mut state = State::default();
        let new = report(&[Generation::New], &["a", "b"]);
        assert_eq!(state.log_due(&new), Some(Logged::default()));
        assert_eq!(state.log_due(&new), None);
        let changed = report(&[Generation::New], &["a"]);
        assert_eq!(state.log_due(&changed), None, "a line was logged a moment ago");
        state.logged_at = Instant::now().checked_sub(LOG_INTERVAL);
        assert_eq!(state.log_due(&new), None, "nothing has changed");
        let before = state.log_due(&changed).expect("it has changed");
        assert_eq!(before.missing.len(), 2);
        state.logged_at = Instant::now().checked_sub(LOG_INTERVAL);
        assert!(state.log_due(&report(&[Generation::Old], &["a"])).is_some());
    }

    #[test]
    fn a_target_without_problems_is_logged_once() {
        let mut state = State::default();
        assert!(state.log_due(&report(&[], &[])).is_some());
        state.logged_at = Instant::now().checked_sub(LOG_INTERVAL);
        assert_eq!(state.log_due(&report(&[], &[])), None);
    }

    #[test]
    fn a_status_lives_as_long_as_its_target() {
        let statuses = Statuses::default();
        let first = statuses.target("kong");
        let after_reload = statuses.target("kong");
        assert!(Arc::ptr_eq(&first, &after_reload));
        let metrics = crate::telemetry::Metrics::new().target("kong");
        drop(RunningScrape::start(&metrics, first));
        let last = statuses.target("kong").status().last.expect("a scrape");
        assert_eq!(last.outcome, Outcome::ClientGone);
        drop(after_reload);
        assert!(statuses.target("kong").status().last.is_none());
    }
}
