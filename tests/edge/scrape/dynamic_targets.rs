//! Every way to put the gateway in place, and that no client gets through it where it does not
//! belong.

use std::sync::Arc;

use crate::support::net::{Client, End, Gateway, Refusing, Reply, Upstream};
use crate::support::net::{chunked, get, ok, request, whole};
use serde_json::{Value, json};
use tokio::sync::{Notify, mpsc};

pub(super) const NEW: &str = "kong_bandwidth_bytes{direction=\"egress\"} 2\n";
const OLD: &str = "kong_bandwidth{type=\"egress\"} 2\n";

/// An upstream that reports the head of each request.
pub(super) async fn telling(answer: Vec<u8>) -> (Upstream, mpsc::UnboundedReceiver<String>) {
    let (heads, seen) = mpsc::unbounded_channel();
    let upstream = Upstream::scripted(move |mut exchange| {
        let (heads, answer) = (heads.clone(), answer.clone());
        async move {
            loop {
                heads.send(exchange.head.clone()).expect("the test listens");
                exchange.send(&answer).await;
                if !exchange.next_request().await {
                    return;
                }
            }
        }
    })
    .await;
    (upstream, seen)
}

/// A gateway whose clients may name this upstream, which is on the loopback interface and so has to
/// be named itself.
pub(super) async fn allowing(upstream: &Upstream, more: &str) -> Gateway {
    let port = upstream.address.port();
    Gateway::start(&format!("emit: old\nallow: [{{cidr: 127.0.0.1, ports: [{port}]}}]\n{more}"))
        .await
}

/// Asks as Prometheus does with a `proxy_url`.
pub(crate) async fn through_proxy(gateway: &Gateway, url: &str) -> Reply {
    let (_, rest) = url.split_once("://").expect("a URL");
    let host = rest.split('/').next().expect("a host");
    let head =
        format!("GET {url} HTTP/1.1\r\nHost: {host}\r\nProxy-Connection: keep-alive\r\n\r\n");
    request(gateway.data, &head).await
}

#[track_caller]
pub(super) fn assert_old(reply: &Reply) {
    assert_eq!((reply.status, reply.end), (200, End::Whole), "{}", reply.text());
    assert!(reply.text().ends_with(OLD), "{}", reply.text());
}

// Proxy

#[tokio::test]
async fn a_proxied_scrape_is_rewritten() {
    let (upstream, mut seen) = telling(whole(NEW)).await;
    let gateway = allowing(&upstream, "").await;
    let url = format!("http://{}/metrics?a=b", upstream.address);
    for _ in 0..2 {
        assert_old(&through_proxy(&gateway, &url).await);
        let head = seen.recv().await.expect("asked");
        assert!(head.starts_with("GET /metrics?a=b HTTP/1.1\r\n"), "{head}");
        assert!(
            head.to_lowercase().contains(&format!("\r\nhost: {}\r\n", upstream.address)),
            "{head}"
        );
        assert!(!head.to_lowercase().contains("proxy-connection"), "{head}");
    }
    assert_eq!(upstream.connections(), 1, "its connection is kept like any target's");
    let success = "crossfade_scrapes_total{outcome=\"success\",target=\"(proxy)\"}";
    assert_eq!(gateway.metric(success).await, Some(2));
}

#[tokio::test]
async fn proxied_targets_use_the_settings_of_the_proxy() {
    let (upstream, mut seen) = telling(whole(NEW)).await;
    let gateway = allowing(
        &upstream,
        "proxy: {emit: both, authorization: {credentials: t}}\nprobe: {emit: new}\n",
    )
    .await;
    let reply = through_proxy(&gateway, &upstream.url()).await;
    assert!(reply.text().contains(OLD) && reply.text().contains(NEW), "{}", reply.text());
    let head = seen.recv().await.expect("asked").to_lowercase();
    assert!(head.contains("authorization: bearer t\r\n"), "{head}");
    let reply = get(gateway.data, &format!("/probe?target={}", upstream.address)).await;
    assert_eq!(reply.text(), NEW);
    let head = seen.recv().await.expect("asked").to_lowercase();
    assert!(!head.contains("authorization"), "{head}");
}

#[tokio::test]
async fn connect_is_refused_with_advice() {
    let (upstream, _seen) = telling(whole(NEW)).await;
    let gateway = allowing(&upstream, "").await;
    let mut client = Client::connect(gateway.data).await;
    let to = upstream.address;
    client.send(&format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n\r\n")).await;
    // Of a response to CONNECT, Go shows only this line.
    let line = client.read_until("\r\n").await;
    assert!(line.starts_with("HTTP/1.1 501 TLS in a tunnel cannot be rewritten; add "), "{line}");
    let reply = {
        let head = format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n\r\n");
        request(gateway.data, &head).await
    };
    assert!(reply.text().contains(&format!("https://{to}/")), "{}", reply.text());
    assert_eq!(upstream.connections(), 0);
    assert_eq!(
        gateway.metric("crossfade_refused_requests_total{reason=\"connect\"}").await,
        Some(2)
    );
}

#[tokio::test]
async fn a_failed_proxied_scrape_is_reported() {
    let refusing = Refusing::new();
    let port = refusing.address.port();
    let gateway =
        Gateway::start(&format!("emit: old\nallow: [{{cidr: 127.0.0.0/8, ports: [{port}]}}]\n"))
            .await;
    let reply = through_proxy(&gateway, &refusing.url()).await;
    assert_eq!(reply.status, 502);
    let text = reply.text();
    assert!(text.contains(&refusing.url()) && text.contains("Connection refused"), "{text}");
}

// Probe

#[tokio::test]
async fn a_probe_scrapes_the_target_of_its_query() {
    let (upstream, mut seen) = telling(whole(NEW)).await;
    let address = upstream.address;
    let gateway = allowing(&upstream, "modules: {new: {emit: new}}\n").await;
    let escaped = format!("http%3A%2F%2F{address}%2Fm%3Fx%3Dy");
    for (query, asked_for, body) in [
        (format!("target={address}"), "/metrics", OLD),
        (format!("target={address}/status/metrics"), "/status/metrics", OLD),
        (format!("target=http://{address}"), "/metrics", OLD),
        (format!("a=b&target={escaped}&c"), "/m?x=y&a=b&c", OLD),
        (format!("target={address}&module=new"), "/metrics", NEW),
        (format!("target={address}&module="), "/metrics", OLD),
    ] {
        let reply = get(gateway.data, &format!("/probe?{query}")).await;
        assert_eq!(reply.status, 200, "{query}: {}", reply.text());
        assert!(reply.text().ends_with(body), "{query}: {}", reply.text());
        let head = seen.recv().await.expect("asked");
        assert!(head.starts_with(&format!("GET {asked_for} HTTP/1.1\r\n")), "{query}: {head}");
    }
    for query in [
        "",
        "?",
        "?target=",
        "?target=/metrics",
        "?target=%ff",
        "?target=u:p@kong:1",
        "?module=new",
    ] {
        let reply = get(gateway.data, &format!("/probe{query}")).await;
        assert_eq!(reply.status, 400, "{query}: {}", reply.text());
        assert!(reply.text().contains("/probe?target=HOST:PORT"), "{query}: {}", reply.text());
    }
    let reply = get(gateway.data, &format!("/probe?target={address}&module=x")).await;
    assert_eq!((reply.status, reply.text().contains("no such module")), (400, true));
}

// Service discovery

#[tokio::test]
async fn service_discovery_lists_every_target() {
    let settings = concat!(
        "emit: old\ntargets:\n",
        "- {name: b, url: 'https://kong-b/metrics', labels: {instance: kong-b.example, cluster: eu}}\n",
        "- {url: 'http://kong-a:8100/metrics'}\n",
    );
    let gateway = Gateway::start(settings).await;
    let groups = async |gateway: &Gateway, head: &str| {
        let reply = request(gateway.data, head).await;
        assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/json")));
        serde_json::from_str::<Value>(reply.text()).expect("JSON")
    };
    let expected = |address: &str| {
        json!([
            {
                "targets": [address],
                "labels": {
                    "__metrics_path__": "/targets/b/metrics", "instance": "kong-b.example", "cluster": "eu"
                },
            },
            {
                "targets": [address],
                "labels": {"__metrics_path__": "/targets/kong-a:8100/metrics", "instance": "kong-a:8100"},
            },
        ])
    };
    let head = "GET /sd HTTP/1.1\r\nHost: crossfade.example:9542\r\n\r\n";
    assert_eq!(groups(&gateway, head).await, expected("crossfade.example:9542"));

    let settings = format!("{settings}web: {{external_address: 'gateway:80'}}\n");
    let fixed = Gateway::start(&settings).await;
    assert_eq!(groups(&fixed, head).await, expected("gateway:80"));

    let reply = request(gateway.data, "GET /sd HTTP/1.0\r\n\r\n").await;
    assert_eq!(reply.status, 400);
    assert!(reply.text().contains("web.external_address"), "{}", reply.text());

    // Without targets the response is an empty list, not an error.
    let none = Gateway::start("emit: old\nallow: [{host: a, ports: [1]}]\n").await;
    assert_eq!(groups(&none, head).await, json!([]));
}

// Sidecar

#[tokio::test]
async fn listed_paths_are_forwarded_unchanged() {
    let answer = concat!(
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: 2\r\n",
        "X-Kong-Node: n1\r\nConnection: X-Hop\r\nX-Hop: 1\r\n\r\n{}"
    );
    let (upstream, mut seen) = telling(answer.into()).await;
    let gateway = Gateway::start(&format!(
        "emit: old\ntargets: [{{name: kong, url: '{}', passthrough: [/status, /status/ready]}}]\n",
        upstream.url()
    ))
    .await;
    let head = "GET /status/ready?full=1 HTTP/1.1\r\nHost: x\r\nAccept: application/json\r\nKong-Admin-Token: t\r\n\r\n";
    let reply = request(gateway.data, head).await;
    assert_eq!((reply.status, reply.text(), reply.end), (503, "{}", End::Whole));
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!((reply.header("x-kong-node"), reply.header("x-hop")), (Some("n1"), None));
    let head = seen.recv().await.expect("asked").to_lowercase();
    assert!(head.starts_with("get /status/ready?full=1 http/1.1\r\n"), "{head}");
    assert!(head.contains("\r\naccept: application/json\r\n"), "{head}");
    assert!(head.contains("\r\nkong-admin-token: t\r\n"), "{head}");

    let reply = request(gateway.data, "HEAD /status HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!((reply.status, reply.header("content-length")), (503, Some("2")));
    assert!(seen.recv().await.expect("asked").starts_with("HEAD /status HTTP/1.1\r\n"));

    for path in
        ["/status/", "/status/other", "/Status", "//status", "/status/../services", "/%73tatus"]
    {
        assert_eq!(get(gateway.data, path).await.status, 404, "{path}");
    }
    let head = "POST /status HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(request(gateway.data, head).await.status, 405);
    assert!(seen.try_recv().is_err(), "nothing else got through");
    let answered = "crossfade_passthrough_requests_total{outcome=\"answered\",target=\"kong\"}";
    assert_eq!(gateway.metric(answered).await, Some(2));
}

#[tokio::test]
async fn a_forwarded_response_has_one_length() {
    let forwarded = async |answer: &str| {
        let upstream = Upstream::closing(answer.as_bytes().to_vec()).await;
        let gateway = Gateway::start(&format!(
            "emit: old\ntargets: [{{name: kong, url: '{}', passthrough: [/status]}}]\n",
            upstream.url()
        ))
        .await;
        get(gateway.data, "/status").await
    };
    let both = "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    let reply = forwarded(&format!("HTTP/1.1 200 OK\r\n{both}")).await;
    assert_eq!((reply.status, reply.end, reply.text()), (200, End::Whole, "hello"));

    let reply = forwarded("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nhel").await;
    assert_eq!(reply.status, 502);
    assert!(reply.text().contains("Transfer-Encoding is \"gzip\""), "{}", reply.text());

    let reply = forwarded("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n").await;
    assert_eq!(reply.status, 502);
}

#[tokio::test]
async fn a_forwarded_response_is_streamed_and_truncated_like_its_source() {
    let seen = Arc::new(Notify::new());
    let signal = Arc::clone(&seen);
    let upstream = Upstream::scripted(move |mut exchange| {
        let signal = Arc::clone(&signal);
        async move {
            exchange.send(chunked(&["{\"a\":"])).await;
            signal.notified().await;
        }
    })
    .await;
    let gateway = Gateway::start(&format!(
        "emit: old\ntargets: [{{name: kong, url: '{}', passthrough: [/status]}}]\n",
        upstream.url()
    ))
    .await;
    let mut client = Client::connect(gateway.data).await;
    client.send("GET /status HTTP/1.1\r\nHost: x\r\n\r\n").await;
    client.read_until("{\"a\":").await;
    seen.notify_one();
    assert!(client.ends_cut().await);

    let refusing = Refusing::new();
    let gateway = Gateway::start(&format!(
        "emit: old\ntargets: [{{name: kong, url: '{}', passthrough: [/status]}}]\n",
        refusing.url()
    ))
    .await;
    let reply = get(gateway.data, "/status").await;
    assert_eq!(reply.status, 502);
    assert!(reply.text().contains("cannot connect"), "{}", reply.text());
    let failed = "crossfade_passthrough_requests_total{outcome=\"connect\",target=\"kong\"}";
    assert_eq!(gateway.metric(failed).await, Some(1));

    let endless = Upstream::scripted(|mut exchange| async move {
        exchange.send(ok("", "{")).await;
        exchange.closed().await;
    })
    .await;
    let gateway = Gateway::start(&format!(
        "emit: old\nscrape: {{timeout: 100ms}}\ntargets: [{{name: kong, url: '{}', passthrough: [/status]}}]\n",
        endless.url()
    ))
    .await;
    let reply = get(gateway.data, "/status").await;
    assert_eq!((reply.status, reply.end), (200, End::Cut));
}
