//! What the next scrape of a target must know about this one.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

/// What the next exposition of the same target must know about this one.
///
/// A difference (a total minus its parts) is computed from counters that are not read at the same
/// moment, so it can be smaller than before although nothing was reset. A counter must not decrease,
/// so the history keeps the last value written. It is empty before the first scrape and for
/// `crossfade rewrite`. It is valid for any plan: what another plan writes has another key.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Shared, so that a scrape can copy the history of its target at the cost of a pointer.
    differences: Arc<HashMap<u128, Remembered, RandomState>>,
}

/// The last values of one difference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Remembered {
    /// The total.
    pub total: f64,
    /// The sum of its parts.
    pub parts: f64,
    /// The value written.
    pub difference: f64,
    /// Scrapes since then in which the total was missing.
    pub missed: u8,
}

/// Consecutive scrapes in which a total may be missing (a line can be malformed) before it is
/// forgotten.
const MISSED: u8 = 5;

impl History {
    /// Whether a total has decreased. Then the target was restarted, and all its counters with it.
    pub(super) fn is_reset_by(&self, key: u128, total: f64) -> bool {
        self.differences.get(&key).is_some_and(|before| before.total > total)
    }

    /// `total` minus `parts`, but never less than before. Remembers it in `next`.
    ///
    /// Parts that decrease without a reset are due to a missing line: they count as before.
    pub(super) fn difference(&self, next: &mut History, key: u128, total: f64, parts: f64) -> f64 {
        let before = self.differences.get(&key);
        let parts = before.map_or(parts, |before| parts.max(before.parts));
        let floor = before.map_or(0.0, |before| before.difference);
        let difference = (total - parts).max(floor);
        let now = Remembered { total, parts, difference, missed: 0 };
        Arc::make_mut(&mut next.differences).insert(key, now);
        difference
    }

    /// Copies to `next` what is missing there, for a limited number of scrapes.
    pub(super) fn carry_over(&self, next: &mut History) {
        let next = Arc::make_mut(&mut next.differences);
        for (&key, &before) in self.differences.iter() {
            if before.missed < MISSED {
                next.entry(key).or_insert(Remembered { missed: before.missed + 1, ..before });
            }
        }
    }

    /// Joins the histories of two stages of one scrape, which began with the same history: each
    /// difference is that of the stage that has written it.
    pub(in crate::rewrite::exposition) fn with_stage(mut self, other: &History) -> History {
        let all = Arc::make_mut(&mut self.differences);
        for (&key, &theirs) in other.differences.iter() {
            let ours = all.entry(key).or_insert(theirs);
            if theirs.missed < ours.missed {
                *ours = theirs;
            }
        }
        self
    }

    /// Every difference, by its key. Keys depend on the [`HashSeed`](crate::exposition::HashSeed).
    #[must_use]
    pub fn entries(&self) -> impl ExactSizeIterator<Item = (u128, Remembered)> {
        self.differences.iter().map(|(&key, &remembered)| (key, remembered))
    }

    /// Joins two histories of one target, from scrapes that ran at the same time: the later one
    /// wins.
    ///
    /// Totals only grow, so the larger one is the later. (If it is not, the target was reset, and
    /// the next scrape will notice.)
    #[must_use]
    pub fn join(mut self, other: &History) -> History {
        let all = Arc::make_mut(&mut self.differences);
        for (&key, &theirs) in other.differences.iter() {
            let ours = all.entry(key).or_insert(theirs);
            if ours.total < theirs.total {
                *ours = theirs;
            }
        }
        self
    }
}

impl FromIterator<(u128, Remembered)> for History {
    /// The history with these [`entries`](History::entries).
    fn from_iter<T: IntoIterator<Item = (u128, Remembered)>>(entries: T) -> History {
        History { differences: Arc::new(entries.into_iter().collect()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs scrapes of (total, parts); returns the differences.
    fn differences(scrapes: &[Option<(f64, f64)>]) -> Vec<f64> {
        let mut history = History::default();
        let mut written = Vec::new();
        for scrape in scrapes {
            let mut next = History::default();
            if let Some((total, parts)) = *scrape {
                if history.is_reset_by(1, total) {
                    history = History::default();
                }
                written.push(history.difference(&mut next, 1, total, parts));
            }
            history.carry_over(&mut next);
            history = next;
        }
        written
    }

    #[test]
    fn a_difference_decreases_only_with_a_reset() {
        assert_eq!(differences(&[Some((10.0, 4.0)), Some((12.0, 7.0))]), [6.0, 6.0]); // read at different times
        assert_eq!(differences(&[Some((10.0, 4.0)), Some((13.0, 5.0))]), [6.0, 8.0]);
        assert_eq!(differences(&[Some((10.0, 4.0)), Some((3.0, 1.0))]), [6.0, 2.0]); // reset
        assert_eq!(differences(&[Some((10.0, 12.0))]), [0.0]);
    }

    #[test]
    fn a_lost_part_is_not_counted_twice() {
        assert_eq!(
            differences(&[Some((10.0, 4.0)), Some((10.0, 1.0)), Some((11.0, 4.0))]),
            [6.0, 6.0, 7.0]
        );
    }

    #[test]
    fn a_lost_total_is_remembered_for_a_while() {
        assert_eq!(differences(&[Some((10.0, 4.0)), None, Some((11.0, 6.0))]), [6.0, 6.0]);
        let mut long = vec![Some((10.0, 4.0))];
        long.extend([None; MISSED as usize + 1]);
        long.push(Some((11.0, 6.0)));
        assert_eq!(differences(&long), [6.0, 5.0]);
    }

    #[test]
    fn concurrent_histories_join_to_the_later() {
        let empty = History::default();
        let (mut early, mut late) = (History::default(), History::default());
        empty.difference(&mut early, 1, 10.0, 4.0);
        empty.difference(&mut late, 1, 12.0, 4.0);
        for joined in [early.clone().join(&late), late.clone().join(&early)] {
            let written = joined.difference(&mut History::default(), 1, 12.0, 9.0);
            assert!((written - 8.0).abs() < f64::EPSILON, "{written}");
        }
    }
}
