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
mod datagram_queue;
mod listener;
mod mmsg;
mod peers;
mod pipeline;
mod resolve;
mod shard;
mod sink;
mod sink_queue;
mod supervisor;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

pub use address::{HostPort, ListenAddress, SinkAddress};
pub use datagram_queue::Overflow;

use crate::mapping::{Emit, StatsdPlan};
use crate::shutdown::Shutdown;
use crate::statsd::{DEFAULT_DATAGRAM_BYTES, MAX_DATAGRAM_BYTES};
use crate::telemetry::Metrics;
use listener::Listener;
use supervisor::Running;

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
    /// Nothing to listen on and nowhere to send: until there are other settings, nothing happens.
    #[must_use]
    pub fn nothing() -> Settings {
        Settings {
            listeners: Vec::new(),
            sinks: Vec::new(),
            mode: Mode::Mirror,
            pack_bytes: DEFAULT_DATAGRAM_BYTES,
            flush_interval: Duration::ZERO,
            queue_bytes: MAX_DATAGRAM_BYTES,
            overflow: Overflow::Newest,
            sockets: None,
            receive_buffer: None,
            max_connections: 0,
            resolve_interval: Duration::MAX,
        }
    }

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
    control: Control,
    changes: mpsc::Receiver<Change>,
}

/// A plan for each generation that leaves.
pub type Plans = Vec<(Emit, Arc<StatsdPlan>)>;

/// Changes a relay that runs.
#[derive(Clone, Debug)]
pub struct Control(mpsc::Sender<Change>);

#[derive(Debug)]
struct Change {
    settings: Settings,
    plans: Plans,
    done: oneshot::Sender<Result<(), BindError>>,
}

impl Control {
    /// Replaces everything: listeners, sinks, and what lines are rewritten by. Listeners and sinks whose addresses stay
    /// are not interrupted; what waits for a sink that is gone is sent first. No line is lost on the way. Where the relay
    /// does not run any more, nothing happens.
    ///
    /// How many sockets a listener has, and the size of their buffers, stays as it was bound.
    ///
    /// # Errors
    ///
    /// An address cannot be listened on. Then nothing has changed.
    pub async fn replace(&self, settings: Settings, plans: Plans) -> Result<(), BindError> {
        let (done, told) = oneshot::channel();
        if self.0.send(Change { settings, plans, done }).await.is_err() {
            return Ok(());
        }
        told.await.unwrap_or(Ok(()))
    }
}

impl Relay {
    /// Takes the addresses. `plans` has one for each of [`Settings::emits`]; `workers` is how many there will be.
    ///
    /// # Errors
    ///
    /// An address is taken, is not ours, or needs rights that the process does not have.
    pub fn bind(
        settings: Settings,
        plans: Plans,
        workers: usize,
        metrics: &Arc<Metrics>,
    ) -> Result<Relay, BindError> {
        let bind = |listener| bind(listener, &settings, workers, metrics);
        let listeners = settings.listeners.iter().map(bind).collect::<Result<_, _>>()?;
        let (control, changes) = mpsc::channel(1);
        let metrics = Arc::clone(metrics);
        Ok(Relay { settings, listeners, plans, metrics, control: Control(control), changes })
    }

    /// The addresses that were taken, with the ports that were chosen where the settings left them open.
    #[must_use]
    pub fn addresses(&self) -> Vec<ListenAddress> {
        self.listeners.iter().map(|listener| listener.address().clone()).collect()
    }

    /// Changes it while it runs.
    #[must_use]
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// Relays on `workers` until `shutdown` drains. Then reads the lines that the kernel has already received, sends all
    /// lines that are queued, and returns. If `shutdown` is cut short, it drops and counts the lines that are still queued.
    ///
    /// Dropping the future drops the lines that have not been sent.
    ///
    /// # Panics
    ///
    /// There is no worker, or no plan for one of [`Settings::emits`].
    pub async fn run(self, workers: &[Handle], shutdown: &Shutdown) {
        let Relay { settings, listeners, plans, metrics, control, mut changes } = self;
        drop(control);
        let mut running = Running::new(workers, metrics);
        running.replace(&settings, listeners, plans);
        loop {
            tokio::select! {
                () = shutdown.until_drain() => break,
                Some(change) = changes.recv() => {
                    let outcome = running.bind(&change.settings);
                    let outcome = outcome.map(|listeners| {
                        running.replace(&change.settings, listeners, change.plans);
                    });
                    // Whoever asked may have gone.
                    drop(change.done.send(outcome));
                }
                Some(_) = running.listening.join_next() => {}
                Some(_) = running.sending.join_next() => running.forget_sent(),
            }
        }
        running.stop(shutdown).await;
    }
}

fn bind(
    listener: &ListenerSettings,
    settings: &Settings,
    workers: usize,
    metrics: &Metrics,
) -> Result<Listener, BindError> {
    let bound = Listener::bind(listener, settings, workers, metrics);
    bound.map_err(|error| BindError { address: listener.address.clone(), error })
}
