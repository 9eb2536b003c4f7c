//! Output and report do not depend on how the body is split into chunks. The bodies in pieces are
//! also rewritten in the mode that forwards unchanged bytes without copying them.

use std::sync::Arc;
use std::thread;

use crate::support::engine::{EMITS, Outcome, plan, rewrite, shown, try_rewrite_sparing};
use crate::support::{Seeded, capture, captures, is_old};
use crossfade::mapping::{Emit, Plan};
use crossfade::rewrite::exposition::Report;

/// Rewrites a body cut at the given offsets.
fn cut(plan: &Arc<Plan>, body: &[u8], cuts: &[usize]) -> Outcome {
    let mut from = 0;
    let mut chunks = Vec::new();
    for &to in cuts.iter().chain([&body.len()]) {
        chunks.push(&body[from..to]);
        from = to;
    }
    let outcome = try_rewrite_sparing(plan, chunks);
    outcome.unwrap_or_else(|error| panic!("cut at {cuts:?}: {error}"))
}

fn assert_same(whole: &Outcome, cut: &Outcome, context: &str) {
    if whole.body != cut.body {
        let at = whole.body.iter().zip(&cut.body).take_while(|(a, b)| a == b).count();
        let near = |body: &[u8]| {
            let end = body.len().min(at + 80);
            body[at.saturating_sub(80).min(end)..end].escape_ascii().to_string()
        };
        panic!(
            "{context}: differs at byte {at}\nwhole: {}\ncut:   {}",
            near(&whole.body),
            near(&cut.body)
        );
    }
    // Comparing texts would take longer than the rewriting.
    let comparable = |report: &Report| {
        let mut report = report.clone();
        report.held_bytes = 0; // depends on the chunks
        report
    };
    if comparable(&whole.report) != comparable(&cut.report) {
        assert_eq!(shown(&whole.report), shown(&cut.report), "{context}");
    }
}

#[test]
fn tiny_captures_cut_at_every_byte() {
    thread::scope(|scope| {
        for name in captures("tiny") {
            // A version's capture with streams has all the lines of the one without.
            let has_streams = name.contains("http_stream");
            if !has_streams && captures("tiny").contains(&name.replace("main", "http_stream")) {
                continue;
            }
            scope.spawn(move || {
                let body = capture(&name);
                // The direction that changes most, and both for the last version of each generation.
                let converting = if is_old(&name) { Emit::New } else { Emit::Old };
                let last = ["2.8.5", "3.9.1"].iter().any(|version| name.contains(version));
                for emit in [converting, Emit::Both].into_iter().take(1 + usize::from(last)) {
                    let plan = plan(emit);
                    let whole = rewrite(&plan, &body);
                    for at in 0..=body.len() {
                        let context = format!("{name} as {emit:?} cut at {at}");
                        assert_same(&whole, &cut(&plan, &body, &[at]), &context);
                    }
                }
            });
        }
    });
}

#[test]
fn hostile_bodies_cut_at_every_byte() {
    // Quotes, escapes, newlines within values, bytes that are not UTF-8.
    let body = b"\xef\xbb\xbf# HELP kong_latency h\\n\n# TYPE kong_latency histogram\n\
        kong_latency_bucket{service=\"a\\\"\",type=\"kong\",le=\"1\"} 1\n\
        kong_latency_bucket{service=\"a\nb\\\\\",type=\"kong\",le=\"1\"} 1 170\n\
        kong_latency_bucket{service=\"ends-with,le=\"nil\"} 20\n\
        kong_latency_count{type=\"kong\"\t, } 1e3 \n kong_latency_sum{type=\"kong\"} 4\r\n\
        kong_http_status{service=\"caf\xe9\"} 1\nkong_http_status{service=\"\xc3\xa9\"} 1\n\n\
        # TYPE kong_http_status Counter\n#\x00\nkong_http_status{a=\"1\",a=\"2\"} 1\n\
        kong_bandwidth{type=\"egress\"} +Inf\nkong_bandwidth{type=\"open} 3\n\
        kong_stream_status 1\nkong_stream_status{x=\"y\"} nan";
    for emit in EMITS {
        let plan = plan(emit);
        let whole = rewrite(&plan, body);
        for at in 0..=body.len() {
            assert_same(&whole, &cut(&plan, body, &[at]), &format!("{emit:?} cut at {at}"));
            // Every second cut in this line and the next one.
            for to in at..=body.len().min(at + 100) {
                let context = format!("{emit:?} cut at {at} and {to}");
                assert_same(&whole, &cut(&plan, body, &[at, to]), &context);
            }
        }
    }
}

#[test]
fn the_shortest_bodies_cut_at_every_pair_of_bytes() {
    let bodies: &[&[u8]] = &[
        b"",
        b"\n",
        b"\xef\xbb\xbf",
        b"\xef\xbb\xbf\n",
        b"\xef\xbb\xbfa 1",
        b"\xef",
        b"a",
        b"\"",
        b"#",
    ];
    for body in bodies {
        for emit in EMITS {
            let whole = rewrite(&plan(emit), body);
            for at in 0..=body.len() {
                let context = format!("{} as {emit:?} cut at {at}", body.escape_ascii());
                assert_same(&whole, &cut(&plan(emit), body, &[at]), &context);
            }
        }
    }
}

#[test]
fn every_capture_in_pieces_of_one_byte() {
    for name in captures("tiny").into_iter().chain(captures("quirk")).chain(captures("small")) {
        let body = capture(&name);
        let cuts: Vec<usize> = (0..body.len()).collect();
        for emit in EMITS {
            let plan = plan(emit);
            let context = format!("{name} as {emit:?} byte by byte");
            assert_same(&rewrite(&plan, &body), &cut(&plan, &body, &cuts), &context);
        }
    }
}

#[test]
fn every_capture_cut_at_random() {
    let mut seeded = Seeded::new(42);
    for scale in ["tiny", "small", "medium", "quirk"] {
        for name in captures(scale) {
            let body = capture(&name);
            for emit in EMITS {
                let plan = plan(emit);
                let whole = rewrite(&plan, &body);
                for average in [7, 300, 5000, 70_000] {
                    let mut cuts: Vec<usize> =
                        (0..=body.len() / average).map(|_| seeded.below(body.len())).collect();
                    cuts.sort_unstable();
                    // The cuts are too many to print; the seed reproduces them.
                    let context = format!("{name} as {emit:?} cut about every {average} bytes");
                    assert_same(&whole, &cut(&plan, &body, &cuts), &context);
                }
            }
        }
    }
}
