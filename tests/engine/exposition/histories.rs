//! Twelve consecutive scrapes of one node, with the history that each leaves for the next.
#![allow(clippy::float_cmp, reason = "what is expected is exact")]
#![allow(clippy::format_push_string, reason = "a body is built line by line, as it reads")]

use std::collections::BTreeMap;

use crate::support::engine::{leaving, plan, rewrite_next};
use crate::support::naive::{self, Series};
use crate::support::{assert_same_series, capture, oracle};
use crossfade::mapping::Emit;
use crossfade::rewrite::exposition::History;

const VERSIONS: [&str; 3] = ["kong-2.8.5", "kong-3.0.2", "kong-3.9.1"];

type Values = BTreeMap<Series, f64>;

/// The output of each of the twelve scrapes, compared with the oracle's.
fn rewritten(version: &str, mode: &str, emit: Emit) -> Vec<Values> {
    let mut history = History::default();
    let mut memory = oracle::Memory::new();
    let mut scrapes = Vec::new();
    for scrape in 1..=12 {
        let name = format!("small/series/{version}.{mode}/{scrape:02}.txt.gz");
        let body = capture(&name);
        let outcome = rewrite_next(&plan(emit), &body, history);
        let left = outcome.read().stored();
        let expected = oracle::rewrite_next(&naive::parse(&body), leaving(emit), &mut memory);
        assert_same_series(&expected, &left, &format!("{name} emitted as {emit:?}"));
        history = outcome.history;
        scrapes.push(left);
    }
    scrapes
}

/// The series of counters and histograms.
fn counters(left: &Values) -> impl Iterator<Item = (&Series, &f64)> {
    let suffixes = ["_bucket", "_sum", "_count"];
    let is_counter = move |name: &str| {
        let family = suffixes.iter().find_map(|s| name.strip_suffix(s)).unwrap_or(name);
        let kind = oracle::TYPES.iter().find(|(other, _)| *other == family);
        kind.is_some_and(|(_, kind)| *kind != "gauge")
    };
    left.iter().filter(move |(series, _)| is_counter(&series.name))
}

/// No counter decreases or disappears between two scrapes, except where the node restarted.
fn only_grows(version: &str, mode: &str, emit: Emit) {
    let scrapes = rewritten(version, mode, emit);
    for (at, pair) in scrapes.windows(2).enumerate() {
        if mode == "restart" && at + 2 == 7 {
            continue;
        }
        let mut seen = 0;
        for (series, before) in counters(&pair[0]) {
            let after = pair[1].get(series);
            assert!(
                after.is_some_and(|after| after >= before),
                "{version} {mode} {emit:?}, scrape {}: {series} {before}, then {after:?}",
                at + 2
            );
            seen += 1;
        }
        assert!(seen > 100, "{version} {mode} {emit:?}: {seen} counters");
    }
}

#[test]
fn upgraded_counters_only_grow() {
    only_grows("kong-2.8.5", "steady", Emit::New);
    only_grows("kong-2.8.5", "restart", Emit::New);
}

#[test]
fn downgraded_counters_only_grow() {
    for version in ["kong-3.0.2", "kong-3.9.1"] {
        only_grows(version, "steady", Emit::Old);
        only_grows(version, "restart", Emit::Old);
    }
}

#[test]
fn counters_under_both_only_grow() {
    for version in VERSIONS {
        only_grows(version, "steady", Emit::Both);
        only_grows(version, "restart", Emit::Both);
    }
}

#[test]
fn a_restart_resets_counters_at_once() {
    for (version, emit, family) in [
        ("kong-2.8.5", Emit::New, "kong_http_requests_total"),
        ("kong-3.9.1", Emit::Old, "kong_http_status"),
    ] {
        let scrapes = rewritten(version, "restart", emit);
        let total = |scrape: usize| -> f64 {
            scrapes[scrape - 1].iter().filter(|(s, _)| s.name == family).map(|(_, v)| v).sum()
        };
        assert!(total(7) < total(6), "{version}: {} then {}", total(6), total(7));
    }
}

/// A body of an old Kong: a total, and the requests of it that have a consumer.
fn status(total: Option<u32>, parts: &[(&str, u32)]) -> String {
    let mut body = String::from("# TYPE kong_http_status counter\n");
    if let Some(total) = total {
        body.push_str(&format!("kong_http_status{{code=\"200\"}} {total}\n"));
    }
    body.push_str("# TYPE kong_http_consumer_status counter\n");
    for (consumer, part) in parts {
        body.push_str(&format!(
            "kong_http_consumer_status{{code=\"200\",consumer=\"{consumer}\"}} {part}\n"
        ));
    }
    body
}

/// The difference without a consumer, scrape by scrape.
fn shares(emit: Emit, scrapes: &[String]) -> Vec<Option<f64>> {
    let mut history = History::default();
    let share = Series::new("kong_http_requests_total", &[("code", "200")]);
    let mut shares = Vec::new();
    for body in scrapes {
        let outcome = rewrite_next(&plan(emit), body.as_bytes(), history);
        shares.push(outcome.read().stored().get(&share).copied());
        history = outcome.history;
    }
    shares
}

#[test]
fn the_difference_without_consumer_never_decreases() {
    // Kong exports the two families one after the other under traffic: the parts may be ahead.
    let scrapes = [
        status(Some(10), &[("a", 4)]),
        status(Some(12), &[("a", 4), ("b", 5)]), // 3 only
        status(Some(20), &[("a", 4), ("b", 5)]),
        status(Some(20), &[("a", 4), ("b", 17)]), // below zero
    ];
    for emit in [Emit::New, Emit::Both] {
        assert_eq!(shares(emit, &scrapes), [Some(6.0), Some(6.0), Some(11.0), Some(11.0)]);
    }
}

#[test]
fn the_difference_resets_with_its_total() {
    let scrapes = [
        status(Some(10), &[("a", 4)]),
        status(Some(3), &[("a", 1)]), // restarted
        status(Some(4), &[("a", 3)]),
        status(Some(5), &[("a", 3)]),
    ];
    assert_eq!(shares(Emit::New, &scrapes), [Some(6.0), Some(2.0), Some(2.0), Some(2.0)]);
}

#[test]
fn a_difference_appears_once_it_is_above_zero() {
    let scrapes = [
        status(Some(4), &[("a", 4)]),
        status(Some(5), &[("a", 4)]),
        status(Some(9), &[("a", 9)]),
        status(Some(9), &[]), // a line is missing: the nine still have consumers
        status(Some(10), &[("a", 9)]),
    ];
    let expected = [None, Some(1.0), Some(1.0), Some(1.0), Some(1.0)];
    assert_eq!(shares(Emit::New, &scrapes), expected);
}

#[test]
fn a_missing_total_is_not_a_restart() {
    let scrapes =
        [status(Some(10), &[("a", 4)]), status(None, &[("a", 5)]), status(Some(12), &[("a", 9)])];
    let shares = shares(Emit::New, &scrapes);
    assert_eq!((shares[0], shares[1]), (Some(6.0), None));
    // The last value was six; three would look like a restart of the counter.
    assert_eq!(shares[2], Some(6.0));
}

#[test]
fn one_decreasing_total_resets_all_differences() {
    let scrape = |first: &str, second: &str| {
        let mut body = String::from("# TYPE kong_http_status counter\n");
        for (code, total) in [("200", first), ("404", second)] {
            if !total.is_empty() {
                body.push_str(&format!("kong_http_status{{code=\"{code}\"}} {total}\n"));
            }
        }
        body.push_str("# TYPE kong_http_consumer_status counter\n");
        body
    };
    let with_part = |body: String, code: &str, part: u32| {
        format!("{body}kong_http_consumer_status{{code=\"{code}\",consumer=\"a\"}} {part}\n")
    };
    // Before the restart all 404s had a consumer; after it none has, and the total is equal.
    let mut history = History::default();
    for (body, expected) in [
        (with_part(scrape("9", "1"), "404", 1), None),
        (scrape("1", ""), None),
        (scrape("2", "1"), Some(1.0)),
    ] {
        let outcome = rewrite_next(&plan(Emit::New), body.as_bytes(), history);
        let share = Series::new("kong_http_requests_total", &[("code", "404")]);
        assert_eq!(outcome.read().stored().get(&share).copied(), expected, "{body}");
        history = outcome.history;
    }
}
