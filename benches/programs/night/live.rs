//! The same queries on the Prometheus that has scraped, at the times of its scrapes: what a viewer of
//! the dashboards has seen.
//!
//! The two jobs are scraped at different times, so their rates differ a little. Series must not.

use std::collections::BTreeSet;
use std::fmt;
use std::io;

use super::compare::{self, Results};
use super::plan::TICK;
use super::prometheus::Prometheus;
use super::queries::{self, Dashboards, Rule};

/// Seconds between two points.
const STEP: u64 = 8 * TICK.as_secs();

/// What the viewer of one generation of dashboards has seen.
#[derive(Debug, Default)]
pub(crate) struct Live {
    queries: usize,
    /// Series that one job has and the other has not, at any time.
    pub(crate) lonely: Vec<String>,
    /// Relative differences of the numbers that are compared exactly elsewhere, sorted.
    differences: Vec<f64>,
}

impl Live {
    /// Evaluates all queries of a generation on the jobs `direct` and `pinned`, for a range of times.
    pub(crate) fn of(
        prometheus: &Prometheus,
        dashboards: Dashboards,
        (direct, pinned): (&str, &str),
        range: (u64, u64),
        dictionaries: &[String],
    ) -> io::Result<Live> {
        let mut live = Live::default();
        for query in queries::of(dashboards) {
            live.queries += 1;
            for window in query.windows() {
                let ask = |job| {
                    let text = query.filled(job, ".*", window);
                    let series = prometheus.range(&text, range, STEP)?;
                    compare::results(&series, range.0)
                        .map_err(|error| io::Error::other(format!("{text}: {error}")))
                };
                let (mut expected, mut actual) = (ask(direct)?, ask(pinned)?);
                if query.rule == Rule::Dictionaries {
                    for results in [&mut expected, &mut actual] {
                        results.retain(|labels, _| {
                            labels.get("shared_dict").is_some_and(|it| dictionaries.contains(it))
                        });
                    }
                }
                let all: BTreeSet<_> = expected.keys().chain(actual.keys()).collect();
                for labels in all {
                    if expected.contains_key(labels) != actual.contains_key(labels) {
                        let text = query.filled("", ".*", window);
                        live.lonely.push(format!("only one job has {labels:?}: {text}"));
                    }
                }
                if !matches!(query.rule, Rule::Between(_)) {
                    live.differences.extend(differences(&expected, &actual));
                }
            }
        }
        live.differences.sort_by(f64::total_cmp);
        Ok(live)
    }
}

fn differences(expected: &Results, actual: &Results) -> Vec<f64> {
    let pairs = expected.iter().filter_map(|(labels, points)| Some((points, actual.get(labels)?)));
    let numbers = pairs.flat_map(|(one, two)| {
        one.iter().filter_map(|(tick, value)| Some((*value, *two.get(tick)?)))
    });
    let relative = numbers.filter(|(one, two)| !one.is_nan() && !two.is_nan()).map(|(one, two)| {
        if one.total_cmp(&two).is_eq() { 0.0 } else { (one - two).abs() / one.abs().max(two.abs()) }
    });
    relative.collect()
}

impl fmt::Display for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |share: usize| {
            let at = self.differences.len().saturating_sub(1) * share / 100;
            100.0 * self.differences.get(at).copied().unwrap_or(f64::NAN)
        };
        write!(
            f,
            "{} queries, {} numbers; they differ by {:.2} % (median), {:.2} % (90 of 100), {:.2} % \
             (99 of 100); {} series are in one job only",
            self.queries,
            self.differences.len(),
            percent(50),
            percent(90),
            percent(99),
            self.lonely.len()
        )
    }
}
