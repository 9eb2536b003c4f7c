//! Time limits.

use std::time::Duration;

/// How long a server may take.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// From the beginning of a request to the head of its response, and to the end of a response
    /// that is read as a whole.
    pub exchange: Duration,
    /// Between two pieces of a body that is read in pieces.
    pub idle: Duration,
}

impl Default for Timeouts {
    /// Prometheus ends a query after two minutes by default, and answers then.
    fn default() -> Timeouts {
        Timeouts { exchange: Duration::from_secs(130), idle: Duration::from_secs(60) }
    }
}
