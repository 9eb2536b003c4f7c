//! `/api/statsd`: listeners and sinks.

use serde_json::{Map, Value, json};

use super::unix_time::unix;
use crate::running::Running;
use crate::telemetry::{Count, Metrics};

/// All listeners and sinks, in the order of the settings.
pub(super) fn describe(current: &Running, metrics: &Metrics) -> Value {
    let Some(relay) = &current.settings.relay else {
        return json!({ "listeners": [], "sinks": [] });
    };
    let listeners = relay.listeners.iter().map(|listener| {
        let name = listener.address.to_string();
        json!({
            "address": name,
            "bound": metrics.statsd_listener_address(&name),
            "emit": listener.emit.to_string(),
            "packs": listener.packs,
            "counts": nested(metrics.statsd_listener_counts(&name)),
        })
    });
    let sinks = relay.sinks.iter().map(|sink| {
        let name = sink.address.to_string();
        let last = metrics.statsd_sink_times(&name);
        let failed = last.failed.map(|(at, reason)| json!({ "at": unix(at), "reason": reason }));
        json!({
            "address": name,
            "emit": sink.emit.map(|emit| emit.to_string()),
            "packs": sink.packs,
            "queue_limit": relay.queue_bytes,
            "last_sent": last.sent.map(unix),
            "last_failed": failed,
            "counts": nested(metrics.statsd_sink_counts(&name)),
        })
    });
    json!({
        "mode": relay.mode.to_string(),
        "listeners": listeners.collect::<Vec<_>>(),
        "sinks": sinks.collect::<Vec<_>>(),
    })
}

/// `{"written_lines": {"old": 1}}` for `crossfade_statsd_written_lines_total{emit="old"} 1`.
fn nested(counts: Vec<Count>) -> Value {
    let mut all = Map::new();
    for Count { name, labels, value } in counts {
        let name = name.trim_start_matches("crossfade_statsd_").trim_end_matches("_total");
        let mut place = all.entry(name).or_insert(Value::Null);
        for label in labels {
            if !place.is_object() {
                *place = Value::Object(Map::new());
            }
            place =
                place.as_object_mut().expect("it was made one").entry(label).or_insert(Value::Null);
        }
        *place = json!(value);
    }
    Value::Object(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_levels() {
        let count = |name: &str, labels: &[&str], value| Count {
            name: format!("crossfade_statsd_{name}"),
            labels: labels.iter().map(|label| (*label).to_owned()).collect(),
            value,
        };
        let counts = vec![
            count("received_lines_total", &[], 3.0),
            count("connections", &[], 0.0),
            count("left_out_lines_total", &["old", "implied"], 1.0),
            count("left_out_lines_total", &["old", "skipped_value"], 2.0),
        ];
        let expected = json!({
            "received_lines": 3.0, "connections": 0.0,
            "left_out_lines": { "old": { "implied": 1.0, "skipped_value": 2.0 } },
        });
        assert_eq!(nested(counts), expected);
    }
}
