//! Listeners that read streams: TCP and Unix. One line behind the other, each with a newline.

use std::io;
use std::os::unix::net as unix;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::super::pipeline::{Feed, Pipeline};
use crate::rewrite::statsd::Sender;
use crate::statsd::{Framer, MAX_DATAGRAM_BYTES};

/// Bytes of one read.
const READ_BYTES: usize = 16 * 1024;

/// How long to wait when the process has run out of file descriptors. Accepting again at once would only burn a CPU.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long a connection may take to say what it had under way when it was time to stop.
const LAST_READ: Duration = Duration::from_millis(100);

/// Where connections are read.
#[derive(Debug)]
pub(super) struct Pool {
    pub(super) workers: Vec<Handle>,
    pub(super) feed: Feed,
    pub(super) stop: CancellationToken,
}

/// What connections come from.
#[derive(Debug)]
enum Acceptor {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// A connection on its way to the worker that reads it.
enum Connection {
    Tcp(std::net::TcpStream),
    Unix(unix::UnixStream),
}

impl Acceptor {
    async fn accept(&self) -> io::Result<Connection> {
        match self {
            Acceptor::Tcp(listener) => listener.accept().await?.0.into_std().map(Connection::Tcp),
            Acceptor::Unix(listener) => listener.accept().await?.0.into_std().map(Connection::Unix),
        }
    }
}

impl Pool {
    pub(super) async fn tcp(self, listener: std::net::TcpListener) {
        self.serve(TcpListener::from_std(listener).map(Acceptor::Tcp)).await;
    }

    pub(super) async fn unix(self, listener: unix::UnixListener) {
        self.serve(UnixListener::from_std(listener).map(Acceptor::Unix)).await;
    }

    /// Accepts connections until it is told to stop, then waits for those that are open to end.
    async fn serve(mut self, acceptor: io::Result<Acceptor>) {
        let acceptor = match acceptor {
            Ok(acceptor) => acceptor,
            Err(error) => {
                tracing::error!(%error, "Cannot take on a StatsD socket.");
                return;
            }
        };
        let mut connections = JoinSet::new();
        let mut turn = 0;
        loop {
            // Beyond the most, clients wait in the kernel's queue.
            let has_room = connections.len() < self.feed.max_connections();
            let accepted = tokio::select! {
                accepted = acceptor.accept(), if has_room => accepted,
                Some(_) = connections.join_next() => continue,
                () = self.feed.replaced() => continue,
                () = self.stop.cancelled() => break,
            };
            match accepted {
                Ok(connection) => {
                    let worker = turn % self.workers.len();
                    // Somebody came when we were about to go.
                    let Some(pipeline) = self.feed.pipeline(worker) else { continue };
                    let stop = self.stop.clone();
                    let serve = async move {
                        if let Err(error) = take_on(connection, pipeline, stop).await {
                            tracing::warn!(%error, "Cannot take on a StatsD connection.");
                        }
                    };
                    connections.spawn_on(serve, &self.workers[worker]);
                    turn += 1;
                }
                Err(error) => {
                    tracing::warn!(%error, "Cannot accept a StatsD connection.");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        while connections.join_next().await.is_some() {}
    }
}

async fn take_on(
    connection: Connection,
    pipeline: Pipeline,
    stop: CancellationToken,
) -> io::Result<()> {
    match connection {
        Connection::Tcp(stream) => read(TcpStream::from_std(stream)?, pipeline, stop).await,
        Connection::Unix(stream) => read(UnixStream::from_std(stream)?, pipeline, stop).await,
    }
    Ok(())
}

/// Reads one connection to its end.
async fn read(mut stream: impl AsyncRead + Unpin, mut pipeline: Pipeline, stop: CancellationToken) {
    let _open = pipeline.metrics().connection();
    let mut framer = Framer::new(MAX_DATAGRAM_BYTES);
    let mut sender = Sender::default();
    let mut buffer = vec![0; READ_BYTES];
    let mut ended = false;
    loop {
        let count = tokio::select! {
            biased;
            () = pipeline.replaced() => continue,
            count = stream.read(&mut buffer) => count,
            // What the kernel has accepted already is read; then it is enough.
            () = stop.cancelled() => {
                match tokio::time::timeout(LAST_READ, stream.read(&mut buffer)).await {
                    Ok(count) => count,
                    Err(_) => break,
                }
            }
        };
        match count {
            Ok(0) => {
                ended = true;
                break;
            }
            Ok(count) => {
                pipeline.refresh();
                let before = framer.oversized();
                framer.feed(&buffer[..count], |lines| pipeline.take(lines, &mut sender));
                pipeline.metrics().refused_oversized(framer.oversized() - before);
                pipeline.publish();
            }
            // A connection that breaks off has no last line.
            Err(_) => break,
        }
    }
    let mut cut = 0;
    framer.finish(|line| {
        if ended {
            pipeline.take(line, &mut sender);
        } else {
            cut += 1;
        }
    });
    pipeline.metrics().refused_cut(cut);
    pipeline.publish();
}
