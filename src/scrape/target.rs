//! One target: where it is scraped, how its exposition is rewritten, and what one scrape tells the next.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::source::Source;
use super::upstream::Upstream;
use super::{Failure, TargetSettings};
use crate::mapping::Plan;
use crate::rewrite::{History, Options, Rewriter};
use crate::telemetry::TargetMetrics;

/// One target. All that its scrapes share is here.
#[derive(Debug)]
pub struct Target {
    settings: TargetSettings,
    plan: Arc<Plan>,
    options: Options,
    metrics: TargetMetrics,
    upstream: Arc<Upstream>,
    past: Mutex<Past>,
}

/// What complete scrapes have left behind.
#[derive(Debug, Default)]
struct Past {
    history: History,
    /// How many scrapes have completed.
    completed: u64,
}

/// How much of the past a scrape has seen: the number of scrapes that were complete when it began.
pub(super) type Seen = u64;

impl Target {
    /// A target that has not been scraped yet.
    #[must_use]
    pub fn new(
        settings: TargetSettings,
        plan: Arc<Plan>,
        options: Options,
        metrics: TargetMetrics,
    ) -> Target {
        let upstream = Arc::new(Upstream::new(&settings.url));
        Target { settings, plan, options, metrics, upstream, past: Mutex::default() }
    }

    /// Where it is and what it emits.
    #[must_use]
    pub fn settings(&self) -> &TargetSettings {
        &self.settings
    }

    /// How its exposition is rewritten.
    #[must_use]
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    pub(super) fn metrics(&self) -> &TargetMetrics {
        &self.metrics
    }

    /// Scrapes the target, up to the head of its answer.
    pub(super) async fn open(
        &self,
        timeout: Duration,
        deadline: Instant,
    ) -> Result<Source, Failure> {
        Source::new(self.upstream.get(timeout, deadline).await?)
    }

    /// An engine for the next exposition, and how much of the past it has seen.
    pub(super) fn rewriter(&self) -> (Rewriter, Seen) {
        let (history, seen) = {
            let past = self.past();
            (past.history.clone(), past.completed)
        };
        (Rewriter::new(Arc::clone(&self.plan), self.options, history), seen)
    }

    /// A scrape is complete: the next one begins where it ended. Of scrapes that overlapped, each leaves its share.
    pub(super) fn complete(&self, rewriter: Rewriter, seen: Seen) {
        let history = rewriter.into_history();
        let mut past = self.past();
        past.history = if past.completed == seen { history } else { history.join(&past.history) };
        past.completed += 1;
    }

    fn past(&self) -> MutexGuard<'_, Past> {
        // It is only ever replaced whole, so a panic elsewhere leaves nothing half done.
        self.past.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
