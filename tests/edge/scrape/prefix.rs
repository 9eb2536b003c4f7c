//! Both listeners below a prefix, and how clients reach them through a proxy.

use serde_json::{Value, json};

use super::dynamic_targets::{NEW, telling};
use crate::support::net::{Gateway, get, request, whole};

/// What `/sd` reports: address, path and scheme of the only target.
async fn discovered(gateway: &Gateway, path: &str) -> (Value, Value, Value) {
    let head = format!("GET {path} HTTP/1.1\r\nHost: own:9542\r\n\r\n");
    let reply = request(gateway.data, &head).await;
    let groups: Value = serde_json::from_str(reply.text()).expect("JSON");
    let labels = &groups[0]["labels"];
    let (path, scheme) = (&labels["__metrics_path__"], &labels["__scheme__"]);
    (groups[0]["targets"][0].clone(), path.clone(), scheme.clone())
}

#[tokio::test]
async fn all_paths_are_below_the_prefix() {
    let (upstream, mut seen) = telling(whole(NEW)).await;
    let gateway = Gateway::start(&format!(
        "emit: old\nweb: {{route_prefix: /a/b/}}\n\
         targets: [{{name: kong, url: '{}', passthrough: [/status]}}]\n",
        upstream.url()
    ))
    .await;
    for path in ["/a/b/metrics", "/a/b/targets/kong/metrics"] {
        let reply = get(gateway.data, path).await;
        assert!(reply.text().contains("kong_bandwidth{"), "{path}: {}", reply.text());
        assert!(seen.recv().await.expect("asked").starts_with("GET /metrics HTTP/1.1\r\n"));
    }
    assert_eq!(get(gateway.data, "/a/b/status?x=/a/b").await.status, 200);
    let head = seen.recv().await.expect("asked");
    assert!(head.starts_with("GET /status?x=/a/b HTTP/1.1\r\n"), "{head}");

    for path in ["/metrics", "/a/metrics", "/a/bc/metrics", "/sd", "/status", "/a/b/x"] {
        let reply = get(gateway.data, path).await;
        assert_eq!(reply.status, 404, "{path}");
        let text = "Unknown path; scrape one of\n/a/b/targets/kong/metrics\n";
        assert_eq!(reply.text(), text, "{path}");
    }
    for (path, to) in [("/", "a/b/"), ("/a/b", "b/")] {
        for listener in [gateway.data, gateway.admin] {
            let reply = get(listener, path).await;
            assert_eq!((reply.status, reply.header("location")), (302, Some(to)), "{path}");
        }
    }
    // Relative links are right below any prefix.
    let page = get(gateway.data, "/a/b/").await;
    for part in [
        "<a href=\"targets/kong/metrics\">/a/b/targets/kong/metrics</a>",
        "<a href=\"metrics\">/a/b/metrics</a>",
        "<a href=\"sd\">/a/b/sd</a>",
    ] {
        assert!(page.text().contains(part), "{part}: {}", page.text());
    }
    let (address, path, scheme) = discovered(&gateway, "/a/b/sd").await;
    assert_eq!((address, path), (json!("own:9542"), json!("/a/b/targets/kong/metrics")));
    assert_eq!(scheme, Value::Null);

    for path in ["/a/b/-/healthy", "/a/b/-/ready", "/a/b/metrics", "/a/b/", "/a/b/api/status"] {
        assert_eq!(get(gateway.admin, path).await.status, 200, "{path}");
    }
    for path in ["/-/healthy", "/metrics", "/api/targets", "/-/reload", "/a/b/x"] {
        let reply = get(gateway.admin, path).await;
        assert_eq!(reply.status, 404, "{path}");
        assert!(reply.text().contains("; /a/b/ lists the paths"), "{}", reply.text());
    }
    assert_eq!(get(gateway.admin, "/a/b/-/reload").await.status, 403);
    let targets: Value =
        serde_json::from_str(get(gateway.admin, "/a/b/api/targets").await.text()).expect("JSON");
    assert_eq!(targets["targets"][0]["path"], "/a/b/targets/kong/metrics");
    let body = r#"{"lines": "", "target": "kong"}"#;
    let head = format!(
        "POST /a/b/api/explain HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    assert_ne!(request(gateway.admin, &head).await.status, 404);
}

#[tokio::test]
async fn the_external_url_is_that_of_a_proxy() {
    let settings = |web: &str| {
        format!(
            "emit: old\nweb: {web}\ntargets: [{{name: kong, url: 'http://kong:8100/metrics'}}]\n"
        )
    };
    let at = |address: &str, prefix: &str, scheme: Value| {
        (json!(address), json!(format!("{prefix}/targets/kong/metrics")), scheme)
    };
    // Its path is the prefix.
    let gateway = Gateway::start(&settings("{external_url: 'https://m.example/c'}")).await;
    assert_eq!(discovered(&gateway, "/c/sd").await, at("m.example", "/c", json!("https")));
    assert_eq!(get(gateway.admin, "/c/-/healthy").await.status, 200);

    // The proxy removes it.
    let web = "{external_url: 'http://m.example:81/c', route_prefix: /}";
    let gateway = Gateway::start(&settings(web)).await;
    assert_eq!(discovered(&gateway, "/sd").await, at("m.example:81", "/c", json!("http")));
    assert_eq!(get(gateway.admin, "/-/healthy").await.status, 200);
    let page = get(gateway.data, "/").await;
    let link = "<a href=\"targets/kong/metrics\">/c/targets/kong/metrics</a>";
    assert!(page.text().contains(link), "{}", page.text());

    // Prometheus does not use the proxy.
    let web = "{external_url: 'https://m.example/c', route_prefix: /r, external_address: 'own:1'}";
    let gateway = Gateway::start(&settings(web)).await;
    assert_eq!(discovered(&gateway, "/r/sd").await, at("own:1", "/r", Value::Null));
}
