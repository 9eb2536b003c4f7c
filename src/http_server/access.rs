//! Checks between a request and its response: the length of its head, the rate, and the user.

use std::error::Error as StdError;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::{Either, Full};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::{
    AUTHORIZATION, CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION, RETRY_AFTER, WWW_AUTHENTICATE,
};
use hyper::{Request, Response, StatusCode};
use tokio_rustls::rustls::ServerConfig;

use super::context::{ConnectionContext, ReloadableConfig};
use super::reason_phrase::reason_phrase;
use crate::http_server::connection_state::{ConnectionState, Phase};
use crate::http_server::web_config::{SignIn, Web};
use crate::telemetry::{ConnectionRefusal, HttpListenerMetrics};

/// A request extension: the request arrived over TLS.
#[derive(Clone, Copy, Debug)]
pub struct Encrypted;

/// A request extension: the address of the client.
#[derive(Clone, Copy, Debug)]
pub struct ClientAddress(pub IpAddr);

/// One for each connection.
pub(super) struct AccessControl {
    rules: Arc<ReloadableConfig>,
    metrics: HttpListenerMetrics,
    activity: Arc<ConnectionState>,
    client: Option<IpAddr>,
    /// The TLS configuration that the connection was accepted with. `None` without TLS.
    tls: Option<Arc<ServerConfig>>,
}

/// A body that records when it has ended, completely or not.
pub(super) struct Watched<B> {
    body: Pin<Box<Either<B, Full<Bytes>>>>,
    activity: Arc<ConnectionState>,
}

impl AccessControl {
    pub(super) fn new(
        context: &ConnectionContext,
        activity: Arc<ConnectionState>,
        client: Option<IpAddr>,
        tls: Option<Arc<ServerConfig>>,
    ) -> AccessControl {
        let ConnectionContext { rules, metrics, .. } = context.clone();
        AccessControl { rules, metrics, activity, client, tls }
    }

    /// Records that a request has arrived.
    pub(super) fn opens(&self) {
        self.activity.enter(Phase::Answer);
    }

    /// Responds to a request, or refuses it.
    pub(super) async fn answer<S, F, B>(
        &self,
        mut request: Request<Incoming>,
        answer: S,
    ) -> Response<Watched<B>>
    where
        S: Fn(Request<Incoming>) -> F,
        F: Future<Output = Response<B>>,
    {
        if self.tls.is_some() {
            request.extensions_mut().insert(Encrypted);
        }
        if let Some(client) = self.client {
            request.extensions_mut().insert(ClientAddress(client));
        }
        let web = self.rules.web();
        let response = match self.refusal(web.as_deref(), &mut request).await {
            Some(refusal) => {
                self.metrics.refused(refusal.reason());
                refusal.response().map(Either::Right)
            }
            None => answer(request).await.map(Either::Left),
        };
        let watched = |body| Watched { body: Box::pin(body), activity: Arc::clone(&self.activity) };
        let mut response = response.map(watched);
        for (name, value) in web.iter().flat_map(|web| &web.headers) {
            response.headers_mut().insert(name.clone(), value.clone());
        }
        let tls = web.as_ref().and_then(|web| web.tls.as_ref());
        if self.tls.as_ref().map(Arc::as_ptr) != tls.map(Arc::as_ptr) {
            // What the client had to show when the connection was accepted may not be enough now.
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    async fn refusal<B>(&self, web: Option<&Web>, request: &mut Request<B>) -> Option<Refusal> {
        let longest = self.rules.limits().header_bytes;
        if head_bytes(request) > longest {
            return Some(Refusal::TooLong(longest));
        }
        let web = web?;
        if web.rate.as_ref().is_some_and(|rate| !rate.admits()) {
            return Some(Refusal::Rate);
        }
        let users = web.users.as_ref()?;
        let way = Way::of(request);
        // Credentials for Crossfade must not reach a target.
        let credentials = request.headers_mut().remove(way.credentials());
        match users.sign_in(self.client, credentials.as_ref()).await {
            SignIn::Accepted => None,
            SignIn::Refused => Some(Refusal::Unauthorized(way)),
            SignIn::Busy => Some(Refusal::Busy),
            SignIn::Guessing => Some(Refusal::Guessing),
        }
    }
}

/// The approximate size of a request head, in bytes.
fn head_bytes<B>(request: &Request<B>) -> usize {
    let line = |(name, value): (&HeaderName, &HeaderValue)| {
        name.as_str().len() + value.len() + ": \r\n".len()
    };
    let uri = request.uri();
    let target = uri.path_and_query().map_or(0, |target| target.as_str().len())
        + uri.authority().map_or(0, |authority| authority.as_str().len());
    target + request.headers().iter().map(line).sum::<usize>()
}

/// The role of the gateway in a request. It determines which header has the credentials.
#[derive(Clone, Copy)]
enum Way {
    Server,
    /// The request names another host in its first line.
    Proxy,
}

impl Way {
    fn of<B>(request: &Request<B>) -> Way {
        if request.uri().authority().is_some() { Way::Proxy } else { Way::Server }
    }

    fn credentials(self) -> HeaderName {
        match self {
            Way::Server => AUTHORIZATION,
            Way::Proxy => PROXY_AUTHORIZATION,
        }
    }
}

/// Why a request is refused.
enum Refusal {
    TooLong(usize),
    Rate,
    Unauthorized(Way),
    Busy,
    Guessing,
}

impl Refusal {
    fn reason(&self) -> ConnectionRefusal {
        match self {
            Refusal::TooLong(_) => ConnectionRefusal::HeaderBytes,
            Refusal::Rate => ConnectionRefusal::Rate,
            Refusal::Unauthorized(_) => ConnectionRefusal::Unauthorized,
            Refusal::Busy | Refusal::Guessing => ConnectionRefusal::SignIn,
        }
    }

    fn response(self) -> Response<Full<Bytes>> {
        const REALM: HeaderValue = HeaderValue::from_static("Basic realm=\"crossfade\"");
        let text = |status: StatusCode, text: String| {
            let phrase = reason_phrase(&text);
            let mut response = Response::new(Full::new(Bytes::from(text)));
            *response.status_mut() = status;
            let plain = HeaderValue::from_static("text/plain; charset=utf-8");
            response.headers_mut().insert(CONTENT_TYPE, plain);
            response.extensions_mut().insert(phrase);
            response
        };
        match self {
            Refusal::TooLong(limit) => text(
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                format!(
                    "The head of the request is longer than {limit} bytes (web.header_bytes).\n"
                ),
            ),
            Refusal::Rate => {
                let refusal = "Too many requests (rate_limit of the web configuration file).\n";
                later(text(StatusCode::TOO_MANY_REQUESTS, refusal.into()))
            }
            Refusal::Busy => {
                let refusal = "Too many passwords wait to be checked.\n";
                later(text(StatusCode::TOO_MANY_REQUESTS, refusal.into()))
            }
            Refusal::Guessing => {
                let refusal = "Too many wrong passwords were sent from this address.\n";
                later(text(StatusCode::TOO_MANY_REQUESTS, refusal.into()))
            }
            Refusal::Unauthorized(way) => {
                let (status, challenge) = match way {
                    Way::Server => (StatusCode::UNAUTHORIZED, WWW_AUTHENTICATE),
                    Way::Proxy => (StatusCode::PROXY_AUTHENTICATION_REQUIRED, PROXY_AUTHENTICATE),
                };
                let refusal = "A user's name and password are required (basic_auth_users).\n";
                let mut response = text(status, refusal.into());
                response.headers_mut().insert(challenge, REALM);
                response
            }
        }
    }
}

fn later(mut response: Response<Full<Bytes>>) -> Response<Full<Bytes>> {
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

impl<B> Body for Watched<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    type Data = Bytes;
    type Error = Box<dyn StdError + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.body.as_mut().poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B> Drop for Watched<B> {
    fn drop(&mut self) {
        self.activity.rest();
    }
}
