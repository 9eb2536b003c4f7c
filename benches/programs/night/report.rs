//! Evaluates all queries on two jobs, and counts what agrees.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};
use std::io;

use super::compare::{self, AtTick};
use super::plan::{NODES, Phase, Plan, TICK, clock};
use super::prometheus::Prometheus;
use super::queries::{self, Dashboards, Query, Rule};
use super::samples::instance;

/// The differences that are shown.
const SHOWN: usize = 20;

/// What the comparison needs besides the queries.
#[derive(Clone, Copy)]
pub(crate) struct Night<'a> {
    pub(crate) prometheus: &'a Prometheus,
    pub(crate) plan: &'a Plan,
    /// The time of tick 0, in seconds.
    pub(crate) start: u64,
    /// The first tick that all jobs have.
    pub(crate) first: u64,
    /// The dictionaries in memory that all versions have.
    pub(crate) dictionaries: &'a [String],
    /// For each node, the ticks at which series of a name begin or end.
    pub(crate) changes: &'a [BTreeMap<String, BTreeSet<u64>>],
}

/// One query in one phase, over all windows and instances.
#[derive(Clone, Debug, Default)]
struct InPhase {
    same: usize,
    without_number: usize,
    different: usize,
    left_out: usize,
}

/// The results of all queries of one generation.
pub(crate) struct Report {
    name: &'static str,
    phases: Vec<&'static str>,
    /// For each query, its counts in each phase.
    rows: Vec<(Query, Vec<InPhase>)>,
    differences: Vec<String>,
    /// The largest relative difference of two quantiles between the same boundaries.
    largest: f64,
    /// Relative differences of the numbers that are left out.
    left_out: Vec<f64>,
}

impl Report {
    /// Evaluates the queries of one generation on the jobs `direct` and `pinned`.
    pub(crate) fn of(
        night: Night<'_>,
        dashboards: Dashboards,
        (direct, pinned): (&str, &str),
    ) -> io::Result<Report> {
        let mut report = Report {
            name: match dashboards {
                Dashboards::Old => "2.x",
                Dashboards::New => "3.x",
            },
            phases: night.plan.phases.iter().map(|phase| phase.name).collect(),
            rows: Vec::new(),
            differences: Vec::new(),
            largest: 0.0,
            left_out: Vec::new(),
        };
        for query in queries::of(dashboards) {
            let mut counts = vec![InPhase::default(); night.plan.phases.len()];
            for window in query.windows() {
                for node in nodes(&query) {
                    let ask = |job| ask(night, &query.filled(job, &values(node), window));
                    let (expected, actual) = (ask(direct)?, ask(pinned)?);
                    let ticks =
                        compare::compare(query.rule, night.dictionaries, &expected, &actual);
                    let left_out = left_out(night, &query, window, node);
                    let text = query.filled(pinned, &values(node), window);
                    for (tick, at) in &ticks {
                        let Some(phase) = in_phase(&night.plan.phases, *tick) else { continue };
                        if left_out.contains(tick) {
                            counts[phase].left_out += at.same + at.different.len();
                            report.left_out.extend(differences(at));
                        } else {
                            report.count(&mut counts[phase], query.rule, *tick, at, &text);
                        }
                    }
                }
            }
            report.rows.push((query, counts));
        }
        report.left_out.sort_by(f64::total_cmp);
        Ok(report)
    }

    fn count(&mut self, counts: &mut InPhase, rule: Rule, tick: u64, at: &AtTick, text: &str) {
        counts.same += at.same;
        counts.without_number += at.without_number;
        counts.different += at.different.len();
        if matches!(rule, Rule::Between(_)) && at.largest > self.largest {
            self.largest = at.largest;
        }
        for (labels, expected, actual) in &at.different {
            if self.differences.len() < SHOWN {
                let show = |value: &Option<f64>| {
                    value.map_or_else(|| "nothing".to_owned(), |value| value.to_string())
                };
                self.differences.push(format!(
                    "{}: {text}\n  {labels}: {}, should be {}",
                    clock(tick),
                    show(actual),
                    show(expected)
                ));
            }
        }
    }

    /// Whether nothing differs, and there was something to compare.
    pub(crate) fn is_good(&self) -> bool {
        self.differences.is_empty()
            && self.rows.iter().any(|(_, phases)| phases.iter().any(|it| it.same > 0))
    }
}

/// The relative differences of all pairs of numbers at a tick. A number without another one differs
/// wholly.
fn differences(at: &AtTick) -> impl Iterator<Item = f64> {
    let different = at.different.iter().map(|(_, one, two)| match (one, two) {
        (Some(one), Some(two)) => (one - two).abs() / one.abs().max(two.abs()),
        _ => 1.0,
    });
    std::iter::repeat_n(0.0, at.same).chain(different)
}

/// The ticks at which a query with a window sees a counter that goes on in another series, because
/// the version of Kong has changed and with it the labels. Prometheus cannot connect the two series.
fn left_out(
    night: Night<'_>,
    query: &Query,
    window: Option<u64>,
    node: Option<usize>,
) -> BTreeSet<u64> {
    let Some(window) = window.map(|seconds| seconds / TICK.as_secs()) else {
        return BTreeSet::new();
    };
    let nodes =
        night.changes.iter().enumerate().filter(|(number, _)| node.is_none_or(|it| it == *number));
    let names = nodes.flat_map(|(_, changes)| changes).filter(|(name, _)| query.reads(name));
    // The tick before a change has no pod. The last window with a sample before it begins there.
    names.flat_map(|(_, changes)| changes).flat_map(|tick| *tick..=tick + window - 2).collect()
}

/// Every node, and all of them together (`None`).
fn nodes(query: &Query) -> Vec<Option<usize>> {
    let each = (0..NODES).filter(|_| query.has_instance()).map(Some);
    std::iter::once(None).chain(each).collect()
}

fn values(node: Option<usize>) -> String {
    node.map_or_else(|| ".*".to_owned(), instance)
}

fn in_phase(phases: &[Phase], tick: u64) -> Option<usize> {
    phases.iter().position(|phase| phase.ticks.contains(&tick))
}

fn ask(night: Night<'_>, query: &str) -> io::Result<compare::Results> {
    let time = |tick: u64| night.start + tick * TICK.as_secs();
    let range = (time(night.first), time(night.plan.end() - 1));
    let series = night.prometheus.range(query, range, TICK.as_secs())?;
    compare::results(&series, night.start)
        .map_err(|error| io::Error::other(format!("{query}: {error}")))
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, phase) in self.phases.iter().enumerate() {
            let counts = || self.rows.iter().map(|(query, phases)| (query, &phases[number]));
            let queries = |is: &dyn Fn(&Query, &InPhase) -> bool| {
                counts().filter(|(query, counts)| is(query, counts)).count()
            };
            let all = |of: fn(&InPhase) -> usize| counts().map(|(_, it)| of(it)).sum::<usize>();
            let good = |it: &InPhase| it.different == 0 && it.same > it.without_number;
            let is_between = |query: &Query| matches!(query.rule, Rule::Between(_));
            let equal = queries(&|query, it| good(it) && !is_between(query));
            let between = queries(&|query, it| good(it) && is_between(query));
            let different = queries(&|_, it| it.different > 0);
            let left_out = queries(&|_, it| !good(it) && it.different == 0 && it.left_out > 0);
            writeln!(
                f,
                "| {} | {phase} | {} | {equal} | {between} | {different} | {left_out} | {} | {} | {} \
                 | {} |",
                self.name,
                self.rows.len(),
                self.rows.len() - equal - between - different - left_out,
                all(|it| it.same - it.without_number),
                all(|it| it.different),
                all(|it| it.left_out)
            )?;
        }
        Ok(())
    }
}

impl Report {
    /// The head of the table that [`Display`](fmt::Display) writes.
    pub(crate) const HEAD: &str = "\
| dashboards | phase | queries | equal | between the same boundaries | different | left out | no data \
| numbers: agree | differ | left out |
|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|";

    /// What the table does not show: queries without data, and the first differences.
    pub(crate) fn details(&self) -> String {
        let mut text = String::new();
        let official = self.rows.iter().filter(|(query, _)| query.is_official).count();
        let mut line = |line: String| {
            writeln!(text, "{line}").expect("a String takes whatever is written to it");
        };
        line(format!(
            "{}: {} queries, {official} of them in Kong's dashboard; quantiles differ by at most \
             {:.1} %",
            self.name,
            self.rows.len(),
            100.0 * self.largest
        ));
        if !self.left_out.is_empty() {
            let percent =
                |share: usize| 100.0 * self.left_out[(self.left_out.len() - 1) * share / 100];
            line(format!(
                "{}: the numbers that are left out differ by {:.1} % (median), {:.1} % (90 of 100), \
                 {:.1} % (99 of 100)",
                self.name,
                percent(50),
                percent(90),
                percent(99)
            ));
        }
        for (query, phases) in &self.rows {
            if phases.iter().all(|it| it.same == it.without_number) {
                line(format!("{}: no data: {}", self.name, query.filled("", ".*", Some(60))));
            }
        }
        for difference in &self.differences {
            line(difference.clone());
        }
        text
    }
}
