//! Which handler responds to which route of the admin listener.

use std::error::Error as StdError;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Body;
use hyper::header::{ALLOW, HeaderValue, LOCATION};
use hyper::{Method, Request, Response, StatusCode};

use super::respond::respond;
use super::{Admin, browser, page};
use crate::http_server::{Prefixed, RoutePrefix};
use crate::telemetry::METRICS_CONTENT_TYPE;

const TEXT: &str = "text/plain; charset=utf-8";

impl Admin {
    /// Handles one request.
    pub async fn answer<B>(&self, request: Request<B>) -> Response<Full<Bytes>>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        let prefix = self.current.load().settings.route_prefix.clone();
        let requested = request.uri().path().to_owned();
        let path = match prefix.strip(&requested) {
            Prefixed::Below(path) => path,
            Prefixed::Start => return redirect(&prefix.start(&requested)),
            Prefixed::Outside => return not_found(&prefix),
        };
        if path == "/-/reload" || path.starts_with("/api/") {
            let running = self.current.load();
            if let Err(reason) = browser::check(&request, &running.settings.admin_hosts) {
                return respond(StatusCode::FORBIDDEN, TEXT, reason);
            }
        }
        if path == "/-/reload" {
            return self.handle_reload(request.method()).await;
        }
        let response = match *request.method() {
            Method::POST if path.starts_with("/api/") => self.handle_post(path, request).await,
            Method::GET | Method::HEAD => self.handle_get(path, request.uri().query()),
            _ => return not_allowed("GET, HEAD", "Only GET and HEAD are allowed here.\n"),
        };
        response.unwrap_or_else(|| not_found(&prefix))
    }

    fn handle_get(&self, path: &str, query: Option<&str>) -> Option<Response<Full<Bytes>>> {
        Some(match path {
            "/metrics" => respond(StatusCode::OK, METRICS_CONTENT_TYPE, self.metrics.text()),
            "/-/healthy" => respond(StatusCode::OK, TEXT, "Healthy.\n"),
            "/-/ready" if self.is_ready() => respond(StatusCode::OK, TEXT, "Ready.\n"),
            "/-/ready" => respond(StatusCode::SERVICE_UNAVAILABLE, TEXT, "Starting or stopping.\n"),
            "/api/explain" | "/api/preview" => not_allowed("POST", "Only POST is allowed here.\n"),
            path => match path.strip_prefix("/api/") {
                Some(path) => return self.api_get(path, query),
                None => return page::answer(path),
            },
        })
    }

    async fn handle_reload(&self, method: &Method) -> Response<Full<Bytes>> {
        if !self.current.load().settings.enable_lifecycle {
            let text = "Reloading by HTTP is disabled; start with --web.enable-lifecycle, or send SIGHUP.\n";
            return respond(StatusCode::FORBIDDEN, TEXT, text);
        }
        if !matches!(*method, Method::POST | Method::PUT) {
            return not_allowed("POST, PUT", "Only POST and PUT are allowed here.\n");
        }
        match self.reloader.reload().await {
            Ok(()) => respond(StatusCode::OK, TEXT, "Reloaded.\n"),
            Err(errors) => {
                let text = format!("Not reloaded, nothing has changed:\n{errors}\n");
                respond(StatusCode::INTERNAL_SERVER_ERROR, TEXT, text)
            }
        }
    }
}

fn not_found(prefix: &RoutePrefix) -> Response<Full<Bytes>> {
    let text = format!("Not found; {}/ lists the paths of this listener.\n", prefix.as_str());
    respond(StatusCode::NOT_FOUND, TEXT, text)
}

/// Redirects to a path that is relative to that of the request.
fn redirect(to: &str) -> Response<Full<Bytes>> {
    let mut response = respond(StatusCode::FOUND, TEXT, format!("See {to}\n"));
    let to = HeaderValue::from_str(to).expect("prefixes are plain text");
    response.headers_mut().insert(LOCATION, to);
    response
}

fn not_allowed(methods: &'static str, text: &'static str) -> Response<Full<Bytes>> {
    let mut response = respond(StatusCode::METHOD_NOT_ALLOWED, TEXT, text);
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(methods));
    response
}
