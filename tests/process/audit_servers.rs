//! `crossfade audit` with dashboards of a Grafana and rules of a Prometheus.

use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::support::grafana::Dashboards;
use crate::support::net::{Folder, Upstream};
use crate::support::prometheus::StandIn;

const OLD: &str = "sum(rate(kong_http_status{service=\"a\"}[5m]))";
const NEW: &str = "sum(rate(kong_http_requests_total{service=\"a\"}[5m]))";

fn dashboard(title: &str, query: &str) -> Value {
    let target = json!({"expr": query, "refId": "A"});
    let panel = json!({"type": "graph", "title": "Requests", "targets": [target]});
    json!({"title": title, "schemaVersion": 39, "panels": [panel]})
}

fn query(dashboard: &Value) -> &str {
    dashboard["panels"][0]["targets"][0]["expr"].as_str().expect("a text")
}

/// A folder with a token, a Grafana, and its flags.
struct Setup {
    folder: Folder,
    grafana: Upstream,
}

impl Setup {
    async fn new(name: &str, dashboards: &Dashboards) -> Setup {
        let folder = Folder::new(name);
        folder.write("token.yaml", "authorization: {credentials: S3CRET}\n");
        Setup { folder, grafana: dashboards.serve().await }
    }

    async fn audit(&self, more: &str) -> (Option<i32>, String) {
        let token = self.folder.write("token.yaml", "authorization: {credentials: S3CRET}\n");
        let url = format!("http://{}/grafana", self.grafana.address);
        let mut command = Command::new(env!("CARGO_BIN_EXE_crossfade"));
        command.args(["audit", "--grafana", &url, "--grafana.http.config.file", &token]);
        command.args(more.split_whitespace()).env("COLUMNS", "200");
        let run = move || command.output().expect("it runs");
        let Output { status, stdout, stderr } =
            tokio::task::spawn_blocking(run).await.expect("no panic");
        let text = [stdout, stderr].concat();
        let text = String::from_utf8(text).expect("text");
        assert!(!text.contains("S3CRET"), "{text}");
        (status.code(), text)
    }
}

fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[tokio::test]
async fn dashboards_are_read_shown_and_saved() {
    let dashboards = Dashboards::default();
    let meta = json!({"folderUid": "f", "folderTitle": "Kong", "canSave": true});
    dashboards.add("one", dashboard("Traffic", OLD), meta.clone());
    dashboards.add("two", dashboard("Other", "up"), json!({"folderUid": "", "canSave": true}));
    let setup = Setup::new("audit-grafana", &dashboards).await;

    let (code, text) = setup.audit("").await;
    assert_eq!(code, Some(1), "{text}");
    has(
        &text,
        &["grafana: Kong/Traffic (one)\n", "panel Requests", "BREAKS", "2 files, 2 queries"],
    );

    let (code, text) = setup.audit("--rewrite").await;
    assert_eq!(code, Some(0), "{text}");
    has(&text, &["1 can be migrated", "nothing written; to write files, add"]);
    assert_eq!(query(&dashboards.get("one").dashboard), OLD);

    let (code, text) = setup.audit("--rewrite --apply").await;
    assert_eq!(code, Some(2), "{text}");
    has(&text, &["there is no terminal; add --yes"]);
    let (code, text) = setup.audit("--rewrite --apply --yes --format=json").await;
    assert_eq!(code, Some(2), "{text}");

    let (code, text) = setup.audit("--rewrite --apply --yes").await;
    assert_eq!(code, Some(0), "{text}");
    let quoted = |sign: &str, query: &str| format!("{sign}          \"expr\": {},", json!(query));
    has(
        &text,
        &["--- Kong/Traffic\n+++ Kong/Traffic, migrated\n@@ ", "saved: Kong/Traffic, version 8\n"],
    );
    has(&text, &[&quoted("-", OLD), &quoted("+", NEW)]);
    let stored = dashboards.get("one");
    assert_eq!(query(&stored.dashboard), NEW);
    assert_eq!(stored.messages, ["crossfade audit: queries migrated"]);
    assert_eq!(dashboards.get("two").messages, [""; 0]);

    let (code, text) = setup.audit("--rewrite --apply --yes").await;
    assert_eq!(code, Some(0), "{text}");
    has(&text, &["no dashboard to save"]);
}

#[tokio::test]
async fn dashboards_that_grafana_would_refuse_are_not_saved() {
    let dashboards = Dashboards::default();
    let file = json!({"folderUid": "", "provisioned": true, "provisionedExternalId": "kong.json"});
    dashboards.add("file", dashboard("File", OLD), file);
    dashboards.add("mine", dashboard("Mine", OLD), json!({"folderUid": "", "canSave": true}));
    dashboards.add("right", dashboard("Right", OLD), json!({"folderUid": "", "canSave": false}));
    let setup = Setup::new("audit-provisioned", &dashboards).await;
    let (code, text) = setup.audit("--rewrite --apply --yes").await;
    assert_eq!(code, Some(1), "{text}");
    has(
        &text,
        &[
            "not saved: File: it is provisioned from kong.json; migrate that file",
            "not saved: Right: the token may not change it",
            "saved: Mine, version 8",
        ],
    );
    assert_eq!(query(&dashboards.get("file").dashboard), OLD);

    // All migrated texts can be written to files.
    let out = setup.folder.write("out", "");
    std::fs::remove_file(&out).expect("just written");
    let (code, text) = setup.audit(&format!("--rewrite --output={out}")).await;
    assert_eq!(code, Some(0), "{text}");
    let written = std::fs::read_to_string(format!("{out}/grafana/file.json")).expect("written");
    assert_eq!(query(&serde_json::from_str(&written).expect("JSON")), NEW);
}

#[tokio::test]
async fn if_one_dashboard_cannot_be_saved_the_others_are_undone() {
    let dashboards = Dashboards::default();
    let mine = json!({"folderUid": "f", "canSave": true});
    dashboards.add("a", dashboard("First", OLD), mine.clone());
    let changes = json!({"folderUid": "f", "canSave": true, "changes": true});
    dashboards.add("b", dashboard("Second", OLD), changes);
    let setup = Setup::new("audit-undone", &dashboards).await;
    let (code, text) = setup.audit("--rewrite --apply --yes").await;
    assert_eq!(code, Some(2), "{text}");
    has(&text, &["cannot save Second:", "changed by someone else; no dashboard is changed"]);
    let first = dashboards.get("a");
    assert_eq!((query(&first.dashboard), &first.dashboard["version"]), (OLD, &json!(9)));
    assert_eq!(first.messages.len(), 2);
}

#[tokio::test]
async fn servers_that_do_not_answer_are_errors() {
    let setup = Setup::new("audit-refused", &Dashboards::default()).await;
    let other = StandIn::start(|_| Some(b"<html>".to_vec()));
    let flags = format!("--grafana=http://{}", other.address());
    let mut command = Command::new(env!("CARGO_BIN_EXE_crossfade"));
    let output = command.args(["audit", &flags]).output().expect("it runs");
    let text = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(2), "{text}");
    has(&text, &["the response of /api/search is not that of Grafana", "check the URL"]);

    let (code, text) = setup.audit("--prometheus=http://127.0.0.1:1").await;
    assert_eq!(code, Some(2), "{text}");
    has(&text, &["cannot read the rules of http://127.0.0.1:1/"]);
}

#[test]
fn rules_of_prometheus_are_printed() {
    let rules = json!({"status": "success", "data": {"groups": [{
    "name": "kong", "file": "/etc/prometheus/kong.rules", "interval": 30, "rules": [
        {"type": "recording", "name": "kong:requests:rate5m", "query": OLD},
        {"type": "alerting", "name": "Errors", "query": format!("{OLD} > 5"), "duration": 60,
         "labels": {"severity": "page"}, "annotations": {"summary": "it's bad"}},
    ]}]}});
    let prometheus = StandIn::start(move |path| {
        (path == "/p/api/v1/rules").then(|| rules.to_string().into_bytes())
    });
    let folder = Folder::new("audit-rules");
    let url = format!("--prometheus=http://{}/p", prometheus.address());
    let run = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_crossfade"));
        let output = command.args(["audit", &url]).args(more).output().expect("it runs");
        (output.status.code(), String::from_utf8(output.stdout).expect("text"))
    };
    let (code, text) = run(&[]);
    assert_eq!(code, Some(1), "{text}");
    has(
        &text,
        &["prometheus: group kong (/etc/prometheus/kong.rules)", "record kong:requests:rate5m"],
    );
    let (code, text) = run(&["--rewrite"]);
    assert_eq!(code, Some(0), "{text}");
    let file = format!(
        "groups:\n- name: 'kong'\n  interval: 30s\n  rules:\n  - record: 'kong:requests:rate5m'\n    \
         expr: '{NEW}'\n  - alert: 'Errors'\n    expr: '{NEW} > 5'\n    for: 60s\n    labels:\n      \
         'severity': 'page'\n    annotations:\n      'summary': 'it''s bad'\n"
    );
    has(&text, &["Prometheus has no API that writes rules", &file]);
    let out = folder.write("out", "");
    std::fs::remove_file(&out).expect("just written");
    let (code, text) = run(&["--rewrite", "--output", &out]);
    assert_eq!(code, Some(0), "{text}");
    let written = std::fs::read_to_string(format!("{out}/prometheus/kong-kong.yaml"));
    assert_eq!(written.expect("written"), file);
    let (_, text) = run(&["--rewrite", "--format=json"]);
    let report: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(report["migrated"][0]["text"], json!(file));
}
