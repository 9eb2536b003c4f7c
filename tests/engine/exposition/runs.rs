//! Samples that differ only in the value of their last label, in runs, as counters by consumer are.
//!
//! The engine decides on such a run once. With a second blank before each value it decides on every
//! sample, so both bodies must give the same series and the same report. A few results are also
//! written down by hand.

use crate::support::engine::{
    EMITS, Outcome, plan, plan_of, rewrite_at_every_cut, shown, try_rewrite,
};
use crate::support::{Seeded, assert_same_series, naive};
use crossfade::mapping::Emit;
use crossfade::rewrite::exposition::{Error, History, Limits, Options, Report};

/// Rules that read, write, drop, join or translate the last label, or that depend on it.
const PACKS: [&str; 8] = [
    // Gathered once by the last label and once without it.
    r#"
  - { old: "x{z=$u}", new: "y{z=$u, w}", type: counter }
  - { old: t, includes: x, new: "y{z, w}", type: counter }"#,
    // The last label is lost, or renamed.
    r#"
  - { old: "x{z}", new: y, type: counter }
  - { old: "t{z=$u}", new: "v{n=$u}", type: counter }"#,
    // Another rule for one value of the last label.
    r#"
  - { old: 'x{z="b"}', new: "y{b, w}", type: counter }
  - { old: 'x{z="c", w}', new: "v", type: counter }
  - { old: "t{w=$a}", new: "t{n=$a}", type: counter }"#,
    // Its value is translated, or split.
    r#"
  - { old: "x{z=$u, w}", new: "y{z=$u}", type: counter, values: { u: { a: A, b: A, "*": "*" } } }
  - { old: "t{z=$u, w}", new: 'v{z="z-$u"}', type: counter }"#,
    // Labels that the rule adds after it, and one that it does not read.
    r#"
  - { old: "x{w}", new: 'y{kind="k", more="m"}', type: counter }
  - { old: 't{kind="k", w}', new: "v", type: counter }"#,
    // Gauges.
    r#"
  - { old: "x{w}", new: y, type: gauge, merge: max }
  - { old: "t{w}", new: 'v{kind="k"}', type: gauge, merge: min }"#,
    // In another unit.
    r#"
  - { old: "x{w}", new: y, type: counter, scale: 0.001 }
  - { old: "t{w}", new: v, type: counter }"#,
    // A condition on which label sets another family has, by the last label and without it.
    r#"
  - { old: "x{w}", new: y, type: counter }
  - { old: "x{w}", only_with: "t by (z)", new: v, type: counter }
  - { old: "t{w}", new: u, type: counter }"#,
];

/// What follows the rules of every second pack.
const MORE: &str = r#"
only_in: { old: ['x{z="d"}'], new: ['y{z="d"}'] }
reduce: [{ drop: 'y{z="c"}' }]
"#;

fn pack(number: usize) -> String {
    let more = if number.is_multiple_of(2) { "" } else { MORE };
    format!("name: runs\nprometheus:{}{more}", PACKS[number / 2])
}

/// Families with runs of samples whose labels are drawn from few values, so that some are equal.
fn body(random: &mut Seeded) -> String {
    let kind = if random.below(3) == 0 { "gauge" } else { "counter" };
    let mut lines = Vec::new();
    let mut names = ["x", "t", "y", "v"];
    names.rotate_left(random.below(4));
    for name in &names[..=random.below(4)] {
        if random.below(4) > 0 {
            lines.push(format!("# TYPE {name} {kind}"));
        }
        for _ in 0..random.below(5) {
            run(name, random, &mut lines);
        }
    }
    lines.iter().flat_map(|line| [line, "\n"]).collect()
}

fn run(name: &str, random: &mut Seeded, lines: &mut Vec<String>) {
    let mut labels = String::new();
    for label in ["w", "k"] {
        if random.below(2) == 0 {
            labels = format!("{labels}{label}=\"{}\",", random.below(2));
        }
    }
    for _ in 0..random.below(7) {
        let value = ["a", "b", "c", "d", "", r"\\", "ä"][random.below(7)];
        let number = ["0", "7", "40", "7.5", "NaN", "123456789012"][random.below(6)];
        let end = ["", "", "", "", "", " 1700000000000", " 1700000000001"][random.below(7)];
        lines.push(format!("{name}{{{labels}z=\"{value}\"}} {number}{end}"));
        if random.below(12) == 0 {
            lines.push("# A comment.".to_owned());
        }
        if random.below(20) == 0 {
            lines.push(format!("{name}{{z=broken}} 1"));
        }
    }
}

/// The same samples, each of which the engine reads in full.
fn without_runs(body: &str) -> String {
    body.replace("\"} ", "\"}  ")
}

fn rewritten(plan: &std::sync::Arc<crossfade::mapping::Plan>, body: &str) -> Outcome {
    let outcome = try_rewrite(plan, Options::default(), History::default(), [body.as_bytes()]);
    outcome.unwrap_or_else(|error| panic!("{error}\n{body}"))
}

/// What does not depend on the length of the lines.
fn without_bytes(report: &Report) -> String {
    let mut report = report.clone();
    report.bytes_in = 0;
    shown(&report)
}

#[test]
fn a_run_is_rewritten_as_its_samples_are_one_by_one() {
    let mut random = Seeded::new(21);
    let mut samples = 0;
    for round in 0..250 {
        let body = body(&mut random);
        let slow = without_runs(&body);
        for number in 0..2 * PACKS.len() {
            for emit in EMITS {
                let plan = plan_of(&pack(number), emit);
                let (run, each) = (rewritten(&plan, &body), rewritten(&plan, &slow));
                let context = format!("round {round}, {emit:?}, {}\n{body}", pack(number));
                assert_same_series(&each.read().stored(), &run.read().stored(), &context);
                assert_eq!(without_bytes(&each.report), without_bytes(&run.report), "{context}");
                assert_eq!(each.report.held_bytes, run.report.held_bytes, "{context}");
                samples += run.report.samples_out;
            }
        }
    }
    assert!(samples > 100_000, "{samples} samples");
}

/// A run with everything that ends it: a comment, other labels, a number with a fraction, an empty
/// label, and a series that arrives twice.
const RUN: &str = r#"# TYPE kong_http_status counter
kong_http_status{service="s",route="r",code="200"} 100
kong_http_status{service="s",route="r",code="404"} 10
kong_http_status{service="s",route="r",code="500"} 1
# TYPE kong_http_consumer_status counter
kong_http_consumer_status{service="s",route="r",code="200",consumer="ann"} 10
kong_http_consumer_status{service="s",route="r",code="200",consumer="bob"} 11
kong_http_consumer_status{service="s",route="r",code="200",consumer="carl"} 12
# A comment.
kong_http_consumer_status{service="s",route="r",code="200",consumer="dora"} 13
kong_http_consumer_status{service="s",route="r",code="200",consumer="bob"} 99
kong_http_consumer_status{service="s",route="r",code="200",consumer="eve"} 14.5
kong_http_consumer_status{service="s",route="r",code="200",consumer="fay"} 15
kong_http_consumer_status{service="s",route="r",code="404",consumer="ann"} 2
kong_http_consumer_status{service="s",route="r",code="404",consumer="bob"} 3
kong_http_consumer_status{service="s",route="r",code="404",consumer=""} 77
kong_http_consumer_status{service="s",route="r",code="404",consumer="carl"} 4
"#;

#[test]
fn a_run_of_consumers_is_subtracted_from_the_total() {
    let outcome = rewrite_at_every_cut(&plan(Emit::New), Options::default(), RUN);
    let expected = r#"
kong_http_requests_total{service="s",route="r",code="200",consumer="ann"} 10
kong_http_requests_total{service="s",route="r",code="200",consumer="bob"} 11
kong_http_requests_total{service="s",route="r",code="200",consumer="carl"} 12
kong_http_requests_total{service="s",route="r",code="200",consumer="dora"} 13
kong_http_requests_total{service="s",route="r",code="200",consumer="eve"} 14.5
kong_http_requests_total{service="s",route="r",code="200",consumer="fay"} 15
kong_http_requests_total{service="s",route="r",code="404",consumer="ann"} 2
kong_http_requests_total{service="s",route="r",code="404",consumer="bob"} 3
kong_http_requests_total{service="s",route="r",code="404",consumer="carl"} 4
kong_http_requests_total{service="s",route="r",code="200"} 24.5
kong_http_requests_total{service="s",route="r",code="404"} 1
kong_http_requests_total{service="s",route="r",code="500"} 1
kong_http_consumer_status{service="s",route="r",code="404",consumer=""} 77
"#;
    let expected = naive::parse(expected.as_bytes()).stored();
    assert_same_series(&expected, &outcome.read().stored(), "to new");
    assert_eq!(outcome.dropped("repeated_series"), 1, "bob's second");
}

/// Rows that pass, in a family that a rule writes too: of a series that arrives in both, the first one
/// counts. Only after many series does a family have runs that pass.
#[test]
fn a_run_that_passes_does_not_repeat_what_was_written() {
    let run = |family: &str, w: &str, range: std::ops::Range<usize>| {
        let line = |z: usize| format!("{family}{{w=\"{w}\",z=\"{z:03}\"}} {z}\n");
        range.map(line).collect::<String>()
    };
    let renamed = run("x", "a", 0..20);
    let passing = run("y", "b", 0..300) + &run("y", "a", 20..50) + &run("y", "a", 10..20);
    let plan = plan_of("name: runs\nprometheus: [{ old: x, new: y, type: counter }]", Emit::New);
    for (body, first) in [(renamed.clone() + &passing, "renamed"), (passing + &renamed, "passing")]
    {
        let (run, each) = (rewritten(&plan, &body), rewritten(&plan, &without_runs(&body)));
        assert_same_series(&each.read().stored(), &run.read().stored(), first);
        assert_eq!(without_bytes(&each.report), without_bytes(&run.report), "{first}");
        // 10 to 19 arrive in both.
        assert_eq!(run.dropped("already_present"), 10, "{first}");
        assert_eq!(run.report.samples_out, 350, "{first}");
    }
}

/// The label sets of a run count towards the limits, and what exceeds them has the line number of
/// the sample that did.
#[test]
fn a_run_keeps_the_limits() {
    let consumer = |number: usize| {
        format!("kong_http_consumer_status{{code=\"200\",consumer=\"{number:05}\"}} 1\n")
    };
    let body: String = (0..3000).map(consumer).collect();
    for body in [body.clone(), without_runs(&body)] {
        let rewritten = |emit, held_series, held_bytes| {
            let limits = Limits { held_series, held_bytes, ..Limits::default() };
            let options = Options { limits, ..Options::default() };
            try_rewrite(&plan(emit), options, History::default(), [body.as_bytes()])
        };
        let defaults = Limits::default();
        let error = rewritten(Emit::New, 1000, defaults.held_bytes).expect_err("a limit");
        // One label set is the family, and one the total.
        assert!(matches!(error, Error::TooManySeries { line: 999, limit: 1000 }), "{error:?}");
        let error = rewritten(Emit::New, defaults.held_series, 100_000).expect_err("a limit");
        assert!(matches!(error, Error::TooMuchHeld { .. }), "{error:?}");
        // Of those that pass, only a hash is kept.
        assert!(rewritten(Emit::Old, 1000, 100_000).is_ok());
        let error = rewritten(Emit::Old, 1000, 20_000).expect_err("a limit");
        assert!(matches!(error, Error::TooMuchHeld { .. }), "{error:?}");
    }
}
