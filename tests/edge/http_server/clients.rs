//! Clients that misbehave. After each of them the next scrape is served, nothing is left of it, and
//! it was counted.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::net::{Client, End, Gateway, Upstream, get, ok, request, whole};

const PLAIN: &str = "up 1\n";
const GET: &str = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";

fn refusals(reason: &str) -> String {
    format!("crossfade_http_refusals_total{{listener=\"data\",reason=\"{reason}\"}}")
}

async fn gateway(upstream: &Upstream, web: &str) -> Gateway {
    let url = upstream.url();
    Gateway::start(&format!("emit: old\ntargets: [{{name: kong, url: '{url}'}}]\nweb: {{{web}}}\n"))
        .await
}

/// The next scrape gets its response, and no other connection is open.
async fn is_as_before(gateway: &Gateway) {
    let reply = get(gateway.data, "/metrics").await;
    assert_eq!((reply.status, reply.end), (200, End::Whole));
    let quiet = async {
        let open = "crossfade_http_connections{listener=\"data\"}";
        while gateway.metric(open).await != Some(0)
            || gateway.metric("crossfade_scrapes_in_flight").await != Some(0)
        {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), quiet).await.expect("connections are closed");
}

/// Reads to the end, whichever that is.
async fn rest(mut stream: TcpStream) -> String {
    let mut read = Vec::new();
    drop(stream.read_to_end(&mut read).await);
    String::from_utf8(read).expect("text")
}

#[tokio::test]
async fn a_slow_request_head_times_out() {
    let upstream = Upstream::answering(whole(PLAIN)).await;
    let gateway = gateway(&upstream, "header_timeout: 200ms").await;
    let mut stream = TcpStream::connect(gateway.data).await.expect("a connection");
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: ").await.expect("taken");
    let (mut reads, mut writes) = stream.into_split();
    // A byte now and then, for as long as anybody listens.
    let trickle = async {
        while writes.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let mut response = Vec::new();
    let listen = async { drop(reads.read_to_end(&mut response).await) };
    tokio::join!(trickle, listen);
    let response = String::from_utf8(response).expect("text");
    assert!(response.starts_with("HTTP/1.1 408 "), "{response}");
    assert!(response.ends_with("No complete request arrived within 0.2 seconds.\n"), "{response}");
    is_as_before(&gateway).await;
    assert_eq!(gateway.metric(&refusals("header_timeout")).await, Some(1));
}

#[tokio::test]
async fn request_heads_over_the_limit() {
    let upstream = Upstream::answering(whole(PLAIN)).await;
    let gateway = gateway(&upstream, "header_bytes: 4KiB").await;
    let head = |bytes: usize| {
        GET.replace("x\r\n\r\n", &format!("x\r\nX-Long: {}\r\n\r\n", "y".repeat(bytes)))
    };
    assert_eq!(request(gateway.data, &head(3_000)).await.status, 200);
    let reply = request(gateway.data, &head(5_000)).await;
    assert_eq!(reply.status, 431);
    assert_eq!(
        reply.text(),
        "The head of the request is longer than 4096 bytes (web.header_bytes).\n"
    );
    let path = format!("/metrics?{}", "y".repeat(5_000));
    assert_eq!(get(gateway.data, &path).await.status, 431);
    // Beyond any head: it is not even read.
    let mut stream = TcpStream::connect(gateway.data).await.expect("a connection");
    drop(stream.write_all(head(1 << 20).as_bytes()).await);
    drop(rest(stream).await);
    is_as_before(&gateway).await;
    assert_eq!(gateway.metric(&refusals("header_bytes")).await, Some(3));
}

#[tokio::test]
async fn a_client_that_stops_reading_is_disconnected() {
    let line = |n: u32| format!("up{{n=\"{n}\"}} {n}\n");
    let body = (0..400_000).map(line).collect::<Vec<_>>().concat();
    let upstream = Upstream::answering(whole(&body)).await;
    for (web, reason, pause) in [
        ("write_timeout: 200ms", "write_timeout", None),
        // It takes a little now and then, but not fast enough.
        ("answer_timeout: 300ms", "answer_timeout", Some(Duration::from_millis(20))),
    ] {
        let gateway = gateway(&upstream, web).await;
        let mut stream = TcpStream::connect(gateway.data).await.expect("a connection");
        stream.write_all(GET.as_bytes()).await.expect("taken");
        let refused = refusals(reason);
        let cut = gateway.reaches(&refused, 1);
        match pause {
            None => cut.await,
            Some(pause) => {
                let trickle = async {
                    let mut some = [0; 10_000];
                    while stream.read_exact(&mut some).await.is_ok() {
                        tokio::time::sleep(pause).await;
                    }
                    std::future::pending::<()>().await;
                };
                tokio::select! {
                    () = trickle => {}
                    () = cut => {}
                }
            }
        }
        let mut took = Vec::new();
        let error = stream.read_to_end(&mut took).await.expect_err("a reset, not an end");
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{reason}");
        assert!(took.len() < body.len());
        is_as_before(&gateway).await;
        assert_eq!(gateway.scrapes("client_gone").await, 1);
    }
}

#[tokio::test]
async fn clients_that_disconnect_early() {
    let line = |n: u32| format!("up{{n=\"{n}\"}} {n}\n");
    let body = (0..400_000).map(line).collect::<Vec<_>>().concat();
    let upstream = Upstream::answering(whole(&body)).await;
    let gateway = gateway(&upstream, "").await;
    for part in ["G", "GET /metrics HTTP/1.1\r\n", GET] {
        let mut stream = TcpStream::connect(gateway.data).await.expect("a connection");
        stream.write_all(part.as_bytes()).await.expect("taken");
        if part == GET {
            stream.read_exact(&mut [0; 1000]).await.expect("an answer begins");
        }
    }
    gateway.reaches("crossfade_scrapes_total{outcome=\"client_gone\",target=\"kong\"}", 1).await;
    is_as_before(&gateway).await;
}

#[tokio::test]
async fn idle_connections_are_closed_for_new_ones() {
    let upstream = Upstream::answering(whole(PLAIN)).await;
    let gateway = gateway(&upstream, "max_connections: 100").await;
    let mut idle = Vec::new();
    for _ in 0..1_000 {
        idle.push(TcpStream::connect(gateway.data).await.expect("a connection"));
    }
    // Prometheus keeps its connection and comes back, whatever the others do.
    let reply = get(gateway.data, "/metrics").await;
    assert_eq!((reply.status, reply.text()), (200, PLAIN));
    gateway.reaches(&refusals("made_room"), 900).await;
    let open = gateway.metric("crossfade_http_connections{listener=\"data\"}").await;
    assert!(open <= Some(100), "{open:?}");
    drop(idle);
    is_as_before(&gateway).await;
    assert_eq!(gateway.metric(&refusals("connections")).await, None);
}

#[tokio::test]
async fn a_connection_beyond_the_limit_gets_503() {
    let upstream = Upstream::scripted(|mut exchange| async move {
        exchange.send(ok("", "up 1\n")).await;
        exchange.closed().await;
    })
    .await;
    let gateway = gateway(&upstream, "max_connections: 2").await;
    let mut busy = Vec::new();
    for _ in 0..2 {
        let mut client = Client::connect(gateway.data).await;
        client.send(GET).await;
        client.read_until("up 1\n").await;
        busy.push(client);
    }
    let stream = TcpStream::connect(gateway.data).await.expect("a connection");
    let response = rest(stream).await;
    assert!(response.starts_with("HTTP/1.1 503 "), "{response}");
    assert_eq!(gateway.metric(&refusals("connections")).await, Some(1));
    drop(busy);
    gateway.reaches("crossfade_scrapes_total{outcome=\"client_gone\",target=\"kong\"}", 2).await;
    let upstream = Upstream::answering(whole(PLAIN)).await;
    let url = upstream.url();
    gateway
        .reload(&format!("emit: old\ntargets: [{{name: kong, url: '{url}'}}]\n"))
        .await
        .expect("valid");
    is_as_before(&gateway).await;
}

#[tokio::test]
async fn pipelined_requests_get_responses_and_garbage_after_them_does_not() {
    let upstream = Upstream::answering(whole(PLAIN)).await;
    let gateway = gateway(&upstream, "").await;
    let mut client = Client::connect(gateway.data).await;
    client.send(&format!("{GET}{GET}\u{1}\u{2}\u{3} what is this\r\n\r\n{GET}")).await;
    for _ in 0..2 {
        assert_eq!(client.reply(false).await.text(), PLAIN);
    }
    assert_eq!(client.reply(false).await.status, 400);
    assert!(client.is_closed().await);
    is_as_before(&gateway).await;
    assert_eq!(gateway.metric(&refusals("malformed")).await, Some(1));

    let mut http_2 = TcpStream::connect(gateway.data).await.expect("a connection");
    http_2.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.expect("taken");
    let response = rest(http_2).await;
    assert!(response.starts_with("HTTP/1.1 400"), "{response}");
    assert!(response.ends_with("HTTP/2 is not supported; use HTTP/1.1.\n"), "{response}");
    is_as_before(&gateway).await;
    assert_eq!(gateway.metric(&refusals("malformed")).await, Some(2));

    for garbage in ["\r\n\r\n\r\n", "\0\0\0\0", "HTTP/1.1 200 OK\r\n\r\n"] {
        let mut stream = TcpStream::connect(gateway.data).await.expect("a connection");
        stream.write_all(garbage.as_bytes()).await.expect("taken");
        stream.shutdown().await.expect("open");
        let response = rest(stream).await;
        assert!(
            response.is_empty() || response.starts_with("HTTP/1.1 4"),
            "{garbage:?}: {response}"
        );
        is_as_before(&gateway).await;
    }
}
