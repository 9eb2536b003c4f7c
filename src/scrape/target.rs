//! One target: where it is scraped, how its exposition is rewritten, and what one scrape tells the next.

use std::sync::Arc;

use hyper::http::uri::{PathAndQuery, Scheme};

use super::past::{Pasts, Seen};
use super::source::Source;
use super::upstream::{Ask, Client, ClientFault, Upstream};
use super::{Failure, TargetSettings};
use crate::mapping::Plan;
use crate::rewrite::{Options, Rewriter};
use crate::telemetry::{TargetMetrics, TargetStatus};

/// One target. All that its scrapes share is here.
#[derive(Debug)]
pub struct Target {
    settings: TargetSettings,
    path: PathAndQuery,
    plan: Arc<Plan>,
    options: Options,
    metrics: TargetMetrics,
    upstream: Arc<Upstream>,
    pasts: Arc<Pasts>,
}

impl Target {
    /// A target that has not been scraped yet.
    ///
    /// # Errors
    ///
    /// A file that the settings name for its secrets or its TLS cannot be used.
    pub fn new(
        settings: TargetSettings,
        plan: Arc<Plan>,
        options: Options,
        metrics: TargetMetrics,
        pasts: Arc<Pasts>,
    ) -> Result<Target, ClientFault> {
        let client = Client::new(settings.http.clone());
        client.check(settings.url.scheme() == Some(&Scheme::HTTPS))?;
        let upstream = Arc::new(Upstream::new(&settings.url, Arc::new(client))?);
        let path = settings.url.path_and_query().cloned();
        let path = path.unwrap_or(PathAndQuery::from_static("/"));
        Ok(Target { settings, path, plan, options, metrics, upstream, pasts })
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

    /// What its last scrapes have told.
    #[must_use]
    pub fn status(&self) -> TargetStatus {
        self.metrics.status()
    }

    pub(super) fn metrics(&self) -> &TargetMetrics {
        &self.metrics
    }

    /// Scrapes the target, up to the head of its answer.
    pub(super) async fn open(&self, ask: &Ask) -> Result<Source, Failure> {
        Source::new(self.upstream.get(ask).await?)
    }

    /// Where its exposition is, on its host.
    pub(super) fn path(&self) -> &PathAndQuery {
        &self.path
    }

    /// An engine for the next exposition, and how much of the past it has seen.
    ///
    /// `repeated_types`: whoever asks needs the second `# TYPE` of a histogram that opens twice.
    pub(super) fn rewriter(&self, repeated_types: bool) -> (Rewriter, Seen) {
        let (history, seen) = self.pasts.of(&self.settings.name);
        let options = Options { repeated_types, ..self.options };
        (Rewriter::new(Arc::clone(&self.plan), options, history), seen)
    }

    /// A scrape is complete.
    pub(super) fn complete(&self, rewriter: Rewriter, seen: Seen) {
        self.pasts.complete(&self.settings.name, rewriter.into_history(), seen);
    }
}
