//! Strict output by small examples.

use std::sync::Arc;

use crossfade::exposition::Format;
use crossfade::mapping::{self, BucketPolicy, Emit, Pack, Plan, Settings};
use crossfade::rewrite::exposition::{Error, History, Limits, Malformed, Options};

use crate::support::engine::{Outcome, empty_plan, plan_of, try_rewrite};

const STRICT: Options = Options {
    malformed: Malformed::Drop,
    format: Format::Text,
    repeated_types: false,
    strict: true,
    limits: Limits {
        line_bytes: 1 << 20,
        held_series: 1_000_000,
        held_bytes: 512 << 20,
        labels: 64,
        body_bytes: 1 << 30,
    },
};

fn rewrite(plan: &Arc<Plan>, options: Options, input: &str) -> Outcome {
    try_rewrite(plan, options, History::default(), [input.as_bytes()])
        .unwrap_or_else(|error| panic!("{error}"))
}

/// Rewrites with no rule at all.
#[track_caller]
fn written(input: &str, expected: &str) -> Outcome {
    written_by(&empty_plan(), STRICT, input, expected)
}

#[track_caller]
fn written_by(plan: &Arc<Plan>, options: Options, input: &str, expected: &str) -> Outcome {
    let outcome = rewrite(plan, options, input);
    let body = String::from_utf8(outcome.body.clone()).expect("UTF-8");
    assert!(body == expected, "{body}");
    let again = rewrite(plan, options, &body);
    assert_eq!(String::from_utf8(again.body).expect("UTF-8"), expected, "a second time");
    assert_eq!(again.report.filled, 0, "a second time");
    let samples = body.lines().filter(|line| !line.starts_with('#')).count();
    assert_eq!(outcome.report.samples_out, samples as u64);
    outcome
}

/// As many series of one family.
fn numbered(series: usize, value: &str) -> String {
    let lines: Vec<String> = (0..series).map(|n| format!("a{{n=\"{n}\"}} {value}\n")).collect();
    lines.concat()
}

#[test]
fn families_are_contiguous_after_their_headers() {
    let outcome = written(
        "a{x=\"1\"} 1\n\
         # a comment\n\
         # TYPE b gauge\n\
         b 2 1700000000000\n\
         \n\
         a{x=\"2\"}\t3 \n\
         # HELP a Late \\q help.\n\
         # TYPE a counter\n\
         # TYPE c gauge\n\
         # TYPE a gauge\n\
         b{x=\"1\"} 4\n",
        "# HELP a Late \\\\q help.\n\
         # TYPE a counter\n\
         a{x=\"1\"} 1\n\
         a{x=\"2\"} 3\n\
         # TYPE b gauge\n\
         b 2 1700000000000\n\
         b{x=\"1\"} 4\n\
         # TYPE c gauge\n",
    );
    assert_eq!(outcome.dropped("repeated_header"), 1);
}

#[test]
fn histograms_are_grouped_sorted_and_complete() {
    let outcome = written(
        "h_count{x=\"2\"} 9\n\
         h_bucket{x=\"1\",le=\"+Inf\"} 5\n\
         h_bucket{le=\"10\",x=\"1\"} 4\n\
         h_bucket{x=\"2\",le=\"2.5\"} 7\n\
         # HELP h Late.\n\
         # TYPE h histogram\n\
         h_bucket{x=\"1\",le=\"2\"} 1\n\
         h_bucket{x=\"1\",le=\"10.0\"} 3\n\
         h_sum{x=\"1\"} 0.5\n\
         h_bucket{x=\"3\",le=\"1\"} 1\n\
         h_sum{x=\"3\"} 1\n\
         h_bucket{x=\"1\",le=\"x\"} 3\n\
         h_sum{x=\"1\",le=\"1\"} 3\n\
         h_bucket{x=\"1\"} 3\n",
        "# HELP h Late.\n\
         # TYPE h histogram\n\
         h_bucket{x=\"2\",le=\"2.5\"} 7\n\
         h_bucket{x=\"2\",le=\"+Inf\"} 9\n\
         h_count{x=\"2\"} 9\n\
         h_bucket{x=\"1\",le=\"2\"} 1\n\
         h_bucket{x=\"1\",le=\"10\"} 4\n\
         h_bucket{x=\"1\",le=\"+Inf\"} 5\n\
         h_sum{x=\"1\"} 0.5\n\
         h_count{x=\"1\"} 5\n",
    );
    let report = &outcome.report;
    assert_eq!((report.filled, report.incomplete), (2, 1));
    assert_eq!(outcome.dropped("incomplete_histogram"), 2);
    assert_eq!(outcome.dropped("repeated_series"), 1);
    assert_eq!(outcome.dropped("bad_le"), 3);
}

#[test]
fn a_part_with_another_timestamp_is_not_a_repeated_one() {
    let outcome = written(
        "# TYPE h histogram\n\
         h_bucket{le=\"1\"} 1 1000\n\
         h_bucket{le=\"+Inf\"} 3 2000\n\
         h_sum 5 2000\n\
         h_count 3 1000\n",
        "# TYPE h histogram\n\
         h_bucket{le=\"+Inf\"} 3 2000\n\
         h_sum 5 2000\n\
         h_count 3 2000\n",
    );
    assert_eq!((outcome.dropped("other_timestamp"), outcome.dropped("repeated_series")), (2, 0));
}

#[test]
fn buckets_under_the_name_of_the_histogram_keep_it() {
    let outcome = written(
        "# TYPE h histogram\n\
         h_count 5\n\
         h{le=\"2\"} 2\n\
         h{le=\"1\"} 1\n\
         h_sum 19\n",
        "# TYPE h histogram\n\
         h{le=\"1\"} 1\n\
         h{le=\"2\"} 2\n\
         h{le=\"+Inf\"} 5\n\
         h_sum 19\n\
         h_count 5\n",
    );
    assert_eq!(outcome.report.filled, 1);
}

#[test]
fn summaries_are_grouped_and_sorted() {
    let outcome = written(
        "# TYPE s summary\n\
         s_count{x=\"1\"} 3\n\
         s{x=\"1\",quantile=\"0.9\"} 2\n\
         s{x=\"2\",quantile=\"0.5\"} 7\n\
         s{quantile=\"0.5\",x=\"1\"} 1\n\
         s{x=\"1\",quantile=\"half\"} 1\n\
         s_sum{x=\"1\",quantile=\"0.5\"} 1\n\
         s_sum{x=\"1\"} 4\n",
        "# TYPE s summary\n\
         s{x=\"1\",quantile=\"0.5\"} 1\n\
         s{x=\"1\",quantile=\"0.9\"} 2\n\
         s_sum{x=\"1\"} 4\n\
         s_count{x=\"1\"} 3\n\
         s{x=\"2\",quantile=\"0.5\"} 7\n",
    );
    assert_eq!((outcome.report.filled, outcome.report.incomplete), (0, 1));
    assert_eq!(outcome.dropped("bad_quantile"), 2);
}

#[test]
fn every_series_is_written_once() {
    let mut input: String = numbered(1000, "1");
    let expected = input.clone();
    input += "b{x=\"1\"} 1\n";
    input += &expected;
    input += "b{y=\"\",x=\"1\"} 2\nb 5 2000\nb 6 3000\nb 7 1000\nc 1 1000\nc 2\nc 3 2000\n";
    let outcome = written(&input, &(expected + "b{x=\"1\"} 1\nb 6 3000\nc 2\n"));
    assert_eq!(outcome.dropped("repeated_series"), 1000 + 1 + 2 + 2);
}

#[test]
fn of_several_timestamps_a_histogram_has_the_latest() {
    let outcome = written(
        "# TYPE h histogram\n\
         h_bucket{le=\"1\"} 1 1000\n\
         h_bucket{le=\"2\"} 5 1000\n\
         h_bucket{le=\"+Inf\"} 6 1000\n\
         h_sum 9 1000\n\
         h_count 6 1000\n\
         h_bucket{le=\"1\"} 2 2000\n\
         h_sum 10 2000\n\
         h_count 7 2000\n",
        "# TYPE h histogram\n\
         h_bucket{le=\"1\"} 2 2000\n\
         h_bucket{le=\"+Inf\"} 7 2000\n\
         h_sum 10 2000\n\
         h_count 7 2000\n",
    );
    assert_eq!(outcome.dropped("repeated_series"), 3);
    assert_eq!(outcome.dropped("other_timestamp"), 2);
}

#[test]
fn values_have_only_the_escapes_that_all_readers_know() {
    written(
        "a{x=\"two\nlines\" , y = \"odd\\q\",} 1\na{ z=\"1\"w=\"\\\"\" }  2\n",
        "a{x=\"two\\nlines\",y=\"odd\\\\q\"} 1\na{z=\"1\",w=\"\\\"\"} 2\n",
    );
}

#[test]
fn names_in_quotes_stay_and_plain_ones_lose_them() {
    written(
        "# TYPE \"my.h\" histogram\n\
         {\"my.h_bucket\",le=\"1\"} 1\n\
         {\"plain\",x=\"1\"} 1\n\
         {\"my.h_count\"} 1\n\
         {x=\"2\",\"plain\"} 1\n",
        "# TYPE \"my.h\" histogram\n\
         {\"my.h_bucket\",le=\"1\"} 1\n\
         {\"my.h_bucket\",le=\"+Inf\"} 1\n\
         {\"my.h_count\"} 1\n\
         plain{x=\"1\"} 1\n\
         plain{x=\"2\"} 1\n",
    );
}

#[test]
fn parts_that_nobody_declared_are_families() {
    written(
        "a_bucket{le=\"2\"} 1\na_sum{x=\"1\"} 1\na_bucket{le=\"1\"} 1\na_bucket{le=\"1.0\"} 1\na_count{quantile=\"x\"} 3\n",
        "a_bucket{le=\"2\"} 1\na_bucket{le=\"1\"} 1\na_bucket{le=\"1.0\"} 1\na_sum{x=\"1\"} 1\na_count{quantile=\"x\"} 3\n",
    );
}

#[test]
fn headers_of_parts_are_dropped() {
    let outcome = written(
        "# TYPE a histogram\n\
         a_bucket{le=\"+Inf\"} 1\n\
         # HELP a_count Observations.\n\
         # TYPE a_count counter\n\
         a_count 1\n\
         a 5\n\
         # TYPE x_count summary\n\
         x_count{quantile=\"0.5\"} 1\n\
         x_count_count 1\n\
         x_count_sum 1\n",
        "# TYPE a histogram\n\
         a_bucket{le=\"+Inf\"} 1\n\
         a_count 1\n\
         a 5\n\
         # TYPE x_count summary\n\
         x_count{quantile=\"0.5\"} 1\n\
         x_count_sum 1\n\
         x_count_count 1\n",
    );
    assert_eq!(outcome.dropped("repeated_header"), 2);
}

const PACK: &str = r#"
name: example
prometheus:
  - old: time{type="a"}
    new: a_ms
    buckets: { old: [1, 2, 5, 10], new: [1, 2, 5, 10] }
  - old: time{type="b"}
    new: b_ms
    buckets: { old: [3, 30], new: [3, 30] }
  - old: hits{svc=$s}
    new: hits_total{service=$s}
"#;

#[test]
fn holes_of_a_known_layout_are_filled() {
    let outcome = written_by(
        &plan_of(PACK, Emit::New),
        STRICT,
        // Another series spells 2 in its way, and has a boundary of its own.
        "a_ms_bucket{x=\"1\",le=\"5.0\"} 3\n\
         a_ms_bucket{x=\"1\",le=\"1\"} 2\n\
         a_ms_sum{x=\"1\"} 7\n\
         a_ms_count{x=\"1\"} 4\n\
         a_ms_bucket{x=\"2\",le=\"2.0\"} 1\n\
         a_ms_bucket{x=\"2\",le=\"3\"} 1\n\
         a_ms_bucket{x=\"2\",le=\"+Inf\"} 1\n\
         a_ms_sum{x=\"2\"} 2\n\
         a_ms_bucket{x=\"3\",le=\"+Inf\"} 6\n\
         a_ms_sum{x=\"3\"} 99\n\
         a_ms_count{x=\"3\"} 6\n",
        "# TYPE a_ms histogram\n\
         a_ms_bucket{x=\"1\",le=\"1\"} 2\n\
         a_ms_bucket{x=\"1\",le=\"2.0\"} 2\n\
         a_ms_bucket{x=\"1\",le=\"5.0\"} 3\n\
         a_ms_bucket{x=\"1\",le=\"+Inf\"} 4\n\
         a_ms_sum{x=\"1\"} 7\n\
         a_ms_count{x=\"1\"} 4\n\
         a_ms_bucket{x=\"2\",le=\"1\"} 0\n\
         a_ms_bucket{x=\"2\",le=\"2.0\"} 1\n\
         a_ms_bucket{x=\"2\",le=\"3\"} 1\n\
         a_ms_bucket{x=\"2\",le=\"+Inf\"} 1\n\
         a_ms_sum{x=\"2\"} 2\n\
         a_ms_count{x=\"2\"} 1\n\
         a_ms_bucket{x=\"3\",le=\"1\"} 0\n\
         a_ms_bucket{x=\"3\",le=\"2.0\"} 0\n\
         a_ms_bucket{x=\"3\",le=\"5.0\"} 0\n\
         a_ms_bucket{x=\"3\",le=\"10\"} 0\n\
         a_ms_bucket{x=\"3\",le=\"+Inf\"} 6\n\
         a_ms_sum{x=\"3\"} 99\n\
         a_ms_count{x=\"3\"} 6\n",
    );
    assert_eq!(outcome.report.filled, 2 + 2 + 4);
}

/// Under `native`, a renamed histogram has the boundaries of the generation read.
#[test]
fn no_boundary_is_added_that_the_source_does_not_have() {
    let native = |pack: &str, emit| {
        let pack = Pack::parse("p.yaml", pack).expect("valid");
        let settings = Settings { buckets: BucketPolicy::Native, ..Settings::new(emit) };
        Arc::new(mapping::compile(&[pack], &settings).expect("it compiles"))
    };
    let pack = "name: p\nprometheus:\n  - { old: a_ms, new: a_seconds, scale: 0.001, \
                buckets: { old: [1, 2, 5], new: [0.001, 0.003, 0.01] } }\n";
    let outcome = written_by(
        &native(pack, Emit::New),
        STRICT,
        "# TYPE a_ms histogram\n\
         a_ms_bucket{le=\"1\"} 2\n\
         a_ms_bucket{le=\"5\"} 3\n\
         a_ms_count 4\n",
        "# TYPE a_seconds histogram\n\
         a_seconds_bucket{le=\"0.001\"} 2\n\
         a_seconds_bucket{le=\"0.002\"} 2\n\
         a_seconds_bucket{le=\"0.005\"} 3\n\
         a_seconds_bucket{le=\"+Inf\"} 4\n\
         a_seconds_count 4\n",
    );
    assert_eq!(outcome.report.filled, 2);

    let pack = "name: p\neditions: { old: ['1'], new: ['2', '3'] }\nprometheus:\n  \
                - { old: a, new: b, buckets: { old: [1, 100], \
                new: { '2': [1, 2, 4, 9], '3': [1, 2, 3, 9] } } }\n";
    // Of the second edition, of either, and of neither.
    for (bounds, filled) in [("3", "2"), ("2", ""), ("7", "2")] {
        let of = |le: &str, value| format!("a_bucket{{le=\"{le}\"}} {value}\n");
        let filled = if filled.is_empty() { String::new() } else { of(filled, 1) };
        let expected = format!(
            "# TYPE a histogram\n{}{filled}{}{}a_bucket{{le=\"+Inf\"}} 5\na_count 5\n",
            of("1", 1),
            of(bounds, 2),
            of("9", 4),
        );
        let input = expected.replace("a_", "b_").replace(" a ", " b ");
        let input: String = input
            .lines()
            .filter(|line| filled.is_empty() || !line.contains("le=\"2\""))
            .fold(String::new(), |all, line| all + line + "\n");
        written_by(&native(pack, Emit::Old), STRICT, &input, &expected);
    }
}

/// An empty `le` is the same as none. The buckets of the same label set have one of their own.
#[test]
fn parts_with_an_empty_le_belong_to_the_buckets() {
    written("a_sum{le=\"\"} 0\na_bucket{le=\"1\"} 0\n", "a_sum 0\na_bucket{le=\"1\"} 0\n");
    written(
        "# TYPE a histogram\n\
         a_sum{le=\"\",x=\"y\"} 7\n\
         a_bucket{x=\"y\",le=\"1\"} 2\n\
         a_count{le=\"\",x=\"y\"} 3\n",
        "# TYPE a histogram\n\
         a_bucket{x=\"y\",le=\"1\"} 2\n\
         a_bucket{x=\"y\",le=\"+Inf\"} 3\n\
         a_sum{x=\"y\"} 7\n\
         a_count{x=\"y\"} 3\n",
    );
    written(
        "# TYPE a summary\na_sum{quantile=\"\"} 7\na{quantile=\"0.5\"} 2\na_count 3\n",
        "# TYPE a summary\na{quantile=\"0.5\"} 2\na_sum 7\na_count 3\n",
    );
}

#[test]
fn a_layout_can_depend_on_a_label() {
    let outcome = rewrite(
        &plan_of(PACK, Emit::Old),
        STRICT,
        "# TYPE time histogram\n\
         time_bucket{type=\"b\",le=\"30\"} 1\n\
         time_count{type=\"b\"} 1\n\
         time_bucket{type=\"a\",le=\"5\"} 1\n\
         time_count{type=\"a\"} 1\n\
         time_bucket{type=\"c\",le=\"5\"} 1\n\
         time_count{type=\"c\"} 1\n",
    );
    assert_eq!(outcome.report.filled, 2 + 3 + 1);
}

#[test]
fn headers_that_arrive_after_a_renamed_series_are_written() {
    written_by(
        &plan_of(PACK, Emit::New),
        STRICT,
        "hits{svc=\"a\"} 1\nother 2\n# HELP hits Late \\q.\n# TYPE hits counter\nhits{svc=\"b\"} 3\n",
        "# HELP hits_total Late \\\\q.\n\
         # TYPE hits_total counter\n\
         hits_total{service=\"a\"} 1\n\
         hits_total{service=\"b\"} 3\n\
         other 2\n",
    );
}

#[test]
fn openmetrics_stays_openmetrics() {
    let options = Options { format: Format::OpenMetrics, ..STRICT };
    let outcome = written_by(
        &empty_plan(),
        options,
        "# TYPE c counter\n\
         # HELP c Some \\\"help\\\".\n\
         c_created{x=\"1\"} 1.7e9\n\
         # TYPE h_seconds histogram\n\
         # UNIT h_seconds seconds\n\
         h_seconds_bucket{le=\"2.0\"} 1 # {trace=\"a\nb\"} 1.5\n\
         h_seconds_created 1.7e9\n\
         h_seconds_bucket{le=\"1.0\"} 0\n\
         # UNIT gone_seconds seconds\n\
         h_seconds_count 1\n\
         c_total{x=\"1\"} 5 1.7e9 # {} 1\n\
         # TYPE i info\n\
         i_info{v=\"1\"} 1\n\
         h_seconds_sum 1.5\n\
         # TYPE g gaugehistogram\n\
         g_gcount 2\n\
         g_bucket{le=\"+Inf\"} 2\n\
         g_gsum 3\n\
         i_info{v=\"2\"} 1\n\
         # EOF\n",
        "# HELP c Some \\\"help\\\".\n\
         # TYPE c counter\n\
         c_total{x=\"1\"} 5 1.7e9 # {} 1\n\
         c_created{x=\"1\"} 1.7e9\n\
         # TYPE h_seconds histogram\n\
         # UNIT h_seconds seconds\n\
         h_seconds_bucket{le=\"1.0\"} 0\n\
         h_seconds_bucket{le=\"2.0\"} 1 # {trace=\"a\\nb\"} 1.5\n\
         h_seconds_bucket{le=\"+Inf\"} 1\n\
         h_seconds_sum 1.5\n\
         h_seconds_count 1\n\
         h_seconds_created 1.7e9\n\
         # TYPE i info\n\
         i_info{v=\"1\"} 1\n\
         i_info{v=\"2\"} 1\n\
         # TYPE g gaugehistogram\n\
         g_bucket{le=\"+Inf\"} 2\n\
         g_gsum 3\n\
         g_gcount 2\n\
         # EOF\n",
    );
    assert_eq!(outcome.report.filled, 1);
}

#[test]
fn limits_fail_the_scrape() {
    let input: String = numbered(100, "5");
    let with = |limits| {
        let options = Options { limits, ..STRICT };
        let chunks = input.as_bytes().chunks(64);
        try_rewrite(&empty_plan(), options, History::default(), chunks)
    };
    let limits = STRICT.limits;
    assert!(with(Limits { held_series: 101, ..limits }).is_ok());
    let error = with(Limits { held_series: 100, ..limits }).unwrap_err();
    assert!(matches!(error, Error::TooManySeries { limit: 100, .. }), "{error}");
    let error = with(Limits { held_bytes: 5000, ..limits }).unwrap_err();
    let Error::TooMuchHeld { line, limit: 5000 } = error else { panic!("{error}") };
    assert!((20..70).contains(&line), "{line}");
    let held = with(limits).expect("within the limits").report.held_bytes;
    assert!(held > input.len() && held < 20 * input.len(), "{held}");
    assert!(with(Limits { held_bytes: held, ..limits }).is_ok());
    assert!(with(Limits { held_bytes: held - 1, ..limits }).is_err());
}

#[test]
fn malformed_lines_are_dropped_even_if_they_should_pass() {
    let options = Options { malformed: Malformed::Pass, ..STRICT };
    let outcome = written_by(&empty_plan(), options, "a 1\nb{ 2\nc 3\n", "a 1\nc 3\n");
    assert_eq!(outcome.dropped("bad_labels"), 1);
    assert_eq!(outcome.report.malformed_passed, 0);
}
