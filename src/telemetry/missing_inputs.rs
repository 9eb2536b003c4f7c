//! `crossfade_target_missing_input`: the inputs that each target's last complete scrape lacked.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{IntGaugeVec, Opts};

/// Exports the missing inputs of all targets. Clones share them.
///
/// A collector of its own, because a plain gauge vector cannot replace all series of a target in
/// one step.
#[derive(Clone, Debug)]
pub(super) struct MissingInputs {
    description: IntGaugeVec,
    by_target: Arc<Mutex<HashMap<Arc<str>, Vec<String>>>>,
}

impl MissingInputs {
    pub(super) fn new() -> prometheus::Result<MissingInputs> {
        Ok(MissingInputs { description: gauges()?, by_target: Arc::default() })
    }

    /// Replaces the missing inputs of a target.
    pub(super) fn set(&self, target: &Arc<str>, inputs: impl Iterator<Item = String>) {
        self.lock().insert(Arc::clone(target), inputs.collect());
    }

    pub(super) fn forget(&self, target: &str) {
        self.lock().remove(target);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, Vec<String>>> {
        self.by_target.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn gauges() -> prometheus::Result<IntGaugeVec> {
    let help = "Always 1: samples that sources of the target's generation export, and that its last complete scrape \
                did not contain.";
    IntGaugeVec::new(Opts::new("crossfade_target_missing_input", help), &["target", "input"])
}

impl Collector for MissingInputs {
    fn desc(&self) -> Vec<&Desc> {
        self.description.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let gauges = gauges().expect("the same definition was valid before");
        for (target, inputs) in &*self.lock() {
            for input in inputs {
                gauges.with_label_values(&[&**target, input.as_str()]).set(1);
            }
        }
        gauges.collect()
    }
}
