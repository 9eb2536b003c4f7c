//! The simulated traffic of a small shop, and the counters of its Kong.
//!
//! [`Traffic`] has no clock: [`Traffic::step`] advances the time, and [`Traffic::render_old`] and
//! [`Traffic::render_new`] render the page of each generation. The same seed and the same steps
//! give the same pages.

use std::time::Duration;

use super::node::{Connections, LuaVmBytes, Node, SHARED_DICTS, Timers, UpstreamTarget};
use super::render;
use crate::demo::counters::{Bytes, Place, Request, Session, Source, Tally};
use crate::demo::rng::Dice;

/// Minimum requests per second. The maximum of a wave is twice as high.
const QUIET: u64 = 20;
/// Duration of a wave of requests, in microseconds.
const WAVE: u64 = 300_000_000;
/// TCP sessions per minute.
const SESSIONS_PER_MINUTE: u64 = 24;
/// Timeout of Kong for a service.
const UPSTREAM_TIMEOUT_MS: u32 = 10_000;

/// The traffic of one route.
struct Route {
    place: Place,
    /// Frequency, relative to the other routes.
    weight: u32,
    /// Median of the service's latency.
    upstream_ms: u32,
    /// Median sizes of requests and responses.
    bytes: (u32, u32),
    /// The status of a successful response.
    success: u16,
}

const fn route(
    service: &'static str,
    route: &'static str,
    weight: u32,
    upstream_ms: u32,
    bytes: (u32, u32),
    success: u16,
) -> Route {
    Route { place: Place { service, route }, weight, upstream_ms, bytes, success }
}

const ROUTES: &[Route] = &[
    route("accounts", "login", 6, 90, (620, 900), 200),
    route("accounts", "profile", 12, 35, (480, 2_400), 200),
    route("catalog", "item", 40, 18, (410, 9_000), 200),
    route("catalog", "search", 22, 140, (450, 31_000), 200),
    route("checkout", "cart", 14, 45, (900, 1_800), 200),
    route("checkout", "pay", 6, 420, (1_300, 700), 201),
];

const LEDGER: Place = Place { service: "ledger", route: "ledger-tcp" };

/// Consumers and their frequency. Empty means an unknown consumer.
const CONSUMERS: &[(&str, u32)] = &[("", 40), ("android", 20), ("ios", 25), ("partner", 15)];

/// How a request ends.
enum End {
    /// The service responds with success.
    Success,
    /// The service responds with this status.
    Service(u16),
    /// Kong responds with this status, without a request to the service.
    Refused(u16),
    /// Kong cannot reach the service.
    Unreachable,
    /// The service does not respond in time.
    TimedOut,
}

/// How requests end, per thousand.
const ENDS: &[(End, u32)] = &[
    (End::Success, 938),
    (End::Service(404), 24),
    (End::Service(500), 7),
    (End::Refused(401), 15),
    (End::Refused(429), 10),
    (End::Unreachable, 4),
    (End::TimedOut, 2),
];

/// The traffic of a small shop, and the counters of its Kong.
#[derive(Debug)]
pub(crate) struct Traffic {
    dice: Dice,
    /// Microseconds since the start.
    now: u64,
    /// Fraction of the next request: microseconds times requests per second.
    due: u64,
    /// Fraction of the next session: microseconds times sessions per minute.
    sessions_due: u64,
    http: Tally,
    stream: Tally,
    node: Node,
}

impl Traffic {
    /// Starts with all counters at 0.
    pub(crate) fn new(seed: u64) -> Self {
        Traffic {
            dice: Dice::new(seed),
            now: 0,
            due: 0,
            sessions_due: 0,
            http: Tally::default(),
            stream: Tally::default(),
            node: Node {
                id: "3f6f1c1e-5d0b-4a86-9a43-5d2c0b1f7e90",
                pid: 2_417,
                lua_vm_bytes: LuaVmBytes { http: 58_800_000, stream: 31_400_000 },
                connections: Connections::default(),
                timers: Timers { pending: 6, running: 0 },
                shared: SHARED_DICTS,
                upstream_targets: &[
                    UpstreamTarget {
                        upstream: "catalog.internal",
                        address: "10.0.0.11:8080",
                        healthy: true,
                    },
                    UpstreamTarget {
                        upstream: "catalog.internal",
                        address: "10.0.0.12:8080",
                        healthy: true,
                    },
                ],
            },
        }
    }

    /// Advances the time and simulates requests and sessions.
    pub(crate) fn step(&mut self, time: Duration) {
        let mut left = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        while left > 0 {
            // The rate of requests also changes within a long step.
            let slice = left.min(1_000_000);
            left -= slice;
            self.pass(slice);
        }
        self.look_around();
    }

    /// Advances by at most one second.
    fn pass(&mut self, micros: u64) {
        self.now += micros;
        self.due += self.requests_due(micros);
        while let Some(rest) = self.due.checked_sub(1_000_000) {
            self.due = rest;
            let request = self.request();
            self.http.request(&request);
            self.node.connections.requests += 1;
            // A connection carries three requests on average.
            if self.dice.below(3) == 0 {
                self.node.connections.accepted += 1;
            }
        }
        self.sessions_due += micros * SESSIONS_PER_MINUTE;
        while let Some(rest) = self.sessions_due.checked_sub(60_000_000) {
            self.sessions_due = rest;
            let session = self.session();
            self.stream.session(&session);
        }
    }

    /// The page of Kong 2.8.
    pub(crate) fn render_old(&self) -> String {
        render::old(&self.node, &self.http, &self.stream)
    }

    /// The page of Kong 3.9.
    pub(crate) fn render_new(&self) -> String {
        render::new(&self.node, &self.http, &self.stream)
    }

    /// The rate rises from [`QUIET`] to twice as much and falls back within one [`WAVE`].
    fn requests_due(&self, micros: u64) -> u64 {
        let at = self.now % WAVE;
        let height = at.min(WAVE - at);
        micros * QUIET * (WAVE + 2 * height) / WAVE
    }

    fn request(&mut self) -> Request {
        let dice = &mut self.dice;
        let route = dice.choose(ROUTES, |route| route.weight);
        let (end, _) = dice.choose(ENDS, |end| end.1);
        let (consumer, _) = dice.choose(CONSUMERS, |consumer| consumer.1);
        let kong_ms = dice.around(3);
        let upstream_ms = dice.around(route.upstream_ms);
        let bytes = Bytes {
            ingress: dice.around(route.bytes.0).into(),
            egress: dice.around(route.bytes.1).into(),
        };
        let (code, source, upstream_ms, waited_ms) = match *end {
            End::Success => (route.success, Source::Service, Some(upstream_ms), upstream_ms),
            End::Service(code) => (code, Source::Service, Some(upstream_ms), upstream_ms),
            End::Refused(code) => (code, Source::Kong, None, 0),
            End::Unreachable => (502, Source::Kong, None, 3),
            End::TimedOut => (504, Source::Kong, None, UPSTREAM_TIMEOUT_MS),
        };
        Request {
            place: route.place,
            // A request that fails authentication has no consumer.
            consumer: if code == 401 { "" } else { consumer },
            code,
            source,
            kong_ms,
            upstream_ms,
            total_ms: kong_ms + waited_ms,
            bytes,
        }
    }

    fn session(&mut self) -> Session {
        let dice = &mut self.dice;
        let fails = dice.below(40) == 0;
        let (code, source) = if fails { (502, Source::Kong) } else { (200, Source::Service) };
        let kong_ms = dice.around(2);
        Session {
            place: LEDGER,
            code,
            source,
            kong_ms,
            total_ms: kong_ms + if fails { UPSTREAM_TIMEOUT_MS } else { dice.around(12_000) },
            bytes: Bytes { ingress: dice.around(4_000).into(), egress: dice.around(60_000).into() },
        }
    }

    /// Changes the gauges that vary around a constant.
    fn look_around(&mut self) {
        let dice = &mut self.dice;
        let connections = &mut self.node.connections;
        connections.reading = dice.below(2).into();
        connections.writing = 1 + u64::from(dice.below(4));
        connections.waiting = 8 + u64::from(dice.below(12));
        self.node.timers.running = dice.below(3).into();
        self.node.lua_vm_bytes.http = 58_000_000 + u64::from(dice.below(2_000_000));
        self.node.lua_vm_bytes.stream = 31_000_000 + u64::from(dice.below(500_000));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn an_hour() -> Traffic {
        let mut traffic = Traffic::new(7);
        traffic.step(Duration::from_secs(3600));
        traffic
    }

    /// The sums of the samples of a family whose line contains `label`, by the value of `by`.
    fn sums(page: &str, family: &str, label: &str, by: &[&str]) -> BTreeMap<String, u64> {
        let mut sums = BTreeMap::new();
        for line in page.lines().filter(|line| line.contains(label)) {
            let Some(labels) = line.strip_prefix(family).and_then(|rest| rest.strip_prefix('{'))
            else {
                continue;
            };
            let (labels, value) = labels.rsplit_once("} ").expect("labels, then a value");
            let group =
                labels.split(',').filter(|pair| by.iter().any(|name| pair.starts_with(name)));
            let group = group.collect::<Vec<_>>().join(",");
            *sums.entry(group).or_default() += value.parse::<u64>().expect("an integer");
        }
        assert!(!sums.is_empty(), "{family} has no sample with {label}");
        sums
    }

    #[test]
    fn both_pages_count_the_same_requests() {
        let traffic = an_hour();
        let (old, new) = (traffic.render_old(), traffic.render_new());
        let place = ["service=", "route="];
        let outcome = ["service=", "route=", "code="];

        assert_eq!(
            sums(&old, "kong_http_status", "", &outcome),
            sums(&new, "kong_http_requests_total", "", &outcome),
        );
        assert_eq!(
            sums(&old, "kong_stream_status", "", &outcome),
            sums(&new, "kong_stream_sessions_total", "", &outcome),
        );
        assert_eq!(
            sums(&old, "kong_http_consumer_status", "", &["service=", "code=", "consumer="]),
            sums(&new, "kong_http_requests_total", "", &["service=", "code=", "consumer="])
                .into_iter()
                .filter(|(group, _)| !group.contains(r#"consumer="""#))
                .collect(),
        );
        for (of_type, direction) in [
            (r#"type="egress""#, r#"direction="egress""#),
            (r#"type="ingress""#, r#"direction="ingress""#),
        ] {
            let mut old = sums(&old, "kong_bandwidth", of_type, &place);
            // 3.x does not export the bandwidth of stream sessions.
            old.retain(|group, _| !group.contains("ledger"));
            assert_eq!(old, sums(&new, "kong_bandwidth_bytes", direction, &place));
        }
        let latency = |of_type: &str| {
            let lines = old.lines().filter(|line| line.contains(of_type));
            lines.collect::<Vec<_>>().join("\n")
        };
        // A bucket of both layouts: 1000 ms for Kong latency, 10,000 ms for the others.
        for (suffix, in_kong, else_) in
            [("_count", "", ""), ("_sum", "", ""), ("_bucket", r#"le="1000""#, r#"le="10000""#)]
        {
            let old = |of_type: &str, at: &str| {
                sums(&latency(of_type), &format!("kong_latency{suffix}"), at, &place)
            };
            let new = |family: &str, at: &str| sums(&new, &format!("{family}{suffix}"), at, &place);
            assert_eq!(old(r#"type="kong""#, in_kong), new("kong_kong_latency_ms", in_kong));
            assert_eq!(old(r#"type="upstream""#, else_), new("kong_upstream_latency_ms", else_));
            let mut in_all = new("kong_request_latency_ms", else_);
            in_all.extend(new("kong_session_duration_ms", else_));
            assert_eq!(old(r#"type="request""#, else_), in_all);
        }
    }

    #[test]
    fn counters_and_buckets_only_grow() {
        let series = |page: &str| -> BTreeMap<String, u64> {
            page.lines()
                .filter(|line| !line.starts_with('#'))
                .filter(|line| !line.contains("_connections") && !line.contains("vms_bytes"))
                .filter(|line| !line.contains("nginx_timers"))
                .map(|line| line.rsplit_once(' ').expect("a sample"))
                .map(|(series, value)| (series.to_owned(), value.parse().expect("an integer")))
                .collect()
        };
        let mut traffic = Traffic::new(3);
        let mut before = (BTreeMap::new(), BTreeMap::new());
        for seconds in [1, 15, 0, 15, 600] {
            traffic.step(Duration::from_secs(seconds));
            let after = (series(&traffic.render_old()), series(&traffic.render_new()));
            for (before, after) in [(&before.0, &after.0), (&before.1, &after.1)] {
                for (series, value) in before {
                    assert!(after[series] >= *value, "{series} fell from {value}");
                }
            }
            before = after;
        }
    }

    #[test]
    fn the_rate_of_requests_rises_and_falls() {
        let mut traffic = Traffic::new(5);
        let mut minutes = Vec::new();
        for _ in 0..5 {
            let before = traffic.node.connections.requests;
            traffic.step(Duration::from_secs(60));
            minutes.push(traffic.node.connections.requests - before);
        }
        assert!(minutes[0] < minutes[2] && minutes[2] > minutes[4], "{minutes:?}");
        let average = minutes.iter().sum::<u64>() / 300;
        assert!((QUIET..=2 * QUIET).contains(&average), "{average} requests per second");
    }

    #[test]
    fn short_and_long_steps_bring_as_much() {
        let mut short = Traffic::new(1);
        for _ in 0..2_000 {
            short.step(Duration::from_millis(7));
        }
        let mut long = Traffic::new(1);
        long.step(Duration::from_secs(14));
        let difference = short.node.connections.requests.abs_diff(long.node.connections.requests);
        assert!(difference <= 2, "{difference} requests apart");
    }

    #[test]
    fn kong_2_could_carry_the_stream_half() {
        // 2.x omits it above 8,000 bytes.
        let page = an_hour().render_old();
        let half = page.rfind("# HELP kong_bandwidth").expect("bandwidth opens each half");
        assert!(page.len() - half <= 8_000, "{} bytes", page.len() - half);
    }
}
