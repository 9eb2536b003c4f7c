//! Properties that hold for every body, on generated bodies.
#![allow(clippy::format_push_string, reason = "a body is built line by line, as it reads")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::support::engine::{
    EMITS, editions, empty_plan, leaving, plan, rewrite, shown, try_rewrite,
};
use crate::support::lines::LINES;
use crate::support::naive::{self, Item};
use crate::support::{differences, oracle, strict};
use crossfade::exposition::{Format, Scan, Scanner};
use crossfade::mapping::{Emit, Plan};
use crossfade::rewrite::exposition::{
    Absent, DropReason, Error, Explanation, Fate, History, Options, Then, explain,
};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;

/// A quoted label value: any characters, with or without the required escapes.
fn label_value() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        5 => "[a-z0-9./ -]{0,8}",
        1 => select(vec!["\\\\", "\\\"", "\\n", "\\q", "\n", "\r", "\t", "\0", "}", ",", "=", "{", "#"])
            .prop_map(str::to_owned),
        1 => "[^\\\\\"]{0,3}",
    ];
    // A raw newline after a backslash is refused, so a piece never ends in half an escape.
    prop::collection::vec(piece, 0..4).prop_map(|pieces| pieces.concat())
}

fn blanks() -> impl Strategy<Value = &'static str> {
    prop_oneof![6 => Just(""), 1 => select(vec![" ", "\t", " \t "])]
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => (0u64..1_000_000).prop_map(|n| n.to_string()),
        1 => any::<f64>().prop_filter("finite", |f| f.is_finite()).prop_map(|f| format!("{f:e}")),
        1 => select(vec!["+Inf", "-inf", "nan", "NaN", ".5", "5.", "1e3", "+7", "-0", "00025.0"])
            .prop_map(str::to_owned),
    ]
}

/// `{a="b", …}` with blanks in all places where they are valid; every label name once.
fn label_set() -> impl Strategy<Value = String> {
    let label = (blanks(), label_value(), blanks(), blanks());
    let labels = prop::collection::btree_map("[a-z_][a-z0-9_]{0,5}", label, 0..4);
    (labels, any::<bool>(), blanks()).prop_map(|(labels, comma, end)| {
        if labels.is_empty() {
            return if comma { format!("{{{end}}}") } else { String::new() };
        }
        let count = labels.len();
        let mut set = String::from("{");
        for (at, (name, (a, value, b, c))) in labels.into_iter().enumerate() {
            let comma = if comma || at + 1 < count { "," } else { "" };
            set.push_str(&format!("{a}{name}{b}={c}\"{value}\"{comma}"));
        }
        set + end + "}"
    })
}

fn sample_of(name: String) -> impl Strategy<Value = String> {
    let timestamp = prop_oneof![4 => Just(String::new()), 1 => "[ \t][0-9]{1,13}"];
    (label_set(), "[ \t]{1,2}", number(), timestamp, blanks()).prop_map(
        move |(labels, gap, value, timestamp, end)| {
            format!("{name}{labels}{gap}{value}{timestamp}{end}\n")
        },
    )
}

/// A family with its headers and each series once.
fn family(name: String) -> impl Strategy<Value = String> {
    let kind = select(vec!["counter", "gauge", "histogram", "summary", "untyped"]);
    let help = prop_oneof![
        Just(String::new()),
        Just(format!("# HELP {name}\n")),
        "[ -~]{0,20}".prop_map({
            let name = name.clone();
            move |text| format!("# HELP {name} {text}\n")
        }),
    ];
    let typed = any::<bool>();
    let samples = prop::collection::vec(sample_of(name.clone()), 0..5);
    (help, typed, kind, samples).prop_map(move |(help, typed, kind, mut samples)| {
        let mut seen = BTreeSet::new();
        samples.retain(|line| {
            let read = naive::parse(line.as_bytes());
            read.samples().all(|sample| seen.insert((sample.series(), sample.timestamp)))
        });
        let kind = if typed { format!("# TYPE {name} {kind}\n") } else { String::new() };
        help + &kind + &samples.concat()
    })
}

/// A body that Prometheus accepts, with families that no pack has.
pub(super) fn valid_body() -> impl Strategy<Value = String> {
    let names = prop::collection::btree_set("[a-z_:][a-z0-9_:]{0,6}", 0..6);
    let other = prop_oneof![
        Just(String::new()),
        Just("\n".to_owned()),
        Just(" \t\n".to_owned()),
        "#[!-GI-SU-~]{0,10}\n",
        Just("# a comment\n".to_owned()),
    ];
    names.prop_flat_map(move |names| {
        let families: Vec<_> = names.into_iter().map(|name| family(name).boxed()).collect();
        let others = prop::collection::vec(other.clone(), families.len());
        (families, others).prop_map(|(families, others)| {
            families.into_iter().zip(others).map(|(f, o)| f + &o).collect()
        })
    })
}

/// Families of Kong 2.x, and families that pass in both generations.
const OLD_NAMES: &[&str] = &[
    "kong_http_status",
    "kong_http_consumer_status",
    "kong_stream_status",
    "kong_bandwidth",
    "kong_latency_bucket",
    "kong_latency_sum",
    "kong_latency_count",
    "kong_nginx_http_current_connections",
    "kong_memory_workers_lua_vms_bytes",
    "kong_datastore_reachable",
    "other",
];

/// Families of Kong 3.x, and families that pass in both generations.
const NEW_NAMES: &[&str] = &[
    "kong_http_requests_total",
    "kong_stream_sessions_total",
    "kong_bandwidth_bytes",
    "kong_kong_latency_ms_bucket",
    "kong_kong_latency_ms_count",
    "kong_request_latency_ms_bucket",
    "kong_session_duration_ms_sum",
    "kong_nginx_connections_total",
    "kong_nginx_requests_total",
    "kong_node_info",
    "kong_memory_workers_lua_vms_bytes",
    "kong_datastore_reachable",
    "other",
];

/// A body of Kong's families, with labels and values that never occur together.
pub(super) fn kong_body() -> impl Strategy<Value = String> {
    let value =
        select(vec!["", "a", "b", "kong", "request", "egress", "http", "total", "x\ny", "\\\""]);
    let label = select(vec![
        "service",
        "route",
        "code",
        "type",
        "direction",
        "consumer",
        "source",
        "workspace",
        "node_id",
        "state",
        "subsystem",
        "pid",
        "le",
    ]);
    let bound = select(vec![
        "1", "00025.0", "50", "75", "100", "250", "1000", "3000", "60000", "+Inf", "x",
    ]);
    let name = select([OLD_NAMES, NEW_NAMES].concat());
    let header = (name.clone(), select(vec!["counter", "gauge", "histogram", "untyped"])).prop_map(
        |(name, kind)| {
            let family = ["_bucket", "_sum", "_count"].iter().find_map(|s| name.strip_suffix(s));
            format!("# TYPE {} {kind}\n", family.unwrap_or(name))
        },
    );
    let labels = prop::collection::vec((label, value), 0..5);
    let sample = (name, labels, bound, 0u32..50).prop_map(|(name, labels, bound, value)| {
        let mut seen = BTreeSet::new();
        let mut labels: Vec<String> = labels
            .into_iter()
            .filter(|(label, _)| seen.insert(*label))
            .map(|(label, value)| format!("{label}=\"{value}\""))
            .collect();
        if name.ends_with("_bucket") && !seen.contains("le") {
            labels.push(format!("le=\"{bound}\""));
        }
        format!("{name}{{{}}} {value}\n", labels.join(","))
    });
    prop::collection::vec(prop_oneof![1 => header, 9 => sample], 0..40)
        .prop_map(|lines| lines.concat())
}

/// The same with each series once, as every Kong exports it.
fn kong_body_without_repetitions() -> impl Strategy<Value = String> {
    kong_body().prop_map(|body| {
        let mut seen = BTreeSet::new();
        let lines = naive::parse(body.as_bytes()).lines.into_iter();
        let once = lines.filter(|(item, _)| match item {
            Item::Sample(sample) => seen.insert(sample.series()),
            _ => true,
        });
        once.map(|(_, raw)| String::from_utf8(raw).expect("it was text")).collect()
    })
}

/// Bytes that a failing test shows as text.
#[derive(Clone)]
pub(super) struct Bytes(pub(super) Vec<u8>);

impl std::fmt::Debug for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "b\"{}\"", self.0.escape_ascii())
    }
}

impl From<String> for Bytes {
    fn from(text: String) -> Self {
        Bytes(text.into_bytes())
    }
}

/// Bytes that resemble an exposition.
pub(super) fn soup() -> impl Strategy<Value = Bytes> {
    let word = select(vec![
        "kong_http_status",
        "kong_latency_bucket",
        "kong_latency",
        "kong_bandwidth_bytes",
        "_count",
        "# TYPE ",
        "# HELP ",
        " counter",
        " histogram",
        "{",
        "}",
        "\"",
        "=",
        ",",
        "le",
        "type",
        "consumer",
        "kong",
        "+Inf",
        "1",
        "\n",
        "\n",
        "\n",
        " ",
        "\\",
        "#",
        "\r\n",
        "\0",
        "\u{feff}",
        "é",
        "# EOF\n",
        "nan",
        "{le=\"1\"} 2\n",
        "{type=\"request\",le=\"",
        "9e999",
    ]);
    let piece = prop_oneof![
        8 => word.prop_map(|word| word.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..4),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| Bytes(pieces.concat()))
}

/// A line that Prometheus would refuse anywhere in a body.
fn bad_line() -> impl Strategy<Value = Bytes> {
    let refused = |line: &&[u8]| {
        // If a line is in two pieces, the second may be valid. A byte order mark is valid at the
        // start of a body.
        let whole = !line.contains(&b'\n') && !line.starts_with(b"\xef\xbb\xbf");
        whole && !naive::parse(line).refused().is_empty()
    };
    let lines: Vec<&[u8]> = LINES.iter().copied().filter(refused).collect();
    select(lines).prop_map(|line| Bytes(line.to_vec()))
}

/// Rewrites in the text format, where exemplars are not valid.
fn text(plan: &Arc<Plan>, body: &[u8]) -> crate::support::engine::Outcome {
    let options = Options::default();
    try_rewrite(plan, options, History::default(), [body]).expect("no limit is passed")
}

/// Whether a line of the body is an error message, which fails the scrape.
pub(super) fn has_error_message(body: &[u8]) -> bool {
    let outcome = try_rewrite(&empty_plan(), Options::default(), History::default(), [body]);
    matches!(outcome, Err(Error::UpstreamFailed { .. }))
}

/// The lines of a body, newline included; a label value with a newline does not end one.
fn whole_lines(body: &[u8]) -> Vec<Vec<u8>> {
    naive::parse(body).lines.into_iter().map(|(_, raw)| raw).collect()
}

/// Every input line and every output sample is in the explanation.
#[track_caller]
fn is_complete(explained: &Explanation, outcome: &crate::support::engine::Outcome) {
    let report = &outcome.report;
    let fates = |wanted: fn(&Fate) -> bool| {
        let lines = explained.lines.iter().filter(|line| wanted(&line.fate));
        u64::try_from(lines.count()).expect("few")
    };
    // Headers are no samples; under `emit: both` a bucket without a boundary may still pass.
    let counted =
        |reason: DropReason| ![DropReason::RepeatedHeader, DropReason::BadLe].contains(&reason);
    let lost =
        report.dropped.iter().filter(|(reason, _)| counted(**reason)).map(|(_, n)| n).sum::<u64>();
    let not_emitted =
        explained.series.iter().filter(|series| series.absent == Some(Absent::AlreadyPresent));
    let not_emitted = u64::try_from(not_emitted.count()).expect("few");
    let explained_lost =
        fates(|fate| matches!(fate, Fate::Dropped(reason) if *reason != DropReason::BadLe));
    assert_eq!(explained_lost + not_emitted, lost, "{explained:#?}");
    assert_eq!(fates(|fate| *fate == Fate::Passed), report.passed, "{explained:#?}");
    assert_eq!(fates(|fate| *fate == Fate::Kept), report.kept, "{explained:#?}");
    let at_once = explained.lines.iter().flat_map(|line| &line.read_by);
    let at_once = at_once.filter(|reading| matches!(reading.then, Then::Line { .. })).count();
    let at_end: usize = explained.series.iter().map(|series| series.text.len()).sum();
    let written: u64 = report.rewritten.iter().map(|rule| rule.samples_out).sum();
    assert_eq!(u64::try_from(at_once + at_end).expect("few"), written, "{explained:#?}");
}

proptest! {
    #![proptest_config(ProptestConfig {
        // An input that once failed becomes a test of its own in this file.
        failure_persistence: None,
        ..ProptestConfig::default() // 256 cases, or PROPTEST_CASES
    })]

    #[test]
    fn an_empty_pack_is_the_identity_on_valid_bodies(body in valid_body()) {
        prop_assert!(naive::parse(body.as_bytes()).refused().is_empty(), "the generator is wrong");
        for plan in [empty_plan(), plan(Emit::Old), plan(Emit::New), plan(Emit::Both)] {
            let outcome = text(&plan, body.as_bytes());
            prop_assert_eq!(outcome.body.escape_ascii().to_string(), body.as_bytes().escape_ascii().to_string());
            prop_assert!(outcome.report.dropped.is_empty());
        }
    }

    #[test]
    fn the_tokens_of_a_line_join_to_the_line(body in valid_body()) {
        for line in whole_lines(body.as_bytes()) {
            let mut scanner = Scanner::new(1 << 20, 64, Format::Text);
            let Scan::Sample(sample) = scanner.scan(&line) else { continue };
            prop_assert_eq!(sample.len, line.len());
            let read = naive::parse(&line);
            let naive = read.samples().next().expect("the naive parser reads it, too");
            prop_assert_eq!(scanner.name().of(&line), naive.name.as_bytes());
            prop_assert_eq!(scanner.value().of(&line), naive.value_text.as_bytes());
            let names: Vec<&[u8]> = scanner.labels().iter().map(|l| l.name.of(&line)).collect();
            let naive_names: Vec<&[u8]> = naive.labels.iter().map(|(n, _)| n.as_bytes()).collect();
            prop_assert_eq!(names, naive_names);
            for (span, (_, value)) in scanner.labels().iter().zip(&naive.labels) {
                let raw = span.value.of(&line).to_vec();
                let again = [b"a{x=\"", &raw[..], b"\"} 1\n"].concat();
                let again = naive::parse(&again);
                prop_assert_eq!(&again.samples().next().expect("still a sample").labels[0].1, value);
            }
        }
    }

    #[test]
    fn only_the_malformed_lines_are_dropped(
        body in prop_oneof![valid_body(), kong_body()],
        bad in prop::collection::vec((bad_line(), any::<prop::sample::Index>()), 1..4),
    ) {
        prop_assume!(!bad.iter().any(|(line, _)| has_error_message(&line.0)));
        let lines = whole_lines(body.as_bytes());
        let mut with_bad: Vec<Vec<u8>> = lines.clone();
        for (Bytes(line), at) in &bad {
            with_bad.insert(at.index(with_bad.len() + 1), [line, &b"\n"[..]].concat());
        }
        for emit in EMITS {
            let plan = plan(emit);
            let clean = text(&plan, &lines.concat());
            let dirty = text(&plan, &with_bad.concat());
            prop_assert_eq!(clean.body.escape_ascii().to_string(), dirty.body.escape_ascii().to_string());
        }
    }

    #[test]
    fn chunking_does_not_change_the_output(
        body in prop_oneof![valid_body().prop_map(Bytes::from), kong_body().prop_map(Bytes::from), soup()],
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let Bytes(body) = body;
        prop_assume!(!has_error_message(&body));
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(body.len() + 1)).collect();
        cuts.sort_unstable();
        let mut chunks = Vec::new();
        let mut from = 0;
        for &to in cuts.iter().chain([&body.len()]) {
            chunks.push(&body[from..to]);
            from = to;
        }
        for emit in EMITS {
            let whole = rewrite(&plan(emit), &body);
            let cut = try_rewrite(&plan(emit), Options::default(), History::default(), chunks.iter().copied());
            let cut = cut.expect("no limit is passed");
            prop_assert_eq!(whole.body.escape_ascii().to_string(), cut.body.escape_ascii().to_string());
            prop_assert_eq!(shown(&whole.report), shown(&cut.report));
        }
    }

    #[test]
    fn explanation_equals_output(
        body in prop_oneof![valid_body().prop_map(Bytes::from), kong_body().prop_map(Bytes::from), soup()],
    ) {
        prop_assume!(!has_error_message(&body.0));
        for emit in EMITS {
            let outcome = rewrite(&plan(emit), &body.0);
            let explained = explain(&plan(emit), Options::default(), History::default(), &body.0, None);
            let explained = explained.expect("no limit is passed");
            prop_assert_eq!(outcome.body.escape_ascii().to_string(), explained.output.escape_ascii().to_string());
            is_complete(&explained, &outcome);
        }
    }

    #[test]
    fn output_is_valid_for_any_input(
        body in prop_oneof![kong_body().prop_map(Bytes::from), soup()],
    ) {
        prop_assume!(!has_error_message(&body.0));
        for emit in EMITS {
            let outcome = text(&plan(emit), &body.0);
            let read = outcome.read();
            let refused = read.refused();
            prop_assert!(refused.is_empty(), "{emit:?}: {refused:?}\n{}", outcome.body.escape_ascii());
        }
    }

    #[test]
    fn series_and_headers_are_unique(body in kong_body_without_repetitions()) {
        for emit in EMITS {
            let outcome = text(&plan(emit), body.as_bytes());
            let mut errors = strict::errors(&outcome.body, &[]);
            // A TYPE after samples was in the input.
            errors.retain(|error| !error.contains("after a sample"));
            prop_assert!(errors.is_empty(), "{emit:?}: {errors:?}\n{}", outcome.body.escape_ascii());
        }
    }

    #[test]
    fn tidy_bodies_equal_the_oracle(body in tidy_body()) {
        let arrived = naive::parse(body.as_bytes());
        prop_assert!(arrived.refused().is_empty(), "the generator is wrong");
        for emit in EMITS.into_iter().chain(editions()) {
            let expected = oracle::rewrite(&arrived, leaving(emit));
            let actual = text(&plan(emit), body.as_bytes()).read().stored();
            let lines = differences(&expected, &actual);
            prop_assert!(lines.is_empty(), "{emit:?}:\n{}", lines.join("\n"));
        }
    }

    #[test]
    fn rewriting_is_idempotent(body in tidy_body()) {
        for emit in [Emit::Old, Emit::New].into_iter().chain(editions()) {
            let once = text(&plan(emit), body.as_bytes()).body;
            let twice = text(&plan(emit), &once).body;
            let (mut once, mut twice) = (lines(&once), lines(&twice));
            if !matches!(emit, Emit::Old | Emit::New) {
                // Families whose editions differ are gathered again, and written after the others.
                once.sort_unstable();
                twice.sort_unstable();
            }
            prop_assert_eq!(once, twice);
        }
    }
}

fn lines(body: &[u8]) -> Vec<String> {
    body.split(|byte| *byte == b'\n').map(|line| line.escape_ascii().to_string()).collect()
}

/// A body that a Kong of one generation could export: correct types, each series once, and
/// increasing buckets.
fn tidy_body() -> impl Strategy<Value = String> {
    let service = || select(vec!["web", "api \\\"x\\\"", "tcp", ""]);
    let consumer = || select(vec!["", "alice", "two\nlines", "back\\\\slash"]);
    let code = || select(vec!["200", "404", "500"]);
    let count = || 0u32..1000;

    let old_status = prop::collection::btree_map(
        (service(), code()),
        (count(), prop::collection::btree_map(consumer(), count(), 0..3)),
        0..5,
    )
    .prop_map(|statuses| {
        let mut total = String::from("# TYPE kong_http_status counter\n");
        let mut parts = String::from("# TYPE kong_http_consumer_status counter\n");
        for ((service, code), (anonymous, consumers)) in statuses {
            let named: u32 = consumers.iter().filter(|(c, _)| !c.is_empty()).map(|(_, n)| n).sum();
            let labels = format!("service=\"{service}\",code=\"{code}\"");
            total.push_str(&format!("kong_http_status{{{labels}}} {}\n", anonymous + named));
            for (consumer, count) in consumers.iter().filter(|(c, _)| !c.is_empty()) {
                parts.push_str(&format!(
                    "kong_http_consumer_status{{{labels},consumer=\"{consumer}\"}} {count}\n"
                ));
            }
        }
        parts + &total
    });
    let new_requests = prop::collection::btree_map(
        (service(), code(), consumer(), select(vec!["service", "kong"]), select(vec!["", "w1", "w2"])),
        count(),
        0..10,
    )
    .prop_map(|requests| {
        let mut text = String::from("# TYPE kong_http_requests_total counter\n");
        for ((service, code, consumer, source, workspace), count) in requests {
            text.push_str(&format!(
                "kong_http_requests_total{{service=\"{service}\",code=\"{code}\",source=\"{source}\",\
                 workspace=\"{workspace}\",consumer=\"{consumer}\"}} {count}\n"
            ));
        }
        text
    });
    let old_latency = histograms(
        "kong_latency",
        oracle::OLD,
        &[
            "service=\"web\",type=\"kong\"",
            "service=\"web\",type=\"request\"",
            "service=\"web\",type=\"upstream\"",
            "service=\"tcp\",type=\"request\"",
            "service=\"tcp\",type=\"kong\"",
        ],
    );
    let streams = select(vec![
        "",
        "# TYPE kong_stream_status counter\nkong_stream_status{service=\"tcp\",code=\"200\"} 3\n",
    ]);
    let sets: &[&str] =
        &["service=\"web\",workspace=\"a\"", "service=\"web\",workspace=\"b\"", "service=\"tcp\""];
    let new_kong = histograms("kong_kong_latency_ms", oracle::NEW_KONG, sets);
    let new_request = histograms("kong_request_latency_ms", oracle::NEW_OTHER, sets);
    let old = (old_status, old_latency, streams).prop_map(|(a, b, c)| a + &b + c);
    let new = (new_requests, new_kong, new_request).prop_map(|(a, b, c)| a + &b + &c);
    prop_oneof![old, new]
}

/// Histograms as Kong exports them: a bucket appears once it counts something. Some lines are lost.
fn histograms(
    family: &'static str,
    bounds: &'static [f64],
    sets: &'static [&'static str],
) -> impl Strategy<Value = String> {
    let observations = prop::collection::vec((0usize..bounds.len() + 1, 1u32..20), 1..6);
    let lost = prop::option::weighted(0.2, 0usize..bounds.len());
    let histograms =
        prop::collection::btree_map(select(sets.to_vec()), (observations, lost), 0..sets.len());
    histograms.prop_map(move |histograms| {
        let (mut buckets, mut counts, mut sums) = (String::new(), String::new(), String::new());
        for (labels, (observations, lost)) in histograms {
            let mut at_bound: BTreeMap<usize, u32> = BTreeMap::new();
            for (bound, times) in &observations {
                *at_bound.entry(*bound).or_default() += times;
            }
            let mut all = 0;
            for (at, le) in bounds.iter().enumerate() {
                all += at_bound.get(&at).copied().unwrap_or(0);
                if all > 0 && lost != Some(at) {
                    buckets.push_str(&format!("{family}_bucket{{{labels},le=\"{le}\"}} {all}\n"));
                }
            }
            all += at_bound.get(&bounds.len()).copied().unwrap_or(0);
            buckets.push_str(&format!("{family}_bucket{{{labels},le=\"+Inf\"}} {all}\n"));
            counts.push_str(&format!("{family}_count{{{labels}}} {all}\n"));
            sums.push_str(&format!("{family}_sum{{{labels}}} {}\n", all * 7));
        }
        format!("# TYPE {family} histogram\n{buckets}{counts}{sums}")
    })
}

#[test]
fn the_generator_makes_bodies_of_both_generations() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut items = BTreeSet::new();
    for _ in 0..50 {
        let body = tidy_body().new_tree(&mut runner).expect("makes one").current();
        for (item, _) in naive::parse(body.as_bytes()).lines {
            if let Item::Sample(sample) = item {
                items.insert(sample.name);
            }
        }
    }
    for name in [
        "kong_http_status",
        "kong_http_requests_total",
        "kong_latency_bucket",
        "kong_kong_latency_ms_sum",
    ] {
        assert!(items.contains(name), "{items:?}");
    }
}

/// Found by `series_and_headers_are_unique`.
#[test]
fn an_undeclared_histogram_is_emitted_once() {
    let body = "kong_kong_latency_ms_bucket{le=\"1\"} 0\nkong_latency_count{type=\"kong\"} 7\n";
    let outcome = rewrite(&plan(Emit::Old), body.as_bytes());
    assert_eq!(outcome.body, b"kong_latency_count{type=\"kong\"} 7\n");
    assert_eq!(outcome.dropped("already_present"), 1);
}
