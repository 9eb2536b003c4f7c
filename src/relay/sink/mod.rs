//! Where lines go. For each sink there is a task on each worker, which sends what its lane holds.

mod backoff;
mod datagram;
mod stream;
#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::resolve::{AbortOnDrop, Addresses, resolve};
use super::{Settings, SinkAddress};
use crate::relay::sink_queue::{Lane, Outlet, Shape};
use crate::telemetry::SinkMetrics;
use backoff::Backoff;

/// One sink, with a lane and a task on each worker.
#[derive(Debug)]
pub(super) struct Sink {
    pub(super) address: SinkAddress,
    pub(super) lanes: Vec<Arc<Lane>>,
    _resolving: Option<AbortOnDrop>,
}

/// Where a task sends to.
#[derive(Clone, Debug)]
enum Destination {
    Udp(Addresses),
    Tcp(Addresses),
    Unix(PathBuf),
}

/// How the lanes of each of so many workers are.
fn shape(settings: &Settings, workers: usize) -> Shape {
    let queue_bytes = settings.queue_bytes / workers.max(1);
    Shape {
        pack_bytes: settings.pack_bytes,
        queue_bytes: queue_bytes.max(settings.pack_bytes + 1),
        overflow: settings.overflow,
        flush_interval: settings.flush_interval,
    }
}

impl Sink {
    /// Begins to resolve the sink's name, and to send what its lanes get until they are closed and empty.
    pub(super) fn start(
        address: &SinkAddress,
        settings: &Settings,
        workers: &[Handle],
        interval: watch::Receiver<Duration>,
        metrics: &SinkMetrics,
        tasks: &mut JoinSet<()>,
    ) -> Sink {
        let resolve = |name| resolve(name, interval, metrics.clone());
        let (destination, resolving) = match address {
            SinkAddress::Udp(name) => {
                let (addresses, task) = resolve(name);
                (Destination::Udp(addresses), task)
            }
            SinkAddress::Tcp(name) => {
                let (addresses, task) = resolve(name);
                (Destination::Tcp(addresses), task)
            }
            SinkAddress::UnixDatagram(path) => (Destination::Unix(path.clone()), None),
        };
        let newline = matches!(address, SinkAddress::Tcp(_));
        let shape = shape(settings, workers.len());
        let name: Arc<str> = address.to_string().into();
        let lane = |worker: &Handle| {
            let lane = Arc::new(Lane::new(shape, newline, metrics.clone()));
            let send = send(Arc::clone(&name), Arc::clone(&lane), destination.clone());
            tasks.spawn_on(send, worker);
            lane
        };
        let lanes = workers.iter().map(lane).collect();
        Sink { address: address.clone(), lanes, _resolving: resolving }
    }

    /// Packs and holds from now on as these settings say.
    pub(super) fn reshape(&self, settings: &Settings) {
        let shape = shape(settings, self.lanes.len());
        self.lanes.iter().for_each(|lane| lane.reshape(shape));
    }
}

/// Sends what the lane holds, until it is closed and empty, or cannot be emptied.
async fn send(name: Arc<str>, lane: Arc<Lane>, destination: Destination) {
    let way = Way {
        name: Arc::clone(&name),
        outlet: Outlet::new(Arc::clone(&lane)),
        backoff: Backoff::default(),
    };
    match destination {
        Destination::Udp(addresses) => datagram::udp(way, addresses).await,
        Destination::Unix(path) => datagram::unix(way, path).await,
        Destination::Tcp(addresses) => stream::tcp(way, addresses).await,
    }
    let lines = lane.abandon();
    if lines > 0 {
        tracing::warn!(sink = %name, lines, "lines dropped at shutdown");
    }
}

/// What every sink task has.
#[derive(Debug)]
struct Way {
    name: Arc<str>,
    outlet: Outlet,
    backoff: Backoff,
}

impl Way {
    fn lane(&self) -> &Lane {
        &self.outlet.lane
    }

    /// Counts a failure and waits before the next attempt. False when there shall be none: the process is
    /// stopping, and a sink that is not there now will not be there in time.
    async fn fail(&mut self, reason: &'static str, error: &io::Error) -> bool {
        self.lane().metrics().failed(reason);
        if self.backoff.is_fresh() {
            // Once for each time that the sink goes away, not for each attempt.
            tracing::warn!(sink = %self.name, reason, %error, "sink unreachable");
        }
        if self.lane().is_closed() {
            return false;
        }
        let wait = self.backoff.next();
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            // One last attempt, now.
            () = self.lane().closed() => {}
        }
        true
    }

    /// The sink takes what is sent.
    fn succeed(&mut self) {
        if !self.backoff.is_fresh() {
            tracing::info!(sink = %self.name, "sink reachable again");
            self.backoff = Backoff::default();
        }
    }
}

/// Resolves once there is an address at all, to the one whose turn it is. `None`: there never will be, or not in time.
async fn address(addresses: &mut Addresses, turn: usize, way: &Way) -> Option<SocketAddr> {
    loop {
        {
            let known = addresses.borrow_and_update();
            if !known.is_empty() {
                return Some(known[turn % known.len()]);
            }
        }
        tokio::select! {
            biased;
            () = way.lane().closed() => return None,
            changed = addresses.changed() => changed.ok()?,
        }
    }
}

/// Resolves when the addresses change; never when they cannot.
async fn moved(addresses: &mut watch::Receiver<Arc<[SocketAddr]>>) {
    if addresses.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}
