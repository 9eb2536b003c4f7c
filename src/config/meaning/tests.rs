//! What settings mean together.

use super::settings::Settings;
use crate::config::parse;
use crate::document::Diagnostics;
use crate::mapping::{BucketPolicy, Emit};
use crate::relay::PlanSelection;
use crate::scrape;

fn settings(text: &str) -> Result<Settings, Diagnostics> {
    parse("c.yaml", text).into_settings()
}

#[test]
fn a_target_takes_what_it_does_not_say_from_the_file() {
    let settings = settings(concat!(
        "emit: old\nbuckets: common\nfill: {source: service, node_id: a}\n",
        "targets:\n",
        "  - url: http://kong:8100/metrics\n",
        "  - {name: b, url: http://b/, emit: both, buckets: native, fill: {node_id: b}}\n",
    ))
    .expect("valid");
    let [first, second] = settings.targets.as_slice() else { panic!("two targets") };
    assert_eq!(first.name, "kong:8100");
    assert_eq!((first.mapping.emit, first.mapping.buckets), (Emit::Old, BucketPolicy::Common));
    assert_eq!(first.mapping.fill["node_id"], "a");
    assert_eq!(second.name, "b");
    assert_eq!((second.mapping.emit, second.mapping.buckets), (Emit::Both, BucketPolicy::Native));
    assert_eq!(second.mapping.fill["node_id"], "b");
    assert_eq!(second.mapping.fill["source"], "service");
}

#[test]
fn all_errors_are_reported_at_once() {
    let text = concat!(
        "targets:\n",
        "  - {name: a, url: http://a/}\n",
        "  - {name: b, url: http://b/, emit: old}\n",
        "  - {name: b, url: http://c/, emit: old}\n",
        "scrape: {timeout: 0s}\n",
    );
    let errors = settings(text).expect_err("three errors").to_string();
    let lines: Vec<&str> = errors.lines().collect();
    assert_eq!(lines.len(), 3, "{errors}");
    assert!(
        lines[0].starts_with("c.yaml:2:5: target a: no generation to emit is given; give --emit"),
        "{errors}"
    );
    assert!(
        lines[1].starts_with("c.yaml:4:5: a second target is named b (the first is in line 3)"),
        "{errors}"
    );
    assert!(lines[2].starts_with("c.yaml:5:19: scrape.timeout is 0s"), "{errors}");
}

#[test]
fn nothing_to_do_is_an_error() {
    let errors = settings("emit: old\n").expect_err("nothing to do").to_string();
    assert!(errors.contains("nothing to do"), "{errors}");
}

#[test]
fn a_relay_alone_will_do() {
    let text = concat!(
        "emit: old\nstatsd:\n",
        "  listen: [{address: 'udp://:8125'}, {address: 'tcp://:8125', emit: both}]\n",
        "  forward: [{address: 'udp://statsd:8125', emit: new}, {address: 'unixgram:/a'}]\n",
    );
    let relay = settings(text).expect("valid").relay.expect("a relay");
    assert_eq!(relay.listeners[0].emit, Emit::Old);
    assert_eq!(relay.listeners[1].emit, Emit::Both);
    assert_eq!(relay.sinks[0].emit, Some(Emit::New));
    assert_eq!(relay.sinks[1].emit, None);
    let selections = relay.plan_selections();
    let emits: Vec<Emit> = selections.iter().map(|selection| selection.emit).collect();
    assert_eq!(emits, [Emit::New, Emit::Old, Emit::Both]);
    assert!(settings("targets: [{url: 'http://a/', emit: old}]\n").expect("valid").relay.is_none());
}

#[test]
fn an_empty_emit_is_none() {
    let text = "emit: old\ntargets: [{url: 'http://a/', emit: }, {url: 'http://b/', emit: ~}]\n\
                statsd:\n  listen: [{address: 'udp://:1', emit: }]\n  \
                forward: [{address: 'udp://a:2', emit: }]\n";
    let valid = settings(text).expect("valid");
    assert!(valid.targets.iter().all(|target| target.mapping.emit == Emit::Old));
    let selections = valid.relay.expect("a relay").plan_selections();
    assert_eq!(selections, [PlanSelection { emit: Emit::Old, packs: None }]);
    let Diagnostics(errors) = settings("emit:\ntargets: [{url: 'http://a/'}]\n").expect_err("none");
    assert!(errors[0].message.contains("no generation to emit"), "{}", errors[0].message);
}

#[test]
fn packs_of_a_relay() {
    let text = concat!(
        "statsd:\n  emit: new\n  packs: [kong]\n",
        "  listen: [{address: 'udp://:1'}, {address: 'udp://:2', packs: [a, b]}]\n",
        "  forward: [{address: 'udp://a:3'}, {address: 'udp://a:4', packs: [c], emit: old}]\n",
    );
    let relay = settings(text).expect("valid").relay.expect("a relay");
    let selection = |emit, packs: &[&str]| PlanSelection {
        emit,
        packs: Some(packs.iter().map(|&name| name.to_owned()).collect()),
    };
    assert_eq!(
        relay.plan_selections(),
        [
            selection(Emit::New, &["kong"]),
            selection(Emit::Old, &["c"]),
            selection(Emit::New, &["a", "b"]),
        ]
    );
    let general = settings(
        "emit: old\nstatsd:\n  listen: [{address: 'udp://:1'}]\n  \
                            forward: [{address: 'udp://a:3'}]\n",
    );
    let general = general.expect("valid").relay.expect("a relay").plan_selections();
    assert_eq!(general, [PlanSelection { emit: Emit::Old, packs: None }]);
}

#[test]
fn errors_of_a_relay() {
    for (text, parts) in [
        (
            "statsd: {listen: [{address: 'udp://:1'}]}",
            &["no sink", "c.yaml:1:19: udp://[::]:1: no generation"][..],
        ),
        ("{emit: old, statsd: {forward: [{address: 'udp://a:1'}]}}", &["no listener"]),
        (
            "emit: old\nstatsd:\n  listen: [{address: 'udp://:1'}, {address: 'udp://:1'}]\n  \
             forward: [{address: 'udp://a:1'}, {address: 'udp://a:1'}]\n  pack_bytes: 65508\n  \
             queue_bytes: 1\n  resolve_interval: 0s\n",
            &[
                "listened on twice",
                "a sink twice",
                "statsd.pack_bytes",
                "statsd.queue_bytes",
                "statsd.resolve_interval",
            ],
        ),
        (
            "emit: old\nstatsd:\n  listen: [{address: 'udp://0.0.0.0:1'}, {address: 'unixgram:/a'}]\n  \
             forward: [{address: 'udp://localhost:1'}, {address: 'unixgram:/a'}, {address: 'udp://a:1'}]\n",
            &[
                "the sink udp://localhost:1 is the gateway's own listener udp://0.0.0.0:1",
                "the sink unixgram:/a is the gateway's own listener unixgram:/a",
            ],
        ),
        (
            "emit: old\nstatsd:\n  listen: [{address: 'udp://:1', mode: 0666}]\n  \
             forward: [{address: 'udp://a:1'}]\n",
            &["udp://[::]:1 has no file"],
        ),
        (
            "emit: old\nstatsd:\n  listen: [{address: 'unixgram:/a', mode: 888}]\n  \
             forward: [{address: 'udp://a:1'}]\n",
            &["three or four octal digits"],
        ),
        (
            "emit: old\nruntime: {worker_threads: 1025}\nstatsd:\n  sockets: 18446744073709551615\n  \
             listen: [{address: 'udp://:1'}]\n  forward: [{address: 'udp://a:1'}]\n",
            &["runtime.worker_threads is 1025", "statsd.sockets is 18446744073709551615"],
        ),
    ] {
        let errors = settings(text).expect_err(text).to_string();
        assert_eq!(errors.lines().count(), parts.len(), "{errors}");
        for part in parts {
            assert!(errors.contains(part), "{part}: {errors}");
        }
    }
}

#[test]
fn errors_of_an_allow_list() {
    for (text, part) in [
        ("emit: old\nallow: [{ports: [80]}]", "neither host nor cidr"),
        ("emit: old\nallow: [{host: a, ports: []}]", "has no port"),
        ("allow: [{host: a, ports: [80]}]", "proxy: no generation to emit is given"),
        (
            "emit: old\nallow: [{host: a, ports: [80]}]\nmodules: {m: {authorization: {}}}",
            "modules.m: authorization has no credentials",
        ),
        (
            "emit: old\ntargets: [{url: 'http://a/', passthrough: [/metrics]}]",
            "target a: /metrics cannot be passed through",
        ),
        (
            "emit: old\ntargets: [{url: 'http://a/', passthrough: [/x]}, {url: 'http://b/', passthrough: [/x]}]",
            "target b: /x is passed through to a",
        ),
    ] {
        let errors = settings(text).expect_err(text).to_string();
        assert!(errors.contains(part), "{text}: {errors}");
    }
    for (text, part) in [
        ("allow: [{host: a}]", "a rule of `allow` lacks `ports`"),
        ("allow: [{host: 10.0.0.1, ports: [80]}]", "write it as cidr"),
        ("allow: [{cidr: 10.0.0.1/8, ports: [80]}]", "write 10.0.0.0/8"),
        ("allow: [{host: a, ports: [0]}]", "`0`"),
        ("allow: [{host: a, ports: [65536]}]", "`65536`"),
    ] {
        let errors = settings(text).expect_err(text).to_string();
        assert!(errors.contains(part), "{text}: {errors}");
    }
}

#[test]
fn an_allow_list_alone_will_do() {
    let text = concat!(
        "emit: old\nallow: [{host: '*.kong.svc', ports: [8100]}, {cidr: 10.0.0.0/8, ports: [8100, 8001]}]\n",
        "proxy: {emit: both}\nmodules: {new: {emit: new}}\n",
    );
    let named = settings(text).expect("valid").dynamic_targets.expect("allowed");
    assert_eq!(named.proxy.mapping.emit, Emit::Both);
    assert_eq!(named.probe.mapping.emit, Emit::Old);
    assert_eq!(named.modules["new"].mapping.emit, Emit::New);
    assert_eq!(named.modules["new"].name, "(probe:new)");

    let text = "emit: old\ntargets: [{url: 'http://a/'}]\n";
    assert_eq!(settings(text).expect("valid").dynamic_targets, None);
}

fn http(yaml: &str) -> Result<scrape::HttpSettings, String> {
    let text = format!("emit: old\ntargets: [{{url: 'https://kong/', {yaml}}}]\n");
    let settings = settings(&text).map_err(|errors| errors.to_string())?;
    Ok(settings.targets[0].http.clone())
}

#[test]
fn keys_for_requests_that_contradict_each_other() {
    for (yaml, part) in [
        ("basic_auth: {username: a}, authorization: {credentials: b}", "leave one out"),
        ("basic_auth: {username: a, password: b, password_file: c}", "both password and"),
        ("authorization: {type: basic, credentials: a}", "use basic_auth"),
        ("authorization: {}", "has no credentials"),
        ("authorization: {credentials: a, credentials_file: b}", "both credentials and"),
        ("http_headers: {X: {}}", "x has no value"),
        ("tls_config: {cert_file: a}", "without a key_file"),
        ("tls_config: {key_file: a}", "without a cert_file"),
        ("tls_config: {server_name: 'a b'}", "is `a b`; give it a host name"),
    ] {
        let error = http(yaml).expect_err(yaml);
        assert!(error.contains(part), "{yaml}: {error}");
        assert!(error.contains(": target kong: "), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

#[test]
fn names_are_those_of_prometheus() {
    let yaml = concat!(
        "authorization: {credentials: t}, ",
        "http_headers: {Kong-Admin-Token: {secrets: [a], files: [b], values: [c]}}, ",
        "tls_config: {ca_file: ca, cert_file: c, key_file: k, server_name: kong, ",
        "insecure_skip_verify: true, min_version: TLS13}",
    );
    let http = http(yaml).expect("valid");
    let bearer = scrape::SecretSource::Given(scrape::Secret::new("t".into()));
    let bearer = scrape::Authorization::Other { scheme: "Bearer".into(), credentials: bearer };
    assert_eq!(http.authorization, Some(bearer));
    assert_eq!(http.headers.len(), 3);
    assert!(http.tls.insecure_skip_verify && http.tls.min_version == scrape::TlsVersion::Tls13);
    assert_eq!(http.tls.identity.expect("given").key_file, std::path::Path::new("k"));
}
