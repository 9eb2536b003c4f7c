//! Between the gateway and its targets: what requests carry, TLS, and what of a client's request
//! travels on.

use std::sync::{Arc, OnceLock};

use crate::support::net::{Authority, End, Folder, Gateway, Issued, Reply, Upstream};
use crate::support::net::{get, ok, request, whole};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::mpsc;

const PLAIN: &str = "# TYPE up gauge\nup 1\n";

/// An upstream that responds, closes, and reports the head of each request.
async fn telling() -> (Upstream, mpsc::UnboundedReceiver<String>) {
    let (heads, seen) = mpsc::unbounded_channel();
    let upstream = Upstream::scripted(move |mut exchange| {
        let heads = heads.clone();
        async move {
            heads.send(exchange.head.clone()).expect("the test listens");
            exchange.send(whole(PLAIN)).await;
        }
    })
    .await;
    (upstream, seen)
}

/// The values of a header, in the order in which they were sent.
fn values<'a>(head: &'a str, name: &str) -> Vec<&'a str> {
    let lines = head.lines().filter_map(|line| line.split_once(':'));
    let its = lines.filter(|(its, _)| its.eq_ignore_ascii_case(name));
    its.map(|(_, value)| value.trim()).collect()
}

async fn gateway(url: &str, more: &str) -> Gateway {
    Gateway::start(&format!("emit: old\ntargets:\n- name: kong\n  url: {url}\n{more}")).await
}

// What requests carry

#[tokio::test]
async fn headers_for_the_target_are_forwarded() {
    let (upstream, mut seen) = telling().await;
    let gateway = gateway(&format!("{}?own=1", upstream.url()), "").await;
    let head = concat!(
        "GET /metrics?a=b&c HTTP/1.1\r\nHost: crossfade\r\nUser-Agent: Prometheus/2.42.0\r\n",
        "Accept: application/openmetrics-text\r\nAccept-Encoding: gzip\r\n",
        "X-Prometheus-Scrape-Timeout-Seconds: 15\r\n",
        "Authorization: Bearer theirs\r\nKong-Admin-Token: t1\r\nKong-Admin-Token: t2\r\n",
        "Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\nTE: trailers\r\nProxy-Authorization: Basic eA==\r\n",
        "If-None-Match: x\r\nRange: bytes=0-1\r\n\r\n",
    );
    assert_eq!(request(gateway.data, head).await.status, 200);

    let head = seen.recv().await.expect("scraped");
    assert!(head.starts_with("GET /metrics?own=1&a=b&c HTTP/1.1\r\n"), "{head}");
    assert_eq!(values(&head, "host"), [upstream.address.to_string()]);
    for (name, expected) in [
        ("user-agent", &["Prometheus/2.42.0"][..]),
        ("authorization", &["Bearer theirs"]),
        ("kong-admin-token", &["t1", "t2"]),
        ("x-prometheus-scrape-timeout-seconds", &["14.5"]),
        ("accept", &["application/openmetrics-text;q=1,*/*;q=0.1"]),
        ("accept-encoding", &["identity"]),
        ("x-hop", &[]),
        ("te", &[]),
        ("proxy-authorization", &[]),
        ("if-none-match", &[]),
        ("range", &[]),
    ] {
        assert_eq!(values(&head, name), expected, "{name}: {head}");
    }
    assert_eq!(values(&head, "via").len(), 1, "{head}");
}

#[tokio::test]
async fn configured_credentials_replace_those_of_the_client() {
    let folder = Folder::new("credentials");
    let password = folder.write("password", "open sesame\n");
    let token = folder.write("token", "from-a-file\n");
    let cases = [
        (
            format!("  basic_auth: {{username: Aladdin, password_file: {password}}}\n"),
            "authorization",
            vec!["Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="],
        ),
        (
            "  authorization: {credentials: '${CARGO_PKG_NAME}'}\n".to_owned(),
            "authorization",
            vec!["Bearer crossfade"],
        ),
        (
            format!("  http_headers: {{Kong-Admin-Token: {{secrets: [a], files: [{token}]}}}}\n"),
            "kong-admin-token",
            vec!["a", "from-a-file"],
        ),
    ];
    for (settings, header, expected) in cases {
        let (upstream, mut seen) = telling().await;
        let gateway = gateway(&upstream.url(), &settings).await;
        let head = concat!(
            "GET /metrics HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer theirs\r\n",
            "Kong-Admin-Token: theirs\r\n\r\n"
        );
        assert_eq!(request(gateway.data, head).await.status, 200);
        let head = seen.recv().await.expect("scraped");
        assert_eq!(values(&head, header), expected, "{head}");
    }
}

#[tokio::test]
async fn a_secret_file_may_change_or_be_missing() {
    let folder = Folder::new("rotation");
    let token = folder.write("token", "first");
    let (upstream, mut seen) = telling().await;
    let settings = format!("  authorization: {{credentials_file: {token}}}\n");
    let gateway = gateway(&upstream.url(), &settings).await;
    get(gateway.data, "/metrics").await;
    folder.write("token", "second");
    get(gateway.data, "/metrics").await;
    for expected in ["Bearer first", "Bearer second"] {
        let head = seen.recv().await.expect("scraped");
        assert_eq!(values(&head, "authorization"), [expected]);
    }

    std::fs::remove_file(&token).expect("it is there");
    let reply = get(gateway.data, "/metrics").await;
    assert_eq!(reply.status, 502);
    assert!(reply.text().contains("cannot send the request: cannot read"), "{}", reply.text());
    assert_eq!(gateway.scrapes("credentials").await, 1);
}

#[tokio::test]
async fn secrets_are_never_shown() {
    let upstream = Upstream::closing("HTTP/1.1 401 Unauthorized\r\n\r\n").await;
    let url = format!("{}?token=hunter2", upstream.url());
    let settings = concat!(
        "  basic_auth: {username: u, password: hunter2}\n",
        "  http_headers: {X-Token: {secrets: [hunter2]}}\n"
    );
    let gateway = gateway(&url, settings).await;
    let mut shown = Vec::new();
    for (address, path) in
        [(gateway.data, "/metrics"), (gateway.data, "/"), (gateway.admin, "/metrics")]
    {
        shown.extend(get(address, path).await.body);
    }
    let shown = String::from_utf8(shown).expect("text");
    assert!(shown.contains("401 Unauthorized"), "{shown}");
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[tokio::test]
async fn a_scrape_loop_is_detected() {
    // The way back goes through a fake, as the gateway's port is not known before it has started.
    let back = Arc::new(OnceLock::new());
    let to = Arc::clone(&back);
    let relay = Upstream::scripted(move |mut exchange| {
        let to = Arc::clone(&to);
        async move {
            let reply = request(*to.get().expect("started"), &exchange.head).await;
            exchange.send(format!("HTTP/1.1 {} x\r\n\r\n", reply.status)).await;
        }
    })
    .await;
    let gateway = gateway(&relay.url(), "").await;
    back.set(gateway.data).expect("once");
    let reply = get(gateway.data, "/metrics").await;
    assert_eq!(reply.status, 502);
    assert!(reply.text().contains("it answered 508 Loop Detected"), "{}", reply.text());
    let refused = "crossfade_refused_requests_total{reason=\"loop\"}";
    assert_eq!(gateway.metric(refused).await, Some(1));
}

// TLS

/// An upstream that answers through TLS.
async fn secure(issued: &Issued, clients: Option<&Authority>) -> Upstream {
    Upstream::secured(issued.acceptor(clients), |mut exchange| async move {
        exchange.send(whole(PLAIN)).await;
        while exchange.next_request().await {
            exchange.send(whole(PLAIN)).await;
        }
    })
    .await
}

fn https(upstream: &Upstream, host: &str) -> String {
    format!("https://{host}:{}/metrics", upstream.address.port())
}

#[track_caller]
fn assert_plain(reply: &Reply) {
    assert_eq!((reply.status, reply.end), (200, End::Whole), "{}", reply.text());
    assert_eq!(reply.text(), PLAIN);
}

#[tokio::test]
async fn the_certificate_of_a_target_is_verified() {
    let folder = Folder::new("tls");
    let ours = Authority::new("ours");
    let ca = folder.write("ca.pem", &ours.certificate());
    let theirs = Authority::new("theirs");
    let other = folder.write("other.pem", &theirs.certificate());
    let good = ours.issue("localhost");

    // Certificate, settings, and what is wrong.
    let cases = [
        (good.clone(), format!("{{ca_file: {ca}}}"), None),
        (good.clone(), format!("{{ca_file: {ca}, min_version: TLS13}}"), None),
        (ours.issue("kong"), format!("{{ca_file: {ca}, server_name: kong}}"), None),
        (
            ours.issue("kong"),
            format!("{{ca_file: {ca}}}"),
            Some("its certificate is not for localhost, but for "),
        ),
        (
            good.clone(),
            format!("{{ca_file: {other}}}"),
            Some("not from a trusted CA; set tls_config.ca_file"),
        ),
        (
            good,
            format!("{{ca_file: {ca}, server_name: kong}}"),
            Some("its certificate is not for kong, but for "),
        ),
        (
            ours.issue_expired("localhost"),
            format!("{{ca_file: {ca}}}"),
            Some("has expired; renew it"),
        ),
        (
            ours.issue_authority("localhost"),
            format!("{{ca_file: {ca}}}"),
            Some("its certificate is that of a CA"),
        ),
        (theirs.issue_expired("x"), "{insecure_skip_verify: true}".to_owned(), None),
    ];
    for (issued, tls, wrong) in cases {
        let upstream = secure(&issued, None).await;
        let settings = format!("  tls_config: {tls}\n");
        let gateway = gateway(&https(&upstream, "localhost"), &settings).await;
        let reply = get(gateway.data, "/metrics").await;
        match wrong {
            None => {
                assert_plain(&reply);
                assert_plain(&get(gateway.data, "/metrics").await);
                assert_eq!(upstream.connections(), 1, "it is kept");
            }
            Some(part) => {
                assert_eq!(reply.status, 502, "{tls}");
                assert!(reply.text().contains("no TLS connection: "), "{tls}: {}", reply.text());
                assert!(reply.text().contains(part), "{tls}: {}", reply.text());
                assert_eq!(gateway.scrapes("tls").await, 1, "{tls}");
            }
        }
    }
}

#[tokio::test]
async fn a_client_certificate_is_presented_to_the_target() {
    let folder = Folder::new("mtls");
    let authority = Authority::new("ours");
    let ca = folder.write("ca.pem", &authority.certificate());
    let us = authority.issue("crossfade");
    let (certificate, key) =
        (folder.write("us.pem", &us.certificate), folder.write("us.key", &us.key));
    let upstream = secure(&authority.issue("127.0.0.1"), Some(&authority)).await;
    let url = https(&upstream, "127.0.0.1");

    let settings =
        format!("  tls_config: {{ca_file: {ca}, cert_file: {certificate}, key_file: {key}}}\n");
    assert_plain(&get(gateway(&url, &settings).await.data, "/metrics").await);

    let without = gateway(&url, &format!("  tls_config: {{ca_file: {ca}}}\n")).await;
    let reply = get(without.data, "/metrics").await;
    assert!(reply.text().contains("it requires a client certificate; set "), "{}", reply.text());
    assert_eq!((reply.status, without.scrapes("tls").await), (502, 1));
}

#[tokio::test]
async fn changed_tls_files_are_read_again() {
    let folder = Folder::new("tls-rotation");
    let (before, after) = (Authority::new("before"), Authority::new("after"));
    let ca = folder.write("ca.pem", &before.certificate());
    let upstream =
        Upstream::secured(after.issue("localhost").acceptor(None), |mut exchange| async move {
            exchange.send(ok("Connection: close\r\n", PLAIN)).await;
            exchange.end().await;
        })
        .await;
    let settings = format!("  tls_config: {{ca_file: {ca}}}\n");
    let gateway = gateway(&https(&upstream, "localhost"), &settings).await;
    assert_eq!(get(gateway.data, "/metrics").await.status, 502);
    folder.write("ca.pem", "half a certif");
    assert_eq!(get(gateway.data, "/metrics").await.status, 502, "what was read before goes on");
    folder.write("ca.pem", &after.certificate());
    assert_plain(&get(gateway.data, "/metrics").await);
}

#[tokio::test]
async fn a_body_without_close_notify_is_truncated() {
    let folder = Folder::new("tls-cut");
    let authority = Authority::new("ours");
    let ca = folder.write("ca.pem", &authority.certificate());
    // Neither a length nor chunks: only the end of TLS tells that it is whole, and it just hangs
    // up.
    let upstream =
        Upstream::secured(authority.issue("localhost").acceptor(None), |mut exchange| async move {
            exchange.send(ok("", PLAIN)).await;
        })
        .await;
    let settings = format!("  tls_config: {{ca_file: {ca}}}\n");
    let gateway = gateway(&https(&upstream, "localhost"), &settings).await;
    let reply = get(gateway.data, "/metrics").await;
    assert!(reply.status == 502 || reply.end == End::Cut, "{reply:?}");
    assert_eq!(gateway.scrapes("cut").await, 1);
}

#[tokio::test]
async fn https_to_a_plain_port_is_named_in_the_error() {
    let folder = Folder::new("tls-plain");
    let ca = folder.write("ca.pem", &Authority::new("ours").certificate());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let plain = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("asked");
        // What an HTTP server makes of a TLS greeting.
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.expect("it reads");
    });
    let settings = format!("  tls_config: {{ca_file: {ca}}}\n");
    let gateway = gateway(&format!("https://localhost:{port}/metrics"), &settings).await;
    let reply = get(gateway.data, "/metrics").await;
    assert_eq!(reply.status, 502);
    let says = "its port does not use TLS; write http:// in the URL";
    assert!(reply.text().contains(says), "{}", reply.text());
    plain.await.expect("it was asked");
}

#[tokio::test]
async fn http_to_a_port_with_tls_is_named_in_the_error() {
    let upstream = secure(&Authority::new("ours").issue("localhost"), None).await;
    let gateway = gateway(&upstream.url(), "").await;
    let reply = get(gateway.data, "/metrics").await;
    assert_eq!(reply.status, 502);
    for part in ["what it sent is not HTTP/1.1", "whether it expects https"] {
        assert!(reply.text().contains(part), "{part}: {}", reply.text());
    }
}

#[tokio::test]
async fn the_advice_about_a_status_fits_it() {
    for (status, advice) in [
        ("400 Bad Request", "check that the scheme in the URL"),
        ("401 Unauthorized", "set credentials that it accepts: basic_auth"),
        ("403 Forbidden", "check the credentials of the target"),
        ("404 Not Found", "check the path in the URL"),
        ("500 Internal Server Error", "the log of the target"),
    ] {
        let response = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
        let upstream = Upstream::scripted(move |mut exchange| {
            let response = response.clone();
            async move { exchange.send(response).await }
        })
        .await;
        let reply = get(gateway(&upstream.url(), "").await.data, "/metrics").await;
        let text = format!("it answered {status}; {advice}");
        assert!(reply.text().contains(&text), "{text}: {}", reply.text());
    }
}

#[tokio::test]
async fn unusable_files_are_errors_at_startup() {
    let folder = Folder::new("tls-start");
    let authority = Authority::new("ours");
    let issued = authority.issue("x");
    let ca = folder.write("ca.pem", &authority.certificate());
    let key = folder.write("key.pem", &issued.key);
    let other = folder.write("other.pem", &authority.issue("y").certificate);
    for (settings, part) in [
        (
            "tls_config: {ca_file: /nowhere/ca.pem}".to_owned(),
            "ca_file: cannot read /nowhere/ca.pem",
        ),
        (format!("tls_config: {{ca_file: {key}}}"), "contains no usable certificate"),
        (format!("tls_config: {{ca_file: {ca}, cert_file: {ca}, key_file: {ca}}}"), "private key"),
        (format!("tls_config: {{ca_file: {ca}, cert_file: {other}, key_file: {key}}}"), "key_file"),
        (
            format!(
                "tls_config: {{ca_file: {ca}}}, authorization: {{credentials_file: /nowhere/t}}"
            ),
            "/nowhere/t",
        ),
    ] {
        let text =
            format!("emit: old\ntargets: [{{name: kong, url: 'https://kong/', {settings}}}]\n");
        let settings = crossfade::config::parse("settings", &text).into_settings();
        let refused = crossfade::app::App::bind(settings.expect("valid")).await;
        let error = refused.expect_err("it does not start").to_string();
        assert!(error.starts_with("target kong: ") && error.contains(part), "{error}");
    }
}
