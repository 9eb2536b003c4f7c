//! Queries that `audit` moved give the same answers on a real Prometheus.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use crossfade::mapping::{Emit, Generation};
use crossfade::packs;
use crossfade::tools::audit::Auditor;

use crate::support::dashboards::{NEW, OLD, STREAMS, audited_with_differences};
use crate::support::naive::{self, Series};
use crate::support::prometheus::Prometheus;
use crate::support::{capture, root};

/// Scrapes, and seconds between them.
const SCRAPES: u64 = 20;
const STEP: u64 = 15;

/// Both generations of the same traffic, over and over: counters grow by one capture with each
/// scrape.
fn history(end: u64) -> String {
    let old = capture("small/prometheus/kong-2.8.5.http_stream.txt");
    let new = capture("small/prometheus/kong-3.0.2.http_stream.txt");
    let (old, new) = (naive::parse(&old), naive::parse(&new));
    let mut series: BTreeMap<Series, (f64, bool)> = BTreeMap::new();
    let of_streams: Vec<String> = old
        .stored()
        .into_keys()
        .filter(|it| it.name == "kong_stream_status")
        .map(|it| it.label("service").to_owned())
        .collect();
    for body in [&old, &new] {
        let types = body.types();
        for (one, value) in body.stored() {
            // 3.x does not count bandwidth of streams; and prints the connections of the process
            // for them.
            let bandwidth = one.name == "kong_bandwidth";
            if bandwidth && of_streams.iter().any(|service| service == one.label("service")) {
                continue;
            }
            let gauge = types.get(&one.name).is_some_and(|kind| kind == "gauge");
            series.entry(one).or_insert((value, gauge));
        }
    }
    let mut text = String::new();
    for (one, (value, gauge)) in &series {
        let one = one.with("instance", "kong:8100");
        for scrape in 0..SCRAPES {
            #[expect(clippy::cast_precision_loss, reason = "a few dozen")]
            let value = if *gauge { *value } else { value * (SCRAPES + scrape) as f64 };
            let time = end - (SCRAPES - 1 - scrape) * STEP;
            writeln!(text, "{one} {value} {time}").expect("a String takes everything");
        }
    }
    text + "# EOF\n"
}

fn with_history(end: u64) -> Prometheus {
    Prometheus::start_with("audit", "global: {}\n", |data| {
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

/// A query as Grafana would send it.
fn filled(query: &str) -> String {
    let mut query = query.trim().to_owned();
    for (variable, value) in [
        ("$service", ".*"),
        ("$instance", ".*"),
        ("$consumer", ".*"),
        ("${route:regex}", ".*"),
        ("$__rate_interval", "1m"),
        ("[[interval]]", "2m"),
        ("$n", "3"),
        ("offset 1d", "offset 1m"),
        ("1h]", "4m]"),
    ] {
        query = query.replace(variable, value);
    }
    query
}

/// What a query gives: label sets with numbers. Labels go by their old names.
fn answer(
    prometheus: &Prometheus,
    query: &str,
    time: u64,
) -> BTreeMap<BTreeMap<String, String>, f64> {
    let result = prometheus.query_at(query, time);
    let series = result.iter().map(|one| {
        let labels = one["metric"].as_object().expect("a vector has labels");
        let labels =
            labels.iter().filter(|(label, _)| *label != "__name__").map(|(label, value)| {
                let label = if label == "direction" { "type" } else { label };
                (label.to_owned(), value.as_str().expect("text").to_owned())
            });
        let value = one["value"][1].as_str().and_then(|value| value.parse().ok());
        (labels.collect(), value.expect("a number"))
    });
    series.collect()
}

/// A label that has one value only says nothing that the family's name does not say.
fn without_constant_type(
    answer: BTreeMap<BTreeMap<String, String>, f64>,
) -> BTreeMap<BTreeMap<String, String>, f64> {
    let mut types: Vec<Option<String>> = answer.keys().map(|it| it.get("type").cloned()).collect();
    types.sort();
    types.dedup();
    if types.len() > 1 {
        return answer;
    }
    let without = |(mut labels, value): (BTreeMap<String, String>, f64)| {
        labels.remove("type");
        (labels, value)
    };
    answer.into_iter().map(without).collect()
}

/// Boundaries that every pair of histograms has in common.
const COMMON: [f64; 4] = [50.0, 100.0, 1000.0, f64::INFINITY];

fn same_answer(original: &str, moved: &str, kind: &str, prometheus: &Prometheus, time: u64) {
    let mut old = answer(prometheus, original, time);
    let mut new = answer(prometheus, moved, time);
    assert!(!old.is_empty(), "{original} gives nothing");
    if kind == "panel" {
        (old, new) = (without_constant_type(old), without_constant_type(new));
    }
    // A family's own boundaries are in the answer: only those in common can be compared.
    let common = |labels: &BTreeMap<String, String>| {
        let le = labels.get("le").and_then(|le| le.parse::<f64>().ok());
        le.is_none_or(|le| COMMON.iter().any(|it| it.total_cmp(&le).is_eq()))
    };
    old.retain(|labels, _| common(labels));
    new.retain(|labels, _| common(labels));
    if original.contains("kong_nginx_connections_total") {
        // In 2.x the connections of streams are always 0.
        let of_http = |labels: &BTreeMap<String, String>| {
            labels.get("subsystem").is_none_or(|subsystem| subsystem != "stream")
        };
        old.retain(|labels, _| of_http(labels));
        new.retain(|labels, _| of_http(labels));
    }
    let keys = |answer: &BTreeMap<BTreeMap<String, String>, f64>| -> Vec<_> {
        answer.keys().cloned().collect()
    };
    assert_eq!(keys(&old), keys(&new), "{original}\n{moved}");
    for ((labels, old), new) in old.iter().zip(new.values()) {
        let same = if original.contains("histogram_quantile") {
            // Interpolated between other boundaries, but never across one that both have.
            COMMON.iter().all(|bound| (old <= bound) == (new <= bound))
        } else {
            (old - new).abs() <= 1e-9 * old.abs()
        };
        assert!(same, "{original} is {old}\n{moved} is {new}\n{labels:?}");
    }
}

#[test]
fn migrated_queries_have_the_same_results_in_prometheus() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let end = now - now % STEP;
    let prometheus = with_history(end);
    let mut compared = 0;
    for name in OLD {
        let with_streams = audited_with_differences(name, Generation::New, &[]).findings;
        // The history has no bandwidth of streams.
        let without = audited_with_differences(name, Generation::New, &[STREAMS]).findings;
        let of_bandwidth = without.into_iter().filter(|it| it.query.contains("bandwidth"));
        for finding in with_streams.into_iter().chain(of_bandwidth) {
            let Some(moved) = &finding.migrated else { continue };
            if finding.kind == "variable" {
                continue;
            }
            let (original, moved) = (filled(&finding.query), filled(moved));
            // Alerts compare with a limit; what they compare is what matters.
            let bare = |query: &str| query.split(" > ").next().unwrap_or(query).to_owned();
            let (original, moved) = if finding.kind == "alert" || finding.kind == "annotation" {
                (bare(&original), bare(&moved))
            } else {
                (original, moved)
            };
            same_answer(&original, &moved, finding.kind, &prometheus, end);
            compared += 1;
        }
    }
    assert!(compared > 30, "{compared}");

    // And back. Sessions occur in this traffic, so no family is declared absent.
    let mut compared = 0;
    for finding in audited_with_differences(NEW, Generation::Old, &[]).findings {
        let Some(moved) = finding.migrated.as_ref().filter(|_| finding.kind == "panel") else {
            continue;
        };
        // 2.x prints four states of streams, all zero.
        if finding.query.contains("nginx_connections_total)") {
            continue;
        }
        same_answer(&filled(&finding.query), &filled(moved), "panel", &prometheus, end);
        compared += 1;
    }
    assert!(compared >= 8, "{compared}");
}

/// Runs `promtool test rules` in a folder.
fn promtool_test(folder: &Path, test: &str) {
    let output = Command::new("promtool")
        .args(["test", "rules", test])
        .current_dir(folder)
        .output()
        .expect("promtool is installed (package prometheus)");
    assert!(output.status.success(), "{test}: {}", output.stderr.escape_ascii());
}

#[test]
fn migrated_rules_pass_their_unit_tests() {
    let name = "audit/units/dropped-label";
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("audit-units");
    std::fs::create_dir_all(&folder).expect("the target folder is writable");
    for file in ["rules.yml", "old_test.yml", "new_test.yml"] {
        let from = root("tests").join(name).join(file);
        std::fs::copy(from, folder.join(file)).expect("the target folder is writable");
    }
    promtool_test(&folder, "old_test.yml");
    let rules = std::fs::read_to_string(folder.join("rules.yml")).expect("a file");
    let auditor =
        Auditor::new(&packs::builtin(), Emit::Old, Generation::New, vec![STREAMS.to_owned()])
            .expect("no edition");
    let migrated = auditor.file(Path::new("rules.yml"), &rules).migrated.expect("all migrate");
    std::fs::write(folder.join("moved.yml"), migrated).expect("the target folder is writable");
    promtool_test(&folder, "new_test.yml");
}
