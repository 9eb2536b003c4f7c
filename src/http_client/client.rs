//! A server, and how requests to it are made.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HOST, HeaderValue, USER_AGENT};
use hyper::{HeaderMap, Uri};
use tokio::time::Instant;
use tokio_rustls::rustls::ClientConfig;

use super::connection::Connection;
use super::error::Error;
use super::request::Request;
use super::response::Response;
use super::secrets::Secrets;
use super::timeouts::Timeouts;
use crate::scrape::{self, HttpSettings, SystemResolver};
use crate::shown_url::Url;

/// A server, and how requests to it are made.
#[derive(Debug)]
pub struct Client {
    base: Url,
    credentials: Arc<scrape::Client>,
    /// Replaces that of the settings.
    tls: Option<Arc<ClientConfig>>,
    timeouts: Timeouts,
}

impl Client {
    /// A client for the URLs below `base`. Files of secrets are read at each request.
    ///
    /// # Errors
    ///
    /// The URL is not absolute, is neither `http` nor `https`, or contains a user; or a file of the
    /// settings cannot be used.
    pub fn new(base: Uri, settings: HttpSettings, timeouts: Timeouts) -> Result<Client, Error> {
        Client::build(base, settings, None, timeouts)
    }

    /// As [`new`](Self::new), with another TLS configuration than that of the settings.
    ///
    /// # Errors
    ///
    /// Those of [`new`](Self::new).
    pub fn with_tls(
        base: Uri,
        settings: HttpSettings,
        tls: Arc<ClientConfig>,
        timeouts: Timeouts,
    ) -> Result<Client, Error> {
        Client::build(base, settings, Some(tls), timeouts)
    }

    fn build(
        base: Uri,
        settings: HttpSettings,
        tls: Option<Arc<ClientConfig>>,
        timeouts: Timeouts,
    ) -> Result<Client, Error> {
        let authority = base.authority().ok_or(Error::Url("it has no host"))?;
        let is_https = match base.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(Error::Url("only http:// and https:// URLs can be requested")),
        };
        if authority.as_str().contains('@') {
            return Err(Error::UserInUrl);
        }
        let credentials = Arc::new(scrape::Client::new(settings, Arc::new(SystemResolver)));
        let checked = credentials.check(is_https && tls.is_none());
        checked.map_err(|error| Error::Credentials(error.to_string()))?;
        Ok(Client { base: base.into(), credentials, tls, timeouts })
    }

    /// The base URL. It can be shown.
    pub fn base(&self) -> &Url {
        &self.base
    }

    /// Sends a request and waits for the head of the response, which may have any status; see
    /// [`Response::success`].
    ///
    /// Cancelling closes the connection.
    ///
    /// # Errors
    ///
    /// There is no response within the timeout.
    pub async fn send(&self, request: Request) -> Result<Response, Error> {
        let timeouts = self.timeouts;
        let deadline = Instant::now() + timeouts.exchange;
        let exchange = tokio::time::timeout_at(deadline, self.exchange(request));
        let response = exchange.await.unwrap_or(Err(Error::Timeout(timeouts.exchange)));
        let (response, connection, secrets) = response?;
        Ok(Response::new(response, connection, secrets, (deadline, timeouts)))
    }

    async fn exchange(
        &self,
        request: Request,
    ) -> Result<(hyper::Response<Incoming>, Connection, Secrets), Error> {
        let target = request.target(&self.base)?;
        let Request { method, headers, body, .. } = request;
        let mut connection = self.connect().await?;
        let mut http = hyper::Request::new(Full::<Bytes>::new(body));
        *http.method_mut() = method;
        *http.uri_mut() = target;
        *http.headers_mut() = headers;
        self.sign(http.headers_mut()).await?;
        let secrets = Secrets::of(http.headers());
        let response = connection.exchange(http).await?;
        Ok((response, connection, secrets))
    }

    async fn sign(&self, headers: &mut HeaderMap) -> Result<(), Error> {
        let host = self.base.authority().ok_or(Error::Url("it has no host"))?.as_str();
        let host = HeaderValue::from_str(host).map_err(|_| Error::Url("its host is not valid"))?;
        headers.insert(HOST, host);
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        let agent = concat!("crossfade/", env!("CARGO_PKG_VERSION"));
        headers.insert(USER_AGENT, HeaderValue::from_static(agent));
        let signed = self.credentials.sign(headers).await;
        signed.map_err(|error| Error::Credentials(error.to_string()))
    }

    async fn connect(&self) -> Result<Connection, Error> {
        let authority = self.base.authority().ok_or(Error::Url("it has no host"))?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        if self.base.scheme_str() != Some("https") {
            return Connection::plain(host, authority.port_u16().unwrap_or(80)).await;
        }
        let config = if let Some(config) = &self.tls {
            Arc::clone(config)
        } else {
            let config = self.credentials.tls().await;
            config.map_err(|error| Error::Credentials(error.to_string()))?
        };
        let name = self.credentials.tls_name(host);
        let name = name.map_err(|error| Error::Credentials(error.to_string()))?;
        Connection::tls(host, authority.port_u16().unwrap_or(443), name, config).await
    }
}
