//! What one scrape of a target tells the next.

use std::collections::HashMap;
use std::sync::Arc;

/// What the next exposition of the same target must know of this one.
///
/// A remainder (a total less its parts) is made of counters that are not read at the same moment, so
/// it can come out smaller than before although nothing was reset. A counter must not go down; the
/// history remembers what was said. Empty before the first scrape, after a change of settings, and
/// for the offline filter.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Shared, so that a scrape can have the history of its target for the price of a pointer.
    remainders: Arc<HashMap<u128, Remembered>>,
}

/// The last word on one remainder.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Remembered {
    total: f64,
    parts: f64,
    remainder: f64,
    /// Scrapes since, in which the total did not occur.
    missed: u8,
}

/// Scrapes in a row that a total may be missing (a source can lose a line) before it is forgotten.
const MISSED: u8 = 5;

impl History {
    /// Whether a total has fallen since: then its source was reset, and with it all that it counts.
    pub(in crate::rewrite::exposition) fn is_reset_by(&self, key: u128, total: f64) -> bool {
        self.remainders.get(&key).is_some_and(|before| before.total > total)
    }

    /// What `total` leaves over beyond `parts`, given what was said of the series `key` before;
    /// remembered in `next`.
    ///
    /// It never goes down. Parts that go down are a lost line, and count as they did before.
    pub(in crate::rewrite::exposition) fn remainder(
        &self,
        next: &mut History,
        key: u128,
        total: f64,
        parts: f64,
    ) -> f64 {
        let before = self.remainders.get(&key);
        let parts = before.map_or(parts, |before| parts.max(before.parts));
        let floor = before.map_or(0.0, |before| before.remainder);
        let remainder = (total - parts).max(floor);
        let now = Remembered { total, parts, remainder, missed: 0 };
        Arc::make_mut(&mut next.remainders).insert(key, now);
        remainder
    }

    /// Takes over from `self` what has not occurred in `next`, for a while.
    pub(in crate::rewrite::exposition) fn carry_over(&self, next: &mut History) {
        let next = Arc::make_mut(&mut next.remainders);
        for (&key, &before) in self.remainders.iter() {
            if before.missed < MISSED {
                next.entry(key).or_insert(Remembered { missed: before.missed + 1, ..before });
            }
        }
    }

    /// Joins two histories of one target that were written side by side: the later word counts.
    ///
    /// Totals only grow, so the larger one is the later. (Where it is not, the source was reset,
    /// and the next scrape will see that.)
    #[must_use]
    pub fn join(mut self, other: &History) -> History {
        let all = Arc::make_mut(&mut self.remainders);
        for (&key, &theirs) in other.remainders.iter() {
            let ours = all.entry(key).or_insert(theirs);
            if ours.total < theirs.total {
                *ours = theirs;
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs scrapes of (total, parts); returns what was said.
    fn remainders(scrapes: &[Option<(f64, f64)>]) -> Vec<f64> {
        let mut history = History::default();
        let mut said = Vec::new();
        for scrape in scrapes {
            let mut next = History::default();
            if let Some((total, parts)) = *scrape {
                if history.is_reset_by(1, total) {
                    history = History::default();
                }
                said.push(history.remainder(&mut next, 1, total, parts));
            }
            history.carry_over(&mut next);
            history = next;
        }
        said
    }

    #[test]
    fn a_remainder_goes_down_only_with_a_reset() {
        assert_eq!(remainders(&[Some((10.0, 4.0)), Some((12.0, 7.0))]), [6.0, 6.0]); // read apart
        assert_eq!(remainders(&[Some((10.0, 4.0)), Some((13.0, 5.0))]), [6.0, 8.0]);
        assert_eq!(remainders(&[Some((10.0, 4.0)), Some((3.0, 1.0))]), [6.0, 2.0]); // reset
        assert_eq!(remainders(&[Some((10.0, 12.0))]), [0.0]);
    }

    #[test]
    fn a_lost_part_is_not_counted_twice() {
        assert_eq!(
            remainders(&[Some((10.0, 4.0)), Some((10.0, 1.0)), Some((11.0, 4.0))]),
            [6.0, 6.0, 7.0]
        );
    }

    #[test]
    fn a_lost_total_is_remembered_for_a_while() {
        assert_eq!(remainders(&[Some((10.0, 4.0)), None, Some((11.0, 6.0))]), [6.0, 6.0]);
        let mut long = vec![Some((10.0, 4.0))];
        long.extend([None; MISSED as usize + 1]);
        long.push(Some((11.0, 6.0)));
        assert_eq!(remainders(&long), [6.0, 5.0]);
    }

    #[test]
    fn histories_side_by_side_join_to_the_later() {
        let empty = History::default();
        let (mut early, mut late) = (History::default(), History::default());
        empty.remainder(&mut early, 1, 10.0, 4.0);
        empty.remainder(&mut late, 1, 12.0, 4.0);
        for joined in [early.clone().join(&late), late.clone().join(&early)] {
            let said = joined.remainder(&mut History::default(), 1, 12.0, 9.0);
            assert!((said - 8.0).abs() < f64::EPSILON, "{said}");
        }
    }
}
