//! `reduce` of packs: samples that are dropped, and labels that are aggregated away.
#![allow(clippy::format_push_string, reason = "a body is built line by line, as it reads")]

use std::sync::Arc;

use crossfade::exposition::Format;
use crossfade::mapping::{Emit, Pack, Plan, Settings, check, compile, warnings};
use crossfade::packs;
use crossfade::rewrite::exposition::{Fate, History, Options, RefusedBecause, Rewriter, explain};

use crate::support::engine::{
    EMITS, plan, plan_of, rewrite, rewrite_at_every_cut, try_rewrite, try_rewrite_sparing,
};
use crate::support::naive;
use crate::support::reduction_oracle::{Action, Families, Item, Merge, reduce};
use crate::support::{Seeded, assert_same_series, capture, captures};

const PACK: &str = r#"
name: less
prometheus:
  - { old: 'hits{svc=$s}', new: 'hits_total{service=$s}', type: counter }
reduce:
  - { family: hits_total, without: [consumer] }
  - { drop: 'hits_total{code="404"}' }
  - { drop: 'hits_total{code=""}' }
  - { drop: "go_{rest*}" }
  - { family: latency_ms, keep: [service] }
  - { family: "mem_{x*}", without: [pid], merge: max }
  - { family: mem_limit, keep: [], merge: min }
"#;

fn reduced(body: &str) -> crate::support::engine::Outcome {
    rewrite_at_every_cut(&plan_of(PACK, Emit::New), Options::default(), body)
}

#[test]
fn counters_and_histograms_are_summed_after_the_rewriting() {
    let outcome = reduced(
        "# HELP hits Hits.\n# TYPE hits counter\n\
         hits{svc=\"a\",consumer=\"x\",code=\"200\"} 1\n\
         hits{svc=\"a\",consumer=\"y\",code=\"200\"} 2\n\
         hits{svc=\"a\",code=\"200\"} 4\n\
         up 1\n\
         # TYPE latency_ms histogram\n\
         latency_ms_bucket{service=\"a\",route=\"r\",le=\"1\"} 1\n\
         latency_ms_bucket{service=\"a\",route=\"r\",le=\"+Inf\"} 2\n\
         latency_ms_sum{service=\"a\",route=\"r\"} 2.5\n\
         latency_ms_count{service=\"a\",route=\"r\"} 2\n\
         latency_ms_bucket{service=\"a\",route=\"q\",le=\"1\"} 10\n\
         latency_ms_bucket{service=\"a\",route=\"q\",le=\"+Inf\"} 20\n\
         latency_ms_sum{service=\"a\",route=\"q\"} 20.5\n\
         latency_ms_count{service=\"a\",route=\"q\"} 20\n",
    );
    assert_eq!(
        outcome.text(),
        "up 1\n\
         # HELP hits_total Hits.\n# TYPE hits_total counter\n\
         hits_total{service=\"a\",code=\"200\"} 7\n\
         # TYPE latency_ms histogram\n\
         latency_ms_bucket{service=\"a\",le=\"1\"} 11\n\
         latency_ms_bucket{service=\"a\",le=\"+Inf\"} 22\n\
         latency_ms_sum{service=\"a\"} 23\n\
         latency_ms_count{service=\"a\"} 22\n"
    );
    let report = &outcome.report;
    let read: Vec<(&str, u64, u64)> = report
        .reduced
        .iter()
        .filter(|item| item.samples_in > 0)
        .map(|item| (item.title.as_str(), item.samples_in, item.samples_out))
        .collect();
    assert_eq!(
        read,
        [("hits_total without (consumer)", 3, 1), ("latency_ms keep (service)", 8, 4)]
    );
    assert_eq!((report.samples_in, report.samples_out), (12, 6));
    assert_eq!(report.rewritten[0].samples_out, 3);
}

#[test]
fn samples_are_dropped_with_the_headers_of_families_of_which_nothing_is_left() {
    let outcome = reduced(
        "# HELP go_threads Threads.\n# TYPE go_threads gauge\ngo_threads 4\n\
         # TYPE hits counter\n\
         hits{svc=\"a\",code=\"404\"} 1\n\
         hits{svc=\"a\"} 1\n\
         # TYPE other counter\nother{code=\"404\"} 2\n",
    );
    assert_eq!(outcome.text(), "# TYPE other counter\nother{code=\"404\"} 2\n");
    assert_eq!(outcome.dropped("dropped_by_pack"), 3);
    assert_eq!(outcome.report.samples_out, 1);
}

/// A text of a pack is the value of a label, not its spelling in the exposition.
#[test]
fn texts_with_quotes_and_backslashes() {
    let pack = "name: p\nreduce:\n  - drop: 'a{x=\"q\\\"b\\\\s\\nn\"}'\n";
    let outcome = rewrite(&plan_of(pack, Emit::New), b"a{x=\"q\\\"b\\\\s\\nn\"} 1\na{x=\"q\"} 2\n");
    assert_eq!(outcome.text(), "a{x=\"q\"} 2\n");
}

#[test]
fn gauges_are_merged_as_the_pack_says() {
    let outcome = reduced(
        "# TYPE mem_a gauge\nmem_a{pid=\"1\"} 3\nmem_a{pid=\"2\"} 5\n\
         # TYPE mem_limit gauge\nmem_limit{pid=\"1\"} 3\nmem_limit{zone=\"2\"} 5\n",
    );
    assert_eq!(
        outcome.text(),
        "# TYPE mem_limit gauge\nmem_limit 3\n# TYPE mem_a gauge\nmem_a 5\n"
    );
}

/// A method that the pack gives is also for samples of which nothing says what they are.
#[test]
fn samples_without_a_type() {
    let outcome = reduced(
        "mem_a{pid=\"1\"} 3\nmem_a{pid=\"2\"} 5\n\
         hits_total{code=\"1\",consumer=\"x\"} 3\nhits_total{code=\"1\",consumer=\"y\"} 4\n",
    );
    assert_eq!(outcome.text(), "hits_total{code=\"1\"} 7\nmem_a 5\n");
}

/// An item whose name occurs nowhere is listed, because the name may be wrong.
#[test]
fn the_report_lists_items_that_match_nothing() {
    let outcome = reduced("up 1\n");
    let titles: Vec<&str> = outcome.report.reduced.iter().map(|it| it.title.as_str()).collect();
    let all = [
        "hits_total without (consumer)",
        "latency_ms keep (service)",
        "mem_{x*} without (pid)",
        "mem_limit keep ()",
    ];
    assert_eq!(titles, all);
    assert!(outcome.report.reduced.iter().all(|it| it.samples_in == 0));
}

#[test]
fn what_cannot_be_merged_is_forwarded_and_counted() {
    let gauges = "# TYPE hits_total gauge\nhits_total{code=\"1\",consumer=\"x\"} 3\n\
                  # TYPE latency_ms summary\n\
                  latency_ms{route=\"r\",quantile=\"0.5\"} 1\n\
                  latency_ms_sum{route=\"r\"} 1\nlatency_ms_count{route=\"r\"} 1\n";
    let outcome = reduced(gauges);
    assert_eq!(outcome.text(), gauges);
    assert_eq!(outcome.report.unrewritten[&RefusedBecause::NotJoinable], 4);
    assert_eq!(outcome.report.samples_out, 4);
}

#[test]
fn the_stage_reads_openmetrics() {
    let options = Options { format: Format::OpenMetrics, ..Options::default() };
    let body = "# TYPE hits counter\n\
                hits_total{service=\"a\",consumer=\"x\",code=\"1\"} 1 # {trace=\"t\"} 1\n\
                hits_created{service=\"a\",consumer=\"x\",code=\"1\"} 1.5\n\
                hits_total{service=\"a\",consumer=\"y\",code=\"1\"} 2\n\
                # TYPE go_x gauge\ngo_x 1\n# EOF\n";
    let outcome = rewrite_at_every_cut(&plan_of(PACK, Emit::New), options, body);
    assert_eq!(
        outcome.text(),
        "# TYPE hits counter\nhits_total{service=\"a\",code=\"1\"} 3\n# EOF\n"
    );
    assert_eq!(outcome.dropped("creation_time"), 1);
}

/// A counter without `_total` in its headers: names in packs are those of samples.
#[test]
fn a_name_that_only_headers_have_claims_nothing() {
    let pack = "name: p\nprometheus:\n\
                - { old: ours_open, new: ours_conns, type: gauge }\n\
                - { old: '{r*}_milliseconds', new: '{r*}_seconds', scale: 0.001 }\n\
                reduce:\n- { family: red, without: [a] }\n- drop: gone\n";
    let body = "# HELP ours_open Opened.\n# TYPE ours_open counter\n\
                ours_open_total 3 # {t=\"1\"} 1\nours_open_created 17\n\
                # TYPE a_milliseconds counter\n# UNIT a_milliseconds milliseconds\n\
                a_milliseconds_total 5\na_milliseconds_created 17\n\
                # TYPE red counter\nred_total{a=\"1\"} 1\n\
                # TYPE gone counter\ngone_total 1\ngone_created 17\n# EOF\n";
    let options = Options { format: Format::OpenMetrics, ..Options::default() };
    let outcome = rewrite_at_every_cut(&plan_of(pack, Emit::New), options, body);
    let mut lines: Vec<&str> = outcome.text().lines().collect();
    let mut expected: Vec<&str> = body.lines().collect();
    lines.sort_unstable();
    expected.sort_unstable();
    assert_eq!(lines, expected);
}

#[test]
fn a_creation_time_is_dropped_with_its_series() {
    let pack = "name: p\nreduce:\n- drop: 'dr_total{a=\"1\"}'\n- drop: dr2_total\n";
    let body = "# TYPE dr counter\ndr_total{a=\"1\"} 1\ndr_created{a=\"1\"} 17\n\
                dr_total{a=\"2\"} 1\ndr_created{a=\"2\"} 17\n\
                # TYPE dr2 counter\ndr2_total 1\ndr2_created 17\n# EOF\n";
    let options = Options { format: Format::OpenMetrics, ..Options::default() };
    let outcome = rewrite_at_every_cut(&plan_of(pack, Emit::New), options, body);
    let expected = "# TYPE dr counter\ndr_total{a=\"2\"} 1\ndr_created{a=\"2\"} 17\n# EOF\n";
    assert_eq!(outcome.text(), expected);
    assert_eq!(outcome.dropped("dropped_by_pack"), 4);
}

#[test]
fn strict_output_is_reduced_too() {
    let options = Options { strict: true, ..Options::default() };
    let body = "# TYPE hits counter\nhits{svc=\"a\",consumer=\"x\",code=\"1\"} 1\n\
                hits{svc=\"a\",consumer=\"y\",code=\"1\"} 2\n# TYPE go_x gauge\ngo_x 1\n";
    let outcome = rewrite_at_every_cut(&plan_of(PACK, Emit::New), options, body);
    assert_eq!(
        outcome.text(),
        "# TYPE hits_total counter\nhits_total{service=\"a\",code=\"1\"} 3\n"
    );
    assert_eq!(outcome.report.samples_out, 1);
}

#[test]
fn errors_name_the_line_of_the_input() {
    let mut options = Options::default();
    options.limits.held_series = 3;
    let body = "up 1\nhits_total{service=\"a\"} 1\nhits_total{service=\"b\",code=\"1\"} 1\n\
                hits_total{service=\"c\",code=\"1\"} 1\nhits_total{service=\"d\",code=\"1\"} 1\n";
    let error = try_rewrite(
        &plan_of(PACK, Emit::New),
        options,
        History::default(),
        body.split_inclusive('\n').map(str::as_bytes),
    );
    let error = error.expect_err("more than three series").to_string();
    assert!(error.starts_with("line ") && error.contains("held_series"), "{error}");
}

#[test]
fn the_held_bytes_are_those_of_all_stages() {
    let plan = plan_of(PACK, Emit::New);
    let mut rewriter = Rewriter::new(plan, Options::default(), History::default());
    let before = rewriter.report().held_bytes;
    rewriter.push(b"hits_total{service=\"a\",code=\"1\"} 1\n", &mut Vec::new()).expect("valid");
    assert!(rewriter.report().held_bytes > before);
    assert!(!rewriter.report().complete);
}

#[test]
fn an_explanation_shows_the_stage() {
    let plan = plan_of(PACK, Emit::New);
    let body = b"hits{svc=\"a\",consumer=\"x\",code=\"1\"} 1\ngo_x 1\nup 1\n";
    let options = Options::default();
    let explained = explain(&plan, options, History::default(), body, None).expect("valid");
    assert_eq!(explained.output, rewrite(&plan, body).body);
    let next = explained.next.expect("a stage that reduces");
    let fates: Vec<Fate> = next.lines.iter().map(|line| line.fate).collect();
    assert_eq!(fates[0], Fate::Rewritten);
    assert!(matches!(fates[1], Fate::Dropped(reason) if reason.as_str() == "dropped_by_pack"));
    assert_eq!(fates[2], Fate::Passed);
    assert_eq!(next.lines[0].read_by[0].title, "hits_total without (consumer)");
    assert_eq!(next.series[0].text, ["hits_total{service=\"a\",code=\"1\"} 1"]);
}

/// Of the items of several packs for one family, the last one applies.
#[test]
fn a_later_pack_replaces_an_item() {
    let parse = |text: &str| Pack::parse("p.yaml", text).expect("valid");
    let first = parse("name: a\nreduce: [{ family: x, without: [a] }, { drop: y }]");
    let second = parse("name: b\nreduce: [{ family: x, without: [b] }]");
    let plan = compile(&[first, second], &Settings::new(Emit::New)).expect("valid");
    let outcome = rewrite(
        &Arc::new(plan),
        b"# TYPE x counter\nx{a=\"1\",b=\"1\"} 1\nx{a=\"1\",b=\"2\"} 1\ny 1\n",
    );
    assert_eq!(outcome.text(), "# TYPE x counter\nx{a=\"1\"} 2\n");
}

#[test]
fn what_is_checked() {
    let packs = |text: &str| vec![Pack::parse("p.yaml", text).expect("valid")];
    let ambiguous =
        "name: p\nreduce:\n- { family: '{x*}_b', keep: [] }\n- { family: 'a_{x*}', keep: [] }\n";
    let errors = check(&packs(ambiguous), false);
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].message, "`a_{x*}` and `{x*}_b` (p:3) both match `a_x_b`");
    let gauge = "name: p\nprometheus: [{ old: a, new: b, type: gauge }]\n\
                 reduce: [{ family: b, without: [x] }, { family: c, without: [x] }]\n";
    let found: Vec<String> = warnings(&packs(gauge)).into_iter().map(|it| it.message).collect();
    assert_eq!(found, ["`b` cannot be summed, so all of its series are forwarded"]);
    assert!(warnings(&packs(&gauge.replace("[x] }, ", "[x], merge: max }, "))).is_empty());
    let all = "name: p\nreduce: [{ drop: '*' }, { drop: '*{x=\"y\"}' }, { drop: '{x*}_b' }]\n";
    let found: Vec<String> = warnings(&packs(all)).into_iter().map(|it| it.message).collect();
    assert_eq!(found, ["every sample is dropped, so scrapes are empty"]);
}

/// The spelling of `le` is a part of the name of a series.
#[test]
fn boundaries_are_spelled_as_in_the_input() {
    let outcome = reduced(
        "# TYPE latency_ms histogram\n\
         latency_ms_bucket{r=\"a\",le=\"1.0\"} 1\nlatency_ms_bucket{r=\"a\",le=\"+Inf\"} 2\n\
         latency_ms_bucket{r=\"b\",le=\"1.0\"} 3\nlatency_ms_bucket{r=\"b\",le=\"+Inf\"} 4\n\
         latency_ms_bucket{r=\"c\",le=\"0.50\"} 1\nlatency_ms_bucket{r=\"c\",le=\"1\"} 3\n\
         latency_ms_bucket{r=\"c\",le=\"+Inf\"} 4\n",
    );
    assert_eq!(
        outcome.text(),
        "# TYPE latency_ms histogram\n\
         latency_ms_bucket{le=\"0.50\"} 1\nlatency_ms_bucket{le=\"1\"} 7\n\
         latency_ms_bucket{le=\"+Inf\"} 10\nlatency_ms_count 10\n"
    );
}

/// The count of a histogram without a bucket `+Inf` has all its observations.
#[test]
fn a_missing_infinite_bucket_does_not_lose_observations() {
    let outcome = reduced(
        "# TYPE latency_ms histogram\n\
         latency_ms_bucket{r=\"b\",le=\"1\"} 3\nlatency_ms_bucket{r=\"b\",le=\"10\"} 4\n\
         latency_ms_count{r=\"b\"} 6\nlatency_ms_sum{r=\"b\"} 5\n\
         latency_ms_bucket{r=\"a\",le=\"1\"} 3\nlatency_ms_bucket{r=\"a\",le=\"+Inf\"} 4\n\
         latency_ms_count{r=\"a\"} 4\nlatency_ms_sum{r=\"a\"} 5\n",
    );
    assert_eq!(
        outcome.text(),
        "# TYPE latency_ms histogram\n\
         latency_ms_bucket{le=\"1\"} 6\nlatency_ms_bucket{le=\"10\"} 8\n\
         latency_ms_bucket{le=\"+Inf\"} 10\nlatency_ms_sum 10\nlatency_ms_count 10\n"
    );
}

const ITEM_FAMILIES: [Families; 7] = [
    Families::Named("a_total"),
    Families::Named("b"),
    Families::Named("a_ms"),
    Families::Pattern("a_", ""),
    Families::Pattern("", "_ms"),
    Families::Pattern("b", ""),
    Families::Pattern("", ""),
];
const LABELS: [&str; 4] = ["x", "y", "z", "w"];
const FAMILIES: [(&str, &str); 8] = [
    ("a_total", "counter"),
    ("a_gauge", "gauge"),
    ("b", "gauge"),
    ("b_total", "untyped"),
    ("a_ms", "histogram"),
    ("c_ms", "histogram"),
    ("d_ms", "summary"),
    ("other", "counter"),
];

fn items(random: &mut Seeded) -> Vec<Item> {
    let mut items: Vec<Item> = Vec::new();
    for families in &ITEM_FAMILIES {
        let labels: Vec<&str> = LABELS.into_iter().filter(|_| random.below(2) == 0).collect();
        let merge = *random.one_of(&[None, Some(Merge::Max), Some(Merge::Min), Some(Merge::Sum)]);
        let action = match random.below(5) {
            0 => {
                let pairs = labels.iter().take(2).map(|label| (*label, *random.one_of(&["1", ""])));
                Action::Drop(pairs.collect())
            }
            1 if !labels.is_empty() => Action::Without(labels, merge),
            2 => Action::Keep(labels, merge),
            _ => continue,
        };
        items.push(Item { families: families.clone(), action });
    }
    items
}

fn body(random: &mut Seeded) -> String {
    let mut body = String::new();
    for (family, kind) in FAMILIES {
        if random.below(3) == 0 {
            continue;
        }
        body += &format!("# TYPE {family} {kind}\n");
        for _ in 0..random.below(6) {
            let labels: Vec<String> = LABELS
                .into_iter()
                .filter_map(|label| {
                    let value = random.below(4);
                    (value < 2).then(|| format!("{label}=\"{value}\""))
                })
                .collect();
            let with = |more: &str| {
                let all: Vec<&str> = labels
                    .iter()
                    .map(String::as_str)
                    .chain((!more.is_empty()).then_some(more))
                    .collect();
                if all.is_empty() { String::new() } else { format!("{{{}}}", all.join(",")) }
            };
            let mut count = 0;
            match kind {
                "histogram" => {
                    for le in ["1", "2.5", "+Inf"] {
                        count += random.below(10);
                        let labels = with(&format!("le=\"{le}\""));
                        body += &format!("{family}_bucket{labels} {count}\n");
                    }
                    body += &format!("{family}_sum{} {}\n", with(""), random.below(100));
                    body += &format!("{family}_count{} {count}\n", with(""));
                }
                "summary" => {
                    body += &format!("{family}{} 1\n", with("quantile=\"0.5\""));
                    body += &format!("{family}_sum{} 2\n", with(""));
                }
                _ => body += &format!("{family}{} {}\n", with(""), random.below(100)),
            }
        }
    }
    body
}

fn pack(items: &[Item]) -> String {
    items.iter().fold("name: generated\nreduce:\n".to_owned(), |text, item| text + &item.yaml())
}

#[test]
fn output_equals_the_oracle() {
    let (mut merged, mut dropped) = (0, 0);
    for seed in 0..2000 {
        let random = &mut Seeded::new(seed);
        let items = items(random);
        if items.is_empty() {
            continue;
        }
        let (pack, text) = (pack(&items), body(random));
        let plan = plan_of(&pack, Emit::New);
        let outcome = rewrite(&plan, text.as_bytes());
        let expected = reduce(&naive::parse(text.as_bytes()), &items);
        let context = format!("seed {seed}\n{pack}\n{text}\n{}", outcome.text());
        assert_same_series(&expected, &outcome.read().stored(), &context);
        assert_eq!(outcome.report.samples_out, expected.len() as u64, "{context}");
        merged += outcome.report.reduced.iter().map(|it| it.samples_out).sum::<u64>();
        dropped += outcome.dropped("dropped_by_pack");
        let chunks = text.as_bytes().chunks(1 + random.below(40));
        let sparing = try_rewrite_sparing(&plan, chunks).expect("within the limits");
        assert_eq!(sparing.text(), outcome.text());
    }
    assert!(merged > 5_000 && dropped > 2_000, "{merged} {dropped}");
}

/// The stage after the rules of the shipped pack: its output is what the oracle makes of theirs.
#[test]
fn genuine_expositions_are_reduced() {
    let items = [
        Item {
            families: Families::Pattern("kong_", ""),
            action: Action::Without(vec!["service", "route"], Some(Merge::Max)),
        },
        Item {
            families: Families::Named("kong_http_requests_total"),
            action: Action::Keep(vec!["service", "code"], None),
        },
        Item { families: Families::Pattern("kong_memory_", ""), action: Action::Drop(vec![]) },
        Item {
            families: Families::Named("kong_http_status"),
            action: Action::Drop(vec![("code", "200")]),
        },
    ];
    let less = Pack::parse("less.yaml", &pack(&items)).expect("valid");
    let mut packs = packs::builtin();
    packs.push(less);
    let all: [Arc<Plan>; 3] =
        EMITS.map(|emit| Arc::new(compile(&packs, &Settings::new(emit)).expect("valid")));
    for name in captures("small") {
        let body = capture(&name);
        for (emit, reducing) in EMITS.iter().zip(&all) {
            let unreduced = rewrite(&plan(*emit), &body);
            let expected = reduce(&unreduced.read(), &items);
            let outcome = rewrite(reducing, &body);
            assert_same_series(&expected, &outcome.read().stored(), &format!("{name} to {emit}"));
            assert!(outcome.dropped("dropped_by_pack") > 0, "{name}");
        }
    }
}
