//! `crossfade rewrite` is the engine that all other tests drive.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::thread;

use crate::support::engine::{EMITS, editions, plan, plan_with_buckets, rewrite};
use crate::support::{capture, captures, statsd};
use crossfade::mapping::{BucketPolicy, Emit};
use crossfade::rewrite::statsd::{Outcome, Rewriter, Sender};

/// What `crossfade rewrite` with these flags makes of a body.
fn filter(body: &[u8], flags: &[&str]) -> Vec<u8> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_crossfade"))
        .arg("rewrite")
        .args(flags)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary was built for this test");
    let mut stdin = child.stdin.take().expect("stdin is piped");
    let output = thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(body).expect("it reads to the end"));
        child.wait_with_output().expect("it ends")
    });
    assert!(output.status.success(), "{flags:?}: {}", output.status);
    output.stdout
}

fn word(emit: Emit) -> String {
    format!("--emit={emit}")
}

#[test]
fn the_filter_equals_the_engine() {
    let medium = ["medium/prometheus/kong-3.9.1.all_on.per_consumer.txt.gz".to_owned()];
    for name in captures("tiny").into_iter().chain(captures("quirk")).chain(medium) {
        let body = capture(&name);
        for emit in EMITS.into_iter().chain(editions()) {
            let left = filter(&body, &[&word(emit)]);
            assert!(left == rewrite(&plan(emit), &body).body, "{name} emitted as {emit:?}");
        }
    }
}

#[test]
fn flags_are_the_settings_of_the_engine() {
    let body = capture("tiny/prometheus/kong-2.8.5.main.txt");
    for (flag, buckets) in [
        ("--buckets=target", BucketPolicy::Target),
        ("--buckets=common", BucketPolicy::Common),
        ("--buckets=native", BucketPolicy::Native),
    ] {
        let left = filter(&body, &["--emit=new", flag]);
        assert!(left == rewrite(&plan_with_buckets(Emit::New, buckets), &body).body, "{flag}");
    }
}

#[test]
fn statsd_output_equals_the_engine() {
    for name in [
        "small/statsd/kong-2.8.5.default.jsonl",
        "small/statsd/kong-3.9.1.tag_signalfx.jsonl",
        "quirk/statsd/kong-3.9.1.username.jsonl",
    ] {
        let datagrams = statsd::datagrams(name);
        let input = datagrams.join(&b'\n');
        for emit in EMITS {
            let mut expected = Vec::new();
            let mut rewriter = Rewriter::new(statsd::plan(emit));
            match rewriter.rewrite(&input, &mut Sender::default(), &mut expected) {
                Outcome::Untouched => expected.clone_from(&input),
                Outcome::Rewritten => {}
            }
            let left = filter(&input, &["--statsd", &word(emit)]);
            assert!(left == expected, "{name} emitted as {emit:?}");
        }
    }
}
