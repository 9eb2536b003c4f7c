//! The client for commands that are not asynchronous.

use std::io::{self, Read};
use std::sync::Arc;

use bytes::{Buf as _, Bytes};
use hyper::Uri;
use tokio::runtime::{Builder, Runtime};

use super::client::Client;
use super::error::Error;
use super::request::Request;
use super::response::Response;
use super::timeouts::Timeouts;
use crate::scrape::HttpSettings;
use crate::shown_url::Url;

/// A [`Client`] and a runtime of its own. It must not be used in an asynchronous function.
#[derive(Debug)]
pub struct Blocking {
    client: Client,
    runtime: Arc<Runtime>,
}

impl Blocking {
    /// See [`Client::new`].
    ///
    /// # Errors
    ///
    /// Those of [`Client::new`].
    pub fn new(base: Uri, settings: HttpSettings, timeouts: Timeouts) -> Result<Blocking, Error> {
        Client::new(base, settings, timeouts)?.try_into()
    }

    /// The base URL. It can be shown.
    pub fn base(&self) -> &Url {
        self.client.base()
    }

    /// See [`Client::send`].
    ///
    /// # Errors
    ///
    /// Those of [`Client::send`].
    pub fn send(&self, request: Request) -> Result<Response, Error> {
        self.runtime.block_on(self.client.send(request))
    }

    /// The body of a response with a status of success.
    ///
    /// # Errors
    ///
    /// Any other status, or those of [`Client::send`] and [`Response::whole`].
    pub fn fetch(&self, request: Request, max_bytes: usize) -> Result<Bytes, Error> {
        let fetch = async {
            let response = self.client.send(request).await?;
            response.success().await?.whole(max_bytes).await
        };
        self.runtime.block_on(fetch)
    }

    /// The body of a response with a status of success, to be read while it arrives.
    ///
    /// # Errors
    ///
    /// Any other status, or those of [`Client::send`].
    pub fn open(&self, request: Request) -> Result<Body, Error> {
        let open = async { self.client.send(request).await?.success().await };
        let response = self.runtime.block_on(open)?;
        Ok(Body { runtime: Arc::clone(&self.runtime), response, piece: Bytes::new() })
    }
}

impl TryFrom<Client> for Blocking {
    type Error = Error;

    fn try_from(client: Client) -> Result<Blocking, Error> {
        let runtime = Builder::new_current_thread().enable_all().build().map_err(Error::Connect)?;
        Ok(Blocking { client, runtime: Arc::new(runtime) })
    }
}

/// A body that is read while it arrives. Errors of `read` have an [`Error`] inside.
#[derive(Debug)]
pub struct Body {
    runtime: Arc<Runtime>,
    response: Response,
    piece: Bytes,
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.piece.is_empty() {
            let chunk = self.runtime.block_on(self.response.chunk()).map_err(io::Error::other)?;
            self.piece = chunk.unwrap_or_default();
        }
        let length = self.piece.len().min(buffer.len());
        self.piece.copy_to_slice(&mut buffer[..length]);
        Ok(length)
    }
}
