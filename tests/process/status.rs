//! `crossfade status` with a running gateway, and stand-ins for Prometheus.

use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::support::capture;
use crate::support::net::{Folder, Upstream, get, whole};
use crate::support::process::Process;

const OLD: &str = "small/prometheus/kong-2.8.5.per_consumer.txt";
const NEW: &str = "small/prometheus/kong-3.9.1.all_on.per_consumer.txt";

/// A gateway with one target, which has been scraped.
async fn gateway(emit: &str, exposition: &str) -> (Process, Upstream) {
    let kong = Upstream::answering(whole(capture(exposition))).await;
    let target = format!("--target=kong-1={}", kong.url());
    let serving = Process::serve(&[&format!("--emit={emit}"), &target]);
    assert_eq!(get(serving.data, "/targets/kong-1/metrics").await.status, 200);
    (serving, kong)
}

/// A Prometheus with one rule, which stores old names of one instance or of none.
async fn prometheus(query: &'static str, has_old: bool) -> Upstream {
    Upstream::scripted(move |mut exchange| async move {
        let body = exchange.body().await;
        let answer = if exchange.head.starts_with("GET /p/api/v1/rules ") {
            let rule = json!({"type": "recording", "name": "r:x", "query": query});
            json!({"data": {"groups": [{"name": "g", "file": "/r.yml", "rules": [rule]}]}})
        } else {
            assert!(exchange.head.starts_with("POST /p/api/v1/query "), "{}", exchange.head);
            let names = ["kong_bandwidth%7C", "kong_http_status%7C", "kong_latency_bucket%7C"];
            assert!(names.iter().all(|name| body.contains(name)), "{body}");
            assert!(!body.contains("kong_bandwidth_bytes"), "{body}");
            let sample = json!({"metric": {"job": "kong", "instance": "k:1"}, "value": [1, "12"]});
            let samples: Vec<Value> = if has_old { vec![sample] } else { Vec::new() };
            json!({"data": {"resultType": "vector", "result": samples}})
        };
        exchange.send(whole(answer.to_string())).await;
    })
    .await
}

async fn status(arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crossfade"));
    command.arg("status").args(arguments);
    let run = move || command.output().expect("it runs");
    let Output { status, stdout, stderr } =
        tokio::task::spawn_blocking(run).await.expect("no panic");
    let text = String::from_utf8([stdout, stderr].concat()).expect("text");
    (status.code(), text)
}

fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part}: {text}");
    }
}

const MOVED: &str = "sum(rate(kong_http_requests_total[5m]))";

#[tokio::test]
async fn before_the_upgrade_the_answer_is_no_with_everything_that_remains() {
    let (serving, kong) = gateway("old", OLD).await;
    let prometheus = prometheus("sum(rate(kong_http_status[5m]))", true).await;
    let folder = Folder::new("status-no");
    let panel = json!({"title": "Latency", "targets": [{"expr": "rate(kong_latency_sum[5m])"}]});
    let dashboard = json!({"schemaVersion": 39, "panels": [panel]});
    let dashboard = folder.write("d.json", &dashboard.to_string());
    let line = |query: &str, time: &str, more: &str| {
        format!("{{\"params\":{{\"query\":{}}},\"ts\":\"{time}\"{more}}}\n", json!(query))
    };
    let path = ",\"httpRequest\":{\"path\":\"/api/v1/query\",\"clientIP\":\"10.0.0.1\"}";
    let log = [
        line("kong_bandwidth", "2026-11-01T00:00:00Z", path),
        line("kong_bandwidth", "2026-11-02T00:00:00Z", path),
        line("up", "2026-11-02T00:00:00Z", path),
        line(
            "kong_http_status",
            "2026-11-02T00:00:00Z",
            ",\"ruleGroup\":{\"file\":\"f\",\"name\":\"n\"}",
        ),
    ];
    let log = folder.write("query.log", &log.concat());
    let admin = format!("http://{}/", serving.admin);
    let address = format!("http://{}/p", prometheus.address);
    let from_prometheus = format!("--prometheus={address}");
    let log = format!("--query-log={log}");
    let arguments = [&*admin, &dashboard, &from_prometheus, &log];
    let (code, text) = status(&arguments).await;
    assert_eq!(code, Some(1), "{text}");
    let first = "no: 1 target speaks old, 3 queries read old names\n";
    assert!(text.starts_with(first), "{text}");
    has(
        &text,
        &[
            &format!(
                "targets that speak old (1):\n  kong-1  {} through {admin}: Kong 2.x\n",
                kong.url()
            ),
            "Prometheus now gets old names from:\n  job kong, instance k:1: 12 series\n",
            "  prometheus: group g (/r.yml)\n    record r:x\n      sum(rate(kong_http_status[5m]))\n",
            "    panel Latency, line 1\n      rate(kong_latency_sum[5m])\n",
            "  query log\n    2 times, last 2026-11-02T00:00:00Z, by /api/v1/query\n      kong_bandwidth\n",
            &format!("crossfade audit {dashboard} --prometheus={address} --rewrite"),
            "what this cannot see:",
        ],
    );
    assert!(!text.contains("not known:"), "{text}");

    let (code, text) = status(&[&arguments[..], &["--format=json"]].concat()).await;
    assert_eq!(code, Some(1), "{text}");
    let report: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!((&report["answer"], &report["to"]), (&json!("no"), &json!("new")));
    assert_eq!(report["targets"][0]["need"], "speaks_other");
    assert_eq!(report["queries"].as_array().expect("a list").len(), 3);
}

#[tokio::test]
async fn after_all_steps_the_answer_is_yes() {
    let (serving, _kong) = gateway("new", NEW).await;
    let prometheus = prometheus(MOVED, false).await;
    let folder = Folder::new("status-yes");
    let dashboard = json!([{"title": "P", "expr": MOVED}]).to_string();
    let dashboard = folder.write("d.json", &dashboard);
    let admin = format!("http://{}", serving.admin);
    let from_prometheus = format!("--prometheus=http://{}/p", prometheus.address);
    let (code, text) = status(&[&admin, &dashboard, &from_prometheus]).await;
    let first = "yes: 1 target speaks new, and none of 2 queries reads old names\n";
    assert!(text.starts_with(first), "{text}");
    assert_eq!(code, Some(0), "{text}");

    // A rollback asks for the opposite.
    let (code, text) = status(&[&admin, &dashboard, "--to=old"]).await;
    assert_eq!(code, Some(1), "{text}");
    assert!(text.starts_with("no: 1 target speaks new, 1 query reads new names\n"), "{text}");

    // A source that does not answer, or is not given.
    let (code, text) = status(&[&admin, &dashboard, "http://127.0.0.1:1"]).await;
    assert_eq!(code, Some(2), "{text}");
    assert!(text.starts_with("not known: the targets of http://127.0.0.1:1/: "), "{text}");
    let (code, text) = status(&[&admin]).await;
    assert_eq!(code, Some(2), "{text}");
    has(
        &text,
        &["not known: what rules and alerts read: add --prometheus=URL", "what dashboards read"],
    );
    let (code, text) = status(&[&dashboard]).await;
    assert_eq!(code, Some(2), "{text}");
    has(&text, &["give the admin URL of each gateway"]);
}

#[tokio::test]
async fn while_the_gateway_emits_old_it_cannot_be_removed() {
    let (serving, _kong) = gateway("old", NEW).await;
    let prometheus = prometheus(MOVED, true).await;
    let folder = Folder::new("status-emits");
    let log =
        format!("{{\"params\":{{\"query\":{}}},\"ts\":\"2026-11-01T00:00:00Z\"}}\n", json!(MOVED));
    let log = format!("--query-log={}", folder.write("query.log", &log));
    let from_prometheus = format!("--prometheus=http://{}/p", prometheus.address);
    let admin = format!("http://{}", serving.admin);
    let (code, text) = status(&[&admin, &from_prometheus, &log]).await;
    assert_eq!(code, Some(1), "{text}");
    assert!(text.starts_with("no: 1 target is served as old\n"), "{text}");
    has(&text, &["set `emit: new` in the settings of Crossfade", "through http://", ": emit: old"]);

    // Instances that have old names although no gateway is known to serve them.
    let (code, text) = status(&[&from_prometheus, &log]).await;
    assert_eq!(code, Some(1), "{text}");
    assert!(text.starts_with("no: 1 instance has old names in Prometheus\n"), "{text}");

    let (code, text) = status(&[&admin, &from_prometheus, &log, "--since=0"]).await;
    assert_eq!(code, Some(1), "{text}");
    has(&text, &["query.log has no query of this time"]);
}
