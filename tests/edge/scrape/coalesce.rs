//! One scrape of a target for all who come at the same time, and what all scrapes together may
//! cost.

use std::sync::Arc;

use crate::support::net::{Client, End, Gateway, Upstream};
use crate::support::net::{chunked, get, ok, request, whole};
use tokio::sync::{Notify, mpsc};

/// An upstream that reports each request, and responds once it is released.
async fn hesitant(
    answer: impl Fn(usize) -> Vec<u8> + Send + Sync + 'static,
) -> (Upstream, mpsc::UnboundedReceiver<String>, Arc<Notify>) {
    let (asked, seen) = mpsc::unbounded_channel();
    let go_on = Arc::new(Notify::new());
    let signal = Arc::clone(&go_on);
    let answer = Arc::new(answer);
    let upstream = Upstream::scripted(move |mut exchange| {
        let (asked, signal, answer) = (asked.clone(), Arc::clone(&signal), Arc::clone(&answer));
        async move {
            asked.send(exchange.head.clone()).expect("the test listens");
            signal.notified().await;
            exchange.send(answer(exchange.number)).await;
            exchange.closed().await;
        }
    })
    .await;
    (upstream, seen, go_on)
}

async fn asking(gateway: &Gateway, headers: &str) -> Client {
    let mut client = Client::connect(gateway.data).await;
    client.send(&format!("GET /metrics HTTP/1.1\r\nHost: x\r\n{headers}\r\n")).await;
    client
}

const JOINED: &str = "crossfade_shared_scrapes_total{target=\"kong\"}";

fn left(reason: &str) -> String {
    format!("crossfade_shared_scrapes_left_total{{reason=\"{reason}\",target=\"kong\"}}")
}

#[tokio::test]
async fn simultaneous_clients_share_one_scrape() {
    let (upstream, mut asked, go_on) = hesitant(|n| whole(format!("up {n}\n"))).await;
    let gateway = Gateway::to(upstream.url()).await;
    let mut first = asking(&gateway, "User-Agent: Prometheus/2.42.0\r\n").await;
    asked.recv().await.expect("asked");
    let mut second =
        asking(&gateway, "User-Agent: Prometheus/2.45.0\r\ntraceparent: 00-1-2-00\r\n").await;
    let mut third = asking(&gateway, "Accept-Encoding: gzip\r\n").await;
    gateway.reaches(JOINED, 2).await;
    go_on.notify_one();
    for client in [&mut first, &mut second] {
        let reply = client.reply(false).await;
        assert_eq!((reply.status, reply.text(), reply.end), (200, "up 0\n", End::Whole));
    }
    let reply = third.reply(false).await;
    assert_eq!((reply.status, reply.header("content-encoding")), (200, Some("gzip")));
    assert_eq!(upstream.connections(), 1);
    assert_eq!(gateway.scrapes("success").await, 1);
    assert_eq!(
        gateway.metric("crossfade_scrape_written_bytes_total{target=\"kong\"}").await,
        Some(5)
    );
    assert_eq!(gateway.metric("crossfade_scrapes_in_flight").await, Some(0));
}

#[tokio::test]
async fn a_client_never_gets_data_from_before_its_request() {
    let go_on = Arc::new(Notify::new());
    let signal = Arc::clone(&go_on);
    let upstream = Upstream::scripted(move |mut exchange| {
        let signal = Arc::clone(&signal);
        async move {
            exchange.send(chunked(&[&format!("up{{n=\"{}\"}} 1\n", exchange.number)])).await;
            if exchange.number == 0 {
                signal.notified().await;
            }
            exchange.send("0\r\n\r\n").await;
        }
    })
    .await;
    let gateway = Gateway::to(upstream.url()).await;
    let mut first = asking(&gateway, "").await;
    first.read_until("up{n=\"0\"} 1\n").await;
    // The first is still under way, but has begun to leave.
    assert_eq!(get(gateway.data, "/metrics").await.text(), "up{n=\"1\"} 1\n");
    go_on.notify_one();
    first.read_until("0\r\n\r\n").await;
    // And what has ended is over.
    assert_eq!(get(gateway.data, "/metrics").await.text(), "up{n=\"2\"} 1\n");
    assert_eq!(gateway.metric(JOINED).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn different_requests_do_not_share_a_scrape() {
    let (upstream, mut asked, go_on) = hesitant(|n| whole(format!("up {n}\n"))).await;
    let gateway = Gateway::to(upstream.url()).await;
    let mut clients = Vec::new();
    for headers in [
        "",
        "Authorization: Bearer a\r\n",
        "Authorization: Bearer b\r\n",
        "User-Agent: Prometheus/3.1.0\r\n",
    ] {
        clients.push(asking(&gateway, headers).await);
        asked.recv().await.expect("each is asked for");
    }
    let mut other = Client::connect(gateway.data).await;
    other.send("GET /metrics?a=b HTTP/1.1\r\nHost: x\r\n\r\n").await;
    asked.recv().await.expect("each is asked for");
    clients.push(other);
    for client in &mut clients {
        go_on.notify_one();
        assert_eq!(client.reply(false).await.status, 200);
    }
    assert_eq!(upstream.connections(), 5);
}

#[tokio::test]
async fn a_disconnected_client_does_not_affect_the_others() {
    for leaves in [0, 1] {
        let (upstream, mut asked, go_on) = hesitant(|n| whole(format!("up {n}\n"))).await;
        let gateway = Gateway::to(upstream.url()).await;
        let mut clients = vec![asking(&gateway, "").await];
        asked.recv().await.expect("asked");
        clients.push(asking(&gateway, "").await);
        gateway.reaches(JOINED, 1).await;
        drop(clients.remove(leaves));
        gateway.reaches(&left("client_gone"), 1).await;
        go_on.notify_one();
        let reply = clients[0].reply(false).await;
        assert_eq!(
            (reply.status, reply.text(), reply.end),
            (200, "up 0\n", End::Whole),
            "{leaves}"
        );
        assert_eq!((upstream.connections(), gateway.scrapes("success").await), (1, 1));
    }
}

#[tokio::test]
async fn a_scrape_without_clients_is_cancelled() {
    let (upstream, mut asked, _go_on) = hesitant(|_| Vec::new()).await;
    let gateway = Gateway::to(upstream.url()).await;
    let first = asking(&gateway, "").await;
    asked.recv().await.expect("asked");
    let second = asking(&gateway, "").await;
    gateway.reaches(JOINED, 1).await;
    drop((first, second));
    let gone = "crossfade_scrapes_total{outcome=\"client_gone\",target=\"kong\"}";
    gateway.reaches(gone, 1).await;
    assert_eq!(gateway.metric("crossfade_scrapes_in_flight").await, Some(0));
}

#[tokio::test]
async fn each_client_has_its_own_deadline() {
    let (upstream, mut asked, go_on) = hesitant(|n| whole(format!("up {n}\n"))).await;
    let gateway = Gateway::to(upstream.url()).await;
    let mut hasty = asking(&gateway, "X-Prometheus-Scrape-Timeout-Seconds: 0.4\r\n").await;
    asked.recv().await.expect("asked");
    let mut patient = asking(&gateway, "").await;
    gateway.reaches(JOINED, 1).await;
    let reply = hasty.reply(false).await;
    assert_eq!(reply.status, 504, "{}", reply.text());
    assert!(reply.text().contains("timeout after 0.2s"), "{}", reply.text());
    go_on.notify_one();
    assert_eq!(patient.reply(false).await.text(), "up 0\n");
    assert_eq!(gateway.metric(&left("timeout")).await, Some(1));
    assert_eq!(gateway.scrapes("success").await, 1);
}

#[tokio::test]
async fn all_clients_get_the_failure() {
    let (upstream, mut asked, go_on) = hesitant(|_| b"HTTP/1.1 500 x\r\n\r\n".to_vec()).await;
    let gateway = Gateway::to(upstream.url()).await;
    let mut first = asking(&gateway, "").await;
    asked.recv().await.expect("asked");
    let mut second = asking(&gateway, "").await;
    gateway.reaches(JOINED, 1).await;
    go_on.notify_one();
    for client in [&mut first, &mut second] {
        let reply = client.reply(false).await;
        assert_eq!(reply.status, 502);
        assert!(reply.text().contains("it answered 500"), "{}", reply.text());
    }
    assert_eq!(gateway.scrapes("status").await, 1);
}

#[tokio::test]
async fn all_clients_see_the_truncation() {
    let seen = Arc::new(Notify::new());
    let signal = Arc::clone(&seen);
    let (asked, mut was_asked) = mpsc::unbounded_channel();
    let begin = Arc::new(Notify::new());
    let begins = Arc::clone(&begin);
    let upstream = Upstream::scripted(move |mut exchange| {
        let (signal, begins, asked) = (Arc::clone(&signal), Arc::clone(&begins), asked.clone());
        async move {
            asked.send(()).expect("the test listens");
            begins.notified().await;
            exchange.send(chunked(&["up 1\nup{a=\"b\"} 12"])).await;
            signal.notified().await;
        }
    })
    .await;
    let gateway = Gateway::to(upstream.url()).await;
    let mut clients = vec![asking(&gateway, "").await];
    was_asked.recv().await.expect("asked");
    clients.push(asking(&gateway, "").await);
    gateway.reaches(JOINED, 1).await;
    begin.notify_one();
    for client in &mut clients {
        client.read_until("up 1\n").await;
    }
    seen.notify_one();
    for client in &mut clients {
        assert!(client.ends_cut().await);
    }
}

#[tokio::test]
async fn a_stalled_client_does_not_stop_the_others() {
    let line = |n: u32| format!("up{{n=\"{n}\",filler=\"{}\"}} 1\n", "x".repeat(200));
    // Far more than sockets hold, and than is kept for the slowest if memory is scarce.
    let body: Arc<String> = Arc::new((0..200_000).map(line).collect());
    let sent = Arc::clone(&body);
    let (upstream, mut asked, go_on) = hesitant(move |_| whole(sent.as_bytes())).await;
    for (limit, is_cut) in [("8MiB", true), ("1GiB", false)] {
        let gateway = Gateway::start(&format!(
            "emit: old\nlimits: {{all_held_bytes: {limit}}}\ntargets: [{{name: kong, url: '{}'}}]\n",
            upstream.url()
        ))
        .await;
        let mut stuck = asking(&gateway, "").await;
        asked.recv().await.expect("asked");
        let mut reading = asking(&gateway, "").await;
        gateway.reaches(JOINED, 1).await;
        go_on.notify_one();
        let reply = reading.reply(false).await;
        assert_eq!((reply.status, reply.end), (200, End::Whole));
        assert!(reply.body == body.as_bytes(), "everything, in order");
        assert_eq!(gateway.scrapes("success").await, 1);
        if is_cut {
            stuck.read_until("up{n=\"0\"").await;
            assert!(stuck.ends_cut().await);
            assert_eq!(gateway.metric(&left("too_slow")).await, Some(1));
        } else {
            let reply = stuck.reply(false).await;
            assert_eq!((reply.status, reply.end), (200, End::Whole));
            assert!(reply.body == body.as_bytes(), "what it had not read was kept for it");
            assert_eq!(gateway.metric(&left("too_slow")).await.unwrap_or_default(), 0);
        }
    }
    assert_eq!(upstream.connections(), 2);
}

// What all scrapes together may cost

#[tokio::test]
async fn concurrent_scrapes_are_limited() {
    let (upstream, mut asked, go_on) = hesitant(|n| whole(format!("up {n}\n"))).await;
    let gateway = Gateway::start(&format!(
        "emit: old\nlimits: {{scrapes: 1}}\ntargets: [{{name: kong, url: '{0}'}}, {{name: other, url: '{0}'}}]\n",
        upstream.url()
    ))
    .await;
    let head = |name: &str| format!("GET /targets/{name}/metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    let mut first = Client::connect(gateway.data).await;
    first.send(&head("kong")).await;
    asked.recv().await.expect("asked");
    let reply = request(gateway.data, &head("other")).await;
    assert_eq!(reply.status, 503);
    assert!(reply.text().contains("limits.scrapes"), "{}", reply.text());
    // To join one costs nothing more.
    let mut second = Client::connect(gateway.data).await;
    second.send(&head("kong")).await;
    gateway.reaches(JOINED, 1).await;
    go_on.notify_one();
    assert_eq!(first.reply(false).await.status, 200);
    assert_eq!(second.reply(false).await.status, 200);
    go_on.notify_one();
    assert_eq!(request(gateway.data, &head("other")).await.status, 200);
    assert_eq!(gateway.metric("crossfade_refused_requests_total{reason=\"busy\"}").await, Some(1));
}

#[tokio::test]
async fn memory_of_all_scrapes_is_limited() {
    let line = |n: u32| {
        format!(
            "kong_http_requests_total{{service=\"s{n}\",route=\"r\",code=\"200\",source=\"service\",consumer=\"\"}} 1\n"
        )
    };
    let body: String = (0..5_000).map(line).collect();
    let upstream =
        Upstream::answering(whole(format!("# TYPE kong_http_requests_total counter\n{body}")))
            .await;
    let gateway = Gateway::start(&format!(
        "emit: old\nlimits: {{all_held_bytes: 16KiB}}\ntargets: [{{name: kong, url: '{}'}}]\n",
        upstream.url()
    ))
    .await;
    for failed in 1..=2 {
        let reply = get(gateway.data, "/metrics").await;
        assert_eq!(reply.status, 503, "{}", reply.text());
        assert!(reply.text().contains("limits.all_held_bytes"), "{}", reply.text());
        assert_eq!(gateway.scrapes("held_bytes").await, failed);
    }
}

#[tokio::test]
async fn an_endless_line_stops_at_the_limit() {
    let (gone, mut closed) = mpsc::unbounded_channel();
    let upstream = Upstream::scripted(move |mut exchange| {
        let gone = gone.clone();
        async move {
            if exchange.number > 0 {
                return exchange.send(whole("up 1\n")).await;
            }
            exchange.send(ok("", "up{a=\"")).await;
            let part = "x".repeat(1 << 20);
            let mut sent = 0;
            // A gigabyte, if anybody takes it.
            while sent < 1 << 10 && exchange.sends(&part).await {
                sent += 1;
            }
            gone.send(sent).expect("the test listens");
        }
    })
    .await;
    let gateway = Gateway::to(upstream.url()).await;
    let reply = get(gateway.data, "/metrics").await;
    assert_eq!(reply.status, 502);
    assert!(reply.text().contains("limits.line_bytes"), "{}", reply.text());
    let sent = closed.recv().await.expect("its connection is closed");
    assert!(sent < 32, "{sent} MiB were taken");
    assert_eq!(get(gateway.data, "/metrics").await.text(), "up 1\n");
    assert_eq!((gateway.scrapes("rewrite").await, gateway.scrapes("success").await), (1, 1));
}

#[tokio::test]
async fn a_slow_target_is_cut_at_its_timeout() {
    let upstream = Upstream::scripted(|mut exchange| async move {
        exchange.send(ok("", "")).await;
        while exchange.sends("#").await {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await;
    let gateway = Gateway::start(&format!(
        "emit: old\nscrape: {{timeout: 300ms, idle_timeout: 100ms}}\ntargets: [{{name: kong, url: '{}'}}]\n",
        upstream.url()
    ))
    .await;
    let reply = get(gateway.data, "/metrics").await;
    assert_eq!(reply.status, 504);
    assert!(reply.text().contains("timeout after 0.3s"), "{}", reply.text());
    assert_eq!(gateway.scrapes("timeout").await, 1);
}

#[tokio::test]
async fn a_stalled_target_is_given_up() {
    let silent = Upstream::scripted(|mut exchange| async move {
        exchange.send(ok("", "# TYPE up gauge\n")).await;
        exchange.closed().await;
    })
    .await;
    let settings = |url: &str| {
        format!(
            "emit: old\nscrape: {{idle_timeout: 200ms}}\ntargets: [{{name: kong, url: '{url}'}}]\n"
        )
    };
    let gateway = Gateway::start(&settings(&silent.url())).await;
    let reply = get(gateway.data, "/metrics").await;
    assert_eq!(reply.status, 504);
    assert!(reply.text().contains("scrape.idle_timeout"), "{}", reply.text());
    assert_eq!(gateway.scrapes("idle").await, 1);

    // One that takes its time before it answers, or between the parts of its answer, is not silent.
    let slow = Upstream::scripted(|mut exchange| async move {
        for part in ["HTTP/1.1 200 OK\r\n", "Content-Length: 10\r\n\r\n", "up 1\n", "on ", "2\n"] {
            tokio::time::sleep(std::time::Duration::from_millis(90)).await;
            exchange.send(part).await;
        }
    })
    .await;
    let gateway = Gateway::start(&settings(&slow.url())).await;
    let reply = get(gateway.data, "/metrics").await;
    assert_eq!((reply.status, reply.text(), reply.end), (200, "up 1\non 2\n", End::Whole));
}
