//! The admin listener: Crossfade's own metrics, health checks, the reload endpoint, and the status page with its API.
//!
//! Only `/-/reload` changes anything; all other routes are read-only.

mod api;
mod page;
mod reload;
mod respond;

use std::error::Error as StdError;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use arc_swap::ArcSwap;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Body;
use hyper::header::{ALLOW, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use tokio::sync::Semaphore;

use crate::config::Settings;
use crate::mapping::Pack;
use crate::scrape::Gateway;
use crate::telemetry::{METRICS_CONTENT_TYPE, Metrics};
pub use reload::{LastReload, Outcome, ReloadRequest, ReloadRequests, Reloader};
use respond::respond;

const TEXT: &str = "text/plain; charset=utf-8";

/// The state of the running gateway that a reload replaces as a whole.
#[derive(Debug)]
pub struct Running {
    /// The settings.
    pub settings: Settings,
    /// The targets.
    pub gateway: Arc<Gateway>,
    /// The packs that the plans are compiled from.
    pub packs: Box<[Pack]>,
}

/// The handlers of the admin listener.
#[derive(Debug)]
pub struct Admin {
    metrics: Arc<Metrics>,
    current: Arc<ArcSwap<Running>>,
    reloader: Reloader,
    ready: AtomicBool,
    started: SystemTime,
    /// Limits previews, because each costs a scrape and the memory of two bodies.
    previews: Semaphore,
}

impl Admin {
    /// Not ready yet.
    #[must_use]
    pub fn new(metrics: Arc<Metrics>, current: Arc<ArcSwap<Running>>, reloader: Reloader) -> Admin {
        Admin {
            metrics,
            current,
            reloader,
            ready: AtomicBool::new(false),
            started: SystemTime::now(),
            previews: Semaphore::new(1),
        }
    }

    /// Sets the result of the readiness check.
    pub fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Relaxed);
    }

    fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed)
    }

    /// Handles one request.
    pub async fn answer<B>(&self, request: Request<B>) -> Response<Full<Bytes>>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        let path = request.uri().path();
        if path == "/-/reload" {
            return self.reload(request.method()).await;
        }
        let answered = match *request.method() {
            Method::POST if path.starts_with("/api/") => self.handle_post(request).await,
            Method::GET | Method::HEAD => self.handle_get(path),
            _ => return not_allowed("GET, HEAD", "Only GET and HEAD are answered here.\n"),
        };
        answered.unwrap_or_else(|| {
            respond(StatusCode::NOT_FOUND, TEXT, "Nothing is here; see / for what there is.\n")
        })
    }

    fn handle_get(&self, path: &str) -> Option<Response<Full<Bytes>>> {
        Some(match path {
            "/metrics" => respond(StatusCode::OK, METRICS_CONTENT_TYPE, self.metrics.text()),
            "/-/healthy" => respond(StatusCode::OK, TEXT, "Healthy.\n"),
            "/-/ready" if self.is_ready() => respond(StatusCode::OK, TEXT, "Ready.\n"),
            "/-/ready" => respond(StatusCode::SERVICE_UNAVAILABLE, TEXT, "Starting or stopping.\n"),
            "/api/explain" | "/api/preview" => not_allowed("POST", "This takes a POST.\n"),
            path => match path.strip_prefix("/api/") {
                Some(path) => return self.api_get(path),
                None => return page::answer(path),
            },
        })
    }

    async fn reload(&self, method: &Method) -> Response<Full<Bytes>> {
        if !self.current.load().settings.enable_lifecycle {
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
