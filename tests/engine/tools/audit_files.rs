//! `audit`: queries in files of all kinds.

use std::path::Path;

use crossfade::mapping::{Emit, Generation};
use crossfade::packs;
use crossfade::tools::audit::{Auditor, FileAudit, Finding, Impact, hold_back_unit_tests};

use crate::support::dashboards::STREAMS;
use crate::support::root;

fn audited(name: &str, text: &str) -> FileAudit {
    let auditor =
        Auditor::new(&packs::builtin(), Emit::Old, Generation::New, vec![STREAMS.to_owned()])
            .expect("no edition");
    auditor.file(Path::new(name), text)
}

fn file(name: &str) -> FileAudit {
    let path = root("tests/audit").join(name);
    audited(name, &std::fs::read_to_string(path).expect("a fixture"))
}

/// Kind, impact without a gateway, and whether it migrates.
fn outline(audit: &FileAudit) -> Vec<(&'static str, Impact, bool)> {
    audit.findings.iter().map(|it| (it.kind, it.direct, it.migrated.is_some())).collect()
}

#[test]
fn labels_named_outside_the_query_are_kept() {
    for name in ["beside/alerts.yaml", "beside/merge.yaml", "beside/overrides.json"] {
        let audit = file(name);
        let migrated = audit.migrated.as_deref().expect("all migrate");
        assert!(!migrated.contains("by (direction)"), "{name}: {migrated}");
        assert!(audit.findings.iter().all(|it| it.migrated.is_some()), "{name}");
    }
    // The label is used nowhere else, so it is renamed.
    let panel = "{\"targets\": [{\"expr\": \"sum by (type) (kong_bandwidth)\"}], \"options\": {\"x\": \"y\"}}";
    let migrated = audited("d.json", panel).migrated.expect("it migrates");
    assert!(migrated.contains("by (direction)"), "{migrated}");
    // A link of the panel uses it.
    let panel = "{\"targets\": [{\"expr\": \"sum by (type) (kong_bandwidth)\"}], \"links\": [{\"url\": \"/d/x?var=${__field.labels.type}\"}]}";
    let migrated = audited("d.json", panel).migrated.expect("it migrates");
    assert!(migrated.contains("label_replace"), "{migrated}");
}

#[test]
fn dashboards_of_schema_v2_are_read() {
    let audit = file("dashboard-v2.json");
    let (breaks, all) = (Impact::Breaks, outline(&audit));
    assert_eq!(
        all,
        [
            ("annotation", breaks, true),
            ("panel", breaks, true),
            ("panel", breaks, true),
            ("variable", breaks, true),
            ("variable", breaks, true),
        ]
    );
    let migrated = audit.migrated.expect("it migrates");
    assert!(migrated.contains("\"query\": \"label_values(kong_http_requests_total, service)\""));
    assert!(migrated.contains("sum by (type) (label_replace("), "{migrated}");
    assert!(migrated.contains("|= \\\"kong_http_status\\\""), "the logs are searched as before");
}

#[test]
fn other_references_to_a_family_are_read_or_reported() {
    let (breaks, unknown) = (Impact::Breaks, Impact::Unknown);
    for (name, expected) in [
        ("others/sloth.yaml", &[("text", breaks, true), ("text", breaks, true)][..]),
        ("others/openslo.yaml", &[("text", breaks, true), ("text", breaks, true)]),
        ("others/keda.yaml", &[("text", breaks, true)]),
        ("others/kustomize.yaml", &[("text", breaks, false)]),
        ("others/annotation.yaml", &[("alert", breaks, true)]),
        ("others/other-datasource.json", &[("panel", breaks, true), ("variable", breaks, true)]),
        ("others/metric-variable.json", &[("text", unknown, false)]),
    ] {
        assert_eq!(outline(&file(name)), expected, "{name}: {:#?}", file(name).findings);
    }
    let relabel = &file("others/relabel.yml").findings;
    assert_eq!(
        (relabel[0].kind, relabel[0].direct, relabel[0].gateway),
        ("relabeling", breaks, Impact::Survives)
    );
    for (text, expected) in [
        // prometheus-adapter and Pyrra require a selector.
        ("seriesQuery: 'kong_http_status{service!=\"\"}'", &[("text", breaks, false)][..]),
        ("indicator: {metric: 'kong_http_status{code=~\"5..\"}'}", &[("text", breaks, false)]),
        (
            "metrics: [{kong_http_status: kong.status}, kong_bandwidth]",
            &[("text", breaks, false), ("text", breaks, false)],
        ),
        ("sql: SELECT value FROM kong_http_status WHERE x", &[("text", unknown, false)]),
        ("summary: kong_http_status is high", &[]),
        ("annotations: {summary: '{{ query \"kong_http_status\" }}'}", &[("text", unknown, false)]),
        ("- {source_labels: [__name__], regex: 'kong_.*', action: keep}", &[]),
        (
            "rules: |\n  - alert: A\n    expr: sum(kong_http_status) > 1\n",
            &[("alert", breaks, true)],
        ),
    ] {
        let audit = audited("x.yaml", text);
        assert_eq!(outline(&audit), expected, "{text}: {:#?}", audit.findings);
    }
}

#[test]
fn only_text_that_cannot_be_edited_is_kept() {
    let rules = "- {alert: A, expr: sum(kong_stream_status) > 1}\n- {alert: B, expr: kong_http_status > 1}\n- record: c\n  expr: \"sum(kong_http\\\n    _status{code=\\\"200\\\"})\"\n";
    let audit = audited("r.yaml", rules);
    let migrated: Vec<bool> = audit.findings.iter().map(|it| it.migrated.is_some()).collect();
    // A comma would end a plain YAML scalar in braces.
    assert_eq!(migrated, [true, false, true], "{:#?}", audit.findings);
    assert!(audit.findings[1].obstacles[0].contains("the text in the file"));
    let text = audit.migrated.expect("the others migrate");
    assert!(text.contains("{alert: B, expr: kong_http_status > 1}"), "{text}");
    assert!(text.contains("sum(kong_http_requests_total{code="), "{text}");
}

#[test]
fn unit_tests_are_migrated_with_their_rules() {
    let run = |names: &[&str]| {
        let mut files: Vec<FileAudit> = names.iter().map(|name| file(name)).collect();
        hold_back_unit_tests(&mut files);
        files
    };
    let files = run(&["units/rules.yml", "units/rules_test.yml"]);
    let migrated = files[1].migrated.as_deref().expect("with its rules");
    assert!(
        migrated.contains("series: 'kong_http_requests_total{service=\"a\",code=\"500\"}'"),
        "{migrated}"
    );
    assert!(
        migrated
            .contains("expr: sum(rate(kong_http_requests_total{code=\"500\",service!=\"\"}[5m]))")
    );
    assert!(files[1].findings.iter().all(|it| it.direct == Impact::Survives));
    let alone = run(&["units/rules_test.yml"]);
    assert_eq!(alone[0].migrated, None);
    assert!(alone[0].findings[0].obstacles[0].contains("audit rules.yml in the same run"));
    // The other generation does not have this boundary.
    let test = "rule_files: [rules.yml]\ntests:\n- input_series:\n  - series: 'kong_http_status{service=\"a\",code=\"500\"}'\n    values: 1\n  - series: 'kong_latency_bucket{type=\"kong\",le=\"40\"}'\n    values: 1\n";
    let audit = audited("t.yml", test);
    assert_eq!(audit.migrated, None);
    assert!(audit.findings.iter().all(|it| !it.obstacles.is_empty()), "{:#?}", audit.findings);
}

/// A variable's query in a dashboard, with the variable's `regex`.
fn variable(query: &str, regex: &str) -> Finding {
    let quoted = |text: &str| serde_json::to_string(text).expect("text is JSON");
    let (query, regex) = (quoted(query), quoted(regex));
    let text =
        format!("{{\"type\": \"query\", \"name\": \"v\", \"query\": {query}, \"regex\": {regex}}}");
    let mut found = audited("d.json", &text).findings;
    assert_eq!(found.len(), 1, "{text}: {found:?}");
    found.remove(0)
}

#[test]
fn a_variable_whose_values_contain_the_name_is_kept() {
    let service = "/service=\"([^\"]*)\"/";
    for (query, regex, why) in [
        ("query_result(kong_http_status)", "/kong_http_status.*service/", "`regex` names"),
        ("query_result(kong_http_status)", "", "may contain the name"),
        ("query_result(kong_http_status)", "/(.*)\\{.*/", "may contain the name"),
        ("query_result(topk(3, kong_http_status))", "/service/", "may contain the name"),
        ("kong_http_status", service, "series with their names"),
    ] {
        let finding = variable(query, regex);
        assert_eq!(finding.migrated, None, "{query}");
        assert!(finding.obstacles[0].contains(why), "{query}: {:?}", finding.obstacles);
    }
    for (query, regex, expected) in [
        (
            "query_result(kong_http_status)",
            service,
            "query_result(sum without (consumer, source, type, workspace) (kong_http_requests_total{service!=\"\"}))",
        ),
        (
            "query_result(sum(kong_bandwidth))",
            "",
            "query_result(sum(kong_bandwidth_bytes{service!=\"\"}))",
        ),
        // The text of the result contains the name of the label.
        (
            "query_result(sum by (type) (kong_bandwidth))",
            "",
            "query_result(sum by (type) (label_replace(kong_bandwidth_bytes{service!=\"\"}, \"type\", \"$1\", \"direction\", \"(.*)\")))",
        ),
    ] {
        assert_eq!(variable(query, regex).migrated.as_deref(), Some(expected), "{query}");
    }
}

#[test]
fn patterns_of_names_are_not_passed_over() {
    let (survives, breaks, unknown) = (Impact::Survives, Impact::Breaks, Impact::Unknown);
    for (query, expected) in [
        ("metrics(kong_http_status)", (breaks, survives)),
        ("metrics(kong_latency_bucket)", (breaks, survives)),
        ("metrics(kong_http_requests)", (survives, breaks)),
        ("metrics(kong_http)", (breaks, breaks)),
        ("metrics(kong_[[kind]]_status)", (breaks, survives)),
        ("metrics(^(?!kong))", (unknown, unknown)),
        ("query_result(sum({__name__=~\"kong_${kind}_status\"}))", (breaks, survives)),
        ("query_result(sum({__name__=\"kong_http_$kind\"}))", (breaks, breaks)),
    ] {
        let finding = variable(query, "");
        assert_eq!((finding.direct, finding.gateway), expected, "{query}");
        assert_eq!(finding.migrated, None);
    }
    for query in ["metrics(.*)", "metrics($kind)", "query_result(sum({__name__=~\"$kind\"}))"] {
        let file = format!("{{\"type\": \"query\", \"name\": \"v\", \"query\": {query:?}}}");
        assert_eq!(audited("d.json", &file).findings, [], "{query}");
    }
}

/// Relabeling rules use labels that the upgrade renames, removes or adds.
#[test]
fn relabeling_rules_that_use_labels_are_reported() {
    let reported = |rule: &str, key: &str| {
        let audit = audited("x.yaml", &format!("{key}:\n- {rule}\n"));
        let mut found = audit.findings;
        assert!(found.len() < 2, "{rule}: {found:#?}");
        found.pop().map(|it| (it.direct, it.gateway))
    };
    let unknown = Impact::Unknown;
    for rule in [
        "{source_labels: [__name__, type], regex: 'kong_bandwidth;egress', action: keep}",
        "{source_labels: [__name__, service], regex: 'kong_bandwidth;a', action: drop}",
        "{source_labels: [__name__, type], regex: '(kong_b.*;egress|kong_latency_bucket;kong)', action: Drop}",
        "{source_labels: [type], regex: egress, action: drop}",
        "{sourceLabels: [type], targetLabel: kind}",
        "{regex: type, action: labeldrop}",
        "{regex: '__name__|le|service|route|code|type|instance|job', action: labelkeep}",
    ] {
        for key in ["metric_relabel_configs", "write_relabel_configs", "metricRelabelings"] {
            let impacts = reported(rule, key);
            assert!(impacts.is_some_and(|it| it.0 == unknown), "{rule}: {impacts:?}");
        }
    }
    // Only the new generation has the label.
    let drop_source = "{regex: 'source|pod', action: labeldrop}";
    assert_eq!(reported(drop_source, "metric_relabel_configs"), Some((unknown, Impact::Survives)));
    for rule in [
        "{source_labels: [service], regex: a, action: drop}",
        "{source_labels: [__name__, type], regex: 'node_.*;egress', action: keep}",
        "{regex: 'pod|node_id', action: labeldrop}",
    ] {
        assert_eq!(reported(rule, "metric_relabel_configs"), None, "{rule}");
    }
    // Labels of targets.
    assert_eq!(
        reported("{source_labels: [type], regex: a, action: drop}", "relabel_configs"),
        None
    );
}

#[test]
fn lists_of_relabeling_rules_without_a_key_are_read() {
    let reported = |text: &str| {
        audited("x.yaml", text).findings.iter().map(|it| (it.kind, it.direct)).collect::<Vec<_>>()
    };
    let rule = "- {source_labels: [type], regex: egress, action: drop}\n";
    let drop_type = "- action: labeldrop\n  regex: type\n";
    let unknown = ("relabeling", Impact::Unknown);
    assert_eq!(reported(rule), [unknown]);
    assert_eq!(reported(&format!("{rule}{drop_type}")), [unknown, unknown]);
    assert_eq!(reported("- {source_labels: [service], regex: a, action: drop}\n"), []);
    // A list of something else, with one item of this shape.
    assert_eq!(reported(&format!("{rule}- {{name: x}}\n")), []);
}

#[test]
fn ad_hoc_filters_by_a_label_that_differs_are_reported() {
    let dashboard = |key: &str, query: &str| {
        format!(
            "{{\"templating\": {{\"list\": [\n{{\"type\": \"adhoc\", \"name\": \"Filters\", \"filters\": \
             [{{\"key\": \"{key}\", \"operator\": \"=\", \"value\": \"egress\"}}]}}]}},\n\
             \"panels\": [{{\"targets\": [{{\"expr\": \"{query}\"}}]}}]}}"
        )
    };
    let filters = |text: &str, emit: Emit| {
        let auditor = Auditor::new(&packs::builtin(), emit, Generation::New, Vec::new());
        let audit = auditor.expect("no edition").file(Path::new("d.json"), text);
        let found = audit.findings.into_iter().filter(|it| it.kind == "ad hoc filter");
        found.collect::<Vec<Finding>>()
    };
    let bandwidth = "sum(kong_bandwidth)";
    let text = dashboard("type", bandwidth);
    let found = filters(&text, Emit::Old);
    assert_eq!(found.len(), 1, "{found:?}");
    let it = &found[0];
    assert_eq!((it.line, it.title.as_str(), it.query.as_str()), (2, "Filters", "type"));
    assert_eq!((it.direct, it.gateway), (Impact::Unknown, Impact::Survives));
    assert!(it.obstacles[0].contains("ad hoc filters are not migrated"), "{it:?}");
    assert_eq!(
        it.details,
        ["label `type` of kong_bandwidth is not the same in kong_bandwidth_bytes"]
    );
    assert_eq!(filters(&text, Emit::New)[0].gateway, Impact::Unknown);
    for (key, query) in [
        ("service", bandwidth),
        ("instance", bandwidth),
        // No query of the dashboard has such a label.
        ("type", "sum(kong_nginx_http_current_connections)"),
        ("type", "sum(node_disk)"),
    ] {
        assert_eq!(filters(&dashboard(key, query), Emit::Old), [], "{key} {query}");
    }
    let v2 = "{\"variables\": [{\"kind\": \"AdhocVariable\", \"spec\": {\"name\": \"f\", \"filters\": [], \
        \"baseFilters\": [{\"key\": \"type\", \"operator\": \"=\", \"value\": \"kong\"}]}}], \
        \"x\": {\"expr\": \"sum(kong_latency_count)\"}}";
    assert_eq!(filters(v2, Emit::Old).len(), 1);
}

#[test]
fn names_of_metrics_of_autoscalers_are_reported() {
    let (survives, breaks, unknown) = (Impact::Survives, Impact::Breaks, Impact::Unknown);
    for (name, expected) in [
        ("kong_http_status", Some((breaks, survives))),
        ("kong_http_status_per_second", Some((unknown, survives))),
        ("kong_http_requests_per_second", Some((survives, unknown))),
        ("kong_bandwidth_bytes", Some((survives, breaks))),
        ("requests_per_second", None),
    ] {
        let text = format!(
            "kind: HorizontalPodAutoscaler\nmetadata: {{name: a}}\n\
             spec: {{metrics: [{{type: Pods, pods: {{metric: {{name: {name}}}}}}}]}}\n"
        );
        let audit = audited("x.yaml", &text);
        let found = audit.findings.first().map(|it| (it.direct, it.gateway));
        assert_eq!(found, expected, "{name}: {:#?}", audit.findings);
        assert_eq!(audit.migrated, None);
    }
}

#[test]
fn labels_that_expressions_and_other_panels_read_are_kept() {
    let query = "{\"refId\": \"A\", \"expr\": \"sum by (type) (kong_bandwidth)\"}";
    let migrated = |panels: &str| {
        audited("d.json", &format!("{{\"panels\": [{panels}]}}")).migrated.expect("it migrates")
    };
    let panel = |others: &str| format!("{{\"id\": 1, \"targets\": [{query}{others}]}}");
    assert!(migrated(&panel("")).contains("by (direction)"));
    let sql = "{\"type\": \"sql\", \"expression\": \"SELECT type FROM A\", \"datasource\": \
               {\"type\": \"__expr__\", \"uid\": \"__expr__\"}}";
    assert!(migrated(&panel(&format!(", {sql}"))).contains("label_replace("));
    let reader = "{\"id\": 2, \"datasource\": {\"uid\": \"-- Dashboard --\"}, \"targets\": [{\"panelId\": 1}]}";
    assert!(migrated(&format!("{}, {reader}", panel(""))).contains("label_replace("));
}

#[test]
fn queries_of_a_recorded_name_are_not_understood() {
    let rules = "- {record: kong_http_status, expr: 'sum by (code) (kong_http_requests_total)'}\n\
                 - {record: z, expr: sum(kong_http_status)}\n\
                 - {record: kong_stream_sessions_total, expr: sum(kong_stream_status)}\n";
    let audit = audited("r.yaml", rules);
    assert_eq!(audit.migrated, None);
    assert_eq!(audit.findings.len(), 3, "{:#?}", audit.findings);
    for finding in &audit.findings {
        assert_eq!((finding.direct, finding.gateway), (Impact::Unknown, Impact::Unknown));
        assert!(finding.details.iter().any(|it| it.starts_with("a rule records under the name")));
    }
    // The rule is in another file.
    let auditor = Auditor::new(&packs::builtin(), Emit::Old, Generation::New, Vec::new())
        .expect("no edition");
    let recorded = auditor.recorded_in(Path::new("r.yaml"), rules);
    let audit = auditor.recorded(recorded).file(Path::new("d.yaml"), "expr: sum(kong_http_status)");
    assert_eq!((audit.findings[0].direct, &audit.migrated), (Impact::Unknown, &None));
}
