//! What the last scrapes of a target reported: shown on the admin page, and logged on change.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant, SystemTime};

use tracing::Span;

use super::fleet::{Emission, Fleet, FleetMember};
use crate::mapping::Generation;
use crate::rewrite::exposition::{Missing, Report};
use crate::telemetry::{ScrapeInFlight, TargetMetrics};

/// Shortest interval between log lines about the missing metrics of a target, and between two that
/// report the same generation.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// Number of targets whose first scrape is logged at level info.
const FIRST_TARGETS_LOGGED: usize = 10;

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
    /// `None` before the first complete scrape.
    logged: Option<Logged>,
    /// When each set of generations was logged last.
    logged_at: HashMap<BTreeSet<Generation>, Instant>,
}

/// What the log last reported about a target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Logged {
    generations: BTreeSet<Generation>,
    /// Indices into `Plan::expected`.
    missing: BTreeSet<usize>,
}

impl Logged {
    fn new(report: &Report) -> Logged {
        let missing = report.missing.iter().flat_map(|missing| &missing.expected);
        Logged { generations: report.generations.clone(), missing: missing.copied().collect() }
    }
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
        status.interval = previous.and_then(|at| scrape.at.duration_since(at).ok());
        status.last = Some(scrape);
        let change = if report.complete { state.log_due(&report) } else { None };
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

impl State {
    /// The change that is to be logged, if any.
    fn log_due(&mut self, report: &Report) -> Option<Change> {
        let now = Logged::new(report);
        let first = self.logged.is_none();
        let changed = self.logged.as_ref() != Some(&now);
        // Several instances with one address could otherwise alternate in the log. Each new set
        // of generations is logged at once, because that is when metrics go missing.
        let since = |at: &Instant| at.elapsed() < LOG_INTERVAL;
        let recent = self.logged_at.get(&now.generations).is_some_and(since);
        let same_generations =
            self.logged.as_ref().is_some_and(|its| its.generations == now.generations);
        let any_recent = same_generations && self.logged_at.values().any(since);
        if !changed || recent || any_recent {
            return None;
        }
        self.logged_at.insert(now.generations.clone(), Instant::now());
        let before = self.logged.replace(now).unwrap_or_default();
        Some(Change { before, first })
    }
}

/// What the log reported about a target before, and what is to be logged now differs from.
#[derive(Debug, PartialEq, Eq)]
struct Change {
    before: Logged,
    first: bool,
}

impl Change {
    /// Logs a change of a target's generation, and of the metrics it lacks.
    fn log(&self, report: &Report, first_targets: &FirstTargets) {
        let before = &self.before;
        let generations: Vec<&str> = report.generations.iter().map(|it| it.as_str()).collect();
        if report.packs.is_empty() {
            tracing::warn!("target has no family that a pack reads");
        } else if self.first && !first_targets.admits() {
            tracing::debug!(generation = generations.join(","), "target generation detected");
        } else if before.generations != report.generations {
            tracing::info!(generation = generations.join(","), "target generation detected");
        }
        let was_missing = |it: &Missing| it.expected.iter().all(|it| before.missing.contains(it));
        let newly = report.missing.iter().filter(|it| !was_missing(it));
        // On the first scrape it is unknown whether dashboards ever had the optional ones.
        let newly: Vec<&Missing> = newly.filter(|it| !(self.first && it.optional)).collect();
        if !newly.is_empty() {
            log_missing(&newly);
        }
        let is_missing =
            |index: &usize| report.missing.iter().any(|it| it.expected.contains(index));
        let found = before.missing.iter().filter(|index| !is_missing(index)).count();
        if found > 0 {
            tracing::info!(found, "target has metrics that were missing before");
        }
    }
}

/// One line for all metrics that a target lacks, and the options of the source that enable them.
fn log_missing(missing: &[&Missing]) {
    let inputs: Vec<&str> = missing.iter().map(|it| it.input.as_str()).collect();
    let mut options: Vec<&str> = Vec::new();
    for option in missing.iter().filter_map(|it| it.option.as_deref()) {
        if !options.contains(&option) {
            options.push(option);
        }
    }
    let options = (!options.is_empty()).then(|| options.join(", "));
    tracing::warn!(missing = inputs.join(", "), options, "target is missing metrics");
}

/// Limits the log lines for targets without problems when many are scraped for the first time.
#[derive(Debug, Default)]
struct FirstTargets(AtomicUsize);

impl FirstTargets {
    /// True for the first few targets.
    fn admits(&self) -> bool {
        let before = self.0.fetch_add(1, Ordering::Relaxed);
        if before == FIRST_TARGETS_LOGGED {
            tracing::info!("further targets are logged at level debug when they are first scraped");
        }
        before < FIRST_TARGETS_LOGGED
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::Emit;

    fn missing(expected: usize) -> Missing {
        Missing {
            input: format!("m{expected}"),
            generation: Generation::New,
            rules: Vec::new(),
            hint: None,
            option: None,
            optional: false,
            expected: vec![expected],
        }
    }

    fn report(generations: &[Generation], indices: &[usize]) -> Report {
        let mut report = Report::default();
        report.generations = generations.iter().copied().collect();
        report.missing = indices.iter().map(|index| missing(*index)).collect();
        report.packs = vec!["p".to_owned()];
        report.complete = true;
        report
    }

    /// Time passes for the log.
    fn later(state: &mut State) {
        let earlier = Instant::now().checked_sub(LOG_INTERVAL).expect("the clock runs");
        state.logged_at.values_mut().for_each(|at| *at = earlier);
    }

    #[test]
    fn a_change_is_logged_once_and_not_too_often() {
        let mut state = State::default();
        let new = report(&[Generation::New], &[0, 1]);
        let first = state.log_due(&new).expect("the first scrape");
        assert_eq!((first.first, first.before), (true, Logged::default()));
        assert_eq!(state.log_due(&new), None);
        let changed = report(&[Generation::New], &[0]);
        assert_eq!(state.log_due(&changed), None, "a line was logged a moment ago");
        later(&mut state);
        assert_eq!(state.log_due(&new), None, "nothing has changed");
        let change = state.log_due(&changed).expect("it has changed");
        assert_eq!((change.first, change.before.missing.len()), (false, 2));
    }

    #[test]
    fn a_new_generation_is_logged_at_once_but_does_not_alternate() {
        let mut state = State::default();
        let (old, new) = (report(&[Generation::Old], &[]), report(&[Generation::New], &[1]));
        assert!(state.log_due(&old).is_some());
        assert!(state.log_due(&new).is_some(), "at once");
        for _ in 0..3 {
            assert_eq!(state.log_due(&old), None);
            assert_eq!(state.log_due(&new), None);
        }
        later(&mut state);
        assert!(state.log_due(&old).is_some());
    }

    #[test]
    fn few_first_scrapes_are_logged() {
        let first_targets = FirstTargets::default();
        let logged = (0..100).filter(|_| first_targets.admits()).count();
        assert_eq!(logged, FIRST_TARGETS_LOGGED);
    }

    #[test]
    fn the_state_of_a_target() {
        let now = SystemTime::now();
        let scrape = |age: u64, outcome, packs: &[&str]| {
            let mut report = report(&[], &[]);
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
