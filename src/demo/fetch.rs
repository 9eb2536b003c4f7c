//! One GET of one page of ours.

use std::io;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::header::HOST;
use hyper::{Request, StatusCode, Uri, http};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Why a page is not there.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is not a URL of ours.
    #[error("not a URL with a host and a port")]
    Url(#[from] http::Error),
    /// Nobody listens.
    #[error(transparent)]
    Connect(#[from] io::Error),
    /// The exchange broke off.
    #[error(transparent)]
    Exchange(#[from] hyper::Error),
    /// The answer is not a page.
    #[error("the answer is {0}: {1}")]
    Status(StatusCode, String),
    /// The page is not text.
    #[error("the page is not UTF-8")]
    Encoding(#[from] std::string::FromUtf8Error),
}

/// Reads a page to its end.
pub(super) async fn fetch(url: &str) -> Result<String, Error> {
    let uri: Uri = url.parse().map_err(http::Error::from)?;
    let authority = uri.authority().map_or("", http::uri::Authority::as_str);
    let stream = TcpStream::connect(authority).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::get(uri.path()).header(HOST, authority).body(Empty::<Bytes>::new())?;
    // The sender is moved in and dropped with the answer: that ends the connection.
    let exchange = async move {
        let response = sender.send_request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        Ok::<_, hyper::Error>((status, body))
    };
    // The connection is what moves the bytes; it ends once the sender is gone.
    let ((status, body), ()) = tokio::try_join!(exchange, connection)?;
    let text = String::from_utf8(body.into())?;
    if status == StatusCode::OK { Ok(text) } else { Err(Error::Status(status, text)) }
}
