//! Metrics of scrapes, most of them by target.

use std::sync::Arc;

use prometheus::{HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Registry};

use super::define::Define;
use super::series::{Forget as _, Holders};
use super::target_info::{Definition, TargetInfo};

/// Seconds. Most scrapes take milliseconds; the default timeout of Prometheus is ten seconds.
const DURATION_BUCKETS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Seconds. A megabyte takes a few milliseconds.
const REWRITING_BUCKETS: [f64; 11] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 1.0];

const MISSING_INPUTS: Definition = Definition {
    name: "crossfade_target_missing_input",
    help: "Always 1: an input series of the target's generation that its last complete scrape did not have.",
    labels: &["target", "input"],
};

const EDITIONS: Definition = Definition {
    name: "crossfade_target_edition_info",
    help: "Always 1: the edition of the target's bucket boundaries in its last complete scrape.",
    labels: &["target", "edition"],
};

const EMITTED_EDITIONS: Definition = Definition {
    name: "crossfade_target_emitted_edition_info",
    help: "Always 1: the edition of the bucket boundaries that were emitted for the target's last complete \
           scrape, by generation.",
    labels: &["target", "generation", "edition"],
};

/// The families of all targets.
#[derive(Debug)]
pub(super) struct ScrapeMetrics {
    holders: Holders,
    pub(super) missing_inputs: TargetInfo,
    pub(super) editions: TargetInfo,
    pub(super) emitted_editions: TargetInfo,
    pub(super) scrapes: IntCounterVec,
    pub(super) duration: HistogramVec,
    pub(super) upstream: HistogramVec,
    pub(super) rewriting: HistogramVec,
    pub(super) in_flight: IntGauge,
    pub(super) read_bytes: IntCounterVec,
    pub(super) written_bytes: IntCounterVec,
    pub(super) read_samples: IntCounterVec,
    pub(super) written_samples: IntCounterVec,
    pub(super) rule_read_samples: IntCounterVec,
    pub(super) rule_written_samples: IntCounterVec,
    pub(super) dropped_lines: IntCounterVec,
    pub(super) passed_lines: IntCounterVec,
    pub(super) strict_filled: IntCounterVec,
    pub(super) strict_incomplete: IntCounterVec,
    pub(super) unrewritten_series: IntCounterVec,
    pub(super) passthrough_requests: IntCounterVec,
    pub(super) shared: IntCounterVec,
    pub(super) left: IntCounterVec,
    pub(super) held_bytes: IntGaugeVec,
    pub(super) generation: IntGaugeVec,
    pub(super) last_success: IntGaugeVec,
}

impl ScrapeMetrics {
    #[expect(clippy::too_many_lines, reason = "a flat list of families")]
    pub(super) fn register(registry: &Registry) -> prometheus::Result<ScrapeMetrics> {
        let define = Define(registry);
        let info = |definition| {
            let info = TargetInfo::new(definition)?;
            registry.register(Box::new(info.clone()))?;
            Ok::<_, prometheus::Error>(info)
        };
        Ok(ScrapeMetrics {
            holders: Holders::default(),
            missing_inputs: info(MISSING_INPUTS)?,
            editions: info(EDITIONS)?,
            emitted_editions: info(EMITTED_EDITIONS)?,
            scrapes: define.counters(
                "crossfade_scrapes_total",
                "Scrapes by outcome.",
                &["target", "outcome"],
            )?,
            duration: define.histograms(
                "crossfade_scrape_duration_seconds",
                "Time from a request to the last byte of the response to it.",
                &DURATION_BUCKETS,
            )?,
            upstream: define.histograms(
                "crossfade_upstream_duration_seconds",
                "Time from a request to the last byte read from the target.",
                &DURATION_BUCKETS,
            )?,
            rewriting: define.histograms(
                "crossfade_rewriting_duration_seconds",
                "Time spent rewriting one exposition.",
                &REWRITING_BUCKETS,
            )?,
            in_flight: define.gauge(
                "crossfade_scrapes_in_flight",
                "Scrapes that have not ended yet.",
            )?,
            read_bytes: define.counters(
                "crossfade_scrape_read_bytes_total",
                "Bytes of expositions read from the target, uncompressed.",
                &["target"],
            )?,
            written_bytes: define.counters(
                "crossfade_scrape_written_bytes_total",
                "Bytes of expositions written to clients, before compression.",
                &["target"],
            )?,
            read_samples: define.counters(
                "crossfade_samples_read_total",
                "Samples read from the target.",
                &["target"],
            )?,
            written_samples: define.counters(
                "crossfade_samples_written_total",
                "Samples written to clients.",
                &["target"],
            )?,
            rule_read_samples: define.counters(
                "crossfade_rule_read_samples_total",
                "Samples of complete scrapes that rules read, by input family and output family.",
                &["target", "from", "to"],
            )?,
            rule_written_samples: define.counters(
                "crossfade_rule_written_samples_total",
                "Samples of complete scrapes that rules wrote, by input family and output family.",
                &["target", "from", "to"],
            )?,
            dropped_lines: define.counters(
                "crossfade_dropped_lines_total",
                "Lines and samples dropped from expositions, by reason.",
                &["target", "reason"],
            )?,
            passed_lines: define.counters(
                "crossfade_malformed_passed_lines_total",
                "Lines that Prometheus would reject, forwarded because of the setting `malformed: pass`.",
                &["target"],
            )?,
            strict_filled: define.counters(
                "crossfade_strict_added_samples_total",
                "Missing buckets and counts that strict output added.",
                &["target"],
            )?,
            strict_incomplete: define.counters(
                "crossfade_strict_incomplete_series_total",
                "Label sets of histograms and summaries in strict output that have no sum or count.",
                &["target"],
            )?,
            unrewritten_series: define.counters(
                "crossfade_unrewritten_series_total",
                "Series that a rule matches but that were forwarded unchanged, by reason.",
                &["target", "reason"],
            )?,
            shared: define.counters(
                "crossfade_shared_scrapes_total",
                "Clients that joined a scrape in progress for another client.",
                &["target"],
            )?,
            left: define.counters(
                "crossfade_shared_scrapes_left_total",
                "Clients that left a shared scrape before its end while it continued for others, by reason.",
                &["target", "reason"],
            )?,
            passthrough_requests: define.counters(
                "crossfade_passthrough_requests_total",
                "Requests forwarded to the target unchanged, by outcome.",
                &["target", "outcome"],
            )?,
            held_bytes: define.gauges(
                "crossfade_scrape_held_bytes",
                "Peak of the bytes held by the target's last complete scrape.",
                &["target"],
            )?,
            last_success: define.gauges(
                "crossfade_target_last_success_timestamp_seconds",
                "When the target's last complete scrape ended, Unix time.",
                &["target"],
            )?,
            generation: define.gauges(
                "crossfade_target_generation",
                "Whether the target's last complete scrape had families or labels of this generation.",
                &["target", "generation"],
            )?,
        })
    }

    /// Keeps the series of a target, which `create` makes, while the returned value exists.
    pub(super) fn hold<T>(
        self: &Arc<Self>,
        target: &str,
        create: impl FnOnce(Arc<HeldTarget>) -> T,
    ) -> T {
        let name = Arc::<str>::from(target);
        let held = Arc::new(HeldTarget { name: Arc::clone(&name), all: Arc::clone(self) });
        self.holders.hold(&name, || create(held))
    }

    fn forget(&self, target: &str) {
        for info in [&self.missing_inputs, &self.editions, &self.emitted_editions] {
            info.forget(target);
        }
        for counters in [
            &self.scrapes,
            &self.read_bytes,
            &self.written_bytes,
            &self.read_samples,
            &self.written_samples,
            &self.rule_read_samples,
            &self.rule_written_samples,
            &self.dropped_lines,
            &self.passed_lines,
            &self.strict_filled,
            &self.strict_incomplete,
            &self.unrewritten_series,
            &self.passthrough_requests,
            &self.shared,
            &self.left,
        ] {
            counters.forget("target", target);
        }
        for gauges in [&self.held_bytes, &self.generation, &self.last_success] {
            gauges.forget("target", target);
        }
        for histograms in [&self.duration, &self.upstream, &self.rewriting] {
            histograms.forget("target", target);
        }
    }
}

/// Keeps a target's series. Scrapes in flight hold it too, so that nothing is counted for a removed
/// target.
#[derive(Debug)]
pub(super) struct HeldTarget {
    pub(super) name: Arc<str>,
    pub(super) all: Arc<ScrapeMetrics>,
}

impl Drop for HeldTarget {
    fn drop(&mut self) {
        let HeldTarget { name, all } = self;
        all.holders.release(name, || all.forget(name));
    }
}
