//! The metrics of one target.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use prometheus::{Histogram, IntCounter, IntGauge};

use super::scrapes::{HeldTarget, ScrapeMetrics};
use crate::mapping::Generation;
use crate::rewrite::exposition::Report;

/// `outcome` of a scrape whose client disconnected before its end.
const CLIENT_GONE: &str = "client_gone";

/// `outcome` of a scrape whose whole exposition was sent.
const SUCCESS: &str = "success";

/// The metrics of one target. All instances with the same name share their series.
#[derive(Clone, Debug)]
pub struct TargetMetrics {
    duration: Histogram,
    upstream: Histogram,
    rewriting: Histogram,
    read_bytes: IntCounter,
    written_bytes: IntCounter,
    read_samples: IntCounter,
    written_samples: IntCounter,
    passed_lines: IntCounter,
    strict_filled: IntCounter,
    strict_incomplete: IntCounter,
    held_bytes: IntGauge,
    generations: [(Generation, IntGauge); 2],
    hold: Arc<HeldTarget>,
    exports_info: bool,
}

impl TargetMetrics {
    pub(super) fn new(all: &Arc<ScrapeMetrics>, target: &str) -> TargetMetrics {
        all.hold(target, |hold| {
            all.scrapes.with_label_values(&[target, SUCCESS]);
            let labels = &[target];
            let generation = |generation: Generation| {
                let labels = [target, generation.as_str()];
                (generation, all.generation.with_label_values(&labels))
            };
            TargetMetrics {
                duration: all.duration.with_label_values(labels),
                upstream: all.upstream.with_label_values(labels),
                rewriting: all.rewriting.with_label_values(labels),
                read_bytes: all.read_bytes.with_label_values(labels),
                written_bytes: all.written_bytes.with_label_values(labels),
                read_samples: all.read_samples.with_label_values(labels),
                written_samples: all.written_samples.with_label_values(labels),
                passed_lines: all.passed_lines.with_label_values(labels),
                strict_filled: all.strict_filled.with_label_values(labels),
                strict_incomplete: all.strict_incomplete.with_label_values(labels),
                held_bytes: all.held_bytes.with_label_values(labels),
                generations: [Generation::Old, Generation::New].map(generation),
                hold,
                exports_info: true,
            }
        })
    }

    /// Counts a client that joins a scrape in flight.
    pub fn joined(&self) {
        let HeldTarget { name, all } = &*self.hold;
        all.shared.with_label_values(&[&**name]).inc();
    }

    /// Counts a client that leaves a scrape that continues for others.
    pub fn left(&self, reason: &'static str) {
        let HeldTarget { name, all } = &*self.hold;
        all.left.with_label_values(&[&**name, reason]).inc();
    }

    /// Counts a client that disconnects from a scrape that continues for others.
    pub fn client_left(&self) {
        self.left(CLIENT_GONE);
    }

    /// Starts to count a scrape.
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

    /// The same metrics for one of several targets with this name. Its missing inputs and
    /// editions are not exported, because the label could not say which target they are of.
    #[must_use]
    pub fn without_info(&self) -> TargetMetrics {
        TargetMetrics { exports_info: false, ..self.clone() }
    }

    /// Counts what is only known of a complete scrape.
    fn complete(&self, report: &Report) {
        self.held_bytes.set(i64::try_from(report.held_bytes).unwrap_or(i64::MAX));
        for (generation, gauge) in &self.generations {
            gauge.set(i64::from(report.generations.contains(generation)));
        }
        let HeldTarget { name, all } = &*self.hold;
        if let Ok(now) = SystemTime::now().duration_since(UNIX_EPOCH) {
            let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
            all.last_success.with_label_values(&[&**name]).set(now);
        }
        for rule in report.rewritten.iter().chain(&report.reduced) {
            let labels = [&**name, rule.from.as_str(), rule.to.as_str()];
            all.rule_read_samples.with_label_values(&labels).inc_by(rule.samples_in);
            all.rule_written_samples.with_label_values(&labels).inc_by(rule.samples_out);
        }
        if self.exports_info {
            let missing = report.missing.iter().filter(|it| !it.optional);
            all.missing_inputs.set(name, missing.map(|it| vec![it.input.clone()]));
            all.editions.set(name, report.editions.iter().map(|it| vec![it.to_string()]));
            let emitted = report.emitted_editions.iter();
            let emitted =
                emitted.map(|(its, name)| vec![its.as_str().to_owned(), name.to_string()]);
            all.emitted_editions.set(name, emitted);
        }
    }
}

/// A scrape that has not ended yet. If it is dropped before [`end`](Self::end), it counts as one
/// whose client has disconnected.
#[derive(Debug)]
pub struct ScrapeInFlight {
    metrics: TargetMetrics,
    started: Instant,
    rewriting: Duration,
    bytes_out: u64,
    ended: bool,
}

impl ScrapeInFlight {
    /// Counts the end of the scrape. Returns its duration and the bytes sent to the client.
    ///
    /// `outcome` is `success`, `client_gone`, or the reason of an error.
    #[expect(
        clippy::must_use_candidate,
        reason = "the figures are extra; the call is for counting"
    )]
    pub fn end(mut self, outcome: &'static str, report: &Report) -> (Duration, u64) {
        let HeldTarget { name: target, all } = &*self.metrics.hold;
        self.metrics.read_bytes.inc_by(report.bytes_in);
        self.metrics.read_samples.inc_by(report.samples_in);
        self.metrics.written_samples.inc_by(report.samples_out);
        self.metrics.passed_lines.inc_by(report.malformed_passed);
        self.metrics.strict_filled.inc_by(report.filled);
        self.metrics.strict_incomplete.inc_by(report.incomplete);
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
        (self.close(outcome), self.bytes_out)
    }

    /// Records that the last byte of the target's response has been read.
    pub fn read(&self) {
        self.metrics.upstream.observe(self.started.elapsed().as_secs_f64());
    }

    /// Adds to the time spent on rewriting.
    pub fn rewrote(&mut self, took: Duration) {
        self.rewriting += took;
    }

    /// Counts bytes sent to the client.
    pub fn wrote(&mut self, bytes: usize) {
        self.bytes_out += bytes as u64;
        self.metrics.written_bytes.inc_by(bytes as u64);
    }

    fn close(&mut self, outcome: &'static str) -> Duration {
        self.ended = true;
        let took = self.started.elapsed();
        self.metrics.duration.observe(took.as_secs_f64());
        let HeldTarget { name, all } = &*self.metrics.hold;
        all.in_flight.dec();
        all.scrapes.with_label_values(&[&**name, outcome]).inc();
        took
    }
}

impl Drop for ScrapeInFlight {
    fn drop(&mut self) {
        if !self.ended {
            self.close(CLIENT_GONE);
        }
    }
}
