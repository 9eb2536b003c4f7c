//! What the data listener answers.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use hyper::header::{CONTENT_ENCODING, HeaderMap, HeaderValue, VARY};
use hyper::{Method, Request, Response, StatusCode, Uri};
use tokio::time::Instant;

use super::gzip::{self, GzipBody};
use super::passthrough::PassthroughBody;
use super::timeout::scrape_timeout;
use super::upstream::UpstreamRequest;
use super::{Error, Settings, SharedState, Target, discovery};
use crate::http_server::Encrypted;
use crate::scrape::allow_list::Denied;
use crate::scrape::coalesce::SharedScrapeBody;
use crate::scrape::dynamic_targets::{DynamicTargetSet, Unavailable, is_target_url, probe_url};
use crate::scrape::limiter::ScrapeLimiter;
use crate::scrape::proxy_headers::{self, Via};
use crate::scrape::response::{self, Body, EXPOSITION, HTML, TEXT, append, empty, respond, whole};
use crate::scrape::rewriting_body::RewritingBody;
use crate::scrape::user_agent::reads_le_by_type;
use crate::telemetry::Metrics;

/// Everything that is scraped through us.
#[derive(Debug)]
pub struct Gateway {
    targets: BTreeMap<String, Arc<Target>>,
    /// Paths that are handed through, and to whom.
    passthrough: HashMap<String, Arc<Target>>,
    clients: DynamicTargets,
    settings: Settings,
    metrics: Arc<Metrics>,
    via: Via,
    limiter: Arc<ScrapeLimiter>,
}

/// Targets that clients name. Without an allow-list there are none.
#[derive(Debug, Default)]
pub struct DynamicTargets {
    /// Those of requests that come to us as to a proxy.
    pub proxy: Option<Arc<DynamicTargetSet>>,
    /// Those of `/probe`.
    pub probe: Option<Arc<DynamicTargetSet>>,
    /// Those of `/probe` with a `module`, by its name.
    pub modules: BTreeMap<String, Arc<DynamicTargetSet>>,
}

/// Where a path leads.
enum Route<'a> {
    Landing,
    Target(&'a Arc<Target>),
    /// `/metrics`, of which there are several.
    Ambiguous,
    Probe,
    Discovery,
    Through(&'a Arc<Target>),
    Nowhere,
}

impl Gateway {
    /// A gateway to targets whose names differ, and to those that clients may name.
    #[must_use]
    pub fn new(
        targets: Vec<Target>,
        clients: DynamicTargets,
        settings: Settings,
        shared: &SharedState,
    ) -> Gateway {
        let named = |target: Target| (target.settings().name.clone(), Arc::new(target));
        let targets: BTreeMap<_, _> = targets.into_iter().map(named).collect();
        let through = |target: &Arc<Target>| {
            let target = Arc::clone(target);
            let paths = target.settings().passthrough.clone();
            paths.into_iter().map(move |path| (path, Arc::clone(&target)))
        };
        let passthrough = targets.values().flat_map(through).collect();
        let (metrics, limiter) = (Arc::clone(shared.metrics()), Arc::clone(shared.limiter()));
        Gateway { targets, passthrough, clients, settings, metrics, via: Via::new(), limiter }
    }

    /// All targets, by name.
    pub fn targets(&self) -> impl Iterator<Item = &Target> {
        self.targets.values().map(Arc::as_ref)
    }

    /// The target of this name.
    #[must_use]
    pub fn target(&self, name: &str) -> Option<&Target> {
        self.targets.get(name).map(Arc::as_ref)
    }

    /// Targets that clients have named, of each kind up to so many.
    #[must_use]
    pub fn named_by_clients(&self, most: usize) -> Vec<Arc<Target>> {
        let DynamicTargets { proxy, probe, modules } = &self.clients;
        let kinds = proxy.iter().chain(probe.iter()).chain(modules.values());
        kinds.flat_map(|kind| kind.latest(most)).collect()
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The headers with which we ask for an exposition on nobody's behalf.
    pub(super) fn own_headers(&self) -> HeaderMap {
        proxy_headers::exposition_request_headers(&HeaderMap::new(), &self.via)
    }

    /// Answers one request.
    ///
    /// Cancelling before the answer is there closes the connection to the target, and so does dropping its body.
    pub async fn answer<B>(&self, request: &Request<B>) -> Response<Body> {
        if *request.method() == Method::CONNECT {
            self.metrics.refused("connect");
            return response::no_tunnel(request.uri());
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            self.metrics.refused("method");
            return response::wrong_method();
        }
        if self.via.has_seen(request.headers()) {
            self.metrics.refused("loop");
            let text =
                "This request has been here before: a target's URL leads back to this gateway.\n";
            return whole(StatusCode::LOOP_DETECTED, TEXT, text.to_owned());
        }
        if request.uri().authority().is_some() {
            return self.proxy(request).await;
        }
        match self.route(request.uri().path()) {
            Route::Landing => whole(StatusCode::OK, HTML, self.landing_page()),
            Route::Target(target) => {
                match proxy_headers::with_query(target.path(), request.uri().query()) {
                    Some(path) => self.scrape(target, path, request).await,
                    None => self.query_too_long(),
                }
            }
            Route::Probe => self.probe(request).await,
            Route::Discovery => self.discovery(request),
            Route::Through(target) => self.pass_through(target, request).await,
            Route::Ambiguous => {
                self.metrics.refused("ambiguous_path");
                let mut text = "There are several targets; scrape one of\n".to_owned();
                self.append_paths(&mut text);
                whole(StatusCode::NOT_FOUND, TEXT, text)
            }
            Route::Nowhere => {
                self.metrics.refused("path");
                let mut text = "Nothing is here; scrape one of\n".to_owned();
                self.append_paths(&mut text);
                whole(StatusCode::NOT_FOUND, TEXT, text)
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
                .or_else(|| self.passthrough.get(path).map(Route::Through))
                .unwrap_or(Route::Nowhere),
        }
    }

    /// A request that came to us as to a proxy: its URL is a whole one.
    async fn proxy<B>(&self, request: &Request<B>) -> Response<Body> {
        let url = request.uri();
        if !is_target_url(url) {
            return self
                .bad_request("Only http and https URLs, without a user name, can be scraped.\n");
        }
        let path = url.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string);
        let path = path.parse().expect("the path of a URL is one");
        self.scrape_named(self.clients.proxy.as_ref(), url, path, request).await
    }

    /// `/probe?target=`: the client says in the query what to scrape. Everything else in the query is for the target.
    async fn probe<B>(&self, request: &Request<B>) -> Response<Body> {
        let query = request.uri().query().unwrap_or_default();
        let (mut target, mut module, mut rest) = (None, None, Vec::new());
        for pair in query.split('&') {
            match pair.split_once('=') {
                Some(("target", value)) => target = proxy_headers::unescaped(value),
                Some(("module", value)) => module = proxy_headers::unescaped(value),
                _ => rest.push(pair),
            }
        }
        let module = module.filter(|module| !module.is_empty());
        let among = match &module {
            None => self.clients.probe.as_ref(),
            Some(name) => match self.clients.modules.get(name) {
                Some(module) => Some(module),
                None if self.clients.probe.is_none() => None,
                None => {
                    return self
                        .bad_request("There is no such module; see `modules:` in the settings.\n");
                }
            },
        };
        let Some(url) = target.as_deref().and_then(probe_url) else {
            return self.bad_request(
                "Say what to scrape: /probe?target=HOST:PORT, with a path where it is not /metrics, or a URL.\n",
            );
        };
        let own = url.path_and_query().expect("a whole URL has a path");
        let Some(path) = proxy_headers::with_query(own, Some(rest.join("&").as_str())) else {
            return self.query_too_long();
        };
        self.scrape_named(among, &url, path, request).await
    }

    async fn scrape_named<B>(
        &self,
        among: Option<&Arc<DynamicTargetSet>>,
        url: &Uri,
        path: hyper::http::uri::PathAndQuery,
        request: &Request<B>,
    ) -> Response<Body> {
        let target = match among {
            Some(among) => among.target(url),
            None => Err(Unavailable::Refused(Denied::NotListed)),
        };
        match target {
            Ok(target) => self.scrape(&target, path, request).await,
            Err(Unavailable::Refused(refusal)) => {
                self.metrics.refused("not_allowed");
                let authority = url.authority().map_or("", |authority| authority.as_str());
                tracing::warn!(url = %authority, %refusal, "A client asked for what is not allowed.");
                let text =
                    format!("{authority} must not be scraped through this gateway: {refusal}.\n");
                whole(StatusCode::FORBIDDEN, TEXT, text)
            }
            Err(Unavailable::Failed(error)) => {
                self.metrics.refused("unusable");
                whole(error.status(), TEXT, format!("{error}\n"))
            }
        }
    }

    fn bad_request(&self, text: &str) -> Response<Body> {
        self.metrics.refused("bad_request");
        whole(StatusCode::BAD_REQUEST, TEXT, text.to_owned())
    }

    fn query_too_long(&self) -> Response<Body> {
        self.metrics.refused("bad_request");
        let text = "The query is too long to stand behind the target's own.\n";
        whole(StatusCode::URI_TOO_LONG, TEXT, text.to_owned())
    }

    fn discovery<B>(&self, request: &Request<B>) -> Response<Body> {
        let address = self.settings.external_address.clone();
        let Some(address) = address.or_else(|| discovery::asked_at(request.headers())) else {
            return self.bad_request(
                "The Host header does not say where we are; send one, or set web.external_address.\n",
            );
        };
        let targets = self.targets.values().map(|target| target.settings());
        let is_encrypted = request.extensions().get::<Encrypted>().is_some();
        let groups = discovery::groups(targets, &address, is_encrypted);
        let json = serde_json::to_string(&groups).expect("text can be written as JSON");
        whole(StatusCode::OK, "application/json", json)
    }

    async fn pass_through<B>(&self, target: &Arc<Target>, request: &Request<B>) -> Response<Body> {
        let timeout = scrape_timeout(request.headers(), &self.settings);
        let deadline = Instant::now() + timeout;
        let ask = UpstreamRequest {
            method: request.method().clone(),
            path: request.uri().path_and_query().expect("it was found by its path").clone(),
            headers: proxy_headers::passthrough_request_headers(request.headers(), &self.via),
            timeout,
            deadline,
        };
        let answer = tokio::time::timeout_at(deadline, target.ask(&ask)).await;
        match answer.unwrap_or(Err(Error::Timeout(timeout))) {
            Ok(answer) => {
                self.metrics.passed_through(&target.settings().name, "answered");
                let body = PassthroughBody::new(answer.body, timeout, deadline);
                let mut response = Response::new(response::boxed(body));
                *response.status_mut() = answer.status;
                *response.headers_mut() = proxy_headers::end_to_end(&answer.headers);
                response
            }
            Err(error) => {
                self.metrics.passed_through(&target.settings().name, error.reason());
                let target = target.settings();
                let path = request.uri().path();
                tracing::warn!(target = %target.name, path, error = %error, "A request could not be handed through.");
                failed(target, &error)
            }
        }
    }

    async fn scrape<B>(
        &self,
        target: &Arc<Target>,
        path: hyper::http::uri::PathAndQuery,
        request: &Request<B>,
    ) -> Response<Body> {
        let timeout = scrape_timeout(request.headers(), &self.settings);
        let deadline = Instant::now() + timeout;
        let ask = UpstreamRequest {
            method: Method::GET,
            path,
            headers: proxy_headers::exposition_request_headers(request.headers(), &self.via),
            timeout,
            deadline,
        };
        let repeated_types = reads_le_by_type(request.headers());
        let Some(mut body) = self.join(target, ask, repeated_types) else {
            self.metrics.refused("busy");
            let text =
                "As many scrapes as may be are under way (limits.scrapes); come back later.\n";
            return whole(StatusCode::SERVICE_UNAVAILABLE, TEXT, text.to_owned());
        };
        if let Err(error) = body.start().await {
            return failed(target.settings(), &error);
        }
        if request.method() == Method::HEAD {
            // The head is true: the target has answered with samples. The rest need not be fetched.
            body.stop();
            return respond(StatusCode::OK, EXPOSITION, empty());
        }
        self.exposition(body, request.headers())
    }

    /// The client's part in a scrape: one that is under way, or a new one unless there are too many.
    fn join(
        &self,
        target: &Arc<Target>,
        ask: UpstreamRequest,
        repeated_types: bool,
    ) -> Option<SharedScrapeBody> {
        let start = |ask: &UpstreamRequest| {
            let permit = self.limiter.begin(&self.settings)?;
            let opening = {
                let (target, ask) = (Arc::clone(target), ask.clone());
                Box::pin(async move { target.open(&ask).await })
            };
            let idle = self.settings.idle_timeout;
            Some(RewritingBody::new(Arc::clone(target), opening, repeated_types, permit, idle))
        };
        target.in_flight().join(target, ask, repeated_types, start)
    }

    fn exposition(&self, body: SharedScrapeBody, headers: &HeaderMap) -> Response<Body> {
        let level = self.settings.gzip_level;
        if level == 0 || !gzip::accepted(headers) {
            return respond(StatusCode::OK, EXPOSITION, response::boxed(body));
        }
        let body = response::boxed(GzipBody::new(body, level));
        let mut response = respond(StatusCode::OK, EXPOSITION, body);
        let headers = response.headers_mut();
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
        response
    }

    fn append_paths(&self, text: &mut String) {
        for name in self.targets.keys() {
            append(text, format_args!("/targets/{name}/metrics\n"));
        }
    }

    fn landing_page(&self) -> String {
        let mut page = String::from(concat!(
            "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Crossfade</title></head>\n",
            "<body><h1>Crossfade</h1>\n<p>What Prometheus scrapes here:</p>\n<ul>\n",
        ));
        for (name, target) in &self.targets {
            // Names and words of our own: nothing here needs an escape.
            let emit = target.settings().mapping.emit;
            append(
                &mut page,
                format_args!(
                    "<li><a href=\"/targets/{name}/metrics\">/targets/{name}/metrics</a> (emit: {emit})</li>\n"
                ),
            );
        }
        page.push_str("</ul>\n");
        if self.targets.len() == 1 {
            page.push_str("<p>The same at <a href=\"/metrics\">/metrics</a>.</p>\n");
        }
        if !self.targets.is_empty() {
            page.push_str(
                "<p>All of them, for <code>http_sd_configs</code>: <a href=\"/sd\">/sd</a>.</p>\n",
            );
        }
        if self.clients.proxy.is_some() {
            page.push_str(
                "<p>What the allow-list names: through <code>proxy_url</code>, or at <code>/probe?target=HOST:PORT</code>.</p>\n",
            );
        }
        page.push_str("</body></html>\n");
        page
    }
}

fn failed(target: &super::TargetSettings, error: &Error) -> Response<Body> {
    let text = format!("target {} ({}): {error}\n", target.name, target.shown_url());
    whole(error.status(), TEXT, text)
}
