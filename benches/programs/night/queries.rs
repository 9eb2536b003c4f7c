//! The queries of Kong's official dashboards for 2.x and for 3.x (7424 at Grafana), and some more.
//!
//! Each has the job as one more matcher. `$window` is the `[1m]` of the dashboards.

use super::plan::TICK;

/// Boundaries that all versions count, of the time in Kong.
const IN_KONG: &[f64] =
    &[1.0, 2.0, 5.0, 7.0, 10.0, 15.0, 20.0, 30.0, 50.0, 100.0, 200.0, 500.0, 1000.0];

/// The same of the other two latencies.
const ELSEWHERE: &[f64] =
    &[25.0, 50.0, 80.0, 100.0, 400.0, 1000.0, 2000.0, 5000.0, 10_000.0, 30_000.0, 60_000.0];

/// The windows: of the dashboards, which are made for a scrape every 15 seconds, and of as many
/// scrapes as those are. The second one is shorter than the first by as much as the night is shorter
/// than a real one.
pub(crate) const WINDOWS: [u64; 2] = [60, 4 * TICK.as_secs()];

/// The generation that dashboards expect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dashboards {
    Old,
    New,
}

/// How the numbers of two jobs are compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Rule {
    /// Equal, except for the order in which numbers are added.
    Exact,
    /// Between the same two boundaries of those that all versions count: quantiles are interpolated
    /// between the boundaries that a version has.
    Between(&'static [f64]),
    /// Equal, of the dictionaries that all versions have.
    Dictionaries,
}

/// A query of a dashboard.
#[derive(Debug)]
pub(crate) struct Query {
    text: String,
    pub(crate) rule: Rule,
    /// It is in Kong's dashboard.
    pub(crate) is_official: bool,
}

impl Query {
    /// The windows to evaluate it with, in seconds: none if it has no window.
    pub(crate) fn windows(&self) -> Vec<Option<u64>> {
        if self.text.contains("$window") { WINDOWS.map(Some).to_vec() } else { vec![None] }
    }

    /// Whether it selects series of this name.
    pub(crate) fn reads(&self, name: &str) -> bool {
        self.text.contains(name)
    }

    /// Whether a viewer can choose an instance.
    pub(crate) fn has_instance(&self) -> bool {
        self.text.contains("$instance")
    }

    /// The query with the values of its variables.
    pub(crate) fn filled(&self, job: &str, instance: &str, window: Option<u64>) -> String {
        let window = window.map_or_else(String::new, |seconds| format!("[{seconds}s]"));
        let mut text = self.text.replace("$job", &format!("job=\"{job}\""));
        for (variable, value) in [
            ("[$window]", window.as_str()),
            ("$instance", instance),
            ("$service", ".*"),
            ("$route", ".*"),
            ("$upstream", ".*"),
        ] {
            text = text.replace(variable, value);
        }
        text
    }
}

/// All queries of one generation.
pub(crate) fn of(dashboards: Dashboards) -> Vec<Query> {
    let mut queries = official(dashboards);
    queries.extend(match dashboards {
        Dashboards::Old => more_old(),
        Dashboards::New => more_new(),
    });
    queries
}

const INSTANCE: &str = "instance=~\"$instance\"";
const FILTERED: &str = "service=~\"$service\",route=~\"$route\",instance=~\"$instance\"";

/// The names of one generation.
struct Names {
    requests: &'static str,
    /// Buckets, with a matcher if it takes one, and the boundaries that all versions have.
    latencies: [(&'static str, &'static str, &'static [f64]); 3],
    bandwidth: &'static str,
    direction: &'static str,
    connections: &'static str,
}

const OLD: Names = Names {
    requests: "kong_http_status",
    latencies: [
        ("kong_latency", "type=\"kong\"", IN_KONG),
        ("kong_latency", "type=\"request\"", ELSEWHERE),
        ("kong_latency", "type=\"upstream\"", ELSEWHERE),
    ],
    bandwidth: "kong_bandwidth",
    direction: "type",
    connections: "kong_nginx_http_current_connections",
};

const NEW: Names = Names {
    requests: "kong_http_requests_total",
    latencies: [
        ("kong_kong_latency_ms", "", IN_KONG),
        ("kong_request_latency_ms", "", ELSEWHERE),
        ("kong_upstream_latency_ms", "", ELSEWHERE),
    ],
    bandwidth: "kong_bandwidth_bytes",
    direction: "direction",
    connections: "kong_nginx_connections_total",
};

fn official(dashboards: Dashboards) -> Vec<Query> {
    let names = match dashboards {
        Dashboards::Old => &OLD,
        Dashboards::New => &NEW,
    };
    let mut queries = official_variables(dashboards);
    let mut add = |text: String, rule| queries.push(Query { text, rule, is_official: true });
    let requests = names.requests;
    add(format!("sum(rate({requests}{{$job,{INSTANCE}}}[$window]))"), Rule::Exact);
    for by in ["service", "route", "service,code", "route,code"] {
        add(format!("sum(rate({requests}{{$job,{FILTERED}}}[$window])) by ({by})"), Rule::Exact);
    }
    for (number, (family, matcher, bounds)) in names.latencies.into_iter().enumerate() {
        // Only the panel of the time in Kong selects instances where it shows all services.
        let all = if number == 0 { INSTANCE } else { "" };
        for (by, filter) in [("le", all), ("service,le", FILTERED), ("route,le", FILTERED)] {
            for quantile in ["0.90", "0.95", "0.99"] {
                add(
                    format!(
                        "histogram_quantile({quantile}, sum(rate({family}_bucket{{$job,{matcher}\
                         {}{filter}}}[$window])) by ({by}))",
                        if matcher.is_empty() || filter.is_empty() { "" } else { "," }
                    ),
                    Rule::Between(bounds),
                );
            }
        }
    }
    let (bandwidth, direction) = (names.bandwidth, names.direction);
    // The dashboard for 3.x has `type` here too, which 3.x does not have.
    add(format!("sum(irate({bandwidth}{{$job,{INSTANCE}}}[$window])) by (type)"), Rule::Exact);
    for (way, filter, by) in [
        ("egress", FILTERED, "service"),
        ("egress", FILTERED, "route"),
        ("ingress", "service=~\"$service\"", "service"),
    ] {
        add(
            format!(
                "sum(irate({bandwidth}{{$job,{direction}=\"{way}\",{filter}}}[$window])) by ({by})"
            ),
            Rule::Exact,
        );
    }
    official_of_node(dashboards, names, &mut add);
    queries
}

/// Of a node, not of its traffic.
fn official_of_node(dashboards: Dashboards, names: &Names, add: &mut impl FnMut(String, Rule)) {
    let dictionaries = format!("$job,{INSTANCE},shared_dict!~\"kong_process_events\"");
    add(
        format!(
            "(kong_memory_lua_shared_dict_bytes{{{dictionaries}}} \
             / kong_memory_lua_shared_dict_total_bytes{{{dictionaries}}}) * 100"
        ),
        Rule::Dictionaries,
    );
    add(format!("kong_memory_workers_lua_vms_bytes{{$job,{INSTANCE}}}"), Rule::Exact);
    let upstream = match dashboards {
        Dashboards::Old => "$job",
        Dashboards::New => "$job,upstream=~\"$upstream\"",
    };
    let health = format!("kong_upstream_target_health{{{upstream}");
    let by = "by (upstream,target,address)";
    add(
        format!(
            "sum({health},state=\"healthy\"}}) {by} * -1 \
             + sum({health},state=~\"(unhealthy|dns_error)\"}}) {by}"
        ),
        Rule::Exact,
    );
    let replaced = [("1", "healthy"), ("0", "healthchecks_off"), ("-1", "(dns_error|unhealthy)")]
        .into_iter()
        .fold(format!("{health}}}"), |inner, (value, state)| {
            format!("label_replace({inner}, \"state_value\", \"{value}\", \"state\", \"{state}\")")
        });
    add(
        format!("sum({replaced}) by (upstream, target, address, state, state_value) > 0"),
        Rule::Exact,
    );
    let connections = names.connections;
    let states =
        format!("{connections}{{$job,state=~\"active|reading|writing|waiting\",{INSTANCE}}}");
    // The dashboard for 2.x takes the rate of a gauge.
    add(
        match dashboards {
            Dashboards::Old => format!("sum(rate({states}[$window])) by (state)"),
            Dashboards::New => format!("sum({states}) by (state)"),
        },
        Rule::Exact,
    );
    for state in ["total", "handled", "accepted"] {
        add(format!("sum({connections}{{$job,state=\"{state}\",{INSTANCE}}})"), Rule::Exact);
    }
}

/// The lists that a viewer chooses from: `label_values(selector, label)`.
fn official_variables(dashboards: Dashboards) -> Vec<Query> {
    let of = |selector: &str, label: &str| Query {
        text: format!("group({selector}) by ({label})"),
        rule: Rule::Exact,
        is_official: true,
    };
    match dashboards {
        Dashboards::Old => vec![
            of("kong_http_status{$job}", "service"),
            of("kong_nginx_http_current_connections{$job}", "instance"),
            // No connection has a route, so the list is empty.
            of("kong_nginx_http_current_connections{$job,route!=\"\"}", "route"),
        ],
        Dashboards::New => {
            let either =
                "{$job,__name__=~\"kong_http_requests_total|kong_kong_latency_ms_bucket\"}";
            vec![
                of(either, "service"),
                of("kong_nginx_connections_total{$job}", "instance"),
                of(either, "route"),
                of("kong_upstream_target_health{$job}", "upstream"),
            ]
        }
    }
}

fn exact(texts: Vec<String>) -> Vec<Query> {
    let query = |text| Query { text, rule: Rule::Exact, is_official: false };
    texts.into_iter().map(query).collect()
}

/// A matcher of boundaries.
fn these(bounds: &[f64]) -> String {
    let bounds: Vec<String> = bounds.iter().map(ToString::to_string).collect();
    format!("le=~\"{}|[+]Inf\"", bounds.join("|"))
}

/// Averages, objectives and boundaries of latencies, and what the node says of itself.
fn more(names: &Names) -> Vec<String> {
    let mut texts: Vec<String> =
        ["kong_datastore_reachable", "kong_nginx_timers", "kong_nginx_metric_errors_total"]
            .map(|family| format!("{family}{{$job,{INSTANCE}}}"))
            .into();
    for (family, matcher, bounds) in names.latencies {
        let matcher = if matcher.is_empty() { String::new() } else { format!(",{matcher}") };
        let part = |suffix: &str| {
            format!("sum(rate({family}{suffix}{{$job,{INSTANCE}{matcher}}}[$window])) by (service)")
        };
        texts.push(format!("{} / {}", part("_sum"), part("_count")));
        let objective = format!("_bucket{{le=\"100\",$job,{INSTANCE}{matcher}}}");
        texts.push(format!(
            "sum(rate({family}{objective}[$window])) / sum(rate({family}_count{{$job,{INSTANCE}\
             {matcher}}}[$window]))"
        ));
        let buckets = format!("{family}_bucket{{$job,{INSTANCE}{matcher},{}}}", these(bounds));
        texts.push(format!("sum(rate({buckets}[$window])) by (service,route,le)"));
        texts.push(format!("sum({buckets}) by (instance,service,route,le)"));
        for suffix in ["_sum", "_count"] {
            texts.push(format!(
                "sum({family}{suffix}{{$job,{INSTANCE}{matcher}}}) by (instance,service,route)"
            ));
        }
    }
    texts
}

fn more_old() -> Vec<Query> {
    let mut texts = more(&OLD);
    texts.extend([
        format!(
            "sum(rate(kong_http_consumer_status{{$job,{INSTANCE}}}[$window])) by (consumer,code)"
        ),
        format!(
            "sum(increase(kong_http_status{{$job,code=~\"5..\",{INSTANCE}}}[$window])) by (service)"
        ),
        // Every series of the traffic.
        format!("kong_http_status{{$job,{INSTANCE}}}"),
        format!("kong_http_consumer_status{{$job,{INSTANCE}}}"),
        format!("kong_bandwidth{{$job,{INSTANCE}}}"),
    ]);
    exact(texts)
}

fn more_new() -> Vec<Query> {
    let mut texts = more(&NEW);
    let requests = format!("kong_http_requests_total{{$job,{INSTANCE}}}");
    let bandwidth = format!("kong_bandwidth_bytes{{$job,{INSTANCE}}}");
    texts.extend([
        format!("sum(rate({requests}[$window])) by (consumer,code)"),
        format!("sum(increase(kong_http_requests_total{{$job,code=~\"5..\",{INSTANCE}}}[$window])) by (service)"),
        format!("kong_nginx_requests_total{{$job,{INSTANCE}}}"),
        // Every series of the traffic, without the labels that 2.8 does not have.
        format!("sum({requests}) by (instance,service,route,code,consumer)"),
        format!("sum({bandwidth}) by (instance,service,route,direction)"),
    ]);
    exact(texts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_queries_can_be_parsed() {
        for dashboards in [Dashboards::Old, Dashboards::New] {
            let queries = of(dashboards);
            assert!(queries.iter().filter(|query| query.is_official).count() > 45);
            for query in &queries {
                for window in query.windows() {
                    let text = query.filled("a", "kong-1:8100", window);
                    let parsed = promql_parser::parser::parse(&text);
                    assert!(parsed.is_ok() && !text.contains('$'), "{text}: {parsed:?}");
                    assert!(text.contains("job=\"a\""), "{text}");
                }
            }
        }
    }
}
