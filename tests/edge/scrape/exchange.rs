//! Scrapes through a running gateway: requests, responses, and the effect of each misbehaviour of
//! an upstream or a client.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::sync::Arc;

use crate::support::net::{Client, End, Gateway, Refusing, Reply, Upstream};
use crate::support::net::{chunked, get, ok, request, whole};
use tokio::sync::{Notify, mpsc};

/// An exposition that no rule touches.
const PLAIN: &str = "# HELP up Whether it is up.\n# TYPE up gauge\nup 1\nup{a=\"b\"} 2\n";

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text).expect("a Vec takes everything");
    encoder.finish().expect("a Vec takes everything")
}

fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(bytes).read_to_end(&mut text).expect("gzip");
    text
}

#[track_caller]
fn assert_whole(reply: &Reply, body: impl AsRef<[u8]>) {
    let got = reply.body.escape_ascii().to_string();
    assert_eq!((reply.status, reply.end), (200, End::Whole), "{got}");
    assert_eq!(reply.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert_eq!(got, body.as_ref().escape_ascii().to_string());
}

// What goes through

#[tokio::test]
async fn every_framing_of_a_body_is_read() {
    let one_chunk_per_line: Vec<&str> = PLAIN.split_inclusive('\n').collect();
    let last_chunk = |chunks: Vec<u8>| [chunks, b"0\r\n\r\n".to_vec()].concat();
    let cases = [
        ("a length", whole(PLAIN)),
        ("one chunk", last_chunk(chunked(&[PLAIN]))),
        ("chunks", last_chunk(chunked(&one_chunk_per_line))),
        ("trailers", [chunked(&[PLAIN]), b"0\r\nX-Y: z\r\n\r\n".to_vec()].concat()),
        ("until the connection ends", ok("", PLAIN)),
        ("gzip", ok("Content-Encoding: gzip\r\n", gzip(PLAIN.as_bytes()))),
        ("no Content-Type", format!("HTTP/1.1 200 OK\r\n\r\n{PLAIN}").into_bytes()),
    ];
    for (name, answer) in cases {
        let upstream = Upstream::closing(answer).await;
        let gateway = Gateway::to(upstream.url()).await;
        let reply = get(gateway.data, "/metrics").await;
        println!("{name}");
        assert_whole(&reply, PLAIN);
    }
}

#[tokio::test]
async fn kong_3_is_emitted_as_kong_2() {
    let new = concat!(
        "# HELP kong_http_requests_total HTTP status codes per consumer/service/route in Kong\n",
        "# TYPE kong_http_requests_total counter\n",
        "kong_http_requests_total{service=\"s\",route=\"r\",code=\"200\",source=\"service\",consumer=\"\"} 3\n",
        "kong_http_requests_total{service=\"s\",route=\"r\",code=\"200\",source=\"kong\",consumer=\"\"} 4\n",
    );
    let upstream = Upstream::answering(whole(new)).await;
    let gateway = Gateway::to(upstream.url()).await;
    let reply = get(gateway.data, "/metrics").await;
    assert_eq!(reply.status, 200);
    let series = "kong_http_status{service=\"s\",route=\"r\",code=\"200\"} 7\n";
    assert!(reply.text().contains(series), "{}", reply.text());

    let generation = "crossfade_target_generation{generation=\"new\",target=\"kong\"}";
    assert_eq!(gateway.metric(generation).await, Some(1));
}

#[tokio::test]
async fn each_target_has_its_path_and_its_own_emit() {
    let old = Upstream::answering(whole("kong_bandwidth{type=\"egress\"} 1\n")).await;
    let new = Upstream::answering(whole("kong_bandwidth_bytes{direction=\"egress\"} 2\n")).await;
    let gateway = Gateway::start(&format!(
        "emit: new\ntargets:\n  - {{name: a, url: '{}'}}\n  - {{name: b, url: '{}', emit: old}}\n",
        old.url(),
        new.url(),
    ))
    .await;
    let a = get(gateway.data, "/targets/a/metrics").await;
    assert!(a.text().ends_with("kong_bandwidth_bytes{direction=\"egress\"} 1\n"), "{}", a.text());
    let b = get(gateway.data, "/targets/b/metrics").await;
    assert!(b.text().ends_with("kong_bandwidth{type=\"egress\"} 2\n"), "{}", b.text());

    let both = get(gateway.data, "/metrics").await;
    assert_eq!(both.status, 404);
    assert_eq!(
        both.text(),
        "There are several targets; scrape one of\n/targets/a/metrics\n/targets/b/metrics\n"
    );
}

#[tokio::test]
async fn without_targets_there_is_nothing_to_scrape() {
    let gateway = Gateway::start("emit: old\nallow: [{host: kong, ports: [8100]}]\n").await;
    for path in ["/metrics", "/targets/kong/metrics"] {
        let reply = get(gateway.data, path).await;
        assert_eq!(reply.status, 404, "{path}");
        assert_eq!(reply.text(), "No target is configured under `targets`\n", "{path}");
    }
}

#[tokio::test]
async fn gzip_is_sent_only_on_request() {
    let line = |n: u32| format!("up{{n=\"{n}\"}} {n}\n");
    let body = (0..50_000).map(line).collect::<Vec<_>>().concat();
    let upstream = Upstream::answering(whole(&body)).await;
    let gateway = Gateway::to(upstream.url()).await;
    let ask = async |accept: &str| {
        let head = format!("GET /metrics HTTP/1.1\r\nHost: x\r\nAccept-Encoding: {accept}\r\n\r\n");
        request(gateway.data, &head).await
    };

    let reply = ask("gzip").await;
    assert_eq!(reply.header("content-encoding"), Some("gzip"));
    assert!(reply.body.len() < body.len(), "compressed");
    assert_eq!(gunzip(&reply.body), body.as_bytes());

    for accept in ["identity", "gzip;q=0, deflate"] {
        let reply = ask(accept).await;
        assert_eq!(reply.header("content-encoding"), None, "{accept}");
        assert_eq!(reply.body, body.as_bytes());
    }
}

#[tokio::test]
async fn samples_are_sent_while_the_target_is_sending() {
    let go_on = Arc::new(Notify::new());
    let signal = Arc::clone(&go_on);
    let upstream = Upstream::scripted(move |mut exchange| {
        let signal = Arc::clone(&signal);
        async move {
            exchange.send(chunked(&["# TYPE up gauge\nup 1\nup{a=\"b\"} "])).await;
            signal.notified().await;
            exchange.send("2\r\n2\n\r\n0\r\n\r\n").await;
        }
    })
    .await;
    let gateway = Gateway::to(upstream.url()).await;
    let mut client = Client::connect(gateway.data).await;
    client.send("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await;
    client.read_until("\nup 1\n").await;
    go_on.notify_one();
    client.read_until("up{a=\"b\"} 2\n").await;
}

#[tokio::test]
async fn requests_to_targets_name_format_and_timeout() {
    let (heads, mut seen) = mpsc::unbounded_channel();
    let upstream = Upstream::scripted(move |mut exchange| {
        let heads = heads.clone();
        async move {
            exchange.send(whole(PLAIN)).await;
            heads.send(exchange).expect("the test listens");
        }
    })
    .await;
    let gateway = Gateway::to(format!("{}?a=b", upstream.url())).await;
    let head =
        "GET /metrics HTTP/1.1\r\nHost: x\r\nX-Prometheus-Scrape-Timeout-Seconds: 15\r\n\r\n";
    request(gateway.data, head).await;

    let exchange = seen.recv().await.expect("scraped");
    assert!(exchange.head.starts_with("GET /metrics?a=b HTTP/1.1\r\n"), "{}", exchange.head);
    assert_eq!(exchange.header("host"), Some(upstream.address.to_string().as_str()));
    assert_eq!(exchange.header("accept"), Some("text/plain;version=0.0.4;q=1,*/*;q=0.1"));
    assert_eq!(exchange.header("accept-encoding"), Some("identity"));
    assert_eq!(exchange.header("x-prometheus-scrape-timeout-seconds"), Some("14.5"));
}

#[tokio::test]
async fn connections_to_targets_are_reused() {
    let upstream = Upstream::answering(whole(PLAIN)).await;
    let gateway = Gateway::to(upstream.url()).await;
    for _ in 0..3 {
        assert_whole(&get(gateway.data, "/metrics").await, PLAIN);
    }
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn a_stale_connection_is_retried() {
    // It promises to stay open, and closes all the same.
    let upstream = Upstream::closing(whole(PLAIN)).await;
    let gateway = Gateway::to(upstream.url()).await;
    for _ in 0..3 {
        assert_whole(&get(gateway.data, "/metrics").await, PLAIN);
    }
    assert_eq!(upstream.connections(), 3);
}

#[tokio::test]
async fn histories_survive_a_failed_scrape() {
    // Ten requests, of which so many by a consumer. The rest is what leaves without one.
    let body = |consumer: u32| {
        whole(format!(
            concat!(
                "# TYPE kong_http_status counter\n",
                "kong_http_status{{service=\"s\",route=\"r\",code=\"200\"}} 10\n",
                "# TYPE kong_http_consumer_status counter\n",
                "kong_http_consumer_status{{service=\"s\",route=\"r\",code=\"200\",consumer=\"c\"}} {}\n",
            ),
            consumer
        ))
    };
    let answers = [body(4), ok("Content-Length: 99\r\n", "up 1\n"), body(6)];
    let upstream = Upstream::scripted(move |mut exchange| {
        let answer = answers[exchange.number].clone();
        async move {
            let answer = String::from_utf8(answer).expect("text");
            exchange.send(answer.replace("200 OK\r\n", "200 OK\r\nConnection: close\r\n")).await;
        }
    })
    .await;
    let gateway = Gateway::start(&format!(
        "emit: new\ntargets: [{{name: kong, url: '{}'}}]\n",
        upstream.url()
    ))
    .await;

    let rest = |reply: &Reply| {
        let without = |line: &&str| {
            line.starts_with("kong_http_requests_total{") && !line.contains("consumer=\"c\"")
        };
        let line = reply.text().lines().find(without).expect("a share without a consumer");
        line.rsplit(' ').next().expect("a value").to_owned()
    };
    assert_eq!(rest(&get(gateway.data, "/metrics").await), "6");
    let failed = get(gateway.data, "/metrics").await;
    assert!(failed.status == 502 || failed.end == End::Cut, "{failed:?}");
    // The two counters are not read at one moment. What has left already is not taken back.
    assert_eq!(rest(&get(gateway.data, "/metrics").await), "6");
}

// What is refused

#[tokio::test]
async fn paths_and_methods() {
    let upstream = Upstream::answering(whole(PLAIN)).await;
    let gateway = Gateway::to(upstream.url()).await;

    for path in ["/metrics", "/targets/kong/metrics", "/metrics?debug=1"] {
        assert_eq!(get(gateway.data, path).await.status, 200, "{path}");
    }
    for path in ["/metrics/", "/targets/king/metrics", "/targets/kong", "/targets//metrics", "/x"] {
        let reply = get(gateway.data, path).await;
        assert_eq!(reply.status, 404, "{path}");
        assert!(reply.text().contains("/targets/kong/metrics"), "{}", reply.text());
        assert_eq!(reply.reason, "Unknown path; scrape /targets/NAME/metrics");
    }
    let landing = get(gateway.data, "/").await;
    assert_eq!((landing.status, landing.reason.as_str()), (200, "OK"));
    assert!(landing.text().contains("href=\"targets/kong/metrics\""), "{}", landing.text());

    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        let head = format!("{method} /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
        let reply = request(gateway.data, &head).await;
        assert_eq!((reply.status, reply.header("allow")), (405, Some("GET, HEAD")), "{method}");
    }
    assert_eq!(
        gateway.metric("crossfade_refused_requests_total{reason=\"method\"}").await,
        Some(4)
    );
    assert_eq!(gateway.metric("crossfade_refused_requests_total{reason=\"path\"}").await, Some(5));
}

#[tokio::test]
async fn head_has_the_headers_of_get() {
    let upstream = Upstream::answering(whole(PLAIN)).await;
    let gateway = Gateway::to(upstream.url()).await;
    let reply = request(gateway.data, "HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));

    let refusing = Refusing::new();
    let broken = Gateway::to(refusing.url()).await;
    let reply = request(broken.data, "HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(reply.status, 502);
}

// What fails before there is anything to send

/// Name, response, part of the reason, outcome. The upstream closes the connection after the
/// response.
fn failing_answers() -> Vec<(&'static str, Vec<u8>, &'static str, &'static str)> {
    let raw = |text: &str| text.as_bytes().to_vec();
    let typed = |content_type: &str, body: &str| {
        format!("HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\n\r\n{body}").into_bytes()
    };
    let encoded = |coding: &str, body: &[u8]| ok(&format!("Content-Encoding: {coding}\r\n"), body);
    let gzipped = gzip(PLAIN.as_bytes());
    let comments = "# nothing\n".repeat(200_000);
    vec![
        ("404", raw("HTTP/1.1 404 Not Found\r\n\r\nup 1\n"), "it answered 404 Not Found", "status"),
        ("500", raw("HTTP/1.1 500 Oops\r\n\r\nup 1\n"), "it answered 500", "status"),
        ("204", raw("HTTP/1.1 204 No Content\r\n\r\n"), "it answered 204", "status"),
        ("206", raw("HTTP/1.1 206 Partial Content\r\n\r\nup 1\n"), "it answered 206", "status"),
        (
            "a redirect",
            raw("HTTP/1.1 302 Found\r\nLocation: http://else/\r\n\r\n"),
            "it redirects to \"http://else/\"",
            "redirect",
        ),
        (
            "an error page",
            typed("text/html", PLAIN),
            "Content-Type is \"text/html\"",
            "content_type",
        ),
        ("JSON", typed("application/json", "{}"), "\"application/json\"", "content_type"),
        ("an empty type", typed("", PLAIN), "Content-Type is \"\"", "content_type"),
        (
            "a page that lies",
            typed("text/plain", "<html>\n<body>no</body>\n"),
            "line 1 is an error message of the upstream, not a sample: <html>",
            "rewrite",
        ),
        ("an empty body", whole(""), "no sample", "no_sample"),
        ("only comments", whole("# HELP up x\n# TYPE up gauge\n"), "no sample", "no_sample"),
        ("endless comments", whole(&comments), "no sample", "no_sample"),
        ("brotli", encoded("br", b"x"), "Content-Encoding is \"br\"", "content_encoding"),
        ("gzip of gzip", encoded("gzip, gzip", b"x"), "Content-Encoding", "content_encoding"),
        (
            "a coding that ends with the connection",
            ok("Transfer-Encoding: identity\r\n", PLAIN),
            "Transfer-Encoding is \"identity\"",
            "transfer_encoding",
        ),
        (
            "a chunked coding inside another one",
            ok("Transfer-Encoding: chunked, gzip\r\n", PLAIN),
            "only chunked can be read",
            "transfer_encoding",
        ),
        (
            "another protocol",
            raw("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"),
            "answered 101",
            "status",
        ),
        ("no gzip", encoded("gzip", PLAIN.as_bytes()), "gzip body is damaged", "gzip"),
        ("truncated gzip", encoded("gzip", &gzipped[..gzipped.len() - 1]), "damaged", "gzip"),
        ("empty gzip", encoded("gzip", b""), "damaged", "gzip"),
        ("no HTTP", raw("SSH-2.0-OpenSSH_9.2\r\n"), "no HTTP response", "exchange"),
        ("nothing", raw(""), "no HTTP response", "exchange"),
        ("half a head", raw("HTTP/1.1 200 OK\r\nContent-"), "no HTTP response", "exchange"),
        ("a short body", ok("Content-Length: 1000\r\n", "# TYPE up gauge\n"), "truncated", "cut"),
        ("a cut chunk", chunked(&["# TYPE up gauge\n"]), "truncated", "cut"),
        ("a bad chunk", ok("Transfer-Encoding: chunked\r\n", "zz\r\n"), "truncated", "cut"),
        ("half a line", ok("", "# TYPE up gau"), "within a line", "cut"),
        (
            "a long body",
            ok("Content-Length: 5\r\n", "up 1\nup 2\n"),
            "longer than its Content-Length",
            "overlong",
        ),
    ]
}

#[tokio::test]
async fn a_response_that_is_no_exposition_is_a_502() {
    for (name, answer, part, outcome) in failing_answers() {
        let upstream = Upstream::closing(answer).await;
        let gateway = Gateway::to(upstream.url()).await;
        let reply = get(gateway.data, "/metrics").await;
        let text = reply.text();
        assert_eq!((reply.status, reply.end), (502, End::Whole), "{name}: {text}");
        assert_eq!(reply.header("content-type"), Some("text/plain; charset=utf-8"), "{name}");
        assert!(text.contains(part), "{name}: {text}");
        assert!(text.starts_with(&format!("target kong ({}): ", upstream.url())), "{name}: {text}");
        assert_eq!(text.lines().count(), 1, "{name}: {text}");
        let url = upstream.url();
        let authority = url.split('/').nth(2).expect("a host");
        assert!(reply.reason.contains(authority), "{name}: {}", reply.reason);
        assert!(reply.reason.len() <= 120, "{name}: {}", reply.reason);
        assert_eq!(gateway.scrapes(outcome).await, 1, "{name}");
    }
}

#[tokio::test]
async fn a_refused_connection_is_a_502() {
    let refusing = Refusing::new();
    let gateway = Gateway::to(refusing.url()).await;
    let reply = get(gateway.data, "/metrics").await;
    assert_eq!(reply.status, 502);
    assert!(reply.text().contains("cannot connect: Connection refused"), "{}", reply.text());
    let authority = refusing.url().split('/').nth(2).expect("a host").to_owned();
    assert_eq!(reply.reason, format!("{authority} refused the connection"));

    // Too long a label for any name service, so none is asked.
    let gateway = Gateway::to(format!("http://{}/", "x".repeat(64))).await;
    let reply = get(gateway.data, "/metrics").await;
    assert_eq!(reply.status, 502);
    assert!(reply.text().contains("cannot resolve its host name"), "{}", reply.text());
}

#[tokio::test]
async fn limits_fail_the_scrape_by_name() {
    let long_line = format!("up{{a=\"{}\"}} 1\n", "x".repeat(2_000));
    let many_labels = "up{a=\"1\",b=\"2\",c=\"3\"} 1\n".to_owned();
    let cases = [
        ("line_bytes: 1KiB", long_line.clone(), "limits.line_bytes"),
        ("line_bytes: 1KiB", long_line.replace('\n', ""), "limits.line_bytes"),
        ("body_bytes: 1KiB", long_line, "limits.body_bytes"),
        ("labels: 2", many_labels, "limits.labels"),
    ];
    for (limit, body, part) in cases {
        let upstream = Upstream::answering(whole(body)).await;
        let settings = format!(
            "emit: old\nlimits: {{{limit}}}\ntargets: [{{name: kong, url: '{}'}}]\n",
            upstream.url()
        );
        let gateway = Gateway::start(&settings).await;
        let reply = get(gateway.data, "/metrics").await;
        assert_eq!(reply.status, 502, "{limit}: {}", reply.text());
        assert!(reply.text().contains(part), "{limit}: {}", reply.text());
        assert_eq!(gateway.scrapes("rewrite").await, 1, "{limit}");
    }
}

#[tokio::test]
async fn a_decompression_bomb_stops_at_the_limit() {
    // A thousand times as long when unpacked.
    let bomb = gzip("up 1\n".repeat(10_000_000).as_bytes());
    let upstream = Upstream::answering(ok(
        &format!("Content-Encoding: gzip\r\nContent-Length: {}\r\n", bomb.len()),
        bomb,
    ))
    .await;
    let settings = format!(
        "emit: old\nlimits: {{body_bytes: 1MiB}}\ntargets: [{{name: kong, url: '{}'}}]\n",
        upstream.url()
    );
    let gateway = Gateway::start(&settings).await;
    let reply = get(gateway.data, "/metrics").await;
    assert_eq!(reply.end, End::Cut);
    assert!(reply.body.len() <= 1 << 20, "{}", reply.body.len());
    let read = gateway.metric("crossfade_scrape_read_bytes_total{target=\"kong\"}").await;
    assert!(read.is_some_and(|bytes| bytes <= (1 << 20) + (64 << 10)), "{read:?}");
}

#[tokio::test]
async fn a_silent_target_is_a_504() {
    let upstream = Upstream::scripted(|mut exchange| async move { exchange.closed().await }).await;
    let gateway = Gateway::to(upstream.url()).await;
    let head =
        "GET /metrics HTTP/1.1\r\nHost: x\r\nX-Prometheus-Scrape-Timeout-Seconds: 0.2\r\n\r\n";
    let reply = request(gateway.data, head).await;
    assert_eq!(reply.status, 504);
    assert!(reply.text().contains("timeout after 0.1s"), "{}", reply.text());
    assert_eq!(gateway.scrapes("timeout").await, 1);
}

#[tokio::test]
async fn a_target_that_sends_only_comments_is_a_504() {
    let upstream = Upstream::scripted(|mut exchange| async move {
        exchange.send(ok("", "# TYPE up gauge\n")).await;
        exchange.closed().await;
    })
    .await;
    let gateway = Gateway::start(&format!(
        "emit: old\nscrape: {{timeout: 100ms}}\ntargets: [{{name: kong, url: '{}'}}]\n",
        upstream.url()
    ))
    .await;
    assert_eq!(get(gateway.data, "/metrics").await.status, 504);
}

// What fails later

/// Sends a sample, waits until the client has it, and then does something else.
async fn breaking(then: &'static [u8]) -> (Upstream, Arc<Notify>) {
    let seen = Arc::new(Notify::new());
    let signal = Arc::clone(&seen);
    let upstream = Upstream::scripted(move |mut exchange| {
        let signal = Arc::clone(&signal);
        async move {
            exchange.send(chunked(&["up 1\nup{a=\"b\"} 12"])).await;
            signal.notified().await;
            exchange.send(then).await;
        }
    })
    .await;
    (upstream, seen)
}

#[tokio::test]
async fn a_truncated_body_stays_truncated() {
    let cases: [(&str, &[u8]); 4] = [
        ("within a line", b""),
        ("within a chunk", b"100\r\n3\n"),
        ("in garbage", b"no chunk\r\n"),
        ("after an extra line", b"2\r\n3\n\r\n"),
    ];
    for (name, then) in cases {
        for version in ["1.1", "1.0"] {
            let (upstream, seen) = breaking(then).await;
            let gateway = Gateway::to(upstream.url()).await;
            let mut client = Client::connect(gateway.data).await;
            client.send(&format!("GET /metrics HTTP/{version}\r\nHost: x\r\n\r\n")).await;
            let started = client.read_until("up 1\n").await;
            assert!(started.starts_with(&format!("HTTP/{version} 200 OK\r\n")), "{started}");
            seen.notify_one();
            assert!(client.ends_cut().await, "{name}, HTTP/{version}");
            assert_eq!(gateway.scrapes("cut").await, 1, "{name}, HTTP/{version}");
        }
    }
}

#[tokio::test]
async fn a_truncated_gzip_body_stays_truncated() {
    let (upstream, seen) = breaking(b"").await;
    let gateway = Gateway::to(upstream.url()).await;
    let mut client = Client::connect(gateway.data).await;
    client.send("GET /metrics HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n").await;
    client.read_until("\r\n\r\n").await;
    seen.notify_one();
    assert!(client.ends_cut().await);
}

#[tokio::test]
async fn a_stalled_target_is_cut_at_its_timeout() {
    let upstream = Upstream::scripted(|mut exchange| async move {
        exchange.send(chunked(&["up 1\n"])).await;
        exchange.closed().await;
    })
    .await;
    let gateway = Gateway::to(upstream.url()).await;
    let head =
        "GET /metrics HTTP/1.1\r\nHost: x\r\nX-Prometheus-Scrape-Timeout-Seconds: 0.2\r\n\r\n";
    let reply = request(gateway.data, head).await;
    assert_eq!((reply.status, reply.end), (200, End::Cut));
    assert_eq!(gateway.scrapes("timeout").await, 1);
}

// What clients do

#[tokio::test]
async fn a_disconnected_client_closes_the_upstream_connection() {
    let (gone, mut closed) = mpsc::unbounded_channel();
    let upstream = Upstream::scripted(move |mut exchange| {
        let gone = gone.clone();
        async move {
            if exchange.number > 0 {
                return exchange.send(whole(PLAIN)).await;
            }
            exchange.send(chunked(&["up 1\n"])).await;
            exchange.closed().await;
            gone.send(()).expect("the test listens");
        }
    })
    .await;
    let gateway = Gateway::to(upstream.url()).await;
    let mut client = Client::connect(gateway.data).await;
    client.send("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await;
    client.read_until("up 1\n").await;
    drop(client);

    closed.recv().await.expect("the upstream sees its connection close");
    assert_whole(&get(gateway.data, "/metrics").await, PLAIN);
    assert_eq!(gateway.scrapes("client_gone").await, 1);
    assert_eq!(gateway.scrapes("success").await, 1);
    assert_eq!(gateway.metric("crossfade_scrapes_in_flight").await, Some(0));
}

#[tokio::test]
async fn an_early_disconnect_is_noticed() {
    let (gone, mut closed) = mpsc::unbounded_channel();
    let asked = Arc::new(Notify::new());
    let tell = Arc::clone(&asked);
    let upstream = Upstream::scripted(move |mut exchange| {
        let gone = gone.clone();
        tell.notify_one();
        async move {
            exchange.closed().await;
            gone.send(()).expect("the test listens");
        }
    })
    .await;
    let gateway = Gateway::to(upstream.url()).await;
    let mut client = Client::connect(gateway.data).await;
    client.send("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await;
    asked.notified().await;
    drop(client);
    closed.recv().await.expect("the upstream sees its connection close");
}

#[tokio::test]
async fn a_client_that_does_not_read_is_disconnected() {
    let (gone, mut closed) = mpsc::unbounded_channel();
    let upstream = Upstream::scripted(move |mut exchange| {
        let gone = gone.clone();
        async move {
            // More than any socket buffers.
            let mut body = String::new();
            for series in 0..3_000_000 {
                writeln!(body, "up{{a=\"{series}\"}} 1").expect("a string takes everything");
            }
            exchange.send(ok("", body)).await;
            gone.send(()).expect("the test listens");
        }
    })
    .await;
    let settings = format!(
        "emit: old\nweb: {{write_timeout: 100ms}}\ntargets: [{{name: kong, url: '{}'}}]\n",
        upstream.url()
    );
    let gateway = Gateway::start(&settings).await;
    let mut client = Client::connect(gateway.data).await;
    client.send("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await;
    closed.recv().await.expect("the upstream gets rid of it, or of its connection");
    assert_eq!(gateway.scrapes("client_gone").await, 1);
}

// Stopping

#[tokio::test]
async fn shutdown_waits_for_scrapes_in_flight() {
    let go_on = Arc::new(Notify::new());
    let signal = Arc::clone(&go_on);
    let upstream = Upstream::scripted(move |mut exchange| {
        let signal = Arc::clone(&signal);
        async move {
            exchange.send(chunked(&["up 1\n"])).await;
            signal.notified().await;
            exchange.send("5\r\non 2\n\r\n0\r\n\r\n").await;
        }
    })
    .await;
    let mut gateway = Gateway::to(upstream.url()).await;
    let mut idle = Client::connect(gateway.data).await;
    idle.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    idle.reply(false).await;
    let mut client = Client::connect(gateway.data).await;
    client.send("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await;
    client.read_until("up 1\n").await;

    gateway.stop();
    assert!(idle.is_closed().await, "idle connections close at once");
    let admin = get(gateway.admin, "/-/ready").await;
    assert_eq!(admin.status, 503, "not ready any more");
    go_on.notify_one();
    client.read_until("on 2\n").await;
    client.read_until("0\r\n\r\n").await;
    gateway.stopped().await;
}

#[tokio::test]
async fn shutdown_cuts_endless_scrapes_at_the_deadline() {
    let upstream = Upstream::scripted(|mut exchange| async move {
        exchange.send(chunked(&["up 1\n"])).await;
        exchange.closed().await;
    })
    .await;
    let settings = format!(
        "emit: old\nruntime: {{shutdown_timeout: 100ms}}\ntargets: [{{name: kong, url: '{}'}}]\n",
        upstream.url()
    );
    let gateway = Gateway::start(&settings).await;
    let mut client = Client::connect(gateway.data).await;
    client.send("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await;
    client.read_until("up 1\n").await;
    gateway.stopped().await;
    assert!(client.ends_cut().await);
}
