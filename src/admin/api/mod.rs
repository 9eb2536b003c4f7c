//! The data of the status page, as JSON.
//!
//! Each response is a snapshot. Counters are totals: for a rate, request them twice.

mod body;
mod diff;
mod explain;
mod options;
mod overview;
mod query;
mod report;
mod settings;
mod standing;
mod statsd;
mod status;
mod summary;
mod targets;
mod unix_time;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CACHE_CONTROL, HeaderValue};
use hyper::{Response, StatusCode};
use serde::Serialize;

use super::Admin;
use super::respond::respond;

/// Why a request is refused, and the status of the response.
type Refusal = (StatusCode, String);

impl Admin {
    /// Responds to a GET; `None` if there is no such path.
    pub(super) fn api_get(&self, path: &str, query: Option<&str>) -> Option<Response<Full<Bytes>>> {
        let current = self.current.load_full();
        Some(match path {
            "status" => answer(&self.describe_status()),
            "overview" => answer(&overview::describe(&current)),
            "targets" => {
                let name = query.and_then(|query| query::value(query, "name"));
                answer(&targets::describe(&current, name.as_deref()))
            }
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
