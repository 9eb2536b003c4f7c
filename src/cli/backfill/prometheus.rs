//! Reads raw samples from the HTTP API of Prometheus.
//!
//! <https://prometheus.io/docs/prometheus/latest/querying/api/>

use std::collections::BTreeMap;
use std::io::{BufReader, Write as _, stderr};
use std::ops::Range;

use anyhow::Context as _;
use hyper::StatusCode;
use serde::Deserialize;

use super::advice::advised;
use super::arguments::Arguments;
use super::range::shown;
use crate::exposition::{Format, MetricType};
use crate::http_client::{Blocking, Body, Error, Request, Timeouts};
use crate::tools::backfill::{Backfill, Ignored, QueryError, query_response};

/// The shortest range that is requested. If that is too much for Prometheus, nothing helps.
const SHORTEST: i64 = 1_000;

/// Maximum size of the list of types.
const METADATA_BYTES: usize = 64 << 20;

/// A Prometheus that has samples.
#[derive(Debug)]
pub(super) struct Prometheus {
    client: Blocking,
    /// The series that are read.
    selector: String,
}

#[derive(Deserialize)]
struct Metadata {
    data: BTreeMap<String, Vec<Declared>>,
}

#[derive(Deserialize)]
struct Declared {
    r#type: String,
}

impl Prometheus {
    /// `names`: a regular expression of the names of the series that are needed.
    pub(super) fn new(url: &str, arguments: &Arguments, names: &str) -> anyhow::Result<Prometheus> {
        let client = arguments.http.client(url, Timeouts::default())?;
        let names = names.replace('\\', "\\\\").replace('"', "\\\"");
        let mut selector = format!("{{__name__=~\"{names}\"");
        for matcher in &arguments.matchers {
            selector.push(',');
            selector.push_str(matcher);
        }
        selector.push('}');
        Ok(Prometheus { client, selector })
    }

    /// Reads the types of families. They are not stored with the samples: only targets that are
    /// scraped now tell them.
    pub(super) fn declare_types(&self, to: &mut Backfill) {
        let body =
            self.client.fetch(Request::get("/api/v1/metadata").accept_json(), METADATA_BYTES);
        let metadata = body.ok().and_then(|body| serde_json::from_slice::<Metadata>(&body).ok());
        for (family, declared) in metadata.into_iter().flat_map(|metadata| metadata.data) {
            let [Declared { r#type }] = &declared[..] else { continue };
            if let Some(metric_type) = MetricType::from_word(r#type.as_bytes(), Format::Text) {
                to.declare(family.as_bytes(), metric_type);
            }
        }
    }

    /// Adds the samples of a range. Milliseconds since 1970.
    ///
    /// # Errors
    ///
    /// Prometheus does not return them.
    pub(super) fn read(&self, range: Range<i64>, to: &mut Backfill) -> anyhow::Result<Ignored> {
        let length = range.end - range.start;
        let body = match self.open(&range) {
            Ok(body) => body,
            Err(error) if length > SHORTEST && is_too_much(&error) => {
                // `query.max-samples` or the timeout of queries.
                let middle = range.start + length / 2;
                let mut ignored = self.read(range.start..middle, to)?;
                ignored += self.read(middle..range.end, to)?;
                return Ok(ignored);
            }
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", self.client.base()));
            }
        };
        to.set_range(range.clone());
        let read = query_response(BufReader::with_capacity(1 << 16, body), to);
        let (ignored, warnings) = read.map_err(|error| match error {
            QueryError::Sample(error) => advised(error),
            error => anyhow::Error::new(error).context(format!(
                "cannot read the samples from {} to {} of {}",
                shown(range.start),
                shown(range.end),
                self.client.base()
            )),
        })?;
        for warning in warnings {
            let warning = warning.escape_debug();
            // A warning is not worth an error of its own.
            drop(writeln!(stderr(), "warning: {}: {warning}", self.client.base()));
        }
        Ok(ignored)
    }

    fn open(&self, range: &Range<i64>) -> Result<Body, Error> {
        // Prometheus 2 also returns a sample at the start of the range, Prometheus 3 does not.
        let query = format!("{}[{}ms]", self.selector, range.end - range.start);
        let last = range.end - 1;
        let time = format!("{}.{:03}", last / 1_000, last % 1_000);
        let request = Request::post("/api/v1/query").form("query", &query).form("time", &time);
        self.client.open(request.accept_json().accept_gzip())
    }
}

/// Whether a shorter range may succeed.
fn is_too_much(error: &Error) -> bool {
    match error {
        Error::Status { status, reason: Some(reason) } => {
            *status == StatusCode::SERVICE_UNAVAILABLE
                || *status == StatusCode::UNPROCESSABLE_ENTITY
                    && reason.contains("too many samples")
        }
        _ => false,
    }
}
