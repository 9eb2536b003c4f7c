//! HTTP to one target: connections that are kept, one exchange at a time on each.
//!
//! hyper splits a client's connection into a handle and a driver that moves its bytes. The usual place for the driver is a
//! task of its own; here it is polled by whoever waits for the answer. One scrape is then one task: no wake-ups
//! and no queue between the socket and the engine, and dropping an answer closes its connection at once.
//!
//! Idle connections are not watched. One that the target has closed meanwhile is found out when it is used, before or
//! after the request is sent, and the request, which is a GET, goes out once more on a fresh connection.

use std::error::Error as _;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::thread::{self, ThreadId};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Empty;
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, ACCEPT_ENCODING, HOST, HeaderMap, HeaderValue, USER_AGENT};
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::Failure;
use super::timeout::{TIMEOUT_HEADER, header_value};

/// About how much is read from a socket at a time, when there is as much. hyper begins with a few KiB and doubles while
/// reads come back full; its buffer ends up at up to twice this.
const READ_BYTES: usize = 256 * 1024;

/// A connection that has carried a longer body is not kept. It would keep its buffer as well, one for each target, to
/// save a fraction of a millisecond in a scrape that takes many.
const MAX_KEPT_BODY_BYTES: u64 = 1 << 20;

/// Connections that each thread keeps for its next scrape. One per Prometheus replica is the most that is of use.
const MAX_IDLE: usize = 2;

type Io = TokioIo<TcpStream>;
type NoBody = Empty<Bytes>;

/// The HTTP side of one target.
#[derive(Debug)]
pub(super) struct Upstream {
    host: String,
    port: u16,
    path: Uri,
    host_header: HeaderValue,
    idle: Mutex<Vec<Connection>>,
}

/// The head of an answer, and its body to come.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: AnswerBody,
}

impl Upstream {
    /// A target at an absolute `http` URL.
    ///
    /// # Panics
    ///
    /// The URL has no host; the settings refuse such.
    pub(super) fn new(url: &Uri) -> Upstream {
        let authority = url.authority().expect("the settings refuse a URL without a host");
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        let path = url.path_and_query().map_or("/", |path| path.as_str());
        Upstream {
            host: host.to_owned(),
            port: authority.port_u16().unwrap_or(80),
            path: path.parse().expect("the path of a URL is a URL"),
            host_header: authority.as_str().try_into().expect("an authority is a header value"),
            idle: Mutex::new(Vec::new()),
        }
    }

    /// Asks for the exposition. The answer must be there before `deadline`, which is `timeout` from the scrape's start.
    ///
    /// Cancelling closes the connection that was used.
    pub(super) async fn get(
        self: &Arc<Self>,
        timeout: Duration,
        deadline: Instant,
    ) -> Result<Answer, Failure> {
        if let Some(connection) = self.idle_here()
            && let Ok(answer) = self.exchange(connection, timeout).await
        {
            return Ok(answer);
        }
        let stream = self.connect(deadline).await?;
        let (requests, driver) = http1::Builder::new()
            .max_buf_size(READ_BYTES)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| exchange_failure(&error))?;
        let driver = Driver::Runs(Box::new(driver));
        let connection = Connection { requests, driver, thread: thread::current().id() };
        self.exchange(connection, timeout).await.map_err(|error| exchange_failure(&error))
    }

    async fn exchange(
        self: &Arc<Self>,
        mut connection: Connection,
        timeout: Duration,
    ) -> hyper::Result<Answer> {
        let answer = connection.exchange(self.request(timeout)).await?;
        let (head, incoming) = answer.into_parts();
        let has_length = incoming.size_hint().exact().is_some();
        let body = AnswerBody {
            incoming,
            has_length,
            read_bytes: 0,
            connection: Some(connection),
            upstream: Arc::clone(self),
        };
        Ok(Answer { status: head.status, headers: head.headers, body })
    }

    fn request(&self, timeout: Duration) -> Request<NoBody> {
        let mut request = Request::new(NoBody::new());
        *request.uri_mut() = self.path.clone();
        let headers = request.headers_mut();
        headers.insert(HOST, self.host_header.clone());
        let user_agent = concat!("crossfade/", env!("CARGO_PKG_VERSION"));
        headers.insert(USER_AGENT, HeaderValue::from_static(user_agent));
        let accept = "text/plain;version=0.0.4;q=1,*/*;q=0.1";
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        headers.insert(TIMEOUT_HEADER, header_value(timeout));
        request
    }

    /// Tries the target's addresses in turn. Each gets its share of the time that is left, so that one that swallows
    /// packets does not use it all up.
    async fn connect(&self, deadline: Instant) -> Result<TcpStream, Failure> {
        let addresses = tokio::net::lookup_host((self.host.as_str(), self.port));
        let addresses: Vec<_> = addresses.await.map_err(Failure::Resolve)?.collect();
        let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for (tried, address) in addresses.iter().enumerate() {
            let left = deadline.saturating_duration_since(Instant::now());
            let untried = u32::try_from(addresses.len() - tried).unwrap_or(u32::MAX);
            match tokio::time::timeout(left / untried, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    stream.set_nodelay(true).map_err(Failure::Connect)?;
                    return Ok(stream);
                }
                Ok(Err(error)) => failure = error,
                Err(_) => failure = io::ErrorKind::TimedOut.into(),
            }
        }
        Err(Failure::Connect(failure))
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        // Connections are pushed and popped whole, so a panic elsewhere leaves nothing half done.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection that was kept on this thread. One of another thread's would work as well, but its events would go
    /// to that thread's event loop first.
    fn idle_here(&self) -> Option<Connection> {
        let mut idle = self.idle();
        let here = thread::current().id();
        let found = idle.iter().rposition(|connection| connection.thread == here)?;
        Some(idle.swap_remove(found))
    }

    fn keep(&self, connection: Connection) {
        let mut idle = self.idle();
        let here = idle.iter().filter(|kept| kept.thread == connection.thread).count();
        if here < MAX_IDLE {
            idle.push(connection);
        }
    }
}

/// A connection, with the driver that moves its bytes when polled.
#[derive(Debug)]
struct Connection {
    requests: http1::SendRequest<NoBody>,
    driver: Driver,
    /// On which it was opened.
    thread: ThreadId,
}

#[derive(Debug)]
enum Driver {
    Runs(Box<http1::Connection<Io, NoBody>>),
    /// The target has closed the connection, or one of the two broke off; then with the reason.
    Ended(Option<hyper::Error>),
}

impl Driver {
    /// Moves what bytes can be moved. What fails here reaches the answer or its body, too.
    fn drive(&mut self, cx: &mut Context<'_>) {
        if let Driver::Runs(connection) = self
            && let Poll::Ready(ended) = Pin::new(&mut **connection).poll(cx)
        {
            *self = Driver::Ended(ended.err());
        }
    }
}

impl Connection {
    async fn exchange(&mut self, request: Request<NoBody>) -> hyper::Result<Response<Incoming>> {
        let Connection { requests, driver, .. } = self;
        // A connection that was kept may have been closed since: let the driver see it.
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

/// The body of an answer, as it arrives.
#[derive(Debug)]
pub(super) struct AnswerBody {
    incoming: Incoming,
    has_length: bool,
    read_bytes: u64,
    /// `None` once the body has ended and the connection went back to its upstream, or to its end.
    connection: Option<Connection>,
    upstream: Arc<Upstream>,
}

impl AnswerBody {
    /// Whether the head told the body's length.
    pub(super) fn has_length(&self) -> bool {
        self.has_length
    }

    /// The next bytes of the body; `None` at its end.
    pub(super) fn poll_chunk(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, Failure>> {
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
                    // The other kind of frame are trailers, which say nothing to us.
                    if let Ok(chunk) = frame.into_data() {
                        self.read_bytes += chunk.len() as u64;
                        return Poll::Ready(Ok(Some(chunk)));
                    }
                }
                Some(Err(error)) => return Poll::Ready(Err(Failure::Cut(innermost(&error)))),
                None => return Poll::Ready(self.end(cx).map(|()| None)),
            }
        }
    }

    /// Gives the connection back, unless the target has more to say than it had announced.
    fn end(&mut self, cx: &mut Context<'_>) -> Result<(), Failure> {
        let Some(mut connection) = self.connection.take() else { return Ok(()) };
        connection.driver.drive(cx);
        match &connection.driver {
            // An error of the socket comes too late to matter. One of hyper's own means bytes behind the end.
            Driver::Ended(Some(error)) if self.has_length && error.source().is_none() => {
                Err(Failure::Overlong)
            }
            Driver::Runs(_)
                if connection.requests.is_ready() && self.read_bytes <= MAX_KEPT_BODY_BYTES =>
            {
                self.upstream.keep(connection);
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

fn exchange_failure(error: &hyper::Error) -> Failure {
    Failure::Exchange(innermost(error))
}

/// What hyper says, and what the operating system said to hyper.
fn innermost(error: &hyper::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
