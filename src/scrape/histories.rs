//! What complete scrapes of each target pass on to the next scrape.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use dashmap::DashMap;

use crate::rewrite::exposition::History;

/// The name of the set of the targets in the settings. The sets of dynamic targets have the name of
/// their targets, which has parentheses.
pub const CONFIGURED: &str = "configured";

/// Maximum size of the histories of a set of dynamic targets. The one that was used least recently
/// is forgotten first.
const MAX_DYNAMIC_BYTES: usize = 128 << 20;

/// The approximate size of one entry, with its share of the table.
const ENTRY_BYTES: usize = 96;

/// The approximate size of a target without entries.
const TARGET_BYTES: usize = 256;

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
    /// The approximate size of all.
    bytes: AtomicUsize,
    /// `None`: any.
    max_bytes: Option<usize>,
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
            // The operator determines how many targets are in the settings.
            let max_bytes = (name != CONFIGURED).then_some(MAX_DYNAMIC_BYTES);
            Arc::new(TargetHistories { max_bytes, changed, ..TargetHistories::default() })
        });
        Arc::clone(set)
    }

    /// Whether a history has changed since the last call.
    #[must_use]
    pub fn take_changed(&self) -> bool {
        self.changed.swap(false, Ordering::Acquire)
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
        self.keep(|target, _| is_target(target));
    }

    /// Removes all targets of which no scrape was complete for so long.
    pub(super) fn expire(&self, after: Duration) {
        let now = SystemTime::now();
        // A clock that was set back makes none of them old.
        self.keep(|_, known| now.duration_since(known.at).is_ok_and(|age| age < after));
    }

    pub(super) fn contains(&self, target: &str) -> bool {
        self.by_target.contains_key(target)
    }

    /// Removes one target.
    pub(super) fn forget(&self, target: &str) {
        if let Some((_, removed)) = self.by_target.remove(target) {
            self.bytes.fetch_sub(removed.bytes(), Ordering::Relaxed);
        }
    }

    fn keep(&self, is_kept: impl Fn(&str, &TargetHistory) -> bool) {
        self.by_target.retain(|target, known| {
            let is_kept = is_kept(target, known);
            if !is_kept {
                self.bytes.fetch_sub(known.bytes(), Ordering::Relaxed);
            }
            is_kept
        });
    }

    /// Removes the targets that were used least recently while all are too large, except `target`.
    fn make_room(&self, target: &str) {
        let Some(max) = self.max_bytes else { return };
        let is_too_large = || self.bytes.load(Ordering::Relaxed) > max;
        if !is_too_large() {
            return;
        }
        let others = self.by_target.iter().filter(|known| known.key() != target);
        let mut others: Vec<_> = others.map(|known| (known.at, known.key().clone())).collect();
        others.sort_unstable();
        for (_, oldest) in others {
            if !is_too_large() {
                return;
            }
            self.forget(&oldest);
        }
    }

    /// The history for a scrape of `target` that begins now.
    pub(super) fn get(&self, target: &str) -> (History, CompletedScrapes) {
        let known = self.by_target.get(target);
        known.map_or_else(Default::default, |known| (known.history.clone(), known.completed))
    }

    /// Sets the history with which the next scrape of `target` begins.
    pub(super) fn restore(&self, target: &str, history: History, at: SystemTime) {
        let restored = TargetHistory { history, completed: 0, at };
        self.bytes.fetch_add(restored.bytes(), Ordering::Relaxed);
        if let Some(before) = self.by_target.insert(target.to_owned(), restored) {
            self.bytes.fetch_sub(before.bytes(), Ordering::Relaxed);
        }
        self.make_room(target);
    }

    /// Records the history of a scrape that is complete. The histories of overlapping scrapes are
    /// joined.
    pub(super) fn complete(&self, target: &str, history: History, completed: CompletedScrapes) {
        let is_empty = history.entries().len() == 0;
        let new = || {
            let new =
                TargetHistory { history: History::default(), completed: 0, at: SystemTime::now() };
            self.bytes.fetch_add(new.bytes(), Ordering::Relaxed);
            new
        };
        let mut known = self.by_target.entry(target.to_owned()).or_insert_with(new);
        let before = known.bytes();
        known.at = SystemTime::now();
        known.history =
            if known.completed == completed { history } else { history.join(&known.history) };
        known.completed += 1;
        self.bytes.fetch_add(known.bytes(), Ordering::Relaxed);
        self.bytes.fetch_sub(before, Ordering::Relaxed);
        drop(known);
        if !is_empty {
            // Not before the entry can be read: a write that takes the mark must find it.
            self.changed.store(true, Ordering::Release);
        }
        self.make_room(target);
    }
}

impl TargetHistory {
    fn bytes(&self) -> usize {
        TARGET_BYTES + self.history.entries().len() * ENTRY_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rewrite::exposition::Remembered;

    fn history(entries: u128) -> History {
        let value = Remembered { total: 1.0, parts: 1.0, difference: 0.0, missed: 0 };
        (0..entries).map(|key| (key, value)).collect()
    }

    fn size(entries: usize) -> usize {
        TARGET_BYTES + entries * ENTRY_BYTES
    }

    #[test]
    fn the_target_that_was_used_least_recently_makes_room() {
        let max_bytes = Some(2 * size(10));
        let histories = TargetHistories { max_bytes, ..TargetHistories::default() };
        let begun = SystemTime::now();
        for (age, name) in [(3, "a"), (4, "b")] {
            histories.restore(name, history(10), begun - Duration::from_secs(age));
        }
        let (of_a, completed) = histories.get("a");
        histories.complete("a", of_a, completed);
        histories.complete("c", history(1), 0);
        assert!(histories.contains("a") && histories.contains("c") && !histories.contains("b"));
        // One that is larger than all may be is kept while it is the only one.
        histories.complete("d", history(1000), 0);
        assert_eq!((histories.len(), histories.contains("d")), (1, true));
        assert_eq!(histories.bytes.load(Ordering::Relaxed), size(1000));
        histories.complete("d", history(1), 1);
        assert_eq!(histories.bytes.load(Ordering::Relaxed), size(1));
    }

    #[test]
    fn what_is_removed_no_longer_counts() {
        let histories = TargetHistories::default();
        let now = SystemTime::now();
        for (age, name) in [(0, "a"), (10, "b"), (7200, "c")] {
            histories.restore(name, history(5), now - Duration::from_secs(age));
        }
        histories.restore("a", history(6), now);
        assert_eq!(histories.bytes.load(Ordering::Relaxed), 2 * size(5) + size(6));
        histories.expire(Duration::from_secs(3600));
        assert!(histories.contains("b") && !histories.contains("c"));
        histories.retain(|name| name == "a");
        assert_eq!(histories.bytes.load(Ordering::Relaxed), size(6));
        histories.forget("a");
        histories.forget("unknown");
        assert_eq!(histories.bytes.load(Ordering::Relaxed), 0);
    }
}
