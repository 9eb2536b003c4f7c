//! From datagrams to lanes: one pipeline for each listener and worker.

use std::sync::Arc;

use tokio::sync::watch;

use super::lane::Lane;
use super::shard::Shards;
use super::{Mode, Settings};
use crate::mapping::{Emit, StatsdPlan};
use crate::rewrite::statsd::{Outcome, Rewriter, Sender};
use crate::statsd::lines;
use crate::telemetry::{ListenerMetrics, RewriteMetrics};

/// A plan for each emitted generation.
type PlanFor = Arc<[(Emit, Arc<StatsdPlan>)]>;

/// What lines are rewritten by: a plan for each emitted generation. Can be replaced while the relay runs.
#[derive(Clone, Debug)]
pub struct Plans(watch::Sender<PlanFor>);

impl Plans {
    pub(super) fn new(plans: Vec<(Emit, Arc<StatsdPlan>)>) -> Plans {
        Plans(watch::Sender::new(plans.into()))
    }

    /// Rewrites from now on by these: batches that are being read go by the former ones to their end.
    ///
    /// A generation that has no plan among them keeps the one it has.
    pub fn replace(&self, plans: Vec<(Emit, Arc<StatsdPlan>)>) {
        self.0.send_replace(plans.into());
    }
}

/// Rewrites lines for each emitted generation and hands them to the lanes of the sinks that get it.
#[derive(Clone, Debug)]
pub(super) struct Pipeline {
    groups: Vec<Group>,
    plans: watch::Receiver<PlanFor>,
    metrics: ListenerMetrics,
    datagrams: u64,
    bytes: u64,
}

/// The sinks that get one generation.
#[derive(Debug)]
struct Group {
    emit: Emit,
    plan: Arc<StatsdPlan>,
    rewriter: Rewriter,
    /// What the lines of the datagram at hand have become.
    written: Vec<u8>,
    lanes: Vec<Arc<Lane>>,
    shards: Option<Sharded>,
    metrics: RewriteMetrics,
}

#[derive(Debug)]
struct Sharded {
    shards: Shards,
    /// The lines of the datagram at hand for each lane.
    shares: Vec<Vec<u8>>,
}

impl Pipeline {
    /// `lanes` are those of one worker, in the order of the settings' sinks.
    pub(super) fn new(
        emit: Emit,
        settings: &Settings,
        lanes: &[Arc<Lane>],
        Plans(plans): &Plans,
        metrics: ListenerMetrics,
    ) -> Pipeline {
        let plans = plans.subscribe();
        let mut emits: Vec<Emit> = Vec::new();
        let emit_of = |sink: &super::SinkSettings| sink.emit.unwrap_or(emit);
        for sink in &settings.sinks {
            if !emits.contains(&emit_of(sink)) {
                emits.push(emit_of(sink));
            }
        }
        let group = |emit| {
            let of_group = || settings.sinks.iter().zip(lanes).filter(|it| emit_of(it.0) == emit);
            let names: Vec<String> = of_group().map(|(sink, _)| sink.address.to_string()).collect();
            let shards = (settings.mode == Mode::Shard && names.len() > 1)
                .then(|| Shards::new(names.iter().map(String::as_str)));
            let lanes = of_group().map(|(_, lane)| Arc::clone(lane)).collect();
            let plan = plan_for(emit, &plans.borrow()).expect("there is a plan for each emit");
            Group::new(emit, plan, lanes, shards, metrics.rewrite(emit))
        };
        let groups = emits.into_iter().map(group).collect();
        Pipeline { groups, plans, metrics, datagrams: 0, bytes: 0 }
    }

    /// Takes on plans that were replaced. Once for a batch, before the first datagram.
    pub(super) fn refresh(&mut self) {
        // Nobody left to replace them is no news.
        if !self.plans.has_changed().unwrap_or(false) {
            return;
        }
        let plans = Arc::clone(&self.plans.borrow_and_update());
        for group in &mut self.groups {
            if let Some(plan) = plan_for(group.emit, &plans) {
                group.rewriter = Rewriter::new(Arc::clone(&plan));
                group.metrics = group.metrics.fresh();
                group.plan = plan;
            }
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
        &self.metrics
    }

    /// Publishes what was counted since it was last called: once for a batch, not for each line.
    pub(super) fn publish(&mut self) {
        let mut lines = 0;
        for group in &mut self.groups {
            // Every group reads all lines.
            lines = group.metrics.publish(group.rewriter.report());
        }
        let datagrams = std::mem::take(&mut self.datagrams);
        self.metrics.received(datagrams, std::mem::take(&mut self.bytes), lines);
    }
}

fn plan_for(emit: Emit, plans: &[(Emit, Arc<StatsdPlan>)]) -> Option<Arc<StatsdPlan>> {
    let plan = plans.iter().find(|(its, _)| *its == emit);
    plan.map(|(_, plan)| Arc::clone(plan))
}

impl Group {
    fn new(
        emit: Emit,
        plan: Arc<StatsdPlan>,
        lanes: Vec<Arc<Lane>>,
        shards: Option<Shards>,
        metrics: RewriteMetrics,
    ) -> Group {
        let shares = vec![Vec::new(); lanes.len()];
        Group {
            emit,
            rewriter: Rewriter::new(Arc::clone(&plan)),
            plan,
            written: Vec::new(),
            lanes,
            shards: shards.map(|shards| Sharded { shards, shares }),
            metrics,
        }
    }

    fn take(&mut self, datagram: &[u8], sender: &mut Sender) {
        self.written.clear();
        let outcome = self.rewriter.rewrite(datagram, sender, &mut self.written);
        match (&mut self.shards, outcome) {
            (Some(sharded), Outcome::Untouched) => sharded.share_out(datagram, &self.lanes),
            (Some(sharded), Outcome::Rewritten) => sharded.share_out(&self.written, &self.lanes),
            (None, Outcome::Untouched) => self.lanes.iter().for_each(|lane| lane.push(datagram)),
            (None, Outcome::Rewritten) => {
                self.lanes.iter().for_each(|lane| lane.push_lines(&self.written));
            }
        }
    }
}

impl Clone for Group {
    /// The same sinks, with a rewriter of its own that has counted nothing yet.
    fn clone(&self) -> Group {
        let shards = self.shards.as_ref().map(|sharded| sharded.shards.clone());
        let (plan, lanes) = (Arc::clone(&self.plan), self.lanes.clone());
        Group::new(self.emit, plan, lanes, shards, self.metrics.fresh())
    }
}

impl Sharded {
    fn share_out(&mut self, datagram: &[u8], lanes: &[Arc<Lane>]) {
        for line in lines(datagram) {
            let share = &mut self.shares[self.shards.of_line(line)];
            share.extend_from_slice(line);
            share.push(b'\n');
        }
        for (share, lane) in self.shares.iter_mut().zip(lanes) {
            if share.is_empty() {
                continue;
            }
            // The last line needs no newline, but a blank one is nothing without it.
            let lines =
                share.strip_suffix(b"\n").filter(|it| !it.is_empty() && !it.ends_with(b"\n"));
            lane.push_lines(lines.unwrap_or(share));
            share.clear();
        }
    }
}
