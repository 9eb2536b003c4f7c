//! Routes a request on the data listener to its handler.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use hyper::header::HeaderMap;
use hyper::{Method, Request, Response, StatusCode};

use super::dynamic_targets::DynamicTargetSet;
use super::fleet::MixedEditions;
use super::handlers::Handlers;
use super::landing;
use super::proxy_headers;
use super::response::{self, Body, TEXT, whole};
use super::scraper::Scraper;
use super::settings::{External, Settings};
use super::shared_state::SharedState;
use super::status::Statuses;
use super::target::Target;
use crate::http_server::Prefixed;
use crate::telemetry::RequestRefusal;

/// Everything that can be scraped through Crossfade.
#[derive(Debug)]
pub struct Gateway {
    targets: BTreeMap<String, Arc<Scraper>>,
    /// The target to which a path is forwarded unchanged.
    passthrough: HashMap<String, Arc<Scraper>>,
    dynamic: DynamicTargets,
    statuses: Arc<Statuses>,
    handlers: Handlers,
}

/// Targets that clients name. Without an allow-list there are none.
#[derive(Debug, Default)]
pub struct DynamicTargets {
    /// Targets of proxy requests.
    pub proxy: Option<Arc<DynamicTargetSet>>,
    /// Targets of `/probe`.
    pub probe: Option<Arc<DynamicTargetSet>>,
    /// Targets of `/probe` with a `module` parameter, by the module's name.
    pub modules: BTreeMap<String, Arc<DynamicTargetSet>>,
}

impl DynamicTargets {
    fn all(&self) -> impl Iterator<Item = &Arc<DynamicTargetSet>> {
        self.proxy.iter().chain(&self.probe).chain(self.modules.values())
    }
}

/// The meaning of a path.
enum Route<'a> {
    Landing,
    Target(&'a Arc<Scraper>),
    /// `/metrics`, but there is more than one target.
    Ambiguous,
    Probe,
    Discovery,
    Passthrough(&'a Arc<Scraper>),
    Unknown,
}

impl Gateway {
    /// A gateway to `targets`, whose names differ, and to those that clients may name.
    #[must_use]
    pub fn new(
        targets: Vec<Target>,
        dynamic: DynamicTargets,
        settings: Settings,
        shared: &SharedState,
    ) -> Gateway {
        let by_name =
            |target: Target| (target.settings().name.clone(), Arc::new(Scraper::new(target)));
        let targets: BTreeMap<_, _> = targets.into_iter().map(by_name).collect();
        let paths = |scraper: &Arc<Scraper>| {
            let scraper = Arc::clone(scraper);
            let paths = scraper.target().settings().passthrough.clone();
            paths.into_iter().map(move |path| (path, Arc::clone(&scraper)))
        };
        let passthrough = targets.values().flat_map(paths).collect();
        let statuses = Arc::clone(shared.statuses());
        let handlers = Handlers::new(settings, shared);
        Gateway { targets, passthrough, dynamic, statuses, handlers }
    }

    /// The targets in the settings, by name.
    pub fn targets(&self) -> impl Iterator<Item = &Target> {
        self.targets.values().map(|scraper| &**scraper.target())
    }

    /// The target in the settings with this name.
    #[must_use]
    pub fn target(&self, name: &str) -> Option<&Target> {
        self.targets.get(name).map(|scraper| &**scraper.target())
    }

    /// The generations of which targets emit different editions.
    #[must_use]
    pub fn mixed_editions(&self) -> Vec<MixedEditions> {
        self.statuses.fleet().mixed()
    }

    /// Targets that clients have named: of each kind up to `limit`, the most recent first.
    #[must_use]
    pub fn named_by_clients(&self, limit: usize) -> Vec<Arc<Target>> {
        self.dynamic.all().flat_map(|kind| kind.latest(limit)).collect()
    }

    /// How clients reach the data listener.
    #[must_use]
    pub fn external(&self) -> &External {
        &self.settings().external
    }

    pub(super) fn settings(&self) -> &Settings {
        self.handlers.settings()
    }

    /// The headers of a request for an exposition that is not made for a client.
    pub(super) fn own_headers(&self) -> HeaderMap {
        proxy_headers::exposition_request_headers(&HeaderMap::new(), self.handlers.via())
    }

    /// Answers one request.
    ///
    /// Dropping the future, or the body of the response, closes the connection to the target
    /// unless other clients share the scrape.
    pub async fn answer<B>(&self, request: &Request<B>) -> Response<Body> {
        if let Some(refused) = self.refuse(request) {
            return refused;
        }
        self.dynamic.all().for_each(|set| set.expire());
        let handlers = &self.handlers;
        if request.uri().authority().is_some() {
            return handlers.proxy(self.dynamic.proxy.as_ref(), request).await;
        }
        let path = match handlers.settings().route_prefix.strip(request.uri().path()) {
            Prefixed::Below(path) => path,
            Prefixed::Start => {
                let start = handlers.settings().route_prefix.start(request.uri().path());
                return response::redirect(&start);
            }
            Prefixed::Outside => {
                return self.not_found(RequestRefusal::UnknownPath, "Unknown path");
            }
        };
        match self.route(path) {
            Route::Landing => {
                let external = &handlers.settings().external;
                landing::response(self.targets(), self.dynamic.proxy.is_some(), external)
            }
            Route::Target(scraper) => handlers.target(scraper, request).await,
            Route::Probe => {
                let DynamicTargets { probe, modules, .. } = &self.dynamic;
                handlers.probe(probe.as_ref(), modules, request).await
            }
            Route::Discovery => handlers
                .discovery(&self.targets().map(Target::settings).collect::<Vec<_>>(), request),
            Route::Passthrough(scraper) => handlers.pass_through(scraper.target(), request).await,
            Route::Ambiguous => {
                self.not_found(RequestRefusal::AmbiguousPath, "There are several targets")
            }
            Route::Unknown => self.not_found(RequestRefusal::UnknownPath, "Unknown path"),
        }
    }

    /// The response to a request that is refused whatever its path is.
    fn refuse<B>(&self, request: &Request<B>) -> Option<Response<Body>> {
        let handlers = &self.handlers;
        match *request.method() {
            Method::CONNECT => {
                handlers.count(RequestRefusal::Connect);
                Some(response::no_tunnel(request.uri()))
            }
            Method::GET | Method::HEAD if handlers.via().has_seen(request.headers()) => {
                let text = "Request loop: a target's URL leads back to this gateway.\n";
                handlers.count(RequestRefusal::Loop);
                Some(whole(StatusCode::LOOP_DETECTED, TEXT, text.to_owned()))
            }
            Method::GET | Method::HEAD => None,
            _ => {
                handlers.count(RequestRefusal::Method);
                Some(response::wrong_method())
            }
        }
    }

    fn route(&self, path: &str) -> Route<'_> {
        let only = || self.targets.values().next().filter(|_| self.targets.len() == 1);
        match path {
            "/" => Route::Landing,
            "/metrics" => only().map_or(Route::Ambiguous, Route::Target),
            "/probe" => Route::Probe,
            "/sd" => Route::Discovery,
            path => path
                .strip_prefix("/targets/")
                .and_then(|rest| rest.strip_suffix("/metrics"))
                .and_then(|name| self.targets.get(name))
                .map(Route::Target)
                .or_else(|| self.passthrough.get(path).map(Route::Passthrough))
                .unwrap_or(Route::Unknown),
        }
    }

    fn not_found(&self, refusal: RequestRefusal, problem: &str) -> Response<Body> {
        self.handlers.count(refusal);
        if self.targets.is_empty() {
            let problem = "No target is configured under `targets`";
            return response::failed(StatusCode::NOT_FOUND, format!("{problem}\n"), problem);
        }
        let mut text = format!("{problem}; scrape one of\n");
        let external = &self.settings().external;
        landing::append_paths(&mut text, self.targets(), external);
        let summary = format!("{problem}; scrape {}", external.target_path("NAME"));
        response::failed(StatusCode::NOT_FOUND, text, &summary)
    }
}
