//! One connection of a stream listener.

use std::io;
use std::os::unix::net as unix;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::super::pipeline::Pipeline;
use super::senders::Place;
use crate::descriptors::{Counted, Purpose, Supply};
use crate::relay::keepalive;
use crate::rewrite::statsd::Sender;
use crate::statsd::{MAX_DATAGRAM_BYTES, StreamFramer};

/// Maximum number of bytes per read.
const READ_BYTES: usize = 16 * 1024;

/// How long after the stop, or after a request to leave, bytes that are in transit are waited for.
const LAST_READ: Duration = Duration::from_millis(100);

/// Maximum number of bytes that are read after the stop: more than a socket buffer holds, but
/// bounded if a peer never stops sending.
const LAST_BYTES: usize = 8 << 20;

/// An accepted connection, before a worker reads it.
pub(super) enum Connection {
    Tcp(std::net::TcpStream, Counted),
    Unix(unix::UnixStream, Counted),
}

/// Why reading ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// The peer has closed the connection.
    Closed,
    /// The connection failed, was silent for too long, or the listener has stopped.
    Cut,
}

impl Connection {
    pub(super) fn tcp(stream: std::net::TcpStream) -> Connection {
        let counted = Counted::new(&stream);
        Connection::Tcp(stream, counted)
    }

    pub(super) fn unix(stream: unix::UnixStream) -> Connection {
        let counted = Counted::new(&stream);
        Connection::Unix(stream, counted)
    }

    /// How many file descriptors are free after this connection has taken one.
    pub(super) fn supply(&self) -> Supply {
        match self {
            Connection::Tcp(_, counted) | Connection::Unix(_, counted) => {
                counted.supply(Purpose::Sender)
            }
        }
    }

    /// Reads the connection until it ends or has to leave its place.
    pub(super) async fn read(self, pipeline: Pipeline, place: Arc<Place>) -> io::Result<()> {
        match self {
            Connection::Tcp(stream, _counted) => {
                keepalive::set(&stream, pipeline.connections().keepalive)?;
                let framer = StreamFramer::lines(MAX_DATAGRAM_BYTES);
                let stream = TcpStream::from_std(stream)?;
                Reading::new(stream, framer, pipeline, place).run().await;
            }
            Connection::Unix(stream, _counted) => {
                let framer = StreamFramer::lines_or_packets(MAX_DATAGRAM_BYTES);
                let stream = UnixStream::from_std(stream)?;
                Reading::new(stream, framer, pipeline, place).run().await;
            }
        }
        Ok(())
    }
}

/// The state of a connection that is being read.
struct Reading<S> {
    stream: S,
    framer: StreamFramer,
    pipeline: Pipeline,
    sender: Sender,
    buffer: Vec<u8>,
    place: Arc<Place>,
}

impl<S: AsyncRead + Unpin> Reading<S> {
    fn new(stream: S, framer: StreamFramer, pipeline: Pipeline, place: Arc<Place>) -> Reading<S> {
        let buffer = vec![0; READ_BYTES];
        Reading { stream, framer, pipeline, sender: Sender::default(), buffer, place }
    }

    async fn run(mut self) {
        let _open = self.pipeline.metrics().connection();
        let end = match self.read().await {
            Some(end) => end,
            None => self.drain().await,
        };
        let Reading { framer, pipeline, sender, place, .. } = &mut self;
        let cut = framer.finish(end == End::Closed, |line| pipeline.take(line, sender));
        if cut > 0 && place.is_left() {
            // The metrics may not be read again.
            tracing::warn!(
                lines = cut,
                "incomplete lines dropped, the gateway closed the connection"
            );
        }
        pipeline.metrics().refused_cut(cut);
        pipeline.publish();
    }

    /// Reads until the connection ends; `None` when it has to leave its place.
    async fn read(&mut self) -> Option<End> {
        let place = Arc::clone(&self.place);
        let mut heard = Instant::now();
        loop {
            let idle_timeout = self.pipeline.connections().idle_timeout;
            let count = tokio::select! {
                biased;
                () = place.must_leave() => return None,
                () = self.pipeline.replaced() => continue,
                count = self.stream.read(&mut self.buffer) => count,
                () = passed(heard, idle_timeout) => {
                    self.pipeline.metrics().closed_idle();
                    tracing::debug!("idle connection closed");
                    return Some(End::Cut);
                }
            };
            match count {
                Ok(0) => return Some(End::Closed),
                Ok(count) => self.process(count),
                // A connection that fails has no complete last line.
                Err(_) => return Some(End::Cut),
            }
            heard = Instant::now();
        }
    }

    /// Reads what has already arrived, or arrives very soon.
    async fn drain(&mut self) -> End {
        let deadline = Instant::now() + LAST_READ;
        let mut left = LAST_BYTES;
        while left > 0 {
            // After the deadline, only what can be read without waiting.
            match timeout_at(deadline, self.stream.read(&mut self.buffer)).await {
                Ok(Ok(0)) => return End::Closed,
                Ok(Ok(count)) => {
                    self.process(count);
                    left = left.saturating_sub(count);
                }
                Ok(Err(_)) | Err(_) => break,
            }
        }
        End::Cut
    }

    fn process(&mut self, count: usize) {
        let Reading { framer, pipeline, sender, buffer, place, .. } = self;
        pipeline.refresh();
        let before = framer.oversized();
        framer.feed(&buffer[..count], |lines| {
            place.heard();
            pipeline.take(lines, sender);
        });
        pipeline.metrics().refused_oversized(framer.oversized() - before);
        pipeline.publish();
    }
}

/// Resolves when the time limit has passed; never without one.
async fn passed(since: Instant, limit: Option<Duration>) {
    match limit.and_then(|limit| since.checked_add(limit)) {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}
