//! The numbers of the comparison in the README: what other ways of renaming make of histograms while
//! Kong is upgraded node by node.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::Command;

use crossfade::mapping::Emit;

use crate::support::engine::{plan, rewrite};
use crate::support::{capture, naive};

/// The counts of the buckets of one node, by `le`.
type Buckets = BTreeMap<String, f64>;

fn buckets(exposition: &naive::Exposition, family: &str, kind: &str) -> Buckets {
    let mut buckets = Buckets::new();
    for (series, value) in exposition.stored() {
        if series.name == format!("{family}_bucket") && series.label("type") == kind {
            *buckets.entry(series.label("le").to_owned()).or_default() += value;
        }
    }
    assert!(buckets.len() > 10, "{family}: {buckets:?}");
    buckets
}

/// What Prometheus answers for the sum of two nodes. `None`: no data.
fn answered(nodes: [&Buckets; 2], query: &str) -> Option<String> {
    let mut test = "tests:\n  - interval: 1m\n    input_series:\n".to_owned();
    for (node, buckets) in nodes.iter().enumerate() {
        for (le, count) in *buckets {
            let series = format!("latency_bucket{{node=\"{node}\",le=\"{le}\"}}");
            writeln!(test, "      - {{ series: '{series}', values: '{count}' }}")
                .expect("a String");
        }
    }
    // No number is negative, so promtool prints what it got instead.
    write!(
        test,
        "    promql_expr_test:\n      - expr: {query}\n        eval_time: 0m\n        \
         exp_samples: [{{ labels: '{{}}', value: -1 }}]\n"
    )
    .expect("a String");
    let file = std::env::temp_dir().join(format!("crossfade-comparison-{}", std::process::id()));
    std::fs::write(&file, test).expect("a temporary file");
    let output = Command::new("promtool")
        .args(["test", "rules"])
        .arg(&file)
        .output()
        .expect("promtool is installed (package prometheus)");
    std::fs::remove_file(&file).expect("it is there");
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8(text).expect("promtool writes UTF-8");
    let got = text.split("got:").nth(1).unwrap_or_else(|| panic!("{query}: {text}"));
    let got = got.lines().next().expect("a line").trim().trim_start_matches("{}").trim();
    (got != "nil").then(|| got.to_owned())
}

#[test]
fn the_numbers_of_the_readme_are_those_of_genuine_output() {
    let old = naive::parse(&capture("medium/prometheus/kong-2.8.5.per_consumer.txt.gz"));
    let body = capture("medium/prometheus/kong-3.9.1.all_on.per_consumer.txt.gz");
    let new = naive::parse(&body);
    let emitted = rewrite(&plan(Emit::Old), &body).read();
    let old = buckets(&old, "kong_latency", "request");
    let renamed = buckets(&new, "kong_request_latency_ms", "");
    let emitted = buckets(&emitted, "kong_latency", "request");

    let p90 = |nodes| {
        let answer = answered(nodes, "histogram_quantile(0.9, sum by (le) (latency_bucket))");
        answer.map(|got| format!("{:.0}", got.parse::<f64>().expect("a number")))
    };
    let within = |nodes| {
        let query = "sum(latency_bucket{le=\"300\"}) / sum(latency_bucket{le=\"+Inf\"})";
        let answer = answered(nodes, query);
        answer.map(|got| format!("{:.1}", 100.0 * got.parse::<f64>().expect("a number")))
    };
    let some = |number: &str| Some(number.to_owned());
    // Two nodes of 2.8; then one of 3.9; then two of 3.9.
    assert_eq!((p90([&old, &old]), within([&old, &old])), (some("444"), some("85.4")));
    assert_eq!((p90([&old, &renamed]), within([&old, &renamed])), (some("740"), some("42.5")));
    assert_eq!((p90([&old, &emitted]), within([&old, &emitted])), (some("448"), some("85.2")));
    assert_eq!((within([&renamed, &renamed]), within([&emitted, &emitted])), (None, some("85.0")));
    let readme = include_str!("../../README.md");
    for number in ["444 ms", "740 ms", "448 ms", "85.4 %", "42.5 %", "85.2 %", "85.0 %"] {
        assert!(readme.contains(number), "{number}");
    }
}
