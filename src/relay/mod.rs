//! The `StatsD` relay: receives lines, rewrites them, and forwards them to all sinks or to one of
//! them.
//!
//! ```text
//!           ┌──────────────────────────── one worker ────────────────────────────┐
//! UDP ──────┤ batch ─┐                               ┌─> queue (packer, queue) ── sink task ──> UDP, Unix datagram
//! TCP ──────┤ framer ┴─> pipeline: rewriter per emit ┴─> queue (packer, queue) ── sink task ──> TCP
//! Unix ─────┤                                                                    │
//!           └────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! Workers share only counters: each has its own socket (the kernel distributes datagrams among
//! them by peer), its own rewriters, its own queues and its own connection to each sink. Lines from
//! one peer keep their order.
//!
//! - A listener never waits for a sink. If the queue of a sink is full, lines are dropped and
//!   counted.
//! - Each line is counted once when it is read, and once per sink when it is sent or dropped.
//! - [`Settings`] bound the memory, independently of the peers.
//! - Nothing is allocated per line.

mod address;
mod datagram_queue;
mod keepalive;
mod listener;
mod mmsg;
mod peers;
mod pipeline;
mod resolve;
mod settings;
mod shard;
mod sink;
mod sink_queue;
mod supervisor;
mod task;
mod topology;

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

pub use address::{HostPort, ListenAddress, SinkAddress};
pub use datagram_queue::Overflow;
pub use listener::BindError;
pub use settings::{
    ConnectionSettings, ListenerSettings, Mode, PlanSelection, Plans, Settings, SinkSettings,
};

use crate::shutdown::Shutdown;
use crate::telemetry::Metrics;
use listener::Listener;
use supervisor::Supervisor;
use topology::ListenerKey;

/// A relay that is bound. The kernel queues what arrives until the relay [runs](Relay::run).
#[derive(Debug)]
pub struct Relay {
    settings: Settings,
    listeners: Vec<Listener>,
    plans: Plans,
    metrics: Arc<Metrics>,
    control: Control,
    changes: mpsc::Receiver<Change>,
}

/// Changes the settings of a running relay.
#[derive(Clone, Debug)]
pub struct Control(mpsc::Sender<Change>);

#[derive(Debug)]
struct Change {
    settings: Settings,
    plans: Plans,
    done: oneshot::Sender<Result<(), BindError>>,
}

impl Control {
    /// Replaces listeners, sinks and plans. Listeners and sinks whose addresses stay the same are
    /// not interrupted; lines queued for a removed sink are still sent. No line is lost. If the
    /// relay has stopped, this does nothing.
    ///
    /// The number of sockets of a bound listener and the size of their buffers do not change.
    ///
    /// # Errors
    ///
    /// A listener cannot be bound. Then nothing has changed.
    pub async fn replace(&self, settings: Settings, plans: Plans) -> Result<(), BindError> {
        let (done, outcome) = oneshot::channel();
        if self.0.send(Change { settings, plans, done }).await.is_err() {
            return Ok(());
        }
        outcome.await.unwrap_or(Ok(()))
    }
}

impl Relay {
    /// Binds the listeners. `plans` has one plan for each of [`Settings::plan_selections`]; `workers` is the
    /// number of workers.
    ///
    /// # Errors
    ///
    /// An address is in use, is not local, or needs permissions that the process does not have.
    pub fn bind(
        settings: Settings,
        plans: Plans,
        workers: usize,
        metrics: &Arc<Metrics>,
    ) -> Result<Relay, BindError> {
        let bind = |listener| Listener::bind(listener, &settings, workers, metrics);
        let listeners = settings.listeners.iter().map(bind).collect::<Result<_, _>>()?;
        let (control, changes) = mpsc::channel(1);
        let metrics = Arc::clone(metrics);
        Ok(Relay { settings, listeners, plans, metrics, control: Control(control), changes })
    }

    /// The bound addresses, with the actual port where the settings have port 0.
    #[must_use]
    pub fn addresses(&self) -> Vec<ListenAddress> {
        self.listeners.iter().map(|listener| listener.address().clone()).collect()
    }

    /// A handle that changes the relay while it runs.
    #[must_use]
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// Relays on `workers` until `shutdown` drains. Then reads the lines that the kernel has
    /// already received, sends all lines that are queued, and returns. If `shutdown` is cut short,
    /// it drops and counts the lines that are still queued.
    ///
    /// Dropping the future drops the lines that have not been sent.
    ///
    /// # Panics
    ///
    /// There is no worker, or no plan for one of [`Settings::plan_selections`].
    pub async fn run(self, workers: &[Handle], shutdown: &Shutdown) {
        let Relay { settings, listeners, plans, metrics, control, mut changes } = self;
        drop(control);
        let mut running = Supervisor::new(workers, metrics);
        let keys = ListenerKey::of(&settings.listeners).map(|(key, _)| key);
        running.replace(&settings, keys.zip(listeners).collect(), plans);
        loop {
            tokio::select! {
                () = shutdown.until_drain() => break,
                Some(change) = changes.recv() => {
                    let outcome = running.bind(&change.settings);
                    let outcome = outcome.map(|listeners| {
                        running.replace(&change.settings, listeners, change.plans);
                    });
                    // The requester may have stopped waiting.
                    drop(change.done.send(outcome));
                }
                Some(_) = running.listening.join_next() => {}
                Some(_) = running.sending.join_next() => running.forget_sent(),
            }
        }
        running.stop(shutdown).await;
    }
}
