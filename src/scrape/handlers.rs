//! One handler for each kind of request on the data listener.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hyper::header::{CONTENT_ENCODING, HeaderMap, HeaderValue};
use hyper::http::uri::PathAndQuery;
use hyper::{Method, Request, Response, StatusCode, Uri};
use tokio::time::Instant;
use tracing::Instrument as _;

use super::allow_list::Denied;
use super::coalesce::SharedScrapeBody;
use super::discovery;
use super::dynamic_targets::{DynamicTargetSet, Unavailable, is_target_url, probe_url};
use super::error::Error;
use super::gzip::{self, GzipBody};
use super::limiter::ScrapeLimiter;
use super::passthrough::PassthroughBody;
use super::proxy_headers::{self, Via};
use super::response::{self, Body, TEXT, empty, whole};
use super::scraper::Scraper;
use super::settings::{Settings, TargetSettings};
use super::shared_state::SharedState;
use super::target::Target;
use super::timeout::scrape_timeout;
use super::upstream::UpstreamRequest;
use super::user_agent::needs_repeated_types;
use crate::http_server::{ClientAddress, Encrypted};
use crate::telemetry::{Metrics, RequestRefusal};

/// Outcome of a forwarded request that the target answered, as a label value.
const ANSWERED: &str = "answered";

/// What all handlers share.
#[derive(Debug)]
pub(super) struct Handlers {
    settings: Settings,
    metrics: Arc<Metrics>,
    via: Via,
    limiter: Arc<ScrapeLimiter>,
}

impl Handlers {
    pub(super) fn new(settings: Settings, shared: &SharedState) -> Handlers {
        let (metrics, limiter) = (Arc::clone(shared.metrics()), Arc::clone(shared.limiter()));
        Handlers { settings, metrics, via: Via::new(), limiter }
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(super) fn via(&self) -> &Via {
        &self.via
    }

    /// Counts a request that is refused.
    pub(super) fn count(&self, refusal: RequestRefusal) {
        self.metrics.refused(refusal);
    }

    /// `/targets/NAME/metrics` and `/metrics`.
    pub(super) async fn target<B>(
        &self,
        scraper: &Arc<Scraper>,
        request: &Request<B>,
    ) -> Response<Body> {
        match proxy_headers::with_query(scraper.target().path(), request.uri().query()) {
            Some(path) => self.scrape(scraper, path, request).await,
            None => self.query_too_long(),
        }
    }

    /// A proxy request: its request line contains an absolute URL.
    pub(super) async fn proxy<B>(
        &self,
        allowed: Option<&Arc<DynamicTargetSet>>,
        request: &Request<B>,
    ) -> Response<Body> {
        let url = request.uri();
        if !is_target_url(url) {
            return self
                .bad_request("Only http and https URLs without a user name can be scraped.\n");
        }
        let path = url.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string);
        let path = path.parse().expect("the path of a URL is one");
        self.scrape_dynamic(allowed, url, path, request).await
    }

    /// `/probe?target=`: scrapes the target in the query. All parameters except `target` and
    /// `module` are forwarded to it.
    pub(super) async fn probe<B>(
        &self,
        probe: Option<&Arc<DynamicTargetSet>>,
        modules: &BTreeMap<String, Arc<DynamicTargetSet>>,
        request: &Request<B>,
    ) -> Response<Body> {
        let query = request.uri().query().unwrap_or_default();
        let (mut target, mut module, mut rest) = (None, None, Vec::new());
        for pair in query.split('&') {
            match pair.split_once('=') {
                Some(("target", value)) => target = proxy_headers::decode_query_value(value),
                Some(("module", value)) => module = proxy_headers::decode_query_value(value),
                _ => rest.push(pair),
            }
        }
        let module = module.filter(|module| !module.is_empty());
        let allowed = match module.map(|name| modules.get(&name)) {
            None => probe,
            Some(None) if probe.is_some() => {
                return self
                    .bad_request("There is no such module; see `modules:` in the settings.\n");
            }
            Some(module) => module,
        };
        let Some(url) = target.as_deref().and_then(probe_url) else {
            return self.bad_request(
                "No target to scrape: use /probe?target=HOST:PORT, HOST:PORT/PATH or a URL.\n",
            );
        };
        let own = url.path_and_query().expect("an absolute URL has a path");
        let Some(path) = proxy_headers::with_query(own, Some(rest.join("&").as_str())) else {
            return self.query_too_long();
        };
        self.scrape_dynamic(allowed, &url, path, request).await
    }

    async fn scrape_dynamic<B>(
        &self,
        allowed: Option<&Arc<DynamicTargetSet>>,
        url: &Uri,
        path: PathAndQuery,
        request: &Request<B>,
    ) -> Response<Body> {
        let scraper = match allowed {
            Some(allowed) => allowed.scraper(url),
            None => Err(Unavailable::Denied(Denied::NotListed)),
        };
        match scraper {
            Ok(scraper) => self.scrape(&scraper, path, request).await,
            Err(Unavailable::Denied(denied)) => {
                self.count(RequestRefusal::NotAllowed);
                let authority = url.authority().map_or("", |authority| authority.as_str());
                tracing::warn!(url = %authority, reason = %denied, "target is not allowed");
                let text =
                    format!("{authority} must not be scraped through this gateway: {denied}.\n");
                whole(StatusCode::FORBIDDEN, TEXT, text)
            }
            Err(Unavailable::Failed(error)) => {
                self.count(RequestRefusal::Unusable);
                let authority = url.authority().map_or("", |authority| authority.as_str());
                let summary = error.summary(authority);
                response::failed(error.status(), format!("{error}\n"), &summary)
            }
        }
    }

    /// `/sd`: service discovery.
    pub(super) fn discovery<B>(
        &self,
        targets: &[&TargetSettings],
        request: &Request<B>,
    ) -> Response<Body> {
        let external = &self.settings.external;
        let requested = || discovery::requested_address(request.headers());
        let Some(address) = external.address.clone().or_else(requested) else {
            return self.bad_request(
                "The Host header has no usable address; send one, or set web.external_address.\n",
            );
        };
        // Without TLS, the job of Prometheus decides: a load balancer may terminate it.
        let encrypted = request.extensions().get::<Encrypted>().map(|_| "https");
        let scheme = external.scheme.or(encrypted);
        let targets = targets.iter().copied();
        let groups = discovery::groups(targets, &address, scheme, &external.prefix);
        let json = serde_json::to_string(&groups).expect("text can be written as JSON");
        whole(StatusCode::OK, "application/json", json)
    }

    /// Forwards a request for a path of the target to it, unchanged but for the prefix of the path.
    pub(super) async fn pass_through<B>(
        &self,
        target: &Arc<Target>,
        request: &Request<B>,
    ) -> Response<Body> {
        let timeout = self.timeout(request.headers());
        let deadline = Instant::now() + timeout;
        let upstream_request = UpstreamRequest {
            method: request.method().clone(),
            path: proxy_headers::without_prefix(request.uri(), &self.settings.route_prefix),
            headers: proxy_headers::passthrough_request_headers(request.headers(), &self.via),
            timeout,
            deadline,
        };
        let name = &target.settings().name;
        let answer = tokio::time::timeout_at(deadline, target.send(&upstream_request)).await;
        match answer.unwrap_or(Err(Error::Timeout(timeout))) {
            Ok(answer) => {
                self.metrics.passed_through(name, ANSWERED);
                let body = PassthroughBody::new(answer.body, timeout, deadline);
                let mut response = Response::new(response::boxed(body));
                *response.status_mut() = answer.status;
                *response.headers_mut() = proxy_headers::end_to_end(&answer.headers);
                response
            }
            Err(error) => {
                self.metrics.passed_through(name, error.reason());
                let path = request.uri().path();
                let _span = target.span().entered();
                tracing::warn!(path, %error, "passthrough request failed");
                failed(target.settings(), &error)
            }
        }
    }

    async fn scrape<B>(
        &self,
        scraper: &Arc<Scraper>,
        path: PathAndQuery,
        request: &Request<B>,
    ) -> Response<Body> {
        let timeout = self.timeout(request.headers());
        let deadline = Instant::now() + timeout;
        let upstream_request = UpstreamRequest {
            method: Method::GET,
            path,
            headers: proxy_headers::exposition_request_headers(request.headers(), &self.via),
            timeout,
            deadline,
        };
        // Strict output has each family in one place, so all clients can share it.
        let repeated_types =
            !scraper.target().settings().strict && needs_repeated_types(request.headers());
        let idle_timeout = self.settings.idle_timeout;
        let client = request.extensions().get().map(|ClientAddress(address)| *address);
        let permit = || self.limiter.begin(&self.settings, client, scraper.target().shared_name());
        let body = scraper.join(upstream_request, repeated_types, idle_timeout, permit);
        let mut body = match body {
            Ok(body) => body,
            Err(busy) => {
                self.count(busy.refusal());
                return whole(StatusCode::SERVICE_UNAVAILABLE, TEXT, format!("{busy}.\n"));
            }
        };
        let target = scraper.target();
        if let Err(error) = body.start().instrument(target.span()).await {
            return failed(target.settings(), &error);
        }
        if request.method() == Method::HEAD {
            // The target has answered with samples, so the head is known; the rest of the body is
            // not needed.
            let media_type = body.media_type();
            body.stop();
            return response::exposition(&media_type, empty());
        }
        self.exposition(body, request.headers())
    }

    fn exposition(&self, body: SharedScrapeBody, headers: &HeaderMap) -> Response<Body> {
        let level = self.settings.gzip_level;
        let media_type = body.media_type();
        if level == 0 || !gzip::accepted(headers) {
            return response::exposition(&media_type, response::boxed(body));
        }
        let body = response::boxed(GzipBody::new(body, level));
        let mut response = response::exposition(&media_type, body);
        response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        response
    }

    fn timeout(&self, headers: &HeaderMap) -> Duration {
        let Settings { timeout, max_timeout, timeout_margin, .. } = self.settings;
        scrape_timeout(headers, timeout, max_timeout, timeout_margin)
    }

    fn bad_request(&self, text: &str) -> Response<Body> {
        self.count(RequestRefusal::BadRequest);
        whole(StatusCode::BAD_REQUEST, TEXT, text.to_owned())
    }

    fn query_too_long(&self) -> Response<Body> {
        self.count(RequestRefusal::BadRequest);
        let text = "The query is too long to be appended to the target's own.\n";
        whole(StatusCode::URI_TOO_LONG, TEXT, text.to_owned())
    }
}

fn failed(target: &TargetSettings, error: &Error) -> Response<Body> {
    let text = format!("target {} ({}): {error}\n", target.name, target.shown_url());
    response::failed(error.status(), text, &error.summary(target.authority()))
}
