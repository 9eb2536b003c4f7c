//! `audit`: queries whose result would change without an error.

use std::path::Path;

use crossfade::mapping::{Emit, Generation, Pack};
use crossfade::packs;
use crossfade::tools::audit::{Auditor, Finding, Impact};

use crate::support::dashboards::{STREAMS, findings};

/// Audits one query.
fn audited(kind: &str, query: &str, to: Generation) -> Finding {
    one(findings(kind, query, to, false), query)
}

fn one(mut found: Vec<Finding>, query: &str) -> Finding {
    assert_eq!(found.len(), 1, "{query}: {found:?}");
    found.remove(0)
}

/// The query in the new generation, or why it is not migrated.
fn to_new(kind: &str, query: &str) -> Result<String, String> {
    let finding = audited(kind, query, Generation::New);
    finding.migrated.ok_or_else(|| finding.obstacles.join("; "))
}

fn migrates(kind: &str, query: &str, expected: &str) {
    assert_eq!(to_new(kind, query).as_deref(), Ok(expected), "{query}");
}

fn stays(kind: &str, query: &str, why: &str) {
    let result = to_new(kind, query);
    assert!(result.as_ref().is_err_and(|it| it.contains(why)), "{query}: {result:?}");
}

#[test]
fn variables_in_label_lists_are_kept() {
    migrates(
        "panel",
        "sum without ($dim) (rate(kong_http_status[5m]))",
        "sum without ($dim, consumer, source, type, workspace) (rate(kong_http_requests_total{service!=\"\"}[5m]))",
    );
    migrates(
        "panel",
        "sum(rate(kong_http_status[$__rate_interval])) without (${dim:csv}, code)",
        "sum(rate(kong_http_requests_total{service!=\"\"}[$__rate_interval])) without (${dim:csv}, code, consumer, source, type, workspace)",
    );
    migrates(
        "panel",
        "max without ($dim) (kong_nginx_http_current_connections)",
        "max without ($dim, node_id, subsystem) (kong_nginx_connections_total{subsystem=\"http\"})",
    );
    // It may be a label that only the new family has.
    migrates(
        "panel",
        "sum by ($dim) (rate(kong_http_status[5m]))",
        "sum by ($dim) (sum without (consumer, source, type, workspace) (rate(kong_http_requests_total{service!=\"\"}[5m])))",
    );
    let back = "sum without (consumer, source, workspace, type, $dim) (rate(kong_http_requests_total{service!=\"\"}[5m]))";
    let finding = audited("panel", back, Generation::Old);
    assert_eq!(finding.migrated, None, "$dim may be `source`");
}

#[test]
fn white_space_in_quotes_is_kept() {
    migrates(
        "record",
        "sum(kong_latency_count{type=\"request\",\n  route=\"two  spaces\"})",
        "sum(kong_request_latency_ms_count{route=\"two  spaces\",service!=\"\"} or kong_session_duration_ms_count{route=\"two  spaces\"})",
    );
}

#[test]
fn a_label_that_differs_must_not_depend_on_a_variable() {
    for query in [
        "sum by ($dim) (rate(kong_bandwidth[5m]))",
        "sum by (${dim:csv}, instance) (rate(kong_bandwidth[5m]))",
        "sum without ([[dim]]) (rate(kong_bandwidth[5m]))",
        "sum(rate(kong_bandwidth{$dim=\"egress\"}[5m]))",
        "max by ($dim) (rate(kong_latency_sum{type=\"kong\"}[5m]))",
        "kong_bandwidth / on ($dim) group_left limits",
        "kong_bandwidth * on (service) group_right ($dim) limits",
        "sum by (x) (label_replace(kong_bandwidth, \"x\", \"$1\", \"$dim\", \"(.*)\"))",
        "sum(rate(kong_http_status{code=~\"5..\",$filter}[5m]))",
        "$agg(rate(kong_http_status[5m]))",
    ] {
        stays("panel", query, "depends on a variable");
    }
}

#[test]
fn a_removed_label_is_not_kept_under_its_new_name() {
    migrates(
        "record",
        "sum without (type) (rate(kong_bandwidth[5m]))",
        "sum without (consumer, direction, workspace) (rate(kong_bandwidth_bytes{service!=\"\"}[5m]))",
    );
    migrates(
        "panel",
        "sum without (type) (rate(kong_bandwidth[5m]))",
        "sum without (direction, consumer, workspace) (rate(kong_bandwidth_bytes{service!=\"\"}[5m]))",
    );
    // The maximum of the directions is not their sum.
    migrates(
        "record",
        "max without (type) (kong_bandwidth)",
        "max without (type) (sum without (consumer, direction, workspace) (label_replace(kong_bandwidth_bytes{service!=\"\"}, \"type\", \"$1\", \"direction\", \"(.*)\")))",
    );
    for query in [
        "kong_bandwidth / ignoring (type) kong_bandwidth",
        "label_replace(kong_bandwidth, \"type\", \"x\", \"\", \"\")",
        "label_join(kong_bandwidth, \"type\", \"-\", \"service\", \"route\")",
        "sum without (type) (kong_bandwidth * 8)",
    ] {
        let migrated = to_new("record", query).expect("it migrates");
        assert!(migrated.contains("without (consumer, direction, workspace)"), "{migrated}");
    }
    // `label_replace` writes only where its pattern matches, so the others keep the label.
    for (query, expected) in [
        (
            "sum by (type) (label_replace(kong_bandwidth, \"type\", \"z\", \"service\", \"foo\"))",
            "sum by (type) (label_replace(sum without (consumer, direction, workspace) \
             (label_replace(kong_bandwidth_bytes{service!=\"\"}, \"type\", \"$1\", \"direction\", \
             \"(.*)\")), \"type\", \"z\", \"service\", \"foo\"))",
        ),
        (
            "count by (type) (label_replace(kong_latency_count{type=\"kong\"}, \"type\", \"z\", \"service\", \"foo\"))",
            "count by (type) (label_replace(sum without (workspace) \
             (label_replace(kong_kong_latency_ms_count{service!=\"\"}, \"type\", \"kong\", \"\", \"\")), \
             \"type\", \"z\", \"service\", \"foo\"))",
        ),
    ] {
        migrates("record", query, expected);
        migrates("panel", query, expected);
    }
    // Another family has the label as well, so the list must not be renamed.
    let joined = to_new("panel", "sum without (type) (kong_bandwidth) / ignoring (type) limits");
    assert!(joined.as_ref().is_ok_and(|it| it.contains("ignoring (type) limits")), "{joined:?}");
    stays("panel", "count by (__name__) (kong_http_status)", "name of the series");
}

#[test]
fn buckets_of_different_layouts_are_not_summed() {
    for query in [
        "histogram_quantile(0.95, sum by (le) (rate(kong_latency_bucket[5m])))",
        "histogram_quantile(0.95, sum by (le) (rate(kong_latency_bucket{type!=\"request\"}[5m])))",
        "histogram_quantile(0.95, sum by (le) (rate(kong_latency_bucket{type=\"kong\"}[5m]) or rate(kong_latency_bucket{type=\"upstream\"}[5m])))",
        "histogram_quantile(0.9, sum by (le) (kong_latency_bucket{type=\"kong\"}) + sum by (le) (other_bucket))",
    ] {
        stays("record", query, "different boundaries");
    }
    for query in [
        "kong_latency_bucket{type=\"kong\"}",
        "sum by (le) (increase(kong_latency_bucket{type=\"request\"}[5m]))",
        "sum by (le, type) (rate(kong_latency_bucket[5m]))",
        "kong_latency_bucket{type=\"kong\",le=~\".+\"}",
    ] {
        stays("panel", query, "one row per boundary");
    }
    // A label separates them.
    let query = "histogram_quantile(0.95, sum by (le, type) (rate(kong_latency_bucket{type!=\"request\"}[5m])))";
    let finding = one(findings("record", query, Generation::New, true), query);
    assert!(finding.migrated.is_some(), "{finding:?}");
    // Both families count at this boundary.
    assert!(
        to_new("record", "sum by (le) (kong_latency_bucket{type!=\"request\",le=\"100\"})").is_ok()
    );
}

#[test]
fn a_label_the_family_never_had_does_not_break_a_query() {
    for query in [
        "sum by (service, consumer) (rate(kong_bandwidth[5m]))",
        "sum without (consumer, source, workspace) (rate(kong_http_status[5m]))",
        "kong_bandwidth / ignoring (direction) kong_bandwidth",
        "sum(max without (node_id, subsystem) (kong_nginx_http_current_connections))",
        "sum(kong_http_status{consumer=\"\"})",
    ] {
        let finding = audited("record", query, Generation::New);
        assert_eq!(
            (finding.direct, finding.gateway),
            (Impact::Breaks, Impact::Survives),
            "{query}"
        );
    }
    let finding = audited("record", "sum(kong_http_status{consumer=\"x\"})", Generation::New);
    assert_eq!(finding.gateway, Impact::Breaks, "it selects nothing");
    // Migrated queries can be migrated back, without the labels of the first generation.
    for query in [
        "sum(kong_nginx_http_current_connections{state=\"active\"})",
        "sum without (route) (rate(kong_http_status[5m]))",
    ] {
        let there = to_new("record", query).expect("it migrates");
        let back = audited("record", &there, Generation::Old).migrated.expect("it migrates back");
        assert!(!back.contains("subsystem") && !back.contains("source"), "{back}");
    }
}

#[test]
fn every_promql_spelling_is_read() {
    for (query, expected) in [
        (
            "# what we're after\nsum(rate(kong_http_status[$__rate_interval]))",
            "kong_http_requests_total",
        ),
        ("sum(rate(kong_http_status{route=~`a\\.b`}[5m]))", "{route=~`a\\.b`,service!=\"\"}"),
        (
            "sum(rate({\"kong_http_status\",code=\"200\"}[5m]))",
            "{\"kong_http_requests_total\",code=\"200\",service!=\"\"}",
        ),
        (
            "sum(rate({__name__=\"kong_http_status\",code=\"200\"}[5m]))",
            "{__name__=\"kong_http_requests_total\",code=\"200\",service!=\"\"}",
        ),
        (
            "sum({code=\"200\", \"kong_nginx_http_current_connections\"})",
            "{\"kong_nginx_connections_total\", code=\"200\", subsystem=\"http\"}",
        ),
        ("sum(kong_http_status) > 1_000", "> 1_000"),
        (
            "sum By (code) (rate(kong_http_status[5m]))",
            "sum By (code) (rate(kong_http_requests_total",
        ),
    ] {
        let migrated = to_new("panel", query);
        assert!(migrated.as_ref().is_ok_and(|it| it.contains(expected)), "{query}: {migrated:?}");
    }
    let query = "sum(rate(kong_http_status[5m]) keep_metric_names) default 0";
    let finding = audited("panel", query, Generation::New);
    assert_eq!((finding.direct, finding.gateway), (Impact::Unknown, Impact::Unknown));
}

#[test]
fn estimated_buckets_differ_and_state_the_error() {
    let gateway = |query: &str| {
        let finding = audited("record", query, Generation::New);
        (finding.gateway, finding.details.join("; "))
    };
    let (impact, details) = gateway(
        "histogram_quantile(0.95, sum by (le) (rate(kong_latency_bucket{type=\"request\"}[5m])))",
    );
    assert_eq!(impact, Impact::Differs);
    assert!(details.contains("by up to a factor of 4 (100 to 400)"), "{details}");
    let (impact, _) = gateway("sum by (le) (increase(kong_latency_bucket{type=\"request\"}[5m]))");
    assert_eq!(impact, Impact::Differs);
    let (impact, details) =
        gateway("sum(rate(kong_latency_bucket{type=\"request\",le=\"300\"}[5m]))");
    assert!(impact == Impact::Differs && details.contains("le 300;"), "{details}");
    // Every family here has this boundary exactly, or none has this spelling of it.
    assert_eq!(gateway("sum(kong_latency_bucket{le=\"100\"})").0, Impact::Survives);
    assert_eq!(gateway("sum(kong_latency_bucket{le=\"+Inf\"})").0, Impact::Survives);
    assert_eq!(gateway("sum(kong_latency_bucket{le=\"00100.0\"})").0, Impact::Breaks);
    let finding =
        audited("record", "sum(kong_request_latency_ms_bucket{le=\"300\"})", Generation::New);
    assert_eq!(finding.direct, Impact::Breaks, "Kong 3 does not have it");
}

#[test]
fn quantiles_that_differ_are_migrated_only_on_request() {
    let quantile = |to: Generation, selector: &str, allow| {
        let query = format!("histogram_quantile(0.95, sum by (le) (rate({selector}[5m])))");
        one(findings("panel", &query, to, allow), &query)
    };
    let bound = "the exact boundaries are 25 50 80 100 400 1000 2000 5000 10000 30000 60000, and the \
                 quantile stays between the two next to it, so it can be off by up to a factor of 4 \
                 (100 to 400), and by more below 25 and above 60000";
    for (to, selector) in [
        (Generation::New, "kong_latency_bucket{type=\"upstream\"}"),
        (Generation::Old, "kong_upstream_latency_ms_bucket{service!=\"\"}"),
    ] {
        let finding = quantile(to, selector, false);
        assert_eq!(finding.migrated, None);
        let [obstacle] = &finding.obstacles[..] else { panic!("{finding:?}") };
        assert!(obstacle.contains(bound), "{obstacle}");
        assert!(obstacle.ends_with("; to accept this, add --allow-differs"), "{obstacle}");

        let finding = quantile(to, selector, true);
        assert!(finding.migrated.is_some(), "{finding:?}");
        assert!(finding.details.iter().any(|it| it.contains(bound)), "{finding:?}");
    }
    let finding = quantile(Generation::New, "kong_latency_bucket{type=\"upstream\"}", false);
    assert_eq!(finding.gateway, Impact::Differs);
    assert!(finding.details.iter().any(|it| it.contains(bound)), "{finding:?}");
    // A heatmap has other rows, which no bound describes.
    let query = "sum by (le) (increase(kong_upstream_latency_ms_bucket{service!=\"\"}[5m]))";
    let finding = one(findings("panel", query, Generation::Old, true), query);
    assert_eq!(finding.migrated, None, "{finding:?}");
}

/// Kong 3 adds `node_id`, which has one value in each target: no two of its series differ only in it.
#[test]
fn a_label_with_one_value_per_target_is_no_obstacle() {
    let http = "kong_nginx_connections_total{state=\"active\",subsystem=\"http\"}";
    let old = "kong_nginx_http_current_connections{state=\"active\"}";
    let back = |kind: &str, query: &str| {
        let finding = audited(kind, query, Generation::Old);
        finding.migrated.ok_or_else(|| finding.obstacles.join("; "))
    };
    for (kind, query, expected) in [
        ("record", format!("sum({http})"), format!("sum({old})")),
        ("record", format!("sum by (instance) ({http})"), format!("sum by (instance) ({old})")),
        ("record", format!("avg(abs({http}))"), format!("avg(abs({old}))")),
        ("record", format!("count({http})"), format!("count({old})")),
        (
            "record",
            format!("sum without (subsystem, node_id, pod) ({http})"),
            format!("sum without (pod) ({old})"),
        ),
        // Nothing but the panel itself has the label.
        ("panel", http.to_owned(), old.to_owned()),
        ("panel", format!("topk(3, {http})"), format!("topk(3, {old})")),
    ] {
        assert_eq!(back(kind, &query), Ok(expected), "{query}");
    }
    for (kind, query, why) in [
        // Something uses the label.
        ("record", http.to_owned(), "differ only in node_id"),
        ("panel", format!("sum by (node_id) ({http})"), "groups by `node_id`"),
        ("panel", format!("{http} / on (node_id) kong_node_info"), "node_id"),
        (
            "panel",
            "sum(kong_nginx_connections_total{state=\"active\"}) by (state)".to_owned(),
            "add --absent=kong_nginx_stream_current_connections.",
        ),
        (
            "panel",
            "sum(kong_nginx_connections_total{node_id=\"a\"})".to_owned(),
            "selects by `node_id`",
        ),
        // A node that restarts has another one, and its series ends within the range.
        ("panel", format!("sum(rate({http}[5m]))"), "differ only in node_id"),
        ("panel", format!("sum(max_over_time({http}[1h:1m]))"), "differ only in node_id"),
    ] {
        let result = back(kind, &query);
        assert!(result.as_ref().is_err_and(|it| it.contains(why)), "{query}: {result:?}");
    }
}

#[test]
fn migrated_queries_migrate_back() {
    for (kind, query) in [
        ("record", "sum by (type) (rate(kong_bandwidth[5m]))"),
        ("record", "sum without (instance) (rate(kong_bandwidth[5m]))"),
        ("record", "sum(rate(kong_latency_count{type=\"request\",service=\"a\"}[5m]))"),
        (
            "record",
            "histogram_quantile(0.95, sum by (le) (rate(kong_latency_bucket{type=\"request\"}[5m])))",
        ),
        ("panel", "sum by (type) (rate(kong_bandwidth[5m]))"),
    ] {
        let there = one(findings(kind, query, Generation::New, true), query);
        let there = there.migrated.expect("it migrates");
        let back = one(findings(kind, &there, Generation::Old, true), &there);
        let plain = back.migrated.as_deref().map(|it| it.replace(",type=\"request\"", ""));
        let expected = query.replace("type=\"request\",", "");
        assert_eq!(plain.as_deref(), Some(expected.as_str()), "{there}: {:?}", back.obstacles);
    }
    for (query, expected) in [
        ("rate(kong_latency_sum{type=\"kong\"}[5m])", "rate(kong_latency_sum{type=\"kong\"}[5m])"),
        (
            "sum by (consumer) (rate(kong_http_consumer_status[5m]))",
            "sum by (consumer) (rate(kong_http_consumer_status[5m]))",
        ),
        (
            "kong_http_consumer_status{consumer!=\"\",code=\"200\"} * 8",
            "kong_http_consumer_status{code=\"200\"} * 8",
        ),
    ] {
        let there = to_new("record", query).expect("it migrates");
        let back = audited("record", &there, Generation::Old);
        assert_eq!(back.migrated.as_deref(), Some(expected), "{there}: {:?}", back.obstacles);
    }
    // The text that `label_replace` writes is not the one of the other generation.
    let query = "sum without (workspace) (label_replace(kong_kong_latency_ms_sum{service!=\"\"}, \"type\", \"x\", \"\", \"\"))";
    let finding = audited("record", query, Generation::Old);
    assert!(finding.migrated.is_none_or(|it| it.contains("label_replace")));
    // Families that do not form one family in the other generation are no union.
    for query in [
        "sum(rate(kong_request_latency_ms_count{service!=\"\"}[5m]) or rate(kong_session_duration_ms_count{a=\"b\"}[5m]))",
        "sum(rate(kong_request_latency_ms_count{service!=\"\"}[5m]) or rate(kong_request_latency_ms_count{service!=\"\"}[1m]))",
    ] {
        assert_eq!(audited("record", query, Generation::Old).migrated, None, "{query}");
    }
    // Another part of the query uses the copied label.
    let query = "sum by (type, direction) (label_replace(kong_bandwidth_bytes{service!=\"\"}, \"type\", \"$1\", \"direction\", \"(.*)\"))";
    let finding = audited("record", query, Generation::Old);
    assert!(finding.migrated.is_none_or(|it| it.contains("label_replace")));
}

/// The query in an edition, or why it is not migrated.
fn to_edition(edition: &str, query: &str) -> Result<String, String> {
    let to: Emit = edition.parse().expect("an edition");
    let auditor =
        Auditor::new(&packs::builtin(), Emit::Old, to, Vec::new()).expect("a declared edition");
    let text = format!("{{\"record\": \"x\", \"expr\": {query:?}}}");
    let mut found = auditor.file(Path::new("q.json"), &text).findings;
    let finding = found.pop().expect("a known family");
    finding.migrated.ok_or_else(|| finding.obstacles.join("; "))
}

#[test]
fn an_edition_has_its_own_boundaries_and_spelling() {
    let query =
        |le: &str| format!("sum(rate(kong_upstream_latency_ms_bucket{{service=\"a\",{le}}}[5m]))");
    let migrated = |le: &str| {
        format!("sum(rate(kong_latency_bucket{{service=\"a\",{le},type=\"upstream\"}}[5m]))")
    };
    assert_eq!(to_edition("2.8", &query("le=\"25\"")), Ok(migrated("le=\"25\"")));
    assert_eq!(to_edition("2.5", &query("le=\"25\"")), Ok(migrated("le=\"00025.0\"")));
    // As Prometheus 3 stores it, whichever edition wrote it.
    assert_eq!(to_edition("2.5", &query("le=\"25.0\"")), Ok(migrated("le=\"25.0\"")));
    assert_eq!(to_edition("2.5", &query("le=\"+Inf\"")), Ok(migrated("le=\"+Inf\"")));
    let result = to_edition("2.5", &query("le=~\"25|50\""));
    assert!(result.as_ref().is_err_and(|it| it.contains("spelling")), "{result:?}");
    // The boundaries above 1000 are those of 3.9 alone.
    let all = "kong_latency_bucket{type=\"kong\",le=~\".+\"}";
    let rows = |edition| to_edition(edition, all).expect_err("its rows differ");
    assert!(!rows("3.0").contains("6000") && rows("3.9").contains("6000"));
}

#[test]
fn a_boundary_of_another_edition_is_not_found() {
    let impacts = |emit: &str, query: &str| {
        let emit: Emit = emit.parse().expect("an edition");
        let auditor = Auditor::new(&packs::builtin(), emit, Generation::New, Vec::new());
        let text = format!("{{\"record\": \"x\", \"expr\": {query:?}}}");
        let found = auditor.expect("declared").file(Path::new("q.json"), &text).findings;
        (found[0].direct, found[0].gateway)
    };
    let (survives, breaks) = (Impact::Survives, Impact::Breaks);
    let padded = "sum(rate(kong_latency_bucket{type=\"request\",le=\"00100.0\"}[5m]))";
    assert_eq!(impacts("2.5", padded), (breaks, survives));
    assert_eq!(impacts("2.8", padded), (breaks, breaks));
    // The newest Kong has it, whatever the gateway emits.
    let high = "sum(rate(kong_kong_latency_ms_bucket{le=\"6000\"}[5m]))";
    assert_eq!(impacts("3.0", high), (survives, breaks));
    assert_eq!(impacts("3.9", high), (survives, survives));
}

/// Kong 3.6 and later counts requests without a service, under `service=""`. Kong 2 does not.
#[test]
fn samples_that_only_one_generation_counts_are_excluded() {
    let back = |kind: &str, query: &str| {
        let finding = audited(kind, query, Generation::Old);
        finding.migrated.ok_or_else(|| finding.obstacles.join("; "))
    };
    for (query, expected) in [
        ("sum(kong_http_status)", "sum(kong_http_requests_total{service!=\"\"})"),
        ("sum(kong_latency_sum{type=\"kong\"})", "sum(kong_kong_latency_ms_sum{service!=\"\"})"),
        (
            "sum(kong_latency_bucket{type=\"kong\", le=\"100\"})",
            "sum(kong_kong_latency_ms_bucket{le=\"100\", service!=\"\"})",
        ),
        ("absent(kong_http_status)", "absent(kong_http_requests_total{service!=\"\"})"),
        (
            "sum(kong_http_status{service=~\".*\"})",
            "sum(kong_http_requests_total{service=~\".*\",service!=\"\"})",
        ),
        ("sum(kong_stream_status)", "sum(kong_stream_sessions_total)"),
    ] {
        migrates("record", query, expected);
        // The matcher is removed again. A fixed label is written last.
        let returned = back("record", expected).expect("it migrates back");
        let matchers = ["type=\"kong\", ", ",type=\"kong\"", ", type=\"kong\"", "type=\"kong\""];
        let plain =
            |text: &str| matchers.iter().fold(text.to_owned(), |text, it| text.replacen(it, "", 1));
        assert_eq!(plain(&returned), plain(query));
    }
    // A matcher of the query excludes them already.
    for matcher in ["service=\"a\"", "service!=\"\"", "service=~\"a|b\"", "service=~\".+\""] {
        let query = format!("sum(kong_http_status{{{matcher}}})");
        migrates("record", &query, &query.replace("kong_http_status", "kong_http_requests_total"));
    }
    migrates(
        "panel",
        "sum(kong_http_status{service=~\"$service\"})",
        "sum(kong_http_requests_total{service=~\"$service\",service!=\"\"})",
    );
    stays("record", "sum(kong_http_status{service=\"\"})", "only samples that the old");
    // Only the query's author can decide that the other total is meant.
    for query in [
        "sum(kong_http_requests_total)",
        "sum(kong_http_requests_total{service=~\".*\"})",
        "sum(rate(kong_kong_latency_ms_count[5m]))",
    ] {
        let result = back("panel", query);
        assert!(
            result.as_ref().is_err_and(|it| it.contains("to leave them out, add service!=\"\"")),
            "{query}: {result:?}"
        );
    }
    let result = back("panel", "sum(kong_http_requests_total{service=\"\"})");
    assert!(result.as_ref().is_err_and(|it| it.contains("does not count")), "{result:?}");
    for matcher in ["service=\"a\"", "service=~\".+\""] {
        let query = format!("sum(kong_bandwidth_bytes{{{matcher}}})");
        assert_eq!(back("panel", &query), Ok(query.replace("_bytes", "")));
    }
}

/// What a pack says under `only_in`, for families with the same name and samples with several labels.
#[test]
fn any_pack_can_have_samples_of_one_generation() {
    let pack = "name: p\nprometheus:\n\
                - {old: 'jobs{state=$s}', new: 'jobs_total{status=$s, pod}', type: counter}\n\
                - {old: 'load', new: 'load{node}', merge: max}\n\
                only_in:\n  new: ['jobs_total{status=\"lost\"}', 'jobs_total{queue=\"q\", kind=\"probe\"}', 'load{core=\"\"}']\n";
    let pack = Pack::parse("p.yaml", pack).expect("valid");
    let auditor =
        Auditor::new(&[pack], Emit::Old, Generation::New, Vec::new()).expect("no edition");
    let audit = |query: &str| {
        let text = format!("{{\"record\": \"x\", \"expr\": {query:?}}}");
        one(auditor.file(Path::new("q.json"), &text).findings, query)
    };
    let finding = audit("sum(jobs)");
    assert_eq!(finding.migrated, None);
    assert!(finding.obstacles[0].contains("no matcher excludes"), "{finding:?}");
    assert_eq!(
        audit("sum(jobs{kind=\"probe\"})").migrated.as_deref(),
        Some("sum(jobs_total{kind=\"probe\",status!=\"lost\",queue!=\"q\"})")
    );
    assert_eq!(
        audit("sum(jobs{queue=\"a\",state=\"done\"})").migrated.as_deref(),
        Some("sum(jobs_total{queue=\"a\",status=\"done\"})")
    );
    // The name stays, and the result is another one.
    let finding = audit("max(load)");
    assert_eq!((finding.direct, finding.gateway), (Impact::Breaks, Impact::Survives));
    assert!(
        finding.details.iter().any(|it| it == "only the new generation counts load{core=\"\"}")
    );
    assert!(finding.obstacles[0].ends_with("to leave them out, add core!=\"\""), "{finding:?}");
    assert_eq!(audit("max(load{core=\"1\"})").direct, Impact::Survives);
}

/// Kong 3 does not count the bandwidth of streams, and exports other connections for them.
#[test]
fn samples_that_a_generation_lacks_are_an_obstacle() {
    let auditor = |absent: &[&str], to| {
        let absent = absent.iter().map(|it| (*it).to_owned()).collect();
        Auditor::new(&packs::builtin(), Emit::Old, to, absent).expect("no edition")
    };
    let audit = |absent: &[&str], to, query: &str| {
        let text = format!("{{\"record\": \"x\", \"expr\": {query:?}}}");
        one(auditor(absent, to).file(Path::new("q.json"), &text).findings, query)
    };
    for (to, query) in [
        (Generation::New, "sum(kong_bandwidth)"),
        (Generation::New, "sum(kong_http_status) / sum(kong_bandwidth{type=\"egress\"})"),
        (Generation::Old, "sum(kong_bandwidth_bytes{service=\"a\"})"),
    ] {
        let finding = audit(&[], to, query);
        assert_eq!(finding.migrated, None, "{query}");
        assert_eq!(
            finding.obstacles,
            [
                "Kong 3 never counts the bandwidth of streams. If kong_stream_status does not occur, \
              add --absent=kong_stream_status."
            ],
            "{query}"
        );
        for absent in ["kong_stream_status", "kong_stream_sessions_total"] {
            assert!(audit(&[absent], to, query).migrated.is_some(), "{query} without {absent}");
        }
    }
    let finding = audit(&[], Generation::New, "sum(kong_bandwidth)");
    assert_eq!((finding.direct, finding.gateway), (Impact::Breaks, Impact::Differs));
    let finding = audit(&[STREAMS], Generation::New, "sum(kong_bandwidth)");
    assert_eq!((finding.direct, finding.gateway), (Impact::Breaks, Impact::Survives));
    for (to, query) in [
        (Generation::New, "sum(kong_nginx_stream_current_connections)"),
        (Generation::Old, "sum(kong_nginx_connections_total{subsystem=\"stream\"})"),
        (Generation::Old, "sum(kong_nginx_connections_total)"),
    ] {
        let finding = audit(&[STREAMS], to, query);
        assert_eq!(finding.migrated, None, "{query}");
        assert!(
            finding.obstacles[0].contains("do not have the same values: Kong 2 exports"),
            "{finding:?}"
        );
    }
    let finding = audit(&[], Generation::New, "sum(kong_nginx_stream_current_connections)");
    assert_eq!((finding.direct, finding.gateway), (Impact::Breaks, Impact::Breaks));
    // Without streams, a request is a request.
    let finding = audit(&[STREAMS], Generation::New, "sum(kong_latency_sum{type=\"request\"})");
    let migrated = "sum(kong_request_latency_ms_sum{service!=\"\"})";
    assert_eq!(finding.migrated.as_deref(), Some(migrated));
    let finding = audit(&[STREAMS], Generation::Old, migrated);
    assert_eq!(finding.migrated.as_deref(), Some("sum(kong_latency_sum{type=\"request\"})"));
}

#[test]
fn native_histograms_of_other_boundaries_are_not_migrated() {
    for query in
        ["histogram_quantile(0.9, sum(rate(kong_latency{type=\"kong\"}[5m])))", "sum(kong_latency)"]
    {
        let finding = one(findings("panel", query, Generation::New, true), query);
        assert_eq!(finding.migrated, None);
        assert!(finding.obstacles[0].contains("as a native histogram"), "{finding:?}");
    }
    assert!(to_new("panel", "absent(kong_latency{type=\"kong\"})").is_ok());
}

/// A family with the same name in both generations has the label `node_id` only in the new one.
#[test]
fn labels_of_families_that_keep_their_name() {
    let memory = "kong_memory_lua_shared_dict_bytes";
    let connections = "kong_nginx_http_current_connections{state=\"active\"}";
    let why = "has the label `node_id`, which is part of the result or of a match";
    for query in [
        "max without (shared_dict, kong_subsystem) (M) / ignoring (state) C",
        "M / ignoring (shared_dict, kong_subsystem, state) group_left C",
        "M and ignoring (shared_dict, kong_subsystem, state) C",
        "M unless ignoring (shared_dict, kong_subsystem, state) C",
        "M * on (instance) group_left C",
        "M > on (instance) group_left () C",
        "M or C",
        "sum(C) / on () group_right M",
        "C * on (instance) group_left (node_id) M{shared_dict=\"kong\"}",
    ] {
        stays("panel", &query.replace('M', memory).replace('C', connections), why);
    }
    for (query, expected) in [
        ("sum(M) / sum(C)", "sum(M) / sum(N)"),
        (
            "sum by (instance) (M) and sum by (instance) (C)",
            "sum by (instance) (M) and sum by (instance) (N)",
        ),
        (
            "max without (node_id, shared_dict, kong_subsystem) (M) / sum without (state) (C)",
            "max without (node_id, shared_dict, kong_subsystem) (M) / sum without (state) (N)",
        ),
        ("sum(C) and on () absent(M)", "sum(N) and on () absent(M)"),
    ] {
        let all = "kong_nginx_connections_total{state=\"active\",subsystem=\"http\"}";
        let merged = format!("max without (node_id, subsystem) ({all})");
        let new = |text: &str| text.replace('M', memory).replace('N', &merged);
        migrates("panel", &query.replace('M', memory).replace('C', connections), &new(expected));
    }
}

#[test]
fn a_match_by_a_label_that_one_side_gains_breaks() {
    for (query, direct) in [
        ("M and ignoring (shared_dict, kong_subsystem) up{job=\"kong\"}", Impact::Breaks),
        ("up unless ignoring (shared_dict, kong_subsystem) M", Impact::Breaks),
        ("sum without (shared_dict) (M) * ignoring (kong_subsystem) up", Impact::Breaks),
        ("M / ignoring (node_id, shared_dict) group_left up", Impact::Survives),
        ("M * on (instance) group_left (job) up", Impact::Survives),
        ("sum by (instance) (M) / up", Impact::Survives),
        ("M / kong_memory_lua_shared_dict_total_bytes", Impact::Survives),
        ("M / 1024 > 3", Impact::Survives),
        ("M or vector(0)", Impact::Survives),
    ] {
        let query = query.replace('M', "kong_memory_lua_shared_dict_bytes");
        let finding = audited("panel", &query, Generation::New);
        assert_eq!((finding.direct, finding.gateway), (direct, Impact::Survives), "{query}");
        assert_eq!(finding.migrated, None, "{query}");
    }
}
