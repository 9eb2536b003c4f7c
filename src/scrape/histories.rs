//! What complete scrapes of each target pass on to the next scrape.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use dashmap::DashMap;

use crate::rewrite::exposition::History;

/// The name of the set of the targets in the settings. The sets of dynamic targets have the name of
/// their targets, which has parentheses.
pub const CONFIGURED: &str = "configured";

/// The histories of all targets, by the set that a target belongs to.
///
/// They are kept apart from the targets, which a reload makes anew.
#[derive(Debug, Default)]
pub struct Histories {
    sets: Mutex<BTreeMap<String, Arc<TargetHistories>>>,
    changed: Arc<AtomicBool>,
}

/// The history of each target of a set, by its key: the name of a target in the settings, the URL of a
/// dynamic target.
///
/// Scrapes of different targets never wait for each other.
#[derive(Debug, Default)]
pub struct TargetHistories {
    by_target: DashMap<String, TargetHistory>,
    changed: Arc<AtomicBool>,
}

/// The history of one target.
#[derive(Debug)]
struct TargetHistory {
    history: History,
    completed: CompletedScrapes,
    /// When the last of its scrapes was complete.
    at: SystemTime,
}

/// The history of a target, as it is kept while the gateway restarts.
#[derive(Clone, Debug)]
pub(super) struct SavedHistory {
    pub(super) set: String,
    pub(super) key: String,
    /// When the last scrape of the target was complete.
    pub(super) at: SystemTime,
    pub(super) history: History,
}

/// Number of scrapes of a target that were complete when a scrape began.
pub(super) type CompletedScrapes = u64;

impl Histories {
    /// The histories of a set.
    #[must_use]
    pub fn of_set(&self, name: &str) -> Arc<TargetHistories> {
        let mut sets = self.sets.lock().unwrap_or_else(PoisonError::into_inner);
        let set = sets.entry(name.to_owned()).or_insert_with(|| {
            let changed = Arc::clone(&self.changed);
            Arc::new(TargetHistories { by_target: DashMap::new(), changed })
        });
        Arc::clone(set)
    }

    /// Whether a history has changed since the last call.
    #[must_use]
    pub fn take_changed(&self) -> bool {
        self.changed.swap(false, Ordering::Relaxed)
    }

    /// Records that the histories must be saved again.
    pub fn set_changed(&self) {
        self.changed.store(true, Ordering::Relaxed);
    }

    /// The history of each target that has one.
    pub(super) fn all(&self) -> Vec<SavedHistory> {
        let sets = self.sets.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let of_set = |(name, set): (String, Arc<TargetHistories>)| {
            let known = set.by_target.iter().filter(|known| known.history.entries().len() > 0);
            let saved = known.map(|known| SavedHistory {
                set: name.clone(),
                key: known.key().clone(),
                at: known.at,
                history: known.history.clone(),
            });
            saved.collect::<Vec<_>>()
        };
        sets.into_iter().flat_map(of_set).collect()
    }
}

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

    /// Sets the history with which the next scrape of `target` begins.
    pub(super) fn restore(&self, target: &str, history: History, at: SystemTime) {
        self.by_target.insert(target.to_owned(), TargetHistory { history, completed: 0, at });
    }

    /// Records the history of a scrape that is complete. The histories of overlapping scrapes are
    /// joined.
    pub(super) fn complete(&self, target: &str, history: History, completed: CompletedScrapes) {
        if history.entries().len() > 0 {
            self.changed.store(true, Ordering::Relaxed);
        }
        let new =
            || TargetHistory { history: History::default(), completed: 0, at: SystemTime::now() };
        let mut known = self.by_target.entry(target.to_owned()).or_insert_with(new);
        known.at = SystemTime::now();
        known.history =
            if known.completed == completed { history } else { history.join(&known.history) };
        known.completed += 1;
    }
}
