//! Series that exist as long as the object they describe.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus::core::{Collector as _, MetricVec, MetricVecBuilder};

/// Counts the owners of the series of each value of a label. The last owner of a value removes its
/// series, because a removed target must not look as if it were still scraped.
#[derive(Debug, Default)]
pub(super) struct Holders(Mutex<HashMap<Arc<str>, usize>>);

/// Removes every series with this value of a label.
pub(super) trait Forget {
    fn forget(&self, label: &str, value: &str);
}

impl Holders {
    /// Holds the series of `value`, which `create` makes.
    pub(super) fn hold<T>(&self, value: &Arc<str>, create: impl FnOnce() -> T) -> T {
        let mut holders = self.lock();
        *holders.entry(Arc::clone(value)).or_default() += 1;
        // Under the lock, because another thread may be removing the series.
        create()
    }

    /// Releases the series. The last owner removes them.
    pub(super) fn release(&self, value: &str, remove: impl FnOnce()) {
        let mut holders = self.lock();
        let Some(count) = holders.get_mut(value) else { return };
        *count -= 1;
        if *count == 0 {
            holders.remove(value);
            remove();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, usize>> {
        // A panic cannot leave the counts inconsistent, so poisoning is ignored.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: MetricVecBuilder> Forget for MetricVec<T> {
    fn forget(&self, label: &str, value: &str) {
        for family in self.collect() {
            for metric in family.get_metric() {
                let labels = metric.get_label();
                if !labels.iter().any(|pair| pair.name() == label && pair.value() == value) {
                    continue;
                }
                let labels = labels.iter().map(|pair| (pair.name(), pair.value()));
                // Another thread may have removed it first.
                drop(self.remove(&labels.collect::<HashMap<_, _>>()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use prometheus::{IntCounterVec, Opts};

    use super::*;

    #[test]
    fn series_go_with_their_last_holder() {
        let counters = IntCounterVec::new(Opts::new("n", "h"), &["target", "outcome"]).unwrap();
        let holders = Holders::default();
        let (a, b) = (Arc::from("a"), Arc::from("b"));
        let count = |target: &Arc<str>, outcome: &str| {
            holders.hold(target, || counters.with_label_values(&[&**target, outcome]).inc());
        };
        for outcome in ["x", "y"] {
            count(&a, outcome);
        }
        count(&b, "x");
        let series = || counters.collect()[0].get_metric().len();
        let release = |target| holders.release(target, || counters.forget("target", target));
        release("a");
        assert_eq!(series(), 3);
        release("a");
        assert_eq!(series(), 1);
        release("a");
        assert_eq!(series(), 1, "the last owner is gone");
        release("b");
        assert_eq!(series(), 0);
    }
}
