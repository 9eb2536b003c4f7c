//! One connection to a target, and the body of a response on it.

use std::error::Error as _;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::thread::{self, ThreadId};

use bytes::Bytes;
use http_body_util::Empty;
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::http1;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;

use super::head_limit::{HeadLimit, HeadLimited};
use super::tls;
use crate::scrape::error::Error;
use crate::tls::Stream;

/// The approximate size of a read from a socket. hyper starts with a few KiB and doubles while
/// reads are full; its buffer grows to at most twice this size.
const READ_BYTES: usize = 512 * 1024;

/// A connection is not kept after a longer body, because it would keep its large buffer as well. A
/// new connection costs a fraction of a millisecond in a scrape that takes many.
const MAX_KEPT_BODY_BYTES: u64 = 1 << 20;

/// Maximum number of connections that each thread keeps for its next scrape. One per Prometheus
/// replica is enough.
const MAX_IDLE: usize = 2;

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
        let (requests, driver) =
            http1::Builder::new().max_buf_size(READ_BYTES).handshake(TokioIo::new(io)).await?;
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

/// The idle connections of one target.
#[derive(Debug, Default)]
pub(super) struct IdleConnections(Mutex<Vec<Connection>>);

impl IdleConnections {
    /// Takes a connection that was kept on this thread. A connection of another thread would work
    /// too, but its events would be delivered to that thread's event loop first.
    pub(super) fn take_here(&self) -> Option<Connection> {
        let mut idle = self.lock();
        let here = thread::current().id();
        let found = idle.iter().rposition(|connection| connection.thread == here)?;
        Some(idle.swap_remove(found))
    }

    fn keep(&self, connection: Connection) {
        let mut idle = self.lock();
        let here = idle.iter().filter(|kept| kept.thread == connection.thread).count();
        if here < MAX_IDLE {
            idle.push(connection);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Connection>> {
        // Connections are pushed and popped whole, so a panic elsewhere leaves no partial state.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The body of a response, as it arrives.
#[derive(Debug)]
pub(in crate::scrape) struct UpstreamBody {
    incoming: Incoming,
    has_length: bool,
    read_bytes: u64,
    /// `None` once the body has ended and the connection was returned or closed.
    connection: Option<Connection>,
    idle: Arc<IdleConnections>,
}

impl UpstreamBody {
    pub(super) fn new(
        incoming: Incoming,
        connection: Connection,
        idle: Arc<IdleConnections>,
    ) -> UpstreamBody {
        let has_length = incoming.size_hint().exact().is_some();
        UpstreamBody { incoming, has_length, read_bytes: 0, connection: Some(connection), idle }
    }

    /// Whether the head has the length of the body.
    pub(in crate::scrape) fn has_length(&self) -> bool {
        self.has_length
    }

    /// The next bytes of the body; `None` at its end.
    pub(in crate::scrape) fn poll_chunk(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, Error>> {
        loop {
            let frame = match Pin::new(&mut self.incoming).poll_frame(cx) {
                Poll::Ready(frame) => frame,
                Poll::Pending => {
                    if let Some(connection) = &mut self.connection {
                        connection.driver.drive(cx);
                    }
                    match Pin::new(&mut self.incoming).poll_frame(cx) {
                        Poll::Ready(frame) => frame,
                        Poll::Pending => return Poll::Pending,
                    }
                }
            };
            match frame {
                Some(Ok(frame)) => {
                    // The other kind of frame is trailers, which are ignored.
                    if let Ok(chunk) = frame.into_data() {
                        self.read_bytes += chunk.len() as u64;
                        return Poll::Ready(Ok(Some(chunk)));
                    }
                }
                Some(Err(error)) => return Poll::Ready(Err(Error::Cut(innermost(&error)))),
                None => return Poll::Ready(self.end(cx).map(|()| None)),
            }
        }
    }

    /// Returns the connection, unless the target has sent more than it had announced.
    fn end(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        let Some(mut connection) = self.connection.take() else { return Ok(()) };
        connection.driver.drive(cx);
        match &connection.driver {
            // The body is complete, so socket errors are ignored. An error of hyper means bytes
            // after the end.
            Driver::Ended(Some(error)) if self.has_length && error.source().is_none() => {
                Err(Error::Overlong)
            }
            Driver::Runs(_)
                if connection.requests.is_ready() && self.read_bytes <= MAX_KEPT_BODY_BYTES =>
            {
                self.idle.keep(connection);
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// The error of an exchange that failed before the head of the response.
pub(super) fn exchange_error(error: &hyper::Error) -> Error {
    // Under TLS 1.3 the target refuses our certificate, or the lack of one, only after the
    // handshake.
    let of_tls = error.source().and_then(|source| tls::reason(source.downcast_ref::<io::Error>()?));
    match of_tls {
        Some(reason) => Error::Tls(reason),
        None => Error::Exchange(innermost(error)),
    }
}

/// The error of hyper with its source, the error of the operating system.
fn innermost(error: &hyper::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
