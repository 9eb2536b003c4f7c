//! Queries of families whose values have another unit give the same values on a real Prometheus after
//! `audit` has migrated them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use crossfade::mapping::{Emit, Generation, Pack};
use crossfade::tools::audit::Auditor;

use crate::support::prometheus::Prometheus;

const PACK: &str = r#"
name: p
prometheus:
  - { old: hits, new: hits_total }
  - { old: up_ms, new: up_seconds, scale: 0.001, type: gauge }
  - { old: 'busy_ms{kind=$k}', new: 'busy_seconds_total{mode=$k, node}', scale: 0.001, type: counter }
  - { old: sectors, new: bytes, scale: 512, type: gauge }
  - { old: 'load_ms{k="a"}', new: a_load_seconds, scale: 0.001, type: gauge }
  - { old: 'load_ms{k="b"}', new: b_load_seconds, scale: 0.001, type: gauge }
  - old: spent_ms
    new: spent_seconds
    scale: 0.001
    buckets: { old: [5, 250, 1000], new: ['0.005', '0.25', '1.0'] }
"#;

/// Queries that have a result in the history, and are migrated to new and back.
const QUERIES: &[&str] = &[
    "up_ms",
    "up_ms * 3",
    "up_ms / 1000",
    "max by (x) (up_ms) / 60000",
    "up_ms > 1500",
    "up_ms > bool 250",
    "250 < up_ms",
    "up_ms != 0",
    "count(up_ms > 5)",
    "absent(up_ms{x=\"none\"})",
    "absent(up_ms{x=\"none\"} / 1000)",
    "absent(sum(up_ms{x=\"none\"}))",
    "topk(2, up_ms)",
    "bottomk(2, up_ms) / 1000",
    "quantile(0.7, up_ms)",
    "stddev(up_ms)",
    "stdvar(up_ms)",
    "avg(up_ms)",
    "group(up_ms)",
    "sum by (x) (up_ms) / on (x) group_left hits",
    "hits / on (x) up_ms",
    "-up_ms",
    "2 - -up_ms",
    "1 / -max(up_ms)",
    "1.0001 ^ up_ms",
    "up_ms ^ 2",
    "up_ms offset 1m",
    "max_over_time(up_ms[5m:30s])",
    "stdvar_over_time(up_ms[5m:30s])",
    "changes(up_ms[5m:30s])",
    "sqrt(up_ms)",
    "ln(up_ms)",
    "clamp_max(up_ms, 700)",
    "sort_desc(up_ms)",
    "scalar(max(up_ms))",
    "vector(scalar(max(up_ms)))",
    "up_ms and on (x) hits",
    "hits and on (x) up_ms",
    "hits unless on (x) up_ms > 1500",
    "up_ms or hits",
    "label_replace(up_ms, \"y\", \"$1\", \"x\", \"(.*)\")",
    "avg_over_time(up_ms[5m])",
    "min_over_time(up_ms[5m])",
    "sum_over_time(up_ms[5m])",
    "last_over_time(up_ms[5m])",
    "quantile_over_time(0.4, up_ms[5m])",
    "stddev_over_time(up_ms[5m])",
    "stdvar_over_time(up_ms[5m])",
    "stdvar_over_time(up_ms[5m]) / 1e6",
    "count_over_time(up_ms[5m])",
    "present_over_time(up_ms[5m])",
    "absent_over_time(up_ms{x=\"none\"}[5m])",
    "changes(up_ms[5m])",
    "resets(up_ms[5m])",
    "delta(up_ms[5m])",
    "idelta(up_ms[5m])",
    "deriv(up_ms[5m])",
    "predict_linear(up_ms[5m], 600)",
    "floor(sectors / 3)",
    "sectors % 100",
    "sectors * 512",
    "rate(busy_ms[5m])",
    "irate(busy_ms[5m])",
    "increase(busy_ms[5m])",
    "sum(rate(busy_ms[5m])) / 1000",
    "1 - avg by (kind) (rate(busy_ms[5m])) / 1000",
    "100 * sum by (kind) (rate(busy_ms{kind=\"a\"}[5m])) / 1000",
    "sum(rate(busy_ms[5m])) / 60 / 1000",
    "max_over_time(rate(busy_ms[2m])[5m:30s])",
    "rate(busy_ms[5m]) > 250",
    "rate(busy_ms[5m]) == 0 or rate(busy_ms[5m])",
    "histogram_quantile(0.9, sum by (le) (rate(spent_ms_bucket[5m])))",
    "histogram_quantile(0.2, rate(spent_ms_bucket[5m])) / 1000",
    "histogram_quantile(0.5, sum by (le, x) (rate(spent_ms_bucket[5m]))) > 5",
    "histogram_quantile(2, rate(spent_ms_bucket[5m]))",
    "histogram_quantile(1, rate(spent_ms_bucket[5m]))",
    "rate(spent_ms_sum[5m]) / rate(spent_ms_count[5m])",
    "rate(spent_ms_bucket{le=\"250\"}[5m])",
    "sum(rate(spent_ms_bucket{le=\"1000\"}[5m])) / sum(rate(spent_ms_count[5m]))",
    "sum(rate(spent_ms_bucket{le=~\".*5.*\"}[5m]))",
    "sum by (le) (rate(spent_ms_bucket{le=\"250\"}[5m]))",
    "load_ms",
    "sum(load_ms) / 1000",
];

/// Queries that are not migrated back: what they become depends on the last digit of a product.
const ONE_WAY: &[&str] =
    &["count_values(\"v\", sectors)", "round(sum(rate(busy_ms[5m])) / 1000, 0.1)"];

/// Scrapes, and seconds between them.
const SCRAPES: u64 = 40;
const STEP: u64 = 15;

/// Numbers without a pattern, the same in each run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        (self.0 >> 33) % limit
    }
}

/// Milliseconds as decimals of seconds.
fn seconds(milliseconds: u64) -> String {
    format!("{}.{:03}", milliseconds / 1000, milliseconds % 1000)
}

/// Both generations of the same values.
fn history(end: u64) -> String {
    let mut numbers = Numbers(7);
    let mut series: BTreeMap<String, String> = BTreeMap::new();
    let (mut hits, mut busy, mut buckets) = ([0; 3], [[0; 2]; 2], [[0; 4]; 2]);
    let mut sums = [0; 2];
    for scrape in 0..SCRAPES {
        let time = end - (SCRAPES - 1 - scrape) * STEP;
        let mut add = |name: String, value: String| {
            let lines = series.entry(name.clone()).or_default();
            writeln!(lines, "{name} {value} {time}").expect("a String takes everything");
        };
        for (index, hits) in hits.iter_mut().enumerate() {
            *hits += numbers.below(50);
            add(format!("hits{{x=\"{index}\"}}"), hits.to_string());
            add(format!("hits_total{{x=\"{index}\"}}"), hits.to_string());
            let up = 1 + numbers.below(4000);
            add(format!("up_ms{{x=\"{index}\"}}"), up.to_string());
            add(format!("up_seconds{{x=\"{index}\"}}"), seconds(up));
            let sectors = numbers.below(100_000);
            add(format!("sectors{{x=\"{index}\"}}"), sectors.to_string());
            add(format!("bytes{{x=\"{index}\"}}"), (sectors * 512).to_string());
        }
        for (kind, busy) in ["a", "b"].into_iter().zip(&mut busy) {
            for (node, busy) in busy.iter_mut().enumerate() {
                *busy += numbers.below(9000);
                add(
                    format!("busy_seconds_total{{mode=\"{kind}\",node=\"{node}\"}}"),
                    seconds(*busy),
                );
            }
            add(format!("busy_ms{{kind=\"{kind}\"}}"), busy.iter().sum::<u64>().to_string());
            let load = numbers.below(5000);
            add(format!("load_ms{{k=\"{kind}\"}}"), load.to_string());
            add(format!("{kind}_load_seconds"), seconds(load));
        }
        for (x, counts) in buckets.iter_mut().enumerate() {
            let mut count = 0;
            let texts =
                [("5", "0.005"), ("250", "0.25"), ("1000", "1.0"), ("+Inf", "+Inf")].into_iter();
            for ((old, new), its) in texts.zip(counts) {
                *its += numbers.below(20);
                count += *its;
                add(format!("spent_ms_bucket{{le=\"{old}\",x=\"{x}\"}}"), count.to_string());
                add(format!("spent_seconds_bucket{{le=\"{new}\",x=\"{x}\"}}"), count.to_string());
            }
            sums[x] += numbers.below(20_000);
            add(format!("spent_ms_sum{{x=\"{x}\"}}"), sums[x].to_string());
            add(format!("spent_seconds_sum{{x=\"{x}\"}}"), seconds(sums[x]));
            add(format!("spent_ms_count{{x=\"{x}\"}}"), count.to_string());
            add(format!("spent_seconds_count{{x=\"{x}\"}}"), count.to_string());
        }
    }
    let lines: String = series.into_values().collect();
    lines + "# EOF\n"
}

fn with_history(end: u64) -> Prometheus {
    Prometheus::start_with("audit-scaled", "global: {}\n", |data| {
        let file = data.with_extension("txt");
        std::fs::write(&file, history(end)).expect("the target folder is writable");
        let made = Command::new("promtool")
            .args(["tsdb", "create-blocks-from", "openmetrics"])
            .args([&file, &data.to_owned()])
            .output()
            .expect("promtool is installed (package prometheus)");
        assert!(made.status.success(), "{}", made.stderr.escape_ascii());
    })
}

/// Label sets without names, and their values. A scalar has no labels.
fn answer(prometheus: &Prometheus, query: &str, time: u64) -> BTreeMap<String, f64> {
    // A scalar is a vector of one value then.
    let query = if query.starts_with("scalar") { format!("vector({query})") } else { query.into() };
    let result = prometheus.query_at(&query, time);
    let series = result.iter().map(|one| {
        let labels = one["metric"].as_object().expect("a vector has labels").iter();
        let shown = |(label, value): (&String, &serde_json::Value)| match label.as_str() {
            "__name__" => String::new(),
            // A panel has no legend here, so that labels may be renamed.
            "mode" => format!("kind={value},"),
            _ => format!("{label}={value},"),
        };
        let value = one["value"][1].as_str().and_then(|value| value.parse().ok());
        (labels.map(shown).collect(), value.expect("a number"))
    });
    series.collect()
}

fn migrated(query: &str, to: Generation) -> Result<String, String> {
    let packs = [Pack::parse("p.yaml", PACK).expect("a valid pack")];
    let auditor = Auditor::new(&packs, Emit::Old, to, Vec::new()).expect("no edition");
    let quoted = serde_json::to_string(query).expect("text is JSON");
    let text = format!("{{\"targets\": [{{\"expr\": {quoted}}}]}}");
    let mut found = auditor.file(Path::new("q.json"), &text).findings;
    assert_eq!(found.len(), 1, "{query}: {found:?}");
    let finding = found.remove(0);
    finding.migrated.ok_or_else(|| finding.obstacles.join("; "))
}

#[test]
fn queries_of_another_unit_have_the_same_values_in_prometheus() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let end = now - now % STEP;
    let prometheus = with_history(end);
    let mut wrong = Vec::new();
    for query in QUERIES.iter().chain(ONE_WAY) {
        let there = migrated(query, Generation::New);
        let back = there.as_ref().map(|there| migrated(there, Generation::Old));
        let others = match (&there, &back) {
            (Ok(there), Ok(Ok(back))) => vec![there, back],
            (Ok(there), Ok(Err(_))) if ONE_WAY.contains(query) => vec![there],
            _ => {
                wrong.push(format!("{query}: {there:?} {back:?}"));
                continue;
            }
        };
        let expected = answer(&prometheus, query, end);
        if expected.is_empty() {
            wrong.push(format!("{query} has no result"));
        }
        for other in others {
            let found = answer(&prometheus, other, end);
            let is_same = |(a, b): ((&String, &f64), (&String, &f64))| {
                a.0 == b.0 && (a.1.total_cmp(b.1).is_eq() || (a.1 - b.1).abs() <= 1e-9 * a.1.abs())
            };
            if expected.len() != found.len() || !expected.iter().zip(&found).all(is_same) {
                wrong.push(format!("{query}: {expected:?}\n{other}: {found:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
