//! One target: its URL, how its exposition is rewritten, and the state that its scrapes share.

use std::fmt;
use std::sync::Arc;

use hyper::http::uri::{PathAndQuery, Scheme};

use super::error::Error;
use super::fleet::Emission;
use super::histories::{CONFIGURED, CompletedScrapes, TargetHistories};
use super::settings::TargetSettings;
use super::shared_state::SharedState;
use super::status::{RunningScrape, StatusCell, TargetStatus};
use super::upstream::{
    Client, ClientErrors, ExpositionBody, Resolve, SystemResolver, Upstream, UpstreamRequest,
    UpstreamResponse,
};
use crate::exposition::Format;
use crate::mapping::Plan;
use crate::rewrite::exposition::{Options, Rewriter};
use crate::telemetry::TargetMetrics;

/// One target, with everything that its scrapes share.
pub struct Target {
    settings: TargetSettings,
    path: PathAndQuery,
    context: RewriteContext,
    upstream: Arc<Upstream>,
    histories: Arc<TargetHistories>,
    /// The key of its history.
    history_key: String,
    status: Arc<StatusCell>,
    is_dynamic: bool,
}

/// Without the query of its URL, which may be secret.
impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// How expositions are rewritten, and the metrics that count it.
#[derive(Clone, Debug)]
pub struct RewriteContext {
    /// The compiled rules.
    pub plan: Arc<Plan>,
    /// How malformed lines are handled, and the limits of one scrape.
    pub options: Options,
    /// The metrics of the target.
    pub metrics: TargetMetrics,
}

impl TargetSettings {
    /// Reads the files that scraping the target needs.
    ///
    /// # Errors
    ///
    /// All files that cannot be used.
    pub fn check(&self) -> Result<(), ClientErrors> {
        self.client(Arc::new(SystemResolver)).map(drop)
    }

    fn client(&self, resolver: Arc<dyn Resolve>) -> Result<Client, ClientErrors> {
        let client = Client::new(self.http.clone(), resolver);
        client.check(self.url.scheme() == Some(&Scheme::HTTPS))?;
        Ok(client)
    }
}

impl Target {
    /// A target in the settings. It continues with the history and the status recorded for its
    /// name, if any.
    ///
    /// # Errors
    ///
    /// A file that the settings name for secrets or TLS cannot be used.
    pub fn new(
        settings: TargetSettings,
        context: RewriteContext,
        shared: &SharedState,
    ) -> Result<Target, ClientErrors> {
        let client = settings.client(shared.resolver())?;
        // The operator configured it, so it is not checked against the allow-list.
        let upstream = Upstream::new(&settings.url, Arc::new(client), None, shared.idle())?;
        let status = shared.statuses().target(&settings.name);
        let histories = shared.histories().of_set(CONFIGURED);
        let history_key = settings.name.clone();
        Ok(Target::with(settings, context, upstream, (histories, history_key), status))
    }

    /// A target that a client has named. It continues with the history recorded for its URL, if
    /// any.
    pub(super) fn dynamic(
        settings: TargetSettings,
        context: RewriteContext,
        upstream: Upstream,
        histories: Arc<TargetHistories>,
        status: Arc<StatusCell>,
    ) -> Target {
        // Several of these share a name, so history and status must not be looked up by name.
        let history_key = settings.url.to_string();
        let target = Target::with(settings, context, upstream, (histories, history_key), status);
        Target { is_dynamic: true, ..target }
    }

    fn with(
        settings: TargetSettings,
        context: RewriteContext,
        upstream: Upstream,
        (histories, history_key): (Arc<TargetHistories>, String),
        status: Arc<StatusCell>,
    ) -> Target {
        let path = settings.url.path_and_query().cloned();
        let path = path.unwrap_or(PathAndQuery::from_static("/"));
        let upstream = Arc::new(upstream);
        Target {
            settings,
            path,
            context,
            upstream,
            histories,
            history_key,
            status,
            is_dynamic: false,
        }
    }

    /// Its settings.
    #[must_use]
    pub fn settings(&self) -> &TargetSettings {
        &self.settings
    }

    /// Its name in the settings; for a dynamic target its host and port, which several can have.
    pub(super) fn shared_name(&self) -> &str {
        if self.is_dynamic { self.settings.authority() } else { &self.settings.name }
    }

    /// The compiled rules for its exposition.
    #[must_use]
    pub fn plan(&self) -> &Arc<Plan> {
        &self.context.plan
    }

    /// Its last scrapes.
    #[must_use]
    pub fn status(&self) -> TargetStatus {
        self.status.status()
    }

    pub(super) fn metrics(&self) -> &TargetMetrics {
        &self.context.metrics
    }

    /// Starts to count a scrape.
    pub(super) fn start(&self) -> RunningScrape {
        let (emit, plan) = (self.settings.mapping.emit, Arc::clone(&self.context.plan));
        let status = Arc::clone(&self.status);
        RunningScrape::start(&self.context.metrics, status, Emission { emit, plan }, self.span())
    }

    /// The span of everything that is logged about a scrape. Its level is that of the most severe
    /// event: a span below the level of the log would take its fields out of every line.
    pub(super) fn span(&self) -> tracing::Span {
        tracing::error_span!("scrape", target = self.settings.name, url = self.settings.shown_url())
    }

    /// Sends a request to the target. Resolves with the head of the response.
    pub(super) async fn send(&self, request: &UpstreamRequest) -> Result<UpstreamResponse, Error> {
        self.upstream.send(request).await
    }

    /// Requests an exposition. Resolves when the head of the response has been checked.
    pub(super) async fn open(&self, request: &UpstreamRequest) -> Result<ExpositionBody, Error> {
        ExpositionBody::new(self.send(request).await?)
    }

    /// The path and query of its exposition.
    pub(super) fn path(&self) -> &PathAndQuery {
        &self.path
    }

    /// An engine for the next exposition, and the number of scrapes that its history covers.
    ///
    /// `repeated_types`: the client needs the second `# TYPE` of a histogram that is reopened.
    pub(super) fn rewriter(
        &self,
        format: Format,
        repeated_types: bool,
    ) -> (Rewriter, CompletedScrapes) {
        let (history, completed) = self.histories.get(&self.history_key);
        let options = Options { format, repeated_types, ..self.context.options };
        (Rewriter::new(Arc::clone(&self.context.plan), options, history), completed)
    }

    /// Whether a scrape has been complete, as far as is known.
    pub(super) fn has_history(&self) -> bool {
        self.histories.contains(&self.history_key)
    }

    /// Forgets its history.
    pub(super) fn forget_history(&self) {
        self.histories.forget(&self.history_key);
    }

    /// Records the history of a scrape that is complete.
    pub(super) fn complete(&self, rewriter: Rewriter, completed: CompletedScrapes) {
        self.histories.complete(&self.history_key, rewriter.into_history(), completed);
    }
}
