//! What is requested.

use bytes::Bytes;
use hyper::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{HeaderMap, Method, Uri};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;

use super::error::Error;

/// What needs no encoding in a segment of a path, or in a query.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A request to a [`Client`](super::Client)'s server.
#[derive(Clone, Debug)]
pub struct Request {
    pub(super) method: Method,
    path: String,
    query: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Request {
    /// A request of the base URL itself, with its query.
    #[must_use]
    pub fn base() -> Request {
        Request::get("")
    }

    /// A GET request. The path begins with `/`, is encoded already, and follows that of the base
    /// URL.
    #[must_use]
    pub fn get(path: &str) -> Request {
        Request::new(Method::GET, path)
    }

    /// A POST request.
    #[must_use]
    pub fn post(path: &str) -> Request {
        Request::new(Method::POST, path)
    }

    /// A PUT request.
    #[must_use]
    pub fn put(path: &str) -> Request {
        Request::new(Method::PUT, path)
    }

    fn new(method: Method, path: &str) -> Request {
        let (path, query, headers) = (path.to_owned(), String::new(), HeaderMap::new());
        Request { method, path, query, headers, body: Bytes::new() }
    }

    /// Adds a segment to the path: `/` and the text, encoded.
    #[must_use]
    pub fn segment(mut self, text: &str) -> Request {
        self.path.push('/');
        self.path.extend(utf8_percent_encode(text, ENCODED));
        self
    }

    /// Adds a parameter to the query. Both texts are encoded.
    #[must_use]
    pub fn query(mut self, name: &str, value: &str) -> Request {
        add_pair(&mut self.query, name, value);
        self
    }

    /// Sets a header. Those of the settings replace it.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Request {
        self.headers.insert(name, value);
        self
    }

    /// Accepts a response in JSON alone.
    #[must_use]
    pub fn accept_json(self) -> Request {
        self.header(ACCEPT, HeaderValue::from_static("application/json"))
    }

    /// Lets the server compress its response, which is decompressed while it is read.
    #[must_use]
    pub fn accept_gzip(self) -> Request {
        self.header(ACCEPT_ENCODING, HeaderValue::from_static("gzip"))
    }

    /// Adds a field to the form that is the body.
    #[must_use]
    pub fn form(mut self, name: &str, value: &str) -> Request {
        let mut body = std::str::from_utf8(&self.body).unwrap_or_default().to_owned();
        add_pair(&mut body, name, value);
        self.body = body.into();
        self.header(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"))
    }

    /// Makes a JSON document the body.
    ///
    /// # Errors
    ///
    /// It cannot be JSON: a map has keys that are not texts.
    pub fn json(mut self, document: &impl Serialize) -> serde_json::Result<Request> {
        self.body = serde_json::to_vec(document)?.into();
        Ok(self.header(CONTENT_TYPE, HeaderValue::from_static("application/json")))
    }

    /// Makes a text that is a JSON document the body.
    #[must_use]
    pub fn json_text(mut self, document: String) -> Request {
        self.body = document.into();
        self.header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
    }

    /// The path and query to send to a server with this base URL.
    ///
    /// # Errors
    ///
    /// The base URL has a query, and something is to follow it.
    pub(super) fn target(&self, base: &Uri) -> Result<Uri, Error> {
        let (path, query) = (&*self.path, &*self.query);
        if base.query().is_some() && !(path.is_empty() && query.is_empty()) {
            return Err(Error::Url("it has a query (`?`), and a path is to follow it"));
        }
        let text = if path.is_empty() && query.is_empty() {
            base.path_and_query().map_or("/", |whole| whole.as_str()).to_owned()
        } else {
            let base =
                if path.is_empty() { base.path() } else { base.path().trim_end_matches('/') };
            let mark = if query.is_empty() { "" } else { "?" };
            format!("{base}{path}{mark}{query}")
        };
        text.parse().map_err(|_| Error::Url("its path is not valid"))
    }
}

fn add_pair(pairs: &mut String, name: &str, value: &str) {
    if !pairs.is_empty() {
        pairs.push('&');
    }
    pairs.extend(utf8_percent_encode(name, ENCODED));
    pairs.push('=');
    pairs.extend(utf8_percent_encode(value, ENCODED));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_follow_the_base_url() {
        let rules = Request::get("/api/v1/rules");
        let query =
            Request::get("/api/v1/query").query("query", "up{a=\"b c\"} + 1").query("t", "");
        let dashboard = Request::get("/api/dashboards/uid").segment("a/b ä?");
        for (base, request, expected) in [
            ("http://a", &rules, "/api/v1/rules"),
            ("http://a/", &rules, "/api/v1/rules"),
            ("http://a/prometheus", &rules, "/prometheus/api/v1/rules"),
            ("http://a/b/prometheus/", &rules, "/b/prometheus/api/v1/rules"),
            ("http://a", &query, "/api/v1/query?query=up%7Ba%3D%22b%20c%22%7D%20%2B%201&t="),
            ("http://a/g", &dashboard, "/g/api/dashboards/uid/a%2Fb%20%C3%A4%3F"),
            ("http://a/m?x=%41&y", &Request::base(), "/m?x=%41&y"),
            ("http://a", &Request::base(), "/"),
            ("http://a/m/", &Request::base(), "/m/"),
        ] {
            let base: Uri = base.parse().expect("a URL");
            assert_eq!(request.target(&base).expect("valid").to_string(), expected);
        }
        let base = "http://a/?x=y".parse().expect("a URL");
        let error = rules.target(&base).expect_err("a query").to_string();
        assert!(error.contains("has a query"), "{error}");
    }

    #[test]
    fn bodies_are_forms_or_json() {
        let form = Request::post("/q").form("query", "a+b").form("time", "1");
        assert_eq!(&form.body[..], b"query=a%2Bb&time=1");
        assert_eq!(form.headers[CONTENT_TYPE], "application/x-www-form-urlencoded");
        let json = Request::put("/d").json(&serde_json::json!({"a": [1]})).expect("JSON");
        assert_eq!((&json.body[..], json.method), (&b"{\"a\":[1]}"[..], Method::PUT));
        assert_eq!(json.headers[CONTENT_TYPE], "application/json");
    }
}
