//! `audit`: what is migrated to one generation and back is the same query, or gives the same result.

use crossfade::mapping::Generation;
use crossfade::tools::audit::Impact;

use crate::support::dashboards::{findings, migrated};

fn there_and_back(kind: &str, query: &str) -> String {
    let there = migrated(kind, query, Generation::New).expect("it migrates");
    let back = migrated(kind, &there, Generation::Old);
    back.unwrap_or_else(|why| panic!("{there}: {why}"))
}

#[test]
fn an_aggregation_that_a_migration_wrote_is_removed_again() {
    for query in [
        "sum(kong_nginx_http_current_connections{state=\"active\"})",
        "rate(kong_http_status[5m])",
        "rate(kong_http_status[5m]) > 0.5",
        "count(kong_http_status)",
        "kong_http_status offset 5m",
        "sum(kong_http_status > 100)",
        "max_over_time(kong_nginx_http_current_connections{state=\"active\"}[10m:1m])",
        "max_over_time(kong_http_status offset 5m[10m:1m])",
        "2 ^ -kong_http_status",
        "absent(rate(kong_http_status{code=\"999\"}[5m]))",
        "kong_http_status{code=\"500\"} / ignoring (code) kong_http_status{code=\"200\"}",
        "topk by (service) (1, kong_http_status)",
    ] {
        assert_eq!(there_and_back("record", query), query);
    }
}

#[test]
fn the_name_of_the_series_stays_away_where_it_would_be_seen() {
    let query =
        "sum without (consumer, source, type, workspace) (kong_http_requests_total{service!=\"\"})";
    let to_old = |kind: &str, query: &str| migrated(kind, query, Generation::Old);
    assert_eq!(to_old("record", query).as_deref(), Ok("kong_http_status"));
    assert_eq!(to_old("panel", query).as_deref(), Ok("sum without () (kong_http_status)"));
    let counted = format!("count({query})");
    assert_eq!(to_old("panel", &counted).as_deref(), Ok("count(kong_http_status)"));
    let compared = format!("{query} > 100");
    assert_eq!(
        to_old("panel", &compared).as_deref(),
        Ok("sum without () (kong_http_status) > 100")
    );
}

#[test]
fn an_aggregation_is_removed_only_if_it_does_nothing() {
    let selector = "kong_http_requests_total{service!=\"\",code=\"200\"}";
    let lists = "without (consumer, source, type, workspace)";
    for (query, expected) in [
        // They read the series and not the values.
        (
            format!("timestamp(sum {lists} ({selector}))"),
            "timestamp(sum without () (kong_http_status{code=\"200\"}))",
        ),
        (
            format!("absent(sum {lists} ({selector}))"),
            "absent(sum without () (kong_http_status{code=\"200\"}))",
        ),
        // It groups by other labels too.
        (
            format!("sum without (consumer, source, type, workspace, code) ({selector})"),
            "sum without (code) (kong_http_status{code=\"200\"})",
        ),
        // Without a list, everything is one group.
        (format!("sum(sum {lists} ({selector}))"), "sum(kong_http_status{code=\"200\"})"),
        (format!("sum({selector})"), "sum(kong_http_status{code=\"200\"})"),
        (format!("sum(rate({selector}[5m])) {lists}"), "rate(kong_http_status{code=\"200\"}[5m])"),
    ] {
        let result = migrated("record", &query, Generation::Old);
        assert_eq!(result.as_deref(), Ok(expected), "{query}");
    }
}

#[test]
fn the_output_of_a_migration_has_the_right_verdict() {
    for query in [
        "sum(max without () (kong_nginx_http_current_connections{state=\"active\"}))",
        "sum without () (rate(kong_http_status[5m]))",
        "sum without (consumer, source, workspace) (rate(kong_http_status[5m]))",
    ] {
        let found = findings("record", query, Generation::New, false);
        assert_eq!(found[0].gateway, Impact::Survives, "{query}: {found:?}");
        assert_eq!(found[0].direct, Impact::Breaks, "{query}: {found:?}");
        assert!(found[0].migrated.is_some(), "{query}: {found:?}");
    }
}
