//! Renders the same counters as Kong 2.8 and as Kong 3.9.
//!
//! With stream listeners a page consists of two expositions, HTTP and stream, so most families
//! occur twice. The demo has no names that must be escaped. Tests compare both pages with captures
//! of Kong's own plugin, byte for byte.

use std::collections::BTreeMap;

use crate::mapping::Generation;

use super::node::{Connections, Node, SharedDict};
use super::page::{Page, Series};
use crate::demo::counters::{Histogram, Outcome, Place, Source, Tally, Volume};

/// The version that the new generation exports.
pub(super) const NEW_VERSION: &str = "3.9.1";

const OLD_LADDER: &[u32] = &[
    1, 2, 5, 7, 10, 15, 20, 25, 30, 40, 50, 60, 70, 80, 90, 100, 200, 300, 400, 500, 1000, 2000,
    5000, 10_000, 30_000, 60_000,
];
const NEW_KONG_LADDER: &[u32] =
    &[1, 2, 5, 7, 10, 15, 20, 30, 50, 75, 100, 200, 500, 750, 1000, 3000, 6000];
const NEW_LADDER: &[u32] =
    &[25, 50, 80, 100, 250, 400, 700, 1000, 2000, 5000, 10_000, 30_000, 60_000];

/// The page of Kong 2.8, with `per_consumer` on.
pub(super) fn old(node: &Node, http: &Tally, stream: &Tally) -> String {
    let mut page = Page::default();

    old_bandwidth(&mut page, http);
    datastore_reachable(&mut page);
    page.counter(
        "http_consumer_status",
        "HTTP status codes for customer per service/route in Kong",
        &counts(http.outcomes.iter().filter(|(of, _)| !of.consumer.is_empty()), |of| {
            format!(r#"{},consumer="{}""#, place_and_code(of), of.consumer)
        }),
    );
    page.counter(
        "http_status",
        "HTTP status codes per service/route in Kong",
        &counts(&http.outcomes, place_and_code),
    );
    old_latency(&mut page, http);
    memory(&mut page, node, Generation::Old, "http");
    page.gauge(
        "nginx_http_current_connections",
        "Number of HTTP connections",
        connection_states(node.connections, ""),
    );
    metric_errors(&mut page);
    timers(&mut page, node);
    upstream_target_health(&mut page, node);

    old_bandwidth(&mut page, stream);
    datastore_reachable(&mut page);
    old_latency(&mut page, stream);
    memory(&mut page, node, Generation::Old, "stream");
    metric_errors(&mut page);
    page.gauge(
        "nginx_stream_current_connections",
        "Number of Stream connections",
        // 2.x does not count these for streams and exports zeros.
        ["active", "reading", "waiting", "writing"].map(|state| (label("state", state), 0)),
    );
    timers(&mut page, node);
    page.counter(
        "stream_status",
        "Stream status codes per service/route in Kong",
        &counts(&stream.outcomes, place_and_code),
    );
    page.into_text()
}

/// The page of Kong 3.9, with all groups of metrics and `per_consumer` on.
pub(super) fn new(node: &Node, http: &Tally, stream: &Tally) -> String {
    let mut page = Page::default();
    let node_id = label("node_id", node.id);

    page.counter(
        "bandwidth_bytes",
        "Total bandwidth (ingress/egress) throughput in bytes",
        &bandwidth(http, "direction", |of| {
            format!(r#",workspace="default",consumer="{}""#, of.consumer)
        }),
    );
    datastore_reachable(&mut page);
    page.counter(
        "http_requests_total",
        "HTTP status codes per consumer/service/route in Kong",
        &counts(&http.outcomes, |of| {
            format!(r#"{},consumer="{}""#, place_code_and_source(of), of.consumer)
        }),
    );
    new_kong_latency(&mut page, http);
    memory(&mut page, node, Generation::New, "http");
    new_nginx(&mut page, node, "http");
    timers(&mut page, node);
    node_info(&mut page, &node_id);
    page.histogram(
        "request_latency_ms",
        "Total latency incurred during requests for each service/route in Kong",
        NEW_LADDER,
        &in_workspace(&http.total),
    );
    page.histogram(
        "upstream_latency_ms",
        "Latency added by upstream response for each service/route in Kong",
        NEW_LADDER,
        &in_workspace(&http.upstream),
    );
    upstream_target_health(&mut page, node);

    new_kong_latency(&mut page, stream);
    memory(&mut page, node, Generation::New, "stream");
    new_nginx(&mut page, node, "stream");
    node_info(&mut page, &node_id);
    page.histogram(
        "session_duration_ms",
        "latency incurred in stream session for each service/route in Kong",
        NEW_LADDER,
        &in_workspace(&stream.total),
    );
    page.counter(
        "stream_sessions_total",
        "Stream status codes per service/route in Kong",
        &counts(&stream.outcomes, place_code_and_source),
    );
    page.into_text()
}

fn old_bandwidth(page: &mut Page, tally: &Tally) {
    page.counter(
        "bandwidth",
        "Total bandwidth in bytes consumed per service/route in Kong",
        &bandwidth(tally, "type", |_| String::new()),
    );
}

fn old_latency(page: &mut Page, tally: &Tally) {
    let mut series = Series::new();
    for (of_type, histograms) in
        [("kong", &tally.kong), ("request", &tally.total), ("upstream", &tally.upstream)]
    {
        for (place, histogram) in histograms {
            series.insert(format!(r#"{},type="{of_type}""#, labels(*place)), histogram);
        }
    }
    page.histogram(
        "latency",
        "Latency added by Kong, total request time and upstream latency for each service/route in Kong",
        OLD_LADDER,
        &series,
    );
}

fn new_kong_latency(page: &mut Page, tally: &Tally) {
    page.histogram(
        "kong_latency_ms",
        "Latency added by Kong and enabled plugins for each service/route in Kong",
        NEW_KONG_LADDER,
        &in_workspace(&tally.kong),
    );
}

fn new_nginx(page: &mut Page, node: &Node, subsystem: &str) {
    let labels = format!(r#"node_id="{}",subsystem="{subsystem}""#, node.id);
    // Both subsystems show the connections of the whole process.
    page.gauge(
        "nginx_connections_total",
        "Number of connections by subsystem",
        connection_states(node.connections, &format!("{labels},")),
    );
    metric_errors(page);
    page.gauge(
        "nginx_requests_total",
        "Number of requests total",
        [(labels, node.connections.requests)],
    );
}

fn node_info(page: &mut Page, node_id: &str) {
    let labels = format!(r#"{node_id},version="{NEW_VERSION}""#);
    page.gauge("node_info", "Kong Node metadata information", [(labels, 1)]);
}

fn datastore_reachable(page: &mut Page) {
    page.gauge("datastore_reachable", "Datastore reachable from Kong, 0 is unreachable", [("", 1)]);
}

fn metric_errors(page: &mut Page) {
    page.counter(
        "nginx_metric_errors_total",
        "Number of nginx-lua-prometheus errors",
        &Series::from([(String::new(), 0)]),
    );
}

fn timers(page: &mut Page, node: &Node) {
    let states = [("pending", node.timers.pending), ("running", node.timers.running)];
    page.gauge(
        "nginx_timers",
        "Number of nginx timers",
        states.map(|(state, value)| (label("state", state), value)),
    );
}

fn memory(page: &mut Page, node: &Node, generation: Generation, subsystem: &str) {
    let node_id = match generation {
        Generation::Old => String::new(),
        Generation::New => format!(r#"node_id="{}","#, node.id),
    };
    let dicts = |bytes: fn(&SharedDict) -> u64| {
        let printed = node.shared.iter().filter(|dict| dict.is_printed_by(generation, subsystem));
        printed
            .map(|dict| {
                let name = label("shared_dict", dict.name);
                (format!(r#"{node_id}{name},kong_subsystem="{subsystem}""#), bytes(dict))
            })
            .collect::<Vec<_>>()
    };
    page.gauge(
        "memory_lua_shared_dict_bytes",
        "Allocated slabs in bytes in a shared_dict",
        dicts(|dict| dict.allocated),
    );
    page.gauge(
        "memory_lua_shared_dict_total_bytes",
        "Total capacity in bytes of a shared_dict",
        dicts(|dict| dict.capacity),
    );
    let bytes = if subsystem == "http" { node.lua_vm_bytes.http } else { node.lua_vm_bytes.stream };
    page.gauge(
        "memory_workers_lua_vms_bytes",
        "Allocated bytes in worker Lua VM",
        [(format!(r#"{node_id}pid="{}",kong_subsystem="{subsystem}""#, node.pid), bytes)],
    );
}

fn upstream_target_health(page: &mut Page, node: &Node) {
    let mut series = Vec::new();
    for target in node.upstream_targets {
        let address = target.address;
        let target_labels =
            format!(r#"upstream="{}",target="{address}",address="{address}""#, target.upstream);
        let now = if target.healthy { "healthy" } else { "unhealthy" };
        for state in ["dns_error", "healthchecks_off", "healthy", "unhealthy"] {
            let labels = format!(r#"{target_labels},state="{state}",subsystem="http""#);
            series.push((labels, u64::from(state == now)));
        }
    }
    page.gauge(
        "upstream_target_health",
        "Health status of targets of upstream. States = healthchecks_off|healthy|unhealthy|dns_error, value is 1 when state is populated.",
        series,
    );
}

fn connection_states(connections: Connections, before: &str) -> [(String, u64); 7] {
    [
        ("accepted", connections.accepted),
        ("active", connections.active()),
        ("handled", connections.accepted),
        ("reading", connections.reading),
        ("total", connections.requests),
        ("waiting", connections.waiting),
        ("writing", connections.writing),
    ]
    .map(|(state, value)| (format!(r#"{before}state="{state}""#), value))
}

/// Sums over all labels that `labels` does not return.
fn counts<'a>(
    outcomes: impl IntoIterator<Item = (&'a Outcome, &'a Volume)>,
    labels: impl Fn(&Outcome) -> String,
) -> Series<u64> {
    let mut series = Series::new();
    for (outcome, volume) in outcomes {
        *series.entry(labels(outcome)).or_default() += volume.count;
    }
    series
}

fn bandwidth(tally: &Tally, direction: &str, more: impl Fn(&Outcome) -> String) -> Series<u64> {
    let mut series = Series::new();
    for (outcome, Volume { bytes, .. }) in &tally.outcomes {
        for (way, bytes) in [("egress", bytes.egress), ("ingress", bytes.ingress)] {
            let place = labels(outcome.place);
            let more = more(outcome);
            *series.entry(format!(r#"{place},{direction}="{way}"{more}"#)).or_default() += bytes;
        }
    }
    series
}

fn in_workspace(histograms: &BTreeMap<Place, Histogram>) -> Series<&Histogram> {
    histograms
        .iter()
        .map(|(place, histogram)| (format!(r#"{},workspace="default""#, labels(*place)), histogram))
        .collect()
}

fn place_and_code(outcome: &Outcome) -> String {
    format!(r#"{},code="{}""#, labels(outcome.place), outcome.code)
}

fn place_code_and_source(outcome: &Outcome) -> String {
    let source = match outcome.source {
        Source::Kong => "kong",
        Source::Service => "service",
    };
    format!(r#"{},source="{source}",workspace="default""#, place_and_code(outcome))
}

fn labels(Place { service, route }: Place) -> String {
    format!(r#"service="{service}",route="{route}""#)
}

fn label(name: &str, value: &str) -> String {
    format!(r#"{name}="{value}""#)
}
