//! What Prometheus has stored of a job, moved from the times of its scrapes to the ticks of the
//! traffic that they show.
//!
//! Prometheus scrapes each target at a time of its own, and `rate()` depends on the times. So two
//! jobs that show the same traffic differ by a few percent, which would hide a lost sample. The
//! samples of a tick get one time, and then every difference is one of the numbers.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use super::page::TICK_FAMILY;
use super::plan::{NODES, TICK, clock};
use super::prometheus::{Prometheus, Series};

/// The samples of one node as one job has stored them.
#[derive(Debug, Default)]
pub(crate) struct NodeSamples {
    /// By name, labels, and tick.
    series: BTreeMap<(String, String), BTreeMap<u64, f64>>,
    /// The ticks that were scraped.
    pub(crate) ticks: BTreeSet<u64>,
    /// Successful scrapes, and those that failed.
    pub(crate) scrapes: (usize, usize),
    /// Samples of one series and one tick that are not equal, or that show no tick.
    pub(crate) contradictions: Vec<String>,
}

/// The value of the label `instance` of a node.
pub(crate) fn instance(node: usize) -> String {
    format!("kong-{}:8100", node + 1)
}

/// The samples of all nodes of a job in the ticks before `end`.
pub(crate) fn read(prometheus: &Prometheus, job: &str, end: u64) -> io::Result<Vec<NodeSamples>> {
    // What was scraped before the night is of tick 0.
    let seconds = (end + 60) * TICK.as_secs();
    let read = |node| {
        let selector = format!("{{job=\"{job}\",instance=\"{}\"}}[{seconds}s]", instance(node));
        Ok(of_node(&prometheus.samples(&selector)?, end))
    };
    (0..NODES).map(read).collect()
}

#[expect(clippy::cast_possible_truncation, reason = "milliseconds since 1970")]
fn milliseconds(seconds: f64) -> i64 {
    (seconds * 1000.0).round() as i64
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small number")]
fn of_node(all: &[Series], end: u64) -> NodeSamples {
    let mut node = NodeSamples::default();
    let mut tick_at = BTreeMap::new();
    let named = |name: &'static str| {
        let series = all.iter().filter(move |one| one.metric["__name__"] == name);
        series.flat_map(|one| &one.values)
    };
    for (time, tick) in named(TICK_FAMILY) {
        let tick = tick.parse::<f64>().map_or(u64::MAX, |tick| tick as u64);
        tick_at.insert(milliseconds(*time), tick);
        if tick < end {
            node.ticks.insert(tick);
        }
    }
    for (_, up) in named("up") {
        *if up == "1" { &mut node.scrapes.0 } else { &mut node.scrapes.1 } += 1;
    }
    for one in all {
        let name = one.metric["__name__"].clone();
        if name == TICK_FAMILY || name == "up" || name.starts_with("scrape_") {
            continue;
        }
        let key = (name, labels(&one.metric));
        let stored = node.series.entry(key.clone()).or_default();
        for (time, value) in &one.values {
            let value = value.parse().unwrap_or(f64::NAN);
            match tick_at.get(&milliseconds(*time)) {
                Some(tick) if *tick >= end => {}
                Some(tick) => {
                    let earlier = *stored.entry(*tick).or_insert(value);
                    if earlier.total_cmp(&value).is_ne() {
                        let text = format!("{}: {key:?} is {earlier} and {value}", clock(*tick));
                        node.contradictions.push(text);
                    }
                }
                None => node.contradictions.push(format!("{key:?} at {time} shows no tick")),
            }
        }
    }
    node
}

/// The labels of an exposition, without those of the job.
fn labels(metric: &BTreeMap<String, String>) -> String {
    let of_series =
        metric.iter().filter(|(name, _)| !["__name__", "job", "instance"].contains(&name.as_str()));
    let written = of_series.map(|(name, value)| {
        let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        format!("{name}=\"{value}\",")
    });
    written.collect()
}

/// Labels as they are written, without `le`.
fn without_boundary(labels: &str) -> String {
    let labels = format!(",{labels}");
    let Some((before, rest)) = labels.split_once(",le=\"") else { return labels };
    let (_, after) = rest.split_once('"').unwrap_or_default();
    format!("{before}{after}")
}

impl NodeSamples {
    /// Forgets the samples of all other ticks.
    pub(crate) fn keep(&mut self, ticks: &BTreeSet<u64>) {
        for samples in self.series.values_mut() {
            samples.retain(|tick, _| ticks.contains(tick));
        }
        self.ticks.clone_from(ticks);
    }

    /// The ticks at which label sets of a name begin or end, except where the node was not scraped: with
    /// another version of Kong, a counter can have other labels. Buckets are one series for this:
    /// versions have other boundaries, but that does not end a counter.
    pub(crate) fn changes(&self) -> BTreeMap<String, BTreeSet<u64>> {
        let mut present: BTreeMap<(&str, String), BTreeSet<u64>> = BTreeMap::new();
        for ((name, labels), samples) in &self.series {
            let ticks = present.entry((name, without_boundary(labels))).or_default();
            ticks.extend(samples.keys());
        }
        let mut changes: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
        for ((name, _), ticks) in present {
            let of_name = changes.entry(name.to_owned()).or_default();
            for (before, tick) in self.ticks.iter().zip(self.ticks.iter().skip(1)) {
                if ticks.contains(before) != ticks.contains(tick) {
                    of_name.insert(*tick);
                }
            }
        }
        changes
    }

    /// What differs from the same node in another job, in the ticks that both have.
    pub(crate) fn differences(&self, other: &NodeSamples) -> (usize, Vec<String>) {
        let (mut compared, mut different) = (0, Vec::new());
        let both: BTreeSet<u64> = self.ticks.intersection(&other.ticks).copied().collect();
        let keys: BTreeSet<_> = self.series.keys().chain(other.series.keys()).collect();
        let none = BTreeMap::new();
        for key in keys {
            let of = |node: &NodeSamples, tick: u64| {
                node.series.get(key).unwrap_or(&none).get(&tick).copied()
            };
            for &tick in &both {
                let (one, two) = (of(self, tick), of(other, tick));
                compared += usize::from(one.is_some());
                if one.map(f64::to_bits) != two.map(f64::to_bits) {
                    different.push(format!("{}: {key:?} is {one:?} and {two:?}", clock(tick)));
                }
            }
        }
        (compared, different)
    }

    /// Writes the samples as `OpenMetrics`, as `promtool` reads it. Returns how many there are.
    pub(crate) fn write(
        &self,
        job: &str,
        node: usize,
        start: u64,
        to: &mut impl Write,
    ) -> io::Result<u64> {
        let mut written = 0;
        for ((name, labels), samples) in &self.series {
            for (tick, value) in samples {
                let time = start + tick * TICK.as_secs();
                let instance = instance(node);
                writeln!(
                    to,
                    "{name}{{{labels}job=\"{job}\",instance=\"{instance}\"}} {value} {time}"
                )?;
                written += 1;
            }
        }
        Ok(written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticks(values: &[(f64, &str)]) -> Series {
        Series::of(&[("__name__", TICK_FAMILY)], values)
    }

    #[test]
    fn samples_move_to_their_ticks() {
        let counter = [("__name__", "c"), ("job", "j"), ("route", "a\"b")];
        let all = [
            ticks(&[(10.3, "4"), (11.3, "4"), (12.3, "5"), (13.3, "9")]),
            Series::of(&counter, &[(10.3, "7"), (11.3, "7"), (12.3, "8"), (13.3, "9")]),
            Series::of(&[("__name__", "up")], &[(10.3, "1"), (14.3, "0")]),
        ];
        let node = of_node(&all, 9);
        assert_eq!((node.scrapes, &node.contradictions), ((1, 1), &Vec::new()));
        assert_eq!(node.ticks, BTreeSet::from([4, 5]));
        let mut text = Vec::new();
        assert_eq!(node.write("j", 0, 100, &mut text).expect("memory"), 2);
        assert_eq!(
            String::from_utf8(text).expect("text"),
            "c{route=\"a\\\"b\",job=\"j\",instance=\"kong-1:8100\"} 7 108\n\
             c{route=\"a\\\"b\",job=\"j\",instance=\"kong-1:8100\"} 8 110\n"
        );
    }

    #[test]
    fn two_values_of_one_tick_are_a_contradiction() {
        let counter = [("__name__", "c")];
        let all = [
            ticks(&[(10.3, "4"), (11.3, "4")]),
            Series::of(&counter, &[(10.3, "7"), (11.3, "8"), (12.3, "8")]),
        ];
        assert_eq!(of_node(&all, 9).contradictions.len(), 2);
    }

    #[test]
    fn other_labels_are_a_change_and_other_boundaries_are_not() {
        let of = |name, label, value, time| {
            Series::of(&[("__name__", name), (label, value)], &[(time, "1")])
        };
        let all = [
            ticks(&[(10.0, "1"), (12.0, "2")]),
            of("b", "le", "1", 10.0),
            of("b", "le", "2", 12.0),
            of("c", "source", "kong", 10.0),
            of("c", "source", "service", 12.0),
        ];
        let changes = of_node(&all, 9).changes();
        assert_eq!(changes["b"], BTreeSet::new());
        assert_eq!(changes["c"], BTreeSet::from([2]));
        assert_eq!(without_boundary("le=\"1\",route=\"r\","), ",route=\"r\",");
        assert_eq!(without_boundary("role=\"x\",le=\"1\","), ",role=\"x\",");
    }
}
