//! Sinks that move, do not exist yet, or hang: with real sockets and a fake resolver.

use std::sync::Arc;
use std::time::Duration;

use memchr::memchr_iter;
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::super::HostPort;
use super::stream::STALL_TIMEOUT;
use super::*;
use crate::relay::datagram_queue::Overflow;
use crate::telemetry::Metrics;

type Names = watch::Sender<Arc<[SocketAddr]>>;

/// A sink task, its queue, and the addresses of its name.
struct Sending {
    queue: Arc<SinkQueue>,
    names: Names,
    metrics: Arc<Metrics>,
    task: JoinHandle<()>,
}

fn start(addresses: &[SocketAddr], destination: impl FnOnce(Addresses) -> Destination) -> Sending {
    let metrics = Arc::new(Metrics::new());
    let queue_settings = QueueSettings {
        pack_bytes: 0,
        queue_bytes: 64 << 20,
        overflow: Overflow::Newest,
        flush_interval: Duration::ZERO,
        keepalive: None,
    };
    let (names, resolved) = watch::channel(Arc::from(addresses));
    let queue = Arc::new(SinkQueue::new(queue_settings, true, metrics.statsd_sink("sink")));
    let task = tokio::spawn(send(Arc::clone(&queue), destination(resolved)));
    Sending { queue, names, metrics, task }
}

impl Sending {
    fn move_to(&self, addresses: &[SocketAddr]) {
        self.names.send_replace(addresses.into());
    }

    fn failures(&self, reason: &str) -> u64 {
        let text = self.metrics.text();
        let series =
            format!("crossfade_statsd_sink_failures_total{{reason=\"{reason}\",sink=\"sink\"}} ");
        let value = text.lines().find_map(|line| line.strip_prefix(&series));
        value.map_or(0, |value| value.parse().expect("a count"))
    }

    /// Sends the queued lines, and ends.
    async fn end(self) {
        self.queue.close();
        soon(self.task).await.expect("no panic");
    }
}

async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(20), what).await.expect("in time")
}

async fn udp() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
    let address = socket.local_addr().expect("bound");
    (socket, address)
}

async fn tcp() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    (listener, address)
}

async fn line(socket: &UdpSocket) -> String {
    let mut buffer = [0; 100];
    let len = soon(socket.recv(&mut buffer)).await.expect("a datagram");
    String::from_utf8(buffer[..len].to_vec()).expect("text")
}

async fn next(stream: &mut TcpStream, expected: &str) {
    let mut read = vec![0; expected.len()];
    soon(stream.read_exact(&mut read)).await.expect("a line");
    assert_eq!(read, expected.as_bytes());
}

#[tokio::test]
async fn datagrams_go_where_the_name_points_now() {
    let ((first, its), (second, others)) = (udp().await, udp().await);
    let sending = start(&[its], Destination::Udp);
    sending.queue.push(b"a:1|c\n");
    assert_eq!(line(&first).await, "a:1|c\n");
    sending.move_to(&[others]);
    // Lines of the same moment may still be sent to the old address.
    tokio::task::yield_now().await;
    sending.queue.push(b"b:1|c\n");
    assert_eq!(line(&second).await, "b:1|c\n");
    sending.end().await;
}

#[tokio::test]
async fn streams_go_where_the_name_points_now() {
    let ((first, its), (second, others)) = (tcp().await, tcp().await);
    let sending = start(&[its], Destination::Tcp);
    sending.queue.push(b"a:1|c");
    let (mut stream, _) = soon(first.accept()).await.expect("a connection");
    next(&mut stream, "a:1|c\n").await;
    sending.move_to(&[others]);
    assert_eq!(soon(stream.read(&mut [0; 10])).await.expect("it is closed"), 0);
    sending.queue.push(b"b:1|c");
    let (mut stream, _) = soon(second.accept()).await.expect("a connection");
    next(&mut stream, "b:1|c\n").await;
    assert_eq!(
        sending.failures("closed") + sending.failures("send"),
        0,
        "a new address is no failure"
    );
    sending.end().await;
}

#[tokio::test]
async fn lines_wait_for_a_name_that_does_not_resolve_yet() {
    let (socket, address) = udp().await;
    let sending = start(&[], Destination::Udp);
    sending.queue.push(b"early:1|c\n");
    tokio::task::yield_now().await;
    sending.move_to(&[address]);
    assert_eq!(line(&socket).await, "early:1|c\n");
    sending.end().await;
}

#[tokio::test]
async fn the_next_address_of_a_name_has_its_turn() {
    let (refusing, gone) = tcp().await;
    drop(refusing);
    let (listener, address) = tcp().await;
    let sending = start(&[gone, address], Destination::Tcp);
    sending.queue.push(b"a:1|c");
    let (mut stream, _) = soon(listener.accept()).await.expect("a connection");
    next(&mut stream, "a:1|c\n").await;
    assert_eq!(sending.failures("connect"), 1);
    sending.end().await;
}

/// The paused clock advances whenever all tasks wait.
#[tokio::test(start_paused = true)]
async fn a_connection_that_takes_nothing_is_given_up_and_made_anew() {
    let (listener, address) = tcp().await;
    let sending = start(&[address], Destination::Tcp);
    // More than the buffers of both sides hold.
    let datagram = [&vec![b'x'; 60_000][..], b":1|c"].concat();
    let datagrams = 300;
    (0..datagrams).for_each(|_| sending.queue.push(&datagram));
    let begun = Instant::now();
    let (hanging, _) = listener.accept().await.expect("a connection");
    let (mut stream, _) = listener.accept().await.expect("another one");
    assert!(begun.elapsed() >= STALL_TIMEOUT, "{:?}", begun.elapsed());
    assert_eq!(sending.failures("send"), 1);
    // Complete lines of the first connection are not repeated; the partial line is sent again.
    let (mut lines, mut buffer) = (0, vec![0; 1 << 16]);
    sending.queue.close();
    loop {
        let len = stream.read(&mut buffer).await.expect("bytes");
        if len == 0 {
            break;
        }
        lines += memchr_iter(b'\n', &buffer[..len]).count();
    }
    assert!(lines > 0 && lines < datagrams);
    sending.task.await.expect("no panic");
    drop(hanging);
}

/// A sink that stops to read and is restarted: lines in the kernel's buffers are lost, and counted.
#[tokio::test]
async fn what_a_broken_connection_had_not_acknowledged_is_dropped() {
    let (listener, address) = tcp().await;
    let sending = start(&[address], Destination::Tcp);
    // More than the buffers of both sides hold.
    let datagram = [&vec![b'x'; 60_000][..], b":1|c"].concat();
    let datagrams = 300;
    (0..datagrams).for_each(|_| sending.queue.push(&datagram));
    let (hanging, _) = soon(listener.accept()).await.expect("a connection");
    // Until the buffers are full.
    let (mut before, mut same) = (0, 0);
    while same < 10_000 {
        tokio::task::yield_now().await;
        let left = sending.queue.with_queue(|queue| queue.len());
        same = if left == before { same + 1 } else { 0 };
        before = left;
    }
    drop(hanging);
    let (mut stream, _) = soon(listener.accept()).await.expect("another one");
    let (mut lines, mut buffer) = (0, vec![0; 1 << 16]);
    sending.queue.close();
    loop {
        let len = soon(stream.read(&mut buffer)).await.expect("bytes");
        if len == 0 {
            break;
        }
        lines += memchr_iter(b'\n', &buffer[..len]).count() as u64;
    }
    soon(sending.task).await.expect("no panic");
    let counted = |series: &str| {
        let text = sending.metrics.text();
        let value = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        value.map_or(0, |value| value.parse::<u64>().expect("a count"))
    };
    let sent = counted("crossfade_statsd_sent_lines_total{sink=\"sink\"}");
    let lost =
        counted("crossfade_statsd_dropped_lines_total{reason=\"unacknowledged\",sink=\"sink\"}");
    assert!(lost > 0 && sent >= lines, "{lost} lost, {sent} sent, {lines} read");
    assert_eq!(sent + lost, datagrams);
}

#[tokio::test]
async fn names_are_looked_up() {
    let metrics = Metrics::new().statsd_sink("sink");
    let name = HostPort("localhost:8125".to_owned());
    let interval = watch::Sender::new(Duration::from_secs(3600));
    let (mut addresses, _task) = resolve(&name, interval.subscribe(), metrics);
    let found = soon(addresses.wait_for(|found| !found.is_empty())).await.expect("it resolves");
    assert!(found.iter().all(|address| address.ip().is_loopback() && address.port() == 8125));
}

#[test]
fn lines_name_their_sink_at_every_level_of_the_log() {
    use tracing_subscriber::layer::SubscriberExt as _;
    let address = "udp://statsd:8125".parse().expect("an address");
    let errors_only =
        tracing_subscriber::registry().with(tracing::level_filters::LevelFilter::ERROR);
    tracing::subscriber::with_default(errors_only, || assert!(!span(&address).is_disabled()));
}
