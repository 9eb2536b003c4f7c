//! What the last scrapes of a target reported: shown on the admin page, and logged on change.

mod changes;
mod target_status;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Instant, SystemTime};

use tracing::Span;

use super::fleet::{Emission, Fleet, FleetMember};
use crate::rewrite::exposition::Report;
use crate::telemetry::{ScrapeInFlight, TargetMetrics};

use changes::{ChangeLog, FirstTargets};
pub use target_status::{LastScrape, Outcome, TargetState, TargetStatus};

/// The status of all targets in the settings, by name. It survives a reload that keeps the target.
#[derive(Debug, Default)]
pub(super) struct Statuses {
    by_name: Mutex<HashMap<String, Weak<StatusCell>>>,
    first_targets: Arc<FirstTargets>,
    fleet: Arc<Fleet>,
}

impl Statuses {
    /// The status of the target with this name; a new one unless it exists already.
    pub(super) fn target(&self, name: &str) -> Arc<StatusCell> {
        let mut all = self.by_name.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, status| status.strong_count() > 0);
        if let Some(known) = all.get(name).and_then(Weak::upgrade) {
            return known;
        }
        let created = self.unnamed(name);
        all.insert(name.to_owned(), Arc::downgrade(&created));
        created
    }

    /// The status of a target that is not found by its name. `shown` identifies it for operators.
    pub(super) fn unnamed(&self, shown: &str) -> Arc<StatusCell> {
        let first_targets = Arc::clone(&self.first_targets);
        let (shown, member) = (shown.to_owned(), self.fleet.join());
        Arc::new(StatusCell { state: Mutex::default(), first_targets, shown, member })
    }

    /// The editions that all targets emit.
    pub(super) fn fleet(&self) -> &Fleet {
        &self.fleet
    }
}

/// The status of one target.
#[derive(Debug)]
pub(super) struct StatusCell {
    state: Mutex<State>,
    first_targets: Arc<FirstTargets>,
    shown: String,
    member: FleetMember,
}

#[derive(Debug, Default)]
struct State {
    status: TargetStatus,
    changes: ChangeLog,
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
        let previous = status.last.as_ref().map(|last| last.at);
        status.add_interval(previous.and_then(|at| scrape.at.duration_since(at).ok()));
        status.last = Some(scrape);
        let change = if report.complete { state.changes.log_due(&report) } else { None };
        drop(state);
        if let Some(change) = change {
            change.log(&report, &self.first_targets);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A scrape that has not ended yet. If it is dropped before [`end`](Self::end), its client has
/// disconnected.
#[derive(Debug)]
pub(super) struct RunningScrape {
    /// `None` once the scrape has ended.
    counted: Option<ScrapeInFlight>,
    status: Arc<StatusCell>,
    emission: Emission,
    /// That of the target. A scrape ends in whichever task reads the last byte.
    span: Span,
}

impl RunningScrape {
    pub(super) fn start(
        metrics: &TargetMetrics,
        status: Arc<StatusCell>,
        emission: Emission,
        span: Span,
    ) -> RunningScrape {
        RunningScrape { counted: Some(metrics.start()), status, emission, span }
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
        let _entered = self.span.enter();
        let (took, bytes_out) = counted.end(outcome.as_str(), &report);
        let at = SystemTime::now();
        if report.complete {
            self.status.member.emitted(&self.status.shown, &self.emission, &report);
        }
        self.status.record(LastScrape { at, took, outcome, bytes_out, report });
    }
}

impl Drop for RunningScrape {
    fn drop(&mut self) {
        self.finish(Outcome::ClientGone, Arc::default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::Emit;

    #[test]
    fn a_status_lives_as_long_as_its_target() {
        let statuses = Statuses::default();
        let first = statuses.target("kong");
        let after_reload = statuses.target("kong");
        assert!(Arc::ptr_eq(&first, &after_reload));
        let metrics = crate::telemetry::Metrics::new().target("kong");
        let emission = Emission { emit: Emit::New, plan: Arc::default() };
        drop(RunningScrape::start(&metrics, first, emission, Span::none()));
        let last = statuses.target("kong").status().last.expect("a scrape");
        assert_eq!(last.outcome, Outcome::ClientGone);
        drop(after_reload);
        assert!(statuses.target("kong").status().last.is_none());
    }
}
