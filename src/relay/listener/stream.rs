//! Stream listeners: TCP and Unix. Each line ends in a newline.

use std::io;
use std::os::unix::net as unix;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::super::pipeline::{Pipeline, PipelineFactory};
use crate::rewrite::statsd::Sender;
use crate::statsd::{Framer, MAX_DATAGRAM_BYTES};

/// Maximum number of bytes per read.
const READ_BYTES: usize = 16 * 1024;

/// Pause after an accept error, such as too many open files, so that retries do not use a whole CPU.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long a connection is still read after the stop, for bytes that were in transit.
const LAST_READ: Duration = Duration::from_millis(100);

/// Distributes connections among the workers.
#[derive(Debug)]
pub(super) struct Pool {
    pub(super) workers: Vec<Handle>,
    pub(super) factory: PipelineFactory,
    pub(super) stop: CancellationToken,
}

/// A listening socket.
#[derive(Debug)]
enum Acceptor {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// An accepted connection, before a worker reads it.
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

    /// Accepts connections until `stop` is cancelled, then waits until the open ones have ended.
    async fn serve(mut self, acceptor: io::Result<Acceptor>) {
        let acceptor = match acceptor {
            Ok(acceptor) => acceptor,
            Err(error) => {
                tracing::error!(%error, "cannot register socket");
                return;
            }
        };
        let mut connections = JoinSet::new();
        let mut turn = 0;
        loop {
            // At the limit, clients wait in the kernel's accept queue.
            let has_room = connections.len() < self.factory.max_connections();
            let accepted = tokio::select! {
                accepted = acceptor.accept(), if has_room => accepted,
                Some(_) = connections.join_next() => continue,
                () = self.factory.replaced() => continue,
                () = self.stop.cancelled() => break,
            };
            match accepted {
                Ok(connection) => {
                    let worker = turn % self.workers.len();
                    // The listener has been removed from the settings.
                    let Some(pipeline) = self.factory.pipeline(worker) else { continue };
                    let stop = self.stop.clone();
                    let serve = async move {
                        if let Err(error) = read_on_worker(connection, pipeline, stop).await {
                            tracing::warn!(%error, "cannot register connection");
                        }
                    };
                    connections.spawn_on(serve.in_current_span(), &self.workers[worker]);
                    turn += 1;
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        while connections.join_next().await.is_some() {}
        tracing::debug!("listener stopped");
    }
}

async fn read_on_worker(
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

/// Reads one connection until it ends.
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
            // After the stop, read only what has already arrived.
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
            // A connection that fails has no complete last line.
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
