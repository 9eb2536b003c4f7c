//! The admin listener: Crossfade's own metrics, health checks, the reload endpoint, and the status
//! page with its API.
//!
//! Only `/-/reload` changes anything; all other routes are read-only.

mod api;
mod browser;
mod handlers;
mod page;
mod respond;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use tokio::sync::Semaphore;

use crate::running::{Reloader, Running};
use crate::telemetry::Metrics;

/// The admin listener's view of the gateway.
#[derive(Debug)]
pub struct Admin {
    metrics: Arc<Metrics>,
    current: Arc<ArcSwap<Running>>,
    reloader: Reloader,
    ready: AtomicBool,
    started: SystemTime,
    /// Limits previews, because each costs a scrape and the memory of two bodies.
    previews: Semaphore,
}

impl Admin {
    /// Not ready yet.
    #[must_use]
    pub fn new(metrics: Arc<Metrics>, current: Arc<ArcSwap<Running>>, reloader: Reloader) -> Admin {
        Admin {
            metrics,
            current,
            reloader,
            ready: AtomicBool::new(false),
            started: SystemTime::now(),
            previews: Semaphore::new(1),
        }
    }

    /// Sets the result of the readiness check.
    pub fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Relaxed);
    }

    fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed)
    }
}
