//! The push side: `StatsD` lines come in, are rewritten, and go out to every sink or to one of them.
//!
//! ```text
//!           ┌──────────────────────────── one worker ────────────────────────────┐
//! UDP ──────┤ batch ─┐                               ┌─> lane (packer, queue) ── sink task ──> UDP, Unix datagram
//! TCP ──────┤ framer ┴─> pipeline: rewriter per emit ┴─> lane (packer, queue) ── sink task ──> TCP
//! Unix ─────┤                                                                    │
//!           └────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! Workers share nothing but counters: each has its own socket (the kernel deals datagrams out among them by
//! peer), its own engines, its own queues and its own connection to each sink. Lines of one peer keep their order.
//!
//! - A listener never waits for a sink. Where a sink's queue is full, lines are dropped and counted.
//! - A line is counted once when it is read, and once for each sink when it is sent or dropped.
//! - Memory is bounded by [`Settings`], whatever peers do.
//! - On the way from one system call to the next nothing is allocated per line.

mod address;
mod batch;
mod lane;
mod listener;
mod pipeline;
mod queue;
mod resolve;
mod senders;
mod shard;
mod sink;

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

pub use address::{HostPort, ListenAddress, SinkAddress};
pub use pipeline::Plans;
pub use queue::Overflow;

use crate::mapping::{Emit, StatsdPlan};
use crate::telemetry::Metrics;
use lane::Lane;
use listener::Listener;
use pipeline::Pipeline;
use sink::Sink;

/// How lines are shared out among sinks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Every sink gets all lines.
    #[default]
    Mirror,
    /// Of the sinks that get the same generation, each line goes to one, chosen by the name that it leaves with.
    Shard,
}

/// What to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerSettings {
    /// Where.
    pub address: ListenAddress,
    /// What its lines leave as, unless the sink says otherwise.
    pub emit: Emit,
}

/// Where to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SinkSettings {
    /// Where. Addresses differ.
    pub address: SinkAddress,
    /// What lines leave as here, whatever the listener says.
    pub emit: Option<Emit>,
}

/// Everything that the relay needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// What to listen on.
    pub listeners: Vec<ListenerSettings>,
    /// Where to send.
    pub sinks: Vec<SinkSettings>,
    /// How lines are shared out.
    pub mode: Mode,
    /// The size up to which lines are packed into datagrams; 0 packs none.
    pub pack_bytes: usize,
    /// How long a datagram may wait to be filled.
    pub flush_interval: Duration,
    /// Most bytes that wait for one sink, divided among the workers.
    pub queue_bytes: usize,
    /// What is dropped when they are reached.
    pub overflow: Overflow,
    /// Sockets per UDP address; without it one per worker.
    pub sockets: Option<usize>,
    /// The kernel's buffer of each datagram socket that is listened on; without it the system's default.
    pub receive_buffer: Option<usize>,
    /// Most open connections of each stream listener.
    pub max_connections: usize,
    /// How often the names of sinks are resolved again.
    pub resolve_interval: Duration,
}

impl Settings {
    /// The generations that leave, each once: there must be a plan for each.
    #[must_use]
    pub fn emits(&self) -> Vec<Emit> {
        let mut emits = Vec::new();
        for listener in &self.listeners {
            for sink in &self.sinks {
                let emit = sink.emit.unwrap_or(listener.emit);
                if !emits.contains(&emit) {
                    emits.push(emit);
                }
            }
        }
        emits
    }
}

/// An address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} (statsd.listen): {error}")]
pub struct BindError {
    /// The address.
    pub address: ListenAddress,
    /// What the operating system says.
    pub error: io::Error,
}

/// A relay whose addresses are taken. What arrives waits in the kernel until it [runs](Relay::run).
#[derive(Debug)]
pub struct Relay {
    settings: Settings,
    listeners: Vec<Listener>,
    plans: Plans,
    metrics: Arc<Metrics>,
}

impl Relay {
    /// Takes the addresses. `plans` has one for each of [`Settings::emits`]; `workers` is how many there will be.
    ///
    /// # Errors
    ///
    /// An address is taken, is not ours, or needs rights that the process does not have.
    pub fn bind(
        settings: Settings,
        plans: Vec<(Emit, Arc<StatsdPlan>)>,
        workers: usize,
        metrics: &Arc<Metrics>,
    ) -> Result<Relay, BindError> {
        let mut listeners = Vec::with_capacity(settings.listeners.len());
        for listener in &settings.listeners {
            let bound = Listener::bind(listener, &settings, workers, metrics);
            listeners.push(
                bound.map_err(|error| BindError { address: listener.address.clone(), error })?,
            );
        }
        let plans = Plans::new(plans);
        Ok(Relay { settings, listeners, plans, metrics: Arc::clone(metrics) })
    }

    /// What lines are rewritten by, to be replaced when packs or settings have changed.
    #[must_use]
    pub fn plans(&self) -> Plans {
        self.plans.clone()
    }

    /// The addresses that were taken, with the ports that were chosen where the settings left them open.
    #[must_use]
    pub fn addresses(&self) -> Vec<ListenAddress> {
        self.listeners.iter().map(|listener| listener.address().clone()).collect()
    }

    /// Relays on `workers` until `stop` resolves. Then reads what has arrived already, sends what was read within
    /// `deadline`, counts what is left, and returns.
    ///
    /// Cancelling drops what has not been sent.
    ///
    /// # Panics
    ///
    /// There is no worker, or no plan for one of [`Settings::emits`].
    pub async fn run(self, workers: &[Handle], stop: impl Future<Output = ()>, deadline: Duration) {
        let Relay { settings, listeners, plans, metrics } = self;
        let sinks: Vec<Sink> = settings
            .sinks
            .iter()
            .map(|sink| Sink::new(sink, &settings, metrics.statsd_sink(&sink.address.to_string())))
            .collect();
        let mut resolving = JoinSet::new();
        let mut sending = JoinSet::new();
        // A lane for each worker and sink.
        let mut lanes: Vec<Vec<Arc<Lane>>> = Vec::with_capacity(workers.len());
        let addresses: Vec<_> = sinks
            .iter()
            .map(|sink| sink.resolve(settings.resolve_interval, &mut resolving))
            .collect();
        for worker in workers {
            let mut of_worker = Vec::with_capacity(sinks.len());
            for (sink, addresses) in sinks.iter().zip(&addresses) {
                let lane = Arc::new(sink.lane(workers.len()));
                sending.spawn_on(sink.send(Arc::clone(&lane), addresses.clone()), worker);
                of_worker.push(lane);
            }
            lanes.push(of_worker);
        }

        let (stopping, stopped) = watch::channel(false);
        let mut listening = JoinSet::new();
        for (listener, of) in listeners.into_iter().zip(&settings.listeners) {
            let pipelines: Vec<Pipeline> = lanes
                .iter()
                .map(|lanes| {
                    Pipeline::new(of.emit, &settings, lanes, &plans, listener.metrics().clone())
                })
                .collect();
            listener.listen(workers, &pipelines, &stopped, &mut listening);
        }

        stop.await;
        let deadline = Instant::now() + deadline;
        stopping.send_replace(true);
        let read = async { while listening.join_next().await.is_some() {} };
        if timeout_at(deadline, read).await.is_err() {
            tracing::warn!("StatsD listeners were still reading and are cut off.");
        }
        drop(listening);
        lanes.iter().flatten().for_each(|lane| lane.close());
        let sent = async { while sending.join_next().await.is_some() {} };
        if timeout_at(deadline, sent).await.is_err() {
            sending.shutdown().await;
        }
        let lost: u64 = lanes.iter().flatten().map(|lane| lane.abandon()).sum();
        if lost > 0 {
            tracing::warn!(lines = lost, "StatsD lines could not be sent before the end.");
        }
    }
}
