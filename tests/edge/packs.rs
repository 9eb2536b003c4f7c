//! Which packs apply where.

use crate::Folder;
use crate::support::net::{Gateway, Upstream, get, whole};

const BODY: &str = "kong_http_status{code=\"200\"} 1\n\
                    apisix_nginx_http_current_connections{state=\"total\"} 2\n\
                    ours_a 3\n";

/// Which of the three packs have rewritten a body.
async fn rewritten(gateway: &Gateway, path: &str) -> [bool; 3] {
    let reply = get(gateway.data, path).await;
    assert_eq!(reply.status, 200, "{path}: {}", reply.text());
    let has = |name: &str| reply.text().lines().any(|line| line.starts_with(name));
    ["kong_http_requests_total{", "apisix_http_requests_total ", "ours_b "].map(has)
}

#[tokio::test]
async fn shipped_packs_apply_where_they_are_named() {
    let folder = Folder::new("shipped-packs");
    let ours =
        folder.write("ours.yaml", "name: ours\nprometheus: [{ old: ours_a, new: ours_b }]\n");
    let upstream = Upstream::answering(whole(BODY)).await;
    let settings = |packs: &str| {
        let (url, ours, port) = (upstream.url(), ours.display(), upstream.address.port());
        let packs = packs.replace("ours.yaml", &ours.to_string());
        format!(
            "emit: new\npacks: [{packs}]\n\
             targets:\n\
             - {{name: general, url: '{url}'}}\n\
             - {{name: apisix, url: '{url}', packs: [apisix]}}\n\
             - {{name: both, url: '{url}', packs: [kong, apisix]}}\n\
             probe: {{packs: [apisix]}}\n\
             modules: {{kong: {{packs: [kong]}}}}\n\
             allow: [{{cidr: 127.0.0.0/8, ports: [{port}]}}]\n"
        )
    };
    let gateway = Gateway::start(&settings("")).await;
    let probe = format!("/probe?target={}", upstream.address);
    let of_targets = [
        ("/targets/apisix/metrics", [false, true, false]),
        ("/targets/both/metrics", [true, true, false]),
        (&probe, [false, true, false]),
        (&format!("{probe}&module=kong"), [true, false, false]),
    ];
    let general = [
        ("", [true, false, false]),
        ("'ours.yaml'", [true, false, true]),
        ("apisix", [false, true, false]),
        ("apisix, 'ours.yaml'", [false, true, true]),
        ("kong, apisix", [true, true, false]),
    ];
    for (packs, expected) in general {
        gateway.reload(&settings(packs)).await.expect("valid");
        assert_eq!(rewritten(&gateway, "/targets/general/metrics").await, expected, "{packs}");
        for (path, expected) in &of_targets {
            assert_eq!(rewritten(&gateway, path).await, *expected, "{packs}: {path}");
        }
    }
}

#[tokio::test]
async fn packs_that_do_not_exist_are_errors() {
    let gateway = Gateway::start("emit: new\ntargets: [{url: 'http://127.0.0.1:1/'}]\n").await;
    for (packs, targets, error) in [
        ("[apisx]", "", "did you mean the shipped pack `apisix`?"),
        ("[]", ", packs: [apisx]", "did you mean `apisix`?"),
        // `ours` is no shipped pack, and no file of the general list has this name.
        ("[apisix]", ", packs: [ours]", "there is no pack named `ours`"),
    ] {
        let text = format!(
            "emit: new\npacks: {packs}\ntargets: [{{url: 'http://127.0.0.1:1/'{targets}}}]\n"
        );
        let message = gateway.reload(&text).await.expect_err(packs);
        assert!(message.contains(error), "{message}");
    }
}

/// A pack for the next rename, and one that reduces the output, in a gateway.
#[tokio::test]
async fn chains_and_reductions_are_served_counted_and_shown() {
    let folder = Folder::new("chains");
    let first = folder.write(
        "first.yaml",
        "name: first\neditions: { old: ['1'], new: ['2'] }\n\
         prometheus: [{ old: hits, new: hits_total }]\n",
    );
    let second = folder.write(
        "second.yaml",
        "name: second\nfollows: first\neditions: { old: ['2'], new: ['3'] }\n\
         prometheus: [{ old: hits_total, new: requests_total }]\n\
         reduce: [{ drop: go_threads }, { family: requests_total, without: [pod] }]\n",
    );
    let body = "# TYPE hits counter\nhits{pod=\"a\"} 1\nhits{pod=\"b\"} 2\ngo_threads 4\n";
    let upstream = Upstream::answering(whole(body)).await;
    let settings = |emit: &str| {
        let (first, second) = (first.display(), second.display());
        format!(
            "emit: {emit}\npacks: ['{first}', '{second}']\n\
             targets: [{{name: shop, url: '{}'}}]\n",
            upstream.url()
        )
    };
    let gateway = Gateway::start(&settings("new")).await;
    let text = get(gateway.data, "/metrics").await.text().to_owned();
    assert_eq!(text, "# TYPE requests_total counter\nrequests_total 3\n");
    for (series, value) in [
        ("crossfade_dropped_lines_total{reason=\"dropped_by_pack\",target=\"shop\"}", 1),
        ("crossfade_rule_read_samples_total{from=\"hits\",target=\"shop\",to=\"hits_total\"}", 2),
        (
            "crossfade_rule_written_samples_total{from=\"requests_total\",target=\"shop\",\
             to=\"requests_total\"}",
            1,
        ),
        ("crossfade_samples_written_total{target=\"shop\"}", 1),
    ] {
        assert_eq!(gateway.metric(series).await, Some(value), "{series}");
    }
    let reply = get(gateway.admin, "/api/targets").await;
    let answer: serde_json::Value = serde_json::from_slice(&reply.body).expect("JSON");
    let report = &answer["targets"][0]["report"];
    assert_eq!(report["reduced"][0]["title"], "requests_total without (pod)");
    assert_eq!((&report["samples_out"], &report["generations"]), (&1.into(), &["old"][..].into()));

    gateway.reload(&settings("2")).await.expect("valid");
    let text = get(gateway.data, "/metrics").await.text().to_owned();
    assert_eq!(
        text,
        "# TYPE hits_total counter\nhits_total{pod=\"a\"} 1\nhits_total{pod=\"b\"} 2\n"
    );
    let error = gateway.reload(&settings("both")).await.expect_err("refused");
    assert!(error.contains("`both` is not possible for packs that follow others"), "{error}");
}
