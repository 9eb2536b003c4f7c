//! The metrics that are reported as missing for captures of Kong.

use crate::support::engine::{plan, plan_of, rewrite};
use crate::support::{capture, captures};
use crossfade::mapping::{Emit, Generation, Pack};
use crossfade::rewrite::exposition::Report;

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

const PATTERNS: &str = r#"
name: p
prometheus:
  - { old: "mem_{rest*}", new: "mem_{rest*}_bytes" }
  - { old: "box_{rest*}{id=$i, pod_name=$p}", new: "box_{rest*}{id=$i, pod=$p}", optional: [p] }
hints:
  - { when_missing: mem_Free_bytes, say: free memory }
  - { when_missing: mem_Swap, optional: true, say: swap }
  - { when_missing: "box_{x*}", say: boxes, option: "boxes: on" }
"#;

/// The generations, whether the pack is known, and what is missing.
fn known(pack: &str, emit: Emit, body: &str) -> (Vec<&'static str>, bool, Vec<String>) {
    let report = rewrite(&plan_of(pack, emit), body.as_bytes()).report;
    let Report { generations, packs, missing, .. } = &report;
    let generations = generations.iter().map(|it| it.as_str()).collect();
    (generations, !packs.is_empty(), missing.iter().map(|it| it.input.clone()).collect())
}

#[test]
fn families_of_patterns_tell_the_pack_and_the_generation() {
    for (body, generations, is_known, missing) in [
        ("up 1\n", &[][..], false, &[][..]),
        ("mem_Free 1\n", &["old"], true, &["box_{rest*}", "mem_Swap"]),
        ("mem_Swap_bytes 1\n", &["new"], true, &["box_{rest*}", "mem_Free_bytes"]),
        ("mem_Used 1\nbox_a{id=\"1\"} 1\n", &["old"], true, &["mem_Free", "mem_Swap"]),
        (
            "mem_Used_bytes 1\n",
            &["new"],
            true,
            &["box_{rest*}", "mem_Free_bytes", "mem_Swap_bytes"],
        ),
        // The names of these families tell only the pack, and their labels the generation.
        ("box_a{id=\"1\"} 1\n", &[], true, &[]),
        (
            "box_a{id=\"1\",pod_name=\"\"} 1\n",
            &["old"],
            true,
            &["mem_{rest*}", "mem_Free", "mem_Swap"],
        ),
        (
            "box_a{id=\"1\",pod=\"a\"} 1\n",
            &["new"],
            true,
            &["mem_{rest*}_bytes", "mem_Free_bytes", "mem_Swap_bytes"],
        ),
        ("box_a{pod_name=\"a\"} 1\n", &[], true, &[]),
        ("mem_Free 1\nbox_a{id=\"1\",pod=\"a\"} 1\n", &["old", "new"], true, &["mem_Swap"]),
    ] {
        for emit in [Emit::Old, Emit::New, Emit::Both] {
            let (its, known, lacks) = known(PATTERNS, emit, body);
            assert_eq!((its.as_slice(), known), (generations, is_known), "{body}");
            let expected: Vec<String> = missing.iter().map(|it| (*it).to_owned()).collect();
            // Of two generations, either name may be missing.
            assert_eq!(lacks[..expected.len()], expected, "{body} {lacks:?}");
        }
    }
}

#[test]
fn hints_about_patterns_and_their_families() {
    let report = rewrite(&plan_of(PATTERNS, Emit::New), b"mem_Used 1\n").report;
    let shown = |input: &str| {
        let missing = report.missing.iter().find(|it| it.input == input).expect(input);
        (missing.hint.as_deref(), missing.option.as_deref(), missing.optional, missing.rules.len())
    };
    assert_eq!(shown("mem_Free"), (Some("free memory"), None, false, 1));
    assert_eq!(shown("mem_Swap"), (Some("swap"), None, true, 1));
    assert_eq!(shown("box_{rest*}"), (Some("boxes"), Some("boxes: on"), false, 1));
    assert_eq!(report.missing[0].generation, Generation::Old);

    let pack = PATTERNS.replace("\"box_{x*}\"", "'box_{x*}{id=$i}'");
    let errors = Pack::parse("p.yaml", &pack).expect_err("a hint with labels").to_string();
    assert!(errors.contains("the hint is about all families of `box_{x*}`"), "{errors}");
}

#[test]
fn the_pattern_of_all_families_tells_the_pack_by_labels() {
    let pack = "name: p\nprometheus: [{ old: '*{instance_name=$i}', new: '*{host=$i}' }]\n";
    for (body, generations, is_known) in [
        ("up 1\n", &[][..], false),
        ("a 1\na{instance_name=\"x\"} 1\n", &[], false),
        ("a{instance_name=\"x\"} 1\na 1\n", &["old"], true),
        ("a{instance_name=\"x\"} 1\nb{host=\"x\"} 1\n", &["old", "new"], true),
    ] {
        let (its, known, missing) = known(pack, Emit::New, body);
        assert_eq!((its.as_slice(), known, missing.len()), (generations, is_known, 0), "{body}");
    }
}
