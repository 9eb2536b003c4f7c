//! What complete scrapes of each target have left for the next.

use dashmap::DashMap;

use crate::rewrite::exposition::History;

/// What is remembered of each target, by its name.
///
/// Apart from the targets themselves: a target whose settings are replaced, with the plan it is rewritten by
/// unchanged, goes on where it was. Scrapes of different targets never wait for each other.
#[derive(Debug, Default)]
pub struct TargetHistories {
    by_target: DashMap<String, TargetHistory>,
}

/// What complete scrapes of one target have left behind.
#[derive(Debug, Default)]
struct TargetHistory {
    history: History,
    /// How many scrapes have completed.
    completed: u64,
}

/// How much of the past a scrape has seen: the number of scrapes that were complete when it began.
pub(super) type CompletedScrapes = u64;

impl TargetHistories {
    /// Forgets all targets but those that `is_target` knows.
    pub fn retain(&self, is_target: impl Fn(&str) -> bool) {
        self.by_target.retain(|target, _| is_target(target));
    }

    /// What a scrape of `target` that begins now has to know.
    pub(super) fn of(&self, target: &str) -> (History, CompletedScrapes) {
        let past = self.by_target.get(target);
        past.map_or_else(Default::default, |past| (past.history.clone(), past.completed))
    }

    /// A scrape is complete: the next one begins where it ended. Of scrapes that overlapped, each leaves its share.
    pub(super) fn complete(&self, target: &str, history: History, seen: CompletedScrapes) {
        let mut past = self.by_target.entry(target.to_owned()).or_default();
        past.history = if past.completed == seen { history } else { history.join(&past.history) };
        past.completed += 1;
    }
}
