//! One connection to a target.

use std::error::Error as _;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::thread::{self, ThreadId};

use bytes::Bytes;
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;

use super::head_limit::{HeadLimit, HeadLimited, MAX_HEAD_BYTES};
use crate::scrape::error::Error;
use crate::tls::{self, Stream};

/// The most that hyper buffers of a head: more than [`HeadLimit`] lets it read.
const MAX_BUFFER_BYTES: usize = 2 * MAX_HEAD_BYTES;

pub(super) type NoBody = Empty<Bytes>;

/// A connection, with the driver that moves its bytes when polled.
#[derive(Debug)]
pub(super) struct Connection {
    requests: http1::SendRequest<NoBody>,
    driver: Driver,
    head_limit: HeadLimit,
    /// The thread that opened it.
    thread: ThreadId,
}

#[derive(Debug)]
enum Driver {
    Runs(Box<http1::Connection<TokioIo<HeadLimited<Stream>>, NoBody>>),
    /// The connection has ended, with the reason if it failed.
    Ended(Option<hyper::Error>),
}

impl Driver {
    /// Reads and writes what is possible without waiting. The response or its body reports errors,
    /// too.
    fn drive(&mut self, cx: &mut Context<'_>) {
        if let Driver::Runs(connection) = self
            && let Poll::Ready(ended) = Pin::new(&mut **connection).poll(cx)
        {
            *self = Driver::Ended(ended.err());
        }
    }
}

impl Connection {
    /// Starts HTTP on a new connection.
    pub(super) async fn new(stream: Stream) -> hyper::Result<Connection> {
        let head_limit = HeadLimit::new();
        let io = HeadLimited::new(stream, head_limit.clone());
        let (requests, driver) = http1::Builder::new()
            .max_buf_size(MAX_BUFFER_BYTES)
            .handshake(TokioIo::new(io))
            .await?;
        let driver = Driver::Runs(Box::new(driver));
        Ok(Connection { requests, driver, head_limit, thread: thread::current().id() })
    }

    pub(super) async fn exchange(
        &mut self,
        request: Request<NoBody>,
    ) -> hyper::Result<Response<Incoming>> {
        self.head_limit.start();
        let answer = self.send(request).await;
        self.head_limit.end();
        answer
    }

    /// The thread that opened it.
    pub(super) fn thread(&self) -> ThreadId {
        self.thread
    }

    /// Reads and writes what is possible without waiting.
    pub(super) fn drive(&mut self, cx: &mut Context<'_>) {
        self.driver.drive(cx);
    }

    /// Whether there are bytes after the end of the response. The body is complete, so errors of
    /// the socket are ignored.
    pub(super) fn has_overrun(&self) -> bool {
        matches!(&self.driver, Driver::Ended(Some(error)) if error.source().is_none())
    }

    /// Whether it can be used for another request.
    pub(super) fn is_ready(&self) -> bool {
        matches!(self.driver, Driver::Runs(_)) && self.requests.is_ready()
    }

    /// Ready once the connection has ended, between two exchanges.
    pub(super) fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.driver.drive(cx);
        if matches!(self.driver, Driver::Ended(_)) { Poll::Ready(()) } else { Poll::Pending }
    }

    async fn send(&mut self, request: Request<NoBody>) -> hyper::Result<Response<Incoming>> {
        let Connection { requests, driver, .. } = self;
        // A kept connection may have been closed: let the driver notice it.
        poll_fn(|cx| {
            driver.drive(cx);
            requests.poll_ready(cx)
        })
        .await?;
        let mut answer = pin!(requests.send_request(request));
        poll_fn(|cx| {
            if let Poll::Ready(answer) = answer.as_mut().poll(cx) {
                return Poll::Ready(answer);
            }
            driver.drive(cx);
            answer.as_mut().poll(cx)
        })
        .await
    }
}

/// The error of an exchange that failed before the head of the response.
pub(super) fn exchange_error(error: &hyper::Error) -> Error {
    // Under TLS 1.3 the target refuses our certificate, or the lack of one, only after the
    // handshake.
    let of_tls = error.source().and_then(|source| tls::reason(source.downcast_ref::<io::Error>()?));
    match of_tls {
        Some(reason) => Error::Tls(reason),
        None if error.is_parse() && !error.is_parse_too_large() => {
            Error::Exchange(format!("what it sent is not HTTP/1.1 ({})", innermost(error)))
        }
        None => Error::Exchange(innermost(error)),
    }
}

/// The error of hyper with its source, the error of the operating system.
pub(super) fn innermost(error: &hyper::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
