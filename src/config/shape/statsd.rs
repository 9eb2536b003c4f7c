//! The relay's part of the settings file.

use std::num::NonZeroUsize;
use std::time::Duration;

use serde::Serialize;

use super::read::{ReadSettings as _, Shape};
use crate::config::value::{FileMode, Section, Size, StatsdPrefix, TimeSpan, Value, positive};
use crate::document::Fields;
use crate::mapping::Emit;
use crate::relay::{ListenAddress, Mode, Overflow, SinkAddress};
use crate::statsd::{DEFAULT_DATAGRAM_BYTES, Dialect};

/// The relay.
#[derive(Clone, Debug, Serialize)]
pub struct Statsd {
    /// The listeners.
    pub listen: Vec<Section<Listener>>,
    /// The sinks.
    pub forward: Vec<Section<Sink>>,
    /// Replaces the general `emit`.
    pub emit: Option<Value<Emit>>,
    /// How lines are distributed to sinks.
    pub mode: Value<Mode>,
    /// Names of the packs whose lines are rewritten. `None`: those in general use.
    pub packs: Option<Vec<Value<String>>>,
    /// Prefixes of names; they replace those of the packs.
    pub prefixes: Vec<Value<StatsdPrefix>>,
    /// The tag style in which the new generation is emitted.
    pub tags: Option<Value<Dialect>>,
    /// The size up to which datagrams are packed.
    pub pack_bytes: Value<Size>,
    /// How long a datagram may wait to be filled.
    pub flush_interval: Value<TimeSpan>,
    /// Most bytes queued for one sink.
    pub queue_bytes: Value<Size>,
    /// What a full queue drops.
    pub overflow: Value<Overflow>,
    /// Sockets per UDP address. Default: one per worker.
    pub sockets: Option<Value<NonZeroUsize>>,
    /// The kernel's receive buffer of each UDP listener socket.
    pub receive_buffer: Value<Size>,
    /// Most open connections of each stream listener.
    pub max_connections: Value<NonZeroUsize>,
    /// How long a TCP connection is silent before the kernel checks the peer. 0: never.
    pub keepalive: Value<TimeSpan>,
    /// How long a connection of a listener may be silent. 0: any time.
    pub idle_timeout: Value<TimeSpan>,
    /// How often the names of sinks are resolved again.
    pub resolve_interval: Value<TimeSpan>,
}

impl Default for Statsd {
    fn default() -> Self {
        Statsd {
            listen: Vec::new(),
            forward: Vec::new(),
            emit: None,
            mode: Value::default(),
            packs: None,
            prefixes: Vec::new(),
            tags: None,
            pack_bytes: Value::new(Size(DEFAULT_DATAGRAM_BYTES as u64)),
            flush_interval: Value::new(TimeSpan(Duration::from_millis(10))),
            queue_bytes: Value::new(Size(16 << 20)),
            overflow: Value::default(),
            sockets: None,
            receive_buffer: Value::new(Size(4 << 20)),
            max_connections: positive(512),
            keepalive: Value::new(TimeSpan(Duration::from_secs(15))),
            // Clients that do not read lose what they write to a closed connection.
            idle_timeout: Value::new(TimeSpan(Duration::from_secs(600))),
            resolve_interval: Value::new(TimeSpan(Duration::from_secs(30))),
        }
    }
}

/// A listener.
#[derive(Clone, Debug, Serialize)]
pub struct Listener {
    /// The address. `None` if the file has none that can be read.
    pub address: Option<Value<ListenAddress>>,
    /// Replaces the general `emit`.
    pub emit: Option<Value<Emit>>,
    /// Replaces the packs of the relay.
    pub packs: Option<Vec<Value<String>>>,
    /// The permissions of the file of a Unix socket.
    pub mode: Option<Value<FileMode>>,
}

/// A sink.
#[derive(Clone, Debug, Serialize)]
pub struct Sink {
    /// The address. `None` if the file has none that can be read.
    pub address: Option<Value<SinkAddress>>,
    /// Replaces the value of the listener.
    pub emit: Option<Value<Emit>>,
    /// Replaces the packs of the listener.
    pub packs: Option<Vec<Value<String>>>,
}

impl Shape for Statsd {
    const NOUN: &'static str = "`statsd`";

    fn read(fields: &mut Fields<'_, '_>) -> Statsd {
        let default = Statsd::default();
        Statsd {
            listen: fields.sections("listen"),
            forward: fields.sections("forward"),
            emit: fields.given("emit", Emit::Both),
            mode: fields.or("mode", default.mode),
            packs: fields.pack_names(),
            prefixes: fields.list("prefixes"),
            tags: fields.optional("tags"),
            pack_bytes: fields.or("pack_bytes", default.pack_bytes),
            flush_interval: fields.or("flush_interval", default.flush_interval),
            queue_bytes: fields.or("queue_bytes", default.queue_bytes),
            overflow: fields.or("overflow", default.overflow),
            sockets: fields.count("sockets"),
            receive_buffer: fields.or("receive_buffer", default.receive_buffer),
            max_connections: fields.count_or("max_connections", default.max_connections),
            keepalive: fields.or("keepalive", default.keepalive),
            idle_timeout: fields.or("idle_timeout", default.idle_timeout),
            resolve_interval: fields.or("resolve_interval", default.resolve_interval),
        }
    }
}

impl Shape for Listener {
    const NOUN: &'static str = "a listener";

    fn read(fields: &mut Fields<'_, '_>) -> Listener {
        if !fields.has("address") {
            fields.missing("address");
        }
        Listener {
            address: fields.optional("address"),
            emit: fields.given("emit", Emit::Both),
            packs: fields.pack_names(),
            mode: fields.optional("mode"),
        }
    }
}

impl Shape for Sink {
    const NOUN: &'static str = "a sink";

    fn read(fields: &mut Fields<'_, '_>) -> Sink {
        if !fields.has("address") {
            fields.missing("address");
        }
        Sink {
            address: fields.optional("address"),
            emit: fields.given("emit", Emit::Both),
            packs: fields.pack_names(),
        }
    }
}
