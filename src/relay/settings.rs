//! The settings of the relay.

use std::sync::Arc;
use std::time::Duration;

use super::address::{ListenAddress, SinkAddress};
use super::datagram_queue::Overflow;
use crate::mapping::{Emit, StatsdPlan};
use crate::statsd::{DEFAULT_DATAGRAM_BYTES, MAX_DATAGRAM_BYTES};

/// How lines are distributed among the sinks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Every sink gets all lines.
    #[default]
    Mirror,
    /// Each line goes to one of the sinks that get the same lines, selected by its emitted name.
    Shard,
}

/// A listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerSettings {
    /// The address.
    pub address: ListenAddress,
    /// The generation(s) to emit, unless the sink sets its own.
    pub emit: Emit,
    /// Names of the packs whose lines are rewritten, unless the sink names its own. `None`: those in
    /// general use.
    pub packs: Option<Vec<String>>,
    /// The permissions of the file of a Unix socket.
    pub mode: u32,
}

/// The limits of the connections of stream listeners and sinks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionSettings {
    /// Maximum number of open connections of each stream listener.
    pub max: usize,
    /// How long a TCP connection is silent before the kernel checks whether the peer still exists;
    /// `None`: it never checks.
    pub keepalive: Option<Duration>,
    /// How long a connection of a listener may be silent before it is closed; `None`: any time.
    pub idle_timeout: Option<Duration>,
}

/// A sink.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SinkSettings {
    /// The address, unique among the sinks.
    pub address: SinkAddress,
    /// The generation(s) to emit to this sink, instead of the listener's.
    pub emit: Option<Emit>,
    /// Names of the packs whose lines are rewritten for this sink, instead of the listener's.
    pub packs: Option<Vec<String>>,
}

/// What tells the plans of a relay apart. Sinks with the same selection get the same lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanSelection {
    /// The generation(s) to emit.
    pub emit: Emit,
    /// Names of the packs whose lines are rewritten. `None`: those in general use.
    pub packs: Option<Vec<String>>,
}

/// The settings of the relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The listeners.
    pub listeners: Vec<ListenerSettings>,
    /// The sinks.
    pub sinks: Vec<SinkSettings>,
    /// How lines are distributed among the sinks.
    pub mode: Mode,
    /// Maximum size in bytes of a packed datagram; 0 turns packing off.
    pub pack_bytes: usize,
    /// How long a datagram may wait for more lines.
    pub flush_interval: Duration,
    /// Maximum number of bytes queued for one sink, divided among the workers.
    pub queue_bytes: usize,
    /// What to drop when a queue is full.
    pub overflow: Overflow,
    /// Sockets per UDP address; `None`: one per worker.
    pub sockets: Option<usize>,
    /// Size in bytes of the kernel's receive buffer of each datagram socket; `None`: the system's
    /// default.
    pub receive_buffer: Option<usize>,
    /// The limits of connections.
    pub connections: ConnectionSettings,
    /// How often the names of sinks are resolved again.
    pub resolve_interval: Duration,
}

impl Settings {
    /// No listeners and no sinks: the relay is idle until its settings are replaced.
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
            connections: ConnectionSettings { max: 0, keepalive: None, idle_timeout: None },
            resolve_interval: Duration::MAX,
        }
    }

    /// What the plans are selected by, each once.
    #[must_use]
    pub fn plan_selections(&self) -> Vec<PlanSelection> {
        let of_listener = |listener: &ListenerSettings| listener.plan_selections(&self.sinks);
        distinct(self.listeners.iter().flat_map(of_listener))
    }
}

impl ListenerSettings {
    /// What the plans for this listener are selected by, each once, in the order of `sinks`.
    pub(super) fn plan_selections<'a>(
        &self,
        sinks: impl IntoIterator<Item = &'a SinkSettings>,
    ) -> Vec<PlanSelection> {
        distinct(sinks.into_iter().map(|sink| sink.plan_selection(self)))
    }
}

impl SinkSettings {
    /// What selects the plan for lines of `listener` to this sink.
    pub(super) fn plan_selection(&self, listener: &ListenerSettings) -> PlanSelection {
        PlanSelection {
            emit: self.emit.unwrap_or(listener.emit),
            packs: self.packs.as_ref().or(listener.packs.as_ref()).cloned(),
        }
    }
}

fn distinct(selections: impl Iterator<Item = PlanSelection>) -> Vec<PlanSelection> {
    let mut distinct = Vec::new();
    for selection in selections {
        if !distinct.contains(&selection) {
            distinct.push(selection);
        }
    }
    distinct
}

/// A plan for each of [`Settings::plan_selections`].
pub type Plans = Vec<(PlanSelection, Arc<StatsdPlan>)>;
