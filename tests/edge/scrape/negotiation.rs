//! The format of an exposition: the client's preference decides what the target is asked for, and
//! the target's response is emitted in the target's format.

use crate::support::net::{Client, Gateway, Reply, Upstream, get, request};
use tokio::sync::mpsc;

const OPEN_METRICS: &str = concat!(
    "# TYPE hits counter\nhits_total 1 1.5 # {trace_id=\"x\"} 1 1.25\n",
    "hits_created 1.25\n# EOF\n"
);

const PROMETHEUS_3: &str = concat!(
    "Accept: application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;",
    "encoding=delimited;q=0.7,application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,",
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,",
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2\r\n"
);

fn typed(content_type: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// A target like a client library: it answers in the first format that it is asked for, and with
/// escaped names unless it is asked for others.
async fn library() -> (Upstream, mpsc::UnboundedReceiver<String>) {
    let (asked, seen) = mpsc::unbounded_channel();
    let upstream = Upstream::scripted(move |mut exchange| {
        let asked = asked.clone();
        async move {
            loop {
                let accept = exchange.header("accept").expect("always asked for").to_owned();
                let utf_8 = accept.contains("escaping=allow-utf-8");
                let name = if utf_8 { "{\"queue.length\"}" } else { "queue_length" };
                let escaping = if utf_8 { "allow-utf-8" } else { "underscores" };
                let (content_type, end) = if accept.starts_with("application/openmetrics-text") {
                    ("application/openmetrics-text; version=1.0.0; charset=utf-8", "# EOF\n")
                } else {
                    ("text/plain; version=0.0.4; charset=utf-8", "")
                };
                let content_type = format!("{content_type}; escaping={escaping}");
                exchange.send(typed(&content_type, &format!("{name} 7\n{end}"))).await;
                asked.send(accept).expect("the test listens");
                if !exchange.next_request().await {
                    break;
                }
            }
        }
    })
    .await;
    (upstream, seen)
}

async fn scrape(gateway: &Gateway, headers: &str) -> Reply {
    let head = format!("GET /metrics HTTP/1.1\r\nHost: x\r\n{headers}\r\n");
    request(gateway.data, &head).await
}

#[tokio::test]
async fn the_target_is_asked_for_what_the_client_prefers() {
    let (upstream, mut asked) = library().await;
    let open_metrics = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let text = "text/plain; version=0.0.4; charset=utf-8";
    for strict in [false, true] {
        let url = upstream.url();
        let settings = format!("emit: old\nstrict: {strict}\ntargets: [{{url: '{url}'}}]\n");
        let gateway = Gateway::start(&settings).await;
        for (headers, first, content_type, body) in [
            (
                PROMETHEUS_3,
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=1,",
                format!("{open_metrics}; escaping=allow-utf-8"),
                "{\"queue.length\"} 7\n# EOF\n",
            ),
            (
                "Accept: application/openmetrics-text;q=0.5\r\nAccept: text/plain;q=0.4\r\n",
                "application/openmetrics-text;q=1,text/plain;version=0.0.4;q=0.9,*/*;q=0.1",
                format!("{open_metrics}; escaping=underscores"),
                "queue_length 7\n# EOF\n",
            ),
            (
                "Accept: application/openmetrics-text;q=0.4,text/plain;q=0.5\r\n",
                "text/plain;version=0.0.4;q=1,application/openmetrics-text;q=0.9,*/*;q=0.1",
                format!("{text}; escaping=underscores"),
                "queue_length 7\n",
            ),
            (
                "",
                "text/plain;version=0.0.4;q=1,*/*;q=0.1",
                format!("{text}; escaping=underscores"),
                "queue_length 7\n",
            ),
        ] {
            let reply = scrape(&gateway, headers).await;
            assert_eq!((reply.status, reply.text()), (200, body), "{headers}");
            assert_eq!(reply.header("content-type"), Some(&*content_type), "{headers}");
            assert_eq!(reply.header("vary"), Some("Accept, Accept-Encoding"));
            let asked = asked.recv().await.expect("asked");
            assert!(asked.starts_with(first) && !asked.contains("protobuf"), "{asked}");
        }
    }
}

#[tokio::test]
async fn a_response_keeps_its_format_whatever_the_client_accepts() {
    for content_type in [
        "application/openmetrics-text; version=1.0.0; charset=utf-8",
        "application/openmetrics-text; version=0.0.1; charset=utf-8",
    ] {
        let upstream = Upstream::answering(typed(content_type, OPEN_METRICS)).await;
        let gateway = Gateway::to(upstream.url()).await;
        let reply = scrape(&gateway, "Accept: text/plain;version=0.0.4\r\n").await;
        assert_eq!(reply.header("content-type"), Some(content_type));
        assert_eq!((reply.status, reply.text()), (200, OPEN_METRICS));
        let head = "HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
        let reply = request(gateway.data, head).await;
        assert_eq!(reply.header("content-type"), Some(content_type));
    }
    let text = Upstream::answering(typed("text/plain; charset=UTF-8", "queue_length 7\n")).await;
    let reply = scrape(&Gateway::to(text.url()).await, PROMETHEUS_3).await;
    assert_eq!(reply.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert_eq!((reply.status, reply.text()), (200, "queue_length 7\n"));
}

#[tokio::test]
async fn what_was_not_asked_for_and_cannot_be_read_fails_the_scrape() {
    let protobuf = concat!(
        "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; ",
        "encoding=delimited"
    );
    for (content_type, advice) in [
        (protobuf, "configure the target to answer in the text format or in OpenMetrics"),
        (
            "application/openmetrics-text; version=2.0.0",
            "a version that cannot be read and was not asked for; configure the target",
        ),
    ] {
        let upstream = Upstream::answering(typed(content_type, OPEN_METRICS)).await;
        let gateway = Gateway::to(upstream.url()).await;
        let reply = scrape(&gateway, PROMETHEUS_3).await;
        assert_eq!(reply.status, 502, "{content_type}");
        assert!(reply.text().contains(content_type), "{}", reply.text());
        assert!(reply.text().contains(advice), "{}", reply.text());
        assert!(reply.reason.contains("sent Content-Type"), "{}", reply.reason);
        assert_eq!(gateway.scrapes("content_type").await, 1);
    }
}

#[tokio::test]
async fn only_clients_with_the_same_preference_share_a_scrape() {
    let (asked, mut seen) = mpsc::unbounded_channel();
    let go_on = std::sync::Arc::new(tokio::sync::Semaphore::new(0));
    let signal = std::sync::Arc::clone(&go_on);
    let upstream = Upstream::scripted(move |mut exchange| {
        let (asked, signal) = (asked.clone(), std::sync::Arc::clone(&signal));
        async move {
            asked.send(()).expect("the test listens");
            signal.acquire().await.expect("it is never closed").forget();
            exchange.send(typed("text/plain", "up 1\n")).await;
        }
    })
    .await;
    let gateway = Gateway::to(upstream.url()).await;
    let ask = async |accept: &str| {
        let mut client = Client::connect(gateway.data).await;
        client.send(&format!("GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: {accept}\r\n\r\n")).await;
        client
    };
    let open_metrics = ask("application/openmetrics-text;version=1.0.0,text/plain;q=0.5").await;
    seen.recv().await.expect("asked");
    let text = ask("text/plain").await;
    seen.recv().await.expect("another format is asked for");
    let mut clients = vec![open_metrics, text];
    // Other weights, the same order.
    clients.push(ask("text/plain;q=0.2,application/openmetrics-text;version=1.0.0;q=0.3").await);
    clients.push(ask("*/*").await);
    gateway.reaches("crossfade_shared_scrapes_total{target=\"kong\"}", 2).await;
    go_on.add_permits(2);
    for client in &mut clients {
        assert_eq!(client.reply(false).await.status, 200);
    }
    assert_eq!(upstream.connections(), 2);
}

#[tokio::test]
async fn open_metrics_without_its_last_line_is_truncated() {
    let cut = Upstream::closing(typed("application/openmetrics-text", "hits_total 1\n")).await;
    let reply = get(Gateway::to(cut.url()).await.data, "/metrics").await;
    assert_eq!(reply.status, 502);
    assert!(reply.text().contains("does not end with # EOF"), "{}", reply.text());
}
