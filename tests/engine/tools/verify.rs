//! `verify`: captures of the same traffic agree, and every change to one of them is found.

use crate::support::capture;
use crossfade::mapping::{self, Emit, Generation};
use crossfade::packs;
use crossfade::tools::verify::{self, FamilyResult, Options, Outcome, Traffic, Verdict};

const OLD: &str = "small/prometheus/kong-2.8.5.per_consumer.txt";
const NEW: &str = "small/prometheus/kong-3.9.1.all_on.per_consumer.txt";

fn options(compared_as: Generation) -> Options {
    Options {
        compared_as,
        edition: None,
        traffic: Traffic::Same,
        tolerance: 0.0,
        gauges: false,
        strict: false,
        ignore: Vec::new(),
        settings: mapping::Settings::new(Emit::Old),
    }
}

#[track_caller]
fn compare(old: &[u8], new: &[u8], options: &Options) -> Outcome {
    let outcome = verify::verify(("old", old), ("new", new), &packs::builtin(), options);
    outcome.unwrap_or_else(|error| panic!("{error}"))
}

#[track_caller]
fn family<'a>(outcome: &'a Outcome, name: &str) -> &'a FamilyResult {
    let found = outcome.families.iter().find(|family| family.name == name);
    found.unwrap_or_else(|| panic!("no {name} in {:#?}", outcome.families))
}

/// Replaces a text that must occur.
#[track_caller]
fn replaced(body: &[u8], from: &str, to: &str) -> Vec<u8> {
    let text = std::str::from_utf8(body).expect("the capture is text");
    assert!(text.contains(from), "{from}");
    text.replacen(from, to, 1).into_bytes()
}

/// The body without the lines that start with `prefix`.
fn without(body: &[u8], start: &str) -> Vec<u8> {
    let lines = body.split_inclusive(|byte| *byte == b'\n');
    lines.filter(|line| !line.starts_with(start.as_bytes())).flatten().copied().collect()
}

#[test]
fn captures_of_the_same_traffic_agree_in_each_edition() {
    for new in [NEW, "small/prometheus/kong-3.4.2.all_on.per_consumer.txt"] {
        for (compared_as, edition) in [
            (Generation::Old, "2.5"),
            (Generation::Old, "2.8"),
            (Generation::New, "3.0"),
            (Generation::New, "3.9"),
        ] {
            let edition = Some(edition.parse().expect("a valid name"));
            let options = Options { edition, ..options(compared_as) };
            let outcome = compare(&capture(OLD), &capture(new), &options);
            let latency = match compared_as {
                Generation::Old => "kong_latency",
                Generation::New => "kong_kong_latency_ms",
            };
            let latency = family(&outcome, latency);
            assert!(latency.verdict.agrees(), "{new} as {edition:?}: {latency:#?}");
            assert!(latency.compared > 0);
        }
    }
}

#[test]
fn captures_of_the_same_traffic_agree() {
    for (scale, old, news) in [
        ("tiny", "2.8.5.main", ["3.0.2.main", "3.4.2.main", "3.9.1.main"]),
        (
            "small",
            "2.8.5.per_consumer",
            ["3.0.2.all_on.per_consumer", "3.4.2.all_on.per_consumer", "3.9.1.all_on.per_consumer"],
        ),
        (
            "small",
            "2.8.5.no_consumer",
            ["3.0.2.all_on.no_consumer", "3.4.2.all_on.no_consumer", "3.9.1.all_on.no_consumer"],
        ),
    ] {
        let path = |name: &str| format!("{scale}/prometheus/kong-{name}.txt");
        let old_body = capture(&path(old));
        for new in news {
            for generation in [Generation::Old, Generation::New] {
                let outcome = compare(&old_body, &capture(&path(new)), &options(generation));
                assert!(outcome.agree, "{old} {new}\n{}", verify::table(&outcome));
                let judged = outcome.families.iter().filter(|it| it.verdict == Verdict::Equal);
                assert!(judged.map(|it| it.compared).sum::<usize>() > 25, "{outcome:#?}");
            }
        }
    }
}

#[test]
fn families_of_only_one_generation_are_no_difference() {
    let outcome = compare(&capture(OLD), &capture(NEW), &options(Generation::Old));
    // Requests without a service are not added: 2.x does not count them.
    assert_eq!(family(&outcome, "kong_http_status").only_new, 0);
    assert_eq!(outcome.only_new, ["kong_nginx_requests_total", "kong_node_info"]);
    let strict = Options { strict: true, ..options(Generation::Old) };
    let outcome = compare(&capture(OLD), &capture(NEW), &strict);
    assert!(!outcome.agree);
    assert_eq!(family(&outcome, "kong_http_status").verdict, Verdict::Equal);
    assert_eq!(family(&outcome, "kong_node_info").verdict, Verdict::Different);
}

#[test]
fn estimated_boundaries_are_judged_separately() {
    let outcome = compare(&capture(OLD), &capture(NEW), &options(Generation::New));
    let requests = family(&outcome, "kong_request_latency_ms");
    let estimated = requests.estimated.as_ref().expect("250 and 700");
    assert_eq!(estimated.boundaries, [250.0, 700.0]);
    assert!(estimated.worst_deviation > 0.0 && estimated.worst_deviation < 0.1, "{estimated:?}");
    assert_eq!(requests.verdict, Verdict::Equal);
    // A boundary that is estimated for one type of latency and exact for another.
    let text = String::from_utf8(capture(NEW)).expect("text");
    let mut lines = text.lines().filter(|line| !line.contains("service=\"\""));
    let changed = lines
        .find(|line| line.starts_with("kong_kong_latency_ms_bucket{") && line.contains("le=\"5\""))
        .expect("Kong took less than 5 ms somewhere");
    let more = format!("{changed}9");
    let outcome =
        compare(&capture(OLD), &replaced(&capture(NEW), changed, &more), &options(Generation::Old));
    let latency = family(&outcome, "kong_latency");
    assert_eq!((latency.verdict, latency.differ), (Verdict::Different, 1), "{latency:#?}");
    assert!(
        latency.worst[0].series.contains("le=\"5\",")
            && latency.worst[0].series.contains("type=\"kong\"")
    );
}

/// No estimate is further from the number that Kong of the other generation counted for the same
/// traffic than is said to be possible.
#[test]
fn the_error_of_estimates_is_bounded() {
    let mut checked = 0;
    for generation in [Generation::Old, Generation::New] {
        let outcome = compare(&capture(OLD), &capture(NEW), &options(generation));
        for estimated in outcome.families.iter().filter_map(|family| family.estimated.as_ref()) {
            assert!(estimated.worst_deviation <= estimated.max_error, "{estimated:?}");
            assert!(estimated.max_error_of_sum <= estimated.max_error, "{estimated:?}");
            assert!(estimated.max_error < 1.0, "{estimated:?}");
            checked += 1;
        }
        let table = verify::table(&outcome);
        let table = table.split_whitespace().collect::<Vec<_>>().join(" ");
        let bound = "each is between the counts of the two exact boundaries next to it, so it is \
                     wrong by at most ";
        assert!(table.contains(bound), "{table}");
    }
    assert_eq!(checked, 4, "kong_latency, and three families of 3.x");
}

#[test]
fn a_changed_value_is_reported_with_both_values() {
    let text = String::from_utf8(capture(NEW)).expect("text");
    let mut lines = text.lines().filter(|line| !line.contains("service=\"\""));
    let line = lines.find(|line| line.starts_with("kong_bandwidth_bytes{")).expect("there is one");
    let (series, value) = line.rsplit_once(' ').expect("a value");
    let value: f64 = value.parse().expect("a number");
    let broken = replaced(&capture(NEW), line, &format!("{series} {}", value + 100.0));
    for generation in [Generation::Old, Generation::New] {
        let outcome = compare(&capture(OLD), &broken, &options(generation));
        assert!(!outcome.agree);
        let bad: Vec<&FamilyResult> =
            outcome.families.iter().filter(|it| !it.verdict.agrees()).collect();
        assert_eq!(bad.len(), 1, "{bad:#?}");
        let worst = &bad[0].worst[0];
        let (old, new) = (worst.old.expect("a number"), worst.new.expect("a number"));
        assert_eq!((new - old).total_cmp(&100.0), std::cmp::Ordering::Equal);
        let tolerant = Options { tolerance: 0.5, ..options(generation) };
        let outcome = compare(&capture(OLD), &broken, &tolerant);
        assert!(outcome.agree, "{}", verify::table(&outcome));
        assert_eq!(family(&outcome, &bad[0].name).verdict, Verdict::Close);
    }
}

#[test]
fn the_largest_difference_is_listed_first() {
    let old = "# TYPE a counter\na{x=\"1\"} 100\na{x=\"2\"} 100\na{x=\"3\"} 100\na{x=\"4\"} 100\n";
    let new = "# TYPE a counter\na{x=\"1\"} 101\na{x=\"2\"} 150\na{x=\"4\"} 100\n";
    let outcome = compare(old.as_bytes(), new.as_bytes(), &options(Generation::Old));
    let order: Vec<&str> = outcome.families[0].worst.iter().map(|it| it.series.as_str()).collect();
    assert_eq!(order, ["a{x=\"3\"}", "a{x=\"2\"}", "a{x=\"1\"}"]);
}

#[test]
fn missing_families_have_the_hint_of_the_pack() {
    let broken = without(&capture(NEW), "kong_bandwidth_bytes");
    let outcome = compare(&capture(OLD), &broken, &options(Generation::Old));
    let bandwidth = family(&outcome, "kong_bandwidth");
    assert_eq!(bandwidth.verdict, Verdict::Missing);
    assert_eq!(bandwidth.hints.len(), 1, "only of what is missing: {:?}", bandwidth.hints);
    assert!(bandwidth.hints[0].contains("`bandwidth_metrics: true`"), "{:?}", bandwidth.hints);
    // A Kong 3 with every plugin option off.
    let off = capture("small/prometheus/kong-3.9.1.default_flags.txt");
    let outcome = compare(&capture(OLD), &off, &options(Generation::Old));
    let missing: Vec<&str> = outcome
        .families
        .iter()
        .filter(|it| it.verdict == Verdict::Missing)
        .map(|it| it.name.as_str())
        .collect();
    let expected = [
        "kong_bandwidth",
        "kong_http_consumer_status",
        "kong_http_status",
        "kong_latency",
        "kong_upstream_target_health",
    ];
    assert_eq!(missing, expected);
    let ignore = expected.iter().map(|name| (*name).to_owned()).collect();
    assert!(compare(&capture(OLD), &off, &Options { ignore, ..options(Generation::Old) }).agree);
}

#[test]
fn hints_match_the_missing_samples() {
    let old = "# TYPE kong_http_status counter\nkong_http_status{service=\"s\",code=\"200\"} 10\n\
               # TYPE kong_http_consumer_status counter\n\
               kong_http_consumer_status{service=\"s\",code=\"200\",consumer=\"ann\"} 4\n\
               # TYPE kong_nginx_http_current_connections gauge\n\
               kong_nginx_http_current_connections{state=\"active\"} 1\n\
               # TYPE kong_nginx_stream_current_connections gauge\n\
               kong_nginx_stream_current_connections{state=\"active\"} 1\n";
    let new = "# TYPE kong_http_requests_total counter\n\
               kong_http_requests_total{service=\"s\",code=\"200\",consumer=\"\"} 10\n\
               # TYPE kong_nginx_connections_total gauge\n\
               kong_nginx_connections_total{subsystem=\"http\",state=\"active\"} 1\n";
    let outcome = compare(old.as_bytes(), new.as_bytes(), &options(Generation::Old));
    let hints = |name: &str| family(&outcome, name).hints.clone();
    let consumers = hints("kong_http_consumer_status");
    assert_eq!(consumers.len(), 1, "{consumers:?}");
    assert!(consumers[0].contains("`per_consumer: true`"), "{consumers:?}");
    let streams = hints("kong_nginx_stream_current_connections");
    assert_eq!(streams, ["Kong 3 exports stream connections only with stream listeners."]);

    let body = capture(NEW);
    let text = std::str::from_utf8(&body).expect("text");
    let a_service_less = text.lines().filter(|line| {
        !(line.starts_with("kong_bandwidth_bytes{") && line.contains("billing.api"))
    });
    let a_service_less = a_service_less.collect::<Vec<_>>().join("\n") + "\n";
    let outcome = compare(&capture(OLD), a_service_less.as_bytes(), &options(Generation::Old));
    let bandwidth = family(&outcome, "kong_bandwidth");
    assert_eq!(bandwidth.verdict, Verdict::Different);
    assert_eq!(bandwidth.hints, [""; 0], "no option is to blame");
}

#[test]
fn what_kong_3_does_not_count_of_streams_is_a_difference() {
    let old = capture("small/prometheus/kong-2.8.5.http_stream.txt");
    let new = capture("small/prometheus/kong-3.9.1.http_stream.txt");
    let outcome = compare(&old, &new, &options(Generation::Old));
    let bad: Vec<&FamilyResult> =
        outcome.families.iter().filter(|it| !it.verdict.agrees()).collect();
    assert_eq!(bad.len(), 1, "{bad:#?}");
    assert_eq!(bad[0].name, "kong_bandwidth");
    assert!(bad[0].worst.iter().all(|worst| worst.new.is_none()));
    // The family is there, so no option that enables it is off.
    assert_eq!(bad[0].hints, ["Kong 3 never counts the bandwidth of streams."]);
    // A request's bandwidth is missing too, which streams do not explain.
    let text = std::str::from_utf8(&new).expect("text");
    let is_lost = |line: &str| {
        line.starts_with("kong_bandwidth_bytes{") && line.contains("direction=\"ingress\"")
    };
    let fewer: String =
        text.lines().filter(|line| !is_lost(line)).flat_map(|line| [line, "\n"]).collect();
    let outcome = compare(&old, fewer.as_bytes(), &options(Generation::Old));
    assert_eq!(family(&outcome, "kong_bandwidth").hints, [""; 0]);
}

#[test]
fn similar_traffic_is_compared_by_totals() {
    let similar =
        |part| Options { traffic: Traffic::Similar, tolerance: part, ..options(Generation::Old) };
    let (early, late) =
        ("small/series/kong-2.8.5.steady/11.txt.gz", "small/series/kong-3.9.1.steady/12.txt.gz");
    let outcome = compare(&capture(early), &capture(late), &similar(0.3));
    assert!(outcome.agree, "{}", verify::table(&outcome));
    let outcome = compare(&capture(early), &capture(late), &similar(0.001));
    assert!(!outcome.agree, "{}", verify::table(&outcome));
}

#[test]
fn gauges_are_judged_when_asked() {
    let broken = replaced(&capture(NEW), "state=\"accepted\"} ", "state=\"accepted\"} 7");
    assert!(compare(&capture(OLD), &broken, &options(Generation::Old)).agree);
    let gauges = Options { gauges: true, ..options(Generation::Old) };
    let outcome = compare(&capture(OLD), &broken, &gauges);
    assert_eq!(family(&outcome, "kong_nginx_http_current_connections").differ, 1);
}

#[test]
fn an_independent_parser_reads_the_same_input() {
    let outcome = compare(&capture(OLD), &capture(NEW), &options(Generation::Old));
    for side in [&outcome.old, &outcome.new] {
        assert_eq!(side.cross_check.same + side.cross_check.misread, side.series);
        assert!(side.cross_check.same > 500, "{side:?}");
    }
    let plain = compare(b"a 1\n", b"a 1\n", &options(Generation::Old));
    assert_eq!((plain.old.cross_check.same, plain.old.cross_check.misread), (1, 0));
    let hostile = capture("quirk/prometheus/kong-2.8.5.main.txt");
    let outcome = compare(&hostile, &hostile, &options(Generation::Old));
    assert!(outcome.agree && outcome.old.cross_check.misread > 0, "{:?}", outcome.old);
}

#[test]
fn families_of_patterns_are_compared() {
    let pack = "name: p\nprometheus:\n- { old: 'a_{x*}{k=$k}', new: 'b_{x*}{l=$k, pod}', type: counter }\n";
    let packs = [crossfade::mapping::Pack::parse("p.yaml", pack).expect("a valid pack")];
    let old =
        "# TYPE a_hits counter\na_hits{k=\"1\"} 7\n# TYPE a_gone counter\na_gone{k=\"1\"} 1\n";
    let new = "# TYPE b_hits counter\nb_hits{l=\"1\",pod=\"x\"} 3\nb_hits{l=\"1\",pod=\"y\"} 4\n\
        # TYPE b_more counter\nb_more{l=\"1\",pod=\"x\"} 1\nother 1\n";
    for (compared_as, names) in [
        (Generation::Old, ["a_gone", "a_hits", "a_more"]),
        (Generation::New, ["b_gone", "b_hits", "b_more"]),
    ] {
        let sides = (("old", old.as_bytes()), ("new", new.as_bytes()));
        let outcome = verify::verify(sides.0, sides.1, &packs, &options(compared_as));
        let outcome = outcome.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(outcome.old.generations, ["old"]);
        assert_eq!(outcome.new.generations, ["new"]);
        let verdicts: Vec<(&str, Verdict)> =
            outcome.families.iter().map(|it| (it.name.as_str(), it.verdict)).collect();
        let expected = [Verdict::Missing, Verdict::Equal, Verdict::Extra];
        assert_eq!(verdicts, names.into_iter().zip(expected).collect::<Vec<_>>());
        assert_eq!(outcome.only_new, ["other"]);
    }
}
