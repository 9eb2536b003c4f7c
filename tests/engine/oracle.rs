//! Tests of the oracle itself: the naive parser and the hard-coded correspondences.
//!
//! All expected values were worked out by hand.
#![allow(clippy::float_cmp, reason = "what is expected is exact")]

use crate::support::kong::{Common, PAIRS};
use crate::support::naive::{self, Refusal, Sample, Series};
use crate::support::oracle::{self, Leaving, Memory};
use crate::support::{assert_same_series, capture, captures, strict};

#[test]
fn the_naive_parser_accepts_what_prometheus_accepts() {
    let body = b"# HELP a some \\\\ text\n# TYPE a counter\n\
        a{x=\"1\", y = \"q\\\"\\n\\z\",} 1e3 17\na\t+Inf";
    let read = naive::parse(body);
    assert!(read.refused().is_empty());
    assert_eq!(read.helps()["a"], "some \\ text");
    let samples: Vec<&Sample> = read.samples().collect();
    assert_eq!(samples[0].series(), Series::new("a", &[("x", "1"), ("y", "q\"\n\\z")]));
    assert_eq!((samples[0].value_text.as_str(), samples[0].timestamp), ("1e3", Some(17)));
    assert_eq!((samples[0].line, samples[1].line), (3, 4));
    assert!(samples[1].value.is_infinite());
}

#[test]
fn the_naive_parser_refuses_what_prometheus_refuses() {
    let cases: &[(&[u8], Refusal)] = &[
        (b"\xef\xbb\xbfa 1", Refusal::LineStart),
        (b"1a 1", Refusal::LineStart),
        (b" a 1", Refusal::LineStart),
        (b"{x=\"1\"} 1", Refusal::LineStart),
        (b"# TYPE a Counter", Refusal::MetricType),
        (b"# TYPE a counter ", Refusal::MetricType),
        (b"# TYPE a unknown", Refusal::MetricType),
        (b"# TYPE a", Refusal::MetricType),
        (b"# TYPE 1 counter", Refusal::HeaderName),
        (b"# HELP ", Refusal::HeaderName),
        (b"# HELP a \xff", Refusal::HelpNotUtf8),
        (b"a{x=\"\xff\"} 1", Refusal::LabelNotUtf8),
        (b"a{x=\"1\",x=\"2\"} 1", Refusal::DuplicateLabel),
        (b"a{x=\"1} 1", Refusal::Labels),
        (b"a{x=1} 1", Refusal::Labels),
        (b"a{,} 1", Refusal::Labels),
        (b"a{x:y=\"1\"} 1", Refusal::Labels),
        (b"a", Refusal::Value),
        (b"a 1\r", Refusal::Value),
        (b"a 0x1", Refusal::Value),
        (b"a 1_0", Refusal::Value),
        (b"a -nan", Refusal::Value),
        (b"a 1e999", Refusal::Value),
        (b"a 1 1.5", Refusal::Timestamp),
        (b"a 1 -5", Refusal::Timestamp),
        (b"a 1 5 6", Refusal::Timestamp),
        (b"a 1 99999999999999999999", Refusal::Timestamp),
        (b"a 1 # {trace=\"x\"} 1", Refusal::Timestamp),
    ];
    for (line, why) in cases {
        let body = [b"before 1\n", *line, b"\nafter 2\n"].concat();
        let read = naive::parse(&body);
        let refused = read.refused();
        assert_eq!(refused.len(), 1, "{}", line.escape_ascii());
        assert_eq!((refused[0].line, refused[0].why), (2, *why), "{}", line.escape_ascii());
        assert_eq!(read.samples().count(), 2, "{}", line.escape_ascii());
    }
}

#[test]
fn the_naive_parser_continues_after_a_refused_line() {
    let read = naive::parse(b"a{x=\"open} 1\nb 2\nc{y=\"z\"} 3\n");
    assert_eq!(read.refused().len(), 1);
    assert_eq!(read.samples().map(|s| s.name.as_str()).collect::<Vec<_>>(), ["b", "c"]);
}

#[test]
fn all_captures_except_quirk_are_valid() {
    for scale in ["tiny", "small", "medium"] {
        for name in captures(scale) {
            assert_eq!(naive::parse(&capture(&name)).refused(), Vec::<&naive::Refused>::new());
        }
    }
}

#[test]
fn strict_parsers_refuse_two_expositions_in_one_body() {
    let errors = strict::errors(&capture("tiny/prometheus/kong-2.8.5.http_stream.txt"), &[]);
    assert!(errors.iter().any(|error| error == "second HELP of kong_latency"), "{errors:?}");
    assert!(errors.iter().any(|error| error.contains("kong_nginx_timers{")), "{errors:?}");
}

#[test]
fn strict_parsers_refuse_interleaved_buckets() {
    let errors = strict::errors(
        b"# HELP a b\n# TYPE a histogram\na_bucket{le=\"2\"} 2\na_bucket{le=\"1\"} 3\n\
          a_sum 1\nb 1\na_count 4",
        &["a"],
    );
    let expected = [
        "no newline at the end",
        "a is in 2 places",
        "a: the last bucket is not +Inf",
        "a: le 2 before 1",
    ];
    assert_eq!(errors, expected);
}

/// Upgrades a body as the first scrape of a node and compares with literals.
#[track_caller]
fn upgrades(old: &str, new: &str) {
    let left = oracle::rewrite(&naive::parse(old.as_bytes()), Leaving::New);
    assert_same_series(&naive::parse(new.as_bytes()).stored(), &left, "upgraded");
}

#[track_caller]
fn downgrades(new: &str, old: &str) {
    let left = oracle::rewrite(&naive::parse(new.as_bytes()), Leaving::Old);
    assert_same_series(&naive::parse(old.as_bytes()).stored(), &left, "downgraded");
}

#[test]
fn the_share_without_consumer_is_the_difference() {
    upgrades(
        "kong_http_status{service=\"s\",code=\"200\"} 10\n\
         kong_http_status{service=\"s\",code=\"404\"} 3\n\
         kong_http_status{service=\"s\",code=\"500\"} 2\n\
         kong_http_status{service=\"s\",code=\"502\"} 0\n\
         kong_http_consumer_status{service=\"s\",code=\"200\",consumer=\"a\"} 4\n\
         kong_http_consumer_status{service=\"s\",code=\"200\",consumer=\"b\"} 5\n\
         kong_http_consumer_status{service=\"s\",code=\"404\",consumer=\"a\"} 3\n\
         kong_http_consumer_status{service=\"s\",code=\"500\",consumer=\"a\"} 3\n",
        "kong_http_requests_total{service=\"s\",code=\"200\"} 1\n\
         kong_http_requests_total{service=\"s\",code=\"200\",consumer=\"a\"} 4\n\
         kong_http_requests_total{service=\"s\",code=\"200\",consumer=\"b\"} 5\n\
         kong_http_requests_total{service=\"s\",code=\"404\",consumer=\"a\"} 3\n\
         kong_http_requests_total{service=\"s\",code=\"500\",consumer=\"a\"} 3\n\
         kong_http_requests_total{service=\"s\",code=\"502\"} 0\n",
    );
}

#[test]
fn the_difference_decreases_only_with_its_total() {
    let mut memory = Memory::new();
    let scrapes = [
        (10, 4, Some(6.0)),
        (11, 6, Some(6.0)),
        (12, 1, Some(6.0)), // a line is missing
        (3, 2, Some(1.0)),  // restarted
        (4, 4, Some(1.0)),
    ];
    for (total, part, expected) in scrapes {
        let body = format!(
            "kong_http_status {total}\nkong_http_consumer_status{{consumer=\"a\"}} {part}\n"
        );
        let left = oracle::rewrite_next(&naive::parse(body.as_bytes()), Leaving::New, &mut memory);
        let share = left.get(&Series::new("kong_http_requests_total", &[])).copied();
        assert_eq!(share, expected, "{total} of which {part}");
    }
}

#[test]
fn a_downgrade_sums_over_the_labels_of_the_new_generation() {
    downgrades(
        "kong_http_requests_total{code=\"200\",source=\"service\",consumer=\"\"} 1\n\
         kong_http_requests_total{code=\"200\",source=\"kong\",consumer=\"\"} 2\n\
         kong_http_requests_total{code=\"200\",source=\"kong\",consumer=\"a\",workspace=\"w\"} 4\n\
         kong_bandwidth_bytes{direction=\"egress\",consumer=\"\"} 1\n\
         kong_bandwidth_bytes{direction=\"egress\",consumer=\"a\"} 2\n\
         kong_node_info{node_id=\"n\"} 1\n\
         kong_memory_workers_lua_vms_bytes{node_id=\"n\",pid=\"1\"} 7\n",
        "kong_http_status{code=\"200\"} 7\n\
         kong_http_consumer_status{code=\"200\",consumer=\"a\"} 4\n\
         kong_bandwidth{type=\"egress\"} 3\n\
         kong_node_info{node_id=\"n\"} 1\n\
         kong_memory_workers_lua_vms_bytes{pid=\"1\"} 7\n",
    );
}

/// The value of one bucket of the output.
fn bucket(left: &std::collections::BTreeMap<Series, f64>, family: &str, le: &str) -> f64 {
    left[&Series::new(&format!("{family}_bucket"), &[("le", le)])]
}

#[test]
fn histograms_are_exact_where_they_can_be() {
    let body = "kong_latency_bucket{type=\"kong\",le=\"00050.0\"} 4\n\
        kong_latency_bucket{type=\"kong\",le=\"00100.0\"} 11\n\
        kong_latency_bucket{type=\"kong\",le=\"02000.0\"} 12\n\
        kong_latency_bucket{type=\"kong\",le=\"05000.0\"} 15\n\
        kong_latency_bucket{type=\"kong\",le=\"+Inf\"} 20\n";
    let left = oracle::rewrite(&naive::parse(body.as_bytes()), Leaving::New);
    let at = |le| bucket(&left, "kong_kong_latency_ms", le);
    // Below the first exported bucket nothing was counted; 50 and 100 are exported.
    assert_eq!([at("1"), at("30"), at("50"), at("100")], [0.0, 0.0, 4.0, 11.0]);
    // 75 is between 70 and 80, which 2.x has and which are missing: both have the count of 50.
    assert_eq!(at("75"), 4.0);
    // 200 and 1000 are missing as well: they have the count of 100.
    assert_eq!([at("200"), at("1000")], [11.0, 11.0]);
    // 3000 is between (2000, 12) and (5000, 15): ln(1.5) / ln(2.5) = 0.44 of 3.
    assert_eq!(at("3000"), 13.0);
    // Above the last finite boundary only the total count is known.
    assert_eq!([at("6000"), at("+Inf")], [20.0, 20.0]);
    assert_eq!(left[&Series::new("kong_kong_latency_ms_count", &[])], 20.0);
    assert_eq!(left.len(), 17 + 2);
}

#[test]
fn a_hole_takes_the_bucket_below_when_another_label_set_shows_the_boundary() {
    let body = "kong_request_latency_ms_bucket{route=\"a\",le=\"25\"} 1\n\
        kong_request_latency_ms_bucket{route=\"a\",le=\"80\"} 3\n\
        kong_request_latency_ms_bucket{route=\"a\",le=\"+Inf\"} 3\n\
        kong_request_latency_ms_bucket{route=\"b\",le=\"50\"} 1\n\
        kong_request_latency_ms_bucket{route=\"b\",le=\"80\"} 1\n\
        kong_request_latency_ms_bucket{route=\"b\",le=\"+Inf\"} 1\n";
    let left = oracle::rewrite(&naive::parse(body.as_bytes()), Leaving::Old);
    let at = |route, le| {
        let labels = [("route", route), ("type", "request"), ("le", le)];
        left[&Series::new("kong_latency_bucket", &labels)]
    };
    assert_eq!([at("a", "50"), at("b", "25"), at("b", "50")], [1.0, 0.0, 1.0]);
    // 1 to 25 is one bucket in 3.x.
    assert_eq!([at("a", "20"), at("a", "25")], [0.0, 1.0]);
    assert_eq!([at("a", "60"), at("a", "70"), at("a", "60000")], [1.0, 2.0, 3.0]);
}

#[test]
fn sessions_are_separated_by_the_stream_status() {
    let body = "kong_stream_status{service=\"tcp\",route=\"r\",code=\"200\"} 3\n\
        kong_latency_count{service=\"tcp\",route=\"r\",type=\"request\"} 3\n\
        kong_latency_count{service=\"tcp\",route=\"r\",type=\"kong\"} 3\n\
        kong_latency_count{service=\"web\",route=\"r\",type=\"request\"} 5\n";
    let left = oracle::rewrite(&naive::parse(body.as_bytes()), Leaving::New);
    let counts: Vec<String> =
        left.keys().filter(|s| s.name.ends_with("_count")).map(ToString::to_string).collect();
    let expected = [
        "kong_kong_latency_ms_count{route=\"r\",service=\"tcp\"}",
        "kong_request_latency_ms_count{route=\"r\",service=\"web\"}",
        "kong_session_duration_ms_count{route=\"r\",service=\"tcp\"}",
    ];
    assert_eq!(counts, expected);
}

#[test]
fn both_is_the_input_and_the_rewritten_series() {
    let body = "kong_nginx_http_current_connections{state=\"total\"} 8\n\
        kong_memory_workers_lua_vms_bytes{node_id=\"n\",pid=\"1\"} 7\nother 1\n";
    let left = oracle::rewrite(&naive::parse(body.as_bytes()), Leaving::Both);
    let expected = format!(
        "{body}kong_nginx_connections_total{{subsystem=\"http\",state=\"total\"}} 8\n\
         kong_nginx_requests_total{{subsystem=\"http\"}} 8\n"
    );
    assert_same_series(&naive::parse(expected.as_bytes()).stored(), &left, "both");
}

#[test]
fn upgraded_captures_equal_new_captures_in_the_common_families() {
    for (olds, news) in PAIRS {
        for old_name in *olds {
            let old = naive::parse(&capture(old_name));
            let upgraded = oracle::rewrite(&old, Leaving::New);
            for new_name in *news {
                let new = naive::parse(&capture(new_name));
                let common = Common::of(&old, &new);
                let (expected, actual) = (common.part_of(&new.stored()), common.part_of(&upgraded));
                assert_same_series(&expected, &actual, &format!("{old_name} as {new_name}"));
            }
        }
    }
}

#[test]
fn downgraded_captures_equal_old_captures_in_the_common_families() {
    for (olds, news) in PAIRS {
        for new_name in *news {
            let new = naive::parse(&capture(new_name));
            let downgraded = oracle::rewrite(&new, Leaving::Old);
            for old_name in *olds {
                let old = naive::parse(&capture(old_name));
                let common = Common::of(&old, &new);
                let mut actual = common.part_of(&downgraded);
                // An upgrade derives it; a downgrade passes it, because only 3.x has it.
                actual.retain(|series, _| series.name != "kong_nginx_requests_total");
                let expected = common.part_of(&old.stored());
                assert_same_series(&expected, &actual, &format!("{new_name} as {old_name}"));
            }
        }
    }
}
