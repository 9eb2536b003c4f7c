//! New settings for a relay that runs, and for everything at once under load.

use std::collections::BTreeSet;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crossfade::http_server::Workers;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream, UdpSocket};

use crate::Folder;
use crate::support::net::{Client, End, Gateway, Upstream, whole};

const OLD: &str = "kong.shop.request.count:1|c";
const NEW: &str = "kong.service.shop.request.count:1|c";

async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), what).await.expect("in time")
}

async fn udp() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
    let address = socket.local_addr().expect("bound");
    (socket, address)
}

async fn text(socket: &UdpSocket) -> String {
    let mut buffer = vec![0; 65_536];
    let len = soon(socket.recv(&mut buffer)).await.expect("a datagram");
    std::str::from_utf8(&buffer[..len]).expect("text").to_owned()
}

/// Settings of a relay that packs nothing.
fn relay(emit: &str, sinks: &[SocketAddr], more: &str) -> String {
    let sinks: Vec<String> =
        sinks.iter().map(|sink| format!("{{address: 'udp://{sink}'}}")).collect();
    format!(
        "statsd:\n  emit: {emit}\n  listen: [{{address: 'udp://127.0.0.1:0'}}]\n  forward: [{}]\n  pack_bytes: 0\n{more}",
        sinks.join(", ")
    )
}

#[tokio::test]
async fn a_reload_replaces_sinks_and_their_generations() {
    let ((a, at_a), (b, at_b)) = (udp().await, udp().await);
    let gateway = Gateway::start(&relay("new", &[at_a], "")).await;
    let (client, _) = udp().await;
    let send = async || client.send_to(OLD.as_bytes(), gateway.statsd_addr()).await.expect("sent");
    send().await;
    assert_eq!(text(&a).await, NEW);

    gateway.reload(&relay("old", &[at_a, at_b], "")).await.expect("valid");
    send().await;
    assert_eq!((text(&a).await, text(&b).await), (OLD.to_owned(), OLD.to_owned()));

    gateway.reload(&relay("both", &[at_b], "")).await.expect("valid");
    send().await;
    // As the datagram came as one, so it leaves.
    let both = text(&b).await;
    assert!(both.contains(OLD) && both.contains(NEW), "{both}");
    let sent = |sink| format!("crossfade_statsd_sent_lines_total{{sink=\"udp://{sink}\"}}");
    soon(async {
        while gateway.metric(&sent(at_a)).await.is_some() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(gateway.metric(&sent(at_b)).await.is_some());
}

#[tokio::test]
async fn a_reload_adds_and_removes_the_relay() {
    let upstream = Upstream::answering(whole("up 1\n")).await;
    let target = format!("emit: old\ntargets: [{{name: kong, url: '{}'}}]\n", upstream.url());
    let gateway = Gateway::start(&target).await;
    let folder = Folder::new("relay");
    let socket = folder.join("statsd.sock");
    let (sink, at_sink) = udp().await;
    let with = format!(
        "{target}statsd: {{listen: [{{address: 'unixgram:{}'}}], forward: [{{address: 'udp://{at_sink}'}}]}}\n",
        socket.display()
    );
    let client = tokio::net::UnixDatagram::unbound().expect("a socket");
    for _ in 0..2 {
        gateway.reload(&with).await.expect("valid");
        client.send_to(NEW.as_bytes(), &socket).await.expect("it listens");
        // Received lines are still forwarded, although shutdown is immediate.
        gateway.reload(&target).await.expect("valid");
        assert_eq!(text(&sink).await, OLD);
        soon(async {
            while socket.exists() {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}

#[tokio::test]
async fn a_reload_makes_a_removed_socket_file_again() {
    let folder = Folder::new("removed-socket");
    let (sink, at_sink) = udp().await;
    let socket = |name: &str| folder.join(name);
    let (datagram, stream) = (socket("datagram.sock"), socket("stream.sock"));
    let settings = format!(
        "emit: old\nstatsd:\n  listen: [{{address: 'unixgram:{}'}}, {{address: 'unix-stream:{}'}}]\n  \
         forward: [{{address: 'udp://{at_sink}'}}]\n",
        datagram.display(),
        stream.display()
    );
    let gateway = Gateway::start(&settings).await;
    let client = tokio::net::UnixDatagram::unbound().expect("a socket");
    for _ in 0..2 {
        std::fs::remove_file(&datagram).expect("it listens");
        std::fs::remove_file(&stream).expect("it listens");
        gateway.reload(&settings).await.expect("valid");
        client.send_to(NEW.as_bytes(), &datagram).await.expect("it listens again");
        assert_eq!(text(&sink).await, OLD);
        let mut connection = tokio::net::UnixStream::connect(&stream).await.expect("it listens");
        connection.write_all(format!("{NEW}\n").as_bytes()).await.expect("it reads");
        assert_eq!(text(&sink).await, format!("{OLD}\n"));
    }
    // The former sockets do not take the files of the new ones with them.
    gateway.reload(&settings).await.expect("valid");
    client.send_to(NEW.as_bytes(), &datagram).await.expect("it still listens");
    assert_eq!(text(&sink).await, OLD);
}

#[tokio::test]
async fn an_address_in_use_leaves_the_settings_in_force() {
    let ((a, at_a), (b, at_b)) = (udp().await, udp().await);
    let gateway = Gateway::start(&relay("new", &[at_a], "")).await;
    let taken = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let taken = taken.local_addr().expect("bound");
    let more = relay("old", &[at_b], "").replace(
        "listen: [",
        &format!("listen: [{{address: 'tcp://127.0.0.1:0'}}, {{address: 'tcp://{taken}'}}, "),
    );
    let message = gateway.reload(&more).await.expect_err("taken");
    assert!(
        message.contains(&format!("cannot listen on tcp://{taken} (statsd.listen)")),
        "{message}"
    );
    let (client, _) = udp().await;
    client.send_to(OLD.as_bytes(), gateway.statsd_addr()).await.expect("sent");
    assert_eq!(text(&a).await, NEW);
    assert!(b.try_recv(&mut [0; 10]).is_err());
}

#[tokio::test]
async fn a_reload_keeps_the_queue_of_an_unreachable_sink() {
    let refusing = crate::support::net::Refusing::new();
    let address = refusing.address;
    let settings = |more: &str| {
        format!(
            "statsd: {{emit: new, listen: [{{address: 'udp://127.0.0.1:0'}}], forward: [{{address: 'tcp://{address}'}}]{more}}}\n"
        )
    };
    let gateway = Gateway::start(&settings("")).await;
    let (client, _) = udp().await;
    client.send_to(OLD.as_bytes(), gateway.statsd_addr()).await.expect("sent");
    let failures = format!(
        "crossfade_statsd_sink_failures_total{{reason=\"connect\",sink=\"tcp://{address}\"}}"
    );
    gateway.reaches(&failures, 1).await;
    gateway
        .reload(&settings(", queue_bytes: 1MiB, pack_bytes: 512, overflow: oldest"))
        .await
        .expect("valid");
    let listener = refusing.listen();
    let (stream, _) = soon(listener.accept()).await.expect("it comes back");
    let mut lines = tokio::io::BufReader::new(stream);
    let mut line = String::new();
    soon(tokio::io::AsyncBufReadExt::read_line(&mut lines, &mut line)).await.expect("a line");
    assert_eq!(line.trim_end(), NEW);
}

/// How many lines and datagrams go through the storm.
const LINES: usize = 6_000;

/// How many may be under way: no more than any socket's buffer holds.
const UNDER_WAY: usize = 100;

/// Reloads that there are at least before all lines are sent.
const TURNS: usize = 20;

/// Settings that differ from one turn to the next in targets, generations, sinks and listeners, and
/// that cannot be used every fourth turn.
fn storm(turn: usize, url: &str, [a, b]: [SocketAddr; 2]) -> String {
    let sinks = [vec![a], vec![b], vec![a, b]];
    let emit = if turn.is_multiple_of(2) { "old" } else { "new" };
    let broken = if turn % 4 == 3 { "{address: 'unixgram:/nowhere/at/all'}, " } else { "" };
    let more = format!("  queue_bytes: {}\n", 1 << (20 + turn % 3));
    let listen = format!("listen: [{{address: 'tcp://127.0.0.1:0'}}, {broken}");
    let relay = relay("old", &sinks[turn % 3], &more).replace("listen: [", &listen);
    format!("emit: {emit}\ntargets: [{{name: kong, url: '{url}'}}]\n{relay}")
}

#[tokio::test]
async fn repeated_reloads_under_load_lose_nothing() {
    let upstream = Upstream::answering(whole("kong_bandwidth{type=\"egress\"} 1\n")).await;
    let ((a, at_a), (b, at_b)) = (udp().await, udp().await);
    let settings = |turn| storm(turn, &upstream.url(), [at_a, at_b]);
    let workers = Workers::start(2).expect("threads");
    let gateway = Gateway::start_on(&settings(0), workers).await;
    let (to, stream) = (gateway.statsd_over("udp"), gateway.statsd_over("tcp"));
    let over = AtomicBool::new(false);
    let turns = AtomicUsize::new(0);

    // Every line has a number of its own, and no rule.
    let got = Arc::new(Mutex::new(BTreeSet::new()));
    let count = Arc::new(AtomicUsize::new(0));
    let mut readers = Vec::new();
    for sink in [a, b] {
        let (got, count) = (Arc::clone(&got), Arc::clone(&count));
        readers.push(tokio::spawn(async move {
            let mut buffer = vec![0; 65_536];
            while let Ok(len) = sink.recv(&mut buffer).await {
                let text = std::str::from_utf8(&buffer[..len]).expect("text").to_owned();
                let mut got = got.lock().expect("no thread panicked");
                got.extend(text.lines().map(str::to_owned));
                count.store(got.len(), Ordering::Relaxed);
            }
        }));
    }
    let send = async {
        let client = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
        client.connect(to).await.expect("an address");
        let mut lines = TcpStream::connect(stream).await.expect("it listens");
        for number in 0..LINES {
            if number % 2 == 0 {
                client.send(format!("d.{number}:1|c").as_bytes()).await.expect("sent");
            } else {
                lines.write_all(format!("s.{number}:1|c\n").as_bytes()).await.expect("it reads on");
            }
            let is_ahead = || number * TURNS > (turns.load(Ordering::Relaxed) + 1) * LINES;
            while number - count.load(Ordering::Relaxed).min(number) > UNDER_WAY || is_ahead() {
                tokio::task::yield_now().await;
            }
        }
        while count.load(Ordering::Relaxed) < LINES {
            tokio::task::yield_now().await;
        }
    };
    let scrape = async {
        let mut client = Client::connect(gateway.data).await;
        let mut scrapes = 0;
        while !over.load(Ordering::Relaxed) {
            client.send("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await;
            let reply = client.reply(false).await;
            assert_eq!((reply.status, reply.end), (200, End::Whole), "{reply:?}");
            let text = reply.text();
            let expected = [
                "kong_bandwidth{type=\"egress\"} 1\n",
                "kong_bandwidth_bytes{direction=\"egress\"} 1\n",
            ];
            assert!(expected.iter().any(|series| text.ends_with(series)), "{text}");
            scrapes += 1;
        }
        scrapes
    };
    let storm = async {
        let mut reloads = (0, 0);
        for turn in 1.. {
            if over.load(Ordering::Relaxed) {
                break;
            }
            match gateway.reload(&settings(turn)).await {
                Ok(()) => reloads.0 += 1,
                Err(message) => {
                    assert!(message.contains("/nowhere/at/all"), "{message}");
                    reloads.1 += 1;
                }
            }
            turns.store(turn, Ordering::Relaxed);
        }
        reloads
    };
    let all = async {
        let done = tokio::time::timeout(Duration::from_secs(60), send).await;
        over.store(true, Ordering::Relaxed);
        done
    };
    let (sent, scrapes, others, reloads) =
        tokio::join!(all, scrape, scrape_anew(&gateway, &over), storm);
    let missing = LINES - count.load(Ordering::Relaxed);
    assert!(sent.is_ok(), "{missing} lines are missing");
    println!("{scrapes} + {others} scrapes, {} reloads and {} refused", reloads.0, reloads.1);
    assert!(scrapes > 10 && others > 10 && reloads.0 > 10 && reloads.1 > 3);
    // Scrapers that come at the same time share a scrape; none of them ended in another way.
    let metrics = crate::support::net::get(gateway.admin, "/metrics").await;
    let ended = metrics.text().lines().filter(|line| line.starts_with("crossfade_scrapes_total{"));
    let other: Vec<&str> = ended.filter(|line| !line.contains("outcome=\"success\"")).collect();
    assert!(other.is_empty(), "{other:?}");
    readers.iter().for_each(tokio::task::JoinHandle::abort);
}

/// Scrapes on a new connection each time.
async fn scrape_anew(gateway: &Gateway, over: &AtomicBool) -> u64 {
    let mut scrapes = 0;
    while !over.load(Ordering::Relaxed) {
        let reply = crate::support::net::get(gateway.data, "/metrics").await;
        assert_eq!((reply.status, reply.end), (200, End::Whole), "{reply:?}");
        scrapes += 1;
    }
    scrapes
}
