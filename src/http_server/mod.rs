//! One HTTP/1.1 listener: accepts, encrypts, serves, drains.
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
mod context;
mod reason_phrase;
mod timeouts;
mod web_config;
mod workers;

use std::collections::HashMap;
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
use tokio::task::{Id, JoinSet};
use tokio::time::Instant;

use crate::descriptors::{self, Counted, Purpose, Reserve, Supply};
use crate::shutdown::Shutdown;
use crate::telemetry::{ConnectionRefusal, HttpListenerMetrics};
pub use access::{ClientAddress, Encrypted};
use connection_state::ConnectionState;
use context::ConnectionContext;
pub use context::{BUFFER_BYTES, Limits, ReloadableConfig};
pub(crate) use reason_phrase::reason_phrase;
pub use web_config::{WebConfig, certificate, check};
pub use workers::Workers;

/// How long to wait after an error, such as no more file descriptors. Retrying at once would only use
/// CPU.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Settings of a listener.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The address to listen on. Port 0 takes any free port.
    pub address: SocketAddr,
    /// Limits of connections.
    pub limits: Limits,
}

/// A bound listener that does not accept yet.
#[derive(Debug)]
pub struct Listener {
    tcp: TcpListener,
    address: SocketAddr,
    rules: Arc<ReloadableConfig>,
    metrics: HttpListenerMetrics,
    /// For listeners that must respond even if clients of others use all file descriptors.
    reserve: Option<Reserve>,
}

/// The open connections.
struct Connections {
    tasks: JoinSet<()>,
    activities: HashMap<Id, Arc<ConnectionState>>,
    /// Earlier than the start of every connection.
    epoch: Instant,
}

impl Listener {
    /// Binds the address. From here on clients can connect; they wait until [`serve`](Self::serve)
    /// accepts them.
    ///
    /// # Errors
    ///
    /// The address is in use, is not an address of this host, or the process may not bind it.
    pub async fn bind(
        settings: Settings,
        web: Option<Arc<WebConfig>>,
        metrics: HttpListenerMetrics,
    ) -> io::Result<Listener> {
        let tcp = TcpListener::bind(settings.address).await?;
        let address = tcp.local_addr()?;
        let rules = Arc::new(ReloadableConfig(ArcSwap::from_pointee((settings.limits, web))));
        Ok(Listener { tcp, address, rules, metrics, reserve: None })
    }

    /// Lets this listener use the last file descriptors of the process, of which it reserves one.
    #[must_use]
    pub fn essential(mut self) -> Listener {
        let mut reserve = Reserve::default();
        reserve.hold();
        self.reserve = Some(reserve);
        self
    }

    /// The bound address. For port 0 in the settings, the port that the system chose.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
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
    /// Dropping the future closes all connections at once.
    pub async fn serve<S, F, B>(mut self, workers: &Workers, answer: S, shutdown: &Shutdown)
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
                accepted = self.tcp.accept(), if !is_waiting => accepted,
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
            match accepted.and_then(|(stream, _)| self.admit(stream, &mut open)) {
                Ok(Some((stream, counted))) => {
                    let worker = workers.place();
                    let runtime = worker.runtime.clone();
                    let answer = answer.clone();
                    let activity = Arc::new(ConnectionState::new(open.epoch));
                    let context = ConnectionContext {
                        limits: self.rules.limits(),
                        rules: Arc::clone(&self.rules),
                        metrics: self.metrics.clone(),
                        shutdown: shutdown.clone(),
                    };
                    let its = Arc::clone(&activity);
                    let serve = async move {
                        match TcpStream::from_std(stream) {
                            Ok(stream) => connection::serve(stream, answer, context, its).await,
                            Err(error) => tracing::warn!(%error, "cannot serve a connection"),
                        }
                        drop(counted);
                        drop(worker);
                    };
                    let id = open.tasks.spawn_on(serve, &runtime).id();
                    open.activities.insert(id, activity);
                }
                Ok(None) => {}
                Err(error) => self.recover(&error, &mut open).await,
            }
        }
        drop(self.tcp);
        // Each connection waits for the shutdown itself.
        while open.tasks.join_next().await.is_some() {}
    }

    /// Goes on after an error. If there are no more file descriptors, idle connections make room, or
    /// the reserve is used.
    async fn recover(&mut self, error: &io::Error, open: &mut Connections) {
        tracing::warn!(%error, address = %self.address, "cannot accept a connection");
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
    fn admit(
        &self,
        stream: TcpStream,
        open: &mut Connections,
    ) -> io::Result<Option<(std::net::TcpStream, Counted)>> {
        let counted = Counted::new(&stream);
        if let Some((reason, text)) = self.refusal(&counted, open) {
            self.metrics.refused(reason);
            if self.rules.web().is_none_or(|web| web.tls.is_none()) {
                // Best effort: it fits into the socket's buffer, or is not sent.
                let word = connection::last_word(StatusCode::SERVICE_UNAVAILABLE, text);
                drop(stream.try_write(word.as_bytes()));
            }
            return Ok(None);
        }
        // The worker registers the socket with its own event loop.
        Ok(Some((stream.into_std()?, counted)))
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
        let is_full = open.activities.len() >= self.rules.limits().max_connections;
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

impl Connections {
    fn new() -> Connections {
        Connections { tasks: JoinSet::new(), activities: HashMap::new(), epoch: Instant::now() }
    }

    /// Completes when a connection has ended; never if there is none. Cancel safe.
    async fn one_ends(&mut self) {
        let id = match self.tasks.join_next_with_id().await {
            Some(Ok((id, ()))) => id,
            Some(Err(error)) => error.id(),
            None => return std::future::pending().await,
        };
        self.activities.remove(&id);
    }

    /// Whether a connection was asked to leave and has not closed yet.
    fn is_one_leaving(&self) -> bool {
        self.tasks.len() > self.activities.len()
    }

    /// Asks the connection that has been idle longest, and for at least `time`, to close. Returns
    /// false if there is none.
    fn make_room(&mut self, time: Duration) -> bool {
        let latest = self.epoch.elapsed().saturating_sub(time).as_millis();
        let waiting = self.activities.iter().filter_map(|(id, it)| Some((it.waits_since()?, *id)));
        let waiting = waiting.filter(|(since, _)| u128::from(*since) <= latest);
        let Some((_, id)) = waiting.min_by_key(|(since, _)| *since) else { return false };
        // It no longer counts, and is not asked again.
        if let Some(activity) = self.activities.remove(&id) {
            activity.ask_to_leave();
        }
        true
    }
}
