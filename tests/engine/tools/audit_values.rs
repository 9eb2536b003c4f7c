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
  - old: took_ms
    new: took_seconds
    scale: 0.001
    type: histogram
    buckets: { old: [5, 250], new: ['0.005', '0.25', '0.5'] }
  - { old: 'cpu{cpu="cpu$n"}', new: 'cpu_total{cpu=$n}', type: counter }
  - { old: 'same{e=$e}', new: 'same{e=$e}', type: counter, values: { e: { None: none, "*": "*" } } }
"#;

fn audited(emit: Emit, query: &str) -> Finding {
    let packs = [Pack::parse("p.yaml", PACK).expect("a valid pack")];
    let auditor = Auditor::new(&packs, emit, Generation::New, Vec::new()).expect("no edition");
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

/// Old and new queries of scaled families. Each is migrated to the other.
const SCALED: &[(&str, &str)] = &[
    ("up_ms * 3", "up_seconds * 3000"),
    ("rate(busy_ms[5m])", "rate(busy_seconds_total[5m]) * 1000"),
    (
        "sum by (x) (rate(busy_ms[5m])) > 250",
        "sum by (x) (rate(busy_seconds_total[5m])) * 1000 > 250",
    ),
    ("2 ^ max(busy_ms)", "2 ^ (max(busy_seconds_total) * 1000)"),
    ("hits / rate(busy_ms[5m])", "hits_total / (rate(busy_seconds_total[5m]) * 1000)"),
    (
        "max_over_time(rate(busy_ms[5m])[1h:1m])",
        "max_over_time((rate(busy_seconds_total[5m]) * 1000)[1h:1m])",
    ),
    (
        "histogram_quantile(0.9, sum by (le) (rate(took_ms_bucket[5m])))",
        "histogram_quantile(0.9, sum by (le) (rate(took_seconds_bucket[5m]))) * 1000",
    ),
    ("took_ms_sum / took_ms_count", "took_seconds_sum * 1000 / took_seconds_count"),
    ("sectors", "bytes / 512"),
    ("quantile_over_time(0.5, up_ms[5m])", "quantile_over_time(0.5, up_seconds[5m]) * 1000"),
    ("changes(up_ms[5m])", "changes(up_seconds[5m])"),
    ("stdvar_over_time(up_ms[5m])", "stdvar_over_time(up_seconds[5m]) * 1000 * 1000"),
];

#[test]
fn values_of_another_unit_are_multiplied() {
    for (query, migrated) in SCALED {
        let finding = audited(Emit::Old, query);
        assert_eq!(finding.migrated.as_deref(), Some(*migrated), "{finding:?}");
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
