//! From datagrams to lanes: one pipeline for each listener and worker.

use std::sync::Arc;

use tokio::sync::watch;

use super::shard::Shards;
use super::{ListenAddress, ListenerSettings, Mode, SinkSettings};
use crate::mapping::{Emit, StatsdPlan};
use crate::relay::sink_queue::Inlet;
use crate::rewrite::statsd::{Outcome, Rewriter, Sender};
use crate::statsd::lines;
use crate::telemetry::{ListenerMetrics, RewriteMetrics};

/// Where lines go, and as what. Replaced as a whole.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) listeners: Vec<ListenerSettings>,
    pub(super) mode: Mode,
    /// Each with an inlet for each worker.
    pub(super) sinks: Vec<(SinkSettings, Vec<Arc<Inlet>>)>,
    /// One for each generation that leaves.
    pub(super) plans: Vec<(Emit, Arc<StatsdPlan>)>,
    /// Most open connections of each stream listener.
    pub(super) max_connections: usize,
}

/// A listener of the settings: its address, and how many have the same in front of it. Only those with any port do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Which(ListenAddress, usize);

impl Which {
    /// Each listener, with what tells it from the others.
    pub(super) fn of(
        listeners: &[ListenerSettings],
    ) -> impl Iterator<Item = (Which, &ListenerSettings)> {
        listeners.iter().enumerate().map(|(at, its)| {
            let same = listeners[..at].iter().filter(|it| it.address == its.address).count();
            (Which(its.address.clone(), same), its)
        })
    }
}

/// What a listener makes pipelines of.
#[derive(Clone, Debug)]
pub(super) struct Feed {
    layout: watch::Receiver<Arc<Layout>>,
    listener: Which,
    metrics: ListenerMetrics,
}

/// Rewrites lines for each emitted generation and hands them to the lanes of the sinks that get it.
#[derive(Debug)]
pub(super) struct Pipeline {
    feed: Feed,
    worker: usize,
    groups: Vec<Group>,
    datagrams: u64,
    bytes: u64,
}

/// The sinks that get one generation.
#[derive(Debug)]
struct Group {
    rewriter: Rewriter,
    /// What the lines of the datagram at hand have become.
    written: Vec<u8>,
    inlets: Vec<Arc<Inlet>>,
    shards: Option<Sharded>,
    metrics: RewriteMetrics,
}

#[derive(Debug)]
struct Sharded {
    shards: Shards,
    /// The lines of the datagram at hand for each lane.
    shares: Vec<Vec<u8>>,
}

impl Feed {
    pub(super) fn new(
        layout: watch::Receiver<Arc<Layout>>,
        listener: Which,
        metrics: ListenerMetrics,
    ) -> Feed {
        Feed { layout, listener, metrics }
    }

    /// The pipeline of one of the workers. `None` once the listener is gone from the settings.
    pub(super) fn pipeline(&self, worker: usize) -> Option<Pipeline> {
        let mut feed = self.clone();
        let groups = feed.groups(worker)?;
        Some(Pipeline { feed, worker, groups, datagrams: 0, bytes: 0 })
    }

    /// Most open connections.
    pub(super) fn max_connections(&self) -> usize {
        self.layout.borrow().max_connections
    }

    /// Resolves when the layout was replaced. Cancel safe.
    pub(super) async fn replaced(&mut self) {
        if self.layout.changed().await.is_err() {
            // Nobody is left to replace it.
            std::future::pending::<()>().await;
        }
    }

    fn groups(&mut self, worker: usize) -> Option<Vec<Group>> {
        let layout = Arc::clone(&self.layout.borrow_and_update());
        let Which(address, same) = &self.listener;
        let its = layout.listeners.iter().filter(|it| it.address == *address).nth(*same)?;
        let emit_of = |sink: &SinkSettings| sink.emit.unwrap_or(its.emit);
        let mut emits: Vec<Emit> = Vec::new();
        for (sink, _) in &layout.sinks {
            if !emits.contains(&emit_of(sink)) {
                emits.push(emit_of(sink));
            }
        }
        let group = |emit| {
            let of_group = || layout.sinks.iter().filter(|(sink, _)| emit_of(sink) == emit);
            let names: Vec<String> = of_group().map(|(sink, _)| sink.address.to_string()).collect();
            let shards = (layout.mode == Mode::Shard && names.len() > 1)
                .then(|| Shards::new(names.iter().map(String::as_str)));
            let inlets = of_group().map(|(_, inlets)| Arc::clone(&inlets[worker])).collect();
            let plan = layout.plans.iter().find(|(its, _)| *its == emit);
            let (_, plan) = plan.expect("there is a plan for each emit");
            Group::new(plan, inlets, shards, self.metrics.rewrite(emit))
        };
        Some(emits.into_iter().map(group).collect())
    }
}

impl Pipeline {
    /// Resolves when lines have to go another way, and from then on they do. Cancel safe.
    pub(super) async fn replaced(&mut self) {
        self.feed.replaced().await;
        self.take_on();
    }

    /// The same for a batch at hand, before its first datagram: what came after a change goes by it.
    pub(super) fn refresh(&mut self) {
        // Nobody left to replace it is no news.
        if self.feed.layout.has_changed().unwrap_or(false) {
            self.take_on();
        }
    }

    fn take_on(&mut self) {
        // A listener that is gone reads its last lines as it read the others. The sinks that they go to wait for it.
        if let Some(groups) = self.feed.groups(self.worker) {
            self.groups = groups;
        }
    }

    /// Takes a datagram, or whole lines of a stream.
    pub(super) fn take(&mut self, datagram: &[u8], sender: &mut Sender) {
        self.datagrams += 1;
        self.bytes += datagram.len() as u64;
        // Each generation is rewritten with what was known before.
        let known = *sender;
        for group in &mut self.groups {
            *sender = known;
            group.take(datagram, sender);
        }
    }

    pub(super) fn metrics(&self) -> &ListenerMetrics {
        &self.feed.metrics
    }

    /// Publishes what was counted since it was last called: once for a batch, not for each line.
    pub(super) fn publish(&mut self) {
        let mut lines = 0;
        for group in &mut self.groups {
            // Every group reads all lines.
            lines = group.metrics.publish(group.rewriter.report());
        }
        let datagrams = std::mem::take(&mut self.datagrams);
        self.feed.metrics.received(datagrams, std::mem::take(&mut self.bytes), lines);
    }
}

impl Group {
    fn new(
        plan: &Arc<StatsdPlan>,
        inlets: Vec<Arc<Inlet>>,
        shards: Option<Shards>,
        metrics: RewriteMetrics,
    ) -> Group {
        let shares = vec![Vec::new(); inlets.len()];
        Group {
            rewriter: Rewriter::new(Arc::clone(plan)),
            written: Vec::new(),
            inlets,
            shards: shards.map(|shards| Sharded { shards, shares }),
            metrics,
        }
    }

    fn take(&mut self, datagram: &[u8], sender: &mut Sender) {
        self.written.clear();
        let outcome = self.rewriter.rewrite(datagram, sender, &mut self.written);
        match (&mut self.shards, outcome) {
            (Some(sharded), Outcome::Untouched) => sharded.share_out(datagram, &self.inlets),
            (Some(sharded), Outcome::Rewritten) => sharded.share_out(&self.written, &self.inlets),
            (None, Outcome::Untouched) => self.inlets.iter().for_each(|inlet| inlet.push(datagram)),
            (None, Outcome::Rewritten) => {
                self.inlets.iter().for_each(|inlet| inlet.push_lines(&self.written));
            }
        }
    }
}

impl Sharded {
    fn share_out(&mut self, datagram: &[u8], inlets: &[Arc<Inlet>]) {
        for line in lines(datagram) {
            let share = &mut self.shares[self.shards.of_line(line)];
            share.extend_from_slice(line);
            share.push(b'\n');
        }
        for (share, inlet) in self.shares.iter_mut().zip(inlets) {
            if share.is_empty() {
                continue;
            }
            // The last line needs no newline, but a blank one is nothing without it.
            let lines =
                share.strip_suffix(b"\n").filter(|it| !it.is_empty() && !it.ends_with(b"\n"));
            inlet.push_lines(lines.unwrap_or(share));
            share.clear();
        }
    }
}
