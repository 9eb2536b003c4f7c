//! What outlasts settings.

use std::sync::Arc;

use super::upstream::Resolve;
use crate::scrape::limiter::ScrapeLimiter;
use crate::telemetry::Metrics;

/// What a gateway hands on to the one that takes its place when settings change. Clones are one.
#[derive(Clone, Debug)]
pub struct SharedState {
    metrics: Arc<Metrics>,
    resolver: Arc<dyn Resolve>,
    limiter: Arc<ScrapeLimiter>,
}

impl SharedState {
    /// For the first gateway: nothing is going on yet.
    #[must_use]
    pub fn new(metrics: Arc<Metrics>, resolver: Arc<dyn Resolve>) -> SharedState {
        SharedState { metrics, resolver, limiter: Arc::default() }
    }

    /// What is counted.
    #[must_use]
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    pub(super) fn resolver(&self) -> Arc<dyn Resolve> {
        Arc::clone(&self.resolver)
    }

    pub(super) fn limiter(&self) -> &Arc<ScrapeLimiter> {
        &self.limiter
    }
}
