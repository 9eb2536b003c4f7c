//! A real Prometheus.

mod support;

use std::collections::BTreeMap;

use support::naive::{self, Item, Series};
use support::prometheus::{Prometheus, StandIn, wait_for};
use support::assert_same_series;

/// Lines on which opinions differ. Each is served between two good ones.
const LINES: &[&[u8]] = &[
    b"a 1",
    b" a 1",
    b"\ta{x=\"1\"} 1",
    b"a \t1 \t ",
    b"a{x=\"1\" , y\t= \"2\",\t} 1",
    b"a{} 1",
    b"a{x=\"1\"}1",
    b"a{x=\"1\"y=\"2\"} 1",
    b"a{x=\"1\" y=\"2\"} 1",
    b"a{x=\"two\nlines\"} 1",
    b"a{x=\"two\\\nlines\"} 1",
    b"a{x=\"carriage\r\nreturn\"} 1",
    b"a{x=\"\\\\ \\\" \\n \\q \\\xc3\xa9\"} 1",
    b"a{x=\"\\\"} 1",
    b"a{x=\"nul\0\"} 1",
    b"a{x=\"}, y=\"} 1",
    b"a{x=\"\"} 1",
    b"a{x=\"\",x=\"\"} 1",
    b"a{x=\"\",x=\"1\"} 1",
    b"a{x=\"1\",x=\"\"} 1",
    b"a{x=\"1\",x=\"2\",x=\"\"} 1",
    b"a{x=\"1\",x=\"1\"} 1",
    b"a{x=\"1\",x=\"2\"} 1",
    b"a{__name__=\"b\"} 1",
    b"a{x=\"caf\xe9\"} 1",
    b"a{x=\"open} 1",
    b"a{x=open} 1",
    b"a{x='1'} 1",
    b"a{x} 1",
    b"a{,} 1",
    b"a{x=\"1\",,} 1",
    b"a{x:y=\"1\"} 1",
    b"a{1x=\"1\"} 1",
    b"a{\nx=\"1\"} 1",
    b"a{x=\"1\"\n} 1",
    b"a {x=\"1\"} 1",
    b"a{x=\"1\"} {y=\"2\"} 1",
    b"a:b:c 1",
    b":a 1",
    b"1a 1",
    b"a-b 1",
    b"a+1",
    b"a.5",
    b"{x=\"1\"} 1",
    b"a",
    b"a ",
    b"a{x=\"1\"}",
    b"\xef\xbb\xbfa 1",
    b"\xc3\xa9 1",
    b"<html>",
    b"a 1\r",
    b"\r",
    b"a 1 \r",
    b"a +Inf",
    b"a infinity",
    b"a -INF",
    b"a nan",
    b"a NaN",
    b"a -nan",
    b"a +nan",
    b"a 1e3",
    b"a 1E-3",
    b"a .5",
    b"a 5.",
    b"a .",
    b"a +1",
    b"a --1",
    b"a 0x10",
    b"a 0x1p3",
    b"a 1_000",
    b"a 1e999",
    b"a 1e-999",
    b"a 1,5",
    b"a nil",
    b"a 1{",
    b"a 1 # {t=\"1\"} 1",
    b"a 1 2 3",
    b"a 1 -5",
    b"a 1 1.5",
    b"a 1 99999999999999999999",
    b"# HELP a",
    b"# HELP a ",
    b"# HELP  a  text ",
    b"#\tHELP\ta\ttext",
    b"# HELP a caf\xe9",
    b"# HELP a nul \0 nul",
    b"# HELP ",
    b"# HELP",
    b"# HELP 1a text",
    b"# HELP a{ text",
    b"# TYPE a counter",
    b"# TYPE a\tgauge",
    b"# TYPE a  gauge",
    b"# TYPE a counter ",
    b"# TYPE a Counter",
    b"# TYPE a unknown",
    b"# TYPE a info",
    b"# TYPE a",
    b"# TYPE a ",
    b"# TYPE ",
    b"# TYPE",
    b"#TYPE a nothing",
    b" # TYPE a gauge",
    b"# TYPEa nothing",
    b"# type a nothing",
    b"#",
    b"# EOF",
    b"# any thing {",
    b"# a\0b",
    b"# HELP\0 a",
    b"a\0 1",
    b"a \0 1",
    b"a{\0x=\"1\"} 1",
    b"a 1\0",
    b"a 1 \0",
    b"# caf\xe9 \0",
    b"",
    b" \t ",
];

/// Lines that end the body, in Prometheus' eyes: what follows is lost without a word.
const ENDS: &[&[u8]] = &[b"\0", b"\0a 1", b" \0", b"#\0", b"#a\0b", b"# \0", b"#  \0 x"];

#[test]
fn the_naive_parser_agrees_with_a_real_prometheus() {
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
        let of_case = |result: &&serde_json::Value| result["metric"]["case"] == case.to_string();
        let up = up.iter().find(of_case).expect("one for each");
        let accepted = up["value"][1] == "1";
        let read = naive::parse(&bodies[case]);
        if accepted != read.refused().is_empty() {
            wrong.push(format!("{shown}: up is {accepted}, we say {:?}", read.refused()));
        }
        if !accepted {
            continue;
        }
        let actual: BTreeMap<Series, f64> =
            stored.iter().filter(of_case).map(as_series).collect();
        let lines = support::differences(&read.stored(), &actual);
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
            "__name__" => series.name = value.to_owned(),
            "job" | "instance" | "case" => {}
            _ => series = series.with(label, value),
        }
    }
    (series, result["value"][1].as_str().expect("text").parse().expect("a number"))
}

#[test]
fn placeholder() {
    assert_same_series(&BTreeMap::new(), &BTreeMap::new(), "");
}
