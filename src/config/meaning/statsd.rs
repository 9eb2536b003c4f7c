//! The meaning of the relay's part of the settings file.

use super::errors::Errors;
use super::parts::{EMIT_HELP, at_most_1024, bytes, pack_names};
use crate::config::shape::statsd::Statsd;
use crate::config::value::Size;
use crate::mapping::{Emit, StatsdSettings};
use crate::relay::{self, ConnectionSettings, ListenAddress, ListenerSettings, SinkSettings};
use crate::statsd::MAX_DATAGRAM_BYTES;

/// The permissions of the file of a Unix socket: every user can write to it, as to a UDP socket.
const DEFAULT_MODE: u32 = 0o722;

impl Statsd {
    /// True if nothing is to be relayed.
    pub(in crate::config) fn is_empty(&self) -> bool {
        self.listen.is_empty() && self.forward.is_empty()
    }

    /// The relay's settings; `None` without a relay. `general` is the general `emit`.
    pub(in crate::config) fn relay(
        &self,
        general: Option<Emit>,
        errors: &mut Errors<'_>,
    ) -> Option<relay::Settings> {
        if self.is_empty() {
            return None;
        }
        self.check(errors);
        let listeners = self.listeners(general, errors);
        let sinks = self.sinks(&listeners, errors);
        Some(relay::Settings {
            listeners,
            sinks,
            mode: self.mode.value,
            pack_bytes: bytes(self.pack_bytes),
            flush_interval: self.flush_interval.value.0,
            queue_bytes: bytes(self.queue_bytes),
            overflow: self.overflow.value,
            sockets: self.sockets.map(|sockets| sockets.value.get()),
            receive_buffer: Some(bytes(self.receive_buffer)).filter(|bytes| *bytes > 0),
            connections: ConnectionSettings {
                max: self.max_connections.value.get(),
                keepalive: Some(self.keepalive.value.0).filter(|time| !time.is_zero()),
                idle_timeout: Some(self.idle_timeout.value.0).filter(|time| !time.is_zero()),
            },
            resolve_interval: self.resolve_interval.value.0,
        })
    }

    fn check(&self, errors: &mut Errors<'_>) {
        if self.listen.is_empty() {
            let help = "give --statsd.listen=udp://0.0.0.0:8125, or `statsd.listen:`";
            errors.at(self.forward[0].span, "statsd has sinks but no listener", help);
        }
        if self.forward.is_empty() {
            let help = "give --statsd.forward=udp://HOST:8125, or `statsd.forward:`";
            errors.at(self.listen[0].span, "statsd has listeners but no sink", help);
        }
        let Size(pack_bytes) = self.pack_bytes.value;
        if pack_bytes > MAX_DATAGRAM_BYTES as u64 {
            let message = format!("statsd.pack_bytes is {pack_bytes}, longer than any datagram");
            let help = format!("give it {MAX_DATAGRAM_BYTES} or less");
            errors.at(self.pack_bytes.span, message, help);
        }
        at_most_1024("statsd.sockets", self.sockets, errors);
        if self.resolve_interval.value.0.is_zero() {
            let message = "statsd.resolve_interval is 0s";
            errors.at(self.resolve_interval.span, message, "give it a time such as 30s");
        }
        let Size(queue_bytes) = self.queue_bytes.value;
        if queue_bytes < MAX_DATAGRAM_BYTES as u64 {
            let message = format!("statsd.queue_bytes is {queue_bytes}, less than one datagram");
            let help = format!("give it {MAX_DATAGRAM_BYTES} or more");
            errors.at(self.queue_bytes.span, message, help);
        }
    }

    fn listeners(&self, general: Option<Emit>, errors: &mut Errors<'_>) -> Vec<ListenerSettings> {
        let general = self.emit.map(|emit| emit.value).or(general);
        let every_sink_has_its_own =
            !self.forward.is_empty() && self.forward.iter().all(|sink| sink.value.emit.is_some());
        let mut listeners: Vec<ListenerSettings> = Vec::with_capacity(self.listen.len());
        for section in &self.listen {
            let Some(address) = &section.value.address else { continue };
            let address = &address.value;
            let emit = section.value.emit.map(|emit| emit.value).or(general);
            // If every sink has its own `emit`, that of a listener is never used.
            let Some(emit) = emit.or(every_sink_has_its_own.then_some(Emit::Both)) else {
                let message = format!("{address}: no generation to emit is given");
                errors.at(section.span, message, EMIT_HELP);
                continue;
            };
            let any_port = matches!(
                address,
                ListenAddress::Udp(it) | ListenAddress::Tcp(it) if it.port() == 0
            );
            if !any_port && listeners.iter().any(|other| other.address == *address) {
                let message = format!("{address} is listened on twice");
                errors.at(section.span, message, "leave one out");
            }
            let is_file =
                matches!(address, ListenAddress::UnixDatagram(_) | ListenAddress::UnixStream(_));
            let mode = section.value.mode;
            if let Some(mode) = mode.filter(|_| !is_file) {
                let message = format!("{address} has no file, so it can have no mode");
                errors.at(mode.span, message, "remove the mode");
            }
            let mode = mode.map_or(DEFAULT_MODE, |mode| mode.value.0);
            let packs = pack_names(section.value.packs.as_deref().or(self.packs.as_deref()));
            listeners.push(ListenerSettings { address: address.clone(), emit, packs, mode });
        }
        listeners
    }

    fn sinks(&self, listeners: &[ListenerSettings], errors: &mut Errors<'_>) -> Vec<SinkSettings> {
        let mut sinks: Vec<SinkSettings> = Vec::with_capacity(self.forward.len());
        for section in &self.forward {
            let Some(address) = &section.value.address else { continue };
            let address = &address.value;
            if sinks.iter().any(|other| other.address == *address) {
                let message = format!("{address} is a sink twice and would get every line twice");
                errors.at(section.span, message, "leave one out");
            }
            if let Some(own) = listeners.iter().find(|own| own.address.receives(address)) {
                let message =
                    format!("the sink {address} is the gateway's own listener {}", own.address);
                let help = "give the address of another server: lines would go round for ever";
                errors.at(section.span, message, help);
            }
            let emit = section.value.emit.map(|emit| emit.value);
            let packs = pack_names(section.value.packs.as_deref());
            sinks.push(SinkSettings { address: address.clone(), emit, packs });
        }
        sinks
    }

    /// What packs are compiled with, except for the generation.
    pub(in crate::config) fn mapping(&self) -> StatsdSettings {
        StatsdSettings {
            emit: Emit::Both,
            prefixes: self.prefixes.iter().map(|prefix| prefix.value.0.clone()).collect(),
            tags: self.tags.map(|tags| tags.value),
        }
    }
}
