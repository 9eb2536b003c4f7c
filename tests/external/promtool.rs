//! `promtool check metrics`, the strictest reader that comes with Prometheus.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;

use crossfade::mapping::{Emit, Plan};
use crossfade::rewrite::exposition::{History, Options};

use crate::support::engine::{EMITS, empty_plan, plan, rewrite, try_rewrite};
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

fn strict(plan: &Arc<Plan>, body: &[u8]) -> Vec<u8> {
    let options = Options { strict: true, ..Options::default() };
    let outcome = try_rewrite(plan, options, History::default(), [body]);
    outcome.unwrap_or_else(|error| panic!("{error}")).body
}

#[test]
fn promtool_takes_strict_output_of_anything() {
    for scale in ["tiny", "quirk"] {
        for name in captures(scale) {
            let body = capture(&name);
            for plan in [empty_plan(), plan(Emit::New), plan(Emit::Both)] {
                check(&strict(&plan, &body)).unwrap_or_else(|e| panic!("{name}: {e}"));
            }
        }
    }
    // Each of these is refused as it arrives.
    for body in [
        "a 1\n# TYPE a gauge\n",
        "# HELP a Odd \\q escape.\na 1\n",
        "a{x=\"two\nlines\"} 1\n",
        "a{x=\"odd\\q\"} 1\n",
        "a{x=\"1\"y=\"2\"} 1\n",
        "# TYPE a histogram\na_bucket{le=\"x\"} 1\na_count 1\n",
        "# TYPE a summary\na{quantile=\"x\"} 1\na_count 1\n",
        "# TYPE a histogram\na_count 1\n# TYPE a_count counter\n",
    ] {
        check(body.as_bytes()).expect_err(body);
        check(&strict(&empty_plan(), body.as_bytes())).unwrap_or_else(|e| panic!("{body}: {e}"));
    }
}
