//! One connection, for one request.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

use super::error::Error;
use crate::tls::{self, Stream};

/// A connection and the task that moves its bytes. Dropping it closes the connection.
#[derive(Debug)]
pub(super) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    task: JoinHandle<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Connection {
    /// A connection without encryption.
    pub(super) async fn plain(host: &str, port: u16) -> Result<Connection, Error> {
        Connection::over(Stream::Plain(connect(host, port).await?)).await
    }

    /// An encrypted connection to a server whose certificate has this name.
    pub(super) async fn tls(
        host: &str,
        port: u16,
        name: ServerName<'static>,
        config: Arc<ClientConfig>,
    ) -> Result<Connection, Error> {
        let tcp = connect(host, port).await?;
        let stream = TlsConnector::from(config).connect(name, tcp).await;
        let stream = stream.map_err(|error| Error::Tls(tls::handshake_error(&error)))?;
        Connection::over(Stream::Tls(Box::new(stream.into()))).await
    }

    async fn over(stream: Stream) -> Result<Connection, Error> {
        let (sender, driver) = handshake(TokioIo::new(stream)).await?;
        // Its errors also reach the response.
        let task = tokio::spawn(async move { driver.await.unwrap_or_default() });
        Ok(Connection { sender, task })
    }

    /// Sends a request and waits for the head of its response.
    pub(super) async fn exchange(
        &mut self,
        request: hyper::Request<Full<Bytes>>,
    ) -> Result<hyper::Response<Incoming>, Error> {
        Ok(self.sender.send_request(request).await?)
    }
}

async fn connect(host: &str, port: u16) -> Result<TcpStream, Error> {
    let addresses: Vec<_> = match tokio::net::lookup_host((host, port)).await {
        Ok(addresses) => addresses.collect(),
        Err(error) => return Err(Error::Resolve { host: host.to_owned(), error }),
    };
    let stream = TcpStream::connect(&addresses[..]).await.map_err(Error::Connect)?;
    stream.set_nodelay(true).map_err(Error::Connect)?;
    Ok(stream)
}
