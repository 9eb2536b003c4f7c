//! Why a scrape failed.

use std::fmt::{self, Display};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;

use crate::rewrite;
use crate::scrape::allow_list::Denied;
use crate::scrape::status::Outcome;

/// Why a scrape failed. Each error fails the scrape of Prometheus too, so that `up` becomes 0.
///
/// All clients of a shared scrape get clones of its error.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The target's host name could not be resolved.
    #[error("cannot resolve its host name: {0}; check the URL and the name service")]
    Resolve(#[source] Arc<io::Error>),
    /// No connection to the target.
    #[error("cannot connect: {0}; check that it runs and that the URL names its port")]
    Connect(#[source] Arc<io::Error>),
    /// The allow-list does not permit the target.
    #[error("it must not be scraped through this gateway: {0}")]
    NotAllowed(#[from] Denied),
    /// A secret or certificate of the settings cannot be used.
    #[error("cannot send the request: {0}")]
    Credentials(String),
    /// The TLS handshake failed: no TLS on the port, or a certificate was refused by either side. In
    /// words, with what to do.
    #[error("no TLS connection: {0}")]
    Tls(String),
    /// The connection failed, or had something other than HTTP, before the head of the response.
    #[error("no HTTP response: {0}; check the port in the URL, and whether it expects https")]
    Exchange(String),
    /// The scrape took too long.
    #[error(
        "timeout after {}s; increase the scrape_timeout of Prometheus, or find out why the target is \
         slow", .0.as_secs_f64()
    )]
    Timeout(Duration),
    /// The target paused for too long within its response.
    #[error("it sent nothing for {}s within its response (scrape.idle_timeout)", .0.as_secs_f64())]
    Idle(Duration),
    /// The client delayed the others of a shared scrape.
    #[error("the client read too slowly and delayed the other clients of the same scrape")]
    TooSlow,
    /// All scrapes together hold too many bytes.
    #[error("all scrapes together would hold more than {limit} bytes (limits.all_held_bytes)")]
    TooMuchHeld {
        /// The limit.
        limit: usize,
    },
    /// The status of the response is not 200.
    #[error("it answered {status}; {advice}", status = .0, advice = status_advice(*.0))]
    Status(StatusCode),
    /// The response is a redirect.
    #[error("it redirects to {0}; redirects are not followed, so set the URL to the final address")]
    Redirect(QuotedHeader),
    /// The content type of the response is not that of an exposition that can be read.
    #[error("its Content-Type is {value}, {}", why.advice())]
    ContentType {
        /// The content type.
        value: QuotedHeader,
        /// Why it cannot be read.
        why: Unreadable,
    },
    /// The encoding of the body was not requested and is not supported.
    #[error("its Content-Encoding is {0}; only gzip and identity can be read")]
    ContentEncoding(QuotedHeader),
    /// The end of the body cannot be known.
    #[error("its Transfer-Encoding is {0}; only chunked can be read")]
    TransferEncoding(QuotedHeader),
    /// The body is truncated.
    #[error("its body is truncated: {0}")]
    Cut(String),
    /// The body is longer than announced.
    #[error("its body is longer than its Content-Length")]
    Overlong,
    /// The body is not valid gzip.
    #[error("its gzip body is damaged")]
    Gzip,
    /// The exposition cannot be rewritten.
    #[error(transparent)]
    Rewrite(#[from] rewrite::exposition::Error),
    /// The body has no sample.
    #[error("its body has no sample, so it is no exposition; check the path in the URL")]
    NoSample,
    /// All samples of the body were dropped.
    #[error(
        "all of its samples were dropped; crossfade_dropped_samples_total counts them by reason"
    )]
    NothingLeft,
}

/// Why a content type cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// It is not that of an exposition.
    NoExposition,
    /// It is protobuf, which is never asked for.
    Protobuf,
    /// It is a version of `OpenMetrics` that is never asked for.
    OpenMetricsVersion,
}

impl Unreadable {
    fn advice(self) -> &'static str {
        match self {
            Unreadable::NoExposition => "which is no exposition; check the path in the URL",
            Unreadable::Protobuf => {
                "which cannot be read and was not asked for; configure the target to answer in the text \
                 format or in OpenMetrics if the Accept header asks for it"
            }
            Unreadable::OpenMetricsVersion => {
                "a version that cannot be read and was not asked for; configure the target to answer in \
                 OpenMetrics 1.0.0 or in the text format if the Accept header asks for it"
            }
        }
    }
}

/// What to check after a response with this status.
fn status_advice(status: StatusCode) -> &'static str {
    match status {
        StatusCode::BAD_REQUEST => {
            "check that the scheme in the URL, http or https, is the one that the port expects"
        }
        StatusCode::UNAUTHORIZED => {
            "set credentials that it accepts: basic_auth, authorization or http_headers of the target, \
             or those that Prometheus sends"
        }
        StatusCode::FORBIDDEN => {
            "check the credentials of the target, and whether it admits the address of this gateway"
        }
        status if status.is_server_error() => "the log of the target has the reason",
        _ => "check the path in the URL, and the target's own log",
    }
}

impl Error {
    /// Every [`reason`](Self::reason).
    pub const REASONS: &[&str] = &[
        "resolve",
        "connect",
        "not_allowed",
        "credentials",
        "tls",
        "exchange",
        "timeout",
        "idle",
        "too_slow",
        "held_bytes",
        "status",
        "redirect",
        "content_type",
        "content_encoding",
        "transfer_encoding",
        "cut",
        "overlong",
        "gzip",
        "rewrite",
        "no_sample",
        "nothing_left",
    ];

    pub(super) fn resolve(error: io::Error) -> Error {
        Error::Resolve(Arc::new(error))
    }

    pub(super) fn connect(error: io::Error) -> Error {
        Error::Connect(Arc::new(error))
    }

    /// The status of the response, if it has not started yet.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Error::Timeout(_) | Error::Idle(_) => StatusCode::GATEWAY_TIMEOUT,
            Error::TooMuchHeld { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Error::NotAllowed(_) => StatusCode::FORBIDDEN,
            Error::Connect(error) if error.kind() == io::ErrorKind::TimedOut => {
                StatusCode::GATEWAY_TIMEOUT
            }
            _ => StatusCode::BAD_GATEWAY,
        }
    }

    /// One short line for the status line of a response. `target` is the target's `host:port`.
    pub(super) fn summary(&self, target: &str) -> String {
        use io::ErrorKind::{ConnectionRefused, TimedOut};
        match self {
            Error::Resolve(_) => format!("the host name of {target} cannot be resolved"),
            Error::Connect(error) => match error.kind() {
                ConnectionRefused => format!("{target} refused the connection"),
                TimedOut => format!("{target} did not accept a connection in time"),
                _ => format!("cannot connect to {target}: {error}"),
            },
            Error::NotAllowed(_) => format!("{target} is not in the allow-list of Crossfade"),
            Error::Credentials(_) => {
                format!("the credentials or certificates for {target} cannot be used")
            }
            Error::Tls(error) => format!("no TLS connection to {target}: {error}"),
            Error::Exchange(error) => format!("{target} sent no HTTP response: {error}"),
            Error::Timeout(limit) => {
                format!("{target} sent no metrics within {}s", limit.as_secs_f64())
            }
            Error::Idle(limit) => format!("{target} sent nothing for {}s", limit.as_secs_f64()),
            Error::TooSlow => "the client took too long".to_owned(),
            Error::TooMuchHeld { .. } => {
                "all scrapes together hold too much memory (limits.all_held_bytes)".to_owned()
            }
            Error::Status(status) => format!("{target} answered {status}"),
            Error::Redirect(to) => format!("{target} redirects to {to}"),
            Error::ContentType { value, why: Unreadable::NoExposition } => {
                format!("{target} sent Content-Type {value}, which is no exposition")
            }
            Error::ContentType { value, .. } => {
                format!("{target} sent Content-Type {value}, which cannot be read")
            }
            Error::ContentEncoding(value) => {
                format!("{target} sent Content-Encoding {value}, which is not supported")
            }
            Error::TransferEncoding(value) => {
                format!("{target} sent Transfer-Encoding {value}, which is not supported")
            }
            Error::Cut(error) => format!("the body of {target} is truncated: {error}"),
            Error::Overlong => format!("the body of {target} is longer than its Content-Length"),
            Error::Gzip => format!("the gzip body of {target} is damaged"),
            Error::Rewrite(error) => format!("{target}: {error}"),
            Error::NoSample => format!("the body of {target} has no sample"),
            Error::NothingLeft => {
                format!("no sample of {target} could be forwarded; see crossfade_dropped_* metrics")
            }
        }
    }

    /// The error in a few words, for one line about a target.
    fn brief(&self) -> String {
        use io::ErrorKind::{ConnectionRefused, TimedOut};
        match self {
            Error::Resolve(_) => "host name not found".to_owned(),
            Error::Connect(error) => match error.kind() {
                ConnectionRefused => "connection refused".to_owned(),
                TimedOut => "no connection in time".to_owned(),
                _ => format!("no connection: {error}"),
            },
            Error::NotAllowed(_) => "not on the allow-list".to_owned(),
            Error::Credentials(_) => "credentials cannot be used".to_owned(),
            Error::Tls(error) => format!("no TLS connection: {error}"),
            Error::Exchange(error) => format!("no HTTP response: {error}"),
            Error::Timeout(limit) => format!("timed out after {} s", limit.as_secs_f64()),
            Error::Idle(limit) => format!("sent nothing for {} s", limit.as_secs_f64()),
            Error::TooSlow => "the client reads too slowly".to_owned(),
            Error::TooMuchHeld { .. } => "all scrapes together need too much memory".to_owned(),
            Error::Status(status) => format!("HTTP {status}"),
            Error::Redirect(to) => format!("redirects to {to}"),
            Error::ContentType { value, .. } => format!("Content-Type {value} cannot be read"),
            Error::ContentEncoding(value) => format!("Content-Encoding {value} cannot be read"),
            Error::TransferEncoding(value) => format!("Transfer-Encoding {value} cannot be read"),
            Error::Cut(_) => "response cut short".to_owned(),
            Error::Overlong => "response longer than announced".to_owned(),
            Error::Gzip => "damaged gzip".to_owned(),
            Error::Rewrite(error) => error.to_string(),
            Error::NoSample => "response without samples".to_owned(),
            Error::NothingLeft => "all samples dropped".to_owned(),
        }
    }

    /// How the scrape ended, for Crossfade's metrics and pages.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        Outcome::Failed { reason: self.reason(), error: self.to_string(), brief: self.brief() }
    }

    /// The reason as a label value: one of a fixed set.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Error::Resolve(_) => "resolve",
            Error::Connect(_) => "connect",
            Error::NotAllowed(_) => "not_allowed",
            Error::Credentials(_) => "credentials",
            Error::Tls(_) => "tls",
            Error::Exchange(_) => "exchange",
            Error::Timeout(_) => "timeout",
            Error::Idle(_) => "idle",
            Error::TooSlow => "too_slow",
            Error::TooMuchHeld { .. } => "held_bytes",
            Error::Status(_) => "status",
            Error::Redirect(_) => "redirect",
            Error::ContentType { .. } => "content_type",
            Error::ContentEncoding(_) => "content_encoding",
            Error::TransferEncoding(_) => "transfer_encoding",
            Error::Cut(_) => "cut",
            Error::Overlong => "overlong",
            Error::Gzip => "gzip",
            Error::Rewrite(_) => "rewrite",
            Error::NoSample => "no_sample",
            Error::NothingLeft => "nothing_left",
        }
    }
}

/// A header value of a peer for display: quoted, on one line, and of limited length.
#[derive(Clone, Debug)]
pub struct QuotedHeader(String);

impl QuotedHeader {
    pub(super) fn new(value: &hyper::header::HeaderValue) -> QuotedHeader {
        QuotedHeader::quoted(value.as_bytes())
    }

    /// A URL without its parts that can be secret: user name and password, query and fragment.
    pub(super) fn url(value: &hyper::header::HeaderValue) -> QuotedHeader {
        let bytes = value.as_bytes();
        let end = bytes.iter().position(|byte| b"?#".contains(byte)).unwrap_or(bytes.len());
        let bytes = &bytes[..end];
        let authority = bytes.windows(2).position(|pair| pair == b"//").map_or(0, |at| at + 2);
        match bytes.iter().rposition(|byte| *byte == b'@').filter(|at| *at >= authority) {
            Some(at) => QuotedHeader::quoted(&[&bytes[..authority], &bytes[at + 1..]].concat()),
            None => QuotedHeader::quoted(bytes),
        }
    }

    fn quoted(bytes: &[u8]) -> QuotedHeader {
        const LONGEST: usize = 200;
        QuotedHeader(bytes[..bytes.len().min(LONGEST)].escape_ascii().to_string())
    }
}

impl Display for QuotedHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0)
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    #[test]
    fn every_reason_is_listed() {
        let text = || QuotedHeader::new(&HeaderValue::from_static("x"));
        let error = || io::Error::from(io::ErrorKind::ConnectionRefused);
        let each = [
            Error::resolve(error()),
            Error::connect(error()),
            Error::NotAllowed(Denied::NotListed),
            Error::Credentials(String::new()),
            Error::Tls(String::new()),
            Error::Exchange(String::new()),
            Error::Timeout(Duration::ZERO),
            Error::Idle(Duration::ZERO),
            Error::TooSlow,
            Error::TooMuchHeld { limit: 1 },
            Error::Status(StatusCode::NOT_FOUND),
            Error::Redirect(text()),
            Error::ContentType { value: text(), why: Unreadable::Protobuf },
            Error::ContentEncoding(text()),
            Error::TransferEncoding(text()),
            Error::Cut(String::new()),
            Error::Overlong,
            Error::Gzip,
            Error::Rewrite(rewrite::exposition::Error::BodyTooLong { limit: 1 }),
            Error::NoSample,
            Error::NothingLeft,
        ];
        assert_eq!(each.map(|error| error.reason()), Error::REASONS);
    }

    #[test]
    fn timeouts_are_504_and_other_failures_502() {
        let connect = |kind: io::ErrorKind| Error::connect(kind.into()).status();
        assert_eq!(connect(io::ErrorKind::TimedOut), StatusCode::GATEWAY_TIMEOUT);
        assert_eq!(connect(io::ErrorKind::ConnectionRefused), StatusCode::BAD_GATEWAY);
        assert_eq!(Error::Timeout(Duration::ZERO).status(), StatusCode::GATEWAY_TIMEOUT);
    }

    #[test]
    fn header_values_are_shown_safely() {
        let shown = |bytes: &[u8]| {
            QuotedHeader::new(&HeaderValue::from_bytes(bytes).expect("a header value")).to_string()
        };
        assert_eq!(shown(b"text/html"), "\"text/html\"");
        assert_eq!(shown(b"a\"\xff\tb"), "\"a\\\"\\xff\\tb\"");
        assert_eq!(shown(&[b'x'; 10_000]).len(), 202);
        for (url, expected) in [
            ("https://user:pass@kong:8444/metrics?token=x", "\"https://kong:8444/metrics\""),
            ("/login#x", "\"/login\""),
        ] {
            assert_eq!(QuotedHeader::url(&HeaderValue::from_static(url)).to_string(), expected);
        }
    }
}
