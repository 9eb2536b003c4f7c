//! Sinks: each has one task per worker, which sends the datagrams of that worker's queue.

mod backoff;
mod datagram;
mod in_flight;
mod send_queue;
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
use tracing::Instrument as _;

use super::address::SinkAddress;
use super::resolve::{Addresses, resolve};
use super::settings::Settings;
use super::task::{AbortOnDrop, restarted};
use crate::relay::sink_queue::{QueueReceiver, QueueSettings, SinkQueue};
use crate::telemetry::SinkMetrics;
use backoff::Backoff;

/// One sink, with one queue and one task per worker.
#[derive(Debug)]
pub(super) struct Sink {
    pub(super) address: SinkAddress,
    pub(super) queues: Vec<Arc<SinkQueue>>,
    _resolving: Option<AbortOnDrop>,
}

/// The destination of a sink task.
#[derive(Clone, Debug)]
enum Destination {
    Udp(Addresses),
    Tcp(Addresses),
    Unix(PathBuf),
}

/// The settings of the queue of each of `workers` workers.
fn queue_settings(settings: &Settings, workers: usize) -> QueueSettings {
    let queue_bytes = settings.queue_bytes / workers.max(1);
    QueueSettings {
        pack_bytes: settings.pack_bytes,
        queue_bytes: queue_bytes.max(settings.pack_bytes + 1),
        overflow: settings.overflow,
        flush_interval: settings.flush_interval,
        keepalive: settings.connections.keepalive,
    }
}

impl Sink {
    /// Starts to resolve the sink's name and to send, until its queues are closed and empty.
    pub(super) fn start(
        address: &SinkAddress,
        settings: &Settings,
        workers: &[Handle],
        interval: watch::Receiver<Duration>,
        metrics: &SinkMetrics,
        tasks: &mut JoinSet<()>,
    ) -> Sink {
        let span = span(address);
        let _entered = span.enter();
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
        let queue_settings = queue_settings(settings, workers.len());
        let queue = |worker: &Handle| {
            let queue = Arc::new(SinkQueue::new(queue_settings, newline, metrics.clone()));
            let (its, destination) = (Arc::clone(&queue), destination.clone());
            let span = tracing::Span::current();
            let send = move || send(Arc::clone(&its), destination.clone()).instrument(span.clone());
            tasks.spawn_on(restarted(send), worker);
            queue
        };
        let queues = workers.iter().map(queue).collect();
        Sink { address: address.clone(), queues, _resolving: resolving }
    }

    /// Applies new settings to the queues.
    pub(super) fn reconfigure(&self, settings: &Settings) {
        let queue_settings = queue_settings(settings, self.queues.len());
        self.queues.iter().for_each(|queue| queue.reconfigure(queue_settings));
    }
}

/// The span of everything that is logged about a sink. Its level is that of the most severe event:
/// a span below the level of the log would take its fields out of every line.
fn span(address: &SinkAddress) -> tracing::Span {
    tracing::error_span!("sink", sink = %address)
}

/// Sends from the queue until it is closed and empty, or the sink stays unreachable after the
/// close.
async fn send(queue: Arc<SinkQueue>, destination: Destination) {
    let task =
        SinkTask { receiver: QueueReceiver::new(Arc::clone(&queue)), backoff: Backoff::default() };
    match destination {
        Destination::Udp(addresses) => datagram::udp(task, addresses).await,
        Destination::Unix(path) => datagram::unix(task, path).await,
        Destination::Tcp(addresses) => stream::tcp(task, addresses).await,
    }
    let lines = queue.abandon();
    if lines > 0 {
        tracing::warn!(lines, "lines dropped at shutdown");
    }
}

/// The state that sink tasks of every kind share.
#[derive(Debug)]
struct SinkTask {
    receiver: QueueReceiver,
    backoff: Backoff,
}

impl SinkTask {
    fn queue(&self) -> &SinkQueue {
        &self.receiver.queue
    }

    /// Counts a failure and waits before the next attempt. Returns false if the queue is closed:
    /// the gateway is stopping or the sink was removed, so there is no further attempt.
    async fn fail(&mut self, reason: &'static str, error: &io::Error) -> bool {
        self.queue().metrics().failed(reason);
        if self.backoff.is_fresh() {
            // Logged once per outage, not once per attempt.
            tracing::warn!(reason, %error, "sink unreachable");
        }
        if self.queue().is_closed() {
            return false;
        }
        let wait = self.backoff.next();
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            // One last attempt, at once.
            () = self.queue().closed() => {}
        }
        true
    }

    /// Records a success.
    fn succeed(&mut self) {
        if !self.backoff.is_fresh() {
            tracing::info!("sink reachable again");
            self.backoff = Backoff::default();
        }
    }
}

/// Waits until the sink's name has resolved; returns the address whose turn it is. `None` if the
/// queue is closed first.
async fn address(addresses: &mut Addresses, turn: usize, task: &SinkTask) -> Option<SocketAddr> {
    loop {
        {
            let known = addresses.borrow_and_update();
            if !known.is_empty() {
                return Some(known[turn % known.len()]);
            }
        }
        tokio::select! {
            biased;
            () = task.queue().closed() => return None,
            changed = addresses.changed() => changed.ok()?,
        }
    }
}

/// Resolves when the addresses change; never if they are fixed.
async fn moved(addresses: &mut watch::Receiver<Arc<[SocketAddr]>>) {
    if addresses.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}
