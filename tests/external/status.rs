//! `crossfade status` and `audit` with a real Prometheus: its rules, its series and its query log.

use std::process::{Command, Output};

use crate::support::prometheus::{Prometheus, StandIn, wait_for};
use crate::support::{capture, root};

const OLD: &str = "small/prometheus/kong-2.8.5.per_consumer.txt";

fn crossfade(arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crossfade"));
    let Output { status, stdout, stderr } =
        command.args(arguments).current_dir(root("")).output().expect("it runs");
    let text = String::from_utf8([stdout, stderr].concat()).expect("text");
    (status.code(), text)
}

#[test]
fn prometheus_tells_what_still_reads_old_names() {
    let kong = StandIn::start(|_| Some(capture(OLD)));
    let log = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("status-query.log");
    drop(std::fs::remove_file(&log));
    let rules = log.with_extension("rules.yml");
    let group = "groups:\n- name: kong\n  interval: 1s\n  rules:\n  - record: kong:requests:rate5m\n    \
                 expr: sum by (code) (rate(kong_http_status{service=\"a\"}[5m]))\n";
    std::fs::write(&rules, group).expect("the target folder is writable");
    let config = format!(
        "global: {{scrape_interval: 1s, query_log_file: {}}}\nrule_files: [{}]\n\
         scrape_configs: [{{job_name: kong, static_configs: [{{targets: ['{}']}}]}}]\n",
        log.display(),
        rules.display(),
        kong.address()
    );
    let prometheus = Prometheus::start("status", &config);
    wait_for("series of Kong", || prometheus.number("count(kong_http_status)"));
    // The log is written when the query has ended.
    wait_for("a line in the query log", || {
        let text = std::fs::read_to_string(&log).ok()?;
        (text.contains("count(kong_http_status)") && text.contains("ruleGroup")).then_some(())
    });

    let from = format!("--prometheus=http://{}", prometheus.address());
    let query_log = format!("--query-log={}", log.display());
    let (code, text) = crossfade(&["status", &from, &query_log]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.starts_with("no: 2 queries read old names, 1 instance has old names"), "{text}");
    for part in [
        &format!("job kong, instance {}: ", kong.address()),
        "record kong:requests:rate5m\n",
        "by /api/v1/query\n      count(kong_http_status)",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    // Its own query is in the log by now.
    wait_for("the query of status in the log", || {
        std::fs::read_to_string(&log).ok()?.contains("# crossfade status").then_some(())
    });
    let (_, text) = crossfade(&["status", &from, &query_log]);
    assert!(text.starts_with("no: 2 queries read old names, 1 instance has old names"), "{text}");
    // Without Prometheus' API, the queries of rules are known from the log.
    let (_, text) = crossfade(&["status", &query_log]);
    assert!(text.contains("by rule group kong ("), "{text}");

    // The migrated rules are valid.
    let out = log.with_extension("out");
    drop(std::fs::remove_dir_all(&out));
    let output = format!("--output={}", out.display());
    let (code, text) = crossfade(&["audit", &from, "--rewrite", &output]);
    assert_eq!(code, Some(0), "{text}");
    let file = out.join("prometheus/status-query.rules-kong.yaml");
    let written = std::fs::read_to_string(&file).expect("written");
    assert!(written.contains("kong_http_requests_total"), "{written}");
    let checked = Command::new("promtool").args(["check", "rules"]).arg(&file).output();
    let checked = checked.expect("promtool is installed (package prometheus)");
    assert!(checked.status.success(), "{}", checked.stderr.escape_ascii());
}
