//! `audit`: which queries survive, and how the others are migrated.

use std::path::Path;

use crossfade::mapping::{Emit, Generation, Pack};
use crossfade::packs;
use crossfade::tools::audit::{Auditor, FileAudit, Finding, Impact, table};

use crate::support::dashboards::{NEW, OLD, STREAMS, audited, findings, fixture};
use crate::support::root;

/// Audits one query that may name no family.
fn query(kind: &str, query: &str, to: Generation) -> Option<Finding> {
    let mut found = findings(kind, query, to, false);
    assert!(found.len() < 2, "{found:?}");
    found.pop()
}

/// Compares with a file of `tests/audit`, which `BLESS=1` writes.
#[track_caller]
fn golden(name: &str, actual: &str) {
    let path = root("tests/audit").join(name);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, actual).expect("the repository is writable");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    let first = expected.lines().zip(actual.lines()).position(|(a, b)| a != b);
    assert!(
        expected == actual,
        "{name} differs from line {:?} on:\n{actual}",
        first.map(|n| n + 1)
    );
}

#[test]
fn every_query_has_its_expected_verdict_and_migration() {
    let files: Vec<FileAudit> =
        OLD.iter().map(|name| audited(name, Generation::New, &[STREAMS])).collect();
    golden("old.table", &table(&files, 100, true));
    for (name, file) in OLD.iter().zip(&files) {
        golden(&format!("moved/{name}"), file.migrated.as_deref().expect("something moves"));
    }
    let file = audited(NEW, Generation::Old, &[STREAMS]);
    golden("new.table", &table(std::slice::from_ref(&file), 80, true));
    golden(&format!("moved/{NEW}"), file.migrated.as_deref().expect("something moves"));
}

#[test]
fn only_queries_and_legends_change() {
    for name in OLD {
        let (_, text) = fixture(name);
        let file = audited(name, Generation::New, &[STREAMS]);
        let moved = file.migrated.expect("something moves");
        let lines: Vec<(&str, &str)> = text.lines().zip(moved.lines()).collect();
        assert_eq!((lines.len(), lines.len()), (text.lines().count(), moved.lines().count()));
        for (before, after) in lines.into_iter().filter(|(before, after)| before != after) {
            // The text before the query is unchanged.
            let at = before.find("kong_").expect("a family");
            let common = before.bytes().zip(after.bytes()).take_while(|(a, b)| a == b).count();
            assert!(common + 40 >= at, "{before}\n{after}");
        }
    }
}

#[test]
fn migrated_queries_survive_and_do_not_change_again() {
    let auditor = Auditor::new(&packs::builtin(), Emit::Both, Generation::New, Vec::new())
        .expect("no edition");
    for name in OLD {
        let moved = audited(name, Generation::New, &[STREAMS]).migrated.expect("something moves");
        let again = auditor.file(Path::new(name), &moved);
        assert_eq!(again.migrated, None, "{name}");
        for finding in &again.findings {
            let left = !finding.obstacles.is_empty()
                || finding
                    .details
                    .iter()
                    .any(|it| it.contains("cannot be parsed") || it.contains("pattern"));
            assert!(left || finding.direct == Impact::Survives, "{name}: {finding:#?}");
        }
    }
}

#[test]
fn queries_without_a_proven_equivalent_are_unchanged() {
    for (kind, text, to, why) in [
        ("panel", "changes(kong_http_status[5m])", Generation::New, "`changes` of one series"),
        (
            "panel",
            "rate(kong_latency_bucket{type=\"kong\",le=\"40\"}[5m])",
            Generation::New,
            "no boundary 40",
        ),
        ("panel", "kong_latency_sum{type=~\"$t\"}", Generation::New, "depends on"),
        ("panel", "kong_http_status{consumer=\"x\"}", Generation::New, "selects by `consumer`"),
        ("panel", "kong_http_$x", Generation::New, "name with a variable"),
        ("record", "absent(kong_bandwidth{type=\"egress\"})", Generation::New, "`absent` returns"),
        (
            "panel",
            "sum(rate(kong_latency_bucket{type=\"kong\"}[5m]))",
            Generation::New,
            "of all boundaries",
        ),
        (
            "panel",
            "sum(kong_latency_bucket{type=\"kong\",le!=\"+Inf\"})",
            Generation::New,
            "no boundary",
        ),
        ("panel", "timestamp(kong_bandwidth)", Generation::New, "`timestamp`"),
        ("panel", "{__name__=~\"kong_.*_status\"}", Generation::New, "pattern"),
        (
            "panel",
            "sum(kong_http_requests_total) by (source)",
            Generation::Old,
            "groups by `source`",
        ),
        ("panel", "kong_http_requests_total", Generation::Old, "differ only in"),
        (
            "panel",
            "sum(rate(kong_nginx_connections_total{subsystem=\"http\"}[5m]))",
            Generation::Old,
            "differ only in node_id",
        ),
        ("panel", "sum(kong_bandwidth_bytes) by (type)", Generation::Old, "uses label `type`"),
        (
            "panel",
            "kong_request_latency_ms_sum",
            Generation::Old,
            "--absent=kong_session_duration_ms",
        ),
        (
            "panel",
            "max(kong_memory_lua_shared_dict_bytes) by (node_id)",
            Generation::Old,
            "node_id",
        ),
    ] {
        let finding = query(kind, text, to).unwrap_or_else(|| panic!("{text}: not known"));
        assert_eq!(finding.migrated, None, "{text}");
        assert!(
            finding.obstacles.iter().any(|it| it.contains(why)),
            "{text}: {:?}",
            finding.obstacles
        );
    }
}

#[test]
fn labels_used_elsewhere_are_kept() {
    let moved =
        |kind, text| query(kind, text, Generation::New).and_then(|it| it.migrated).expect("moves");
    let text = "sum by (type) (rate(kong_bandwidth[5m]))";
    assert_eq!(
        moved("panel", text),
        "sum by (direction) (rate(kong_bandwidth_bytes{service!=\"\"}[5m]))"
    );
    assert_eq!(
        moved("record", text),
        "sum by (type) (label_replace(rate(kong_bandwidth_bytes{service!=\"\"}[5m]), \"type\", \"$1\", \"direction\", \"(.*)\"))"
    );
    // A join with a series that has the old label name.
    let joined = moved("panel", "sum by (type) (kong_bandwidth) * on (type) price");
    assert!(joined.contains("label_replace(") && joined.ends_with("* on (type) price"), "{joined}");
}

#[test]
fn verdicts_depend_on_the_emitted_generations() {
    let impacts = |text: &str, emit| {
        let auditor =
            Auditor::new(&packs::builtin(), emit, Generation::New, Vec::new()).expect("no edition");
        let rule = format!("- record: x\n  expr: {text}\n");
        let findings = auditor.file(Path::new("r.yaml"), &rule).findings;
        findings.first().map(|it| (it.direct, it.gateway))
    };
    let (lives, breaks) = (Impact::Survives, Impact::Breaks);
    assert_eq!(impacts("kong_http_status", Emit::Old), Some((breaks, lives)));
    assert_eq!(impacts("kong_http_status", Emit::Both), Some((breaks, lives)));
    assert_eq!(impacts("kong_http_status", Emit::New), Some((breaks, breaks)));
    assert_eq!(impacts("kong_http_requests_total", Emit::Old), Some((lives, breaks)));
    assert_eq!(impacts("kong_http_requests_total", Emit::Both), Some((lives, lives)));
    assert_eq!(impacts("kong_nginx_requests_total", Emit::Old), Some((lives, lives)), "it passes");
    assert_eq!(
        impacts("kong_http_status or kong_http_requests_total", Emit::Old),
        Some((lives, lives))
    );
    assert_eq!(
        impacts("kong_http_status / kong_http_requests_total", Emit::Old),
        Some((breaks, breaks))
    );
    assert_eq!(
        impacts("kong_latency_bucket{type=\"kong\",le=\"40\"}", Emit::Old),
        Some((breaks, Impact::Differs))
    );
    assert_eq!(impacts("sum(kong_bandwidth_bytes) by (type)", Emit::Both), Some((breaks, breaks)));
    assert_eq!(impacts("kong_node_info", Emit::Old), None);
    assert_eq!(impacts("up", Emit::Old), None);
}

#[test]
fn audit_works_with_any_pack() {
    let pack = "name: p\nprometheus:\n- old: disk_free{dev=$d}\n  new: disk_free_bytes{device=$d, fs}\n  merge: min\n";
    let pack = Pack::parse("p.yaml", pack).expect("valid");
    let auditor =
        Auditor::new(&[pack], Emit::Old, Generation::New, Vec::new()).expect("no edition");
    let file = "targets: [{expr: 'max by (dev) (disk_free)', legendFormat: 'on {{dev}}'}, {expr: kong_http_status}]";
    let found = auditor.file(Path::new("d.yaml"), file);
    assert_eq!(
        found.migrated.as_deref(),
        Some(
            "targets: [{expr: 'max by (device) (min without (fs) (disk_free_bytes))', legendFormat: 'on {{device}}'}, {expr: kong_http_status}]"
        )
    );
    assert_eq!(found.findings.len(), 1);
}

#[test]
fn unusual_files_are_refused_or_unchanged() {
    let auditor = Auditor::new(&packs::builtin(), Emit::Old, Generation::New, Vec::new())
        .expect("no edition");
    let audit = |text: &str| auditor.file(Path::new("x"), text);
    assert!(audit("{\"a\": ").unreadable.is_some());
    assert!(audit("a: {{ .Values.x }}\nb: [").unreadable.is_some());
    assert!(audit(&"[".repeat(100_000)).unreadable.is_some());
    assert_eq!(audit("").findings, []);
    assert_eq!(audit("expr: [1, {expr: 2}]").findings, []);
    let deep = format!("expr: '{}kong_http_status{}'", "(".repeat(5000), ")".repeat(5000));
    assert_eq!(audit(&deep).findings.len(), 1, "too deep to read, and reported");
}
