//! `audit`: queries of families whose values, or whose labels' values, differ between the generations.

use std::path::Path;

use crossfade::mapping::{Emit, Generation, Pack};
use crossfade::tools::audit::{Auditor, Finding, Impact};

const PACK: &str = r#"
name: p
prometheus:
  - { old: hits, new: hits_total }
  - { old: 'pods{pod_name=$p}', new: 'pods{pod=$p}', type: counter }
  - { old: 'kinds{kind="a"}', new: 'kinds{kind="b"}', type: counter }
  - { old: up_ms, new: up_seconds, scale: 0.001, type: gauge }
  - { old: busy_ms, new: busy_seconds_total, scale: 0.001, type: counter }
  - { old: sectors, new: bytes, scale: 512, type: gauge }
  - { old: thirds, new: sevenths, scale: 3/7, type: gauge }
  - { old: 'load_ms{k="a"}', new: a_load_seconds, scale: 0.001, type: gauge }
  - { old: 'load_ms{k="b"}', new: b_load_seconds, scale: 0.001, type: gauge }
  - { old: free_ms, new: free_seconds, scale: 0.001, type: histogram }
  - old: spent_ms
    new: spent_seconds
    scale: 0.001
    buckets: { old: [5, 250, 1000], new: ['0.005', '0.25', '1.0'] }
  - old: wide_ms
    new: wide_seconds
    scale: 0.001
    buckets: { old: [5, 5000], new: [0.005, 5] }
  - old: took_ms
    new: took_seconds
    scale: 0.001
    type: histogram
    buckets: { old: [5, 250], new: ['0.005', '0.25', '0.5'] }
  - { old: 'cpu{cpu="cpu$n"}', new: 'cpu_total{cpu=$n}', type: counter }
  - { old: 'same{e=$e}', new: 'same{e=$e}', type: counter, values: { e: { None: none, "*": "*" } } }
  - { old: 'back{backend=$n, provider=$p}', new: 'serv{service="$n@$p"}', type: gauge }
  - { old: 'text{s="$n@$p"}', new: 'text{s=$n, p=$p}', type: counter }
  - old: 'twice{x=$v}'
    new: 'twice{x=$v, y=$v}'
    type: counter
    values: { v: { None: none, none: None, "*": "*" } }
  - { old: 'maybe{x=$v}', new: 'maybe_total{x=$v}', type: counter, optional: [v], values: { v: { "": none } } }
"#;

fn audited(emit: Emit, query: &str) -> Finding {
    audited_to(emit, query, Generation::New)
}

fn audited_to(emit: Emit, query: &str, to: Generation) -> Finding {
    let packs = [Pack::parse("p.yaml", PACK).expect("a valid pack")];
    let auditor = Auditor::new(&packs, emit, to, Vec::new()).expect("no edition");
    let quoted = serde_json::to_string(query).expect("text is JSON");
    let text = format!("{{\"targets\": [{{\"expr\": {quoted}}}]}}");
    let mut found = auditor.file(Path::new("q.json"), &text).findings;
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

/// The gateway converts the values, so such a query survives with it. Without it, the query breaks.
/// It is not migrated if the new one would need other texts.
#[test]
fn the_gateway_converts_and_the_migration_refuses_texts() {
    for (query, why) in [
        ("max(up_ms) > 100", "the new value is the old one / 1000"),
        ("rate(took_ms_sum[5m])", "the new value is the old one / 1000"),
        ("rate(took_ms_bucket{le=\"250\"}[5m])", "the new value is the old one / 1000"),
        ("rate(cpu{cpu=\"cpu0\"}[5m])", "`cpu` and `cpu` have other texts"),
        ("rate(same{e=\"None\"}[5m])", "`e` and `e` have other texts"),
        ("sum(rate(same[5m]))", "`e` and `e` have other texts"),
        ("sum by (backend) (back)", "`backend`, `provider` and `service` have other texts"),
        ("back{provider=\"docker\"}", "`backend`, `provider` and `service` have other texts"),
        ("sum by (s) (rate(text[5m]))", "`s` and `s`, `p` have other texts"),
        ("rate(twice{x=\"None\"}[5m])", "`x` and `x`, `y` have other texts"),
        ("rate(twice[5m])", "`x` and `x`, `y` have other texts"),
        ("rate(maybe[5m])", "`x` and `x` have other texts"),
    ] {
        let finding = audited(Emit::Old, query);
        assert_eq!(finding.direct, Impact::Breaks, "{query}: {finding:?}");
        assert_eq!(finding.gateway, Impact::Survives, "{query}: {finding:?}");
        assert_eq!(finding.migrated.is_some(), query.contains("_ms"), "{query}");
        let mut said = finding.obstacles.iter().chain(&finding.details);
        assert!(said.any(|it| it.contains(why)), "{query}: {finding:?}");
        assert_eq!(audited(Emit::New, query).gateway, Impact::Breaks, "{query}");
    }
}

/// Labels with other texts that do not affect the result, in a family that keeps its name.
#[test]
fn converted_labels_that_a_query_does_not_read() {
    for query in
        ["sum(rate(twice[5m]))", "sum by (z) (text{z!=\"\"})", "count without (s, p) (text)"]
    {
        let finding = audited(Emit::Old, query);
        assert_eq!(finding.direct, Impact::Survives, "{query}: {finding:?}");
        assert_eq!(finding.gateway, Impact::Survives, "{query}: {finding:?}");
        assert_eq!(audited(Emit::New, query).gateway, Impact::Survives, "{query}");
    }
    let beside = audited(Emit::Old, "sum(rate(hits[5m])) / sum(rate(twice[5m]))");
    let migrated = "sum(rate(hits_total[5m])) / sum(rate(twice[5m]))";
    assert_eq!(beside.migrated.as_deref(), Some(migrated));
    let matched = audited(Emit::Old, "hits * on (x) group_left () twice");
    assert_eq!(matched.migrated, None, "{matched:?}");
}

fn migrated(query: &str, to: Generation) -> Result<String, String> {
    let finding = audited_to(Emit::Old, query, to);
    finding.migrated.ok_or_else(|| finding.obstacles.join("; "))
}

/// Old queries of scaled families, what they become, and what that becomes in the other direction,
/// where it is not the original.
const SCALED: &[(&str, &str, Option<&str>)] = &[
    // The factor is as far outside as possible, and in parentheses where it must be.
    ("rate(busy_ms[5m])", "rate(busy_seconds_total[5m]) * 1000", None),
    (
        "avg by (x) (rate(busy_ms[5m])) > 250",
        "avg by (x) (rate(busy_seconds_total[5m])) * 1000 > 250",
        None,
    ),
    (
        "hits / rate(busy_ms[5m])",
        "hits_total / (rate(busy_seconds_total[5m]) * 1000)",
        Some("hits / (rate(busy_ms[5m]))"),
    ),
    ("2 ^ max(up_ms)", "2 ^ (max(up_seconds) * 1000)", Some("2 ^ (max(up_ms))")),
    ("max(up_ms) ^ 2", "(max(up_seconds) * 1000) ^ 2", Some("(max(up_ms)) ^ 2")),
    ("-max(up_ms)", "-(max(up_seconds) * 1000)", Some("-(max(up_ms))")),
    (
        "max(up_ms) - max(up_ms offset 5m)",
        "max(up_seconds) * 1000 - max(up_seconds offset 5m) * 1000",
        None,
    ),
    ("sum(up_ms) by (x) / on (x) hits", "sum(up_seconds) by (x) * 1000 / on (x) hits_total", None),
    (
        "max_over_time(rate(busy_ms[5m])[1h:1m])",
        "max_over_time((rate(busy_seconds_total[5m]) * 1000)[1h:1m])",
        Some("max_over_time((rate(busy_ms[5m]))[1h:1m])"),
    ),
    (
        "sum(rate(busy_ms[5m])) # per second",
        "sum(rate(busy_seconds_total[5m])) * 1000 # per second",
        None,
    ),
    ("topk(3, max by (x) (up_ms))", "topk(3, max by (x) (up_seconds) * 1000)", None),
    ("stdvar(max by (x) (up_ms))", "stdvar(max by (x) (up_seconds) * 1000)", None),
    ("clamp_max(max(up_ms), 100)", "clamp_max(max(up_seconds) * 1000, 100)", None),
    // Numbers of the query itself.
    ("sum(rate(busy_ms[5m])) / 1000", "sum(rate(busy_seconds_total[5m]))", None),
    ("sum(rate(busy_ms[5m])) / 1000 > 0.5", "sum(rate(busy_seconds_total[5m])) > 0.5", None),
    ("rate(busy_ms[5m]) / 10", "rate(busy_seconds_total[5m]) * 100", None),
    (
        "100 * rate(busy_ms[5m]) / 1000",
        "rate(busy_seconds_total[5m]) * 100",
        Some("rate(busy_ms[5m]) / 10"),
    ),
    (
        "1 - rate(busy_ms[5m]) / 1e3",
        "1 - rate(busy_seconds_total[5m])",
        Some("1 - rate(busy_ms[5m]) / 1000"),
    ),
    ("rate(busy_ms[5m]) / $n", "rate(busy_seconds_total[5m]) * 1000 / $n", None),
    ("max(thirds) / 7", "max(sevenths) / 3", None),
    ("max(thirds)", "max(sevenths) * 7 / 3", None),
    // A product has no name.
    ("up_ms", "up_seconds * 1000", Some("up_ms * 1")),
    ("up_ms / 1000", "up_seconds * 1", Some("up_ms / 1000")),
    ("absent(up_ms{x=\"a\"} / 1000)", "absent(up_seconds{x=\"a\"} * 1)", None),
    ("sum(up_ms / 1000)", "sum(up_seconds)", Some("sum(up_ms) / 1000")),
    // Functions that do not read the values, or their squares.
    (
        "count(up_ms) + count_over_time(up_ms[5m])",
        "count(up_seconds) + count_over_time(up_seconds[5m])",
        None,
    ),
    ("absent(sum(up_ms))", "absent(sum(up_seconds))", None),
    (
        "changes(up_ms[5m]) + resets(up_ms[5m])",
        "changes(up_seconds[5m]) + resets(up_seconds[5m])",
        None,
    ),
    ("hits and on (x) up_ms", "hits_total and on (x) up_seconds", None),
    ("stdvar_over_time(up_ms[5m])", "stdvar_over_time(up_seconds[5m]) * 1000 * 1000", None),
    ("quantile_over_time(0.5, up_ms[5m])", "quantile_over_time(0.5, up_seconds[5m]) * 1000", None),
    ("predict_linear(up_ms[5m], 60) < 0", "predict_linear(up_seconds[5m], 60) * 1000 < 0", None),
    // Doubles times a power of two are exact.
    ("floor(max(sectors) / 3) == 3", "floor(max(bytes) / 512 / 3) == 3", None),
    ("max(sectors) / 2", "max(bytes) / 1024", None),
    // Histograms.
    (
        "rate(spent_ms_sum[5m]) / rate(spent_ms_count[5m])",
        "rate(spent_seconds_sum[5m]) * 1000 / rate(spent_seconds_count[5m])",
        None,
    ),
    (
        "histogram_quantile(0.9, sum by (le) (rate(spent_ms_bucket[5m]))) > 250",
        "histogram_quantile(0.9, sum by (le) (rate(spent_seconds_bucket[5m]))) * 1000 > 250",
        None,
    ),
    (
        "histogram_quantile(0.9, rate(spent_ms_bucket[5m])) / 1000",
        "histogram_quantile(0.9, rate(spent_seconds_bucket[5m]))",
        None,
    ),
    (
        "sum(rate(spent_ms_bucket{le=\"1000\"}[5m]))",
        "sum(rate(spent_seconds_bucket{le=\"1.0\"}[5m]))",
        None,
    ),
    (
        "sum(rate(spent_ms_bucket{le=~\".*5.*\"}[5m]))",
        "sum(rate(spent_seconds_bucket{le=~\".*5.*\"}[5m]))",
        None,
    ),
    (
        "rate(spent_ms_bucket{le=\"250\"}[5m])",
        "label_replace(rate(spent_seconds_bucket{le=\"0.25\"}[5m]), \"le\", \"250\", \"\", \"\")",
        Some("label_replace(rate(spent_ms_bucket{le=\"250\"}[5m]), \"le\", \"250\", \"\", \"\")"),
    ),
    (
        "histogram_quantile(0.9, rate(free_ms_bucket[5m]))",
        "histogram_quantile(0.9, rate(free_seconds_bucket[5m])) * 1000",
        None,
    ),
    // One family becomes two.
    (
        "sum by (k) (load_ms)",
        "sum by (k) (label_replace(a_load_seconds, \"k\", \"a\", \"\", \"\") * 1000 or label_replace(b_load_seconds, \"k\", \"b\", \"\", \"\") * 1000)",
        Some("sum by (k) (load_ms{k=\"a\"} or load_ms{k=\"b\"})"),
    ),
];

#[test]
fn values_of_another_unit_are_multiplied() {
    for (query, expected, back) in SCALED {
        assert_eq!(migrated(query, Generation::New).as_deref(), Ok(*expected), "{query}");
        let returned = migrated(expected, Generation::Old);
        assert_eq!(returned.as_deref(), Ok(back.unwrap_or(query)), "{expected}");
    }
}

#[test]
fn a_number_of_the_query_can_leave_no_factor_that_rounds() {
    let to_new = migrated("round(max(up_ms) / 1000)", Generation::New);
    assert_eq!(to_new.as_deref(), Ok("round(max(up_seconds))"));
    let to_old = migrated("round(max(up_seconds))", Generation::Old).expect_err("it rounds");
    assert!(to_old.contains("`round` depends on the last digit"), "{to_old}");
}

#[test]
fn what_cannot_be_multiplied_is_refused() {
    for (query, why) in [
        ("up_ms[5m]", "a range of up_ms cannot be multiplied"),
        ("sum by (__name__) (up_ms)", "the name of the series as a label"),
        ("max(up_ms) > 1013", "1013 is not the same number after `* 1000`"),
        ("max(up_ms) > $n", "a number that is not known"),
        ("max(up_ms) >= (1013)", "something that is not one number"),
        ("max(up_ms) >= +1013", "something that is not one number"),
        ("max(up_ms) > 1.013 * 1000", "something that is not one number"),
        ("max(up_ms) >= scalar(hits)", "something that is not one number"),
        ("max(up_ms) > time()", "something that is not one number"),
        ("-max(up_ms) <= -5", "`<=` depends on the last digit"),
        ("abs(max(up_ms)) >= 5", "`>=` depends on the last digit"),
        ("max(up_ms) + 0 >= 5", "`>=` depends on the last digit"),
        ("sum(up_ms) >= 2026", "`>=` depends on the last digit"),
        ("max(up_ms) - 5 >= 0", "`>=` depends on the last digit"),
        ("0 <= max(up_ms) - 5", "`<=` depends on the last digit"),
        ("(max(up_ms) >= 0) >= 1013", "1013 is not the same number after `* 1000`"),
        ("sgn(max(up_ms) - 5)", "`sgn` depends on the last digit"),
        ("1 / (max(up_ms) - 5)", "`/` depends on the last digit"),
        ("(max(up_ms) - 5) ^ 0.5", "`^` depends on the last digit"),
        ("max(up_ms) == 5", "`==` depends on the last digit"),
        ("max(up_ms) % 60", "`%` depends on the last digit"),
        ("ceil(increase(busy_ms[5m]) / 60000)", "`ceil` depends on the last digit"),
        ("hour(max(up_ms))", "`hour` depends on the last digit"),
        ("count_values(\"v\", up_ms)", "`count_values` depends on the last digit"),
        ("spent_ms", "as a native histogram"),
        ("histogram_sum(spent_ms)", "as a native histogram"),
        ("sum by (le) (rate(spent_ms_bucket[5m]))", "one row per boundary"),
        ("sum by (le) (rate(free_ms_bucket[5m]))", "one row per boundary"),
        ("sum(rate(free_ms_bucket{le=\"250\"}[5m]))", "no `buckets` of free_ms"),
        ("sum(rate(spent_ms_bucket{le=~\"5|250\"}[5m]))", "5 is 0.005 in the other"),
        // It would match 5 seconds, which is a boundary of its own.
        ("sum(rate(wide_ms_bucket{le=~\".*5\"}[5m]))", "5000 is 5 in the other"),
        ("sum(rate(took_ms_bucket[5m]))", "the other generation has others"),
        ("histogram_quantile(0.9, rate(took_ms_bucket[5m]))", "a factor of 50"),
        (
            "histogram_quantile(0.9, rate(spent_ms_bucket[5m]) + ignoring (le) group_left hits)",
            "different units",
        ),
    ] {
        let refused = migrated(query, Generation::New).expect_err(query);
        assert!(refused.contains(why), "{query}: {refused}");
    }
}

/// Beside a family that is renamed, one that keeps its name, but not its values or labels, prevents the
/// migration where they matter.
#[test]
fn a_family_that_keeps_its_name_prevents_the_migration() {
    for query in [
        "hits * on (e) group_left () same{e=\"None\"}",
        "sum by (e) (hits) + sum by (e) (same)",
        "hits + ignoring (x) pods",
        "hits and pods",
        "hits or kinds",
    ] {
        let finding = audited(Emit::Old, query);
        assert_eq!(finding.migrated, None, "{query}: {finding:?}");
        assert!(!finding.obstacles.is_empty(), "{query}: {finding:?}");
    }
    for (query, migrated) in [
        ("hits", "hits_total"),
        ("sum(hits) + sum(pods)", "sum(hits_total) + sum(pods)"),
        ("sum(hits) / sum(kinds)", "sum(hits_total) / sum(kinds)"),
    ] {
        assert_eq!(audited(Emit::Old, query).migrated.as_deref(), Some(migrated));
    }
}
