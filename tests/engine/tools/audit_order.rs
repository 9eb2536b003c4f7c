//! `audit`: queries whose result depends on the order or the rounding of series, or on boundaries and
//! labels that only some of them have.

use crossfade::mapping::{Emit, Generation};
use crossfade::packs;
use crossfade::tools::audit::{Auditor, Impact};

use crate::support::dashboards::{findings, migrated};

#[track_caller]
fn stays(query: &str, to: Generation, why: &str) {
    let result = migrated("record", query, to);
    assert!(result.as_ref().is_err_and(|it| it.contains(why)), "{query}: {result:?}");
}

#[test]
fn samples_of_series_are_not_migrated() {
    for query in [
        "limitk(3, kong_http_status)",
        "sum(limitk by (code) (3, rate(kong_http_status[5m])))",
        "limit_ratio(0.5, sum by (service) (kong_http_status))",
    ] {
        stays(query, Generation::New, "chooses series by their order");
    }
    stays(
        "limitk(3, sum by (service) (kong_http_requests_total{service!=\"\"}))",
        Generation::Old,
        "chooses series by their order",
    );
    let beside = "sum(kong_http_status) + on () group_left () limitk(1, kong_datastore_reachable)";
    let result = migrated("record", beside, Generation::New);
    assert!(result.is_ok(), "{result:?}");
}

#[test]
fn a_sample_of_series_that_gain_a_label_is_another_one() {
    let query = "sum(limit_ratio(0.5, kong_memory_lua_shared_dict_bytes))";
    let found = findings("record", query, Generation::New, false);
    assert_eq!((found[0].direct, found[0].gateway), (Impact::Breaks, Impact::Survives));
    let why = "`limit_ratio` chooses other series";
    assert!(found[0].details.iter().any(|it| it.contains(why)), "{found:?}");
    let auditor = Auditor::new(&packs::builtin(), Emit::New, Generation::New, Vec::new());
    let text = format!("{{\"record\": \"x\", \"expr\": \"{query}\"}}");
    let file = auditor.expect("no edition").file(std::path::Path::new("q.json"), &text);
    assert_eq!(file.findings[0].gateway, Impact::Breaks);
    // Without the label, the sample is the same.
    let query = "limitk(1, sum by (instance) (kong_memory_lua_shared_dict_bytes))";
    let found = findings("record", query, Generation::New, false);
    assert_eq!(found[0].direct, Impact::Survives, "{found:?}");
}

#[test]
fn digits_of_rounded_values_are_no_labels() {
    for query in [
        "count_values(\"v\", rate(kong_http_status[5m]))",
        "topk(2, count_values(\"v\", sum by (code) (increase(kong_http_status[5m]))))",
        "count_values(\"v\", sum(kong_latency_sum{type=\"kong\"}))",
        "count_values(\"v\", avg(kong_http_status))",
        "count_values(\"v\", sum(kong_http_status * 0.1))",
        "count_values(\"v\", round(rate(kong_http_status[5m]), 0.1))",
    ] {
        stays(query, Generation::New, "all digits");
    }
    for query in [
        "count_values(\"v\", kong_http_status)",
        "count_values(\"v\", sum by (code) (kong_http_status * 2) > 5)",
        "count_values(\"v\", ceil(sum(kong_latency_count{type=\"kong\"})))",
    ] {
        assert!(migrated("record", query, Generation::New).is_ok(), "{query}");
    }
}

#[test]
fn a_boundary_that_is_left_out_must_leave_the_same_ones() {
    let stays = |query: &str| stays(query, Generation::New, "no boundary");
    stays("kong_latency_bucket{type=\"kong\",le!=\"100\"}");
    stays("kong_latency_bucket{type=\"request\",le!~\"25\"} + 2");
    stays("sum without (type) (kong_latency_bucket{le!=\"25\"})");
    stays(
        "histogram_quantile(0.9, sum by (le) (rate(kong_latency_bucket{type=\"kong\",le!=\"100\"}[5m])))",
    );
    let but_infinity = "sum by (le) (kong_latency_bucket{type=\"kong\",le!=\"+Inf\"})";
    let result = migrated("record", but_infinity, Generation::New);
    assert!(result.as_ref().is_err_and(|it| it.contains("one row per boundary")), "{result:?}");
    // Only infinity is left.
    let query = "sum by (le) (kong_latency_bucket{type=\"kong\",le!~\"[0-9].*\"})";
    let result = migrated("record", query, Generation::New);
    assert!(result.is_ok(), "{result:?}");
}

#[test]
fn a_matcher_of_a_label_that_only_the_other_generation_has_is_refused() {
    for matcher in ["node_id=\"n\"", "node_id!=\"n\"", "node_id=\"\""] {
        let query =
            format!("sum(kong_http_status) + sum(kong_memory_lua_shared_dict_bytes{{{matcher}}})");
        stays(&query, Generation::New, "`node_id` of kong_memory_lua_shared_dict_bytes is only in");
    }
    let query = "sum(kong_http_status) + sum(kong_memory_lua_shared_dict_bytes{node_id=~\".*\"})";
    assert!(migrated("record", query, Generation::New).is_ok());
}
