//! What is counted and remembered of each target that is scraped.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Histogram, IntCounter, IntGauge, IntGaugeVec, Opts};

use super::scrapes::{HeldTarget, ScrapeMetrics};
use crate::mapping::Generation;
use crate::rewrite::exposition::{Missing, Report};

/// What a target speaks and lacks is said again no sooner than this: behind one address there may be several.
const TELL_INTERVAL: Duration = Duration::from_secs(60);

/// How a scrape ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The whole exposition was handed on.
    Success,
    /// The client went away before its end.
    ClientGone,
    /// It failed.
    Failed {
        /// Why, as one of a fixed set of words.
        reason: &'static str,
        /// Why, for people.
        error: String,
    },
}

impl Outcome {
    /// The outcome as a label value.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Outcome::Success => "success",
            Outcome::ClientGone => "client_gone",
            Outcome::Failed { reason, .. } => reason,
        }
    }
}

/// What the last scrapes of a target have told.
#[derive(Clone, Debug, Default)]
pub struct TargetStatus {
    /// The last scrape, however it ended.
    pub last: Option<LastScrape>,
    /// The last one whose exposition was read and written to its end.
    pub complete: Option<LastScrape>,
    /// The last one that failed.
    pub failed: Option<LastScrape>,
}

/// One scrape that has ended.
#[derive(Clone, Debug)]
pub struct LastScrape {
    /// When it ended.
    pub at: SystemTime,
    /// From the request to the last byte of the answer.
    pub took: Duration,
    /// How it ended.
    pub outcome: Outcome,
    /// Bytes of the exposition handed to the client, before compression.
    pub bytes_out: u64,
    /// What the engine says of it.
    pub report: Arc<Report>,
}

/// What is remembered of one target.
#[derive(Debug, Default)]
struct State {
    /// Where it is, where its name does not say which it is.
    url: Option<String>,
    status: TargetStatus,
    told: Told,
    told_at: Option<Instant>,
}

/// What the log has said of a target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Told {
    generations: BTreeSet<Generation>,
    missing: BTreeSet<String>,
}

/// What is remembered of all targets, and of what they lack a metric. Clones are one.
#[derive(Clone, Debug)]
pub(super) struct Targets {
    desc: IntGaugeVec,
    states: Arc<Mutex<HashMap<String, Arc<Mutex<State>>>>>,
}

impl Targets {
    pub(super) fn new() -> prometheus::Result<Targets> {
        Ok(Targets { desc: missing_inputs()?, states: Arc::default() })
    }

    fn state(&self, target: &str) -> Arc<Mutex<State>> {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(states.entry(target.to_owned()).or_default())
    }

    pub(super) fn forget(&self, target: &str) {
        self.states.lock().unwrap_or_else(PoisonError::into_inner).remove(target);
    }
}

fn lock(state: &Mutex<State>) -> std::sync::MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn missing_inputs() -> prometheus::Result<IntGaugeVec> {
    let help = "Always 1: samples that sources of the target's generation print, and that its last complete scrape \
                did not have.";
    IntGaugeVec::new(Opts::new("crossfade_target_missing_input", help), &["target", "input"])
}

impl Collector for Targets {
    fn desc(&self) -> Vec<&Desc> {
        self.desc.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        // A fresh set each time: what is no longer missing is not there any more.
        let gauges = missing_inputs().expect("it could be made before");
        let states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        for (target, state) in &*states {
            if let Some(complete) = &lock(state).status.complete {
                for missing in &complete.report.missing {
                    gauges.with_label_values(&[target, &missing.input]).set(1);
                }
            }
        }
        gauges.collect()
    }
}

/// The metrics of one target, and what is remembered of it. Those of one name are one.
#[derive(Clone, Debug)]
pub struct TargetMetrics {
    state: Arc<Mutex<State>>,
    duration: Histogram,
    upstream: Histogram,
    rewriting: Histogram,
    read_bytes: IntCounter,
    written_bytes: IntCounter,
    read_samples: IntCounter,
    written_samples: IntCounter,
    passed_lines: IntCounter,
    held_bytes: IntGauge,
    generations: [(Generation, IntGauge); 2],
    hold: Arc<HeldTarget>,
}

impl TargetMetrics {
    pub(super) fn new(all: &Arc<ScrapeMetrics>, target: &str) -> TargetMetrics {
        all.hold(target, |hold| {
            all.scrapes.with_label_values(&[target, Outcome::Success.word()]);
            let labels = &[target];
            let generation = |generation: Generation| {
                let labels = [target, generation.as_str()];
                (generation, all.generation.with_label_values(&labels))
            };
            TargetMetrics {
                state: all.targets.state(target),
                duration: all.duration.with_label_values(labels),
                upstream: all.upstream.with_label_values(labels),
                rewriting: all.rewriting.with_label_values(labels),
                read_bytes: all.read_bytes.with_label_values(labels),
                written_bytes: all.written_bytes.with_label_values(labels),
                read_samples: all.read_samples.with_label_values(labels),
                written_samples: all.written_samples.with_label_values(labels),
                passed_lines: all.passed_lines.with_label_values(labels),
                held_bytes: all.held_bytes.with_label_values(labels),
                generations: [Generation::Old, Generation::New].map(generation),
                hold,
            }
        })
    }

    /// A client is given a scrape that is under way for another.
    pub fn joined(&self) {
        let HeldTarget { name, all } = &*self.hold;
        all.shared.with_label_values(&[&**name]).inc();
    }

    /// A client leaves a scrape that goes on for others.
    pub fn left(&self, reason: &'static str) {
        let HeldTarget { name, all } = &*self.hold;
        all.left.with_label_values(&[&**name, reason]).inc();
    }

    /// A scrape begins.
    #[must_use]
    pub fn start(&self) -> ScrapeInFlight {
        self.hold.all.in_flight.inc();
        ScrapeInFlight {
            metrics: self.clone(),
            started: Instant::now(),
            rewriting: Duration::ZERO,
            bytes_out: 0,
            ended: false,
        }
    }

    /// The same metrics for one of several targets of this name, of which something of its own is remembered. What it
    /// lacks is not in the metrics, which would have to tell it from the others.
    #[must_use]
    pub fn apart(&self, url: String) -> TargetMetrics {
        let state = State { url: Some(url), ..State::default() };
        TargetMetrics { state: Arc::new(Mutex::new(state)), ..self.clone() }
    }

    /// What the last scrapes have told.
    #[must_use]
    pub fn status(&self) -> TargetStatus {
        lock(&self.state).status.clone()
    }

    /// A scrape that read everything is over.
    fn complete(&self, report: &Report) {
        self.held_bytes.set(i64::try_from(report.held_bytes).unwrap_or(i64::MAX));
        for (generation, gauge) in &self.generations {
            gauge.set(i64::from(report.generations.contains(generation)));
        }
        let HeldTarget { name, all } = &*self.hold;
        for rule in &report.rewritten {
            let labels = [&**name, rule.from.as_str(), rule.to.as_str()];
            all.rule_read_samples.with_label_values(&labels).inc_by(rule.samples_in);
            all.rule_written_samples.with_label_values(&labels).inc_by(rule.samples_out);
        }
        let mut state = lock(&self.state);
        if let Some(before) = state.tell(report) {
            let url = state.url.clone();
            drop(state);
            log(name, url.as_deref(), &before, report);
        }
    }
}

impl State {
    /// What was told before, where it is not what is to be told now.
    fn tell(&mut self, report: &Report) -> Option<Told> {
        let missing = || report.missing.iter().map(|missing| missing.input.as_str());
        let same = self.told.generations == report.generations
            && missing().count() == self.told.missing.len()
            && missing().all(|input| self.told.missing.contains(input));
        if same && self.told_at.is_some()
            || self.told_at.is_some_and(|at| at.elapsed() < TELL_INTERVAL)
        {
            return None;
        }
        self.told_at = Some(Instant::now());
        let now = Told {
            generations: report.generations.clone(),
            missing: missing().map(str::to_owned).collect(),
        };
        Some(std::mem::replace(&mut self.told, now))
    }
}

/// Says what a target speaks, what it lacks and why, and what it lacks no more.
fn log(target: &str, url: Option<&str>, before: &Told, report: &Report) {
    let generations: Vec<&str> = report.generations.iter().map(|it| it.as_str()).collect();
    if report.generations.is_empty() {
        tracing::warn!(
            target,
            url,
            "A target speaks neither generation: its exposition has no family that a pack names."
        );
    } else if before.generations != report.generations {
        tracing::info!(target, url, generation = generations.join(","), "A target speaks.");
    }
    // What has one reason is said in one line.
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
        let missing = inputs.join(", ");
        tracing::info!(target, url, missing, hint, "A target does not print what a pack reads.");
    }
    let is_missing = |input: &String| report.missing.iter().any(|it| it.input == *input);
    let came: Vec<&str> =
        before.missing.iter().filter(|input| !is_missing(input)).map(String::as_str).collect();
    if !came.is_empty() {
        tracing::info!(
            target,
            url,
            came = came.join(", "),
            "A target prints what it did not before."
        );
    }
}

/// A scrape that has not ended yet. One that is dropped without [`end`](Self::end) lost its client.
#[derive(Debug)]
pub struct ScrapeInFlight {
    metrics: TargetMetrics,
    started: Instant,
    rewriting: Duration,
    bytes_out: u64,
    ended: bool,
}

impl ScrapeInFlight {
    /// The scrape has ended, and this is what happened.
    pub fn end(mut self, outcome: Outcome, report: &Report) {
        let HeldTarget { name: target, all } = &*self.metrics.hold;
        self.metrics.read_bytes.inc_by(report.bytes_in);
        self.metrics.read_samples.inc_by(report.samples_in);
        self.metrics.written_samples.inc_by(report.samples_out);
        self.metrics.passed_lines.inc_by(report.malformed_passed);
        for (reason, series) in &report.unrewritten {
            all.unrewritten_series.with_label_values(&[&**target, reason.as_str()]).inc_by(*series);
        }
        for (reason, lines) in &report.dropped {
            all.dropped_lines.with_label_values(&[&**target, reason.as_str()]).inc_by(*lines);
        }
        if report.bytes_in > 0 {
            self.metrics.rewriting.observe(self.rewriting.as_secs_f64());
        }
        if report.complete {
            self.metrics.complete(report);
        }
        self.close(outcome, Arc::new(report.clone()));
    }

    /// The last byte of the target's answer has been read.
    pub fn read(&self) {
        self.metrics.upstream.observe(self.started.elapsed().as_secs_f64());
    }

    /// So much time was spent on rewriting.
    pub fn rewrote(&mut self, took: Duration) {
        self.rewriting += took;
    }

    /// Bytes were handed to the client.
    pub fn wrote(&mut self, bytes: usize) {
        self.bytes_out += bytes as u64;
        self.metrics.written_bytes.inc_by(bytes as u64);
    }

    fn close(&mut self, outcome: Outcome, report: Arc<Report>) {
        self.ended = true;
        let took = self.started.elapsed();
        self.metrics.duration.observe(took.as_secs_f64());
        let HeldTarget { name, all } = &*self.metrics.hold;
        all.in_flight.dec();
        all.scrapes.with_label_values(&[&**name, outcome.word()]).inc();
        let bytes_out = self.bytes_out;
        let last = LastScrape { at: SystemTime::now(), took, outcome, bytes_out, report };
        let status = &mut lock(&self.metrics.state).status;
        if last.report.complete {
            status.complete = Some(last.clone());
        }
        if matches!(last.outcome, Outcome::Failed { .. }) {
            status.failed = Some(last.clone());
        }
        status.last = Some(last);
    }
}

impl Drop for ScrapeInFlight {
    fn drop(&mut self) {
        if !self.ended {
            self.close(Outcome::ClientGone, Arc::default());
        }
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
    fn a_change_is_told_once_and_not_too_often() {
        let mut state = State::default();
        let new = report(&[Generation::New], &["a", "b"]);
        assert_eq!(state.tell(&new), Some(Told::default()));
        assert_eq!(state.tell(&new), None);
        let changed = report(&[Generation::New], &["a"]);
        assert_eq!(state.tell(&changed), None, "it was told something a moment ago");
        state.told_at = Instant::now().checked_sub(TELL_INTERVAL);
        assert_eq!(state.tell(&new), None, "it is as it was");
        let before = state.tell(&changed).expect("it has changed");
        assert_eq!(before.missing.len(), 2);
        state.told_at = Instant::now().checked_sub(TELL_INTERVAL);
        assert!(state.tell(&report(&[Generation::Old], &["a"])).is_some());
    }

    #[test]
    fn a_target_that_is_in_order_is_told_of_once() {
        let mut state = State::default();
        assert!(state.tell(&report(&[], &[])).is_some());
        state.told_at = Instant::now().checked_sub(TELL_INTERVAL);
        assert_eq!(state.tell(&report(&[], &[])), None);
    }
}
