//! A request to a target, and the head of its response.

use std::fmt;
use std::time::Duration;

use hyper::header::HeaderMap;
use hyper::http::uri::PathAndQuery;
use hyper::{Method, StatusCode};
use tokio::time::Instant;

use super::body::UpstreamBody;

/// A request to a target on behalf of a client.
#[derive(Clone)]
pub(in crate::scrape) struct UpstreamRequest {
    pub(in crate::scrape) method: Method,
    pub(in crate::scrape) path: PathAndQuery,
    /// The headers of the client's request that are forwarded.
    pub(in crate::scrape) headers: HeaderMap,
    /// Time limit from now on, sent to the target.
    pub(in crate::scrape) timeout: Duration,
    pub(in crate::scrape) deadline: Instant,
}

/// Without the query and the values of headers, which may be secret.
impl fmt::Debug for UpstreamRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpstreamRequest")
            .field("method", &self.method)
            .field("path", &self.path.path())
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// The head of a response, and its body, which has yet to be read.
#[derive(Debug)]
pub(in crate::scrape) struct UpstreamResponse {
    pub(in crate::scrape) status: StatusCode,
    pub(in crate::scrape) headers: HeaderMap,
    pub(in crate::scrape) body: UpstreamBody,
}
