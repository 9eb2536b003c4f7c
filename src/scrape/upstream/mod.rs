//! The HTTP client for one target: connections are kept, with one exchange at a time on each.
//!
//! hyper splits a client's connection into a handle and a driver that reads and writes. Usually the
//! driver is a separate task; here the task that waits for the response polls it. So one scrape is
//! one task, without wake-ups and queues between the socket and the engine, and dropping a response
//! closes its connection at once.
//!
//! If the target closes a kept connection while it is used again, the request, which is a GET or
//! HEAD, is sent again on a new connection.

mod body;
mod connection;
mod credentials;
mod exposition;
mod framing;
mod head_limit;
mod idle;
mod lookups;
mod message;
mod resolve;
mod shared_calls;
mod tls;

use std::io::{Error as IoError, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;

use hyper::header::{HOST, HeaderValue};
use hyper::http::uri::Scheme;
use hyper::{Request, Uri};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use self::connection::{Connection, NoBody, exchange_error};
use self::idle::IdleConnections;
use super::error::Error;
use super::timeout::{TIMEOUT_HEADER, header_value};
use crate::scrape::allow_list::{AllowList, Denied};
use crate::tls::Stream;

pub(super) use self::body::UpstreamBody;
pub use self::credentials::{Authorization, Client, ClientError, ClientErrors, HttpSettings};
pub(super) use self::exposition::ExpositionBody;
pub(super) use self::idle::IdlePool;
pub(super) use self::lookups::BoundedResolver;
pub(super) use self::message::{UpstreamRequest, UpstreamResponse};
pub use self::resolve::{Lookup, Resolve, SystemResolver};
pub use self::tls::{Identity, TlsError, TlsSettings, TlsVersion};

/// The HTTP side of one target.
#[derive(Debug)]
pub(super) struct Upstream {
    host: String,
    port: u16,
    /// The name that the target's certificate must have; `None` for plain HTTP.
    tls_name: Option<ServerName<'static>>,
    host_header: HeaderValue,
    client: Arc<Client>,
    /// The addresses it may connect to; `None` (any) for targets in the settings.
    allow_list: Option<Arc<AllowList>>,
    idle: Arc<IdleConnections>,
}

impl Upstream {
    /// A target at an absolute `http` or `https` URL.
    ///
    /// # Errors
    ///
    /// The scheme is https, and the host is not valid in a certificate.
    ///
    /// # Panics
    ///
    /// The URL has no host. The settings refuse such URLs.
    pub(super) fn new(
        url: &Uri,
        client: Arc<Client>,
        allow_list: Option<Arc<AllowList>>,
        idle: Arc<IdlePool>,
    ) -> Result<Upstream, ClientError> {
        let authority = url.authority().expect("a target URL has a host");
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        let is_https = url.scheme() == Some(&Scheme::HTTPS);
        let tls_name = is_https.then(|| client.tls_name(host)).transpose()?;
        Ok(Upstream {
            host: host.to_owned(),
            port: authority.port_u16().unwrap_or(if is_https { 443 } else { 80 }),
            tls_name,
            host_header: authority.as_str().try_into().expect("an authority is a header value"),
            client,
            allow_list,
            idle: Arc::new(IdleConnections::new(idle)),
        })
    }

    /// Whether the allow-list permits this name. Its addresses are checked when it connects.
    pub(super) fn check_name(&self) -> Result<(), Denied> {
        self.allow_list
            .as_ref()
            .map_or(Ok(()), |allow_list| allow_list.check_name(&self.host, self.port))
    }

    /// Sends a request. The head of the response must arrive before the deadline.
    ///
    /// Cancelling closes its connection.
    pub(super) async fn send(&self, request: &UpstreamRequest) -> Result<UpstreamResponse, Error> {
        let mut answer = self.answer(request).await?;
        framing::check(answer.status, &mut answer.headers)?;
        Ok(answer)
    }

    async fn answer(&self, request: &UpstreamRequest) -> Result<UpstreamResponse, Error> {
        let http = self.http_request(request).await?;
        if let Some(connection) = self.idle.take_here()
            && let Ok(answer) = self.exchange(connection, http.clone()).await
        {
            return Ok(answer);
        }
        let stream = self.connect(request.deadline).await?;
        let connection = Connection::new(stream).await.map_err(|error| exchange_error(&error))?;
        self.exchange(connection, http).await.map_err(|error| exchange_error(&error))
    }

    async fn exchange(
        &self,
        mut connection: Connection,
        request: Request<NoBody>,
    ) -> hyper::Result<UpstreamResponse> {
        let answer = connection.exchange(request).await?;
        let (head, incoming) = answer.into_parts();
        let body = UpstreamBody::new(incoming, connection, Arc::clone(&self.idle));
        Ok(UpstreamResponse { status: head.status, headers: head.headers, body })
    }

    async fn http_request(&self, request: &UpstreamRequest) -> Result<Request<NoBody>, Error> {
        let mut http = Request::new(NoBody::new());
        *http.method_mut() = request.method.clone();
        *http.uri_mut() = request.path.clone().into();
        let headers = http.headers_mut();
        headers.clone_from(&request.headers);
        headers.insert(HOST, self.host_header.clone());
        headers.insert(TIMEOUT_HEADER, header_value(request.timeout));
        self.client.sign(headers).await?;
        Ok(http)
    }

    async fn connect(&self, deadline: Instant) -> Result<Stream, Error> {
        let stream = self.connect_plain(deadline).await?;
        let Some(name) = &self.tls_name else {
            return Ok(Stream::Plain(stream));
        };
        let config = self.client.tls().await?;
        match TlsConnector::from(config).connect(name.clone(), stream).await {
            Ok(stream) => Ok(Stream::Tls(Box::new(stream.into()))),
            Err(error) => Err(Error::Tls(crate::tls::handshake_error(&error))),
        }
    }

    /// Tries the target's addresses in turn. Each gets its share of the remaining time, so that an
    /// address that does not respond cannot use up all of it.
    async fn connect_plain(&self, deadline: Instant) -> Result<TcpStream, Error> {
        let addresses = self.client.addresses(&self.host, self.port).await?;
        let addresses = self.allowed(addresses)?;
        let mut last_error = IoError::new(ErrorKind::NotFound, "the name has no address");
        for (tried, address) in addresses.iter().enumerate() {
            let left = deadline.saturating_duration_since(Instant::now());
            let untried = u32::try_from(addresses.len() - tried).unwrap_or(u32::MAX);
            match tokio::time::timeout(left / untried, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    stream.set_nodelay(true).map_err(Error::connect)?;
                    return Ok(stream);
                }
                Ok(Err(error)) => last_error = error,
                Err(_) => last_error = ErrorKind::TimedOut.into(),
            }
        }
        Err(Error::connect(last_error))
    }

    /// The addresses of the target that the allow-list permits. It connects to no others.
    fn allowed(&self, addresses: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, Error> {
        let Some(allow_list) = &self.allow_list else {
            return Ok(addresses);
        };
        let mut allowed = Vec::new();
        let mut refused = None;
        for address in addresses {
            match allow_list.check(&self.host, address.ip(), address.port()) {
                Ok(()) => allowed.push(address),
                Err(refusal) => refused = Some(refusal),
            }
        }
        match refused {
            Some(refusal) if allowed.is_empty() => Err(Error::NotAllowed(refusal)),
            _ => Ok(allowed),
        }
    }
}
