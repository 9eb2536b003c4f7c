//! What the admin listener answers: our own metrics, whether we are well, and that settings be read again.

mod reload;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};

use crate::telemetry::{METRICS_CONTENT_TYPE, Metrics};
pub use reload::{LastReload, Outcome, ReloadRequest, ReloadRequests, Reloader};

const TEXT: &str = "text/plain; charset=utf-8";

const LANDING_PAGE: &str = concat!(
    "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Crossfade</title></head>\n",
    "<body><h1>Crossfade ",
    env!("CARGO_PKG_VERSION"),
    "</h1>\n<ul>\n",
    "<li><a href=\"/metrics\">/metrics</a>: about the gateway itself</li>\n",
    "<li><a href=\"/-/healthy\">/-/healthy</a>: the process answers</li>\n",
    "<li><a href=\"/-/ready\">/-/ready</a>: it takes scrapes</li>\n",
    "</ul></body></html>\n",
);

/// What the admin listener knows.
#[derive(Debug)]
pub struct Admin {
    metrics: Arc<Metrics>,
    reloader: Reloader,
    ready: AtomicBool,
    lifecycle: AtomicBool,
}

impl Admin {
    /// Not ready yet, and told to reload by nobody.
    #[must_use]
    pub fn new(metrics: Arc<Metrics>, reloader: Reloader) -> Admin {
        let (ready, lifecycle) = (AtomicBool::new(false), AtomicBool::new(false));
        Admin { metrics, reloader, ready, lifecycle }
    }

    /// Says whether scrapes are taken.
    pub fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Relaxed);
    }

    /// Says whether clients may make us read the settings again.
    pub fn set_lifecycle(&self, enabled: bool) {
        self.lifecycle.store(enabled, Ordering::Relaxed);
    }

    /// Answers one request.
    pub async fn answer<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        if request.uri().path() == "/-/reload" {
            return self.reload(request.method()).await;
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return not_allowed("GET, HEAD", "Only GET and HEAD are answered here.\n");
        }
        match request.uri().path() {
            "/" => respond(StatusCode::OK, "text/html; charset=utf-8", LANDING_PAGE),
            "/metrics" => respond(StatusCode::OK, METRICS_CONTENT_TYPE, self.metrics.text()),
            "/-/healthy" => respond(StatusCode::OK, TEXT, "Healthy.\n"),
            "/-/ready" if self.ready.load(Ordering::Relaxed) => {
                respond(StatusCode::OK, TEXT, "Ready.\n")
            }
            "/-/ready" => respond(StatusCode::SERVICE_UNAVAILABLE, TEXT, "Starting or stopping.\n"),
            _ => {
                respond(StatusCode::NOT_FOUND, TEXT, "Nothing is here; see / for what there is.\n")
            }
        }
    }

    async fn reload(&self, method: &Method) -> Response<Full<Bytes>> {
        if !self.lifecycle.load(Ordering::Relaxed) {
            let text =
                "Reloading by HTTP is off; start with --web.enable-lifecycle, or send SIGHUP.\n";
            return respond(StatusCode::FORBIDDEN, TEXT, text);
        }
        if !matches!(*method, Method::POST | Method::PUT) {
            return not_allowed("POST, PUT", "Reloading takes a POST or a PUT.\n");
        }
        match self.reloader.reload().await {
            Ok(()) => respond(StatusCode::OK, TEXT, "Reloaded.\n"),
            Err(faults) => {
                let text = format!("Not reloaded, nothing has changed:\n{faults}\n");
                respond(StatusCode::INTERNAL_SERVER_ERROR, TEXT, text)
            }
        }
    }
}

fn not_allowed(methods: &'static str, text: &'static str) -> Response<Full<Bytes>> {
    let mut response = respond(StatusCode::METHOD_NOT_ALLOWED, TEXT, text);
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(methods));
    response
}

fn respond(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
