//! What no rule matches is forwarded byte for byte.

use std::collections::BTreeSet;

use crate::support::engine::{empty_plan, plan, rewrite, try_rewrite};
use crate::support::naive::{self, Item};
use crate::support::{assert_same_series, capture, captures, is_old};
use crossfade::mapping::Emit;
use crossfade::rewrite::exposition::{History, Options};

/// The body without repeated headers and series.
fn printed_once(body: &[u8]) -> Vec<u8> {
    let mut headers = BTreeSet::new();
    let mut series = BTreeSet::new();
    let mut once = Vec::new();
    for (item, raw) in naive::parse(body).lines {
        let first = match item {
            Item::Help(family, _) => headers.insert(("HELP", family)),
            Item::Type(family, _) => headers.insert(("TYPE", family)),
            Item::Sample(sample) => series.insert((sample.series(), sample.timestamp)),
            Item::Refused(_) | Item::End => false,
            Item::Comment | Item::Blank => true,
        };
        if first {
            once.extend(raw);
        }
    }
    once
}

#[track_caller]
fn assert_same_bytes(expected: &[u8], actual: &[u8], context: &str) {
    let mut lines =
        expected.split_inclusive(|&b| b == b'\n').zip(actual.split_inclusive(|&b| b == b'\n'));
    if let Some((e, a)) = lines.find(|(e, a)| e != a) {
        panic!("{context}: {} should be {}", a.escape_ascii(), e.escape_ascii());
    }
    assert_eq!(expected.len(), actual.len(), "{context}: one is longer than the other");
}

#[test]
fn emitting_the_input_generation_is_the_identity() {
    for scale in ["tiny", "small", "medium", "quirk"] {
        for name in captures(scale) {
            let body = capture(&name);
            let emit = if is_old(&name) { Emit::Old } else { Emit::New };
            let outcome = rewrite(&plan(emit), &body);
            let once = printed_once(&body);
            assert_same_bytes(&once, &outcome.body, &name);
            if !name.contains("http_stream") && scale != "quirk" {
                assert_same_bytes(&body, &outcome.body, &name);
                assert!(outcome.report.dropped.is_empty(), "{name}: {:?}", outcome.report.dropped);
            }
        }
    }
}

#[test]
fn an_empty_pack_only_removes_repeated_headers() {
    for scale in ["tiny", "small", "medium", "quirk"] {
        for name in captures(scale) {
            let body = capture(&name);
            let outcome = rewrite(&empty_plan(), &body);
            assert_same_bytes(&printed_once(&body), &outcome.body, &name);
            assert_eq!(outcome.report.held_bytes, 0, "{name}");
        }
    }
}

#[test]
fn compat_repeats_the_type_of_a_reopened_histogram() {
    // Prometheus 3 reads `le` as a number only after the TYPE of a histogram.
    let body = capture("tiny/prometheus/kong-2.8.5.http_stream.txt");
    let again = b"# TYPE kong_latency histogram\n";
    let count = |body: &[u8]| body.windows(again.len()).filter(|line| line == again).count();
    assert_eq!(count(&body), 2);
    for (repeated_types, types) in [(false, 1), (true, 2)] {
        let options = Options { repeated_types, ..Options::default() };
        let left = try_rewrite(&plan(Emit::Old), options, History::default(), [&body[..]]);
        let left = left.expect("no limit is passed").body;
        assert_eq!(count(&left), types);
        // Nothing else is repeated.
        let without: Vec<&[u8]> =
            left.split_inclusive(|&b| b == b'\n').filter(|line| line != again).collect();
        let once = printed_once(&body);
        let once: Vec<&[u8]> =
            once.split_inclusive(|&b| b == b'\n').filter(|line| line != again).collect();
        assert!(without == once);
    }
}

#[test]
fn unmatched_lines_keep_their_bytes_and_order() {
    let body = "# a comment\n#\n\n \t \n# HELP other  two  blanks \\n \\q \"quoted\"\n# TYPE other counter\n\
        other{ a = \"b\" ,\tc=\"\\q\",}\t 1e+03  1700000000000 \nother{c=\"two\nlines\"}00.10\n\
        no_header 1\n# EOF\nafter{} +Inf\n";
    for emit in [Emit::Old, Emit::New, Emit::Both] {
        let outcome = rewrite(&plan(emit), body.as_bytes());
        assert_same_bytes(body.as_bytes(), &outcome.body, &format!("{emit:?}"));
    }
}

#[test]
fn a_last_line_gets_its_newline() {
    let outcome = rewrite(&plan(Emit::Old), b"a 1\nb 2");
    assert_same_bytes(b"a 1\nb 2\n", &outcome.body, "no final newline");
}

#[test]
fn unknown_families_pass() {
    let body = "# HELP kong_new_thing_total Something.\n# TYPE kong_new_thing_total counter\n\
        kong_new_thing_total{service=\"a\",workspace=\"w\",consumer=\"\"} 5\n\
        # TYPE kong_http_requests gauge\nkong_http_requests 1\nkong_latencyx_bucket{le=\"1\"} 1\n\
        kong_latency{type=\"kong\"} 1\nkong_http_status_total 3\n";
    for emit in [Emit::Old, Emit::New, Emit::Both] {
        let outcome = rewrite(&plan(emit), body.as_bytes());
        assert_same_bytes(body.as_bytes(), &outcome.body, &format!("{emit:?}"));
    }
}

#[test]
fn both_is_the_union_of_old_and_new() {
    for scale in ["tiny", "small"] {
        for name in captures(scale) {
            let body = capture(&name);
            let left = |emit| rewrite(&plan(emit), &body).read().stored();
            let mut union = left(Emit::Old);
            union.extend(left(Emit::New));
            // Both generations have these names: they are emitted in their new form.
            let memory = |s: &naive::Series| s.name.starts_with("kong_memory_");
            if !is_old(&name) {
                union.retain(|series, _| !memory(series) || !series.label("node_id").is_empty());
            }
            assert_same_series(&union, &left(Emit::Both), &name);
        }
    }
}

#[test]
fn rewriting_is_idempotent() {
    for name in captures("tiny").into_iter().chain(captures("quirk")) {
        let body = capture(&name);
        for emit in [Emit::Old, Emit::New] {
            let once = rewrite(&plan(emit), &body).body;
            let twice = rewrite(&plan(emit), &once).body;
            assert_same_bytes(&once, &twice, &format!("{name} emitted as {emit:?} twice"));
        }
    }
}
