//! What the log says about the generation and the missing metrics of a target.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::mapping::Generation;
use crate::rewrite::exposition::{Missing, Report};

/// Shortest interval between log lines about the missing metrics of a target, and between two that
/// report the same generation.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// Number of targets whose first scrape is logged at level info.
const FIRST_TARGETS_LOGGED: usize = 10;

/// What the log has reported about a target so far.
#[derive(Debug, Default)]
pub(super) struct ChangeLog {
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

impl ChangeLog {
    /// The change that is to be logged, if any.
    pub(super) fn log_due(&mut self, report: &Report) -> Option<Change> {
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
pub(super) struct Change {
    before: Logged,
    first: bool,
}

impl Change {
    /// Logs a change of a target's generation, and of the metrics it lacks.
    pub(super) fn log(&self, report: &Report, first_targets: &FirstTargets) {
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
pub(super) struct FirstTargets(AtomicUsize);

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

    fn missing(expected: usize) -> Missing {
        Missing {
            pack: "p".to_owned(),
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
    fn later(state: &mut ChangeLog) {
        let earlier = Instant::now().checked_sub(LOG_INTERVAL).expect("the clock runs");
        state.logged_at.values_mut().for_each(|at| *at = earlier);
    }

    #[test]
    fn a_change_is_logged_once_and_not_too_often() {
        let mut state = ChangeLog::default();
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
        let mut state = ChangeLog::default();
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
}
