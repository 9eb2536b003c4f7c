//! All metrics of Crossfade itself. `METRICS.md` lists them, and a test compares the two.

use std::sync::Arc;

use prometheus::{IntCounterVec, Registry, TextEncoder};

use super::count::Count;
use super::define::Define;
use super::http::{HttpListenerMetrics, HttpMetrics, WebConfigMetrics};
use super::log;
use super::panics::panics;
use super::process::Process;
use super::reasons::RequestRefusal;
use super::reloads::ReloadMetrics;
use super::scrapes::ScrapeMetrics;
use super::sink_times::LastSent;
use super::state_file::StateFileMetrics;
use super::statsd::{ListenerMetrics, SinkMetrics, StatsdMetrics};
use super::target::TargetMetrics;
use crate::build_info;

/// The Content-Type of [`Metrics::text`].
pub const METRICS_CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

const DEFINED_ONCE: &str = "metrics are well-formed and defined once";

/// All metrics of Crossfade itself.
///
/// Counting is lock-free, except for the first use of a combination of label values.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    refused_requests: IntCounterVec,
    http: HttpMetrics,
    reloads: ReloadMetrics,
    state_file: StateFileMetrics,
    scrapes: Arc<ScrapeMetrics>,
    statsd: Arc<StatsdMetrics>,
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

    fn try_new() -> prometheus::Result<Metrics> {
        let registry = Registry::new();
        let define = Define(&registry);
        let refused_requests = define.counters(
            "crossfade_refused_requests_total",
            "Requests refused without a scrape, by reason.",
            &["reason"],
        )?;
        let info = define.gauges(
            "crossfade_build_info",
            "Always 1; the labels are the version, the commit and the compiler of the program.",
            &["version", "revision", "rust_version"],
        )?;
        let built = [env!("CARGO_PKG_VERSION"), build_info::REVISION, build_info::RUST_VERSION];
        info.with_label_values(&built).set(1);
        registry.register(Box::new(Process::new()?))?;
        registry.register(Box::new(log::counts().family.clone()))?;
        registry.register(Box::new(panics().clone()))?;
        let http = HttpMetrics::register(define)?;
        let reloads = ReloadMetrics::register(define)?;
        let state_file = StateFileMetrics::register(define)?;
        let scrapes = Arc::new(ScrapeMetrics::register(&registry)?);
        let statsd = Arc::new(StatsdMetrics::register(&registry)?);
        Ok(Metrics { registry, refused_requests, http, reloads, state_file, scrapes, statsd })
    }

    /// The metrics of one target, all of them present while the value exists.
    #[must_use]
    pub fn target(&self, target: &str) -> TargetMetrics {
        TargetMetrics::new(&self.scrapes, target)
    }

    /// The metrics of one HTTP listener.
    #[must_use]
    pub fn http_listener(&self, listener: &'static str) -> HttpListenerMetrics {
        self.http.listener(listener)
    }

    /// Whether the web configuration file can be used.
    #[must_use]
    pub fn web_config(&self) -> WebConfigMetrics {
        self.http.web_config()
    }

    /// The metrics of the state file.
    #[must_use]
    pub fn state_file(&self) -> &StateFileMetrics {
        &self.state_file
    }

    /// The metrics of reloads.
    #[must_use]
    pub fn reloads(&self) -> &ReloadMetrics {
        &self.reloads
    }

    /// Counts a request forwarded to a target, by one of a fixed set of outcomes.
    pub fn passed_through(&self, target: &str, outcome: &'static str) {
        self.scrapes.passthrough_requests.with_label_values(&[target, outcome]).inc();
    }

    /// A request that no scrape was made for.
    pub fn refused(&self, reason: RequestRefusal) {
        self.refused_requests.with_label_values(&[reason.as_str()]).inc();
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

    /// The bound address of a `StatsD` listener, by its address in the settings.
    #[must_use]
    pub fn statsd_listener_address(&self, listener: &str) -> Option<String> {
        self.statsd.bound.get(listener)
    }

    /// The current values of one `StatsD` listener.
    #[must_use]
    pub fn statsd_listener_counts(&self, listener: &str) -> Vec<Count> {
        self.statsd.listener_counts(listener)
    }

    /// The current values of one `StatsD` sink.
    #[must_use]
    pub fn statsd_sink_counts(&self, sink: &str) -> Vec<Count> {
        self.statsd.sink_counts(sink)
    }

    /// When a `StatsD` sink was last sent to, and when it last failed.
    #[must_use]
    pub fn statsd_sink_times(&self, sink: &str) -> LastSent {
        self.statsd.times.get(sink)
    }

    /// All metrics as an exposition.
    ///
    /// # Panics
    ///
    /// Never: gathered families have samples, which is all that the encoder requires.
    #[must_use]
    pub fn text(&self) -> String {
        let encoded = TextEncoder::new().encode_to_string(&self.registry.gather());
        encoded.expect("gathered families have samples, and a String takes everything")
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Metrics::new()
    }
}
