//! An HTTP/1.1 client for one GET request, used by the commands.
//!
//! Scrapes have a client of their own, in `scrape::upstream`: it keeps connections open and streams
//! bodies.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::header::{CONNECTION, HOST, USER_AGENT};
use hyper::{HeaderMap, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::tls::{self, Stream};

/// One GET request.
#[derive(Debug)]
pub(crate) struct Get<'a> {
    /// An absolute URL.
    pub(crate) url: &'a Uri,
    /// Headers in addition to `Host`, `Connection` and `User-Agent`.
    pub(crate) headers: HeaderMap,
    /// Required for `https` URLs, unused for others. The server name sent is the IP address.
    pub(crate) tls: Option<Arc<ClientConfig>>,
    /// For the whole exchange.
    pub(crate) timeout: Duration,
    /// The maximum size of the body.
    pub(crate) max_bytes: usize,
}

/// A response that was read to its end, with any status.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
}

/// Why there is no response.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The URL is not absolute.
    #[error("the URL has no host")]
    NoHost,
    /// The scheme is not supported, or is `https` without TLS settings.
    #[error("{0}:// URLs cannot be requested; only http:// URLs can")]
    Scheme(String),
    /// A connection failed.
    #[error(transparent)]
    Connect(#[from] io::Error),
    /// The TLS handshake failed. In words, with what to do.
    #[error("no TLS connection: {0}")]
    Tls(String),
    /// The server broke the protocol, or closed the connection before its response.
    #[error(transparent)]
    Exchange(#[from] hyper::Error),
    /// The body is too long or incomplete.
    #[error("cannot read the response body")]
    Body(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The request took too long.
    #[error("no response within {} s", .0.as_secs())]
    Timeout(Duration),
}

impl Get<'_> {
    /// A GET request without TLS and without more headers.
    pub(crate) fn plain(url: &Uri, timeout: Duration, max_bytes: usize) -> Get<'_> {
        Get { url, headers: HeaderMap::new(), tls: None, timeout, max_bytes }
    }

    /// Opens a connection, sends the request and reads the response.
    ///
    /// # Errors
    ///
    /// There is no complete response within the timeout.
    pub(crate) async fn send(self) -> Result<Response, Error> {
        let timeout = self.timeout;
        let response = tokio::time::timeout(timeout, self.exchange()).await;
        response.unwrap_or(Err(Error::Timeout(timeout)))
    }

    async fn exchange(self) -> Result<Response, Error> {
        let authority = self.url.authority().ok_or(Error::NoHost)?;
        let stream = self.connect().await?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let path = self.url.path_and_query().map_or("/", |path| path.as_str());
        let mut request = Request::new(Empty::<Bytes>::new());
        *request.uri_mut() = path.parse().expect("a part of a valid URL is valid");
        *request.headers_mut() = self.headers;
        let host = authority.as_str().rsplit('@').next().unwrap_or_default();
        let headers = [
            (HOST, host),
            (CONNECTION, "close"),
            (USER_AGENT, concat!("crossfade/", env!("CARGO_PKG_VERSION"))),
        ];
        for (name, value) in headers {
            let value = value.parse().expect("a host of a valid URL is a valid header value");
            request.headers_mut().insert(name, value);
        }
        let max_bytes = self.max_bytes;
        let response = async move {
            let response = sender.send_request(request).await?;
            let status = response.status();
            let body = Limited::new(response.into_body(), max_bytes).collect().await;
            Ok(Response { status, body: body.map_err(Error::Body)?.to_bytes() })
        };
        // The connection transfers the data, so it is polled too. Its errors also reach `response`.
        tokio::pin!(connection, response);
        tokio::select! {
            response = &mut response => response,
            _ = &mut connection => response.await,
        }
    }

    async fn connect(&self) -> Result<Stream, Error> {
        let authority = self.url.authority().ok_or(Error::NoHost)?;
        let (default_port, tls) = match (self.url.scheme_str(), &self.tls) {
            (Some("http"), _) => (80, None),
            (Some("https"), Some(tls)) => (443, Some(Arc::clone(tls))),
            (scheme, _) => return Err(Error::Scheme(scheme.unwrap_or_default().to_owned())),
        };
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        let port = authority.port_u16().unwrap_or(default_port);
        let tcp = TcpStream::connect((host, port)).await?;
        let Some(connector) = tls.map(TlsConnector::from) else { return Ok(Stream::Plain(tcp)) };
        let name = ServerName::from(tcp.peer_addr()?.ip());
        let stream = connector.connect(name, tcp).await;
        let stream = stream.map_err(|error| Error::Tls(tls::handshake_error(&error)))?;
        Ok(Stream::Tls(Box::new(stream.into())))
    }
}
