//! A real Prometheus on lines about which one may argue.
//!
//! The naive parser decides what every other test expects; here Prometheus decides about the naive
//! parser.
#![allow(clippy::format_push_string, reason = "a body is built line by line, as it reads")]

use std::collections::BTreeMap;

use crate::support::lines::{ENDS, LINES};
use crate::support::naive::{self, Item, Series};
use crate::support::prometheus::{Prometheus, StandIn, wait_for};

#[test]
fn the_naive_parser_agrees_with_prometheus() {
    let body = |line: &[u8]| [b"before 1\n", line, b"\nafter 2"].concat();
    let lines: Vec<&[u8]> = LINES.iter().chain(ENDS).copied().collect();
    let bodies: Vec<Vec<u8>> = lines.iter().map(|line| body(line)).collect();
    let served = bodies.clone();
    let upstream = StandIn::start(move |path| {
        served.get(path.strip_prefix("/case/")?.parse::<usize>().ok()?).cloned()
    });
    let mut config = String::from(
        "global: {scrape_interval: 1s, scrape_timeout: 1s}\n\
         scrape_configs:\n- job_name: cases\n  static_configs:\n",
    );
    for case in 0..lines.len() {
        config.push_str(&format!(
            "  - targets: ['{}']\n    labels: {{__metrics_path__: /case/{case}, case: '{case}'}}\n",
            upstream.address()
        ));
    }
    let prometheus = Prometheus::start("verdicts", &config);
    let up = wait_for("every body to be scraped", || {
        let up = prometheus.query("up");
        (up.len() == lines.len()).then_some(up)
    });
    let stored = prometheus.query("{case!=\"\",__name__!~\"up|scrape_.*\"}");

    let mut wrong = Vec::new();
    for (case, line) in lines.iter().enumerate() {
        let shown = line.escape_ascii();
        let name = case.to_string();
        let of_case =
            |result: &&serde_json::Value| result["metric"]["case"].as_str() == Some(name.as_str());
        let up = up.iter().find(of_case).expect("one for each");
        let accepted = up["value"][1] == "1";
        let read = naive::parse(&bodies[case]);
        if accepted != read.refused().is_empty() {
            wrong.push(format!("{shown}: up is {accepted}, we say {:?}", read.refused()));
        }
        if !accepted {
            continue;
        }
        let actual: BTreeMap<Series, f64> = stored.iter().filter(of_case).map(as_series).collect();
        let lines = crate::support::differences(&read.stored(), &actual);
        wrong.extend(lines.iter().map(|difference| format!("{shown}: {difference}")));
        if read.lines.iter().any(|(item, _)| *item == Item::End) != (actual.len() == 1) {
            wrong.push(format!("{shown}: {} samples stored", actual.len()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A series of an instant query, without the labels of its target.
fn as_series(result: &serde_json::Value) -> (Series, f64) {
    let mut series = Series::new("", &[]);
    for (label, value) in result["metric"].as_object().expect("labels") {
        let value = value.as_str().expect("label values are text");
        match label.as_str() {
            "__name__" => value.clone_into(&mut series.name),
            "job" | "instance" | "case" => {}
            _ => series = series.with(label, value),
        }
    }
    (series, result["value"][1].as_str().expect("text").parse().expect("a number"))
}
