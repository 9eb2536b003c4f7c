//! The targets that clients may name, and those that they may not.

use super::dynamic_targets::{NEW, allowing, assert_old, telling, through_proxy};
use crate::support::net::{Gateway, get, request, whole};

/// A gateway whose list has every host and every address, with one port and 80.
async fn allowing_all(port: u16) -> Gateway {
    Gateway::start(&format!(
        "emit: old\nallow:\n- {{host: '*', ports: [{port}, 80]}}\n- {{cidr: 0.0.0.0/0, ports: [{port}, 80]}}\n\
         - {{cidr: '::/0', ports: [{port}, 80]}}\n"
    ))
    .await
}

#[tokio::test]
async fn without_an_allow_list_all_targets_are_refused() {
    let (upstream, _seen) = telling(whole(NEW)).await;
    let gateway = Gateway::to(upstream.url()).await;
    let refused = [
        through_proxy(&gateway, &upstream.url()).await,
        get(gateway.data, &format!("/probe?target={}", upstream.address)).await,
        get(gateway.data, &format!("/probe?target={}&module=x", upstream.address)).await,
    ];
    for reply in refused {
        assert_eq!(reply.status, 403, "{}", reply.text());
        assert!(reply.text().contains("no rule of `allow`"), "{}", reply.text());
    }
    assert_eq!(upstream.connections(), 0);
    let refused = "crossfade_refused_requests_total{reason=\"not_allowed\"}";
    assert_eq!(gateway.metric(refused).await, Some(3));
    assert_old(&get(gateway.data, "/metrics").await);
}

#[tokio::test]
async fn a_wide_list_does_not_allow_loopback_or_link_local() {
    let (upstream, _seen) = telling(whole(NEW)).await;
    let port = upstream.address.port();
    let gateway = allowing_all(port).await;
    let hosts = [
        "127.0.0.1",
        "127.1.2.3",
        "127.1",
        "2130706433",
        "0x7f.0.0.1",
        "0177.0.0.1",
        "localhost",
        "LOCALHOST.",
        "0.0.0.0",
        "0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::ffff:0:0]",
    ];
    for host in hosts {
        for reply in [
            through_proxy(&gateway, &format!("http://{host}:{port}/metrics")).await,
            get(gateway.data, &format!("/probe?target={host}:{port}")).await,
        ] {
            // Some of these are names that a resolver may not know.
            assert!(matches!(reply.status, 403 | 502), "{host}: {} {}", reply.status, reply.text());
        }
    }
    for host in
        ["169.254.169.254", "[fe80::1]", "[::ffff:169.254.169.254]", "224.0.0.1", "255.255.255.255"]
    {
        let reply = through_proxy(&gateway, &format!("http://{host}/latest/meta-data/")).await;
        assert_eq!(reply.status, 403, "{host}: {}", reply.text());
        assert!(reply.text().contains("loopback, link-local"), "{host}: {}", reply.text());
    }
    assert_eq!(upstream.connections(), 0);
}

#[tokio::test]
async fn ports_and_tricks_with_urls() {
    let (upstream, _seen) = telling(whole(NEW)).await;
    let (secret, _secret_seen) = telling(whole(NEW)).await;
    let gateway = allowing(&upstream, "").await;
    let (allowed, forbidden) = (upstream.address, secret.address);
    for (url, status) in [
        (format!("http://{forbidden}/metrics"), 403),
        (format!("http://{allowed}@{forbidden}/metrics"), 400),
        (format!("http://{forbidden}/metrics?x=http://{allowed}/"), 403),
        (format!("ftp://{allowed}/metrics"), 400),
    ] {
        let reply = through_proxy(&gateway, &url).await;
        assert_eq!(reply.status, status, "{url}: {}", reply.text());
    }
    // It is the URL that says where to go.
    let head = format!("GET http://{forbidden}/metrics HTTP/1.1\r\nHost: {allowed}\r\n\r\n");
    assert_eq!(request(gateway.data, &head).await.status, 403);
    let head = format!("GET http://{allowed}/metrics HTTP/1.1\r\nHost: {forbidden}\r\n\r\n");
    assert_old(&request(gateway.data, &head).await);
    for method in ["POST", "PUT", "DELETE", "PATCH"] {
        let head = format!(
            "{method} http://{allowed}/metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
        );
        assert_eq!(request(gateway.data, &head).await.status, 405, "{method}");
    }
    assert_eq!((upstream.connections(), secret.connections()), (1, 0));
}

/// Hosts that URL parsers may read differently: none of them may cause a connection.
#[tokio::test]
async fn unusual_spellings_of_hosts() {
    let (upstream, _seen) = telling(whole(NEW)).await;
    let port = upstream.address.port();
    let gateway = allowing_all(port).await;
    for host in [
        "127.0.0.1.",
        "127.0.1",
        "0x7f000001",
        "017700000001",
        "0x7f.1",
        "00000177.0.0.01",
        "%31%32%37.0.0.1",
        "127.0.0.1%00.example",
        "127。0。0。1",
        "①②⑦.0.0.1",
        "[::1%25lo]",
        "[::1%lo]",
        "[fe80::1%25eth0]",
        "[::127.0.0.1]",
        "[::ffff:0:127.0.0.1]",
        "[64:ff9b::127.0.0.1]",
        "[64:ff9b:1::127.0.0.1]",
        "[2002:7f00:1::1]",
        "[fd00:ec2::254]",
        "[::1",
        "::1",
        "[[::1]]",
        "[127.0.0.1]",
    ] {
        for reply in [
            through_proxy(&gateway, &format!("http://{host}:{port}/metrics")).await,
            get(gateway.data, &format!("/probe?target={host}:{port}")).await,
        ] {
            assert!(matches!(reply.status, 400 | 403 | 502), "{host}: {}", reply.text());
        }
    }
    assert_eq!(upstream.connections(), 0);
}

/// URLs that can be read in two ways: the request is refused, or goes to the host that was checked.
#[tokio::test]
async fn ambiguous_urls_are_refused() {
    let (upstream, _seen) = telling(whole(NEW)).await;
    let (secret, _secret_seen) = telling(whole(NEW)).await;
    let gateway = allowing(&upstream, "").await;
    let (allowed, forbidden) = (upstream.address, secret.address);
    let port = allowed.port();
    for url in [
        format!("http://{allowed}%40{forbidden}/metrics"),
        format!("http://{allowed}\\@{forbidden}/metrics"),
        format!("http://x:{allowed}@{forbidden}/metrics"),
        format!("http://{forbidden}#@{allowed}/metrics"),
        format!("http://{forbidden}?@{allowed}/metrics"),
        format!("http://{forbidden}/@{allowed}/metrics"),
        format!("http://{forbidden};{allowed}/metrics"),
        format!("http://{forbidden},{allowed}/metrics"),
        format!("http://{allowed}:{}/metrics", forbidden.port()),
        format!("http:{forbidden}/metrics"),
        format!("http:///{allowed}/metrics"),
        "http://127.0.0.1/metrics".to_owned(),
        "http://127.0.0.1:/metrics".to_owned(),
        "http://127.0.0.1:0/metrics".to_owned(),
        format!("http://127.0.0.1:{}/metrics", u32::from(port) + 65_536),
        format!("http://127.0.0.1:+{port}/metrics"),
        format!("http://127.0.0.1:-{port}/metrics"),
        format!("https://127.0.0.1:{port}:443/metrics"),
        format!("gopher://{allowed}/metrics"),
        format!("file://{allowed}/etc/passwd"),
    ] {
        let reply =
            request(gateway.data, &format!("GET {url} HTTP/1.1\r\nHost: {allowed}\r\n\r\n")).await;
        assert!(
            matches!(reply.status, 400 | 403 | 404),
            "{url}: {} {}",
            reply.status,
            reply.text()
        );
    }
    for target in [
        format!("{allowed}/%0d%0aX-Injected:%201"),
        format!("{allowed}/%20HTTP/1.1%0d%0aHost:%20{forbidden}"),
        format!("{allowed}%0a"),
        format!("{allowed}&target={forbidden}"),
        format!("{forbidden}%23@{allowed}"),
        format!("http://http://{allowed}"),
        format!("//{allowed}"),
        format!("HTTP://{forbidden}"),
    ] {
        let reply = get(gateway.data, &format!("/probe?target={target}")).await;
        assert!(matches!(reply.status, 400 | 403), "{target}: {} {}", reply.status, reply.text());
    }
    // Paths of ours that look like hosts are paths.
    for path in [format!("//{forbidden}/metrics"), format!("/http://{forbidden}/metrics")] {
        assert_eq!(get(gateway.data, &path).await.status, 404, "{path}");
    }
    let head = format!("GET {forbidden} HTTP/1.1\r\nHost: {forbidden}\r\n\r\n");
    assert_eq!(request(gateway.data, &head).await.status, 400, "that is for CONNECT alone");
    assert_eq!((upstream.connections(), secret.connections()), (0, 0));
    assert_old(&through_proxy(&gateway, &format!("HTTP://{allowed}/metrics")).await);
}

#[tokio::test]
async fn a_query_that_cannot_be_appended_is_refused() {
    let (upstream, _seen) = telling(whole(NEW)).await;
    let own = "b".repeat(100);
    let gateway = Gateway::start(&format!(
        "emit: old\ntargets: [{{name: kong, url: '{}?{own}'}}]\nweb: {{header_bytes: 128KiB}}\n\
         allow: [{{cidr: 127.0.0.1, ports: [{}]}}]\n",
        upstream.url(),
        upstream.address.port(),
    ))
    .await;
    let long = "a".repeat(65_480);
    let target = format!("/probe?target={}/m%3F&", upstream.address);
    for (path, status) in [
        (format!("/metrics?{long}"), 414),
        (format!("/metrics?{}", long.split_at(200).1), 200),
        (format!("{target}{}", long.split_at(target.len()).1), 200),
    ] {
        let reply = get(gateway.data, &path).await;
        assert_eq!(reply.status, status, "{} bytes: {}", path.len(), reply.text());
    }
    let refused = "crossfade_refused_requests_total{reason=\"bad_request\"}";
    assert_eq!(gateway.metric(refused).await, Some(1));
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let (secret, _seen) = telling(whole(NEW)).await;
    let to =
        format!("HTTP/1.1 302 Found\r\nLocation: {}\r\nContent-Length: 0\r\n\r\n", secret.url());
    let (upstream, _seen) = telling(to.into_bytes()).await;
    let own = "HTTP/1.1 301 x\r\nLocation: /metrics\r\nContent-Length: 0\r\n\r\n";
    let (looping, mut asked) = telling(own.into()).await;
    let gateway = Gateway::start(&format!(
        "emit: old\nallow: [{{cidr: 127.0.0.1, ports: [{}, {}]}}]\n",
        upstream.address.port(),
        looping.address.port(),
    ))
    .await;
    for upstream in [&upstream, &looping] {
        let reply = through_proxy(&gateway, &upstream.url()).await;
        assert_eq!(reply.status, 502);
        assert!(reply.text().contains("redirects are not followed"), "{}", reply.text());
    }
    assert_eq!(secret.connections(), 0);
    asked.recv().await.expect("once");
    assert!(asked.try_recv().is_err(), "and not again");
}

#[tokio::test]
async fn clients_cannot_create_label_values() {
    let (upstream, mut seen) = telling(whole(NEW)).await;
    let gateway = allowing(&upstream, "").await;
    for n in 0..1_100 {
        let url = format!("http://{}/metrics/{n}", upstream.address);
        assert_eq!(through_proxy(&gateway, &url).await.status, 200);
        seen.recv().await.expect("asked");
    }
    let metrics = get(gateway.admin, "/metrics").await;
    let success = "crossfade_scrapes_total{outcome=\"success\",target=\"(proxy)\"} 1100\n";
    assert!(metrics.text().contains(success), "{}", metrics.text());
    assert!(!metrics.text().contains(&upstream.address.to_string()), "{}", metrics.text());
    // Those that have made room are gone with their connections; the latest are kept.
    assert_eq!(upstream.connections(), 1_100);
    for n in [1_099, 0] {
        let url = format!("http://{}/metrics/{n}", upstream.address);
        assert_eq!(through_proxy(&gateway, &url).await.status, 200);
    }
    assert_eq!(upstream.connections(), 1_101);
}
