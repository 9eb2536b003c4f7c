//! SIGTERM under load: what is under way ends whole, or is seen to be cut.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::support::net::{Client, End, Folder, Refusing, Upstream, chunked, ok, whole};
use crate::support::process::Process;
use crate::{SOON, metric, reaches};

/// More than all buffers between target and client take.
fn large() -> String {
    (0..1_000_000).map(|n| format!("up{{n=\"{n}\"}} {n}\n")).collect::<Vec<_>>().concat()
}

/// Each client sends a different request, so that no two share a scrape.
async fn asking(process: &Process, target: &str, number: usize) -> TcpStream {
    let mut stream = TcpStream::connect(process.data).await.expect("a connection");
    let path = format!("/targets/{target}/metrics?client={number}");
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("taken");
    stream
}

/// Connections that wait for a request. They are the first to learn that it stops.
async fn idle(process: &Process, count: usize) -> Vec<Client> {
    let mut idle = Vec::new();
    for _ in 0..count {
        let mut client = Client::connect(process.data).await;
        client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert_eq!(client.reply(false).await.status, 200);
        idle.push(client);
    }
    idle
}

/// A sink, and the lines that it has got.
async fn sink() -> (SocketAddr, Arc<AtomicUsize>, JoinHandle<Vec<String>>) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
    let address = socket.local_addr().expect("bound");
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let got = tokio::spawn(async move {
        let mut lines: Vec<String> = Vec::new();
        let mut datagram = vec![0; 65_536];
        loop {
            let len = socket.recv(&mut datagram).await.expect("it is bound");
            if datagram[..len] == *b"over" {
                return lines;
            }
            let text = std::str::from_utf8(&datagram[..len]).expect("text");
            lines.extend(text.lines().map(str::to_owned));
            counted.store(lines.len(), Ordering::Relaxed);
        }
    });
    (address, count, got)
}

/// How many lines go through before the end is near.
const LINES: usize = 4_000;

/// How many may be under way until then: no more than a socket's buffer holds, and more than wait
/// for their datagram to be filled.
const UNDER_WAY: usize = 400;

/// How many are sent right before the end, without a look at whether they arrive.
const LAST_LINES: usize = 300;

/// Sends lines by datagrams and on a stream, the last of them as fast as it goes. Gives all that
/// were sent, as they leave.
async fn send_lines(process: &Process, arrived: &AtomicUsize) -> BTreeSet<String> {
    let client = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
    client.connect(process.statsd("udp")).await.expect("an address");
    let mut stream = TcpStream::connect(process.statsd("tcp")).await.expect("it listens");
    let mut sent = BTreeSet::new();
    for number in 0..LINES + LAST_LINES {
        if number % 3 == 0 {
            let line = format!("kong.service.s{number}.request.count:1|c\n");
            stream.write_all(line.as_bytes()).await.expect("it reads on");
            sent.insert(format!("kong.s{number}.request.count:1|c"));
        } else {
            let line = format!("other.{number}:1|c");
            client.send(line.as_bytes()).await.expect("sent");
            sent.insert(line);
        }
        while number < LINES && sent.len() - arrived.load(Ordering::Relaxed) > UNDER_WAY {
            tokio::task::yield_now().await;
        }
    }
    sent
}

#[tokio::test]
async fn sigterm_finishes_scrapes_and_sends_all_lines() {
    // Three targets: one responds at once to slow clients; one pauses within its response until it
    // is released; one pauses before its response.
    let large_body = large();
    let fast = Upstream::answering(whole(&large_body)).await;
    let go_on = Arc::new(Semaphore::new(0));
    let signal = Arc::clone(&go_on);
    let halting = Upstream::scripted(move |mut exchange| {
        let signal = Arc::clone(&signal);
        async move {
            exchange.send(chunked(&["up 1\n"])).await;
            drop(signal.acquire().await);
            exchange.send("5\r\non 2\n\r\n0\r\n\r\n").await;
        }
    })
    .await;
    let signal = Arc::clone(&go_on);
    let hesitant = Upstream::scripted(move |mut exchange| {
        let signal = Arc::clone(&signal);
        async move {
            drop(signal.acquire().await);
            exchange.send(whole("up 3\n")).await;
        }
    })
    .await;
    let (to_sink, arrived, got) = sink().await;
    let folder = Folder::new("under-load");
    // Lines wait for their datagram to be filled: the last of them leave only because of the end.
    let settings = format!(
        "emit: old\ntargets:\n- {{name: fast, url: '{}'}}\n- {{name: halting, url: '{}'}}\n- {{name: hesitant, url: '{}'}}\n\
         statsd:\n  listen: [{{address: 'udp://127.0.0.1:0'}}, {{address: 'tcp://127.0.0.1:0'}}]\n  \
         forward: [{{address: 'udp://{to_sink}'}}]\n  flush_interval: 1h\n",
        fast.url(),
        halting.url(),
        hesitant.url(),
    );
    let settings = folder.write("crossfade.yaml", &settings);
    let mut process = Process::serve(&["--config.file", &settings]);

    let idle = idle(&process, 20).await;
    let (mut slow, mut halted, mut hesitating) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..4 {
        let stream = asking(&process, "fast", number).await;
        stream.peek(&mut [0]).await.expect("an answer begins");
        slow.push(Client::over(stream));
        let mut client = Client::over(asking(&process, "halting", number).await);
        client.read_until("up 1\n").await;
        halted.push(client);
        hesitating.push(Client::over(asking(&process, "hesitant", number).await));
    }
    reaches(&process, "crossfade_scrapes_in_flight", 12).await;
    let sent = send_lines(&process, &arrived).await;

    process.signal("TERM");
    for mut client in idle {
        assert!(timeout(SOON, client.is_closed()).await.expect("soon"), "with nothing to say");
    }
    let refused = async {
        while TcpStream::connect(process.data).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    timeout(SOON, refused).await.expect("new connections are refused");
    assert!(process.child.try_wait().expect("our child").is_none(), "it waits for scrapes");
    assert_eq!(metric(&process, "crossfade_scrapes_in_flight").await, 12);

    go_on.close();
    for mut client in hesitating {
        let reply = client.reply(false).await;
        assert_eq!((reply.status, reply.text(), reply.end), (200, "up 3\n", End::Whole));
    }
    for mut client in halted {
        client.read_until("on 2\n").await;
        client.read_until("0\r\n\r\n").await;
    }
    for mut client in slow {
        let reply = client.reply(false).await;
        assert_eq!((reply.status, reply.end), (200, End::Whole));
        assert!(reply.body == large_body.as_bytes(), "{} bytes", reply.body.len());
    }
    let (code, log) = process.ends_within(SOON);
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("draining") && !log.contains("closing what is left"), "{log}");

    let over = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
    over.send_to(b"over", to_sink).await.expect("sent");
    let got = timeout(SOON, got).await.expect("soon").expect("no panic");
    assert_eq!(got.len(), sent.len(), "each once");
    let got: BTreeSet<String> = got.into_iter().collect();
    let missing: Vec<&String> = sent.difference(&got).take(10).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// Reads what a client still gets. It must not look whole: a reset, whatever the version of HTTP.
async fn is_reset(mut stream: TcpStream) {
    let mut rest = Vec::new();
    let error = stream.read_to_end(&mut rest).await.expect_err("a reset, not an end");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

/// Clients in the middle of an answer that they do not take. One speaks HTTP/1.0, whose bodies end
/// where the connection does.
async fn stuck(process: &Process) -> Vec<TcpStream> {
    let mut stuck = Vec::new();
    for version in ["1.1", "1.0"] {
        let mut stream = TcpStream::connect(process.data).await.expect("a connection");
        let request = format!("GET /metrics?{version} HTTP/{version}\r\nHost: x\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("taken");
        stream.read_exact(&mut [0; 1000]).await.expect("an answer begins");
        stuck.push(stream);
    }
    stuck
}

#[tokio::test]
async fn a_client_that_never_reads_is_cut_at_the_deadline() {
    let upstream = Upstream::answering(whole(large())).await;
    let folder = Folder::new("time-is-up");
    let settings = format!(
        "emit: old\ntargets: [{{name: kong, url: '{}'}}]\nruntime: {{shutdown_timeout: 300ms}}\n",
        upstream.url()
    );
    let settings = folder.write("crossfade.yaml", &settings);
    let mut process = Process::serve(&["--config.file", &settings]);
    let stuck = stuck(&process).await;
    process.signal("TERM");
    let (code, log) = process.ends_within(SOON);
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("shutdown timeout reached"), "{log}");
    for stream in stuck {
        is_reset(stream).await;
    }
}

#[tokio::test]
async fn a_second_signal_stops_at_once() {
    let upstream = Upstream::scripted(|mut exchange| async move {
        let lines: Vec<_> = (0..1_000).map(|n| format!("up{{n=\"{n}\"}} 1\n")).collect();
        exchange.send(ok("", lines.concat())).await;
        exchange.closed().await;
    })
    .await;
    let refusing = Refusing::new();
    let folder = Folder::new("second-signal");
    let settings = format!(
        "emit: old\nscrape: {{timeout: 1h, idle_timeout: 1h}}\ntargets: [{{name: kong, url: '{}'}}]\n\
         runtime: {{shutdown_timeout: 1h}}\n\
         statsd: {{listen: [{{address: 'udp://127.0.0.1:0'}}], forward: [{{address: 'tcp://{}'}}]}}\n",
        upstream.url(),
        refusing.address,
    );
    let settings = folder.write("crossfade.yaml", &settings);
    for again in ["TERM", "INT"] {
        let mut process = Process::serve(&["--config.file", &settings]);
        let client = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
        for _ in 0..3 {
            client.send_to(b"a:1|c", process.statsd("udp")).await.expect("sent");
        }
        let received = "crossfade_statsd_received_lines_total{listener=\"udp://127.0.0.1:0\"}";
        reaches(&process, received, 3).await;
        let mut idle = idle(&process, 1).await;
        let stuck = stuck(&process).await;

        process.signal("TERM");
        assert!(timeout(SOON, idle[0].is_closed()).await.expect("soon"));
        process.logs(&["draining"]);
        assert!(process.child.try_wait().expect("our child").is_none(), "it waits");
        process.signal(again);
        let (code, log) = process.ends_within(SOON);
        assert_eq!(code, Some(0), "{again}: {log}");
        assert!(log.contains("second stop signal"), "{again}: {log}");
        assert!(log.contains("lines dropped at shutdown") && log.contains("lines=3"), "{log}");
        for stream in stuck {
            is_reset(stream).await;
        }
    }
}
