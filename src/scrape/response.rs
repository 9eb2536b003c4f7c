//! Answers, and what they are made of.

use std::convert::Infallible;
use std::fmt::Write as _;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Empty, Full};
use hyper::ext::ReasonPhrase;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode, Uri};

use super::error::Error;

/// The body of an answer.
pub type Body = UnsyncBoxBody<Bytes, Error>;

pub(super) const EXPOSITION: &str = "text/plain; version=0.0.4; charset=utf-8";
pub(super) const TEXT: &str = "text/plain; charset=utf-8";
pub(super) const HTML: &str = "text/html; charset=utf-8";

pub(super) fn boxed<B>(body: B) -> Body
where
    B: hyper::body::Body<Data = Bytes, Error = Error> + Send + 'static,
{
    body.boxed_unsync()
}

pub(super) fn empty() -> Body {
    Empty::new().map_err(|never: Infallible| match never {}).boxed_unsync()
}

pub(super) fn whole(
    status: StatusCode,
    content_type: &'static str,
    text: String,
) -> Response<Body> {
    let body = Full::new(Bytes::from(text)).map_err(|never: Infallible| match never {});
    respond(status, content_type, body.boxed_unsync())
}

pub(super) fn respond(
    status: StatusCode,
    content_type: &'static str,
    body: Body,
) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

pub(super) fn wrong_method() -> Response<Body> {
    let text = "Only GET and HEAD are answered here.\n".to_owned();
    let mut response = whole(StatusCode::METHOD_NOT_ALLOWED, TEXT, text);
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    response
}

/// The answer to a client that wants a tunnel: `proxy_url` with an https target.
///
/// Prometheus shows of it nothing but the status line, so that says why as well.
pub(super) fn no_tunnel(target: &Uri) -> Response<Body> {
    let text = format!(
        "There are no tunnels here: through one we would see only TLS, and nothing of {target} could be rewritten.\n\
         Add it to `targets:` in our settings, as https://{target}/..., and scrape it here instead.\n"
    );
    let mut response = whole(StatusCode::NOT_IMPLEMENTED, TEXT, text);
    let reason =
        "TLS in a tunnel cannot be rewritten; put the https target into Crossfade's settings";
    response.extensions_mut().insert(ReasonPhrase::from_static(reason.as_bytes()));
    response
}

/// Adds to a text.
pub(super) fn append(text: &mut String, more: std::fmt::Arguments<'_>) {
    text.write_fmt(more).expect("a String takes everything");
}
