//! Malformed and unusual bodies. Every expected value is written by hand.
#![allow(clippy::float_cmp, reason = "what is expected is exact")]
#![allow(clippy::format_push_string, reason = "a body is built line by line, as it reads")]

use crate::support::engine::{EMITS, Outcome, empty_plan, plan, rewrite, try_rewrite};
use crate::support::lines::{ENDS, LINES};
use crate::support::naive::{self, Item, Series};
use crate::support::{assert_same_series, capture, captures};
use crossfade::exposition::Format;
use crossfade::mapping::Emit;
use crossfade::rewrite::exposition::{DropReason, Error, History, Limits, Malformed, Options};

/// Rewrites `input` and checks that the output is valid and has the series of `expected`.
#[track_caller]
fn check(emit: Emit, input: &str, expected: &str) -> Outcome {
    let outcome = rewrite(&plan(emit), input.as_bytes());
    let read = outcome.read();
    assert!(read.refused().is_empty(), "{:?}", read.refused());
    let expected = naive::parse(expected.as_bytes());
    assert!(expected.refused().is_empty(), "{:?}", expected.refused());
    assert_same_series(
        &expected.stored(),
        &read.stored(),
        &outcome.body.escape_ascii().to_string(),
    );
    outcome
}

/// The text without the indentation of its lines.
fn lines(text: &str) -> String {
    text.lines().flat_map(|line| [line.trim_start(), "\n"]).collect()
}

/// Lines that Prometheus accepts and Crossfade drops: no exporter writes them, strict parsers
/// refuse them, and two of them are easily misread.
const STRICTER: &[&[u8]] = &[
    b"a{x=\"\",x=\"\"} 1",
    b"a{x=\"\",x=\"1\"} 1",
    b"a{x=\"1\",x=\"\"} 1",
    b"a{x=\"1\",x=\"2\",x=\"\"} 1",
    b"a+1",
    b"a.5",
];

/// Lines that Prometheus would refuse are dropped; the others are unchanged.
///
/// `tests/external/verdicts.rs` shows that Prometheus and the naive parser agree about these lines.
#[test]
fn a_line_is_emitted_only_if_prometheus_accepts_it() {
    let mut wrong = Vec::new();
    for line in LINES.iter().chain(ENDS) {
        let body = [b"before 1\n", *line, b"\nafter 2\n"].concat();
        let mut expected = Vec::new();
        for (item, raw) in naive::parse(&body).lines {
            if !matches!(item, Item::Refused(_) | Item::End)
                && !STRICTER.contains(&without_newline(&raw))
            {
                expected.extend(raw);
            }
        }
        if ENDS.contains(line) {
            // Prometheus loses this line; Crossfade only drops the line that ends the body.
            expected.extend(b"after 2\n");
        }
        let options = Options::default();
        for plan in [empty_plan(), plan(Emit::Old)] {
            let outcome = try_rewrite(&plan, options, History::default(), [&body[..]]);
            // The start of an HTML or JSON document fails the scrape.
            if matches!(outcome, Err(Error::UpstreamFailed { line: 2, .. })) {
                assert!(line.starts_with(b"<"), "{}", line.escape_ascii());
                break;
            }
            let outcome = outcome.expect("no limit is passed");
            if outcome.body != expected {
                wrong.push(format!(
                    "{}: left {}",
                    line.escape_ascii(),
                    outcome.body.escape_ascii()
                ));
                break;
            }
        }
    }
    assert!(wrong.is_empty(), "{} lines:\n{}", wrong.len(), wrong.join("\n"));
}

fn without_newline(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\n").unwrap_or(line)
}

#[test]
fn exemplars_pass_where_they_are_valid() {
    let body = b"# TYPE a counter\na_total 1 # {trace_id=\"x\"} 0.5 123.4\n# EOF\n";
    let with = |format| {
        let options = Options { format, ..Options::default() };
        let outcome = try_rewrite(&plan(Emit::Old), options, History::default(), [&body[..]]);
        outcome.expect("no limit is passed").body
    };
    assert_eq!(with(Format::OpenMetrics), body);
    assert_eq!(with(Format::Text), b"# TYPE a counter\n# EOF\n");
}

#[test]
fn refused_lines_are_counted_by_reason() {
    let outcome = rewrite(
        &plan(Emit::Old),
        b"a{x=\"1\",x=\"2\"} 1\na{x=\"\xff\"} 1\nb nil\nb nil\nc 1 2 3\n# TYPE d Counter\n?\ne{x=1} 1\nf 1\n",
    );
    assert_eq!(outcome.body, b"f 1\n");
    let dropped: Vec<(&str, u64)> =
        outcome.report.dropped.iter().map(|(reason, count)| (reason.as_str(), *count)).collect();
    let expected = [
        ("bad_header", 1),
        ("bad_labels", 1),
        ("bad_name", 1),
        ("bad_timestamp", 1),
        ("bad_utf8", 1),
        ("bad_value", 2),
        ("duplicate_label", 1),
    ];
    assert_eq!(dropped, expected);
    assert_eq!((outcome.report.samples_in, outcome.report.samples_out), (1, 1));
}

#[test]
fn malformed_lines_pass_or_fail_the_scrape_when_asked() {
    let body = b"a 1\nb nil\nc 1\n";
    let with = |malformed| {
        let options = Options { malformed, ..Options::default() };
        try_rewrite(&plan(Emit::Old), options, History::default(), [&body[..]])
    };
    assert_eq!(with(Malformed::Pass).expect("passes").body, body);
    assert_eq!(with(Malformed::Drop).expect("drops").body, b"a 1\nc 1\n");
    let error = with(Malformed::Fail).expect_err("fails");
    assert!(matches!(error, Error::Malformed { line: 2, .. }), "{error}");
}

#[test]
fn repeated_late_and_missing_headers() {
    // A repeated TYPE, a TYPE after its samples, and none.
    let outcome = check(
        Emit::New,
        "kong_http_status{code=\"200\"} 1\n# TYPE kong_http_status counter\n\
         # TYPE kong_http_status counter\n# HELP kong_http_status late\n\
         kong_http_status{code=\"404\"} 2\nkong_stream_status 3\n",
        "kong_http_requests_total{code=\"200\"} 1\nkong_http_requests_total{code=\"404\"} 2\n\
         kong_stream_sessions_total 3\n",
    );
    let text = String::from_utf8(outcome.body).expect("is text");
    assert_eq!(text.matches("# TYPE kong_http_requests_total counter").count(), 1, "{text}");
    assert_eq!(text.matches("# HELP kong_http_requests_total").count(), 1, "{text}");
    assert!(!text.contains("kong_http_status"), "{text}");
}

#[test]
fn a_type_per_suffix_declares_three_unmatched_families() {
    // Kong never exports this. The declared types apply, so it is no histogram and passes.
    let body = "# TYPE kong_latency_bucket histogram\nkong_latency_bucket{type=\"kong\",le=\"1\"} 1\n\
         # TYPE kong_latency_sum counter\nkong_latency_sum{type=\"kong\"} 1\n\
         # TYPE kong_latency_count counter\nkong_latency_count{type=\"kong\"} 1\n";
    let outcome = check(Emit::New, body, body);
    assert_eq!(outcome.body, body.as_bytes());
}

#[test]
fn a_histogram_of_the_pack_needs_no_type() {
    let outcome = check(
        Emit::New,
        &lines(
            "kong_latency_bucket{type=\"kong\",le=\"60000\"} 1
             kong_latency_bucket{type=\"kong\",le=\"+Inf\"} 1
             kong_latency_sum{type=\"kong\"} 50000
             kong_latency_count{type=\"kong\"} 1",
        ),
        &histogram(
            "kong_kong_latency_ms",
            &[
                "1", "2", "5", "7", "10", "15", "20", "30", "50", "75", "100", "200", "500", "750",
                "1000", "3000", "6000",
            ],
            |_| 0,
            (1, 50000),
        ),
    );
    assert_eq!(outcome.read().types()["kong_kong_latency_ms"], "histogram");
}

/// A complete histogram without labels.
fn histogram(family: &str, bounds: &[&str], at: impl Fn(&str) -> u32, all: (u32, u32)) -> String {
    let mut text = format!("# TYPE {family} histogram\n");
    for le in bounds {
        text.push_str(&format!("{family}_bucket{{le=\"{le}\"}} {}\n", at(le)));
    }
    let (count, sum) = all;
    text.push_str(&format!("{family}_bucket{{le=\"+Inf\"}} {count}\n"));
    text.push_str(&format!("{family}_sum {sum}\n{family}_count {count}\n"));
    text
}

/// The boundaries of the request histogram of 3.x.
const SLOW: &[&str] = &[
    "25", "50", "80", "100", "250", "400", "700", "1000", "2000", "5000", "10000", "30000", "60000",
];

#[test]
fn le_is_compared_as_a_number() {
    check(
        Emit::New,
        &lines(
            "# TYPE kong_latency histogram
             kong_latency_bucket{type=\"request\",le=\"00025.0\"} 1
             kong_latency_bucket{type=\"request\",le=\"5e1\"} 2
             kong_latency_bucket{type=\"request\",le=\"80.000\"} 3
             kong_latency_bucket{type=\"request\",le=\"60000\"} 4
             kong_latency_bucket{type=\"request\",le=\"inf\"} 5
             kong_latency_sum{type=\"request\"} 99
             kong_latency_count{type=\"request\"} 5",
        ),
        &histogram(
            "kong_request_latency_ms",
            SLOW,
            // The input has no bucket between 80 and 60000.
            |le| match le {
                "25" => 1,
                "50" => 2,
                "60000" => 4,
                _ => 3,
            },
            (5, 99),
        ),
    );
}

#[test]
fn a_histogram_without_inf_uses_its_count() {
    check(
        Emit::New,
        &lines(
            "# TYPE kong_latency histogram
             kong_latency_bucket{type=\"request\",le=\"25\"} 1
             kong_latency_bucket{type=\"request\",le=\"60000\"} 2
             kong_latency_sum{type=\"request\"} 9
             kong_latency_count{type=\"request\"} 3",
        ),
        &histogram("kong_request_latency_ms", SLOW, |le| if le == "60000" { 2 } else { 1 }, (3, 9)),
    );
}

#[test]
fn a_count_that_differs_from_infinity_is_kept() {
    // Kong up to 3.14 reads the two at different times. Strict parsers want them equal.
    let outcome = rewrite(
        &plan(Emit::New),
        b"# TYPE kong_latency histogram\nkong_latency_bucket{type=\"request\",le=\"25\"} 1\n\
          kong_latency_bucket{type=\"request\",le=\"+Inf\"} 7\n\
          kong_latency_sum{type=\"request\"} 9\nkong_latency_count{type=\"request\"} 8\n",
    );
    let left = outcome.read().stored();
    let infinity = left[&Series::new("kong_request_latency_ms_bucket", &[("le", "+Inf")])];
    let count = left[&Series::new("kong_request_latency_ms_count", &[])];
    assert!((7.0..=8.0).contains(&infinity) && (7.0..=8.0).contains(&count), "{infinity} {count}");
}

#[test]
fn decreasing_buckets_do_not_fail_the_scrape() {
    // For such input the output only has to be complete, in order, and finite.
    let outcome = rewrite(
        &plan(Emit::New),
        b"# TYPE kong_latency histogram\nkong_latency_bucket{type=\"request\",le=\"25\"} 9\n\
          kong_latency_bucket{type=\"request\",le=\"80\"} 3\n\
          kong_latency_bucket{type=\"request\",le=\"300\"} 5\n\
          kong_latency_bucket{type=\"request\",le=\"+Inf\"} 4\n\
          kong_latency_sum{type=\"request\"} 9\nkong_latency_count{type=\"request\"} 4\n",
    );
    let left = outcome.read();
    let buckets: Vec<f64> = left
        .samples()
        .filter(|sample| sample.name == "kong_request_latency_ms_bucket")
        .map(|sample| sample.series().label("le").parse().expect("a number"))
        .collect();
    assert_eq!(buckets.len(), SLOW.len() + 1);
    assert!(buckets.is_sorted(), "{buckets:?}");
    assert!(left.samples().all(|sample| sample.value.is_finite() && sample.value >= 0.0));
}

#[test]
fn buckets_whose_le_is_no_number_are_dropped() {
    let outcome = check(
        Emit::New,
        "# TYPE kong_latency histogram\nkong_latency_bucket{type=\"request\",le=\"nil\"} 1\n\
         kong_latency_bucket{type=\"request\"} 1\nother 1\n",
        "other 1\n",
    );
    assert_eq!(outcome.report.dropped.values().sum::<u64>(), 2, "{:?}", outcome.report.dropped);
}

#[test]
fn a_label_after_le_belongs_to_the_label_set() {
    let outcome = rewrite(
        &plan(Emit::Old),
        b"# TYPE kong_request_latency_ms histogram\n\
          kong_request_latency_ms_bucket{le=\"+Inf\"} 1\n\
          kong_request_latency_ms_bucket{le=\"+Inf\",service=\"a\"} 2\n",
    );
    let left = outcome.read().stored();
    let all = |service| {
        let labels = [("type", "request"), ("service", service), ("le", "+Inf")];
        left.get(&Series::new("kong_latency_bucket", &labels)).copied()
    };
    assert_eq!((all(""), all("a")), (Some(1.0), Some(2.0)));
}

#[test]
fn holes_take_the_bucket_below() {
    let buckets = |workspace: &str, lost: &str| -> String {
        let line = |(le, value): (&str, &str)| {
            let value = if le == lost { "nil" } else { value };
            format!(
                "kong_request_latency_ms_bucket{{workspace=\"{workspace}\",le=\"{le}\"}} {value}\n"
            )
        };
        [("25", "5"), ("50", "6"), ("80", "7"), ("+Inf", "7")].map(line).concat()
    };
    for (first, second) in [("50", ""), ("", "50")] {
        let body = buckets("a", first) + &buckets("b", second);
        let left = rewrite(&plan(Emit::Old), body.as_bytes()).read().stored();
        let at = |le| left[&Series::new("kong_latency_bucket", &[("type", "request"), ("le", le)])];
        // The missing bucket has the count of the next lower bucket: 5 instead of 6.
        assert_eq!([at("25"), at("50"), at("80")], [10.0, 11.0, 14.0], "{body}");
    }
}

#[test]
fn le_on_a_sample_that_is_no_bucket_is_not_written_twice() {
    for suffix in ["_count", "_sum"] {
        let body = format!("kong_kong_latency_ms{suffix}{{le=\"a\",service=\"b\"}} 1\n");
        let read = rewrite(&plan(Emit::Old), body.as_bytes()).read();
        assert!(read.refused().is_empty(), "{body}: {:?}", read.refused());
    }
}

#[test]
fn a_total_with_a_label_of_its_parts_is_written_once() {
    let outcome = rewrite(
        &plan(Emit::New),
        b"kong_http_status{consumer=\"b\"} 3\nkong_http_consumer_status{consumer=\"b\"} 1\n",
    );
    let read = outcome.read();
    let mut series: Vec<Series> = read.samples().map(naive::Sample::series).collect();
    let written = series.len();
    series.dedup();
    assert_eq!(series.len(), written, "{}", outcome.body.escape_ascii());
}

#[test]
fn non_finite_values_are_kept() {
    let outcome = rewrite(
        &plan(Emit::Old),
        b"# TYPE kong_bandwidth_bytes counter\n\
          kong_bandwidth_bytes{direction=\"egress\",consumer=\"\"} +Inf\n\
          kong_bandwidth_bytes{direction=\"egress\",consumer=\"a\"} 1\n\
          kong_bandwidth_bytes{direction=\"ingress\",consumer=\"\"} nan\n",
    );
    let left = outcome.read().stored();
    assert!(left[&Series::new("kong_bandwidth", &[("type", "egress")])].is_infinite());
    assert!(left[&Series::new("kong_bandwidth", &[("type", "ingress")])].is_nan());
}

#[test]
fn large_sums_are_exact_up_to_two_to_the_53() {
    let outcome = rewrite(
        &plan(Emit::Old),
        b"# TYPE kong_bandwidth_bytes counter\n\
          kong_bandwidth_bytes{direction=\"egress\",consumer=\"\"} 9.007199254740990e+15\n\
          kong_bandwidth_bytes{direction=\"egress\",consumer=\"a\"} 1\n\
          kong_bandwidth_bytes{direction=\"ingress\",consumer=\"\"} 0.1\n\
          kong_bandwidth_bytes{direction=\"ingress\",consumer=\"a\"} 0.2\n",
    );
    let text = String::from_utf8(outcome.body).expect("is text");
    assert!(text.contains("kong_bandwidth{type=\"egress\"} 9007199254740991\n"), "{text}");
    assert!(text.contains("kong_bandwidth{type=\"ingress\"} 0.30000000000000004\n"), "{text}");
}

#[test]
fn empty_labels_are_absent_labels() {
    check(
        Emit::New,
        "# TYPE kong_http_consumer_status counter\n\
         kong_http_consumer_status{code=\"200\",consumer=\"\"} 3\n\
         # TYPE kong_http_status counter\nkong_http_status{code=\"200\",route=\"\"} 3\n",
        // Without a consumer it is not a part, and the total already counts it.
        "kong_http_consumer_status{code=\"200\"} 3\nkong_http_requests_total{code=\"200\"} 3\n",
    );
    // An empty label is no label, so the two lines are one series.
    check(
        Emit::Old,
        "# TYPE kong_http_requests_total counter\n\
         kong_http_requests_total{code=\"200\",route=\"\",source=\"service\"} 1\n\
         kong_http_requests_total{code=\"200\",source=\"kong\"} 2\n",
        "kong_http_status{code=\"200\"} 3\n",
    );
}

#[test]
fn the_order_of_labels_does_not_matter() {
    check(
        Emit::New,
        "# TYPE kong_http_status counter\nkong_http_status{code=\"200\",service=\"a\",route=\"b\"} 5\n\
         # TYPE kong_http_consumer_status counter\n\
         kong_http_consumer_status{consumer=\"c\",service=\"a\",route=\"b\",code=\"200\"} 2\n\
         kong_http_consumer_status{route=\"b\",service=\"a\",code=\"200\",consumer=\"d\"} 1\n",
        "kong_http_requests_total{code=\"200\",service=\"a\",route=\"b\"} 2\n\
         kong_http_requests_total{code=\"200\",service=\"a\",route=\"b\",consumer=\"c\"} 2\n\
         kong_http_requests_total{code=\"200\",service=\"a\",route=\"b\",consumer=\"d\"} 1\n",
    );
}

#[test]
fn hostile_names_keep_their_meaning() {
    let outcome = check(
        Emit::Old,
        "# TYPE kong_http_requests_total counter\n\
         kong_http_requests_total{code=\"200\",consumer=\"two\nlines\"} 1\n\
         kong_http_requests_total{code=\"200\",consumer=\"a}b,c=\\\"d\\\",le=\"} 1\n\
         kong_http_requests_total{code=\"200\",consumer=\"back\\\\slash\\n\"} 1\n\
         kong_http_requests_total{code=\"200\",consumer=\"odd\\q\"} 1\n\
         kong_http_requests_total{code=\"200\",consumer=\"nul\0\"} 1\n",
        "kong_http_status{code=\"200\"} 5\n\
         kong_http_consumer_status{code=\"200\",consumer=\"two\\nlines\"} 1\n\
         kong_http_consumer_status{code=\"200\",consumer=\"a}b,c=\\\"d\\\",le=\"} 1\n\
         kong_http_consumer_status{code=\"200\",consumer=\"back\\\\slash\\n\"} 1\n\
         kong_http_consumer_status{code=\"200\",consumer=\"odd\\\\q\"} 1\n\
         kong_http_consumer_status{code=\"200\",consumer=\"nul\0\"} 1\n",
    );
    let raw = outcome.read().samples().any(|sample| sample.raw.contains(&b'\n'));
    assert!(!raw, "a raw newline was written");
}

#[test]
fn the_same_consumer_spelled_two_ways_is_one() {
    check(
        Emit::Old,
        "# TYPE kong_http_requests_total counter\n\
         kong_http_requests_total{code=\"200\",consumer=\"two\nlines\",source=\"a\"} 1\n\
         kong_http_requests_total{code=\"200\",consumer=\"two\\nlines\",source=\"b\"} 2\n",
        "kong_http_status{code=\"200\"} 3\n\
         kong_http_consumer_status{code=\"200\",consumer=\"two\\nlines\"} 3\n",
    );
}

#[test]
fn an_existing_label_that_the_rule_writes() {
    // `type` becomes `direction`, so an existing `direction` would be a second one.
    let outcome = rewrite(
        &plan(Emit::New),
        b"# TYPE kong_bandwidth counter\nkong_bandwidth{type=\"egress\",direction=\"up\"} 1\n\
          kong_bandwidth{type=\"egress\"} 2\n",
    );
    let left = outcome.read();
    assert!(left.refused().is_empty(), "{:?}", left.refused());
    let good = Series::new("kong_bandwidth_bytes", &[("direction", "egress")]);
    assert_eq!(left.stored().get(&good), Some(&2.0));
}

#[test]
fn timestamps_are_kept_and_never_invented() {
    let outcome = rewrite(
        &plan(Emit::Old),
        b"other 1 1700000000000\n# TYPE kong_http_requests_total counter\n\
          kong_http_requests_total{source=\"a\"} 1 1700000000000\n\
          kong_http_requests_total{source=\"b\"} 1 1700000000500\n\
          # TYPE kong_stream_sessions_total counter\nkong_stream_sessions_total 1\n",
    );
    for sample in outcome.read().samples() {
        match sample.name.as_str() {
            "other" => assert_eq!(sample.timestamp, Some(1_700_000_000_000)),
            "kong_http_status" => {
                assert!(matches!(sample.timestamp, None | Some(1_700_000_000_500)), "{sample:?}");
            }
            _ => assert_eq!(sample.timestamp, None, "{sample:?}"),
        }
    }
}

#[test]
fn a_histogram_and_a_summary_of_one_name() {
    for emit in EMITS {
        let outcome = rewrite(
            &plan(emit),
            b"# TYPE kong_latency summary\nkong_latency{type=\"kong\",quantile=\"0.5\"} 1\n\
              # TYPE kong_latency histogram\nkong_latency_bucket{type=\"kong\",le=\"+Inf\"} 1\n\
              kong_latency_sum{type=\"kong\"} 1\nkong_latency_count{type=\"kong\"} 1\n",
        );
        let read = outcome.read();
        assert!(read.refused().is_empty(), "{:?}", read.refused());
        let median = Series::new("kong_latency", &[("type", "kong"), ("quantile", "0.5")]);
        assert_eq!(read.stored().get(&median), Some(&1.0), "{emit:?}");
    }
}

#[test]
fn duplicates_are_dropped_and_counted() {
    let outcome = check(
        Emit::Old,
        "# TYPE kong_datastore_reachable gauge\nkong_datastore_reachable 1\n\
         # TYPE kong_datastore_reachable gauge\nkong_datastore_reachable{} 0\n",
        "kong_datastore_reachable 1\n",
    );
    assert_eq!((outcome.dropped("repeated_series"), outcome.dropped("repeated_header")), (1, 1));
    assert_eq!(outcome.report.samples_out, 1);
}

#[test]
fn html_and_json_fail_and_an_empty_body_passes() {
    for body in [
        &b"<html>\n<head><title>502 Bad Gateway</title></head>\n<body class=\"x\">\n</html>\n"[..],
        b"{\"message\":\"no Route matched with those values\"}",
        b"{\n  \"message\": \"An unexpected error occurred\"\n}\n",
    ] {
        let outcome = try_rewrite(&plan(Emit::Old), Options::default(), History::default(), [body]);
        assert!(
            matches!(outcome, Err(Error::UpstreamFailed { line: 1, .. })),
            "{}",
            body.escape_ascii()
        );
    }
    for body in [&b""[..], b"\n\n", b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff\xcb\x48"] {
        let outcome = rewrite(&plan(Emit::Old), body);
        let left = outcome.read();
        assert_eq!(left.samples().count(), 0, "{}", outcome.body.escape_ascii());
        assert!(left.refused().is_empty(), "{}", outcome.body.escape_ascii());
        assert_eq!(outcome.report.samples_in, 0);
    }
}

#[test]
fn an_unclosed_quote_costs_one_line() {
    let outcome = rewrite(
        &plan(Emit::New),
        b"a 1\nkong_http_status{code=\"200} 1\nkong_http_status{code=\"404\"} 2\nb 1\n\
          kong_http_status{code=\"500",
    );
    let left = outcome.read().stored();
    let names: Vec<String> = left.keys().map(ToString::to_string).collect();
    assert_eq!(names, ["a", "b", "kong_http_requests_total{code=\"404\"}"]);
    assert_eq!(outcome.report.dropped.values().sum::<u64>(), 2, "{:?}", outcome.report.dropped);
}

#[test]
fn lines_up_to_the_limit_pass_and_longer_ones_fail_the_scrape() {
    let limits = Limits { line_bytes: 1000, ..Limits::default() };
    let options = Options { limits, ..Options::default() };
    let line = |value: usize| format!("a{{b=\"{}\"}} 1\n", "x".repeat(value)).into_bytes();
    let overhead = line(0).len() - 1;
    let try_with = |body: &[u8], pieces: usize| {
        let chunks = body.chunks(pieces);
        try_rewrite(&plan(Emit::Old), options, History::default(), chunks)
    };
    for pieces in [1, 7, 10_000] {
        let body = line(1000 - overhead);
        assert_eq!(try_with(&body, pieces).expect("is within the limit").body, body);
        let body = [&b"ok 1\n"[..], &line(1001 - overhead)].concat();
        let error = try_with(&body, pieces).expect_err("is beyond the limit");
        assert!(matches!(error, Error::LineTooLong { line: 2, limit: 1000 }), "{error}");
        // The line does not have to be complete for that.
        let error = try_with(&body[..body.len() - 1], pieces).expect_err("is beyond the limit");
        assert!(matches!(error, Error::LineTooLong { .. }), "{error}");
    }
}

#[test]
fn a_label_value_of_a_megabyte_is_within_the_default_limits() {
    let value = "v".repeat(1_000_000);
    let body =
        format!("# TYPE kong_http_status counter\nkong_http_status{{service=\"{value}\"}} 1\n");
    let left = rewrite(&plan(Emit::New), body.as_bytes()).read().stored();
    assert_eq!(left[&Series::new("kong_http_requests_total", &[("service", &value)])], 1.0);
}

#[test]
fn other_limits_fail_the_scrape_as_well() {
    let many = |line: &dyn Fn(usize) -> String| -> String { (0..20).map(line).collect() };
    let held = many(&|n| format!("kong_http_status{{code=\"{n}\"}} 1\n"));
    let run = |limits: Limits, body: &str| {
        let options = Options { limits, ..Options::default() };
        let chunks = [body.as_bytes()];
        try_rewrite(&plan(Emit::New), options, History::default(), chunks)
    };
    let held_series = Limits { held_series: 10, ..Limits::default() };
    let error = run(held_series, &held).expect_err("holds more than ten");
    assert!(matches!(error, Error::TooManySeries { limit: 10, .. }), "{error}");

    let labels: Vec<String> = (0..20).map(|n| format!("l{n}=\"x\"")).collect();
    let wide = format!("a{{{}}} 1\n", labels.join(","));
    let few_labels = Limits { labels: 19, ..Limits::default() };
    let error = run(few_labels, &wide).expect_err("has twenty labels");
    assert!(matches!(error, Error::TooManyLabels { limit: 19, .. }), "{error}");
    assert!(run(Limits { labels: 20, ..Limits::default() }, &wide).is_ok());

    let body_bytes = Limits { body_bytes: 9, ..Limits::default() };
    let error = run(body_bytes, "a 1\nb 1\nc 1\n").expect_err("is longer than nine bytes");
    assert!(matches!(error, Error::BodyTooLong { limit: 9 }), "{error}");
    assert!(run(Limits { body_bytes: 8, ..Limits::default() }, "a 1\nb 1\n").is_ok());
}

#[test]
fn hostile_captures_lose_only_their_broken_lines() {
    for name in captures("quirk") {
        let body = capture(&name);
        let read = naive::parse(&body);
        for emit in EMITS {
            let outcome = rewrite(&plan(emit), &body);
            let dropped = outcome.report.dropped.iter();
            let malformed = dropped.filter(|(reason, _)| **reason != DropReason::NotCounted);
            let refused: u64 = malformed.map(|(_, count)| count).sum();
            let expected = u64::try_from(read.refused().len()).expect("fits");
            assert_eq!(refused, expected, "{name} {emit:?}: {:?}", outcome.report.dropped);
            assert!(outcome.read().refused().is_empty(), "{name} {emit:?}");
        }
    }
}
