//! Names that resolve to one address now and to another a moment later (DNS rebinding): what is
//! checked is what is connected to, each time.
//!
//! Everything here is on the loopback interface, where each address of 127.0.0.0/8 is another
//! host's with listeners of its own. The allow-list names one of them.

use std::net::{IpAddr, Ipv4Addr};

use super::dynamic_targets::{NEW, assert_old, telling, through_proxy};
use crate::support::net::{Bystander, Gateway, Names, Reply, Upstream, get, whole};

const NAME: &str = "kong.example";

const NOT_ALLOWED: &str = "crossfade_scrapes_total{outcome=\"not_allowed\",target=\"(proxy)\"}";

/// An upstream that is asked once on each connection, so that the next scrape has to look its name
/// up again.
async fn asked_once() -> Upstream {
    Upstream::closing(
        String::from_utf8(whole(NEW))
            .expect("text")
            .replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"),
    )
    .await
}

/// Settings that allow a name at this upstream's address and port, and nowhere else.
fn allowing(upstream: &Upstream) -> String {
    let (address, port) = (upstream.address.ip(), upstream.address.port());
    format!("emit: old\nallow: [{{host: {NAME}, cidr: {address}, ports: [{port}]}}]\n")
}

fn url(upstream: &Upstream) -> String {
    format!("http://{NAME}:{}/metrics", upstream.address.port())
}

#[track_caller]
fn assert_refused(reply: &Reply, why: &str, what: &str) {
    assert_eq!(reply.status, 403, "{what}: {}", reply.text());
    assert!(reply.text().contains(why), "{what}: {}", reply.text());
    assert!(!reply.text().contains(NEW) && !reply.text().contains("kong_bandwidth"), "{what}");
}

/// Others on the upstream's port: on this host, where the machine has such an address.
fn bystanders(upstream: &Upstream) -> Vec<Bystander> {
    let hosts: [IpAddr; 2] =
        [Ipv4Addr::new(127, 0, 0, 2).into(), std::net::Ipv6Addr::LOCALHOST.into()];
    hosts.into_iter().filter_map(|host| Bystander::at((host, upstream.address.port()))).collect()
}

#[tokio::test]
async fn a_name_that_resolves_outside_the_list_is_refused() {
    for moved in [
        "127.0.0.2",
        "::1",
        "::ffff:127.0.0.2",
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "10.0.0.1",
        "192.0.2.1",
        "0.0.0.0",
    ] {
        let upstream = asked_once().await;
        let others = bystanders(&upstream);
        let names = Names::default();
        names.set(NAME, &[&["127.0.0.1"], &[moved]]);
        let gateway = Gateway::start_among(&allowing(&upstream), &names).await;

        assert_old(&through_proxy(&gateway, &url(&upstream)).await);
        for refused in 1..=2 {
            let reply = through_proxy(&gateway, &url(&upstream)).await;
            assert_refused(&reply, "no rule of `allow`", moved);
            assert_eq!(gateway.metric(NOT_ALLOWED).await, Some(refused), "{moved}");
        }
        let probe = format!("/probe?target={NAME}:{}", upstream.address.port());
        assert_refused(&get(gateway.data, &probe).await, "no rule of `allow`", moved);
        let of_probe = NOT_ALLOWED.replace("(proxy)", "(probe)");
        assert_eq!(gateway.metric(&of_probe).await, Some(1), "{moved}");

        assert_eq!(names.asked().len(), 4, "{moved}: it is looked up for each connection");
        assert_eq!(upstream.connections(), 1, "{moved}");
        assert!(others.iter().all(|other| other.connections() == 0), "{moved}");

        names.set(NAME, &[&["127.0.0.1"]]);
        assert_old(&through_proxy(&gateway, &url(&upstream)).await);
    }
}

#[tokio::test]
async fn a_listed_name_does_not_allow_loopback() {
    // The owner of the zone can let it resolve to anything.
    let upstream = asked_once().await;
    let port = upstream.address.port();
    let names = Names::default();
    let settings = format!("emit: old\nallow: [{{host: {NAME}, ports: [{port}]}}]\n");
    let gateway = Gateway::start_among(&settings, &names).await;
    for address in ["127.0.0.1", "::ffff:127.0.0.1", "169.254.169.254", "fe80::1", "::", "0.0.0.0"]
    {
        names.set(NAME, &[&[address]]);
        let reply = through_proxy(&gateway, &url(&upstream)).await;
        assert_refused(&reply, "loopback, link-local", address);
    }
    assert_eq!(upstream.connections(), 0);
    assert_eq!(gateway.metric(NOT_ALLOWED).await, Some(6));
}

#[tokio::test]
async fn only_listed_addresses_of_a_name_are_tried() {
    let upstream = asked_once().await;
    let others = bystanders(&upstream);
    let names = Names::default();
    let gateway = Gateway::start_among(&allowing(&upstream), &names).await;
    let orders: [&[&str]; 4] = [
        &["127.0.0.2", "127.0.0.1"],
        &["127.0.0.1", "127.0.0.2"],
        &["::1", "169.254.169.254", "127.0.0.1", "10.0.0.1"],
        &["::ffff:127.0.0.2", "::ffff:127.0.0.1"],
    ];
    for addresses in orders {
        names.set(NAME, &[addresses]);
        assert_old(&through_proxy(&gateway, &url(&upstream)).await);
    }
    assert_eq!(upstream.connections(), orders.len());
    assert!(others.iter().all(|other| other.connections() == 0));

    // If the allowed address does not respond, the others are not tried.
    let settings = allowing(&upstream);
    let port = upstream.address.port();
    drop(upstream);
    let gateway = Gateway::start_among(&settings, &names).await;
    names.set(NAME, &[&["127.0.0.1", "127.0.0.2", "::1"]]);
    let reply = through_proxy(&gateway, &format!("http://{NAME}:{port}/metrics")).await;
    assert_eq!(reply.status, 502, "{}", reply.text());
    assert!(others.iter().all(|other| other.connections() == 0));
}

#[tokio::test]
async fn a_retry_resolves_and_checks_again() {
    // It closes the connection without a word, which is found out with the next request.
    let upstream = Upstream::closing(whole(NEW)).await;
    let others = bystanders(&upstream);
    let names = Names::default();
    names.set(NAME, &[&["127.0.0.1"], &["127.0.0.2"]]);
    let gateway = Gateway::start_among(&allowing(&upstream), &names).await;
    assert_old(&through_proxy(&gateway, &url(&upstream)).await);
    let reply = through_proxy(&gateway, &url(&upstream)).await;
    assert_refused(&reply, "no rule of `allow`", "the second");
    assert_eq!(upstream.connections(), 1);
    assert!(others.iter().all(|other| other.connections() == 0));
}

#[tokio::test]
async fn a_kept_connection_ends_with_its_allow_rule() {
    let (upstream, mut seen) = telling(whole(NEW)).await;
    let names = Names::default();
    names.set(NAME, &[&["127.0.0.1"]]);
    let allowed = allowing(&upstream);
    let gateway = Gateway::start_among(&allowed, &names).await;
    for _ in 0..2 {
        assert_old(&through_proxy(&gateway, &url(&upstream)).await);
        seen.recv().await.expect("asked");
    }
    assert_eq!(upstream.connections(), 1, "it is kept");

    // The address goes: the name is still on the list, and found out when it is looked up.
    gateway.reload(&allowed.replace("127.0.0.1", "127.0.0.2")).await.expect("valid");
    let reply = through_proxy(&gateway, &url(&upstream)).await;
    assert_refused(&reply, "no rule of `allow`", "the address");
    assert_eq!(gateway.metric(NOT_ALLOWED).await, Some(1));
    // The name goes, and with it all that clients may name.
    gateway.reload(&allowed.replace(NAME, "other.example")).await.expect("valid");
    let reply = through_proxy(&gateway, &url(&upstream)).await;
    assert_refused(&reply, "no rule of `allow`", "the name");
    let refused = "crossfade_refused_requests_total{reason=\"not_allowed\"}";
    assert_eq!(gateway.metric(refused).await, Some(1));
    assert!(seen.try_recv().is_err(), "nothing was asked on the connection that was kept");
    assert_eq!(upstream.connections(), 1);

    gateway.reload(&allowed).await.expect("valid");
    assert_old(&through_proxy(&gateway, &url(&upstream)).await);
    assert_eq!(upstream.connections(), 2, "on a connection of its own");
}

#[tokio::test]
async fn configured_targets_are_resolved_for_each_connection() {
    // No list is asked: it is the operator who names them. They may move.
    let upstream = asked_once().await;
    let names = Names::default();
    names.set(NAME, &[&["127.0.0.2"], &["127.0.0.1"]]);
    let settings = format!("emit: old\ntargets: [{{name: kong, url: '{}'}}]\n", url(&upstream));
    let gateway = Gateway::start_among(&settings, &names).await;
    let reply = get(gateway.data, "/metrics").await;
    assert_eq!(reply.status, 502, "{}", reply.text());
    assert_old(&get(gateway.data, "/metrics").await);
    let unknown = Names::default();
    let gateway = Gateway::start_among(&settings, &unknown).await;
    let reply = get(gateway.data, "/metrics").await;
    assert_eq!(reply.status, 502);
    assert!(
        reply.text().contains("cannot resolve its host name: no such name"),
        "{}",
        reply.text()
    );
}
