//! What complete scrapes of each target pass on to the next scrape.

use dashmap::DashMap;

use crate::rewrite::exposition::History;

/// The history of each target, by its key: the name of a target in the settings, the URL of a
/// dynamic target.
///
/// It is kept apart from the targets, so that a target whose settings are replaced while its plan
/// stays the same keeps its history. Scrapes of different targets never wait for each other.
#[derive(Debug, Default)]
pub struct TargetHistories {
    by_target: DashMap<String, TargetHistory>,
}

/// The history of one target.
#[derive(Debug, Default)]
struct TargetHistory {
    history: History,
    completed: CompletedScrapes,
}

/// Number of scrapes of a target that were complete when a scrape began.
pub(super) type CompletedScrapes = u64;

impl TargetHistories {
    /// The number of targets.
    pub(super) fn len(&self) -> usize {
        self.by_target.len()
    }

    /// Removes all targets for which `is_target` is false.
    pub fn retain(&self, is_target: impl Fn(&str) -> bool) {
        self.by_target.retain(|target, _| is_target(target));
    }

    /// The history for a scrape of `target` that begins now.
    pub(super) fn get(&self, target: &str) -> (History, CompletedScrapes) {
        let known = self.by_target.get(target);
        known.map_or_else(Default::default, |known| (known.history.clone(), known.completed))
    }

    /// Records the history of a scrape that is complete. The histories of overlapping scrapes are
    /// joined.
    pub(super) fn complete(&self, target: &str, history: History, completed: CompletedScrapes) {
        let mut known = self.by_target.entry(target.to_owned()).or_default();
        known.history =
            if known.completed == completed { history } else { history.join(&known.history) };
        known.completed += 1;
    }
}
