//! A target or a client that takes as much as it can leaves enough for the others.

use crate::support::net::{Client, End, Gateway, Reply, Upstream};
use crate::support::net::{get, ok, request, whole};
use tokio::sync::mpsc;

fn settings(url: &str) -> String {
    format!("emit: old\ntargets:\n- name: kong\n  url: {url}\n")
}

#[tokio::test]
async fn interim_responses_without_end_are_a_502() {
    let flood = b"HTTP/1.1 100 Continue\r\n\r\n".repeat(1000);
    let upstream = Upstream::scripted(move |mut exchange| {
        let flood = flood.clone();
        async move { while exchange.sends(&flood).await {} }
    })
    .await;
    let gateway = Gateway::start(&settings(&upstream.url())).await;
    let reply = get(gateway.data, "/metrics").await;
    assert_eq!(reply.status, 502, "{}", reply.text());
    assert!(reply.text().contains("262144 bytes before the end of its head"), "{}", reply.text());
}

/// An upstream that never answers, and the number of requests that have arrived.
async fn silent() -> (Upstream, mpsc::UnboundedReceiver<String>) {
    let (asked, seen) = mpsc::unbounded_channel();
    let upstream = Upstream::scripted(move |mut exchange| {
        let asked = asked.clone();
        async move {
            asked.send(exchange.head.clone()).expect("the test listens");
            exchange.closed().await;
        }
    })
    .await;
    (upstream, seen)
}

#[tokio::test]
async fn a_silent_target_leaves_scrapes_for_the_others() {
    let (silent, mut asked) = silent().await;
    let other = Upstream::answering(whole("up 1\n")).await;
    let gateway = Gateway::start(&format!(
        "emit: old\nlimits: {{scrapes: 8}}\ntargets:\n- {{name: silent, url: '{}'}}\n- {{name: other, url: '{}'}}\n",
        silent.url(),
        other.url()
    ))
    .await;
    let head = |number| format!("GET /targets/silent/metrics?{number} HTTP/1.1\r\nHost: x\r\n\r\n");
    let mut waiting = Vec::new();
    for number in 0..4 {
        let mut client = Client::connect(gateway.data).await;
        client.send(&head(number)).await;
        asked.recv().await.expect("asked");
        waiting.push(client);
    }
    let reply = request(gateway.data, &head(4)).await;
    assert_eq!(reply.status, 503);
    assert!(reply.text().contains("half of limits.scrapes"), "{}", reply.text());
    assert_eq!(get(gateway.data, "/targets/other/metrics").await.status, 200);
    let refused = "crossfade_refused_requests_total{reason=\"target_busy\"}";
    assert_eq!(gateway.metric(refused).await, Some(1));
}

#[tokio::test]
async fn the_timeout_of_a_client_is_limited() {
    let (silent, mut asked) = silent().await;
    let url = silent.url();
    for (max, told) in [("", "59.5"), ("scrape: {max_timeout: 5m}\n", "299.5")] {
        let gateway = Gateway::start(&format!("{}{max}", settings(&url))).await;
        let mut client = Client::connect(gateway.data).await;
        let claim = "X-Prometheus-Scrape-Timeout-Seconds: 1e9";
        client.send(&format!("GET /metrics HTTP/1.1\r\nHost: x\r\n{claim}\r\n\r\n")).await;
        let head = asked.recv().await.expect("asked").to_ascii_lowercase();
        assert!(head.contains(&format!("timeout-seconds: {told}\r\n")), "{head}");
    }
}

/// Probes a path of the upstream.
async fn probe(gateway: &Gateway, upstream: &Upstream, path: &str) -> Reply {
    get(gateway.data, &format!("/probe?target={}{path}", upstream.address)).await
}

async fn allowing(upstream: &Upstream) -> Gateway {
    let (address, port) = (upstream.address.ip(), upstream.address.port());
    Gateway::start(&format!("emit: old\nallow: [{{cidr: {address}, ports: [{port}]}}]\n")).await
}

/// An upstream that answers one request on each connection, and the head of the request of each
/// connection that the gateway has closed. `ends`: it closes its side after the response.
async fn reporting(ends: bool) -> (Upstream, mpsc::UnboundedReceiver<String>) {
    let (closed, ended) = mpsc::unbounded_channel();
    let upstream = Upstream::scripted(move |mut exchange| {
        let closed = closed.clone();
        async move {
            exchange.send(whole("up 1\n")).await;
            if ends {
                exchange.end().await;
            }
            exchange.closed().await;
            closed.send(exchange.head.clone()).expect("the test listens");
        }
    })
    .await;
    (upstream, ended)
}

#[tokio::test]
async fn only_so_many_paths_of_a_target_have_connections() {
    let (upstream, mut ended) = reporting(false).await;
    let gateway = allowing(&upstream).await;
    for number in 0..=8 {
        assert_eq!(probe(&gateway, &upstream, &format!("/{number}")).await.status, 200);
    }
    let head = ended.recv().await.expect("closed");
    assert!(head.starts_with("GET /0 "), "the one that was unused longest: {head}");
}

#[tokio::test]
async fn invented_paths_do_not_replace_a_target() {
    let upstream = Upstream::scripted(|mut exchange| async move {
        loop {
            if exchange.head.starts_with("GET /metrics ") {
                exchange.send(whole(format!("up {}\n", exchange.number))).await;
            } else {
                exchange.send("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").await;
            }
            if !exchange.next_request().await {
                return;
            }
        }
    })
    .await;
    let gateway = allowing(&upstream).await;
    assert_eq!(probe(&gateway, &upstream, "/metrics").await.text(), "up 0\n");
    for number in 0..20 {
        assert_eq!(probe(&gateway, &upstream, &format!("/{number}")).await.status, 502);
    }
    let again = probe(&gateway, &upstream, "/metrics").await;
    assert_eq!(again.text(), "up 0\n", "its connection is still there");
}

#[tokio::test]
async fn a_target_that_closes_a_kept_connection_frees_it() {
    let (upstream, mut ended) = reporting(true).await;
    let gateway = Gateway::to(upstream.url()).await;
    assert_eq!(get(gateway.data, "/metrics").await.status, 200);
    ended.recv().await.expect("closed by the gateway, too");
}

#[tokio::test]
async fn an_unfinished_line_counts_as_held() {
    let upstream = Upstream::scripted(|mut exchange| async move {
        exchange.send(ok("", format!("up 1\nx{{y=\"{}", "z".repeat(900_000)))).await;
        exchange.closed().await;
    })
    .await;
    let limit = "limits: {all_held_bytes: 512KiB}\n";
    let gateway = Gateway::start(&format!("{}{limit}", settings(&upstream.url()))).await;
    let reply = get(gateway.data, "/metrics").await;
    assert_eq!(reply.end, End::Cut);
    assert_eq!(gateway.scrapes("held_bytes").await, 1);
}
