//! An independent rewriter of Kong's expositions, hard-coded and slow.
//!
//! From a body that the naive parser has read it computes the series and values of the output. The
//! correspondences are written by hand from the code of Kong's plugins and use neither the pack nor
//! the engine. All data are maps from series to numbers.

use std::collections::{BTreeMap, BTreeSet};

use super::naive::{self, Exposition, Series};

/// The emitted generation(s).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leaving {
    /// The names of Kong 2.x.
    Old,
    /// The names of Kong 3.x.
    New,
    /// Both.
    Both,
    /// The shapes and buckets of one edition.
    Edition(Edition),
}

/// Versions of Kong with the same buckets, named after one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Edition {
    /// 2.0 to 2.5: `le="00025.0"`.
    V2_5,
    /// 2.6 to 2.8.
    V2_8,
    /// 3.0 to 3.8.
    V3_0,
    /// 3.9 and later.
    V3_9,
}

impl Edition {
    /// Each with its name.
    pub(crate) const ALL: [(&str, Edition); 4] = [
        ("2.5", Edition::V2_5),
        ("2.8", Edition::V2_8),
        ("3.0", Edition::V3_0),
        ("3.9", Edition::V3_9),
    ];

    fn is_old(self) -> bool {
        matches!(self, Edition::V2_5 | Edition::V2_8)
    }

    /// The families of its generation that have other buckets in another edition of it, with their
    /// boundaries: those that any edition has, and its own.
    fn differing(self) -> (&'static str, &'static [f64], &'static [f64]) {
        match self {
            Edition::V2_5 | Edition::V2_8 => ("kong_latency", OLD, OLD),
            Edition::V3_0 => (KONG, NEW_KONG, &NEW_KONG[..15]),
            Edition::V3_9 => (KONG, NEW_KONG, NEW_KONG),
        }
    }

    fn target(self, family: &str, otherwise: &'static [f64]) -> &'static [f64] {
        let (differing, _, own) = self.differing();
        if family == differing { own } else { otherwise }
    }

    fn spelled(self, le: f64) -> String {
        if self == Edition::V2_5 { format!("{le:07.1}") } else { le.to_string() }
    }
}

/// Boundaries of `kong_latency` in 2.x, for each of its three types.
pub(crate) const OLD: &[f64] = &[
    1.0, 2.0, 5.0, 7.0, 10.0, 15.0, 20.0, 25.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 100.0,
    200.0, 300.0, 400.0, 500.0, 1000.0, 2000.0, 5000.0, 10000.0, 30000.0, 60000.0,
];

/// Boundaries of `kong_kong_latency_ms` from 3.9 on; before, the last two were missing.
pub(crate) const NEW_KONG: &[f64] = &[
    1.0, 2.0, 5.0, 7.0, 10.0, 15.0, 20.0, 30.0, 50.0, 75.0, 100.0, 200.0, 500.0, 750.0, 1000.0,
    3000.0, 6000.0,
];

/// Boundaries of the request, upstream and session histograms of 3.x.
pub(crate) const NEW_OTHER: &[f64] = &[
    25.0, 50.0, 80.0, 100.0, 250.0, 400.0, 700.0, 1000.0, 2000.0, 5000.0, 10000.0, 30000.0, 60000.0,
];

const KONG: &str = "kong_kong_latency_ms";
const UPSTREAM: &str = "kong_upstream_latency_ms";
const REQUEST: &str = "kong_request_latency_ms";
const SESSION: &str = "kong_session_duration_ms";

/// The 3.x histograms with their boundaries and the `type` that `kong_latency` has for them.
const LATENCIES: [(&str, &[f64], &str); 4] = [
    (KONG, NEW_KONG, "kong"),
    (UPSTREAM, NEW_OTHER, "upstream"),
    (REQUEST, NEW_OTHER, "request"),
    (SESSION, NEW_OTHER, "request"),
];

/// Metric types of all rewritten families.
pub(crate) const TYPES: &[(&str, &str)] = &[
    ("kong_http_status", "counter"),
    ("kong_http_consumer_status", "counter"),
    ("kong_stream_status", "counter"),
    ("kong_latency", "histogram"),
    ("kong_bandwidth", "counter"),
    ("kong_nginx_http_current_connections", "gauge"),
    ("kong_nginx_stream_current_connections", "gauge"),
    ("kong_http_requests_total", "counter"),
    ("kong_stream_sessions_total", "counter"),
    (KONG, "histogram"),
    (UPSTREAM, "histogram"),
    (REQUEST, "histogram"),
    (SESSION, "histogram"),
    ("kong_bandwidth_bytes", "counter"),
    ("kong_nginx_connections_total", "gauge"),
    ("kong_nginx_requests_total", "gauge"),
];

/// Labels that only 3.x has on the families that are summed.
const NEW_ONLY: [&str; 3] = ["source", "workspace", "type"];

type Values = BTreeMap<Series, f64>;

/// State from one scrape of a node to the next: the last values of each total.
pub(crate) type Memory = BTreeMap<Series, Reported>;

/// A total, the sum of its parts, and the difference that was emitted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Reported {
    total: f64,
    parts: f64,
    share: f64,
}

/// The expected output of the first scrape of a node.
pub(crate) fn rewrite(body: &Exposition, leaving: Leaving) -> Values {
    rewrite_next(body, leaving, &mut Memory::new())
}

/// The expected output of a later scrape.
pub(crate) fn rewrite_next(body: &Exposition, leaving: Leaving, memory: &mut Memory) -> Values {
    let arrived = body.stored();
    let mut left = arrived.clone();
    let chosen = match leaving {
        Leaving::Edition(edition) => Some(edition),
        Leaving::Old | Leaving::New | Leaving::Both => None,
    };
    let (leaving, edition) = match leaving {
        Leaving::Edition(edition) if edition.is_old() => (Leaving::Old, edition),
        Leaving::Edition(edition) => (Leaving::New, edition),
        Leaving::Old => (leaving, Edition::V2_8),
        // 3.9 spells boundaries like 2.8.
        Leaving::New | Leaving::Both => (leaving, Edition::V3_9),
    };
    if leaving != Leaving::New {
        let not_counted = without_service(body);
        let counted = arrived.iter().filter(|(series, _)| !not_counted.contains(*series));
        let (written, mut read) =
            downgrade(&counted.map(|(series, value)| (series.clone(), *value)).collect(), edition);
        read.extend(not_counted);
        // Under `both`, a family with the same name in both generations keeps its new shape.
        let one_name = |series: &Series| series.name.starts_with("kong_memory_");
        if leaving == Leaving::Old {
            left.retain(|series, _| !read.contains(series));
            left.extend(written);
        } else {
            left.extend(written.into_iter().filter(|(series, _)| !one_name(series)));
        }
    }
    if leaving != Leaving::Old {
        let (written, read) = upgrade(&arrived, memory, edition);
        if leaving == Leaving::New {
            left.retain(|series, _| !read.contains(series));
        }
        left.extend(written);
    }
    if let Some(edition) = chosen {
        let (written, read) = to_edition(&arrived, edition);
        left.retain(|series, _| !read.contains(series));
        left.extend(written);
    }
    left
}

/// Histograms that have the emitted generation's shape already, but may be of another edition.
fn to_edition(arrived: &Values, edition: Edition) -> (Values, BTreeSet<Series>) {
    let mut written = Values::new();
    let (family, known, target) = edition.differing();
    let types = ["kong", "request", "upstream"];
    let wanted = |series: &Series| !edition.is_old() || types.contains(&series.label("type"));
    let (histograms, read) = Histogram::read_all(arrived, family, wanted);
    write_histograms(&mut written, &histograms, known, (target, edition), Series::clone);
    (written, read.into_iter().collect())
}

/// Series of requests that have an empty `service`. 2.x does not count such requests.
fn without_service(body: &Exposition) -> BTreeSet<Series> {
    let of_requests = ["kong_http_requests_total", "kong_bandwidth_bytes", KONG, UPSTREAM, REQUEST];
    let samples = body.samples().filter(|sample| {
        let name = sample.name.as_str();
        let family = ["_bucket", "_sum", "_count"].iter().find_map(|part| name.strip_suffix(part));
        let labels = &sample.labels;
        of_requests.contains(&family.unwrap_or(name))
            && labels.iter().any(|(name, value)| name == "service" && value.is_empty())
    });
    samples.map(naive::Sample::series).collect()
}

fn add(values: &mut Values, series: Series, value: f64) {
    *values.entry(series).or_insert(0.0) += value;
}

fn max(values: &mut Values, series: Series, value: f64) {
    let known = values.entry(series).or_insert(value);
    *known = known.max(value);
}

/// 3.x to 2.x: the rewritten series, and the input series they replace.
fn downgrade(arrived: &Values, edition: Edition) -> (Values, BTreeSet<Series>) {
    let mut written = Values::new();
    let mut read = BTreeSet::new();
    for (series, &value) in arrived {
        match series.name.as_str() {
            "kong_http_requests_total" => {
                let status = series.without(&NEW_ONLY);
                if !series.label("consumer").is_empty() {
                    add(&mut written, status.named("kong_http_consumer_status"), value);
                }
                let status = status.without(&["consumer"]).named("kong_http_status");
                add(&mut written, status, value);
            }
            "kong_stream_sessions_total" => {
                add(&mut written, series.without(&NEW_ONLY).named("kong_stream_status"), value);
            }
            "kong_bandwidth_bytes" if !series.label("direction").is_empty() => {
                let bandwidth = series
                    .without(&["consumer", "workspace", "direction"])
                    .with("type", series.label("direction"))
                    .named("kong_bandwidth");
                add(&mut written, bandwidth, value);
            }
            "kong_nginx_connections_total" => {
                let name = match series.label("subsystem") {
                    "http" => "kong_nginx_http_current_connections",
                    "stream" => "kong_nginx_stream_current_connections",
                    _ => continue,
                };
                max(&mut written, series.without(&["node_id", "subsystem"]).named(name), value);
            }
            "kong_memory_workers_lua_vms_bytes"
            | "kong_memory_lua_shared_dict_bytes"
            | "kong_memory_lua_shared_dict_total_bytes"
                if !series.label("node_id").is_empty() =>
            {
                max(&mut written, series.without(&["node_id"]), value);
            }
            _ => continue,
        }
        read.insert(series.clone());
    }
    for (family, known, kind) in LATENCIES {
        let (histograms, of_family) = Histogram::read_all(arrived, family, |_| true);
        read.extend(of_family);
        let to = |labels: &Series| {
            labels.without(&["workspace"]).named("kong_latency").with("type", kind)
        };
        write_histograms(&mut written, &histograms, known, (OLD, edition), to);
    }
    (written, read)
}

/// 2.x to 3.x: the rewritten series, and the input series they replace.
fn upgrade(arrived: &Values, memory: &mut Memory, edition: Edition) -> (Values, BTreeSet<Series>) {
    let mut written = Values::new();
    let mut read = BTreeSet::new();
    let parts = parts(arrived);
    // A restart resets all counters of a node: if one has decreased, all were reset.
    if memory
        .iter()
        .any(|(total, reported)| arrived.get(total).is_some_and(|&now| now < reported.total))
    {
        memory.clear();
    }
    for (series, &value) in arrived {
        match series.name.as_str() {
            "kong_http_status" => {
                if let Some(share) = share_without_consumer(&parts, series, value, memory) {
                    add(&mut written, series.named("kong_http_requests_total"), share);
                }
            }
            "kong_http_consumer_status" if !series.label("consumer").is_empty() => {
                add(&mut written, series.named("kong_http_requests_total"), value);
            }
            "kong_stream_status" => {
                add(&mut written, series.named("kong_stream_sessions_total"), value);
            }
            "kong_bandwidth" if !series.label("type").is_empty() => {
                let bandwidth = series
                    .without(&["type"])
                    .with("direction", series.label("type"))
                    .named("kong_bandwidth_bytes");
                add(&mut written, bandwidth, value);
            }
            "kong_nginx_http_current_connections" => {
                let all = series.named("kong_nginx_connections_total").with("subsystem", "http");
                if series.label("state") == "total" {
                    let requests = all.without(&["state"]).named("kong_nginx_requests_total");
                    written.insert(requests, value);
                }
                written.insert(all, value);
            }
            "kong_nginx_stream_current_connections" => {
                let all = series.named("kong_nginx_connections_total").with("subsystem", "stream");
                written.insert(all, value);
            }
            _ => continue,
        }
        read.insert(series.clone());
    }

    let streams: BTreeSet<(&str, &str)> = arrived
        .keys()
        .filter(|series| series.name == "kong_stream_status")
        .map(|series| (series.label("service"), series.label("route")))
        .collect();
    for (family, target, kind) in LATENCIES {
        let wanted = |series: &Series| {
            let stream = streams.contains(&(series.label("service"), series.label("route")));
            series.label("type") == kind
                && match family {
                    SESSION => stream,
                    REQUEST => !stream,
                    _ => true,
                }
        };
        let (histograms, of_kind) = Histogram::read_all(arrived, "kong_latency", wanted);
        read.extend(of_kind);
        let to = |labels: &Series| labels.without(&["type"]).named(family);
        let target = edition.target(family, target);
        write_histograms(&mut written, &histograms, OLD, (target, edition), to);
    }
    (written, read)
}

/// The values of `kong_http_consumer_status`, by the `kong_http_status` series that includes them.
fn parts(arrived: &Values) -> BTreeMap<Series, Vec<f64>> {
    let mut parts: BTreeMap<Series, Vec<f64>> = BTreeMap::new();
    for (series, &value) in arrived {
        if series.name == "kong_http_consumer_status" && !series.label("consumer").is_empty() {
            let total = series.without(&["consumer"]).named("kong_http_status");
            parts.entry(total).or_default().push(value);
        }
    }
    parts
}

/// The part of a total without a consumer. `None` if all of it has one.
///
/// Total and parts are not read at the same moment, and lines can be lost. So without a restart,
/// neither the parts nor the difference may decrease.
fn share_without_consumer(
    parts: &BTreeMap<Series, Vec<f64>>,
    total: &Series,
    value: f64,
    memory: &mut Memory,
) -> Option<f64> {
    let found = parts.get(total).map_or(&[][..], Vec::as_slice);
    let mut parts: f64 = found.iter().sum();
    let mut share: f64 = 0.0;
    if let Some(reported) = memory.get(total) {
        parts = parts.max(reported.parts);
        share = reported.share;
    }
    share = share.max(value - parts);
    memory.insert(total.clone(), Reported { total: value, parts, share });
    (found.is_empty() || share > 0.0).then_some(share)
}

/// One label set of a histogram.
#[derive(Clone, Debug, Default)]
struct Histogram {
    /// The count of observations up to each finite boundary. The order of the keys is that of
    /// numbers.
    buckets: BTreeMap<Bound, f64>,
    infinite: Option<f64>,
    sum: Option<f64>,
    count: Option<f64>,
}

/// A boundary, not negative, as the bits of its number, which have the same order.
type Bound = u64;

fn bound(le: f64) -> Bound {
    le.to_bits()
}

fn number(bound: Bound) -> f64 {
    f64::from_bits(bound)
}

impl Histogram {
    /// All label sets of a family (named after it, without `le`), and the series they were read
    /// from.
    fn read_all(
        arrived: &Values,
        family: &str,
        wanted: impl Fn(&Series) -> bool,
    ) -> (BTreeMap<Series, Histogram>, Vec<Series>) {
        let mut histograms: BTreeMap<Series, Histogram> = BTreeMap::new();
        let mut read = Vec::new();
        for (series, &value) in arrived {
            let Some(suffix) = series.name.strip_prefix(family) else {
                continue;
            };
            if !matches!(suffix, "_bucket" | "_sum" | "_count") || !wanted(series) {
                continue;
            }
            let histogram = histograms.entry(series.without(&["le"]).named(family)).or_default();
            match suffix {
                "_sum" => histogram.sum = Some(value),
                "_count" => histogram.count = Some(value),
                _ => {
                    let le: f64 = series.label("le").parse().expect("le is a number");
                    if le.is_infinite() {
                        histogram.infinite = Some(value);
                    } else {
                        histogram.buckets.insert(bound(le), value);
                    }
                }
            }
            read.push(series.clone());
        }
        (histograms, read)
    }

    /// Observations up to a boundary of a layout: the count of the next bucket at or below it, or
    /// 0. Above the last boundary it is the total count.
    fn at(&self, bound: Bound) -> f64 {
        if self.buckets.keys().next_back().is_some_and(|&last| last < bound) {
            return self.all().unwrap_or_else(|| self.largest());
        }
        self.buckets.range(..=bound).next_back().map_or(0.0, |(_, &value)| value)
    }

    /// The boundaries of the histogram: the exported ones, and those of its layout below the
    /// largest of these.
    ///
    /// A bucket is exported once it counts something, and lines can be lost. The last boundaries
    /// depend on the version.
    fn layout(&self, known: &[f64]) -> BTreeSet<Bound> {
        let largest = self.buckets.keys().next_back().copied().unwrap_or(bound(f64::INFINITY));
        let below = known.iter().map(|&le| bound(le)).filter(|&le| le < largest);
        below.chain(self.buckets.keys().copied()).collect()
    }

    /// All observations, if that is known.
    fn all(&self) -> Option<f64> {
        self.infinite.or(self.count)
    }

    /// The count of the last bucket.
    fn largest(&self) -> f64 {
        self.buckets.values().next_back().copied().unwrap_or(0.0)
    }
}

fn write_histograms(
    written: &mut Values,
    histograms: &BTreeMap<Series, Histogram>,
    known: &[f64],
    (target, edition): (&[f64], Edition),
    to: impl Fn(&Series) -> Series,
) {
    // Label sets that become equal are added first, boundary by boundary; then converted.
    let mut joined: BTreeMap<Series, Vec<&Histogram>> = BTreeMap::new();
    for (series, histogram) in histograms {
        joined.entry(to(series)).or_default().push(histogram);
    }
    for (series, histograms) in joined {
        let layout: BTreeSet<Bound> =
            histograms.iter().flat_map(|histogram| histogram.layout(known)).collect();
        let sum = |of: &dyn Fn(&Histogram) -> f64| {
            histograms.iter().map(|histogram| of(histogram)).sum::<f64>()
        };
        let counts: BTreeMap<Bound, f64> = layout
            .into_iter()
            .map(|bound| (bound, sum(&|histogram| histogram.at(bound))))
            .collect();
        let totals: Vec<f64> = histograms.iter().filter_map(|histogram| histogram.all()).collect();
        let all = (!totals.is_empty()).then(|| totals.iter().sum::<f64>());
        let part = |suffix: &str| series.named(&format!("{}{suffix}", series.name));
        // Without buckets the distribution is unknown.
        let has_buckets = histograms
            .iter()
            .any(|histogram| histogram.infinite.is_some() || !histogram.buckets.is_empty());
        for &le in target.iter().filter(|_| has_buckets) {
            let bucket = part("_bucket").with("le", &edition.spelled(le));
            // Without a total, nothing is known above the last boundary.
            if let Some(count) = estimate(&counts, all, le) {
                written.insert(bucket, count);
            }
        }
        if let Some(all) = all {
            written.insert(part("_bucket").with("le", "+Inf"), all);
            let count = |histogram: &Histogram| histogram.count.or(histogram.all()).unwrap_or(0.0);
            written.insert(part("_count"), sum(&count));
        }
        let sums: Vec<f64> = histograms.iter().filter_map(|histogram| histogram.sum).collect();
        if !sums.is_empty() {
            written.insert(part("_sum"), sums.iter().sum());
        }
    }
}

/// Observations up to any boundary: exact if the layout has it, otherwise interpolated between its
/// neighbours on a logarithmic scale, and rounded down. Above the last boundary it is the total
/// count.
fn estimate(counts: &BTreeMap<Bound, f64>, all: Option<f64>, le: f64) -> Option<f64> {
    if let Some(&exact) = counts.get(&bound(le)) {
        return Some(exact);
    }
    let Some((&above, &upper)) = counts.range(bound(le)..).next() else {
        return all;
    };
    let (share, lower) = match counts.range(..bound(le)).next_back() {
        Some((&from, &lower)) => {
            let (from, above) = (number(from), number(above));
            ((le / from).ln() / (above / from).ln(), lower)
        }
        None => ((1.0 + le / number(above)).log2(), 0.0),
    };
    Some((lower + (upper - lower) * share).floor())
}
