//! Metrics of Crossfade's HTTP listeners.

use prometheus::{IntCounterVec, IntGauge, IntGaugeVec};

use super::define::Define;
use super::reasons::ConnectionRefusal;

/// The families of all listeners.
#[derive(Clone, Debug)]
pub(super) struct HttpMetrics {
    connections: IntGaugeVec,
    refusals: IntCounterVec,
    web_config: IntGauge,
}

impl HttpMetrics {
    pub(super) fn register(define: Define<'_>) -> prometheus::Result<HttpMetrics> {
        let web_config = define.gauge(
            "crossfade_web_config_last_read_successful",
            "Whether the web configuration file and its certificates could be used when they last changed.",
        )?;
        web_config.set(1);
        Ok(HttpMetrics {
            connections: define.gauges(
                "crossfade_http_connections",
                "Open connections of clients.",
                &["listener"],
            )?,
            refusals: define.counters(
                "crossfade_http_refusals_total",
                "Requests refused and connections closed before a request was handled, by reason.",
                &["listener", "reason"],
            )?,
            web_config,
        })
    }

    pub(super) fn listener(&self, listener: &'static str) -> HttpListenerMetrics {
        let connections = self.connections.with_label_values(&[listener]);
        HttpListenerMetrics { listener, connections, refusals: self.refusals.clone() }
    }

    pub(super) fn web_config(&self) -> WebConfigMetrics {
        WebConfigMetrics(self.web_config.clone())
    }
}

/// The metrics of one listener.
#[derive(Clone, Debug)]
pub struct HttpListenerMetrics {
    listener: &'static str,
    connections: IntGauge,
    refusals: IntCounterVec,
}

impl HttpListenerMetrics {
    /// A connection is open for as long as this lives.
    #[must_use]
    pub fn connection(&self) -> OpenHttpConnection {
        self.connections.inc();
        OpenHttpConnection(self.connections.clone())
    }

    /// Counts a refused client.
    pub fn refused(&self, reason: ConnectionRefusal) {
        self.refusals.with_label_values(&[self.listener, reason.as_str()]).inc();
    }
}

/// An open connection.
#[derive(Debug)]
pub struct OpenHttpConnection(IntGauge);

impl Drop for OpenHttpConnection {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Whether the web configuration file can be used.
#[derive(Clone, Debug)]
pub struct WebConfigMetrics(IntGauge);

impl WebConfigMetrics {
    /// It was read.
    pub fn read(&self, usable: bool) {
        self.0.set(i64::from(usable));
    }
}
