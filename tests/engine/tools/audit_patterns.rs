//! `audit`: queries of families that only patterns of packs match.

use std::path::Path;

use crossfade::mapping::{Emit, Generation, Pack};
use crossfade::tools::audit::{Auditor, Finding, Impact};

const PACK: &str = "name: p\nprometheus:\n\
    - { old: 'node_{rest*}', new: 'nodex_{rest*}' }\n\
    - { old: 'mem_{rest*}', new: 'mem_{rest*}_bytes' }\n\
    - { old: 'node_boot', new: 'started_total' }\n";

const PODS: &str = "name: p\nprometheus:\n- { old: '*{pod_name=$p}', new: '*{pod=$p}' }\n";

fn audited(pack: &str, query: &str, to: Generation) -> Option<Finding> {
    let packs = [Pack::parse("p.yaml", pack).expect("a valid pack")];
    let auditor = Auditor::new(&packs, to.other().into(), to, Vec::new()).expect("no edition");
    let quoted = serde_json::to_string(query).expect("text is JSON");
    let text = format!("{{\"targets\": [{{\"expr\": {quoted}}}]}}");
    let mut found = auditor.file(Path::new("q.json"), &text).findings;
    assert!(found.len() < 2, "{found:?}");
    found.pop()
}

#[track_caller]
fn migrates(pack: &str, query: &str, expected: &str) {
    let finding = audited(pack, query, Generation::New).expect("a finding");
    assert_eq!(finding.direct, Impact::Breaks, "{finding:?}");
    // The gateway emits the old generation.
    assert_eq!(finding.gateway, Impact::Survives, "{finding:?}");
    assert_eq!(finding.migrated.as_deref(), Some(expected), "{finding:?}");
}

#[test]
fn queries_of_families_of_a_pattern_migrate() {
    migrates(PACK, "rate(node_cpu{mode!=\"idle\"}[5m])", "rate(nodex_cpu{mode!=\"idle\"}[5m])");
    migrates(PACK, "sum(\nnode_load1)", "sum(\nnodex_load1)");
    migrates(PACK, "node_time_sum / node_time_count", "nodex_time_sum / nodex_time_count");
    migrates(PACK, "mem_free", "mem_free_bytes");
    migrates(PACK, "{__name__=\"node_load1\"}", "{__name__=\"nodex_load1\"}");
    migrates(PACK, "node_boot", "started_total");
    let finding = audited(PACK, "nodex_cpu", Generation::Old).expect("a finding");
    assert_eq!((finding.direct, finding.gateway), (Impact::Survives, Impact::Survives));
    assert_eq!(finding.migrated.as_deref(), Some("node_cpu"));
    assert!(audited(PACK, "other_cpu", Generation::New).is_none());
}

#[test]
fn the_gateway_must_emit_the_generation() {
    let packs = [Pack::parse("p.yaml", PACK).expect("a valid pack")];
    let auditor = Auditor::new(&packs, Emit::New, Generation::New, Vec::new()).expect("valid");
    let found = auditor.file(Path::new("q.json"), "{\"targets\": [{\"expr\": \"node_cpu\"}]}");
    assert_eq!(found.findings[0].gateway, Impact::Breaks);
}

#[test]
fn a_family_or_a_series_of_a_histogram() {
    // Of a family: `mem_x_count_bytes`. Of a histogram: `mem_x_bytes_count`.
    let finding = audited(PACK, "mem_x_count", Generation::New).expect("a finding");
    assert_eq!(finding.direct, Impact::Breaks);
    assert_eq!(finding.migrated, None);
    assert!(!finding.obstacles.is_empty(), "{finding:?}");
}

#[test]
fn patterns_in_queries_never_survive_unnoticed() {
    for (query, direct) in [
        ("{__name__=~\"node_.*\"}", Impact::Breaks),
        ("{__name__=~\"mem_[a-z]+\"}", Impact::Breaks),
        ("node_$metric", Impact::Breaks),
        // None of the names that are tried matches.
        ("{__name__=~\"node_(load1|load5)\"}", Impact::Unknown),
        ("{__name__=~\"mem_f.?e\"}", Impact::Unknown),
        ("node_load1$x", Impact::Breaks),
    ] {
        let finding = audited(PACK, query, Generation::New).unwrap_or_else(|| panic!("{query}"));
        assert_eq!(finding.direct, direct, "{query}: {finding:?}");
        assert_eq!(finding.migrated, None, "{query}");
    }
    assert!(audited(PACK, "{__name__=~\"kong_.*\"}", Generation::New).is_none());
}

#[test]
fn labels_of_all_families() {
    let finding = audited(PODS, "sum by (pod_name) (cpu)", Generation::New).expect("a finding");
    assert_eq!(finding.direct, Impact::Breaks, "{finding:?}");
    assert_eq!(finding.migrated, None);
    let finding = audited(PODS, "cpu{pod_name=\"a\"}", Generation::New).expect("a finding");
    assert_eq!(finding.direct, Impact::Breaks, "{finding:?}");
    let finding = audited(PODS, "sum(cpu)", Generation::New).expect("a finding");
    assert_eq!(finding.direct, Impact::Survives, "{finding:?}");
    // Words of titles are no families.
    let packs = [Pack::parse("p.yaml", PODS).expect("a valid pack")];
    let auditor = Auditor::new(&packs, Emit::Old, Generation::New, Vec::new()).expect("valid");
    let text = "{\"title\": \"all\", \"other\": \"words here\", \"x\": \"word\"}";
    assert!(auditor.file(Path::new("q.json"), text).findings.is_empty());
}

#[test]
fn relabeling_rules_of_a_pattern() {
    let rule = |regex: &str| {
        format!(
            "scrape_configs:\n- job_name: a\n  metric_relabel_configs:\n  \
             - source_labels: [__name__]\n    regex: {regex}\n    action: keep\n"
        )
    };
    let packs = [Pack::parse("p.yaml", PACK).expect("a valid pack")];
    let auditor = Auditor::new(&packs, Emit::Old, Generation::New, Vec::new()).expect("valid");
    for (regex, expected) in [
        ("node_.*", Some(Impact::Breaks)),
        ("node_load1", Some(Impact::Breaks)),
        ("node_(load1|load5)", Some(Impact::Unknown)),
        ("go_.*", None),
    ] {
        let found = auditor.file(Path::new("p.yaml"), &rule(regex)).findings;
        assert_eq!(found.first().map(|it| it.direct), expected, "{regex}: {found:?}");
    }
}
