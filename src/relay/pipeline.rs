//! From datagrams to queues: one pipeline for each listener and worker.

use std::sync::Arc;

use tokio::sync::watch;

use super::settings::{ConnectionSettings, Mode, PlanSelection};
use super::shard::Shards;
use super::topology::{ListenerKey, Topology};
use crate::mapping::StatsdPlan;
use crate::relay::datagram_queue::count_lines;
use crate::relay::sink_queue::QueueSender;
use crate::rewrite::statsd::{Outcome, Rewriter, Sender};
use crate::statsd::lines;
use crate::telemetry::{ListenerMetrics, RewriteMetrics};

/// Makes the pipelines of one listener.
#[derive(Clone, Debug)]
pub(super) struct PipelineFactory {
    topology: watch::Receiver<Arc<Topology>>,
    listener: ListenerKey,
    metrics: ListenerMetrics,
}

/// Rewrites lines with each of its plans and pushes them to the queues of that plan's sinks.
#[derive(Debug)]
pub(super) struct Pipeline {
    factory: PipelineFactory,
    worker: usize,
    groups: Vec<Group>,
    datagrams: u64,
    bytes: u64,
}

/// The sinks that receive the same lines.
#[derive(Debug)]
struct Group {
    rewriter: Rewriter,
    /// The rewritten lines of the current datagram.
    written: Vec<u8>,
    senders: Vec<Arc<QueueSender>>,
    shards: Option<Sharded>,
    metrics: RewriteMetrics,
}

#[derive(Debug)]
struct Sharded {
    shards: Shards,
    /// The lines of the current datagram for each queue.
    shares: Vec<Vec<u8>>,
}

impl PipelineFactory {
    pub(super) fn new(
        topology: watch::Receiver<Arc<Topology>>,
        listener: ListenerKey,
        metrics: ListenerMetrics,
    ) -> PipelineFactory {
        PipelineFactory { topology, listener, metrics }
    }

    /// Makes the pipeline of one worker. `None` if the listener has been removed.
    pub(super) fn pipeline(&self, worker: usize) -> Option<Pipeline> {
        let mut factory = self.clone();
        let groups = factory.groups(worker)?;
        Some(Pipeline { factory, worker, groups, datagrams: 0, bytes: 0 })
    }

    /// The limits of connections.
    pub(super) fn connections(&self) -> ConnectionSettings {
        self.topology.borrow().connections
    }

    pub(super) fn metrics(&self) -> &ListenerMetrics {
        &self.metrics
    }

    /// Resolves when the topology is replaced. Cancel safe.
    pub(super) async fn replaced(&mut self) {
        if self.topology.changed().await.is_err() {
            // The supervisor is gone: no change will follow.
            std::future::pending::<()>().await;
        }
    }

    fn groups(&mut self, worker: usize) -> Option<Vec<Group>> {
        let topology = Arc::clone(&self.topology.borrow_and_update());
        let its = self.listener.find(&topology.listeners)?;
        let selections = its.plan_selections(topology.sinks.iter().map(|(sink, _)| sink));
        let group = |selection: PlanSelection| {
            let of_group =
                || topology.sinks.iter().filter(|(sink, _)| sink.plan_selection(its) == selection);
            let names: Vec<String> = of_group().map(|(sink, _)| sink.address.to_string()).collect();
            let shards = (topology.mode == Mode::Shard && names.len() > 1)
                .then(|| Shards::new(names.iter().map(String::as_str)));
            let senders = of_group().map(|(_, senders)| Arc::clone(&senders[worker])).collect();
            let plan = topology.plans.iter().find(|(its, _)| *its == selection);
            let (_, plan) = plan.expect("there is a plan for each selection");
            Group::new(plan, senders, shards, self.metrics.rewrite(selection.emit))
        };
        Some(selections.into_iter().map(group).collect())
    }
}

impl Pipeline {
    /// Resolves when the topology is replaced, after switching to the new one. Cancel safe.
    pub(super) async fn replaced(&mut self) {
        self.factory.replaced().await;
        self.switch_topology();
    }

    /// Switches to a new topology, if there is one. Called before each batch, so that lines
    /// received after a change follow it.
    pub(super) fn refresh(&mut self) {
        // An error means that the supervisor is gone, so nothing changes.
        if self.factory.topology.has_changed().unwrap_or(false) {
            self.switch_topology();
        }
    }

    fn switch_topology(&mut self) {
        // A removed listener reads its last lines with the old groups, which keep their queues
        // open.
        if let Some(groups) = self.factory.groups(self.worker) {
            self.groups = groups;
        }
    }

    /// Processes a datagram, or whole lines of a stream.
    pub(super) fn take(&mut self, datagram: &[u8], sender: &mut Sender) {
        self.datagrams += 1;
        self.bytes += datagram.len() as u64;
        // Each group starts from the same knowledge about the peer.
        let known = *sender;
        for group in &mut self.groups {
            *sender = known;
            group.take(datagram, sender);
        }
    }

    /// Goes on after a panic in [`take`](Self::take), whose datagram is lost.
    pub(super) fn recover(&mut self, datagram: &[u8]) {
        self.metrics().refused_panic(count_lines(datagram));
        self.switch_topology();
    }

    pub(super) fn metrics(&self) -> &ListenerMetrics {
        &self.factory.metrics
    }

    /// The limits of connections.
    pub(super) fn connections(&self) -> ConnectionSettings {
        self.factory.connections()
    }

    /// Publishes the counts since the last call: once per batch, not per line.
    pub(super) fn publish(&mut self) {
        let mut lines = 0;
        for group in &mut self.groups {
            // Every group reads all lines, so any of them has the count.
            lines = group.metrics.publish(group.rewriter.report());
            group.senders.iter().for_each(|sender| sender.publish());
        }
        let datagrams = std::mem::take(&mut self.datagrams);
        self.factory.metrics.received(datagrams, std::mem::take(&mut self.bytes), lines);
    }
}

impl Group {
    fn new(
        plan: &Arc<StatsdPlan>,
        senders: Vec<Arc<QueueSender>>,
        shards: Option<Shards>,
        metrics: RewriteMetrics,
    ) -> Group {
        let shares = vec![Vec::new(); senders.len()];
        Group {
            rewriter: Rewriter::new(Arc::clone(plan)),
            written: Vec::new(),
            senders,
            shards: shards.map(|shards| Sharded { shards, shares }),
            metrics,
        }
    }

    fn take(&mut self, datagram: &[u8], sender: &mut Sender) {
        self.written.clear();
        let outcome = self.rewriter.rewrite(datagram, sender, &mut self.written);
        match (&mut self.shards, outcome) {
            (Some(sharded), Outcome::Untouched) => sharded.share_out(datagram, &self.senders),
            (Some(sharded), Outcome::Rewritten) => sharded.share_out(&self.written, &self.senders),
            (None, Outcome::Untouched) => {
                self.senders.iter().for_each(|sender| sender.push(datagram));
            }
            (None, Outcome::Rewritten) => {
                self.senders.iter().for_each(|sender| sender.push_lines(&self.written));
            }
        }
    }
}

impl Sharded {
    fn share_out(&mut self, datagram: &[u8], senders: &[Arc<QueueSender>]) {
        for line in lines(datagram) {
            let share = &mut self.shares[self.shards.of_line(line)];
            share.extend_from_slice(line);
            share.push(b'\n');
        }
        for (share, sender) in self.shares.iter_mut().zip(senders) {
            if share.is_empty() {
                continue;
            }
            // The last line needs no newline, unless it is blank.
            let lines =
                share.strip_suffix(b"\n").filter(|it| !it.is_empty() && !it.ends_with(b"\n"));
            sender.push_lines(lines.unwrap_or(share));
            share.clear();
        }
    }
}
