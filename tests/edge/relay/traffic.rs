//! The relay with real sockets as senders and sinks.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::support::net::{Gateway, Refusing};
use crossfade::mapping::{Emit, Pack, StatsdSettings, compile_statsd};
use crossfade::relay::{PlanSelection, Relay};
use crossfade::telemetry::Metrics;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream, UdpSocket, UnixDatagram, UnixStream};

/// Two lines of one meaning.
const OLD: &str = "kong.shop.request.count:1|c";
const NEW: &str = "kong.service.shop.request.count:1|c";

/// Fails the test when it takes too long. Nothing here depends on how long it takes.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), what).await.expect("in time")
}

async fn udp() -> UdpSocket {
    UdpSocket::bind("127.0.0.1:0").await.expect("a free port")
}

async fn receive(socket: &UdpSocket) -> Vec<u8> {
    let mut buffer = vec![0; 65_536];
    let len = soon(socket.recv(&mut buffer)).await.expect("a datagram");
    buffer.truncate(len);
    buffer
}

async fn text(socket: &UdpSocket) -> String {
    String::from_utf8(receive(socket).await).expect("text")
}

/// A client that sends to the gateway's first listener.
async fn client(gateway: &Gateway) -> UdpSocket {
    let client = udp().await;
    client.connect(gateway.statsd_addr()).await.expect("an address");
    client
}

/// A path for a socket of this test alone.
fn path() -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("crossfade-{}-{number}.sock", std::process::id()))
}

/// A gateway that listens on UDP and packs nothing, with more settings.
async fn relay(settings: &str) -> Gateway {
    let listen = "listen: [{address: 'udp://127.0.0.1:0'}]";
    Gateway::start(&format!("emit: new\nstatsd:\n  {listen}\n  pack_bytes: 0\n{settings}")).await
}

/// A gateway between UDP and one UDP sink, and the sink.
async fn relay_to_udp(settings: &str) -> (Gateway, UdpSocket) {
    let sink = udp().await;
    let address = sink.local_addr().expect("bound");
    let forward = format!("  forward: [{{address: 'udp://{address}'}}]\n{settings}");
    (relay(&forward).await, sink)
}

fn dropped(sink: &str, reason: &str) -> String {
    format!("crossfade_statsd_dropped_lines_total{{reason=\"{reason}\",sink=\"{sink}\"}}")
}

const RECEIVED: &str = "crossfade_statsd_received_lines_total{listener=\"udp://127.0.0.1:0\"}";
const KERNEL_DROPPED: &str =
    "crossfade_statsd_kernel_dropped_datagrams_total{listener=\"udp://127.0.0.1:0\"}";

#[tokio::test]
async fn lines_are_received_over_every_transport() {
    let sink = udp().await;
    let (datagrams, streams) = (path(), path());
    let gateway = Gateway::start(&format!(
        "statsd:\n  emit: new\n  listen:\n  \
         - address: udp://127.0.0.1:0\n  - address: tcp://127.0.0.1:0\n  \
         - address: unixgram:{}\n  - address: unix-stream:{}\n  \
         forward: [{{address: 'udp://{}'}}]\n",
        datagrams.display(),
        streams.display(),
        sink.local_addr().expect("bound"),
    ))
    .await;
    let mut addresses = gateway.statsd.iter().map(ToString::to_string);

    let client = udp().await;
    let address = addresses.next().expect("udp").replace("udp://", "");
    client.send_to(OLD.as_bytes(), address).await.expect("sent");
    assert_eq!(text(&sink).await, NEW);

    let address = addresses.next().expect("tcp").replace("tcp://", "");
    let mut client = TcpStream::connect(address).await.expect("it listens");
    client.write_all(format!("{OLD}\n").as_bytes()).await.expect("sent");
    assert_eq!(text(&sink).await.trim_end(), NEW);

    let client = UnixDatagram::unbound().expect("a socket");
    client.send_to(OLD.as_bytes(), &datagrams).await.expect("sent");
    assert_eq!(text(&sink).await, NEW);

    let mut client = UnixStream::connect(&streams).await.expect("it listens");
    client.write_all(OLD.as_bytes()).await.expect("sent");
    client.shutdown().await.expect("closed"); // the last line may lack its newline
    assert_eq!(text(&sink).await, NEW);

    gateway.stopped().await;
    assert!(!datagrams.exists() && !streams.exists(), "sockets are removed");
}

#[tokio::test]
async fn lines_are_sent_over_every_transport() {
    let to_udp = udp().await;
    let to_tcp = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let to_unix = path();
    let unix = UnixDatagram::bind(&to_unix).expect("a new path");
    let gateway = relay(&format!(
        "  forward:\n  - address: udp://{}\n  - address: tcp://{}\n  - address: unixgram:{}\n",
        to_udp.local_addr().expect("bound"),
        to_tcp.local_addr().expect("bound"),
        to_unix.display(),
    ))
    .await;
    let client = client(&gateway).await;
    for datagram in [OLD.to_owned(), format!("{OLD}\nother:1|g\n")] {
        client.send(datagram.as_bytes()).await.expect("sent");
    }

    assert_eq!(text(&to_udp).await, NEW);
    assert_eq!(text(&to_udp).await, format!("{NEW}\nother:1|g\n"));
    let mut buffer = [0; 1024];
    for expected in [NEW.to_owned(), format!("{NEW}\nother:1|g\n")] {
        let len = soon(unix.recv(&mut buffer)).await.expect("a datagram");
        assert_eq!(buffer[..len], *expected.as_bytes());
    }
    let (stream, _) = soon(to_tcp.accept()).await.expect("a connection");
    let mut lines = BufReader::new(stream).lines();
    for expected in [NEW, NEW, "other:1|g"] {
        let line = soon(lines.next_line()).await.expect("readable");
        assert_eq!(line.as_deref(), Some(expected));
    }
    std::fs::remove_file(to_unix).expect("it is ours");
}

#[tokio::test]
async fn each_sink_gets_its_generation() {
    let sinks = [udp().await, udp().await, udp().await];
    let [old, new, both] = sinks.each_ref().map(|sink| sink.local_addr().expect("bound"));
    let gateway = relay(&format!(
        "  forward:\n  - {{address: 'udp://{old}', emit: old}}\n  - {{address: 'udp://{new}'}}\n  \
         - {{address: 'udp://{both}', emit: both}}\n",
    ))
    .await;
    let client = client(&gateway).await;
    let [old, new, both] = &sinks;
    client.send(OLD.as_bytes()).await.expect("sent");
    assert_eq!(text(old).await, OLD);
    assert_eq!(text(new).await, NEW);
    let lines = text(both).await;
    assert_eq!(lines.lines().collect::<BTreeSet<_>>(), BTreeSet::from([OLD, NEW]));
    client.send(NEW.as_bytes()).await.expect("sent");
    assert_eq!(text(old).await, OLD);
    assert_eq!(text(new).await, NEW);
}

#[tokio::test]
async fn each_listener_has_its_generation() {
    let sink = udp().await;
    let gateway = Gateway::start(&format!(
        "statsd:\n  pack_bytes: 0\n  listen:\n  - {{address: 'udp://127.0.0.1:0', emit: old}}\n  \
         - {{address: 'udp://127.0.0.1:0', emit: new}}\n  forward: [{{address: 'udp://{}'}}]\n",
        sink.local_addr().expect("bound"),
    ))
    .await;
    let client = udp().await;
    for (listener, expected) in gateway.statsd.iter().zip([OLD, NEW]) {
        let address = listener.to_string().replace("udp://", "");
        client.send_to(NEW.as_bytes(), address).await.expect("sent");
        assert_eq!(text(&sink).await, expected);
    }
}

/// Which sink each name goes to.
async fn shares(sinks: &[&UdpSocket]) -> BTreeMap<String, SocketAddr> {
    let mut forward = "  mode: shard\n  forward:\n".to_owned();
    for sink in sinks {
        let address = sink.local_addr().expect("bound");
        writeln!(forward, "  - address: udp://{address}").expect("a String");
    }
    let gateway = relay(&forward).await;
    let client = client(&gateway).await;
    let mut shares = BTreeMap::new();
    for number in 0..100 {
        // Two values of one name, among other lines.
        let name = format!("kong.shop-{number}.request.count");
        let datagram = format!("{name}:1|c\n{name}:2|c\n");
        client.send(datagram.as_bytes()).await.expect("sent");
        let mut buffer = [0; 1024];
        let (sink, len) = soon(async {
            loop {
                for sink in sinks {
                    if let Ok(len) = sink.try_recv(&mut buffer) {
                        return (sink, len);
                    }
                }
                tokio::task::yield_now().await;
            }
        })
        .await;
        let name = format!("kong.service.shop-{number}.request.count");
        assert_eq!(buffer[..len], *format!("{name}:1|c\n{name}:2|c").as_bytes());
        shares.insert(name, sink.local_addr().expect("bound"));
    }
    shares
}

#[tokio::test]
async fn removing_a_sink_only_remaps_its_names() {
    let sinks = [udp().await, udp().await, udp().await];
    let [first, second, third] = &sinks;
    let before = shares(&[first, second, third]).await;
    let after = shares(&[third, first]).await;
    let gone = second.local_addr().expect("bound");
    for (name, sink) in &before {
        assert!(*sink == gone || after[name] == *sink, "{name} moved");
    }
    for sink in &sinks {
        let address = sink.local_addr().expect("bound");
        assert!(before.values().any(|its| *its == address), "each has a share");
    }
}

#[tokio::test]
async fn unreachable_sinks_do_not_delay_others() {
    let good = udp().await;
    let (closed, refusing) = (udp().await, Refusing::new());
    let hanging = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let gone = closed.local_addr().expect("bound");
    drop(closed);
    let gateway = relay(&format!(
        "  queue_bytes: 70000\n  forward:\n  - address: udp://{gone}\n  \
         - address: tcp://{}\n  - address: tcp://{}\n  - address: unixgram:{}\n  \
         - address: udp://no-such-host.invalid:8125\n  - address: udp://{}\n",
        refusing.address,
        hanging.local_addr().expect("bound"),
        path().display(),
        good.local_addr().expect("bound"),
    ))
    .await;
    let client = client(&gateway).await;
    // Far beyond what queues and socket buffers hold.
    let line = format!("{NEW}|#{}", "x".repeat(8000));
    for _ in 0..3000 {
        client.send(line.as_bytes()).await.expect("sent");
        assert_eq!(receive(&good).await, line.as_bytes());
    }
    for sink in [refusing.address, hanging.local_addr().expect("bound")] {
        gateway.reaches(&dropped(&format!("tcp://{sink}"), "overflow"), 1).await;
    }
    let sink = good.local_addr().expect("bound");
    assert_eq!(gateway.metric(&dropped(&format!("udp://{sink}"), "overflow")).await, Some(0));
}

/// The numbers of the lines that a sink gets once it is there, and how many were dropped before.
async fn overflow(overflow: &str, lines: u64) -> (Vec<u64>, u64) {
    let refusing = Refusing::new();
    let address = refusing.address;
    let gateway = relay(&format!(
        "  overflow: {overflow}\n  queue_bytes: 70000\n  forward: [{{address: 'tcp://{address}'}}]\n"
    ))
    .await;
    let client = client(&gateway).await;
    for number in 0..lines {
        client.send(format!("n.{number}:1|c\nn.{number}:2|c").as_bytes()).await.expect("sent");
        if number % 50 == 0 {
            gateway.reaches(RECEIVED, 2 * (number + 1)).await;
        }
    }
    gateway.reaches(RECEIVED, 2 * lines).await;
    let dropped = gateway.metric(&dropped(&format!("tcp://{address}"), "overflow")).await;
    let listener = refusing.listen();
    let (mut stream, _) = soon(listener.accept()).await.expect("it comes back");
    drop(tokio::spawn(gateway.stopped()));
    let mut received = String::new();
    soon(stream.read_to_string(&mut received)).await.expect("text");
    let number =
        |line: &str| -> Option<u64> { line.strip_prefix("n.")?.strip_suffix(":1|c")?.parse().ok() };
    assert_eq!(received.lines().count() % 2, 0);
    (received.lines().filter_map(number).collect(), dropped.expect("a count"))
}

#[tokio::test]
async fn lines_beyond_a_full_queue_are_counted() {
    let lines = 6000;
    let (received, dropped) = overflow("newest", lines).await;
    assert_eq!(2 * received.len() as u64 + dropped, 2 * lines);
    assert!(
        dropped > 0 && received.iter().copied().eq(0..received.len() as u64),
        "the oldest, in order"
    );

    let (received, dropped) = overflow("oldest", lines).await;
    assert_eq!(2 * received.len() as u64 + dropped, 2 * lines);
    let first = lines - received.len() as u64;
    assert!(dropped > 0 && received.iter().copied().eq(first..lines), "the newest, in order");
}

#[tokio::test]
async fn a_lost_tcp_sink_is_reconnected() {
    let sink = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = sink.local_addr().expect("bound");
    let gateway = relay(&format!("  forward: [{{address: 'tcp://{address}'}}]\n")).await;
    let client = client(&gateway).await;
    for number in 0..3 {
        let line = format!("n.{number}:1|c\n");
        client.send(line.as_bytes()).await.expect("sent");
        let (mut stream, _) = soon(sink.accept()).await.expect("a connection");
        let mut buffer = vec![0; line.len()];
        soon(stream.read_exact(&mut buffer)).await.expect("a line");
        assert_eq!(buffer, line.as_bytes());
        drop(stream);
        let failures = format!(
            "crossfade_statsd_sink_failures_total{{reason=\"closed\",sink=\"tcp://{address}\"}}"
        );
        gateway.reaches(&failures, number + 1).await;
    }
}

#[tokio::test]
async fn lines_on_a_stream_may_be_cut_anywhere() {
    let sink = udp().await;
    let gateway = Gateway::start(&format!(
        "emit: new\nstatsd:\n  pack_bytes: 0\n  listen: [{{address: 'tcp://127.0.0.1:0'}}]\n  \
         forward: [{{address: 'udp://{}'}}]\n",
        sink.local_addr().expect("bound"),
    ))
    .await;
    let mut client = TcpStream::connect(gateway.statsd_addr()).await.expect("it listens");
    client.set_nodelay(true).expect("a socket");
    let bytes = "crossfade_statsd_received_bytes_total{listener=\"tcp://127.0.0.1:0\"}";
    let (front, back) = OLD.split_at(12);
    client.write_all(format!("whole:1|c\n{front}").as_bytes()).await.expect("sent");
    assert_eq!(text(&sink).await, "whole:1|c\n");
    assert_eq!(gateway.metric(bytes).await, Some("whole:1|c\n".len() as u64));
    client.write_all(format!("{back}\n").as_bytes()).await.expect("sent");
    assert_eq!(text(&sink).await, format!("{NEW}\n"));

    // A line that never ends costs itself, and only itself.
    let endless = vec![b'x'; 70_000];
    client.write_all(&endless).await.expect("sent");
    client.write_all(b"\nafter:1|c\ntorn").await.expect("sent");
    assert_eq!(text(&sink).await, "after:1|c\n");
    let refused = |reason| {
        format!(
            "crossfade_statsd_refused_lines_total{{listener=\"tcp://127.0.0.1:0\",reason=\"{reason}\"}}"
        )
    };
    assert_eq!(gateway.metric(&refused("oversized")).await, Some(1));

    // What breaks off has no last line.
    client.set_zero_linger().expect("a socket");
    drop(client);
    gateway.reaches(&refused("cut"), 1).await;
    assert_eq!(
        gateway.metric("crossfade_statsd_connections{listener=\"tcp://127.0.0.1:0\"}").await,
        Some(0)
    );
}

#[tokio::test]
async fn lines_that_are_no_metrics_pass_unchanged() {
    let (gateway, sink) = relay_to_udp("").await;
    let client = client(&gateway).await;
    let garbage: Vec<u8> = (0..=255).collect();
    let longest = [NEW.as_bytes(), b"|#", &vec![b'x'; 65_507 - NEW.len() - 2]].concat();
    let mut newlines = vec![b'\n'; 1000];
    newlines[999] = b'\n';
    let event = b"_e{5,4}:title|text|#k:v".to_vec();
    for datagram in [garbage, longest, newlines, event, b"_sc|up|0".to_vec(), b"a".to_vec()] {
        client.send(&datagram).await.expect("sent");
        assert_eq!(receive(&sink).await, datagram);
    }
    // Nothing at all is a datagram too.
    client.send(b"").await.expect("sent");
    client.send(b"next").await.expect("sent");
    assert_eq!(text(&sink).await, "next");
}

#[tokio::test]
async fn a_line_longer_than_a_datagram_is_counted() {
    let (gateway, sink) = relay_to_udp("").await;
    let client = client(&gateway).await;
    // As long as can be, and longer once it is rewritten.
    let longest = [OLD.as_bytes(), b"|#", &vec![b'x'; 65_507 - OLD.len() - 2]].concat();
    client.send(&longest).await.expect("sent");
    client.send(OLD.as_bytes()).await.expect("sent");
    assert_eq!(text(&sink).await, NEW);
    let sink = format!("udp://{}", sink.local_addr().expect("bound"));
    assert_eq!(gateway.metric(&dropped(&sink, "too_long")).await, Some(1));
}

#[tokio::test]
async fn accepted_lines_are_sent_before_exit() {
    let sink = udp().await;
    let gateway = Gateway::start(&format!(
        "emit: new\nstatsd:\n  flush_interval: 1h\n  listen: [{{address: 'udp://127.0.0.1:0'}}]\n  \
         forward: [{{address: 'udp://{}'}}]\n",
        sink.local_addr().expect("bound"),
    ))
    .await;
    let client = client(&gateway).await;
    for _ in 0..3 {
        client.send(OLD.as_bytes()).await.expect("sent");
    }
    soon(gateway.stopped()).await;
    assert_eq!(text(&sink).await, [NEW, NEW, NEW].join("\n"));
}

#[tokio::test]
async fn shutdown_does_not_wait_for_an_unreachable_sink() {
    let refusing = Refusing::new();
    let gateway = relay(&format!("  forward: [{{address: 'tcp://{}'}}]\n", refusing.address)).await;
    client(&gateway).await.send(OLD.as_bytes()).await.expect("sent");
    gateway.reaches(RECEIVED, 1).await;
    soon(gateway.stopped()).await;
}

#[tokio::test]
async fn waiting_lines_are_packed() {
    let sink = udp().await;
    let gateway = Gateway::start(&format!(
        "emit: new\nstatsd:\n  pack_bytes: 80\n  flush_interval: 1h\n  \
         listen: [{{address: 'udp://127.0.0.1:0'}}]\n  forward: [{{address: 'udp://{}'}}]\n",
        sink.local_addr().expect("bound"),
    ))
    .await;
    let client = client(&gateway).await;
    for _ in 0..3 {
        client.send(OLD.as_bytes()).await.expect("sent");
    }
    assert_eq!(text(&sink).await, [NEW, NEW].join("\n"));
}

#[tokio::test]
async fn nothing_is_lost_at_a_sustainable_rate() {
    let (gateway, sink) = relay_to_udp("").await;
    let client = client(&gateway).await;
    let (rounds, lines) = (200_u64, 50);
    for round in 0..rounds {
        for line in 0..lines {
            client.send(format!("n:{line}|c").as_bytes()).await.expect("sent");
        }
        for line in 0..lines {
            assert_eq!(text(&sink).await, format!("n:{line}|c"), "in round {round}");
        }
    }
    assert_eq!(gateway.metric(RECEIVED).await, Some(rounds * lines));
    assert_eq!(gateway.metric(KERNEL_DROPPED).await, Some(0));
}

#[tokio::test]
async fn under_overload_every_line_is_counted() {
    let (gateway, sink) = relay_to_udp("  receive_buffer: 16KiB\n").await;
    let client = std::net::UdpSocket::bind("127.0.0.1:0").expect("a free port");
    client.connect(gateway.statsd_addr()).expect("an address");
    // The gateway is on this thread, and does not have its turn before all is sent.
    let lines = 20_000;
    for _ in 0..lines {
        client.send(b"n:1|c").expect("sent");
    }
    gateway.reaches(RECEIVED, 1).await;
    let client = UdpSocket::from_std({
        client.set_nonblocking(true).expect("a socket");
        client
    })
    .expect("a socket");
    client.send(b"last:1|c").await.expect("sent");
    while text(&sink).await != "last:1|c" {}
    let received = gateway.metric(RECEIVED).await.expect("a count");
    let dropped = gateway.metric(KERNEL_DROPPED).await.expect("a count");
    assert!(dropped > 0, "16 KiB hold no 20,000 datagrams");
    assert_eq!(received + dropped, lines + 1);
}

/// A sink whose buffer holds what the gateway sends at once.
fn roomy() -> UdpSocket {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a free port");
    socket2::SockRef::from(&socket).set_recv_buffer_size(4 << 20).expect("a socket");
    socket.set_nonblocking(true).expect("a socket");
    UdpSocket::from_std(socket).expect("a socket")
}

/// Packed datagrams of 40 lines, a few at a time: as many as all buffers on the way can hold.
#[tokio::test]
async fn a_million_paced_lines_are_all_delivered() {
    let sink = roomy();
    let address = sink.local_addr().expect("bound");
    let gateway = Gateway::start(&format!(
        "emit: new\nstatsd:\n  listen: [{{address: 'udp://127.0.0.1:0'}}]\n  \
         forward: [{{address: 'udp://{address}'}}]\n"
    ))
    .await;
    let client = client(&gateway).await;
    let (datagram, total, at_once) = ([OLD; 40].join("\n"), 1_000_000, 40);
    let (mut sent, mut received, mut buffer) = (0_u64, 0_u64, vec![0; 65_536]);
    while sent < total {
        for _ in 0..at_once {
            client.send(datagram.as_bytes()).await.expect("sent");
            sent += 40;
        }
        while received < sent {
            let len = soon(sink.recv(&mut buffer)).await.expect("a datagram");
            for line in buffer[..len].split(|byte| *byte == b'\n') {
                assert_eq!(line, NEW.as_bytes());
                received += 1;
            }
        }
    }
    assert_eq!(received, sent);
    assert_eq!(gateway.metric(RECEIVED).await, Some(sent));
    let sink = format!("udp://{address}");
    let sent_lines = format!("crossfade_statsd_sent_lines_total{{sink=\"{sink}\"}}");
    assert_eq!(gateway.metric(&sent_lines).await, Some(sent));
    assert_eq!(gateway.metric(&dropped(&sink, "overflow")).await, Some(0));
    assert_eq!(gateway.metric(KERNEL_DROPPED).await, Some(0));
}

/// The kernel's receive buffer and the queue of the sink overflow at the same time.
#[tokio::test]
async fn losses_at_input_and_output_are_counted() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let sink = listener.local_addr().expect("bound");
    let gateway = relay(&format!(
        "  receive_buffer: 64KiB\n  queue_bytes: 70000\n  forward: [{{address: 'tcp://{sink}'}}]\n"
    ))
    .await;
    let to = gateway.statsd_addr();
    let lines = 200_000;
    let flood = std::thread::spawn(move || {
        let client = std::net::UdpSocket::bind("127.0.0.1:0").expect("a free port");
        client.connect(to).expect("an address");
        // Long ones, so that what the sink's kernel takes is soon full too.
        let line = format!("{OLD}|#{}", "x".repeat(500));
        for _ in 0..lines {
            client.send(line.as_bytes()).expect("sent");
        }
    });
    // The sink does not read before everything is over.
    let (mut stream, _) = soon(listener.accept()).await.expect("a connection");
    soon(async {
        loop {
            let received = gateway.metric(RECEIVED).await.unwrap_or(0);
            let dropped = gateway.metric(KERNEL_DROPPED).await.unwrap_or(0);
            if flood.is_finished() && received + dropped == lines {
                break;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    let in_kernel = gateway.metric(KERNEL_DROPPED).await.expect("a count");
    let in_queue = gateway.metric(&dropped(&format!("tcp://{sink}"), "overflow")).await;
    let in_queue = in_queue.expect("a count");
    let mut left = Vec::new();
    let (read, ()) =
        soon(async { tokio::join!(stream.read_to_end(&mut left), gateway.stopped()) }).await;
    read.expect("bytes");
    let arrived = memchr::memchr_iter(b'\n', &left).count() as u64;
    assert!(in_queue > 0 && arrived > 0, "{in_queue} dropped, {arrived} arrived");
    assert_eq!(arrived + in_kernel + in_queue, lines);
}

#[tokio::test]
async fn a_sink_that_returns_gets_new_lines() {
    let (to_unix, gone) = (path(), udp().await);
    let address = gone.local_addr().expect("bound");
    drop(gone);
    let gateway = relay(&format!(
        "  forward:\n  - address: udp://{address}\n  - address: unixgram:{}\n",
        to_unix.display()
    ))
    .await;
    let client = client(&gateway).await;
    client.send(OLD.as_bytes()).await.expect("sent");
    let failures = |reason: &str, sink: &str| {
        format!("crossfade_statsd_sink_failures_total{{reason=\"{reason}\",sink=\"{sink}\"}}")
    };
    gateway.reaches(&failures("connect", &format!("unixgram:{}", to_unix.display())), 1).await;
    let unix = UnixDatagram::bind(&to_unix).expect("a new path");
    let mut buffer = [0; 1024];
    let len = soon(unix.recv(&mut buffer)).await.expect("what has waited");
    assert_eq!(buffer[..len], *NEW.as_bytes());

    // The kernel reports an undelivered datagram only when the next one is sent.
    client.send(OLD.as_bytes()).await.expect("sent");
    gateway.reaches(&failures("refused", &format!("udp://{address}")), 1).await;
    let back = UdpSocket::bind(address).await.expect("still free");
    client.send(NEW.as_bytes()).await.expect("sent");
    assert_eq!(text(&back).await, NEW);
    std::fs::remove_file(to_unix).expect("it is ours");
}

#[tokio::test]
async fn plans_are_replaced_under_traffic() {
    let sink = udp().await;
    let settings = crossfade::config::parse(
        "settings",
        &format!(
            "emit: new\nstatsd:\n  pack_bytes: 0\n  listen: [{{address: 'udp://127.0.0.1:0'}}]\n  \
         forward: [{{address: 'udp://{}'}}]\n",
            sink.local_addr().expect("bound"),
        ),
    );
    let settings = settings.into_settings().expect("valid");
    let plans = |new: &str| {
        let pack = format!("name: p\nstatsd: [{{ old: 'a.{{x}}', new: '{new}.x.{{x}}' }}]");
        let pack = Pack::parse("p.yaml", &pack).expect("a pack");
        let plan = compile_statsd(&[pack], &StatsdSettings::new(Emit::New)).expect("it compiles");
        vec![(PlanSelection { emit: Emit::New, packs: None }, Arc::new(plan))]
    };
    let metrics = Arc::new(Metrics::new());
    let settings = settings.relay.expect("a relay");
    let relay = Relay::bind(settings.clone(), plans("b"), 1, &metrics);
    let relay = relay.expect("free ports");
    let (control, addresses) = (relay.control(), relay.addresses());
    let shutdown = crossfade::shutdown::Shutdown::new();
    let stopping = shutdown.clone();
    let workers = [tokio::runtime::Handle::current()];
    let running = tokio::spawn(async move { relay.run(&workers, &stopping).await });

    let client = udp().await;
    let address = addresses[0].to_string().replace("udp://", "");
    client.connect(address).await.expect("an address");
    for new in ["b", "c", "d"] {
        control.replace(settings.clone(), plans(new)).await.expect("nothing to bind");
        client.send(b"a.q:1|c").await.expect("sent");
        assert_eq!(text(&sink).await, format!("{new}.x.q:1|c"));
    }
    // Only the plan is another: what was counted goes on.
    assert!(metrics.text().contains(&format!("{RECEIVED} 3\n")), "{}", metrics.text());
    shutdown.drain();
    soon(running).await.expect("no panic");
}

#[tokio::test]
async fn lines_are_relayed_over_ipv6() {
    let Ok(sink) = UdpSocket::bind("[::1]:0").await else {
        eprintln!("this machine has no IPv6");
        return;
    };
    let gateway = Gateway::start(&format!(
        "emit: new\nstatsd:\n  listen: [{{address: 'udp://[::1]:0'}}]\n  forward: [{{address: 'udp://{}'}}]\n",
        sink.local_addr().expect("bound"),
    ))
    .await;
    let client = UdpSocket::bind("[::1]:0").await.expect("a free port");
    client.send_to(OLD.as_bytes(), gateway.statsd_addr()).await.expect("sent");
    assert_eq!(text(&sink).await, NEW);
}

#[tokio::test]
async fn an_address_in_use_is_an_error() {
    let taken = udp().await;
    let settings = format!(
        "emit: old\nadmin: {{listen_address: '127.0.0.1:0'}}\nweb: {{listen_address: '127.0.0.1:0'}}\n\
         statsd:\n  sockets: 2\n  listen: [{{address: 'udp://{}'}}]\n  forward: [{{address: 'udp://127.0.0.1:1'}}]\n",
        taken.local_addr().expect("bound"),
    );
    let settings = crossfade::config::parse("settings", &settings).into_settings();
    let error = crossfade::app::App::bind(settings.expect("valid")).await.expect_err("taken");
    assert!(error.to_string().contains("cannot listen on udp://127.0.0.1:"), "{error}");
}

#[tokio::test]
async fn a_stale_socket_is_replaced_and_one_in_use_is_not() {
    let path = path();
    let sink = udp().await;
    let settings = format!(
        "emit: new\nstatsd:\n  listen: [{{address: 'unixgram:{}'}}]\n  forward: [{{address: 'udp://{}'}}]\n",
        path.display(),
        sink.local_addr().expect("bound"),
    );
    drop(UnixDatagram::bind(&path).expect("a new path"));
    assert!(path.exists(), "stale");
    let gateway = Gateway::start(&settings).await;
    let client = UnixDatagram::unbound().expect("a socket");
    client.send_to(OLD.as_bytes(), &path).await.expect("sent");
    assert_eq!(text(&sink).await, NEW);

    let mut file = crossfade::config::parse("settings", &settings);
    file.web.listen_address =
        vec!["127.0.0.1:0".parse::<crossfade::config::Listen>().expect("an address").into()];
    file.admin.listen_address.value.0 = ([127, 0, 0, 1], 0).into();
    let second = crossfade::app::App::bind(file.into_settings().expect("valid")).await;
    assert!(second.is_err(), "the socket is in use");
    client.send_to(OLD.as_bytes(), &path).await.expect("still there");
    assert_eq!(text(&sink).await, NEW);
    gateway.stopped().await;
}
