//! What applies to connections: limits, and what a reload can change.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

use super::web_config::{Web, WebConfig};
use crate::shutdown::Shutdown;
use crate::telemetry::HttpListenerMetrics;

/// Maximum number of bytes of a response that are buffered for a client, and of a request head.
pub const BUFFER_BYTES: usize = 128 * 1024;

/// Limits of connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Maximum number of open connections.
    pub max_connections: usize,
    /// Longest request head, up to [`BUFFER_BYTES`].
    pub header_bytes: usize,
    /// How long a request head may take from its first byte, and how long a TLS handshake.
    pub header_timeout: Duration,
    /// How long a connection may wait for its next request.
    pub idle_timeout: Duration,
    /// How long a client may accept no data.
    pub write_timeout: Duration,
    /// How long a whole response may take, from the request on.
    pub answer_timeout: Duration,
}

/// What a reload changes while a listener serves. Timeouts apply from the next connection on,
/// everything else from the next request on.
#[derive(Debug)]
pub struct ReloadableConfig(pub(super) ArcSwap<(Limits, Option<Arc<WebConfig>>)>);

impl ReloadableConfig {
    /// Replaces the current value.
    pub fn replace(&self, limits: Limits, web: Option<Arc<WebConfig>>) {
        self.0.store(Arc::new((limits, web)));
    }

    /// What clients need now and no longer need with `next`, as keys of the web configuration file.
    #[must_use]
    pub fn protection_lost_with(&self, next: Option<&WebConfig>) -> Vec<&'static str> {
        self.0.load().1.as_ref().map_or_else(Vec::new, |now| now.lost_with(next))
    }

    /// The web configuration file in force, if there is one.
    #[must_use]
    pub fn web_config(&self) -> Option<Arc<WebConfig>> {
        self.0.load().1.clone()
    }

    pub(super) fn limits(&self) -> Limits {
        self.0.load().0
    }

    /// The current web configuration, if there is one.
    pub(super) fn web(&self) -> Option<Arc<Web>> {
        self.0.load().1.as_ref().map(|web| web.current())
    }
}

/// What applies to one connection.
#[derive(Clone, Debug)]
pub(super) struct ConnectionContext {
    /// The limits when the connection was accepted.
    pub(super) limits: Limits,
    /// The current value, read for each request.
    pub(super) rules: Arc<ReloadableConfig>,
    pub(super) metrics: HttpListenerMetrics,
    pub(super) shutdown: Shutdown,
}
