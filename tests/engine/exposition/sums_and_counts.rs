//! Sums and counts of histograms, in any order after their buckets, compared with the oracle.
//!
//! The engine recognizes the label sets of buckets in the sums and counts that follow. Whatever their
//! order is, and whichever of them are missing or arrive twice, the output is the same.

use std::ops::Range;

use crate::support::engine::{EMITS, leaving, plan, rewrite, rewrite_at_every_cut, try_rewrite};
use crate::support::naive;
use crate::support::{Seeded, assert_same_series, capture, captures, oracle};
use crossfade::mapping::Emit;
use crossfade::rewrite::exposition::{Error, History, Limits, Options};

/// Which part of a histogram a line is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Bucket,
    Sum,
    Count,
}

fn part(line: &str) -> Option<Part> {
    let name = line.split('{').next()?;
    let suffixes = [("_bucket", Part::Bucket), ("_sum", Part::Sum), ("_count", Part::Count)];
    suffixes.into_iter().find(|(suffix, _)| name.ends_with(suffix)).map(|(_, part)| part)
}

/// The lines of each histogram family.
fn histograms(lines: &[String]) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        if line.starts_with('#') || part(line).is_none() {
            continue;
        }
        match found.last_mut() {
            Some(last) if last.end == at => last.end = at + 1,
            _ => found.push(at..at + 1),
        }
    }
    found
}

fn shuffle(lines: &mut [String], random: &mut Seeded) {
    for at in (1..lines.len()).rev() {
        lines.swap(at, random.below(at + 1));
    }
}

/// The lines of one family in another order, some missing, some twice, some with a fraction.
fn rearrange(lines: &[String], random: &mut Seeded) -> Vec<String> {
    let of = |wanted| lines.iter().filter(move |line| part(line) == Some(wanted)).cloned();
    let mut sums: Vec<String> = of(Part::Sum).collect();
    let mut counts: Vec<String> = of(Part::Count).collect();
    for (parts, may_be_fraction) in [(&mut sums, true), (&mut counts, false)] {
        if random.below(3) == 0 {
            shuffle(parts, random);
        }
        if random.below(3) == 0 {
            parts.retain(|_| random.below(4) > 0);
        }
        if random.below(3) == 0 && !parts.is_empty() {
            let twice = random.below(parts.len());
            parts.insert(twice, parts[twice].clone());
        }
        for line in parts {
            if may_be_fraction && random.below(4) == 0 && !line.contains('.') {
                line.push_str(".25");
            }
        }
    }
    let mut parts = [of(Part::Bucket).collect(), sums, counts];
    match random.below(4) {
        0 => parts.rotate_left(1),
        1 => parts.swap(1, 2),
        _ => {}
    }
    let mut all = parts.concat();
    if random.below(6) == 0 {
        shuffle(&mut all, random);
    }
    all
}

fn rearranged(body: &str, random: &mut Seeded) -> String {
    let mut lines: Vec<String> = body.lines().map(str::to_owned).collect();
    for range in histograms(&lines).into_iter().rev() {
        let others = rearrange(&lines[range.clone()], random);
        lines.splice(range, others);
    }
    lines.iter().flat_map(|line| [line, "\n"]).collect()
}

#[test]
fn any_order_equals_the_oracle() {
    let mut random = Seeded::new(7);
    let mut moved = 0;
    for name in captures("small") {
        let body = String::from_utf8(capture(&name)).expect("small captures are UTF-8");
        for _ in 0..6 {
            let body = rearranged(&body, &mut random);
            moved += usize::from(naive::parse(body.as_bytes()).samples().count() > 30);
            for emit in EMITS {
                let expected = oracle::rewrite(&naive::parse(body.as_bytes()), leaving(emit));
                let left = rewrite(&plan(emit), body.as_bytes()).read().stored();
                assert_same_series(&expected, &left, &format!("{name} emitted as {emit:?}"));
            }
        }
    }
    assert!(moved > 30, "{moved} bodies");
}

/// Two routes whose latencies are gathered: what is expected was computed by hand.
const TWO_ROUTES: &str = r#"# TYPE kong_latency histogram
kong_latency_bucket{service="a",route="r",type="request",le="25"} 1
kong_latency_bucket{service="a",route="r",type="request",le="+Inf"} 2
kong_latency_bucket{service="b",route="r",type="request",le="25"} 3
kong_latency_bucket{service="b",route="r",type="request",le="+Inf"} 4
kong_latency_bucket{service="c",route="r",type="request",le="25"} 5
kong_latency_bucket{service="c",route="r",type="request",le="+Inf"} 6
"#;

fn sums_of(body: &str) -> Vec<(String, f64)> {
    let outcome = rewrite_at_every_cut(&plan(Emit::New), Options::default(), body);
    let read = outcome.read().stored();
    let wanted = |name: &str| name.ends_with("_sum") || name.ends_with("_count");
    let parts = read.into_iter().filter(|(series, _)| wanted(&series.name));
    parts
        .map(|(series, value)| (format!("{} {}", series.name, series.label("service")), value))
        .collect()
}

fn expected(parts: &[(&str, f64)]) -> Vec<(String, f64)> {
    parts.iter().map(|(name, value)| (format!("kong_request_latency_ms_{name}"), *value)).collect()
}

#[test]
fn a_missing_sum_is_not_that_of_the_next_route() {
    let body = TWO_ROUTES.to_owned()
        + r#"kong_latency_count{service="a",route="r",type="request"} 2
kong_latency_count{service="c",route="r",type="request"} 6
kong_latency_sum{service="b",route="r",type="request"} 44.5
kong_latency_sum{service="c",route="r",type="request"} 1e2
"#;
    // The count of a histogram that has none is that of its largest bucket.
    let counts = [("count a", 2.0), ("count b", 4.0), ("count c", 6.0)];
    let all = [&counts[..], &[("sum b", 44.5), ("sum c", 100.0)]].concat();
    assert_eq!(sums_of(&body), expected(&all));
}

#[test]
fn labels_that_only_begin_alike_are_other_labels() {
    let body = TWO_ROUTES.to_owned()
        + r#"kong_latency_count{service="a",route="r",type="request"} 2
kong_latency_count{service="b",route="r",type="request",zone="z"} 70
kong_latency_count{service="b",route="r",type="reques"} 80
kong_latency_count{service="b",route="r",type="request" } 4
kong_latency_countx{service="c",route="r",type="request"} 90
kong_latency_count{service="c",route="r",type="request"} 6
kong_latency_count{service="c",route="r",type="request"} 66
"#;
    let left = sums_of(&body);
    let of_routes = expected(&[("count a", 2.0), ("count b", 4.0), ("count c", 6.0)]);
    // `zone` is another series with the same service; the count of 66 arrived after that of 6.
    for one in &of_routes {
        assert!(left.contains(one), "{one:?} in {left:?}");
    }
    assert!(left.iter().all(|(_, value)| (*value - 66.0).abs() > 0.5), "{left:?}");
}

/// The labels by which sums are recognized count towards the limit, also of histograms that pass.
#[test]
fn remembered_labels_are_limited() {
    let route = |number: usize| {
        format!("kong_latency_bucket{{route=\"{number:04}\",type=\"request\",le=\"+Inf\"}} 1\n")
    };
    let body: String = (0..2000).map(route).collect();
    for emit in [Emit::Old, Emit::New] {
        let rewritten = |held_bytes| {
            let limits = Limits { held_bytes, ..Limits::default() };
            let options = Options { limits, ..Options::default() };
            try_rewrite(&plan(emit), options, History::default(), [body.as_bytes()])
        };
        assert!(rewritten(1 << 20).is_ok(), "{emit:?}");
        // 2,000 label sets with about 30 bytes of text each.
        let error = rewritten(60_000).expect_err("more is remembered");
        assert!(matches!(error, Error::TooMuchHeld { .. }), "{error}");
    }
}
