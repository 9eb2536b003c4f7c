//! `crossfade rules`: promtool loads what it writes, and a real Prometheus records with it what the
//! gateway writes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use crossfade::mapping::{self, BucketPolicy, Emit, Pack};
use crossfade::packs::SHIPPED;
use crossfade::rewrite::exposition::{History, Options as EngineOptions};
use crossfade::tools::rules::{self, Format, Options, Outcome, Spelling, Status};
use serde_json::{Value, json};

use crate::support::engine::try_rewrite;
use crate::support::naive::{self, Series};
use crate::support::prometheus::{Prometheus, StandIn, wait_for};
use crate::support::{capture, captures, root};

/// The two targets of each test.
const TARGETS: [&str; 2] = ["a:8001", "b:8001"];

fn shipped(name: &str) -> Vec<Pack> {
    let pack = SHIPPED.iter().find(|pack| pack.name == name).expect("a shipped pack");
    vec![pack.parse()]
}

/// The rules for a Prometheus 2, which the tests have.
fn rules_for(packs: &[Pack], to: Emit) -> Outcome {
    let options = Options { spelling: Spelling::AsExported, ..Options::new(to) };
    rules::rules(packs, &options).unwrap_or_else(|errors| panic!("{errors}"))
}

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("rules-{name}"));
    fs::create_dir_all(&folder).expect("the target folder is writable");
    folder
}

fn promtool(arguments: &[&str]) -> Result<String, String> {
    let output = Command::new("promtool")
        .args(arguments)
        .output()
        .expect("promtool is installed (package prometheus)");
    let text = String::from_utf8([output.stdout, output.stderr].concat()).expect("UTF-8");
    if output.status.success() { Ok(text) } else { Err(text) }
}

#[test]
fn promtool_loads_the_rules_of_every_pack() {
    let folder = folder("check");
    let mut checked = 0;
    for pack in SHIPPED {
        for to in [Emit::Old, Emit::New] {
            for spelling in [Spelling::Float, Spelling::AsExported] {
                let options = Options { spelling, ..Options::new(to) };
                let outcome = rules::rules(&[pack.parse()], &options).expect("a valid pack");
                if outcome.rules() == 0 {
                    continue;
                }
                let file = folder.join(format!("{}-{to}-{spelling:?}.yaml", pack.name));
                fs::write(&file, &outcome.text).expect("writable");
                let path = file.to_str().expect("UTF-8");
                let said = promtool(&["check", "rules", "--lint-fatal", path]);
                let said = said.unwrap_or_else(|error| panic!("{path}: {error}"));
                assert!(said.contains(&format!("{} rules found", outcome.rules())), "{said}");
                checked += 1;
            }
        }
    }
    assert!(checked >= 28, "{checked}");
}

/// The series that are recorded.
fn recorded(outcome: &Outcome) -> BTreeSet<&str> {
    let lines = outcome.text.lines();
    lines.filter_map(|line| line.trim().strip_prefix("- record: ")).collect()
}

fn shown(series: &Series, instance: &str) -> String {
    let quoted = |text: &str| serde_json::to_string(text).expect("text");
    let mut labels: Vec<String> =
        series.labels.iter().map(|(label, value)| format!("{label}={}", quoted(value))).collect();
    labels.push(format!("instance={}", quoted(instance)));
    labels.push("job=\"kong\"".to_owned());
    format!("{}{{{}}}", series.name, labels.join(","))
}

/// What a gateway that writes only boundaries which both generations have makes of a body.
fn gateway(packs: &[Pack], to: Emit, body: &[u8]) -> BTreeMap<Series, f64> {
    let settings =
        mapping::Settings { buckets: BucketPolicy::Common, ..mapping::Settings::new(to) };
    let plan = mapping::compile(packs, &settings).expect("valid packs").into();
    let outcome = try_rewrite(&plan, EngineOptions::default(), History::default(), [body]);
    outcome.unwrap_or_else(|error| panic!("{error}")).read().stored()
}

/// How results are compared: exactly, or after they were multiplied and rounded, because the values of
/// another unit can differ in the last digit.
#[derive(Clone, Copy)]
enum Compared {
    Exactly,
    Times(f64),
}

impl Compared {
    fn expr(self, name: &str) -> String {
        // The gateway writes buckets without observations that a target does not export.
        let samples =
            if name.ends_with("_bucket") { format!("{name} != 0") } else { name.to_owned() };
        match self {
            Compared::Exactly => samples,
            Compared::Times(factor) => format!("round(({samples}) * {factor})"),
        }
    }

    fn sample(self, series: &Series, value: f64, target: &str) -> Value {
        let shown = shown(series, target);
        match self {
            Compared::Exactly => json!({ "labels": shown, "value": value }),
            Compared::Times(factor) => {
                let labels = shown.strip_prefix(&*series.name).expect("it begins with the name");
                json!({ "labels": labels, "value": (value * factor).round() })
            }
        }
    }
}

/// A test of promtool: the recorded series of two targets with the same body are those that the
/// gateway writes. Returns the number of series.
fn unit_test(
    (rules, recorded): (&Path, &BTreeSet<&str>),
    body: &[u8],
    expected: &BTreeMap<Series, f64>,
    compared: Compared,
) -> (Value, usize) {
    let input = naive::parse(body).stored();
    let series = |target: &'static str| {
        let finite = input.iter().filter(|(_, value)| value.is_finite());
        finite.map(move |(series, value)| {
            json!({ "series": shown(series, target), "values": format!("{value}") })
        })
    };
    let series: Vec<Value> = TARGETS.into_iter().flat_map(series).collect();
    let mut count = 0;
    let tests: Vec<Value> = recorded
        .iter()
        .map(|name| {
            let own = expected.iter().filter(|(its, value)| {
                let is_left_out = name.ends_with("_bucket") && **value == 0.0;
                its.name == *name && value.is_finite() && !is_left_out
            });
            let samples = own.flat_map(|(its, value)| {
                TARGETS.map(|target| compared.sample(its, *value, target))
            });
            let samples: Vec<Value> = samples.collect();
            count += samples.len();
            json!({ "expr": compared.expr(name), "eval_time": "0m", "exp_samples": samples })
        })
        .collect();
    let test = json!({
        "rule_files": [rules],
        "evaluation_interval": "1m",
        "tests": [{ "interval": "1m", "input_series": series, "promql_expr_test": tests }],
    });
    (test, count)
}

/// Checks that recorded series are those of the gateway. Returns their number.
fn check_equal(name: &str, packs: &[Pack], to: Emit, body: &[u8], compared: Compared) -> usize {
    let outcome = rules_for(packs, to);
    if outcome.rules() == 0 {
        return 0;
    }
    let folder = folder(&name.replace('/', "-"));
    let (file, test) = (folder.join(format!("{to}.yaml")), folder.join(format!("{to}.test.yaml")));
    fs::write(&file, &outcome.text).expect("writable");
    let expected = gateway(packs, to, body);
    let recorded = recorded(&outcome);
    let (value, count) = unit_test((&file, &recorded), body, &expected, compared);
    fs::write(&test, value.to_string()).expect("writable");
    if let Err(error) = promtool(&["test", "rules", test.to_str().expect("UTF-8")]) {
        let start: String = error.chars().take(6000).collect();
        panic!("{name} to {to}: {start}");
    }
    count
}

#[test]
fn recorded_series_of_kong_are_those_of_the_gateway() {
    let packs = shipped("kong");
    let mut count = 0;
    for scale in ["tiny", "small"] {
        for name in captures(scale) {
            for to in [Emit::Old, Emit::New] {
                count += check_equal(&name, &packs, to, &capture(&name), Compared::Exactly);
            }
        }
    }
    assert!(count > 70_000, "{count}");
}

/// The relabeling for a Prometheus 2.
fn relabeling_for(packs: &[Pack], to: Emit) -> Outcome {
    let (format, spelling) = (Format::Relabel, Spelling::AsExported);
    let options = Options { format, spelling, ..Options::new(to) };
    rules::rules(packs, &options).unwrap_or_else(|errors| panic!("{errors}"))
}

/// A scrape configuration of one target.
fn scrape_config(job: &str, address: &str, relabeling: &str) -> String {
    let indented: Vec<String> = relabeling.lines().map(|line| format!("    {line}\n")).collect();
    let indented = indented.concat();
    format!(
        "  - job_name: {job}\n    static_configs:\n      - targets: [\"{address}\"]\n        \
         labels: {{ instance: a }}\n{indented}"
    )
}

#[test]
fn prometheus_relabels_as_the_gateway_renames() {
    let mut cases: Vec<(Vec<Pack>, Emit, Vec<u8>)> = Vec::new();
    for (name, to) in [
        ("small/prometheus/kong-2.8.5.per_consumer.txt", Emit::New),
        ("small/prometheus/kong-3.9.1.all_on.per_consumer.txt", Emit::Old),
    ] {
        cases.push((shipped("kong"), to, capture(name)));
    }
    for (pack, to, body) in samples("tests/packs") {
        cases.push((shipped(&pack), to, body));
    }
    for (pack, to, body) in samples("tests/rules") {
        let text = fs::read_to_string(root("tests/rules").join(format!("{pack}.yaml")));
        cases.push((
            vec![Pack::parse("test.yaml", &text.expect("readable")).expect("valid")],
            to,
            body,
        ));
    }
    let mut config =
        "global: { scrape_interval: 1s, scrape_timeout: 1s }\nscrape_configs:\n".to_owned();
    let (mut running, mut claimed) = (Vec::new(), Vec::new());
    for (at, (packs, to, body)) in cases.into_iter().enumerate() {
        let relabeling = relabeling_for(&packs, to);
        let exact = relabeling.families.iter().filter(|it| it.status == Status::Exact);
        let names: Vec<String> = exact.map(|it| it.family.replace("{rest*}", ".+")).collect();
        if names.is_empty() {
            continue;
        }
        let plan = Arc::new(mapping::compile(&packs, &mapping::Settings::new(to)).expect("valid"));
        let output = try_rewrite(&plan, EngineOptions::default(), History::default(), [&body[..]]);
        let output = output.unwrap_or_else(|error| panic!("{error}")).body;
        let target = StandIn::start(move |_| Some(body.clone()));
        let gateway = StandIn::start(move |_| Some(output.clone()));
        config += &scrape_config(&format!("target-{at}"), &target.address(), &relabeling.text);
        config += &scrape_config(&format!("plain-{at}"), &target.address(), "");
        config += &scrape_config(&format!("gateway-{at}"), &gateway.address(), "");
        running.extend([target, gateway]);
        claimed.push((
            at,
            packs[0].name().to_owned(),
            format!("({})(_bucket|_sum|_count)?", names.join("|")),
        ));
    }
    let folder = folder("relabel");
    let file = folder.join("prometheus.yml");
    fs::write(&file, &config).expect("writable");
    let said = promtool(&["check", "config", file.to_str().expect("UTF-8")]);
    said.unwrap_or_else(|error| panic!("{error}"));
    let prometheus = Prometheus::start("relabel", &config);
    let mut count = 0;
    for (at, pack, names) in &claimed {
        let is_up =
            |job: &str| prometheus.number(&format!("up{{job=\"{job}-{at}\"}}")) == Some(1.0);
        count += wait_for(&format!("equal series of {pack} ({at})"), || {
            let gateway = matching(&prometheus, &format!("gateway-{at}"), names);
            let target = matching(&prometheus, &format!("target-{at}"), names);
            (is_up("gateway") && is_up("target") && target == gateway).then_some(gateway.len())
        });
        // No two series became one.
        let count_of = |job: &str| prometheus.number(&format!("count({{job=\"{job}-{at}\"}})"));
        wait_for("an unchanged number of series", || {
            (is_up("plain") && count_of("target") == count_of("plain")).then_some(())
        });
        let marks = format!("count({{job=\"target-{at}\",__tmp_crossfade!=\"\"}})");
        assert_eq!(prometheus.number(&marks), None);
    }
    assert!(claimed.len() >= 15 && count > 290, "{} {count}", claimed.len());
}

/// The files of a folder of tests by pack and generation: `NAME[.PROGRAM].old.txt`.
fn samples(path: &str) -> Vec<(String, Emit, Vec<u8>)> {
    let mut found = Vec::new();
    for file in fs::read_dir(root(path)).expect("readable") {
        let file = file.expect("readable").path();
        let name = file.file_name().expect("a file").to_str().expect("UTF-8").to_owned();
        let to = match name {
            _ if name.ends_with(".old.txt") => Emit::New,
            _ if name.ends_with(".new.txt") => Emit::Old,
            _ => continue,
        };
        let pack = name.split('.').next().expect("a name").to_owned();
        // Samples of 2019 are too old for a query.
        let body = fs::read_to_string(&file).expect("readable").replace(" 1569000000000\n", "\n");
        found.push((pack, to, body.into_bytes()));
    }
    found
}

#[test]
fn recorded_series_of_other_products_are_those_of_the_gateway() {
    let mut count = 0;
    for (at, (pack, to, body)) in samples("tests/packs").into_iter().enumerate() {
        // Milliseconds and seconds.
        let has_units = ["node_exporter", "opentelemetry_http"].contains(&&*pack);
        let compared = match to {
            _ if !has_units => Compared::Exactly,
            Emit::New => Compared::Times(1e9),
            _ => Compared::Times(1e3),
        };
        count += check_equal(&format!("{pack}-{at}"), &shipped(&pack), to, &body, compared);
    }
    assert!(count > 1500, "{count}");
}

#[test]
fn recorded_series_of_the_test_packs_are_those_of_the_gateway() {
    let mut count = 0;
    for (pack, to, body) in samples("tests/rules") {
        let text = fs::read_to_string(root("tests/rules").join(format!("{pack}.yaml")));
        let packs = [Pack::parse("test.yaml", &text.expect("readable")).expect("valid")];
        count += check_equal(&pack, &packs, to, &body, Compared::Exactly);
    }
    assert!(count > 120, "{count}");
}

#[test]
fn a_recorded_difference_does_not_decrease_until_the_target_is_restarted() {
    let folder = folder("difference");
    let file = folder.join("rules.yaml");
    fs::write(&file, rules_for(&shipped("kong"), Emit::New).text).expect("writable");
    let series = |name: &str, consumer: &str, values: &str| {
        let labels = format!("code=\"200\",{consumer}instance=\"a\",job=\"kong\"");
        json!({ "series": format!("{name}{{{labels}}}"), "values": values })
    };
    let at = |minute: usize, value: u32| {
        json!({
            "expr": "kong_http_requests_total{consumer=\"\"}",
            "eval_time": format!("{minute}m"),
            "exp_samples": [{
                "labels": "kong_http_requests_total{code=\"200\",instance=\"a\",job=\"kong\"}",
                "value": value,
            }],
        })
    };
    // At 1 the consumer was counted before the total; before 3 the target was restarted; at 4 all
    // requests are those of the consumer.
    let test = json!({
        "rule_files": [file],
        "evaluation_interval": "1m",
        "tests": [{
            "interval": "1m",
            "input_series": [
                series("kong_http_status", "", "10 10 12 3 8"),
                series("kong_http_consumer_status", "consumer=\"ann\",", "4 5 6 1 8"),
            ],
            "promql_expr_test": [at(0, 6), at(1, 6), at(2, 6), at(3, 2), at(4, 2)],
        }],
    });
    let path = folder.join("test.yaml");
    fs::write(&path, test.to_string()).expect("writable");
    promtool(&["test", "rules", path.to_str().expect("UTF-8")]).unwrap_or_else(|e| panic!("{e}"));
}

/// The samples of a job with these names, without buckets that count nothing.
fn stored(prometheus: &Prometheus, job: &str, names: &BTreeSet<&str>) -> BTreeMap<Series, f64> {
    let names: Vec<&str> = names.iter().copied().collect();
    let mut stored = matching(prometheus, job, &names.join("|"));
    stored.retain(|series, value| !(series.name.ends_with("_bucket") && *value == 0.0));
    stored
}

/// The samples of a job whose names match, without the labels of the target.
fn matching(prometheus: &Prometheus, job: &str, names: &str) -> BTreeMap<Series, f64> {
    let query = format!("{{__name__=~\"{names}\",job=\"{job}\"}}");
    let mut stored = BTreeMap::new();
    for sample in prometheus.query(&query) {
        let labels = sample["metric"].as_object().expect("labels").iter();
        let mut labels: BTreeMap<String, String> = labels
            .map(|(label, value)| (label.clone(), value.as_str().expect("text").to_owned()))
            .collect();
        let name = labels.remove("__name__").expect("a name");
        for label in ["job", "instance"] {
            labels.remove(label);
        }
        let value = sample["value"][1].as_str().expect("text").parse().expect("a number");
        stored.insert(Series { name, labels }, value);
    }
    stored
}

#[expect(clippy::float_cmp, reason = "infinite values are equal, and their quotient is no number")]
fn are_close(recorded: &BTreeMap<Series, f64>, expected: &BTreeMap<Series, f64>) -> bool {
    let is_close =
        |a: f64, b: f64| a == b || a.is_nan() && b.is_nan() || (a / b - 1.0).abs() < 1e-12;
    recorded.len() == expected.len()
        && recorded.iter().zip(expected).all(|(a, b)| a.0 == b.0 && is_close(*a.1, *b.1))
}

/// Prometheus scrapes a target and the output of a gateway for it, and records rules for the first.
#[track_caller]
fn record(name: &str, packs: &[Pack], to: Emit, body: &[u8]) -> usize {
    let outcome = rules_for(packs, to);
    let recorded = recorded(&outcome);
    let settings =
        mapping::Settings { buckets: BucketPolicy::Common, ..mapping::Settings::new(to) };
    let plan = Arc::new(mapping::compile(packs, &settings).expect("valid packs"));
    let output = try_rewrite(&plan, EngineOptions::default(), History::default(), [body]);
    let output = output.unwrap_or_else(|error| panic!("{error}")).body;
    let body = body.to_vec();
    let target = StandIn::start(move |_| Some(body.clone()));
    let gateway = StandIn::start(move |_| Some(output.clone()));
    let folder = folder(name);
    let file = folder.join("rules.yaml");
    fs::write(&file, &outcome.text).expect("writable");
    let job = |job: &str, address: &str| {
        json!({
            "job_name": job,
            "static_configs": [{ "targets": [address], "labels": { "instance": "a" } }],
        })
    };
    let config = json!({
        "global": { "scrape_interval": "1s", "evaluation_interval": "1s" },
        "rule_files": [file],
        "scrape_configs": [job("target", &target.address()), job("gateway", &gateway.address())],
    });
    let prometheus = Prometheus::start(&format!("rules-{name}"), &config.to_string());
    let mut seen = (0, 0);
    wait_for("the recorded series to be those of the gateway", || {
        let expected = stored(&prometheus, "gateway", &recorded);
        let found = stored(&prometheus, "target", &recorded);
        if seen != (found.len(), expected.len()) {
            seen = (found.len(), expected.len());
            eprintln!("{name}: {} recorded, {} of the gateway", seen.0, seen.1);
        }
        (!expected.is_empty() && are_close(&found, &expected)).then_some(expected.len())
    })
}

#[test]
fn a_real_prometheus_records_what_the_gateway_writes() {
    for (name, to) in [
        ("small/prometheus/kong-2.5-plugin-1.3.0.http_stream.txt", Emit::New),
        ("small/prometheus/kong-3.9.1.http_stream.txt", Emit::Old),
    ] {
        let count = record(&format!("kong-{to}"), &shipped("kong"), to, &capture(name));
        assert!(count > 600, "{name}: {count}");
    }
    for (name, to) in [("node-exporter-0.15.txt", Emit::New), ("node-exporter-0.16.txt", Emit::Old)]
    {
        let body = fs::read(root("tests/captures/others").join(name)).expect("readable");
        let count = record(&format!("node-{to}"), &shipped("node_exporter"), to, &body);
        assert!(count >= 40, "{name}: {count}");
    }
}
