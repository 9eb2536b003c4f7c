//! Gauges of targets whose value is always 1, and whose labels say something of the last complete
//! scrape.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{IntGaugeVec, Opts};

/// The values of all labels but `target`, for each series.
type Rows = Vec<Vec<String>>;

/// Exports the labels of all targets. Clones share them.
///
/// A collector of its own, because a plain gauge vector cannot replace all series of a target in
/// one step.
#[derive(Clone, Debug)]
pub(super) struct TargetInfo {
    definition: Definition,
    description: IntGaugeVec,
    by_target: Arc<Mutex<HashMap<Arc<str>, Rows>>>,
}

/// A metric: its name, its help text and its labels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Definition {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    /// The first is `target`.
    pub(super) labels: &'static [&'static str],
}

impl Definition {
    fn gauges(self) -> prometheus::Result<IntGaugeVec> {
        IntGaugeVec::new(Opts::new(self.name, self.help), self.labels)
    }
}

impl TargetInfo {
    pub(super) fn new(definition: Definition) -> prometheus::Result<TargetInfo> {
        let description = definition.gauges()?;
        Ok(TargetInfo { definition, description, by_target: Arc::default() })
    }

    /// Replaces the series of a target.
    pub(super) fn set(&self, target: &Arc<str>, rows: impl Iterator<Item = Vec<String>>) {
        self.lock().insert(Arc::clone(target), rows.collect());
    }

    pub(super) fn forget(&self, target: &str) {
        self.lock().remove(target);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, Rows>> {
        self.by_target.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Collector for TargetInfo {
    fn desc(&self) -> Vec<&Desc> {
        self.description.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let gauges = self.definition.gauges().expect("the same definition was valid before");
        for (target, rows) in &*self.lock() {
            for row in rows {
                let labels: Vec<&str> =
                    std::iter::once(&**target).chain(row.iter().map(String::as_str)).collect();
                gauges.with_label_values(&labels).set(1);
            }
        }
        gauges.collect()
    }
}
