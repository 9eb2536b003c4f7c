//! What the data listener answers.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Empty, Full};
use hyper::header::{ALLOW, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, VARY};
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use tokio::time::Instant;

use super::gzip::{self, Gzipped};
use super::reader::reads_le_by_type;
use super::rewriting::Rewriting;
use super::timeout::scrape_timeout;
use super::travel::{self, Via};
use super::upstream::Ask;
use super::{Failure, Settings, Target};
use crate::rewrite::Report;
use crate::telemetry::Metrics;

/// The body of an answer.
pub type Body = UnsyncBoxBody<Bytes, Failure>;

const EXPOSITION: &str = "text/plain; version=0.0.4; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";

/// Everything that is scraped through us.
#[derive(Debug)]
pub struct Gateway {
    targets: BTreeMap<String, Arc<Target>>,
    settings: Settings,
    metrics: Arc<Metrics>,
    via: Via,
}

/// Where a path leads.
enum Route<'a> {
    Landing,
    Target(&'a Arc<Target>),
    /// `/metrics`, of which there are several.
    Ambiguous,
    Nowhere,
}

impl Gateway {
    /// A gateway to targets whose names differ.
    #[must_use]
    pub fn new(targets: Vec<Target>, settings: Settings, metrics: Arc<Metrics>) -> Gateway {
        let named = |target: Target| (target.settings().name.clone(), Arc::new(target));
        Gateway {
            targets: targets.into_iter().map(named).collect(),
            settings,
            metrics,
            via: Via::new(),
        }
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

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The headers with which we ask for an exposition on nobody's behalf.
    pub(super) fn own_headers(&self) -> HeaderMap {
        travel::for_exposition(&HeaderMap::new(), &self.via)
    }

    /// Answers one request.
    ///
    /// Cancelling before the answer is there closes the connection to the target, and so does dropping its body.
    pub async fn answer<B>(&self, request: &Request<B>) -> Response<Body> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            self.metrics.refused("method");
            let text = "Only GET and HEAD are answered here.\n".to_owned();
            let mut response = whole(StatusCode::METHOD_NOT_ALLOWED, TEXT, text);
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        if self.via.has_seen(request.headers()) {
            self.metrics.refused("loop");
            let text =
                "This request has been here before: a target's URL leads back to this gateway.\n";
            return whole(StatusCode::LOOP_DETECTED, TEXT, text.to_owned());
        }
        match self.route(request.uri().path()) {
            Route::Landing => whole(StatusCode::OK, HTML, self.landing_page()),
            Route::Target(target) => self.scrape(target, request).await,
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
            path => path
                .strip_prefix("/targets/")
                .and_then(|rest| rest.strip_suffix("/metrics"))
                .and_then(|name| self.targets.get(name))
                .map_or(Route::Nowhere, Route::Target),
        }
    }

    async fn scrape<B>(&self, target: &Arc<Target>, request: &Request<B>) -> Response<Body> {
        let scrape = target.metrics().start();
        let timeout = scrape_timeout(request.headers(), &self.settings);
        let deadline = Instant::now() + timeout;

        let ask = Ask {
            method: Method::GET,
            path: travel::with_query(target.path(), request.uri().query()),
            headers: travel::for_exposition(request.headers(), &self.via),
            timeout,
            deadline,
        };
        let opened = tokio::time::timeout_at(deadline, target.open(&ask)).await;
        let source = match opened.unwrap_or(Err(Failure::Timeout(timeout))) {
            Ok(source) => source,
            Err(failure) => {
                scrape.end(failure.outcome(), &Report::default());
                let target = target.settings();
                tracing::warn!(target = %target.name, error = %failure, "A scrape failed.");
                return failed(target, &failure);
            }
        };
        let engine = target.rewriter(reads_le_by_type(request.headers()));
        let mut body =
            Rewriting::new(Arc::clone(target), engine, source, scrape, timeout, deadline);
        if let Err(failure) = body.start().await {
            return failed(target.settings(), &failure);
        }
        if request.method() == Method::HEAD {
            // The head is true: the target has answered with samples. The rest need not be fetched.
            body.stop();
            return respond(StatusCode::OK, EXPOSITION, none());
        }
        self.exposition(body, request.headers())
    }

    fn exposition(&self, body: Rewriting, headers: &HeaderMap) -> Response<Body> {
        let level = self.settings.gzip_level;
        if level == 0 || !gzip::accepted(headers) {
            return respond(StatusCode::OK, EXPOSITION, body.boxed_unsync());
        }
        let body = Gzipped::new(body, level).boxed_unsync();
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
        page.push_str("</body></html>\n");
        page
    }
}

fn append(text: &mut String, more: std::fmt::Arguments<'_>) {
    text.write_fmt(more).expect("a String takes everything");
}

fn failed(target: &super::TargetSettings, failure: &Failure) -> Response<Body> {
    let text = format!("target {} ({}): {failure}\n", target.name, target.shown_url());
    whole(failure.status(), TEXT, text)
}

fn whole(status: StatusCode, content_type: &'static str, text: String) -> Response<Body> {
    let body = Full::new(Bytes::from(text)).map_err(|never: Infallible| match never {});
    respond(status, content_type, body.boxed_unsync())
}

fn none() -> Body {
    Empty::new().map_err(|never: Infallible| match never {}).boxed_unsync()
}

fn respond(status: StatusCode, content_type: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
