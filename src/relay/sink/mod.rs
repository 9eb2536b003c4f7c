//! Where lines go. For each sink there is a task on each worker, which sends what its lane holds.

mod backoff;
mod datagram;
mod stream;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::lane::{Lane, Outlet, Shape};
use super::resolve::{Addresses, resolve};
use super::{Settings, SinkAddress, SinkSettings};
use crate::telemetry::SinkMetrics;
use backoff::Backoff;

/// One sink.
#[derive(Debug)]
pub(super) struct Sink {
    address: SinkAddress,
    name: Arc<str>,
    /// How the lanes would be if there were one worker.
    shape: Shape,
    flush_interval: Duration,
    metrics: SinkMetrics,
}

/// Where a task sends to.
#[derive(Clone, Debug)]
pub(super) enum Destination {
    Udp(Addresses),
    Tcp(Addresses),
    Unix(PathBuf),
}

impl Sink {
    pub(super) fn new(sink: &SinkSettings, settings: &Settings, metrics: SinkMetrics) -> Sink {
        let shape = Shape {
            pack_bytes: settings.pack_bytes,
            queue_bytes: settings.queue_bytes,
            overflow: settings.overflow,
            newline: matches!(sink.address, SinkAddress::Tcp(_)),
        };
        Sink {
            name: sink.address.to_string().into(),
            address: sink.address.clone(),
            shape,
            flush_interval: settings.flush_interval,
            metrics,
        }
    }

    /// Begins to resolve the sink's name.
    pub(super) fn resolve(&self, interval: Duration, tasks: &mut JoinSet<()>) -> Destination {
        let mut resolve = |name| resolve(name, interval, self.metrics.clone(), tasks);
        match &self.address {
            SinkAddress::Udp(name) => Destination::Udp(resolve(name)),
            SinkAddress::Tcp(name) => Destination::Tcp(resolve(name)),
            SinkAddress::UnixDatagram(path) => Destination::Unix(path.clone()),
        }
    }

    /// The lane of one of `workers`.
    pub(super) fn lane(&self, workers: usize) -> Lane {
        let queue_bytes = (self.shape.queue_bytes / workers.max(1)).max(self.shape.pack_bytes + 1);
        Lane::new(Shape { queue_bytes, ..self.shape }, self.metrics.clone())
    }

    /// Sends what the lane holds, until it is closed and empty.
    pub(super) fn send(
        &self,
        lane: Arc<Lane>,
        destination: Destination,
    ) -> impl Future<Output = ()> + Send + 'static {
        let way = Way {
            name: Arc::clone(&self.name),
            outlet: Outlet::new(lane, self.flush_interval),
            backoff: Backoff::default(),
        };
        async move {
            match destination {
                Destination::Udp(addresses) => datagram::udp(way, addresses).await,
                Destination::Unix(path) => datagram::unix(way, path).await,
                Destination::Tcp(addresses) => stream::tcp(way, addresses).await,
            }
        }
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
            tracing::warn!(sink = %self.name, reason, %error, "A StatsD sink cannot be reached.");
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
            tracing::info!(sink = %self.name, "A StatsD sink can be reached again.");
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
