//! One target: where it is scraped, how its exposition is rewritten, and what one scrape tells the next.

use std::sync::Arc;

use hyper::http::uri::{PathAndQuery, Scheme};

use super::upstream::{
    Client, ClientError, Resolve, SystemResolver, Upstream, UpstreamRequest, UpstreamResponse,
};
use super::{Error, SharedState, TargetSettings};
use crate::mapping::Plan;
use crate::rewrite::exposition::{Options, Rewriter};
use crate::scrape::coalesce::InFlightScrapes;
use crate::scrape::histories::{CompletedScrapes, TargetHistories};
use crate::scrape::upstream::exposition::ExpositionBody;
use crate::telemetry::{TargetMetrics, TargetStatus};

/// One target. All that its scrapes share is here.
#[derive(Debug)]
pub struct Target {
    settings: TargetSettings,
    path: PathAndQuery,
    context: RewriteContext,
    upstream: Arc<Upstream>,
    histories: Arc<TargetHistories>,
    in_flight: InFlightScrapes,
}

/// How expositions are rewritten, and where that is counted.
#[derive(Clone, Debug)]
pub struct RewriteContext {
    /// What becomes of each family.
    pub plan: Arc<Plan>,
    /// What becomes of bad lines, and what a scrape may cost.
    pub options: Options,
    /// What is counted.
    pub metrics: TargetMetrics,
}

impl TargetSettings {
    /// Reads the files that scraping the target needs.
    ///
    /// # Errors
    ///
    /// The first that cannot be used.
    pub fn check(&self) -> Result<(), ClientError> {
        self.client(Arc::new(SystemResolver)).map(drop)
    }

    fn client(&self, resolver: Arc<dyn Resolve>) -> Result<Client, ClientError> {
        let client = Client::new(self.http.clone(), resolver);
        client.check(self.url.scheme() == Some(&Scheme::HTTPS))?;
        Ok(client)
    }
}

impl Target {
    /// A target that has not been scraped yet, or goes on where `pasts` know it to be.
    ///
    /// # Errors
    ///
    /// A file that the settings name for its secrets or its TLS cannot be used.
    pub fn new(
        settings: TargetSettings,
        context: RewriteContext,
        histories: Arc<TargetHistories>,
        shared: &SharedState,
    ) -> Result<Target, ClientError> {
        let client = settings.client(shared.resolver())?;
        // The operator has named it, so no allow-list has to.
        let upstream = Upstream::new(&settings.url, Arc::new(client), None)?;
        Ok(Target::with(settings, context, upstream, histories))
    }

    /// A target that a client has named.
    pub(super) fn dynamic(
        settings: TargetSettings,
        context: RewriteContext,
        upstream: Upstream,
    ) -> Target {
        // Others may have the same name, but not the same past.
        Target::with(settings, context, upstream, Arc::default())
    }

    fn with(
        settings: TargetSettings,
        context: RewriteContext,
        upstream: Upstream,
        histories: Arc<TargetHistories>,
    ) -> Target {
        let path = settings.url.path_and_query().cloned();
        let path = path.unwrap_or(PathAndQuery::from_static("/"));
        Target {
            settings,
            path,
            context,
            upstream: Arc::new(upstream),
            histories,
            in_flight: InFlightScrapes::default(),
        }
    }

    /// Where it is and what it emits.
    #[must_use]
    pub fn settings(&self) -> &TargetSettings {
        &self.settings
    }

    /// How its exposition is rewritten.
    #[must_use]
    pub fn plan(&self) -> &Arc<Plan> {
        &self.context.plan
    }

    /// What its last scrapes have told.
    #[must_use]
    pub fn status(&self) -> TargetStatus {
        self.metrics().status()
    }

    pub(super) fn metrics(&self) -> &TargetMetrics {
        &self.context.metrics
    }

    /// Asks it for anything, up to the head of its answer.
    pub(super) async fn ask(&self, ask: &UpstreamRequest) -> Result<UpstreamResponse, Error> {
        self.upstream.get(ask).await
    }

    /// Scrapes it, up to the head of its answer.
    pub(super) async fn open(&self, ask: &UpstreamRequest) -> Result<ExpositionBody, Error> {
        ExpositionBody::new(self.ask(ask).await?)
    }

    /// Its scrapes that can still be joined.
    pub(super) fn in_flight(&self) -> &InFlightScrapes {
        &self.in_flight
    }

    /// Where its exposition is, on its host.
    pub(super) fn path(&self) -> &PathAndQuery {
        &self.path
    }

    /// An engine for the next exposition, and how much of the past it has seen.
    ///
    /// `repeated_types`: whoever asks needs the second `# TYPE` of a histogram that opens twice.
    pub(super) fn rewriter(&self, repeated_types: bool) -> (Rewriter, CompletedScrapes) {
        let (history, seen) = self.histories.of(&self.settings.name);
        let options = Options { repeated_types, ..self.context.options };
        (Rewriter::new(Arc::clone(&self.context.plan), options, history), seen)
    }

    /// A scrape is complete.
    pub(super) fn complete(&self, rewriter: Rewriter, seen: CompletedScrapes) {
        self.histories.complete(&self.settings.name, rewriter.into_history(), seen);
    }
}
