//! What the status page is made of, as JSON.
//!
//! Each answer is a picture of the moment. Counters are as they stand: whoever wants rates asks twice.

mod body;
mod diff;
mod explain;
mod report;
mod settings;
mod statsd;
mod status;
mod targets;
mod unix_time;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CACHE_CONTROL, HeaderValue};
use hyper::{Response, StatusCode};
use serde::Serialize;

use super::Admin;
use super::respond::respond;

/// What is wrong with a request, and the status that says so.
type Refusal = (StatusCode, String);

impl Admin {
    /// Answers a GET; `None` where there is nothing. `path` is what follows `/api/`.
    pub(super) fn api_get(&self, path: &str) -> Option<Response<Full<Bytes>>> {
        let current = self.current.load_full();
        Some(match path {
            "status" => answer(&self.describe_status()),
            "targets" => answer(&targets::describe(&current)),
            "statsd" => answer(&statsd::describe(&current, &self.metrics)),
            "settings" => answer(&settings::describe(&current.settings)),
            _ => return None,
        })
    }
}

fn answer(value: &impl Serialize) -> Response<Full<Bytes>> {
    respond_json(StatusCode::OK, value)
}

fn refuse((status, error): Refusal) -> Response<Full<Bytes>> {
    respond_json(status, &serde_json::json!({ "error": error }))
}

fn respond_json(status: StatusCode, value: &impl Serialize) -> Response<Full<Bytes>> {
    let text =
        serde_json::to_vec(value).expect("keys are texts, and nothing here refuses to be printed");
    let mut response = respond(status, "application/json", text);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
