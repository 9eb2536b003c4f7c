//! An HTTP/1.1 listener with one or several sockets: accepts, encrypts, serves, drains.
//!
//! The caller produces the responses. This module decides which clients get one and what a
//! connection may cost: request heads have a maximum length and time, responses have a maximum
//! time, and the number of connections is limited. At the limit, the connection that has been idle
//! longest is closed; if none is idle, new clients are refused. A [web configuration
//! file](WebConfig) adds TLS and users.
//!
//! A response that is aborted ends with a reset, not with an orderly close: an HTTP/1.0 client,
//! whose bodies end with the connection, could otherwise treat a part as the whole.

mod access;
mod caught;
mod connection;
mod connection_state;
mod connections;
mod context;
mod reason_phrase;
mod route_prefix;
mod sockets;
mod timeouts;
mod web_config;
mod workers;

use std::error::Error as StdError;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use hyper::body::{Body, Incoming};
use hyper::{Request, Response, StatusCode};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::descriptors::{self, Counted, Purpose, Reserve, Supply};
use crate::shutdown::Shutdown;
use crate::telemetry::{ConnectionRefusal, HttpListenerMetrics};
pub use access::{ClientAddress, Encrypted};
use connections::Connections;
use context::ConnectionContext;
pub use context::{BUFFER_BYTES, Limits, ReloadableConfig};
pub(crate) use reason_phrase::reason_phrase;
pub use route_prefix::{Prefixed, RoutePrefix};
use sockets::{Accepted, Sockets};
pub use web_config::{WebConfig, certificate, check};
use workers::Placement;
pub use workers::Workers;

/// How long to wait after an error, such as no more file descriptors. Retrying at once would only use
/// CPU.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Settings of a listener.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The addresses to listen on. Port 0 takes any free port.
    pub addresses: Vec<SocketAddr>,
    /// Limits of connections.
    pub limits: Limits,
}

/// An address that cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("{address}: {error}")]
pub struct BindError {
    /// The address.
    pub address: SocketAddr,
    /// The error of the operating system.
    pub error: io::Error,
}

/// A bound listener that does not accept yet.
#[derive(Debug)]
pub struct Listener {
    sockets: Sockets,
    addresses: Vec<SocketAddr>,
    rules: Arc<ReloadableConfig>,
    metrics: HttpListenerMetrics,
    /// For listeners that must respond even if clients of others use all file descriptors.
    reserve: Option<Reserve>,
}

impl Listener {
    /// Binds the addresses. From here on clients can connect; they wait until [`serve`](Self::serve)
    /// accepts them.
    ///
    /// # Errors
    ///
    /// An address is in use, is not an address of this host, or the process may not bind it.
    pub async fn bind(
        settings: Settings,
        web: Option<Arc<WebConfig>>,
        metrics: HttpListenerMetrics,
    ) -> Result<Listener, BindError> {
        let mut sockets = Vec::with_capacity(settings.addresses.len());
        let mut addresses = Vec::with_capacity(settings.addresses.len());
        for address in settings.addresses {
            let bound = TcpListener::bind(address).await;
            let bound = bound.and_then(|socket| Ok((socket.local_addr()?, socket.into_std()?)));
            let (bound, socket) = bound.map_err(|error| BindError { address, error })?;
            sockets.push(socket);
            addresses.push(bound);
        }
        Ok(Listener::new(sockets, addresses, settings.limits, web, metrics))
    }

    /// A listener on sockets that another process has bound.
    ///
    /// # Errors
    ///
    /// A socket cannot be used without blocking.
    pub fn on(
        sockets: Vec<std::net::TcpListener>,
        limits: Limits,
        web: Option<Arc<WebConfig>>,
        metrics: HttpListenerMetrics,
    ) -> io::Result<Listener> {
        let addresses = sockets.iter().map(std::net::TcpListener::local_addr);
        let addresses = addresses.collect::<io::Result<_>>()?;
        sockets.iter().try_for_each(|socket| socket.set_nonblocking(true))?;
        Ok(Listener::new(sockets, addresses, limits, web, metrics))
    }

    fn new(
        sockets: Vec<std::net::TcpListener>,
        addresses: Vec<SocketAddr>,
        limits: Limits,
        web: Option<Arc<WebConfig>>,
        metrics: HttpListenerMetrics,
    ) -> Listener {
        let rules = Arc::new(ReloadableConfig(ArcSwap::from_pointee((limits, web))));
        Listener { sockets: Sockets::new(sockets), addresses, rules, metrics, reserve: None }
    }

    /// Lets this listener use the last file descriptors of the process, of which it reserves one.
    #[must_use]
    pub fn essential(mut self) -> Listener {
        let mut reserve = Reserve::default();
        reserve.hold();
        self.reserve = Some(reserve);
        self
    }

    /// The bound addresses. For port 0 in the settings, the port that the system chose.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The configuration that can be replaced while it serves.
    #[must_use]
    pub fn reloadable(&self) -> Arc<ReloadableConfig> {
        Arc::clone(&self.rules)
    }

    /// Serves on `workers` until `shutdown` drains, then finishes the responses in progress and
    /// returns. If `shutdown` is cut short, the connections whose response is not complete are
    /// reset, so that their clients notice.
    ///
    /// The first worker accepts. So a connection that it serves itself, such as the only one, wakes
    /// no other thread.
    ///
    /// Dropping the future closes all connections at once.
    pub async fn serve<S, F, B>(self, workers: &Workers, answer: S, shutdown: &Shutdown)
    where
        S: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Response<B>> + Send + 'static,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        let workers = workers.placement();
        let first = workers.first().clone();
        // A set, because dropping it aborts its task.
        let mut accepting = JoinSet::new();
        accepting.spawn_on(self.accept(workers, answer, shutdown.clone()), &first);
        if let Some(Err(error)) = accepting.join_next().await
            && let Ok(panic) = error.try_into_panic()
        {
            std::panic::resume_unwind(panic);
        }
    }

    /// Accepts connections on the thread of the first worker until `shutdown` drains, and waits for
    /// their ends.
    async fn accept<S, F, B>(mut self, workers: Placement, answer: S, shutdown: Shutdown)
    where
        S: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Response<B>> + Send + 'static,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        let mut open = Connections::new();
        let mut has_waited = false;
        loop {
            // A connection that was asked to leave has its descriptor until it has closed. Accepting
            // faster than they close would use up the descriptors that connections must leave free.
            let is_waiting = open.is_one_leaving() && !has_waited;
            let accepted = tokio::select! {
                accepted = self.sockets.accept(), if !is_waiting => accepted,
                () = open.one_ends() => {
                    self.reserve.iter_mut().for_each(Reserve::hold);
                    continue;
                }
                () = tokio::time::sleep(ACCEPT_PAUSE), if is_waiting => {
                    has_waited = true;
                    continue;
                }
                () = shutdown.until_drain() => break,
            };
            has_waited = false;
            let started = accepted.and_then(|stream| {
                let Some(counted) = self.admit(&stream, &mut open) else { return Ok(()) };
                let place = workers.place();
                let stream = Accepted::new(stream, &place)?;
                open.start(stream, place, counted, answer.clone(), self.context(&shutdown));
                Ok(())
            });
            if let Err(error) = started {
                self.recover(&error, &mut open).await;
            }
        }
        drop(self.sockets);
        // Each connection waits for the shutdown itself.
        open.all_end().await;
    }

    fn context(&self, shutdown: &Shutdown) -> ConnectionContext {
        ConnectionContext {
            limits: self.rules.limits(),
            rules: Arc::clone(&self.rules),
            metrics: self.metrics.clone(),
            shutdown: shutdown.clone(),
        }
    }

    /// Goes on after an error. If there are no more file descriptors, idle connections make room, or
    /// the reserve is used.
    async fn recover(&mut self, error: &io::Error, open: &mut Connections) {
        let addresses = self.addresses.iter().map(ToString::to_string).collect::<Vec<_>>();
        tracing::warn!(%error, address = addresses.join(", "), "cannot accept a connection");
        if descriptors::are_exhausted(error) {
            self.metrics.refused(ConnectionRefusal::Descriptors);
            if self.reserve.as_mut().is_some_and(Reserve::release) {
                return;
            }
            // Those that were asked to leave may not have closed yet. The kernel reports this error even
            // if no client waits, so a connection that has just been accepted would be closed for no one.
            if !open.is_one_leaving() {
                open.make_room(ACCEPT_PAUSE);
            }
        }
        tokio::select! {
            () = open.one_ends() => {}
            () = tokio::time::sleep(ACCEPT_PAUSE) => {}
        }
    }

    /// Makes room for a connection, by closing an idle one if necessary. Returns `None` if the
    /// client was refused.
    fn admit(&self, stream: &TcpStream, open: &mut Connections) -> Option<Counted> {
        let counted = Counted::new(stream);
        let Some((reason, text)) = self.refusal(&counted, open) else { return Some(counted) };
        self.metrics.refused(reason);
        if self.rules.web().is_none_or(|web| web.tls.is_none()) {
            // Best effort: it fits into the socket's buffer, or is not sent.
            let word = connection::last_word(StatusCode::SERVICE_UNAVAILABLE, text);
            drop(stream.try_write(word.as_bytes()));
        }
        None
    }

    /// Why there is no room for a new connection, and a text for its client.
    fn refusal(
        &self,
        counted: &Counted,
        open: &mut Connections,
    ) -> Option<(ConnectionRefusal, &'static str)> {
        let supply = match self.reserve {
            Some(_) => Supply::Ample,
            None => counted.supply(Purpose::Client),
        };
        let is_full = open.len() >= self.rules.limits().max_connections;
        if !is_full && supply == Supply::Ample || open.make_room(Duration::ZERO) {
            return None;
        }
        if is_full {
            let text = "Too many connections (web.max_connections), and none of them is idle.\n";
            return Some((ConnectionRefusal::Connections, text));
        }
        let text = "The process has no more file descriptors, and no connection is idle.\n";
        (supply == Supply::Scarce).then_some((ConnectionRefusal::Descriptors, text))
    }
}
