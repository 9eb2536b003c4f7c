//! Every metric that we export about ourselves. `METRICS.md` lists them; a test holds the two together.

use std::sync::Arc;
use std::time::Instant;

use prometheus::core::Collector;
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder,
};

use super::http::{HttpListenerMetrics, HttpMetrics, WebConfigMetrics};
use super::process::Process;
use super::reloads::ReloadMetrics;
use super::series::{Forget as _, Holders};
use super::statsd::{ListenerMetrics, SinkMetrics, StatsdMetrics};
use crate::mapping::Generation;
use crate::rewrite::Report;

/// The Content-Type of [`Metrics::text`].
pub const METRICS_CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

const DEFINED_ONCE: &str = "metrics are well-formed and defined once";

/// Seconds. Most scrapes take milliseconds; Prometheus gives up after ten seconds unless told otherwise.
const DURATION_BUCKETS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Every metric that we export about ourselves.
///
/// Counting is lock-free but for the first time that a combination of label values occurs.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    scrapes: IntCounterVec,
    scrape_duration: HistogramVec,
    scrapes_in_flight: IntGauge,
    read_bytes: IntCounterVec,
    written_bytes: IntCounterVec,
    read_samples: IntCounterVec,
    written_samples: IntCounterVec,
    dropped_lines: IntCounterVec,
    passed_lines: IntCounterVec,
    unrewritten_series: IntCounterVec,
    held_bytes: IntGaugeVec,
    generation: IntGaugeVec,
    refused_requests: IntCounterVec,
    passthrough_requests: IntCounterVec,
    http: HttpMetrics,
    reloads: ReloadMetrics,
    statsd: Arc<StatsdMetrics>,
    targets: Holders,
}

impl Metrics {
    /// All metrics at zero.
    ///
    /// # Panics
    ///
    /// Never: names and labels are fixed, and a test builds them.
    #[must_use]
    pub fn new() -> Metrics {
        Metrics::try_new().expect(DEFINED_ONCE)
    }

    #[allow(clippy::too_many_lines, reason = "one family after the other")]
    fn try_new() -> prometheus::Result<Metrics> {
        let registry = Registry::new();
        let counters = |name: &str, help: &str, labels: &[&str]| {
            registered(&registry, IntCounterVec::new(Opts::new(name, help), labels)?)
        };
        let gauges = |name: &str, help: &str, labels: &[&str]| {
            registered(&registry, IntGaugeVec::new(Opts::new(name, help), labels)?)
        };

        let scrapes = counters(
            "crossfade_scrapes_total",
            "Scrapes, by how they ended.",
            &["target", "outcome"],
        )?;
        let scrape_duration = HistogramVec::new(
            HistogramOpts::new(
                "crossfade_scrape_duration_seconds",
                "Time from a request to the last byte of its answer.",
            )
            .buckets(DURATION_BUCKETS.to_vec()),
            &["target"],
        )?;
        registry.register(Box::new(scrape_duration.clone()))?;
        let scrapes_in_flight =
            IntGauge::new("crossfade_scrapes_in_flight", "Scrapes that have not ended yet.")?;
        registry.register(Box::new(scrapes_in_flight.clone()))?;
        let read_bytes = counters(
            "crossfade_scrape_read_bytes_total",
            "Bytes of expositions read from the target, uncompressed.",
            &["target"],
        )?;
        let written_bytes = counters(
            "crossfade_scrape_written_bytes_total",
            "Bytes of expositions written to clients, before compression.",
            &["target"],
        )?;
        let read_samples =
            counters("crossfade_samples_read_total", "Samples read from the target.", &["target"])?;
        let written_samples = counters(
            "crossfade_samples_written_total",
            "Samples written to clients.",
            &["target"],
        )?;
        let dropped_lines = counters(
            "crossfade_dropped_lines_total",
            "Lines and samples left out of expositions, by reason.",
            &["target", "reason"],
        )?;
        let passed_lines = counters(
            "crossfade_malformed_passed_lines_total",
            "Lines that Prometheus would refuse, handed on because the settings say so.",
            &["target"],
        )?;
        let unrewritten_series = counters(
            "crossfade_unrewritten_series_total",
            "Label sets that a rule reads but that had to leave as they came, by reason.",
            &["target", "reason"],
        )?;
        let held_bytes = gauges(
            "crossfade_scrape_held_bytes",
            "Most bytes that the target's last complete scrape held at one time.",
            &["target"],
        )?;
        let generation = gauges(
            "crossfade_target_generation",
            "Whether the target's last complete scrape had families of this generation.",
            &["target", "generation"],
        )?;
        let refused_requests = counters(
            "crossfade_refused_requests_total",
            "Requests that no scrape was made for, by reason.",
            &["reason"],
        )?;
        let passthrough_requests = counters(
            "crossfade_passthrough_requests_total",
            "Requests handed through to the target as they came, by what became of them.",
            &["target", "outcome"],
        )?;
        let build_info = gauges(
            "crossfade_build_info",
            "Always 1; the labels say what is running.",
            &["version"],
        )?;
        build_info.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        registry.register(Box::new(Process::new()?))?;
        let statsd = Arc::new(StatsdMetrics::register(&registry)?);

        Ok(Metrics {
            scrapes,
            scrape_duration,
            scrapes_in_flight,
            read_bytes,
            written_bytes,
            read_samples,
            written_samples,
            dropped_lines,
            passed_lines,
            unrewritten_series,
            held_bytes,
            generation,
            refused_requests,
            passthrough_requests,
            http: HttpMetrics::register(&registry)?,
            reloads: ReloadMetrics::register(&registry)?,
            statsd,
            targets: Holders::default(),
            registry,
        })
    }

    /// The metrics of one target, all of them present for as long as anybody holds them.
    #[must_use]
    pub fn target(self: &Arc<Self>, target: &str) -> TargetMetrics {
        let name = Arc::<str>::from(target);
        let hold = Arc::new(HeldTarget { name: Arc::clone(&name), all: Arc::clone(self) });
        self.targets.hold(&name, || self.held(target, hold))
    }

    fn held(&self, target: &str, hold: Arc<HeldTarget>) -> TargetMetrics {
        self.scrapes.with_label_values(&[target, Outcome::Success.word()]);
        let generation = |word| self.generation.with_label_values(&[target, word]);
        TargetMetrics {
            duration: self.scrape_duration.with_label_values(&[target]),
            read_bytes: self.read_bytes.with_label_values(&[target]),
            written_bytes: self.written_bytes.with_label_values(&[target]),
            read_samples: self.read_samples.with_label_values(&[target]),
            written_samples: self.written_samples.with_label_values(&[target]),
            passed_lines: self.passed_lines.with_label_values(&[target]),
            held_bytes: self.held_bytes.with_label_values(&[target]),
            old: generation("old"),
            new: generation("new"),
            hold,
        }
    }

    fn forget_target(&self, target: &str) {
        for counters in [
            &self.scrapes,
            &self.read_bytes,
            &self.written_bytes,
            &self.read_samples,
            &self.written_samples,
            &self.dropped_lines,
            &self.passed_lines,
            &self.unrewritten_series,
        ] {
            counters.forget("target", target);
        }
        self.scrape_duration.forget("target", target);
        self.held_bytes.forget("target", target);
        self.generation.forget("target", target);
    }

    /// The metrics of one of our HTTP listeners.
    #[must_use]
    pub fn http_listener(&self, listener: &'static str) -> HttpListenerMetrics {
        self.http.listener(listener)
    }

    /// Whether the web configuration file can be used.
    #[must_use]
    pub fn web_config(&self) -> WebConfigMetrics {
        self.http.web_config()
    }

    /// The metrics of reloads.
    #[must_use]
    pub fn reloads(&self) -> &ReloadMetrics {
        &self.reloads
    }

    /// A request was handed through to a target, and answered or failed for one of a fixed set of reasons.
    pub fn handed_through(&self, target: &str, outcome: &'static str) {
        self.passthrough_requests.with_label_values(&[target, outcome]).inc();
    }

    /// A request that no scrape was made for.
    pub fn refused(&self, reason: &'static str) {
        self.refused_requests.with_label_values(&[reason]).inc();
    }

    /// The metrics of one `StatsD` listener.
    #[must_use]
    pub fn statsd_listener(&self, listener: &str) -> ListenerMetrics {
        self.statsd.listener(listener)
    }

    /// The metrics of one `StatsD` sink.
    #[must_use]
    pub fn statsd_sink(&self, sink: &str) -> SinkMetrics {
        self.statsd.sink(sink)
    }

    /// All metrics as an exposition.
    ///
    /// # Panics
    ///
    /// Never: what is gathered has samples, which is all that the encoder asks for.
    #[must_use]
    pub fn text(&self) -> String {
        let encoded = TextEncoder::new().encode_to_string(&self.registry.gather());
        encoded.expect("gathered families have samples, and a String takes everything")
    }
}

fn registered<C: Collector + Clone + 'static>(
    registry: &Registry,
    collector: C,
) -> prometheus::Result<C> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}

impl Default for Metrics {
    fn default() -> Self {
        Metrics::new()
    }
}

/// How a scrape ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The whole exposition was handed on.
    Success,
    /// The client went away before its end.
    ClientGone,
    /// It failed, for one of a fixed set of reasons.
    Failed(&'static str),
}

impl Outcome {
    fn word(self) -> &'static str {
        match self {
            Outcome::Success => "success",
            Outcome::ClientGone => "client_gone",
            Outcome::Failed(reason) => reason,
        }
    }
}

/// The metrics of one target.
#[derive(Clone, Debug)]
pub struct TargetMetrics {
    duration: Histogram,
    read_bytes: IntCounter,
    written_bytes: IntCounter,
    read_samples: IntCounter,
    written_samples: IntCounter,
    passed_lines: IntCounter,
    held_bytes: IntGauge,
    old: IntGauge,
    new: IntGauge,
    hold: Arc<HeldTarget>,
}

/// Keeps a target's series. Scrapes in flight have it too, so that nothing is counted of a target that is forgotten.
#[derive(Debug)]
struct HeldTarget {
    name: Arc<str>,
    all: Arc<Metrics>,
}

impl Drop for HeldTarget {
    fn drop(&mut self) {
        let HeldTarget { name, all } = self;
        all.targets.release(name, || all.forget_target(name));
    }
}

impl TargetMetrics {
    /// A scrape begins.
    #[must_use]
    pub fn start(&self) -> ScrapeInFlight {
        self.hold.all.scrapes_in_flight.inc();
        ScrapeInFlight { metrics: self.clone(), started: Instant::now(), ended: false }
    }
}

/// A scrape that has not ended yet. One that is dropped without [`end`](Self::end) lost its client.
#[derive(Debug)]
pub struct ScrapeInFlight {
    metrics: TargetMetrics,
    started: Instant,
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
        for (reason, series) in &report.notes {
            all.unrewritten_series.with_label_values(&[&**target, *reason]).inc_by(*series);
        }
        for (reason, lines) in &report.dropped {
            all.dropped_lines.with_label_values(&[&**target, *reason]).inc_by(*lines);
        }
        if outcome == Outcome::Success {
            let held = i64::try_from(report.held_bytes).unwrap_or(i64::MAX);
            self.metrics.held_bytes.set(held);
            let seen = |generation| i64::from(report.generations.contains(&generation));
            self.metrics.old.set(seen(Generation::Old));
            self.metrics.new.set(seen(Generation::New));
        }
        self.close(outcome);
    }

    /// Bytes were handed to the client.
    pub fn wrote(&self, bytes: usize) {
        self.metrics.written_bytes.inc_by(bytes as u64);
    }

    fn close(&mut self, outcome: Outcome) {
        self.ended = true;
        self.metrics.duration.observe(self.started.elapsed().as_secs_f64());
        let HeldTarget { name: target, all } = &*self.metrics.hold;
        all.scrapes_in_flight.dec();
        all.scrapes.with_label_values(&[&**target, outcome.word()]).inc();
    }
}

impl Drop for ScrapeInFlight {
    fn drop(&mut self) {
        if !self.ended {
            self.close(Outcome::ClientGone);
        }
    }
}
