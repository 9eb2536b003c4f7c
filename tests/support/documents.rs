//! The examples of the documentation and the exported metrics, for tests that compare them with
//! the code or check them with promtool.

use std::sync::Arc;

use crossfade::mapping::{EditionName, Emit, Generation};
use crossfade::rewrite::exposition::{DropReason, Missing, RefusedBecause, Report, Rewritten};
use crossfade::telemetry::{ConnectionRefusal, Metrics, RequestRefusal};

pub(crate) const DASHBOARD: &str = include_str!("../../deploy/grafana-dashboard.json");

/// Documents with settings and configurations.
pub(crate) const DOCUMENTS: &[(&str, &str)] = &[
    ("README.md", include_str!("../../README.md")),
    ("docs/troubleshooting.md", include_str!("../../docs/troubleshooting.md")),
    ("docs/deployment.md", include_str!("../../docs/deployment.md")),
    ("docs/packs-shipped.md", include_str!("../../docs/packs-shipped.md")),
    ("docs/security.md", include_str!("../../docs/security.md")),
];

/// The YAML examples of a document that name this file in their first line.
pub(crate) fn snippets<'a>(document: &'a str, file: &str) -> Vec<&'a str> {
    let blocks = document.split("```yaml\n").skip(1);
    let blocks = blocks.map(|block| block.split("```").next().expect("a first part"));
    blocks.filter(|block| block.starts_with(&format!("# {file}\n"))).collect()
}

/// Every query of a dashboard, at any depth.
pub(crate) fn queries(value: &serde_json::Value, into: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(keys) => {
            let query = keys.get("expr").or_else(|| keys.get("definition"));
            into.extend(query.and_then(serde_json::Value::as_str).map(str::to_owned));
            keys.values().for_each(|value| queries(value, into));
        }
        serde_json::Value::Array(items) => items.iter().for_each(|value| queries(value, into)),
        _ => {}
    }
}

/// All metrics, each with at least one sample.
pub(crate) fn metrics() -> String {
    let metrics = Arc::new(Metrics::new());
    let target = metrics.target("kong");
    let mut report = Report::default();
    report.dropped.insert(DropReason::Malformed(crossfade::exposition::Flaw::BadValue), 1);
    report.unrewritten.insert(RefusedBecause::NotJoinable, 1);
    report.generations.insert(Generation::Old);
    let edition: EditionName = "2.8".parse().expect("a valid name");
    report.editions.insert(edition);
    report.emitted_editions.insert((Generation::Old, edition));
    target.joined();
    target.left("timeout");
    report.rewritten.push(Rewritten { from: "a".into(), to: "b".into(), ..Rewritten::default() });
    report.missing.push(Missing {
        pack: "p".to_owned(),
        input: "c".into(),
        generation: Generation::Old,
        rules: Vec::new(),
        hint: None,
        option: None,
        optional: false,
        expected: Vec::new(),
    });
    report.complete = true;
    target.start().end("success", &report);
    metrics.refused(RequestRefusal::UnknownPath);
    metrics.passed_through("kong", "answered");
    let listener = metrics.http_listener("data");
    drop(listener.connection());
    listener.refused(ConnectionRefusal::Malformed);
    let listener = metrics.statsd_listener("udp://0.0.0.0:8125");
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a free port");
    listener.watch_kernel_drops(&[socket]);
    drop(listener.rewrite(Emit::Old));
    let sink = metrics.statsd_sink("udp://statsd:8125");
    sink.failed("resolve");
    metrics.text()
}
