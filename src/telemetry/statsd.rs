//! Metrics of the relay.

use std::net::UdpSocket;
use std::sync::Arc;

use prometheus::core::Collector;
use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry};

use super::bound_addresses::BoundAddresses;
use super::count::{Count, counts};
use super::define::Define;
use super::kernel_drops::KernelDrops;
use super::series::{Forget as _, Holders};
use super::sink_times::{AllSinkTimes, SinkTimes};
use crate::mapping::Emit;
use crate::rewrite::statsd::Report;

/// The families of all listeners and sinks.
#[derive(Debug)]
pub(super) struct StatsdMetrics {
    received_datagrams: IntCounterVec,
    received_bytes: IntCounterVec,
    received_lines: IntCounterVec,
    refused: IntCounterVec,
    connections: IntGaugeVec,
    connection_limits: IntCounterVec,
    untouched_lines: IntCounterVec,
    written_lines: IntCounterVec,
    unreadable_lines: IntCounterVec,
    left_out_lines: IntCounterVec,
    sent_datagrams: IntCounterVec,
    sent_lines: IntCounterVec,
    sent_bytes: IntCounterVec,
    dropped_lines: IntCounterVec,
    queued_bytes: IntGaugeVec,
    failures: IntCounterVec,
    kernel_drops: KernelDrops,
    listeners: Holders,
    pub(super) bound: BoundAddresses,
    sinks: Holders,
    pub(super) times: AllSinkTimes,
}

impl StatsdMetrics {
    #[expect(clippy::too_many_lines, reason = "a flat list of families")]
    pub(super) fn register(registry: &Registry) -> prometheus::Result<StatsdMetrics> {
        let define = Define(registry);
        let kernel_drops = KernelDrops::new()?;
        registry.register(Box::new(kernel_drops.clone()))?;
        Ok(StatsdMetrics {
            received_datagrams: define.counters(
                "crossfade_statsd_received_datagrams_total",
                "StatsD datagrams read, or pieces of streams.",
                &["listener"],
            )?,
            received_bytes: define.counters(
                "crossfade_statsd_received_bytes_total",
                "Bytes of StatsD lines read.",
                &["listener"],
            )?,
            received_lines: define.counters(
                "crossfade_statsd_received_lines_total",
                "StatsD lines read, including blank ones.",
                &["listener"],
            )?,
            refused: define.counters(
                "crossfade_statsd_refused_lines_total",
                "StatsD lines not accepted from a sender, by reason.",
                &["listener", "reason"],
            )?,
            connections: define.gauges(
                "crossfade_statsd_connections",
                "Open connections of senders.",
                &["listener"],
            )?,
            connection_limits: define.counters(
                "crossfade_statsd_connection_limits_total",
                "Times that a limit of the listener's connections took effect, by limit.",
                &["listener", "limit"],
            )?,
            untouched_lines: define.counters(
                "crossfade_statsd_untouched_lines_total",
                "StatsD lines forwarded unchanged.",
                &["listener", "emit"],
            )?,
            written_lines: define.counters(
                "crossfade_statsd_written_lines_total",
                "StatsD lines written for the sinks of this generation, including unchanged ones.",
                &["listener", "emit"],
            )?,
            unreadable_lines: define.counters(
                "crossfade_statsd_unreadable_lines_total",
                "StatsD lines without a name, a value or a type, forwarded unchanged.",
                &["listener", "emit"],
            )?,
            left_out_lines: define.counters(
                "crossfade_statsd_left_out_lines_total",
                "StatsD lines that the emitted generation does not have, by reason.",
                &["listener", "emit", "reason"],
            )?,
            sent_datagrams: define.counters(
                "crossfade_statsd_sent_datagrams_total",
                "StatsD datagrams that the kernel accepted for the sink; for streams, packed blocks.",
                &["sink"],
            )?,
            sent_lines: define.counters(
                "crossfade_statsd_sent_lines_total",
                "StatsD lines that the kernel accepted for the sink; for TCP, that the sink's host acknowledged.",
                &["sink"],
            )?,
            sent_bytes: define.counters(
                "crossfade_statsd_sent_bytes_total",
                "Bytes that the kernel accepted for the sink.",
                &["sink"],
            )?,
            dropped_lines: define.counters(
                "crossfade_statsd_dropped_lines_total",
                "StatsD lines that the sink did not get, by reason.",
                &["sink", "reason"],
            )?,
            queued_bytes: define.gauges(
                "crossfade_statsd_queued_bytes",
                "Bytes waiting to be sent to the sink.",
                &["sink"],
            )?,
            failures: define.counters(
                "crossfade_statsd_sink_failures_total",
                "Failures to reach the sink, by reason.",
                &["sink", "reason"],
            )?,
            kernel_drops,
            listeners: Holders::default(),
            bound: BoundAddresses::default(),
            sinks: Holders::default(),
            times: AllSinkTimes::default(),
        })
    }

    /// The current values of one listener.
    pub(super) fn listener_counts(&self, listener: &str) -> Vec<Count> {
        let families: [&dyn Collector; 11] = [
            &self.received_datagrams,
            &self.received_bytes,
            &self.received_lines,
            &self.refused,
            &self.connections,
            &self.connection_limits,
            &self.untouched_lines,
            &self.written_lines,
            &self.unreadable_lines,
            &self.left_out_lines,
            &self.kernel_drops,
        ];
        families.into_iter().flat_map(|family| counts(family, "listener", listener)).collect()
    }

    /// The current values of one sink.
    pub(super) fn sink_counts(&self, sink: &str) -> Vec<Count> {
        let families: [&dyn Collector; 6] = [
            &self.sent_datagrams,
            &self.sent_lines,
            &self.sent_bytes,
            &self.dropped_lines,
            &self.queued_bytes,
            &self.failures,
        ];
        families.into_iter().flat_map(|family| counts(family, "sink", sink)).collect()
    }

    pub(super) fn listener(self: &Arc<Self>, listener: &str) -> ListenerMetrics {
        let hold = HeldListener { listener: listener.into(), all: Arc::clone(self) };
        let name = Arc::clone(&hold.listener);
        self.listeners.hold(&name, || self.held_listener(listener, hold))
    }

    fn held_listener(&self, listener: &str, hold: HeldListener) -> ListenerMetrics {
        let of = |counters: &IntCounterVec| counters.with_label_values(&[listener]);
        let refused = |reason| self.refused.with_label_values(&[listener, reason]);
        let limit = |limit| self.connection_limits.with_label_values(&[listener, limit]);
        ListenerMetrics {
            datagrams: of(&self.received_datagrams),
            bytes: of(&self.received_bytes),
            lines: of(&self.received_lines),
            oversized: refused("oversized"),
            cut: refused("cut"),
            panicked: refused("panic"),
            connections: self.connections.with_label_values(&[listener]),
            limit_reached: limit("max_connections"),
            closed_idle: limit("idle_timeout"),
            made_room: limit("made_room"),
            no_descriptors: limit("descriptors"),
            hold: Arc::new(hold),
        }
    }

    fn forget_listener(&self, listener: &str) {
        for counters in [
            &self.received_datagrams,
            &self.received_bytes,
            &self.received_lines,
            &self.refused,
            &self.connection_limits,
            &self.untouched_lines,
            &self.written_lines,
            &self.unreadable_lines,
            &self.left_out_lines,
        ] {
            counters.forget("listener", listener);
        }
        self.connections.forget("listener", listener);
        self.kernel_drops.forget(listener);
        self.bound.forget(listener);
    }

    pub(super) fn sink(self: &Arc<Self>, sink: &str) -> SinkMetrics {
        let hold = HeldSink { sink: sink.into(), all: Arc::clone(self) };
        let name = Arc::clone(&hold.sink);
        self.sinks.hold(&name, || self.held_sink(sink, hold))
    }

    fn forget_sink(&self, sink: &str) {
        for counters in [
            &self.sent_datagrams,
            &self.sent_lines,
            &self.sent_bytes,
            &self.dropped_lines,
            &self.failures,
        ] {
            counters.forget("sink", sink);
        }
        self.queued_bytes.forget("sink", sink);
        self.times.forget(sink);
    }

    fn held_sink(&self, sink: &str, hold: HeldSink) -> SinkMetrics {
        let of = |counters: &IntCounterVec| counters.with_label_values(&[sink]);
        let dropped = |reason| self.dropped_lines.with_label_values(&[sink, reason]);
        SinkMetrics {
            datagrams: of(&self.sent_datagrams),
            lines: of(&self.sent_lines),
            bytes: of(&self.sent_bytes),
            overflow: dropped("overflow"),
            too_long: dropped("too_long"),
            shutdown: dropped("shutdown"),
            unacknowledged: dropped("unacknowledged"),
            queued: self.queued_bytes.with_label_values(&[sink]),
            times: self.times.of(sink),
            hold: Arc::new(hold),
        }
    }
}

/// Keeps a listener's series.
#[derive(Debug)]
struct HeldListener {
    listener: Arc<str>,
    all: Arc<StatsdMetrics>,
}

impl Drop for HeldListener {
    fn drop(&mut self) {
        let HeldListener { listener, all } = self;
        all.listeners.release(listener, || all.forget_listener(listener));
    }
}

/// Keeps a sink's series.
#[derive(Debug)]
struct HeldSink {
    sink: Arc<str>,
    all: Arc<StatsdMetrics>,
}

impl Drop for HeldSink {
    fn drop(&mut self) {
        let HeldSink { sink, all } = self;
        all.sinks.release(sink, || all.forget_sink(sink));
    }
}

/// The metrics of one listener. Clones count together.
#[derive(Clone, Debug)]
pub struct ListenerMetrics {
    datagrams: IntCounter,
    bytes: IntCounter,
    lines: IntCounter,
    oversized: IntCounter,
    cut: IntCounter,
    panicked: IntCounter,
    connections: IntGauge,
    limit_reached: IntCounter,
    closed_idle: IntCounter,
    made_room: IntCounter,
    no_descriptors: IntCounter,
    hold: Arc<HeldListener>,
}

impl ListenerMetrics {
    /// The listener is bound to this address.
    pub fn bound_to(&self, address: &str) {
        self.hold.all.bound.set(&self.hold.listener, address);
    }

    /// Counts bytes and datagrams that were read.
    pub fn received(&self, datagrams: u64, bytes: u64, lines: u64) {
        self.datagrams.inc_by(datagrams);
        self.bytes.inc_by(bytes);
        self.lines.inc_by(lines);
    }

    /// Counts lines, or whole datagrams, that were too long.
    pub fn refused_oversized(&self, lines: u64) {
        self.oversized.inc_by(lines);
    }

    /// Counts the incomplete last line of a connection that failed.
    pub fn refused_cut(&self, lines: u64) {
        self.cut.inc_by(lines);
    }

    /// Counts the lines of a datagram that were lost in a panic.
    pub fn refused_panic(&self, lines: u64) {
        self.panicked.inc_by(lines);
    }

    /// Records that the maximum number of connections is open.
    pub fn limit_reached(&self) {
        self.limit_reached.inc();
    }

    /// Counts a connection that was closed because it was idle for too long.
    pub fn closed_idle(&self) {
        self.closed_idle.inc();
    }

    /// Counts a connection that was closed, because it was silent, for a new one.
    pub fn made_room(&self) {
        self.made_room.inc();
    }

    /// Counts a connection that was not accepted, because the process has no more file descriptors
    /// for it.
    pub fn no_descriptors(&self) {
        self.no_descriptors.inc();
    }

    /// Counts a connection as open while the returned value exists.
    #[must_use]
    pub fn connection(&self) -> OpenConnection {
        self.connections.inc();
        OpenConnection(self.connections.clone())
    }

    /// Starts to count datagrams that the kernel drops because these sockets are not read fast
    /// enough.
    pub fn watch_kernel_drops(&self, sockets: &[UdpSocket]) {
        self.hold.all.kernel_drops.watch(&self.hold.listener, sockets);
    }

    /// The metrics of the listener's lines by outcome.
    #[must_use]
    pub fn rewrite(&self, emit: Emit) -> RewriteMetrics {
        let emit = &*emit.to_string();
        let HeldListener { listener, all } = &*self.hold;
        let labels = [&**listener, emit];
        let left_out = |reason| all.left_out_lines.with_label_values(&[&**listener, emit, reason]);
        RewriteMetrics {
            untouched: all.untouched_lines.with_label_values(&labels),
            written: all.written_lines.with_label_values(&labels),
            unreadable: all.unreadable_lines.with_label_values(&labels),
            left_out: Report::default().dropped().map(|(reason, _)| left_out(reason.as_str())),
            published: Published::default(),
        }
    }
}

/// An open connection.
#[derive(Debug)]
pub struct OpenConnection(IntGauge);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Counts the lines of one listener by outcome, from the report of one rewriter.
#[derive(Debug)]
pub struct RewriteMetrics {
    untouched: IntCounter,
    written: IntCounter,
    unreadable: IntCounter,
    left_out: [IntCounter; 2],
    published: Published,
}

/// The values of a report when it was last read.
#[derive(Clone, Copy, Debug, Default)]
struct Published {
    read: u64,
    untouched: u64,
    written: u64,
    unreadable: u64,
    left_out: [u64; 2],
}

impl RewriteMetrics {
    /// The same metrics for another rewriter, which has counted nothing yet.
    #[must_use]
    pub fn fresh(&self) -> RewriteMetrics {
        RewriteMetrics {
            untouched: self.untouched.clone(),
            written: self.written.clone(),
            unreadable: self.unreadable.clone(),
            left_out: self.left_out.clone(),
            published: Published::default(),
        }
    }

    /// Publishes by how much the report has grown since it was last read, and returns by how many
    /// lines read.
    pub fn publish(&mut self, report: &Report) -> u64 {
        let now = Published {
            read: report.lines_in,
            untouched: report.untouched,
            written: report.lines_out,
            unreadable: report.unreadable,
            left_out: report.dropped().map(|(_, lines)| lines),
        };
        let before = std::mem::replace(&mut self.published, now);
        self.untouched.inc_by(now.untouched - before.untouched);
        self.written.inc_by(now.written - before.written);
        self.unreadable.inc_by(now.unreadable - before.unreadable);
        for (index, counter) in self.left_out.iter().enumerate() {
            counter.inc_by(now.left_out[index] - before.left_out[index]);
        }
        now.read - before.read
    }
}

/// The metrics of one sink. Clones count together.
#[derive(Clone, Debug)]
pub struct SinkMetrics {
    datagrams: IntCounter,
    lines: IntCounter,
    bytes: IntCounter,
    overflow: IntCounter,
    too_long: IntCounter,
    shutdown: IntCounter,
    unacknowledged: IntCounter,
    queued: IntGauge,
    times: Arc<SinkTimes>,
    hold: Arc<HeldSink>,
}

impl SinkMetrics {
    /// Counts what the kernel has accepted.
    pub fn sent(&self, datagrams: u64, lines: u64, bytes: u64) {
        self.datagrams.inc_by(datagrams);
        self.lines.inc_by(lines);
        self.bytes.inc_by(bytes);
        if lines > 0 {
            self.times.sent();
        }
    }

    /// Counts lines dropped because the queue was full.
    pub fn dropped_overflow(&self, lines: u64) {
        self.overflow.inc_by(lines);
    }

    /// Counts a datagram that is longer than the path to the sink allows.
    pub fn dropped_too_long(&self, lines: u64) {
        self.too_long.inc_by(lines);
    }

    /// Counts lines that could not be sent before the shutdown.
    pub fn dropped_shutdown(&self, lines: u64) {
        self.shutdown.inc_by(lines);
    }

    /// Counts lines that the sink had not acknowledged when the connection failed.
    pub fn dropped_unacknowledged(&self, lines: u64) {
        self.unacknowledged.inc_by(lines);
    }

    /// Records a change of the number of queued bytes.
    pub fn queued(&self, before: usize, now: usize) {
        let bytes = |bytes| i64::try_from(bytes).unwrap_or(i64::MAX);
        if before != now {
            self.queued.add(bytes(now) - bytes(before));
        }
    }

    /// Counts a failure to reach the sink.
    pub fn failed(&self, reason: &'static str) {
        self.hold.all.failures.with_label_values(&[&*self.hold.sink, reason]).inc();
        self.times.failed(reason);
    }
}
