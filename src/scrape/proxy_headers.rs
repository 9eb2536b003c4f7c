//! Which headers are forwarded from a client to the target, and back.
//!
//! As in any HTTP proxy, end-to-end headers are forwarded: credentials for the target, `User-Agent`
//! and so on, and also the query. Hop-by-hop headers are not. For an exposition, Crossfade itself
//! sets the headers that select the format, the encoding and a range.

use std::borrow::Cow;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};

use hyper::Uri;
use hyper::header::{
    ACCEPT, ACCEPT_ENCODING, CONNECTION, CONTENT_LENGTH, EXPECT, HOST, HeaderMap, HeaderName,
    HeaderValue, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE,
    PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, RANGE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
    USER_AGENT, VIA,
};
use hyper::http::uri::PathAndQuery;

use super::negotiation;
use super::timeout::TIMEOUT_HEADER;
use crate::http_server::RoutePrefix;

/// Hop-by-hop headers: those of RFC 9110, and common older ones. `Connection` may name more.
const HOP_BY_HOP: [HeaderName; 10] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    EXPECT,
];

/// Headers that Crossfade sets itself in a scrape. Partial and `304 Not Modified` responses cannot
/// be rewritten.
const OURS: [HeaderName; 8] = [
    ACCEPT,
    ACCEPT_ENCODING,
    RANGE,
    IF_RANGE,
    IF_MATCH,
    IF_NONE_MATCH,
    IF_MODIFIED_SINCE,
    IF_UNMODIFIED_SINCE,
];

/// Headers that identify the client. Requests that differ only in these can share a scrape.
const ABOUT_THE_CLIENT: [HeaderName; 4] = [
    USER_AGENT,
    VIA,
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("tracestate"),
];

/// The name of this process in `Via`, by which it detects its own requests (loops).
#[derive(Debug)]
pub(super) struct Via(String);

impl Via {
    pub(super) fn new() -> Via {
        // Each RandomState has random keys, so the hash of no input is a random number.
        let random = RandomState::new().build_hasher().finish();
        Via(format!("1.1 crossfade-{:08x}", random & 0xffff_ffff))
    }

    /// Whether a request has already passed through this process.
    pub(super) fn has_seen(&self, headers: &HeaderMap) -> bool {
        let values = headers.get_all(VIA).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|hop| hop.trim() == self.0)
    }

    fn value(&self) -> HeaderValue {
        HeaderValue::from_str(&self.0).expect("it is printable")
    }
}

/// The headers of a scrape on behalf of a client.
pub(super) fn exposition_request_headers(client: &HeaderMap, via: &Via) -> HeaderMap {
    let mut headers = passthrough_request_headers(client, via);
    for name in &OURS {
        headers.remove(name);
    }
    headers.insert(ACCEPT, negotiation::accept(client));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers
}

/// The headers of a forwarded request (`passthrough`).
pub(super) fn passthrough_request_headers(client: &HeaderMap, via: &Via) -> HeaderMap {
    let mut headers = end_to_end(client);
    for name in [HOST, CONTENT_LENGTH, HeaderName::from_static(TIMEOUT_HEADER)] {
        headers.remove(name);
    }
    headers.append(VIA, via.value());
    if !headers.contains_key(USER_AGENT) {
        let agent = concat!("crossfade/", env!("CARGO_PKG_VERSION"));
        headers.insert(USER_AGENT, HeaderValue::from_static(agent));
    }
    headers
}

/// The end-to-end headers.
pub(super) fn end_to_end(headers: &HeaderMap) -> HeaderMap {
    let mut kept = headers.clone();
    let listed = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    for name in listed.flat_map(|value| value.split(',')) {
        kept.remove(name.trim());
    }
    for name in &HOP_BY_HOP {
        kept.remove(name);
    }
    kept
}

/// Whether two requests to the same target are equal, so that they can share a response.
pub(super) fn same_request(one: &HeaderMap, other: &HeaderMap) -> bool {
    let about_what = |headers: &HeaderMap| {
        let all = headers.iter().map(|(name, value)| (name.clone(), value.clone()));
        let mut left: Vec<_> = all.filter(|(name, _)| !ABOUT_THE_CLIENT.contains(name)).collect();
        // By name only: the order of values under one name may matter.
        left.sort_by(|(one, _), (other, _)| one.as_str().cmp(other.as_str()));
        left
    };
    about_what(one) == about_what(other)
}

/// The path and query of a target, followed by the client's query. `None` if the result is too long
/// for a URL.
pub(super) fn with_query(path: &PathAndQuery, query: Option<&str>) -> Option<PathAndQuery> {
    let Some(query) = query.filter(|query| !query.is_empty()) else {
        return Some(path.clone());
    };
    let joint = if path.query().is_some() { '&' } else { '?' };
    let joined = format!("{path}{joint}{query}");
    joined.try_into().ok()
}

/// The path below a prefix, and the query.
pub(super) fn without_prefix(url: &Uri, prefix: &RoutePrefix) -> PathAndQuery {
    let whole = url.path_and_query().expect("the router found it by its path");
    match whole.as_str().strip_prefix(prefix.as_str()) {
        Some(rest) if rest.len() < whole.as_str().len() => {
            rest.parse().expect("the router found the rest by its path")
        }
        _ => whole.clone(),
    }
}

/// Decodes a value in a query string: `+` and percent-encoding. `None` if it is not UTF-8.
pub(super) fn decode_query_value(value: &str) -> Option<String> {
    let spaced = value.replace('+', " ");
    percent_encoding::percent_decode_str(&spaced).decode_utf8().ok().map(Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    fn names(headers: &HeaderMap) -> Vec<&str> {
        let mut names: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        names
    }

    const CLIENT: &[(&str, &str)] = &[
        ("host", "crossfade:9542"),
        ("user-agent", "Prometheus/2.42.0"),
        ("accept", "application/openmetrics-text"),
        ("accept-encoding", "gzip"),
        ("x-prometheus-scrape-timeout-seconds", "10"),
        ("authorization", "Bearer for-the-target"),
        ("kong-admin-token", "t"),
        ("connection", "keep-alive, X-Hop"),
        ("x-hop", "1"),
        ("keep-alive", "timeout=5"),
        ("proxy-authorization", "Basic for-us"),
        ("proxy-connection", "keep-alive"),
        ("te", "trailers"),
        ("upgrade", "h2c"),
        ("range", "bytes=0-1"),
        ("if-none-match", "x"),
        ("content-length", "0"),
    ];

    #[test]
    fn only_what_is_meant_for_the_target_travels() {
        let via = Via::new();
        let sent = exposition_request_headers(&headers(CLIENT), &via);
        let expected =
            ["accept", "accept-encoding", "authorization", "kong-admin-token", "user-agent", "via"];
        assert_eq!(names(&sent), expected);
        assert_eq!(sent[ACCEPT_ENCODING], "identity");
        assert!(via.has_seen(&sent));
        assert!(!Via::new().has_seen(&sent), "another one's");

        let sent = passthrough_request_headers(&headers(CLIENT), &via);
        assert_eq!(sent[ACCEPT_ENCODING], "gzip");
        assert_eq!(sent[IF_NONE_MATCH], "x");
        assert!(!sent.contains_key(TIMEOUT_HEADER) && !sent.contains_key(HOST));
    }

    #[test]
    fn who_asks_does_not_matter() {
        let via = Via::new();
        let of = |lines: &[(&'static str, &'static str)]| {
            exposition_request_headers(&headers(lines), &via)
        };
        let one = of(&[("user-agent", "a"), ("traceparent", "1"), ("x", "y"), ("z", "1")]);
        assert!(same_request(&one, &of(&[("z", "1"), ("user-agent", "b"), ("x", "y")])));
        assert!(!same_request(&one, &of(&[("z", "1")])));
        assert!(!same_request(&one, &of(&[("z", "1"), ("x", "other")])));
    }

    #[test]
    fn query_values_are_decoded() {
        for (value, expected) in [
            ("kong:8100", Some("kong:8100")),
            ("http%3A%2f%2Fkong%3a8100", Some("http://kong:8100")),
            ("a+b%2Bc", Some("a b+c")),
            ("%", Some("%")), // not an escape, so it stays
            ("%4", Some("%4")),
            ("%zz", Some("%zz")),
            ("%ff", None), // not UTF-8
        ] {
            assert_eq!(decode_query_value(value).as_deref(), expected, "{value}");
        }
    }

    #[test]
    fn queries_are_joined() {
        for (path, query, expected) in [
            ("/metrics", None, "/metrics"),
            ("/metrics", Some(""), "/metrics"),
            ("/metrics", Some("a=b"), "/metrics?a=b"),
            ("/metrics?x=y", Some("a=b&c"), "/metrics?x=y&a=b&c"),
        ] {
            let path = PathAndQuery::from_static(path);
            let joined = with_query(&path, query).expect("it is short enough");
            assert_eq!(joined.as_str(), expected);
        }
    }
}
