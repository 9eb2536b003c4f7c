//! Settings of the `StatsD` relay: what is written, and what it means.

use std::num::NonZeroUsize;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_saphyr::{Location, Spanned};

use super::file::positive;
use crate::config::value::{Size, Span, StatsdPrefix, Value};
use crate::mapping::{Emit, StatsdSettings};
use crate::relay::{self, ListenAddress, Mode, Overflow, SinkAddress};
use crate::statsd::{DEFAULT_DATAGRAM_BYTES, Dialect, MAX_DATAGRAM_BYTES};

/// `StatsD` lines through the gateway.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Statsd {
    /// Where lines come from.
    pub listen: Vec<Spanned<Source>>,
    /// Where lines go.
    pub forward: Vec<Spanned<Sink>>,
    /// Instead of the general `emit`.
    pub emit: Option<Value<Emit>>,
    /// How lines are shared out among sinks.
    pub mode: Value<Mode>,
    /// Prefixes of names, in place of the packs'.
    pub prefixes: Vec<Value<StatsdPrefix>>,
    /// Write the new generation with tags.
    pub tags: Option<Value<Dialect>>,
    /// The size up to which lines are packed into datagrams.
    pub pack_bytes: Value<Size>,
    /// How long a datagram may wait to be filled.
    pub flush_interval: Value<Span>,
    /// Most bytes that wait for one sink.
    pub queue_bytes: Value<Size>,
    /// What is dropped when they are reached.
    pub overflow: Value<Overflow>,
    /// Sockets per UDP address. Without it, one per worker.
    pub sockets: Option<Value<NonZeroUsize>>,
    /// The kernel's buffer of each UDP socket that is listened on.
    pub receive_buffer: Value<Size>,
    /// Most open connections of each stream listener.
    pub max_connections: Value<NonZeroUsize>,
    /// How often the names of sinks are resolved again.
    pub resolve_interval: Value<Span>,
}

impl Default for Statsd {
    fn default() -> Self {
        Statsd {
            listen: Vec::new(),
            forward: Vec::new(),
            emit: None,
            mode: Value::default(),
            prefixes: Vec::new(),
            tags: None,
            pack_bytes: Value(Size(DEFAULT_DATAGRAM_BYTES as u64)),
            flush_interval: Value(Span(Duration::from_millis(10))),
            queue_bytes: Value(Size(16 << 20)),
            overflow: Value::default(),
            sockets: None,
            receive_buffer: Value(Size(4 << 20)),
            max_connections: positive(512),
            resolve_interval: Value(Span(Duration::from_secs(30))),
        }
    }
}

/// Where lines come from.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The address.
    pub address: Value<ListenAddress>,
    /// Instead of the general `emit`.
    #[serde(default)]
    pub emit: Option<Value<Emit>>,
}

/// Where lines go.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Sink {
    /// The address.
    pub address: Value<SinkAddress>,
    /// Whatever the listener says.
    #[serde(default)]
    pub emit: Option<Value<Emit>>,
}

impl Statsd {
    /// True when nothing is to be relayed.
    pub(in crate::config) fn is_empty(&self) -> bool {
        self.listen.is_empty() && self.forward.is_empty()
    }

    /// What the settings mean. `general` is the file's own `emit`.
    pub(in crate::config) fn into_settings(
        self,
        general: Option<Emit>,
        mut fault: impl FnMut(String, Option<Location>),
    ) -> Option<relay::Settings> {
        if self.is_empty() {
            return None;
        }
        if self.listen.is_empty() {
            fault(
                "statsd has sinks but no listener: give a --statsd.listen=udp://0.0.0.0:8125, or `statsd.listen:`".into(),
                None,
            );
        }
        if self.forward.is_empty() {
            fault(
                "statsd has listeners but no sink: give a --statsd.forward=udp://HOST:8125, or `statsd.forward:`".into(),
                None,
            );
        }
        if self.pack_bytes.0.0 > MAX_DATAGRAM_BYTES as u64 {
            let message = format!(
                "statsd.pack_bytes is {}, but no datagram is longer than {MAX_DATAGRAM_BYTES}",
                self.pack_bytes.0.0
            );
            fault(message, None);
        }
        if self.resolve_interval.0.0.is_zero() {
            fault("statsd.resolve_interval is 0s; give it a time".into(), None);
        }
        if self.queue_bytes.0.0 < MAX_DATAGRAM_BYTES as u64 {
            let message = format!(
                "statsd.queue_bytes is {}, less than one datagram may have; give it {MAX_DATAGRAM_BYTES} or more",
                self.queue_bytes.0.0
            );
            fault(message, None);
        }
        let general = self.emit.map(|Value(emit)| emit).or(general);
        let sinks_say =
            !self.forward.is_empty() && self.forward.iter().all(|sink| sink.value.emit.is_some());
        let mut listeners: Vec<relay::ListenerSettings> = Vec::with_capacity(self.listen.len());
        for spanned in &self.listen {
            let Value(address) = &spanned.value.address;
            let its = spanned.value.emit.map(|Value(emit)| emit).or(general);
            // Where every sink says what it gets, what the listener would say never counts.
            let Some(emit) = its.or(sinks_say.then_some(Emit::Both)) else {
                let message = format!(
                    "{address}: nothing says what to emit; give --emit=old|new|both, or `emit:` in the settings file"
                );
                fault(message, Some(spanned.referenced));
                continue;
            };
            let any_port = matches!(address, ListenAddress::Udp(it) | ListenAddress::Tcp(it) if it.port() == 0);
            if !any_port && listeners.iter().any(|other| other.address == *address) {
                fault(
                    format!("{address} is listened on twice; leave one out"),
                    Some(spanned.referenced),
                );
            }
            listeners.push(relay::ListenerSettings { address: address.clone(), emit });
        }
        let mut sinks: Vec<relay::SinkSettings> = Vec::with_capacity(self.forward.len());
        for spanned in &self.forward {
            let Value(address) = &spanned.value.address;
            if sinks.iter().any(|other| other.address == *address) {
                let message = format!(
                    "{address} is a sink twice and would get every line twice; leave one out"
                );
                fault(message, Some(spanned.referenced));
            }
            let emit = spanned.value.emit.map(|Value(emit)| emit);
            sinks.push(relay::SinkSettings { address: address.clone(), emit });
        }
        Some(relay::Settings {
            listeners,
            sinks,
            mode: self.mode.0,
            pack_bytes: bytes(self.pack_bytes),
            flush_interval: self.flush_interval.0.0,
            queue_bytes: bytes(self.queue_bytes),
            overflow: self.overflow.0,
            sockets: self.sockets.map(|Value(sockets)| sockets.get()),
            receive_buffer: Some(bytes(self.receive_buffer)).filter(|bytes| *bytes > 0),
            max_connections: self.max_connections.0.get(),
            resolve_interval: self.resolve_interval.0.0,
        })
    }

    /// What packs are compiled with, but for the generation.
    pub(in crate::config) fn mapping(&self) -> StatsdSettings {
        StatsdSettings {
            emit: Emit::Both,
            prefixes: self.prefixes.iter().map(|Value(prefix)| prefix.0.clone()).collect(),
            tags: self.tags.map(|Value(tags)| tags),
        }
    }
}

fn bytes(size: Value<Size>) -> usize {
    usize::try_from(size.0.0).unwrap_or(usize::MAX)
}
