//! `crossfade rules`, as a shell sees it.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn rules(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crossfade"));
    command.arg("rules").args(arguments).output().expect("it starts")
}

#[track_caller]
fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("text")
}

#[test]
fn rules_are_written_to_stdout_or_a_file_and_the_report_to_stderr() {
    let output = rules(&["--to=old"]);
    assert_eq!(output.status.code(), Some(0));
    let (written, report) = (text(output.stdout), text(output.stderr));
    assert!(written.contains("\ngroups:\n  - name: crossfade_kong_to_old\n"), "{written}");
    assert!(report.starts_with("9 rules for 6 families as the gateway writes them"), "{report}");

    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("rules-of-kong.yaml");
    let path = file.to_str().expect("UTF-8");
    let output = rules(&["--to=old", "--output", path, "--report=none"]);
    assert_eq!((text(output.stdout), text(output.stderr)), (String::new(), String::new()));
    assert_eq!(std::fs::read_to_string(&file).expect("it was written"), written);
}

#[test]
fn the_report_can_be_json() {
    let output = rules(&["--to=new", "--report=json"]);
    let report: Value = serde_json::from_slice(&output.stderr).expect("JSON");
    let families = report["families"].as_array().expect("a list");
    let find = |name: &str| families.iter().find(|it| it["family"] == name).expect(name);
    assert_eq!(find("kong_bandwidth_bytes")["status"], "exact");
    assert_eq!(find("kong_bandwidth_bytes")["reasons"].as_array().map(Vec::len), Some(0));
    let latency = find("kong_kong_latency_ms");
    assert_eq!((&latency["status"], &latency["rules"]), (&"partly".into(), &3.into()));
}

#[test]
fn boundaries_are_those_of_the_prometheus_that_loads_the_rules() {
    let written = |version: &str| {
        text(rules(&["--to=2.5", "--pack=kong", version]).stdout)
            .contains("labels: { le: \"00001.0\" }")
    };
    assert!(written("--prometheus=2") && !written("--prometheus=3"));
}

#[test]
fn if_no_rule_is_possible_nothing_is_written() {
    let output = rules(&["--to=new", "--pack=spring_boot"]);
    assert_eq!((output.status.code(), text(output.stdout)), (Some(2), String::new()));
    let error = text(output.stderr);
    assert!(error.contains("not possible: http_server_requests_seconds"), "{error}");
    assert!(error.ends_with("no family of the packs can be expressed\n"), "{error}");
    let error = text(rules(&["--to=both"]).stderr);
    assert!(error.contains("rules write one generation, not both"), "{error}");
}
