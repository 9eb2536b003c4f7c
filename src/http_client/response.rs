//! What a server answers.

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::header::{CONTENT_ENCODING, HeaderValue, LOCATION};
use hyper::{HeaderMap, StatusCode};
use tokio::time::{Instant, timeout, timeout_at};

use super::connection::Connection;
use super::error::Error;
use super::secrets::Secrets;
use super::timeouts::Timeouts;
use crate::scrape::gzip::{Decompressed, GzipDecoder};
use crate::shown_url::shown_url;

/// Most of an error's body that is read.
const ERROR_BYTES: usize = 64 << 10;

/// Most characters of a server's message that are shown.
const SHOWN_CHARS: usize = 300;

/// The head of a response, and its body, which is still arriving. Dropping it closes the connection.
#[derive(Debug)]
pub struct Response {
    status: StatusCode,
    headers: HeaderMap,
    body: Incoming,
    gzip: Option<Unpacking>,
    /// Kept open until the body is read.
    _connection: Connection,
    /// Those of the request.
    secrets: Secrets,
    deadline: Instant,
    timeouts: Timeouts,
}

/// Gzip that is being decompressed.
#[derive(Debug)]
struct Unpacking {
    decoder: GzipDecoder,
    /// What has arrived and is still compressed.
    packed: Bytes,
}

impl Response {
    pub(super) fn new(
        response: hyper::Response<Incoming>,
        connection: Connection,
        secrets: Secrets,
        (deadline, timeouts): (Instant, Timeouts),
    ) -> Response {
        let (head, body) = response.into_parts();
        let coding = head.headers.get(CONTENT_ENCODING).map(HeaderValue::as_bytes);
        let is_gzip = coding.is_some_and(|coding| coding.eq_ignore_ascii_case(b"gzip"));
        let unpacking = || Unpacking { decoder: GzipDecoder::new(), packed: Bytes::new() };
        let gzip = is_gzip.then(unpacking);
        let (status, headers) = (head.status, head.headers);
        Response {
            status,
            headers,
            body,
            gzip,
            _connection: connection,
            secrets,
            deadline,
            timeouts,
        }
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The response itself, if its status is 2xx.
    ///
    /// # Errors
    ///
    /// Any other status, with the URL of a redirect, or the message of Prometheus' or Grafana's
    /// error.
    pub async fn success(mut self) -> Result<Response, Error> {
        let status = self.status;
        if status.is_success() {
            return Ok(self);
        }
        if status.is_redirection() {
            let location = self.headers.get(LOCATION).and_then(|value| value.to_str().ok());
            return Err(Error::Redirect { status, location: location.map(shown_url) });
        }
        let secrets = std::mem::take(&mut self.secrets);
        let body = self.whole(ERROR_BYTES).await.ok();
        let reason = body.and_then(|body| message(&body, &secrets));
        Err(Error::Status { status, reason })
    }

    /// The whole body, within the timeout of the exchange.
    ///
    /// # Errors
    ///
    /// It is longer than `max_bytes` after decompression, incomplete, or late.
    pub async fn whole(mut self, max_bytes: usize) -> Result<Bytes, Error> {
        let (deadline, limit) = (self.deadline, self.timeouts.exchange);
        let read = async {
            let Some(first) = self.next().await? else { return Ok(Bytes::new()) };
            let mut whole = BytesMut::new();
            let mut next = Some(first);
            while let Some(piece) = next {
                if piece.len() > max_bytes - whole.len() {
                    return Err(Error::TooLong(max_bytes));
                }
                whole.extend_from_slice(&piece);
                next = self.next().await?;
            }
            Ok(whole.freeze())
        };
        timeout_at(deadline, read).await.unwrap_or(Err(Error::Timeout(limit)))
    }

    /// The next piece of the body, never empty; `None` at its end. The whole body may take any time,
    /// but the server may not pause for longer than the idle timeout.
    ///
    /// Cancelling loses nothing.
    ///
    /// # Errors
    ///
    /// The body is incomplete, or stopped arriving.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        let limit = self.timeouts.idle;
        timeout(limit, self.next()).await.unwrap_or(Err(Error::Idle(limit)))
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            if let Some(gzip) = &mut self.gzip {
                match gzip.decoder.next(&mut gzip.packed).map_err(|_| Error::Gzip)? {
                    Decompressed::Piece(piece) => return Ok(Some(piece)),
                    Decompressed::More => continue,
                    Decompressed::NeedsInput => {}
                }
            }
            let Some(frame) = self.body.frame().await else {
                let ended = self.gzip.as_ref().map_or(Ok(()), |gzip| gzip.decoder.end());
                return ended.map(|()| None).map_err(|_| Error::Gzip);
            };
            match (frame?.into_data(), &mut self.gzip) {
                (Ok(piece), _) if piece.is_empty() => {}
                (Ok(piece), Some(gzip)) => gzip.packed = piece,
                (Ok(piece), None) => return Ok(Some(piece)),
                // Trailers.
                (Err(_), _) => {}
            }
        }
    }
}

/// The message of an error: that of a JSON document, or a text of one line.
fn message(body: &[u8], secrets: &Secrets) -> Option<String> {
    let text: String = match serde_json::from_slice::<serde_json::Value>(body) {
        Ok(document) => ["error", "message"].iter().find_map(|key| document[key].as_str())?.into(),
        Err(_) => std::str::from_utf8(body).ok()?.trim().to_owned(),
    };
    let is_shown = !text.is_empty() && !text.contains(['<', '\n']);
    let text = secrets.hide_in(&text);
    let shown = |char: char| if char.is_control() { ' ' } else { char };
    is_shown.then(|| text.chars().take(SHOWN_CHARS).map(shown).collect())
}
