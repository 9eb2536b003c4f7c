//! What happens when: the phases of the night, which pod a node has, and what is done to the gateway.

use std::ops::Range;
use std::time::Duration;

/// Nodes of Kong.
pub(crate) const NODES: usize = 6;

/// The traffic stands still for a tick, so every scrape of one tick shows the same numbers. It is
/// twice the scrape interval of Prometheus, so that a late scrape does not miss a tick.
pub(crate) const TICK: Duration = Duration::from_secs(2);

/// Ticks of traffic before the night, so that counters are not 0.
const BEFORE: u64 = 30;

/// A version of Kong, and how its captures are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    Kong28,
    Kong34,
    Kong39,
}

/// The time of a tick since the night began: minutes and seconds.
pub(crate) fn clock(tick: u64) -> String {
    let seconds = tick * TICK.as_secs();
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

/// A part of the night.
#[derive(Debug)]
pub(crate) struct Phase {
    pub(crate) name: &'static str,
    pub(crate) ticks: Range<u64>,
}

/// A node gets a new pod: for one tick there is none, then it has another version.
#[derive(Debug, PartialEq, Eq)]
struct Replacement {
    node: usize,
    tick: u64,
    to: Version,
}

/// What is done to a replica of the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Reads changed settings after a signal.
    Signal,
    /// Reads changed settings after a request.
    Request,
    /// Stops, and starts with its state file.
    Restart,
}

/// Something that is done to a replica.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) tick: u64,
    pub(crate) replica: usize,
    pub(crate) action: Action,
}

/// The pod of a node at some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pod {
    pub(crate) version: Version,
    /// How many the node had before.
    pub(crate) number: usize,
    /// The tick of its first requests. The first one started before the night.
    pub(crate) since: i64,
}

/// The whole night.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) phases: Vec<Phase>,
    pub(crate) events: Vec<Event>,
    replacements: Vec<Replacement>,
}

impl Plan {
    /// A night of this length. Half of it is spent in phases that replace all nodes.
    pub(crate) fn of(length: Duration) -> Plan {
        // Shares of the night in percent.
        let parts: [(&str, u64, Option<Version>); 7] = [
            ("all 2.8", 13, None),
            ("2.8 to 3.4", 17, Some(Version::Kong34)),
            ("all 3.4", 12, None),
            ("3.4 to 3.9", 17, Some(Version::Kong39)),
            ("all 3.9", 12, None),
            ("back to 2.8", 17, Some(Version::Kong28)),
            ("all 2.8 again", 12, None),
        ];
        let all = length.as_secs() / TICK.as_secs();
        let mut plan = Plan { phases: Vec::new(), events: Vec::new(), replacements: Vec::new() };
        let (mut begin, mut share) = (0, 0);
        for (name, percent, to) in parts {
            share += percent;
            let end = all * share / 100;
            if let Some(to) = to {
                plan.replace_all(begin, end, to);
            }
            plan.phases.push(Phase { name, ticks: begin..end });
            begin = end;
        }
        plan
    }

    /// Replaces one node after the other, reloads both replicas, and restarts one of them.
    fn replace_all(&mut self, begin: u64, end: u64, to: Version) {
        let at = |share: u64, of: u64| begin + (end - begin) * share / of;
        let nodes = NODES as u64;
        for (node, number) in (0..NODES).zip(0..) {
            self.replacements.push(Replacement { node, tick: at(2 * number + 1, 2 * nodes), to });
        }
        let restarted = usize::from(to == Version::Kong28);
        self.events.extend([
            Event { tick: at(1, 4), replica: 0, action: Action::Signal },
            Event { tick: at(1, 4), replica: 1, action: Action::Request },
            Event { tick: at(1, 2), replica: restarted, action: Action::Restart },
            Event { tick: at(3, 4), replica: 0, action: Action::Request },
            Event { tick: at(3, 4), replica: 1, action: Action::Signal },
        ]);
    }

    /// The number of ticks.
    pub(crate) fn end(&self) -> u64 {
        self.phases.last().map_or(0, |phase| phase.ticks.end)
    }

    /// The pod of a node, or none while it is being replaced.
    pub(crate) fn pod(&self, node: usize, tick: u64) -> Option<Pod> {
        let mut pod = Pod { version: Version::Kong28, number: 0, since: -(BEFORE.cast_signed()) };
        for each in self.replacements.iter().filter(|it| it.node == node) {
            if each.tick == tick {
                return None;
            }
            if each.tick < tick {
                let since = each.tick.cast_signed() + 1;
                pod = Pod { version: each.to, number: pod.number + 1, since };
            }
        }
        Some(pod)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_node_has_each_version_and_comes_back() {
        for minutes in [2, 5, 60] {
            let plan = Plan::of(Duration::from_secs(60 * minutes));
            assert_eq!(plan.end(), 30 * minutes);
            for node in 0..NODES {
                let pods: Vec<_> = (0..plan.end()).map(|tick| plan.pod(node, tick)).collect();
                assert_eq!(pods.iter().filter(|pod| pod.is_none()).count(), 3);
                let mut versions: Vec<_> =
                    pods.iter().flatten().map(|pod| (pod.version, pod.number)).collect();
                versions.dedup();
                assert_eq!(
                    versions,
                    [
                        (Version::Kong28, 0),
                        (Version::Kong34, 1),
                        (Version::Kong39, 2),
                        (Version::Kong28, 3),
                    ]
                );
            }
        }
    }

    #[test]
    fn nodes_are_replaced_one_after_the_other() {
        let plan = Plan::of(Duration::from_secs(120));
        for tick in 0..plan.end() {
            let away = (0..NODES).filter(|node| plan.pod(*node, tick).is_none()).count();
            assert!(away <= 1, "tick {tick}");
        }
    }
}
