//! New settings for a gateway that runs.

use std::sync::Arc;

use crate::Folder;
use crate::scrape::dynamic_targets::through_proxy;
use crate::support::net::{Client, Gateway, Reply, Upstream, get, request, whole};
use tokio::sync::Notify;

const OLD: &str = "kong_bandwidth{type=\"egress\"} 1\n";

fn settings(targets: &[(&str, &Upstream)], more: &str) -> String {
    let target = |(name, upstream): &(&str, &Upstream)| {
        format!("  - {{name: {name}, url: '{}'}}\n", upstream.url())
    };
    let targets: String = targets.iter().map(target).collect();
    format!("emit: old\ntargets:\n{targets}{more}")
}

#[tokio::test]
async fn a_reload_replaces_targets_and_their_generations() {
    let (a, b) = (Upstream::answering(whole(OLD)).await, Upstream::answering(whole(OLD)).await);
    let gateway = Gateway::start(&settings(&[("a", &a)], "")).await;
    assert_eq!(get(gateway.data, "/metrics").await.text(), OLD);
    assert_eq!(
        gateway.metric("crossfade_scrapes_total{outcome=\"success\",target=\"a\"}").await,
        Some(1)
    );

    let new = settings(&[("b", &b)], "").replace("emit: old", "emit: new");
    gateway.reload(&new).await.expect("valid");
    assert_eq!(get(gateway.data, "/targets/a/metrics").await.status, 404);
    let reply = get(gateway.data, "/targets/b/metrics").await;
    assert!(
        reply.text().ends_with("kong_bandwidth_bytes{direction=\"egress\"} 1\n"),
        "{}",
        reply.text()
    );

    let metrics = get(gateway.admin, "/metrics").await;
    assert!(!metrics.text().contains("target=\"a\""), "{}", metrics.text());
    assert!(metrics.text().contains("target=\"b\""), "{}", metrics.text());
    let hold = "crossfade_config_last_reload_successful";
    assert_eq!(gateway.metric(hold).await, Some(1));
}

#[tokio::test]
async fn a_reload_replaces_limits() {
    let upstream = Upstream::answering(whole("up{a=\"1\",b=\"2\"} 1\n")).await;
    let gateway = Gateway::to(upstream.url()).await;
    assert_eq!(get(gateway.data, "/metrics").await.status, 200);
    let strict = settings(&[("kong", &upstream)], "limits: {labels: 1}\nmalformed: fail\n");
    gateway.reload(&strict).await.expect("valid");
    let reply = get(gateway.data, "/metrics").await;
    assert_eq!(reply.status, 502, "{}", reply.text());
}

/// A line that is held: requests of all consumers are summed.
fn gathered(n: u32) -> String {
    let labels =
        format!("service=\"s{n}\",route=\"r\",code=\"200\",source=\"service\",consumer=\"c\"");
    format!("kong_http_requests_total{{{labels}}} 1\n")
}

#[tokio::test]
async fn scrapes_in_flight_count_for_new_limits() {
    let go_on = Arc::new(Notify::new());
    let signal = Arc::clone(&go_on);
    // Two families become one, so its lines are held until the end. The lines after them show that
    // they were read.
    let slow = Upstream::scripted(move |mut exchange| {
        let signal = Arc::clone(&signal);
        async move {
            let held: String = (0..1_000).map(gathered).collect();
            exchange.send(format!("HTTP/1.1 200 OK\r\n\r\n{held}up 1\n")).await;
            signal.notified().await;
        }
    })
    .await;
    let other = Upstream::answering(whole(gathered(1))).await;
    let targets = [("slow", &slow), ("other", &other)];
    let gateway = Gateway::start(&settings(&targets, "")).await;
    let mut client = Client::connect(gateway.data).await;
    client.send("GET /targets/slow/metrics HTTP/1.1\r\nHost: x\r\n\r\n").await;
    client.read_until("up 1\n").await;

    gateway.reload(&settings(&targets, "limits: {scrapes: 1}\n")).await.expect("valid");
    let reply = get(gateway.data, "/targets/other/metrics").await;
    assert_eq!(reply.status, 503, "{}", reply.text());
    assert!(reply.text().contains("limits.scrapes"), "{}", reply.text());

    gateway.reload(&settings(&targets, "limits: {all_held_bytes: 16KiB}\n")).await.expect("valid");
    let reply = get(gateway.data, "/targets/other/metrics").await;
    assert_eq!(reply.status, 503, "{}", reply.text());
    assert!(reply.text().contains("limits.all_held_bytes"), "{}", reply.text());

    go_on.notify_one();
    client.read_until("0\r\n\r\n").await;
    for more in ["limits: {scrapes: 1}\n", "limits: {all_held_bytes: 16KiB}\n"] {
        gateway.reload(&settings(&targets, more)).await.expect("valid");
        assert_eq!(get(gateway.data, "/targets/other/metrics").await.status, 200, "{more}");
    }
}

#[tokio::test]
async fn a_reload_reads_packs_again() {
    let folder = Folder::new("packs");
    let pack = folder.join("mine.yaml");
    let write = |new: &str| {
        let text = format!("name: mine\nprometheus:\n  - old: a_b\n    new: {new}\n");
        std::fs::write(&pack, text).expect("writable");
    };
    write("a_c");
    let upstream = Upstream::answering(whole("a_c 1\na_d 2\n")).await;
    let text = settings(&[("kong", &upstream)], &format!("packs: ['{}']\n", pack.display()));
    let gateway = Gateway::start(&text).await;
    assert_eq!(get(gateway.data, "/metrics").await.text(), "a_b 1\na_d 2\n");
    write("a_d");
    gateway.reload(&text).await.expect("valid");
    assert_eq!(get(gateway.data, "/metrics").await.text(), "a_c 1\na_b 2\n");
}

#[tokio::test]
async fn an_error_keeps_the_settings_and_is_reported() {
    let upstream = Upstream::answering(whole(OLD)).await;
    let good = settings(&[("kong", &upstream)], "web: {enable_lifecycle: true}\n");
    let gateway = Gateway::start(&good).await;
    let post = "POST /-/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n";
    let first = gateway.metric("crossfade_config_last_reload_success_timestamp_seconds").await;
    assert!(first > Some(1_600_000_000), "{first:?}");

    for (text, error) in [
        ("emti: old\n", "has no key `emti`"),
        (
            "emit: old\npacks: [/nowhere/at/all.yaml]\ntargets: [{url: 'http://a/'}]\n",
            "/nowhere/at/all.yaml",
        ),
        (
            "emit: old\ntargets: [{url: 'http://a/'}]\nlog: {format: json}\n",
            "log.format cannot be changed",
        ),
        ("emit: old\n", "nothing to do"),
    ] {
        let message = gateway.reload(text).await.expect_err(text);
        assert!(message.contains(error), "{message}");
        let reply = request(gateway.admin, post).await;
        assert_eq!(reply.status, 500);
        assert!(
            reply.text().starts_with("Not reloaded, nothing has changed:\n"),
            "{}",
            reply.text()
        );
        assert!(reply.text().contains(error), "{}", reply.text());
        assert_eq!(gateway.metric("crossfade_config_last_reload_successful").await, Some(0));
        assert_eq!(get(gateway.data, "/metrics").await.text(), OLD);
    }
    let refused = "crossfade_config_reloads_total{outcome=\"refused\"}";
    assert_eq!(gateway.metric(refused).await, Some(8));

    gateway.reload(&good).await.expect("valid");
    assert_eq!(gateway.metric("crossfade_config_last_reload_successful").await, Some(1));
    let reply = request(gateway.admin, &post.replace("POST", "PUT")).await;
    assert_eq!((reply.status, reply.text()), (200, "Reloaded.\n"));
    assert_eq!(get(gateway.admin, "/-/reload").await.status, 405);
}

#[tokio::test]
async fn reload_requests_are_refused_unless_enabled() {
    let upstream = Upstream::answering(whole(OLD)).await;
    let gateway = Gateway::to(upstream.url()).await;
    for method in ["POST", "PUT", "GET"] {
        let head = format!("{method} /-/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(request(gateway.admin, &head).await.status, 403, "{method}");
    }
    let reloads = "crossfade_config_reloads_total{outcome=\"success\"}";
    assert_eq!(gateway.metric(reloads).await, Some(0));
}

#[tokio::test]
async fn a_scrape_in_flight_keeps_its_settings() {
    let go_on = Arc::new(Notify::new());
    let signal = Arc::clone(&go_on);
    let slow = Upstream::scripted(move |mut exchange| {
        let signal = Arc::clone(&signal);
        async move {
            exchange
                .send("HTTP/1.1 200 OK\r\n\r\nup 1\nkong_bandwidth_bytes{direction=\"egress\"")
                .await;
            signal.notified().await;
            exchange.send("} 5\n").await;
        }
    })
    .await;
    let other = Upstream::answering(whole(OLD)).await;
    let gateway = Gateway::start(&settings(&[("slow", &slow)], "")).await;
    let mut client = Client::connect(gateway.data).await;
    client.send("GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    client.read_until("up 1\n").await;

    gateway.reload(&settings(&[("other", &other)], "")).await.expect("valid");
    assert_eq!(get(gateway.data, "/metrics").await.text(), OLD);
    let in_flight = get(gateway.admin, "/metrics").await;
    assert!(in_flight.text().contains("target=\"slow\""), "it is still counted");
    go_on.notify_one();
    client.read_until("kong_bandwidth{type=\"egress\"} 5\n").await;
    assert!(!client.ends_cut().await);
    while get(gateway.admin, "/metrics").await.text().contains("target=\"slow\"") {
        tokio::task::yield_now().await;
    }
}

/// An upstream whose requests are all counted for a consumer but for `10 - parts`, by scrape.
async fn with_parts(parts: &'static [u32]) -> Upstream {
    Upstream::scripted(move |mut exchange| {
        let body = format!(
            "kong_http_status{{service=\"s\",route=\"r\",code=\"200\"}} 10\n\
             kong_http_consumer_status{{service=\"s\",route=\"r\",code=\"200\",consumer=\"c\"}} {}\n",
            parts[exchange.number]
        );
        let answer = String::from_utf8(whole(body)).expect("text");
        async move {
            exchange.send(answer.replace("200 OK\r\n", "200 OK\r\nConnection: close\r\n")).await;
        }
    })
    .await
}

/// The value of the series without a consumer.
fn without_consumer(reply: &Reply) -> String {
    let is_it = |line: &&str| {
        line.starts_with("kong_http_requests_total{") && !line.contains("consumer=\"c\"")
    };
    let line = reply.text().lines().find(is_it).expect("a series without a consumer");
    line.rsplit(' ').next().expect("a value").to_owned()
}

#[tokio::test]
async fn a_difference_does_not_decrease_after_a_reload() {
    let upstream = with_parts(&[4, 6, 6]).await;
    let text = settings(&[("kong", &upstream)], "").replace("emit: old", "emit: new");
    let gateway = Gateway::start(&text).await;
    let scrape = async || without_consumer(&get(gateway.data, "/metrics").await);
    assert_eq!(scrape().await, "6");
    gateway.reload(&format!("{text}log: {{level: warn}}\n")).await.expect("valid");
    assert_eq!(scrape().await, "6");
    // Other settings result in other series, which have no previous value.
    gateway.reload(&format!("{text}fill: {{source: x}}\n")).await.expect("valid");
    assert_eq!(scrape().await, "4");
}

#[tokio::test]
async fn a_difference_of_a_dynamic_target_does_not_decrease_after_a_reload() {
    let upstream = with_parts(&[4, 6, 6, 6]).await;
    let port = upstream.address.port();
    let allow =
        |more: &str| format!("emit: new\nallow: [{{cidr: 127.0.0.1, ports: [{port}]}}{more}]\n");
    let gateway = Gateway::start(&allow("")).await;
    let scrape = async || without_consumer(&through_proxy(&gateway, &upstream.url()).await);
    assert_eq!(scrape().await, "6");
    // Both make the targets anew.
    gateway.reload(&format!("{}limits: {{labels: 10}}\n", allow(""))).await.expect("valid");
    assert_eq!(scrape().await, "6");
    gateway.reload(&allow(", {cidr: 127.0.0.2, ports: [1]}")).await.expect("valid");
    assert_eq!(scrape().await, "6");
    gateway.reload(&format!("{}fill: {{source: x}}\n", allow(""))).await.expect("valid");
    assert_eq!(scrape().await, "4");
}
