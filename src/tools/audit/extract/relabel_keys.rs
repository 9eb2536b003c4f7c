//! Where relabeling rules of metrics are.

use crate::document::Node;

/// Keys of rules that relabel targets and alerts, without `_` and in lower case.
const NOT_OF_METRICS: [&str; 4] =
    ["relabelconfigs", "relabelings", "alertrelabelconfigs", "alertrelabelings"];

/// Whether a list under this key relabels metrics; `None` if it is another key.
pub(super) fn relabels_metrics(key: &str) -> Option<bool> {
    let key = key.replace('_', "").to_ascii_lowercase();
    key.contains("relabel").then(|| !NOT_OF_METRICS.contains(&key.as_str()))
}

/// True for a document that is a list of relabeling rules, such as a file for
/// `-remoteWrite.relabelConfig` of `VictoriaMetrics`.
pub(super) fn is_relabeling_list(node: &Node) -> bool {
    let keys = ["source_labels", "sourceLabels", "target_label", "targetLabel", "action"];
    let is_rule = |item: &Node| keys.iter().any(|key| item.get(key).is_some());
    matches!(node, Node::List(list) if !list.items.is_empty() && list.items.iter().all(is_rule))
}
