//! State that survives a reload of the settings.

use std::sync::Arc;

use super::histories::Histories;
use super::limiter::ScrapeLimiter;
use super::status::Statuses;
use super::upstream::{BoundedResolver, IdlePool, Resolve};
use crate::telemetry::Metrics;

/// State that a gateway passes on to its successor when settings are reloaded. Clones share it.
#[derive(Clone, Debug)]
pub struct SharedState {
    metrics: Arc<Metrics>,
    /// For targets in the settings and for dynamic ones. The latter do not delay the former.
    resolver: Arc<dyn Resolve>,
    dynamic_resolver: Arc<dyn Resolve>,
    limiter: Arc<ScrapeLimiter>,
    statuses: Arc<Statuses>,
    histories: Arc<Histories>,
    idle: Arc<IdlePool>,
}

impl SharedState {
    /// State for the first gateway.
    #[must_use]
    pub fn new(metrics: Arc<Metrics>, resolver: Arc<dyn Resolve>) -> SharedState {
        SharedState {
            metrics,
            resolver: Arc::new(BoundedResolver::new(Arc::clone(&resolver))),
            dynamic_resolver: Arc::new(BoundedResolver::new(resolver)),
            limiter: Arc::default(),
            statuses: Arc::default(),
            histories: Arc::default(),
            idle: Arc::default(),
        }
    }

    /// Crossfade's own metrics.
    #[must_use]
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// What scrapes pass on to the next ones.
    #[must_use]
    pub fn histories(&self) -> &Arc<Histories> {
        &self.histories
    }

    pub(super) fn resolver(&self) -> Arc<dyn Resolve> {
        Arc::clone(&self.resolver)
    }

    pub(super) fn dynamic_resolver(&self) -> Arc<dyn Resolve> {
        Arc::clone(&self.dynamic_resolver)
    }

    pub(super) fn idle(&self) -> Arc<IdlePool> {
        Arc::clone(&self.idle)
    }

    pub(super) fn limiter(&self) -> &Arc<ScrapeLimiter> {
        &self.limiter
    }

    pub(super) fn statuses(&self) -> &Arc<Statuses> {
        &self.statuses
    }
}
