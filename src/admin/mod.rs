//! What the admin listener answers: our own metrics, whether we are well, and the status page with what it is made of.
//!
//! Nothing here changes how the gateway works, whoever asks.

mod api;
mod page;

use std::error::Error as StdError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Body;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use tokio::sync::Semaphore;

use crate::config::Settings;
use crate::mapping::Pack;
use crate::scrape::Gateway;
use crate::telemetry::{METRICS_CONTENT_TYPE, Metrics};

const TEXT: &str = "text/plain; charset=utf-8";

/// What the status page shows: all that is in force at one moment.
#[derive(Clone, Debug)]
pub struct Shown {
    /// What was said.
    pub settings: Arc<Settings>,
    /// The targets.
    pub gateway: Arc<Gateway>,
    /// What mappings are compiled from.
    pub packs: Arc<[Pack]>,
}

/// What the admin listener knows.
#[derive(Debug)]
pub struct Admin {
    metrics: Arc<Metrics>,
    shown: RwLock<Arc<Shown>>,
    ready: AtomicBool,
    started: SystemTime,
    previews: Semaphore,
}

impl Admin {
    /// Not ready yet.
    #[must_use]
    pub fn new(metrics: Arc<Metrics>, shown: Shown) -> Admin {
        Admin {
            metrics,
            shown: RwLock::new(Arc::new(shown)),
            ready: AtomicBool::new(false),
            started: SystemTime::now(),
            previews: Semaphore::new(1),
        }
    }

    /// Says whether scrapes are taken.
    pub fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Relaxed);
    }

    fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed)
    }

    /// Shows this from now on.
    pub fn show(&self, shown: Shown) {
        *self.shown.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(shown);
    }

    fn shown(&self) -> Arc<Shown> {
        Arc::clone(&self.shown.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Answers one request.
    pub async fn answer<B>(&self, request: Request<B>) -> Response<Full<Bytes>>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        let path = request.uri().path();
        let answered = match *request.method() {
            Method::POST if path.starts_with("/api/") => self.work_out(request).await,
            Method::GET | Method::HEAD => self.look_up(path),
            _ => return not_allowed("GET, HEAD"),
        };
        answered.unwrap_or_else(|| {
            respond(StatusCode::NOT_FOUND, TEXT, "Nothing is here; see / for what there is.\n")
        })
    }

    fn look_up(&self, path: &str) -> Option<Response<Full<Bytes>>> {
        Some(match path {
            "/metrics" => respond(StatusCode::OK, METRICS_CONTENT_TYPE, self.metrics.text()),
            "/-/healthy" => respond(StatusCode::OK, TEXT, "Healthy.\n"),
            "/-/ready" if self.is_ready() => respond(StatusCode::OK, TEXT, "Ready.\n"),
            "/-/ready" => respond(StatusCode::SERVICE_UNAVAILABLE, TEXT, "Starting or stopping.\n"),
            "/api/explain" | "/api/preview" => not_allowed("POST"),
            path => match path.strip_prefix("/api/") {
                Some(path) => return self.picture(path),
                None => return page::answer(path),
            },
        })
    }
}

fn not_allowed(methods: &'static str) -> Response<Full<Bytes>> {
    let text = format!("Only {methods} is answered here.\n");
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
