//! Big bodies in the shapes of Kong 2.8 and Kong 3.9, of any size.
//!
//! What makes a real body big is its histograms: nine tenths of the bytes of the old shape are
//! `kong_latency_bucket` lines of about 105 bytes, and four fifths of the new one. Names, order and
//! spelling are Kong's; the numbers are made up, but bucket counts never decrease and its count and
//! its last bucket agree. The same size gives the same bytes.

use std::fmt::Write as _;

const OLD_LADDER: &[u32] = &[
    1, 2, 5, 7, 10, 15, 20, 25, 30, 40, 50, 60, 70, 80, 90, 100, 200, 300, 400, 500, 1000, 2000,
    5000, 10_000, 30_000, 60_000,
];
const NEW_KONG_LADDER: &[u32] =
    &[1, 2, 5, 7, 10, 15, 20, 30, 50, 75, 100, 200, 500, 750, 1000, 3000, 6000];
const NEW_LADDER: &[u32] =
    &[25, 50, 80, 100, 250, 400, 700, 1000, 2000, 5000, 10_000, 30_000, 60_000];

/// Bytes that one route takes, on average, in a body of many.
const OLD_BYTES_PER_ROUTE: usize = 9_316;
const NEW_BYTES_PER_ROUTE: usize = 6_502;

/// A body of Kong 2.8 shape, of about `bytes` bytes (two thousand at least).
pub(crate) fn old(bytes: usize) -> Vec<u8> {
    let routes = routes(bytes / OLD_BYTES_PER_ROUTE);
    let mut body = Body::default();
    body.header(
        "bandwidth",
        "counter",
        "Total bandwidth in bytes consumed per service/route in Kong",
    );
    for route in &routes {
        let Route { labels, seed } = route;
        for (way, scale) in [("egress", 9_871), ("ingress", 613)] {
            body.sample("bandwidth", format_args!(r#"{labels},type="{way}""#), seed * scale);
        }
    }
    body.plain(
        "datastore_reachable",
        "gauge",
        "Datastore reachable from Kong, 0 is unreachable",
        1,
    );
    body.header(
        "http_consumer_status",
        "counter",
        "HTTP status codes for customer per service/route in Kong",
    );
    for route in routes.iter().step_by(8) {
        let labels = format_args!(r#"{},code="200",consumer="partner-nord""#, route.labels);
        body.sample("http_consumer_status", labels, route.seed / 3);
    }
    body.header("http_status", "counter", "HTTP status codes per service/route in Kong");
    for (number, Route { labels, seed }) in routes.iter().enumerate() {
        let failed = if number % 4 == 0 { seed / 50 } else { 0 };
        body.sample("http_status", format_args!(r#"{labels},code="200""#), seed - failed);
        if failed > 0 {
            body.sample("http_status", format_args!(r#"{labels},code="500""#), failed);
        }
    }
    let types: Vec<_> = routes
        .iter()
        .flat_map(|route| {
            ["kong", "request", "upstream"].map(|of_type| route.with("type", of_type))
        })
        .collect();
    body.histogram(
        "latency",
        "Latency added by Kong, total request time and upstream latency for each service/route in Kong",
        OLD_LADDER,
        &types,
    );
    body.header("nginx_http_current_connections", "gauge", "Number of HTTP connections");
    for (state, value) in CONNECTIONS {
        let labels = format_args!(r#"state="{state}""#);
        body.sample("nginx_http_current_connections", labels, value);
    }
    body.plain("nginx_metric_errors_total", "counter", "Number of nginx-lua-prometheus errors", 0);
    body.0.into_bytes()
}

/// A body of Kong 3.9 shape, of about `bytes` bytes (two thousand at least).
#[expect(clippy::too_many_lines, reason = "a flat list of families")]
pub(crate) fn new(bytes: usize) -> Vec<u8> {
    let routes = routes(bytes / NEW_BYTES_PER_ROUTE);
    let in_workspace: Vec<_> =
        routes.iter().map(|route| route.with("workspace", "default")).collect();
    let mut body = Body::default();
    body.header(
        "bandwidth_bytes",
        "counter",
        "Total bandwidth (ingress/egress) throughput in bytes",
    );
    for Route { labels, seed } in &routes {
        for (way, scale) in [("egress", 9_871), ("ingress", 613)] {
            let labels =
                format_args!(r#"{labels},direction="{way}",workspace="default",consumer="""#);
            body.sample("bandwidth_bytes", labels, seed * scale);
        }
    }
    body.plain(
        "datastore_reachable",
        "gauge",
        "Datastore reachable from Kong, 0 is unreachable",
        1,
    );
    body.header(
        "http_requests_total",
        "counter",
        "HTTP status codes per consumer/service/route in Kong",
    );
    for (number, Route { labels, seed }) in routes.iter().enumerate() {
        let mut sample = |code: u16, consumer: &str, value: u64| {
            let labels = format_args!(
                r#"{labels},code="{code}",source="service",workspace="default",consumer="{consumer}""#
            );
            body.sample("http_requests_total", labels, value);
        };
        let failed = if number % 4 == 0 { seed / 50 } else { 0 };
        let of_consumer = if number % 8 == 0 { seed / 3 } else { 0 };
        sample(200, "", seed - failed - of_consumer);
        if of_consumer > 0 {
            sample(200, "partner-nord", of_consumer);
        }
        if failed > 0 {
            sample(500, "", failed);
        }
    }
    body.histogram(
        "kong_latency_ms",
        "Latency added by Kong and enabled plugins for each service/route in Kong",
        NEW_KONG_LADDER,
        &in_workspace,
    );
    body.header("nginx_connections_total", "gauge", "Number of connections by subsystem");
    for (state, value) in CONNECTIONS {
        let labels = format_args!(r#"node_id="{NODE_ID}",subsystem="http",state="{state}""#);
        body.sample("nginx_connections_total", labels, value);
    }
    body.plain("nginx_metric_errors_total", "counter", "Number of nginx-lua-prometheus errors", 0);
    body.histogram(
        "request_latency_ms",
        "Total latency incurred during requests for each service/route in Kong",
        NEW_LADDER,
        &in_workspace,
    );
    body.histogram(
        "upstream_latency_ms",
        "Latency added by upstream response for each service/route in Kong",
        NEW_LADDER,
        &in_workspace,
    );
    body.0.into_bytes()
}

const NODE_ID: &str = "a5c07a52-2a6b-4b1c-8a3a-b1a0f4a6f1d7";

const CONNECTIONS: [(&str, u64); 7] = [
    ("accepted", 18_231),
    ("active", 312),
    ("handled", 18_231),
    ("reading", 2),
    ("total", 1_204_519),
    ("waiting", 288),
    ("writing", 22),
];

/// One label set, and a number that all its values are made of.
struct Route {
    labels: String,
    seed: u64,
}

impl Route {
    fn with(&self, name: &str, value: &str) -> Route {
        Route { labels: format!(r#"{},{name}="{value}""#, self.labels), seed: self.seed }
    }
}

/// As many routes, eight to a service, sorted as Kong sorts them.
fn routes(count: usize) -> Vec<Route> {
    const AREAS: [&str; 8] =
        ["accounts", "billing", "catalog", "checkout", "messages", "reports", "search", "uploads"];
    const VERBS: [&str; 8] =
        ["archive", "create", "delete", "export", "list", "read", "update", "watch"];
    let mut routes: Vec<_> = (0..count.max(1))
        .map(|number| {
            let service = number / VERBS.len();
            let (area, verb) = (AREAS[service % AREAS.len()], VERBS[number % VERBS.len()]);
            let labels =
                format!(r#"service="{area}-api-{service:05}",route="{area}-{verb}-{service:05}""#);
            // Spread over three orders of magnitude, as traffic is.
            let seed = 1_000 + (number as u64).wrapping_mul(2_654_435_761) % 900_000;
            Route { labels, seed }
        })
        .collect();
    routes.sort_by(|a, b| a.labels.cmp(&b.labels));
    routes
}

#[derive(Default)]
struct Body(String);

impl Body {
    fn header(&mut self, name: &str, of_type: &str, help: &str) {
        self.line(format_args!("# HELP kong_{name} {help}"));
        self.line(format_args!("# TYPE kong_{name} {of_type}"));
    }

    fn plain(&mut self, name: &str, of_type: &str, help: &str, value: u64) {
        self.header(name, of_type, help);
        self.line(format_args!("kong_{name} {value}"));
    }

    fn sample(&mut self, name: &str, labels: std::fmt::Arguments<'_>, value: u64) {
        self.line(format_args!("kong_{name}{{{labels}}} {value}"));
    }

    /// All buckets, then all counts, then all sums. The lowest buckets are missing: nothing was
    /// that fast.
    fn histogram(&mut self, name: &str, help: &str, layout: &[u32], series: &[Route]) {
        self.header(name, "histogram", help);
        for Route { labels, seed } in series {
            let missing = usize::from(*seed % 2 == 0) + usize::from(*seed % 3 == 0);
            let steps = (layout.len() - missing) as u64;
            for (step, bound) in (1..).zip(&layout[missing..]) {
                let value = seed * step / (steps + 1);
                self.line(format_args!(r#"kong_{name}_bucket{{{labels},le="{bound}"}} {value}"#));
            }
            self.line(format_args!(r#"kong_{name}_bucket{{{labels},le="+Inf"}} {seed}"#));
        }
        for Route { labels, seed } in series {
            self.line(format_args!("kong_{name}_count{{{labels}}} {seed}"));
        }
        for Route { labels, seed } in series {
            self.line(format_args!("kong_{name}_sum{{{labels}}} {}", seed * 37));
        }
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        writeln!(self.0, "{line}").expect("a String takes whatever is written to it");
    }
}
