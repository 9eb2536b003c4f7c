//! One target: where it is scraped, how its exposition is rewritten, and what one scrape tells the next.

use std::sync::Arc;

use hyper::http::uri::{PathAndQuery, Scheme};

use super::upstream::{Answer, Ask, Client, ClientFault, Resolve, SystemResolver, Upstream};
use super::{Failure, Lasting, TargetSettings};
use crate::mapping::Plan;
use crate::rewrite::exposition::{Options, Rewriter};
use crate::scrape::coalesce::UnderWay;
use crate::scrape::histories::{Pasts, Seen};
use crate::scrape::upstream::exposition::Source;
use crate::telemetry::{TargetMetrics, TargetStatus};

/// One target. All that its scrapes share is here.
#[derive(Debug)]
pub struct Target {
    settings: TargetSettings,
    path: PathAndQuery,
    treatment: Treatment,
    upstream: Arc<Upstream>,
    pasts: Arc<Pasts>,
    under_way: UnderWay,
}

/// How expositions are rewritten, and where that is counted.
#[derive(Clone, Debug)]
pub struct Treatment {
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
    pub fn check(&self) -> Result<(), ClientFault> {
        self.client(Arc::new(SystemResolver)).map(drop)
    }

    fn client(&self, resolver: Arc<dyn Resolve>) -> Result<Client, ClientFault> {
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
        treatment: Treatment,
        pasts: Arc<Pasts>,
        lasting: &Lasting,
    ) -> Result<Target, ClientFault> {
        let client = settings.client(lasting.resolver())?;
        // The operator has named it, so no allow-list has to.
        let upstream = Upstream::new(&settings.url, Arc::new(client), None)?;
        Ok(Target::with(settings, treatment, upstream, pasts))
    }

    /// A target that a client has named.
    pub(super) fn on_demand(
        settings: TargetSettings,
        treatment: Treatment,
        upstream: Upstream,
    ) -> Target {
        // Others may have the same name, but not the same past.
        Target::with(settings, treatment, upstream, Arc::default())
    }

    fn with(
        settings: TargetSettings,
        treatment: Treatment,
        upstream: Upstream,
        pasts: Arc<Pasts>,
    ) -> Target {
        let path = settings.url.path_and_query().cloned();
        let path = path.unwrap_or(PathAndQuery::from_static("/"));
        Target {
            settings,
            path,
            treatment,
            upstream: Arc::new(upstream),
            pasts,
            under_way: UnderWay::default(),
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
        &self.treatment.plan
    }

    /// What its last scrapes have told.
    #[must_use]
    pub fn status(&self) -> TargetStatus {
        self.metrics().status()
    }

    pub(super) fn metrics(&self) -> &TargetMetrics {
        &self.treatment.metrics
    }

    /// Asks it for anything, up to the head of its answer.
    pub(super) async fn ask(&self, ask: &Ask) -> Result<Answer, Failure> {
        self.upstream.get(ask).await
    }

    /// Scrapes it, up to the head of its answer.
    pub(super) async fn open(&self, ask: &Ask) -> Result<Source, Failure> {
        Source::new(self.ask(ask).await?)
    }

    /// Its scrapes that can still be joined.
    pub(super) fn under_way(&self) -> &UnderWay {
        &self.under_way
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
        let options = Options { repeated_types, ..self.treatment.options };
        (Rewriter::new(Arc::clone(&self.treatment.plan), options, history), seen)
    }

    /// A scrape is complete.
    pub(super) fn complete(&self, rewriter: Rewriter, seen: Seen) {
        self.pasts.complete(&self.settings.name, rewriter.into_history(), seen);
    }
}
