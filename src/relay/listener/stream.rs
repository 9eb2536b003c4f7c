//! Stream listeners: TCP and Unix. Each line ends in a newline.

use std::io;
use std::os::unix::net as unix;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, UnixListener};
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::super::pipeline::PipelineFactory;
use super::connection::Connection;
use super::senders::Places;
use crate::descriptors::{self, Supply};

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
            Acceptor::Tcp(listener) => listener.accept().await?.0.into_std().map(Connection::tcp),
            Acceptor::Unix(listener) => listener.accept().await?.0.into_std().map(Connection::unix),
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
        let mut open =
            Connections { tasks: JoinSet::new(), places: Places::new(self.stop.clone()) };
        let mut turn = 0;
        let mut limit = ConnectionLimit::default();
        let mut has_waited = false;
        loop {
            // At the limit, clients wait in the kernel's accept queue until a silent one makes room.
            let max = self.factory.connections().max;
            let is_full = open.places.len() >= max;
            if limit.reached(is_full) {
                self.factory.metrics().limit_reached();
                limit.warn(max);
            }
            let silent = open.places.next_silent().filter(|_| is_full);
            let has_room = !is_full || silent.is_some_and(|at| at <= Instant::now());
            // As for HTTP clients: a connection that was asked to leave still has its descriptor.
            let is_waiting = open.is_one_leaving() && !has_waited;
            let accepted = tokio::select! {
                accepted = acceptor.accept(), if has_room && !is_waiting => accepted,
                () = open.one_ends() => continue,
                () = until(silent), if !has_room => continue,
                () = tokio::time::sleep(ACCEPT_PAUSE), if is_waiting => {
                    has_waited = true;
                    continue;
                }
                () = self.factory.replaced() => continue,
                () = self.stop.cancelled() => break,
            };
            has_waited = false;
            match accepted {
                Ok(connection) => {
                    if self.has_place(&connection, is_full, &mut open.places) {
                        self.read(connection, turn, &mut open);
                        turn += 1;
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept connection");
                    if descriptors::are_exhausted(&error) {
                        self.factory.metrics().no_descriptors();
                        // Those that were asked to leave may not have closed yet.
                        if !open.is_one_leaving() {
                            self.make_room(&mut open.places);
                        }
                    }
                    tokio::select! {
                        () = open.one_ends() => {}
                        () = tokio::time::sleep(ACCEPT_PAUSE) => {}
                    }
                }
            }
        }
        while open.tasks.join_next().await.is_some() {}
        tracing::debug!("listener stopped");
    }

    /// Whether there is room for a new connection, if necessary that of a silent one.
    fn has_place(&self, connection: &Connection, is_full: bool, places: &mut Places) -> bool {
        let supply = connection.supply();
        if !is_full && supply == Supply::Ample || self.make_room(places) {
            return true;
        }
        if is_full {
            // The connection that was silent has sent a line in the meantime.
            self.factory.metrics().limit_reached();
        } else if supply == Supply::Scarce {
            self.factory.metrics().no_descriptors();
        }
        !is_full && supply != Supply::Scarce
    }

    fn make_room(&self, places: &mut Places) -> bool {
        let made_room = places.make_room();
        if made_room {
            self.factory.metrics().made_room();
        }
        made_room
    }

    /// Reads a connection on the worker whose turn it is.
    fn read(&self, connection: Connection, turn: usize, open: &mut Connections) {
        let worker = turn % self.workers.len();
        // The listener may have been removed from the settings.
        let Some(pipeline) = self.factory.pipeline(worker) else { return };
        let place = open.places.place();
        let its = Arc::clone(&place);
        let read = async move {
            if let Err(error) = connection.read(pipeline, its).await {
                tracing::warn!(%error, "cannot register connection");
            }
        };
        let task = open.tasks.spawn_on(read.in_current_span(), &self.workers[worker]);
        open.places.take(task.id(), place);
    }
}

/// The open connections.
struct Connections {
    tasks: JoinSet<()>,
    places: Places,
}

impl Connections {
    /// Whether a connection was asked to leave and has not closed yet.
    fn is_one_leaving(&self) -> bool {
        self.tasks.len() > self.places.len()
    }

    /// Resolves when a connection has ended; never if there is none. Cancel safe.
    async fn one_ends(&mut self) {
        let id = match self.tasks.join_next_with_id().await {
            Some(Ok((id, ()))) => id,
            Some(Err(error)) => error.id(),
            None => return std::future::pending().await,
        };
        self.places.free(id);
    }
}

/// Resolves at a time; never without one.
async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
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
