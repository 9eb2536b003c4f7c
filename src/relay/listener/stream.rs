//! Stream listeners: TCP and Unix. Each line ends in a newline.

use std::io;
use std::os::unix::net as unix;
use std::time::Duration;

use tokio::net::{TcpListener, UnixListener};
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::super::pipeline::PipelineFactory;
use super::connection::Connection;

/// Pause after an accept error, such as too many open files, so that retries do not use a whole
/// CPU.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Minimum time between two warnings that the connection limit is reached.
const WARN_INTERVAL: Duration = Duration::from_secs(60);

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
        let mut limit = ConnectionLimit::default();
        loop {
            // At the limit, clients wait in the kernel's accept queue.
            let max = self.factory.connections().max;
            let has_room = connections.len() < max;
            if limit.reached(!has_room) {
                self.factory.metrics().limit_reached();
                limit.warn(max);
            }
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
                        if let Err(error) = connection.read(pipeline, stop).await {
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

/// Notices when the connection limit is reached.
#[derive(Default)]
struct ConnectionLimit {
    reached: bool,
    warned: Option<Instant>,
}

impl ConnectionLimit {
    /// True if the limit is reached now and was not before.
    fn reached(&mut self, reached: bool) -> bool {
        let before = std::mem::replace(&mut self.reached, reached);
        reached && !before
    }

    fn warn(&mut self, max_connections: usize) {
        if self.warned.is_none_or(|at| at.elapsed() >= WARN_INTERVAL) {
            tracing::warn!(max_connections, "connection limit reached");
            self.warned = Some(Instant::now());
        }
    }
}
