//! What documents and dashboards show, read by promtool.

use std::fmt::Write as _;

use crate::support::documents::{DASHBOARD, DOCUMENTS, metrics, queries, snippets};

#[test]
fn prometheus_accepts_every_documented_configuration() {
    let mut found = 0;
    for (name, document) in DOCUMENTS {
        for (number, snippet) in snippets(document, "prometheus.yml").into_iter().enumerate() {
            let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
            let path = path.join(format!("{}-{number}.yml", name.replace('/', "-")));
            std::fs::write(&path, snippet).expect("the target folder is writable");
            // Files that they name are the reader's.
            let promtool = std::process::Command::new("promtool")
                .args(["check", "config", "--syntax-only"])
                .arg(&path)
                .output()
                .expect("promtool is installed (package prometheus)");
            std::fs::remove_file(&path).expect("it was written above");
            let output_text = [promtool.stdout, promtool.stderr].concat();
            assert!(promtool.status.success(), "{name}: {}\n{snippet}", output_text.escape_ascii());
            found += 1;
        }
    }
    assert!(found >= 9, "{found}");
}

/// Debian's package `prometheus` has promtool; the test command installs it.
#[test]
fn promtool_accepts_the_metrics_of_the_gateway() {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is installed (package prometheus)");
    let mut stdin = promtool.stdin.take().expect("piped");
    stdin.write_all(metrics().as_bytes()).expect("promtool reads");
    drop(stdin);
    let output = promtool.wait_with_output().expect("promtool runs");
    let output_text = [output.stdout, output.stderr].concat();
    assert!(output.status.success() && output_text.is_empty(), "{}", output_text.escape_ascii());
}

#[test]
fn promtool_accepts_the_alerts_and_the_dashboard() {
    use std::process::Command;

    let dashboard = serde_json::from_str(DASHBOARD).expect("the dashboard is JSON");
    let mut all = Vec::new();
    queries(&dashboard, &mut all);
    let mut rules = "groups:\n  - name: dashboard\n    rules:\n".to_owned();
    for (number, query) in all.iter().filter(|it| !it.starts_with("label_values")).enumerate() {
        let query = query.replace("$__rate_interval", "5m");
        let query = serde_json::to_string(&query).expect("a text");
        writeln!(rules, "      - {{ record: 'query:{number}', expr: {query} }}")
            .expect("a String takes everything");
    }
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let of_dashboard = folder.join("dashboard-rules.yaml");
    std::fs::write(&of_dashboard, rules).expect("the target folder is writable");
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let promtool = |arguments: &[&std::ffi::OsStr]| {
        let output = Command::new("promtool").args(arguments).output();
        let output = output.expect("promtool is installed (package prometheus)");
        let output_text = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "{}", String::from_utf8(output_text).expect("text"));
    };
    for file in [&root.join("deploy/alerts.yaml"), &of_dashboard] {
        promtool(&["check".as_ref(), "rules".as_ref(), file.as_ref()]);
    }
    promtool(&[
        "test".as_ref(),
        "rules".as_ref(),
        root.join("tests/deploy/alerts.test.yaml").as_ref(),
    ]);
}
