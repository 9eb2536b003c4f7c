//! The common series of captures of two generations, and the differences of Kong itself.
//!
//! Both captures of a pair describe the same requests. Once one is rewritten, both hold the same
//! families. [`Common`] reduces them to what both generations export, and lists every other
//! difference with its reason. Nothing else may differ.

use std::collections::{BTreeMap, BTreeSet};

use super::naive::{Exposition, Series};
use super::oracle::{NEW_KONG, NEW_OTHER, OLD};

type Values = BTreeMap<Series, f64>;

/// Captures of the same traffic and variant: the old ones, the new ones.
pub(crate) const PAIRS: &[(&[&str], &[&str])] = &[
    (
        &[
            "tiny/prometheus/kong-2.0-plugin-0.7.0.main.txt",
            "tiny/prometheus/kong-2.2-plugin-1.0.0.main.txt",
            "tiny/prometheus/kong-2.4-plugin-1.2.0.main.txt",
            "tiny/prometheus/kong-2.5-plugin-1.3.0.main.txt",
            "tiny/prometheus/kong-2.8.5.main.txt",
        ],
        &[
            "tiny/prometheus/kong-3.0.2.main.txt",
            "tiny/prometheus/kong-3.4.2.main.txt",
            "tiny/prometheus/kong-3.9.1.main.txt",
        ],
    ),
    (
        &[
            "tiny/prometheus/kong-2.4-plugin-1.2.0.http_stream.txt",
            "tiny/prometheus/kong-2.5-plugin-1.3.0.http_stream.txt",
            "tiny/prometheus/kong-2.8.5.http_stream.txt",
        ],
        &[
            "tiny/prometheus/kong-3.0.2.http_stream.txt",
            "tiny/prometheus/kong-3.4.2.http_stream.txt",
            "tiny/prometheus/kong-3.9.1.http_stream.txt",
        ],
    ),
    (
        &[
            "small/prometheus/kong-2.4-plugin-1.2.0.per_consumer.txt",
            "small/prometheus/kong-2.5-plugin-1.3.0.per_consumer.txt",
            "small/prometheus/kong-2.8.5.per_consumer.txt",
        ],
        &[
            "small/prometheus/kong-3.0.2.all_on.per_consumer.txt",
            "small/prometheus/kong-3.4.2.all_on.per_consumer.txt",
            "small/prometheus/kong-3.9.1.all_on.per_consumer.txt",
            "small/prometheus/kong-3.9.1.all_on.ai_metrics.txt",
            "small/prometheus/kong-3.9.1.wasm_filters.txt",
        ],
    ),
    (
        &[
            "small/prometheus/kong-2.0-plugin-0.7.0.default.txt",
            "small/prometheus/kong-2.2-plugin-1.0.0.default.txt",
            "small/prometheus/kong-2.4-plugin-1.2.0.no_consumer.txt",
            "small/prometheus/kong-2.5-plugin-1.3.0.no_consumer.txt",
            "small/prometheus/kong-2.8.5.no_consumer.txt",
        ],
        &[
            "small/prometheus/kong-3.0.2.all_on.no_consumer.txt",
            "small/prometheus/kong-3.4.2.all_on.no_consumer.txt",
            "small/prometheus/kong-3.9.1.all_on.no_consumer.txt",
        ],
    ),
    (
        &[
            "small/prometheus/kong-2.5-plugin-1.3.0.http_stream.txt",
            "small/prometheus/kong-2.8.5.http_stream.txt",
        ],
        &[
            "small/prometheus/kong-3.0.2.http_stream.txt",
            "small/prometheus/kong-3.4.2.http_stream.txt",
            "small/prometheus/kong-3.9.1.http_stream.txt",
        ],
    ),
    (
        &[
            "small/prometheus/kong-2.5-plugin-1.3.0.control_plane.txt",
            "small/prometheus/kong-2.8.5.control_plane.txt",
        ],
        &[
            "small/prometheus/kong-3.0.2.control_plane.txt",
            "small/prometheus/kong-3.4.2.control_plane.txt",
            "small/prometheus/kong-3.9.1.control_plane.txt",
        ],
    ),
    (
        &["small/prometheus/kong-2.8.5.data_plane.txt"],
        &[
            "small/prometheus/kong-3.0.2.data_plane.txt",
            "small/prometheus/kong-3.4.2.data_plane.txt",
            "small/prometheus/kong-3.9.1.data_plane.txt",
        ],
    ),
    (
        &[
            "medium/prometheus/kong-2.8.5.per_consumer.txt.gz",
            "medium/prometheus/kong-2.0-plugin-0.7.0.default.txt.gz",
        ],
        &[
            "medium/prometheus/kong-3.0.2.all_on.per_consumer.txt.gz",
            "medium/prometheus/kong-3.9.1.all_on.per_consumer.txt.gz",
        ],
    ),
    (
        &["medium/prometheus/kong-2.8.5.no_consumer.txt.gz"],
        &["medium/prometheus/kong-3.0.2.all_on.no_consumer.txt.gz"],
    ),
    (
        &["medium/prometheus/kong-2.8.5.http_stream.txt.gz"],
        &["medium/prometheus/kong-3.0.2.http_stream.txt.gz"],
    ),
];

/// Families without a counterpart in 2.x.
const NEW_ONLY: &[&str] = &["kong_node_info", "kong_ai_", "pw_"];

/// What both captures of a pair export.
#[derive(Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is one feature that older releases lack")]
pub(crate) struct Common {
    /// The old capture is ASCII: plugins up to 1.3 delete other bytes from label values.
    ascii: bool,
    /// The old capture counts by consumer.
    consumers: bool,
    /// The old capture has a subsystem label for the health of Kong upstreams (2.6 and later).
    health_subsystem: bool,
    /// The old capture has a subsystem label for memory (2.5 and later).
    memory_subsystem: bool,
    /// Services of TCP routes.
    stream_services: BTreeSet<String>,
    /// Shared dictionaries, Kong upstreams and similar objects that both have.
    node_series: BTreeSet<Series>,
}

impl Common {
    /// What an old and a new capture both export.
    pub(crate) fn of(old: &Exposition, new: &Exposition) -> Self {
        let (old, new) = (old.stored(), new.stored());
        let has = |name: &str| old.keys().any(|series| series.name == name);
        let labelled = |prefix: &str, label: &str| {
            old.keys()
                .any(|series| series.name.starts_with(prefix) && !series.label(label).is_empty())
        };
        let mut common = Common {
            ascii: old.keys().all(|series| series.labels.values().all(|value| value.is_ascii())),
            consumers: has("kong_http_consumer_status"),
            health_subsystem: labelled("kong_upstream_target_health", "subsystem"),
            memory_subsystem: labelled("kong_memory_", "kong_subsystem"),
            stream_services: old
                .keys()
                .filter(|series| series.name == "kong_stream_status")
                .map(|series| series.label("service").to_owned())
                .collect(),
            node_series: BTreeSet::new(),
        };
        let nodes = |values: &Values| -> BTreeSet<Series> {
            values.keys().filter(|s| of_node(s)).map(|s| common.node(s)).collect()
        };
        common.node_series = nodes(&old).intersection(&nodes(&new)).cloned().collect();
        common
    }

    /// A series of a node, with the labels that both sides export.
    fn node(&self, series: &Series) -> Series {
        let mut series = self.cleaned(series).without(&["node_id"]);
        if series.name.starts_with("kong_memory_") && !self.memory_subsystem {
            series = series.without(&["kong_subsystem"]);
        }
        if series.name == "kong_upstream_target_health" && !self.health_subsystem {
            series = series.without(&["subsystem"]);
        }
        series
    }

    /// Reduces a body of either generation to what both export.
    ///
    /// Series that become equal because a label is removed are summed. Of a node's gauges the first
    /// is kept, which is that of the http subsystem.
    pub(crate) fn part_of(&self, values: &Values) -> Values {
        let mut common = Values::new();
        for (series, &value) in values {
            if NEW_ONLY.iter().any(|prefix| series.name.starts_with(prefix)) {
                continue;
            }
            if of_node(series) {
                let series = self.node(series);
                if self.node_series.contains(&series) {
                    common.entry(series).or_insert(value);
                }
                continue;
            }
            if let Some(series) = self.counted(series) {
                *common.entry(series).or_insert(0.0) += value;
            }
        }
        complete_histograms(&mut common);
        common
    }

    /// A counter, a part of a histogram, or a connection gauge with the labels of both sides.
    fn counted(&self, series: &Series) -> Option<Series> {
        let name = series.name.as_str();
        // For stream, 3.x exports the connections of the whole process and a number of requests;
        // 2.x exports four states, all 0.
        if name == "kong_nginx_stream_current_connections"
            || (name.starts_with("kong_nginx_") && series.label("subsystem") == "stream")
        {
            return None;
        }
        // 2.x has no such family; upgraded, it is derived, so it is compared there.
        if name == "kong_nginx_requests_total" && series.label("subsystem") != "http" {
            return None;
        }
        let of_traffic = ["http_", "bandwidth", "latency", "kong_latency", "request_latency"]
            .iter()
            .any(|family| name.starts_with(&format!("kong_{family}")));
        // From 3.6 on requests without a service are counted under an empty name; before, not at
        // all.
        if of_traffic && series.label("service").is_empty() {
            return None;
        }
        let bandwidth = name.starts_with("kong_bandwidth");
        // 3.x counts no bandwidth for TCP.
        if bandwidth && self.stream_services.contains(series.label("service")) {
            return None;
        }
        if name == "kong_http_consumer_status" && !self.consumers {
            return None;
        }
        let mut series = self.cleaned(series).without(&["source", "workspace", "node_id"]);
        // 2.x has no bandwidth by consumer, and no status by consumer unless asked.
        if bandwidth || (name == "kong_http_requests_total" && !self.consumers) {
            series = series.without(&["consumer"]);
        }
        if name.ends_with("_bucket") && !shared(&series) {
            return None;
        }
        let le: Option<f64> = series.label("le").parse().ok();
        Some(le.map_or(series.clone(), |le| series.with("le", &le.to_string())))
    }

    /// Label values as the older of the two exports them.
    fn cleaned(&self, series: &Series) -> Series {
        let mut cleaned = Series { name: series.name.clone(), labels: BTreeMap::new() };
        for (label, value) in &series.labels {
            let kept = value.chars().filter(|c| !self.ascii || matches!(c, ' '..='~'));
            cleaned = cleaned.with(label, &kept.collect::<String>());
        }
        cleaned
    }
}

/// Gauges about a node rather than about traffic.
fn of_node(series: &Series) -> bool {
    ["kong_memory_", "kong_upstream_target_health", "kong_nginx_timers"]
        .iter()
        .any(|prefix| series.name.starts_with(prefix))
}

/// The boundaries that both generations have for a family of either.
fn boundaries(series: &Series) -> Vec<f64> {
    let kong = series.name.starts_with("kong_kong_latency_ms") || series.label("type") == "kong";
    let new = if kong { NEW_KONG } else { NEW_OTHER };
    let both = OLD.iter().filter(|le| new.iter().any(|other| (**le - other).abs() == 0.0));
    both.copied().collect()
}

fn shared(bucket: &Series) -> bool {
    let le: f64 = bucket.label("le").parse().expect("le is a number");
    le.is_infinite() || boundaries(bucket).iter().any(|both| (both - le).abs() == 0.0)
}

/// Adds the buckets that Kong has not exported yet: they have counted nothing.
fn complete_histograms(values: &mut Values) {
    let sets: BTreeSet<Series> =
        values.keys().filter(|s| s.name.ends_with("_bucket")).map(|s| s.without(&["le"])).collect();
    for set in sets {
        for le in boundaries(&set) {
            values.entry(set.with("le", &le.to_string())).or_insert(0.0);
        }
    }
}
