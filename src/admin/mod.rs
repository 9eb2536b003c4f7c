//! What the admin listener answers: our own metrics, and whether we are well.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};

use crate::telemetry::{METRICS_CONTENT_TYPE, Metrics};

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
    ready: AtomicBool,
}

impl Admin {
    /// Not ready yet.
    #[must_use]
    pub fn new(metrics: Arc<Metrics>) -> Admin {
        Admin { metrics, ready: AtomicBool::new(false) }
    }

    /// Says whether scrapes are taken.
    pub fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Relaxed);
    }

    /// Answers one request.
    #[must_use]
    pub fn answer<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let text = "Only GET and HEAD are answered here.\n";
            let mut response = respond(StatusCode::METHOD_NOT_ALLOWED, TEXT, text);
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
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
