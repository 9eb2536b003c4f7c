//! The values of one listener or sink, read from the metrics.

use prometheus::core::Collector;
use prometheus::proto::Metric;

/// One value of a metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Count {
    /// The metric's name.
    pub name: String,
    /// The values of its labels, but for the one that was asked for.
    pub labels: Vec<String>,
    /// The value.
    pub value: f64,
}

/// The values of a family whose `label` is `wanted`.
pub(super) fn counts(family: &dyn Collector, label: &str, wanted: &str) -> Vec<Count> {
    let count = |name: &str, metric: &Metric| {
        let labels = metric.get_label();
        let asked = labels.iter().any(|its| its.name() == label && its.value() == wanted);
        let others = labels.iter().filter(|its| its.name() != label);
        asked.then(|| Count {
            name: name.to_owned(),
            labels: others.map(|its| its.value().to_owned()).collect(),
            value: metric.get_counter().get_value() + metric.get_gauge().get_value(),
        })
    };
    let families = family.collect();
    let all = families
        .iter()
        .flat_map(|family| family.get_metric().iter().map(|metric| (family.name(), metric)));
    all.filter_map(|(name, metric)| count(name, metric)).collect()
}
