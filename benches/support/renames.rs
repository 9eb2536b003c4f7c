//! Packs that only rename, one family to one.

use std::fmt::Write as _;

use crossfade::mapping::Pack;

/// Every family that Kong 2.8 exports for HTTP: twelve.
const FAMILIES: [&str; 12] = [
    "bandwidth",
    "datastore_reachable",
    "http_consumer_status",
    "http_status",
    "latency",
    "memory_lua_shared_dict_bytes",
    "memory_lua_shared_dict_total_bytes",
    "memory_workers_lua_vms_bytes",
    "nginx_http_current_connections",
    "nginx_metric_errors_total",
    "nginx_timers",
    "upstream_target_health",
];

/// Gives every family of Kong 2.8 another name.
pub(crate) fn pack() -> Pack {
    parse(FAMILIES.map(str::to_owned))
}

/// As many rules, of which one renames `kong_latency` and the others read what does not occur.
pub(crate) fn of_latency_among(rules: usize) -> Pack {
    let others = (1..rules).map(|number| format!("absent_{number}"));
    parse(others.chain(["latency".to_owned()]))
}

fn parse(families: impl IntoIterator<Item = String>) -> Pack {
    let mut text = "name: renames\nprometheus:\n".to_owned();
    for family in families {
        writeln!(text, "  - {{ old: kong_{family}, new: gw_{family} }}")
            .expect("a String takes whatever is written to it");
    }
    Pack::parse("renames.yaml", &text).expect("the pack is in order")
}
