//! Responses and their bodies.

use std::convert::Infallible;
use std::fmt::Write as _;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Empty, Full};
use hyper::ext::ReasonPhrase;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue, LOCATION, VARY};
use hyper::{Response, StatusCode, Uri};

use super::error::Error;
use super::negotiation::MediaType;
use crate::http_server::reason_phrase;

/// The body of a response.
pub type Body = UnsyncBoxBody<Bytes, Error>;

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

/// A response with a whole body. If `status` is an error, the first line of `text` is its reason
/// phrase too.
pub(super) fn whole(
    status: StatusCode,
    content_type: &'static str,
    text: String,
) -> Response<Body> {
    if status.is_client_error() || status.is_server_error() {
        let phrase = reason_phrase(&text);
        return with_reason(whole_body(status, content_type, text), phrase);
    }
    whole_body(status, content_type, text)
}

/// An error response: `text` is its body, `summary` its reason phrase.
pub(super) fn failed(status: StatusCode, text: String, summary: &str) -> Response<Body> {
    with_reason(whole_body(status, TEXT, text), reason_phrase(summary))
}

fn with_reason(mut response: Response<Body>, phrase: ReasonPhrase) -> Response<Body> {
    response.extensions_mut().insert(phrase);
    response
}

fn whole_body(status: StatusCode, content_type: &'static str, text: String) -> Response<Body> {
    let body = Full::new(Bytes::from(text)).map_err(|never: Infallible| match never {});
    respond(status, content_type, body.boxed_unsync())
}

/// A response with an exposition, which depends on what the client accepts.
pub(super) fn exposition(media_type: &MediaType, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, media_type.header().clone());
    headers.insert(VARY, HeaderValue::from_static("Accept, Accept-Encoding"));
    response
}

fn respond(status: StatusCode, content_type: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// Redirects to a path that is relative to that of the request.
pub(super) fn redirect(to: &str) -> Response<Body> {
    let mut response = whole(StatusCode::FOUND, TEXT, format!("See {to}\n"));
    let to = HeaderValue::from_str(to).expect("prefixes are plain text");
    response.headers_mut().insert(LOCATION, to);
    response
}

pub(super) fn wrong_method() -> Response<Body> {
    let text = "Only GET and HEAD are allowed here.\n".to_owned();
    let mut response = whole(StatusCode::METHOD_NOT_ALLOWED, TEXT, text);
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    response
}

/// The response to a client that requests a tunnel: `proxy_url` with an https target.
pub(super) fn no_tunnel(target: &Uri) -> Response<Body> {
    let target = target.authority().map_or("", |its| without_user(its.as_str()));
    let text = format!(
        "Tunnels are not supported: the metrics of {target} would be encrypted and could not be rewritten.\n\
         Add it to `targets:` in Crossfade's settings, as https://{target}/..., and scrape it through Crossfade.\n"
    );
    let summary =
        "TLS in a tunnel cannot be rewritten; add the https target to Crossfade's settings";
    failed(StatusCode::NOT_IMPLEMENTED, text, summary)
}

/// An authority without a user name and password.
pub(super) fn without_user(authority: &str) -> &str {
    authority.rsplit_once('@').map_or(authority, |(_, host)| host)
}

/// Adds to a text.
pub(super) fn append(text: &mut String, more: std::fmt::Arguments<'_>) {
    text.write_fmt(more).expect("a String takes everything");
}
