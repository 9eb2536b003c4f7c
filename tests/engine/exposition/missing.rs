//! The metrics that are reported as missing for captures of Kong.

use crate::support::engine::{plan, plan_of, rewrite};
use crate::support::{capture, captures};
use crossfade::mapping::Emit;

/// The inputs that are missing, without the optional ones.
fn missing(capture_name: &str) -> Vec<String> {
    let report = rewrite(&plan(Emit::Both), &capture(capture_name)).report;
    let missing = report.missing.into_iter().filter(|missing| !missing.optional);
    missing.map(|missing| missing.input).collect()
}

#[test]
fn complete_captures_have_no_missing_metrics() {
    // A control plane has no traffic to count, like a node without requests.
    let without_traffic = |name: &str| {
        ["default_flags", "only_", "plugin_not_enabled", "control_plane", "data_plane"]
            .iter()
            .any(|part| name.contains(part))
    };
    let healthy = captures("tiny").into_iter().chain(captures("small"));
    let healthy: Vec<String> =
        healthy.filter(|name| name.contains("/prometheus/") && !without_traffic(name)).collect();
    assert!(healthy.len() > 10, "{healthy:?}");
    for name in healthy {
        assert_eq!(missing(&name), [""; 0], "{name}");
    }
}

#[test]
fn missing_metrics_name_the_plugin_option() {
    let body = capture("small/prometheus/kong-3.9.1.default_flags.txt");
    let report = rewrite(&plan(Emit::Old), &body).report;
    let missing = report.missing.iter().filter(|missing| !missing.optional);
    let options: Vec<(&str, Option<&str>)> =
        missing.map(|missing| (missing.input.as_str(), missing.option.as_deref())).collect();
    for (input, option) in [
        ("kong_http_requests_total", "status_code_metrics: true"),
        ("kong_bandwidth_bytes", "bandwidth_metrics: true"),
        ("kong_kong_latency_ms", "latency_metrics: true"),
    ] {
        assert!(options.contains(&(input, Some(option))), "{options:?}");
    }
}

#[test]
fn a_pack_expects_nothing_of_a_source_without_its_families() {
    let plan =
        plan_of("name: p\nprometheus: [{ old: a, new: b }, { old: c, new: d }]\n", Emit::New);
    assert_eq!(rewrite(&plan, b"up 1\n").report.missing, []);
    assert_eq!(rewrite(&plan, b"up 1\n").report.packs, [""; 0]);
    let report = rewrite(&plan, b"a 1\n").report;
    assert_eq!(report.packs, ["p"]);
    assert_eq!(report.missing.iter().map(|it| it.input.as_str()).collect::<Vec<_>>(), ["c"]);
}

/// They arrived, and the report says why no rule could be applied to them.
#[test]
fn refused_samples_are_not_missing() {
    let body = "# TYPE kong_kong_latency_ms histogram\n\
        kong_kong_latency_ms_bucket{service=\"s\",route=\"r\",type=\"x\",le=\"+Inf\"} 5\n\
        kong_kong_latency_ms_count{service=\"s\",route=\"r\",type=\"x\"} 5\n\
        kong_bandwidth_bytes{service=\"s\",route=\"r\",direction=\"egress\",type=\"x\"} 5\n";
    let report = rewrite(&plan(Emit::Old), body.as_bytes()).report;
    assert!(!report.unrewritten.is_empty());
    let missing: Vec<&str> = report.missing.iter().map(|missing| missing.input.as_str()).collect();
    assert!(missing.contains(&"kong_http_requests_total"), "{missing:?}");
    for input in ["kong_kong_latency_ms", "kong_bandwidth_bytes"] {
        assert!(!missing.iter().any(|it| it.contains(input)), "{missing:?}");
    }
}
