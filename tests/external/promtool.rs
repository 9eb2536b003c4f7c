//! `promtool check metrics`, the strictest reader that comes with Prometheus.

use std::io::Write;
use std::process::{Command, Stdio};
use std::thread;

use crate::support::engine::{EMITS, plan, rewrite};
use crate::support::{capture, captures};

/// Checks a body. `Err` holds what promtool says of its syntax.
fn check(body: &[u8]) -> Result<(), String> {
    let started = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut promtool = started.unwrap_or_else(|e| {
        panic!("cannot start promtool ({e}); install it: apt-get install -y prometheus")
    });
    let mut stdin = promtool.stdin.take().expect("stdin is piped");
    let output = thread::scope(|scope| {
        // It stops at the first error.
        scope.spawn(move || stdin.write_all(body).unwrap_or_default());
        promtool.wait_with_output().expect("promtool ends")
    });
    match output.status.code() {
        // 3: readable, but against conventions (names without unit, counters without `_total`).
        // Those are Kong's names, and dashboards ask for them.
        Some(0 | 3) => Ok(()),
        _ => Err(String::from_utf8(output.stderr).expect("promtool writes UTF-8")),
    }
}

#[test]
fn promtool_accepts_every_rewritten_body() {
    for scale in ["tiny", "small", "medium"] {
        for name in captures(scale) {
            let body = capture(&name);
            for emit in EMITS {
                let left = rewrite(&plan(emit), &body).body;
                check(&left).unwrap_or_else(|e| panic!("{name} emitted as {emit:?}: {e}"));
            }
        }
    }
}

#[test]
fn promtool_refuses_two_expositions_in_one_body() {
    let error = check(&capture("tiny/prometheus/kong-2.8.5.http_stream.txt")).expect_err("twice");
    assert!(error.contains("second HELP line"), "{error}");
}
