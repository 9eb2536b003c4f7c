//! The traffic: how often each node has served the requests of the captures.
//!
//! A capture shows a list of requests once. A node serves them again and again, those of each
//! service at a pace of its own, so all counters of a service are multiples of those of the capture,
//! whichever version of Kong shows them.

use std::hash::{DefaultHasher, Hash, Hasher as _};

use super::plan::Pod;

/// The most rounds in one tick.
const FASTEST: u64 = 3;

/// What a node has done at a tick.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) node: usize,
    pub(crate) pod: Pod,
    pub(crate) tick: u64,
}

impl Moment {
    /// How often the pod has served the requests for a service.
    pub(crate) fn rounds(&self, service: &str) -> u64 {
        let until = self.tick.cast_signed();
        1 + (self.pod.since..=until)
            .map(|tick| chance(&(self.node, service, tick)) % (FASTEST + 1))
            .sum::<u64>()
    }

    /// A small number that depends on the node, the time, and what it is for.
    pub(crate) fn noise(&self, what: &str, below: u64) -> u64 {
        chance(&(self.node, what, self.tick)) % below
    }

    /// Whether something is so for a while, and then is not.
    pub(crate) fn swings(&self, what: &str) -> bool {
        chance(&(self.node, what, self.tick / 7)).is_multiple_of(3)
    }
}

/// The same in every run.
fn chance(of: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Version;

    #[test]
    fn rounds_grow_while_a_pod_lives() {
        let pod = Pod { version: Version::Kong28, number: 1, since: 10 };
        let rounds = |tick| Moment { node: 2, pod, tick }.rounds("orders");
        let grown: Vec<u64> = (10..60).map(|tick| rounds(tick + 1) - rounds(tick)).collect();
        assert!(grown.iter().all(|step| *step <= FASTEST));
        assert!((0..=FASTEST).all(|step| grown.contains(&step)), "{grown:?}");
        assert!((1..=1 + FASTEST).contains(&rounds(10)));
    }
}
