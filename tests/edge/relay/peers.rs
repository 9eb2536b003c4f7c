//! Peers of listeners that vanish, stay silent, go on to send, or are other users.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::Duration;

use crossfade::mapping::{Emit, StatsdSettings, compile_statsd};
use crossfade::relay::{
    ConnectionSettings, ListenerSettings, PlanSelection, Relay, Settings, SinkSettings,
};
use crossfade::shutdown::Shutdown;
use crossfade::telemetry::Metrics;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket, UnixDatagram, UnixStream};
use tokio::runtime::Handle;

use crate::Folder;
use crate::support::net::Gateway;

async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), what).await.expect("in time")
}

struct Sink(UdpSocket);

impl Sink {
    async fn new() -> Sink {
        Sink(UdpSocket::bind("127.0.0.1:0").await.expect("a free port"))
    }

    fn address(&self) -> String {
        format!("udp://{}", self.0.local_addr().expect("bound"))
    }

    async fn text(&self) -> String {
        let mut buffer = vec![0; 65_536];
        let len = soon(self.0.recv(&mut buffer)).await.expect("a datagram");
        String::from_utf8(buffer[..len].to_vec()).expect("text")
    }

    /// Settings with these listeners that forward to this sink.
    fn settings(&self, listeners: &str, more: &str) -> String {
        let forward = format!("forward: [{{address: '{}'}}]", self.address());
        format!(
            "statsd:\n  emit: old\n  listen: [{listeners}]\n  {forward}\n  pack_bytes: 0\n{more}"
        )
    }
}

const TCP: &str = "{address: 'tcp://127.0.0.1:0'}";

fn limit(limit: &str) -> String {
    let labels = format!("limit=\"{limit}\",listener=\"tcp://127.0.0.1:0\"");
    format!("crossfade_statsd_connection_limits_total{{{labels}}}")
}

/// Whether the kernel checks the peers of established connections of a local port.
fn has_keepalive(port: u16) -> bool {
    let table = std::fs::read_to_string("/proc/net/tcp").expect("Linux");
    let mut rows = table.lines().map(|row| row.split_whitespace().collect::<Vec<_>>());
    let local = format!(":{port:04X}");
    let row = rows.find(|row| row[1].ends_with(&local) && row[3] == "01").expect("a connection");
    // The timer: 02 is keepalive.
    row[5].starts_with("02:")
}

#[tokio::test]
async fn tcp_connections_use_keepalive() {
    let longest = "  keepalive: 87600h\n";
    for (more, expected) in [("", true), ("  keepalive: 0s\n", false), (longest, true)] {
        let sink = Sink::new().await;
        let gateway = Gateway::start(&sink.settings(TCP, more)).await;
        let address = gateway.statsd_over("tcp");
        let mut client = TcpStream::connect(address).await.expect("it listens");
        client.write_all(b"a:1|c\n").await.expect("sent");
        assert_eq!(sink.text().await, "a:1|c\n");
        assert_eq!(has_keepalive(address.port()), expected, "{more}");
    }
}

#[tokio::test]
async fn idle_connections_are_closed_for_new_ones() {
    let sink = Sink::new().await;
    let more = "  max_connections: 1\n  idle_timeout: 200ms\n";
    let gateway = Gateway::start(&sink.settings(TCP, more)).await;
    let address = gateway.statsd_over("tcp");
    let mut silent = TcpStream::connect(address).await.expect("it listens");
    silent.write_all(b"first:1|c\nunfinished").await.expect("sent");
    assert_eq!(sink.text().await, "first:1|c\n");
    let mut live = TcpStream::connect(address).await.expect("it listens");
    live.write_all(b"live:1|c\n").await.expect("sent");
    assert_eq!(sink.text().await, "live:1|c\n");
    assert_eq!(soon(silent.read(&mut [0; 10])).await.expect("closed"), 0);
    gateway.reaches(&limit("idle_timeout"), 2).await;
    assert!(gateway.metric(&limit("max_connections")).await.expect("counted") >= 1);
    let cut = "crossfade_statsd_refused_lines_total{listener=\"tcp://127.0.0.1:0\",reason=\"cut\"}";
    gateway.reaches(cut, 1).await;
}

#[tokio::test]
async fn silent_connections_make_room_for_new_ones() {
    let sink = Sink::new().await;
    let gateway = Gateway::start(&sink.settings(TCP, "  max_connections: 3\n")).await;
    let address = gateway.statsd_over("tcp");
    let mut sender = TcpStream::connect(address).await.expect("it listens");
    sender.write_all(b"first:1|c\n").await.expect("sent");
    assert_eq!(sink.text().await, "first:1|c\n");
    let mut silent = TcpStream::connect(address).await.expect("it listens");
    let mut unfinished = TcpStream::connect(address).await.expect("it listens");
    unfinished.write_all(b"not a line").await.expect("sent");
    let mut others = Vec::new();
    for name in ["second", "third"] {
        let mut new = TcpStream::connect(address).await.expect("it listens");
        new.write_all(format!("{name}:1|c\n").as_bytes()).await.expect("sent");
        assert_eq!(sink.text().await, format!("{name}:1|c\n"));
        others.push(new);
    }
    for leaves in [&mut silent, &mut unfinished] {
        assert_eq!(soon(leaves.read(&mut [0; 10])).await.expect("closed"), 0);
    }
    gateway.reaches(&limit("made_room"), 2).await;
    sender.write_all(b"last:1|c\n").await.expect("it stays");
    assert_eq!(sink.text().await, "last:1|c\n");
}

#[tokio::test]
async fn other_users_can_write_to_unix_sockets() {
    let folder = Folder::new("modes");
    let sink = Sink::new().await;
    let paths = ["datagram.sock", "stream.sock"].map(|name| folder.join(name));
    let listeners = |mode: &str| {
        let [datagram, stream] = paths.each_ref().map(|path| path.display());
        format!(
            "{{address: 'unixgram:{datagram}'{mode}}}, {{address: 'unix-stream:{stream}'{mode}}}"
        )
    };
    let modes = || {
        paths
            .each_ref()
            .map(|path| path.metadata().expect("it exists").permissions().mode() & 0o777)
    };
    let gateway = Gateway::start(&sink.settings(&listeners(""), "")).await;
    assert_eq!(modes(), [0o722; 2]);
    gateway.reload(&sink.settings(&listeners(", mode: 0660"), "")).await.expect("valid");
    assert_eq!(modes(), [0o660; 2]);
    gateway.stopped().await;
    let _gateway = Gateway::start(&sink.settings(&listeners(", mode: '0622'"), "")).await;
    assert_eq!(modes(), [0o622; 2]);
}

/// `DogStatsD` clients write the length of each packet before it, if the socket is a stream.
#[tokio::test]
async fn packets_come_in_over_unix_streams() {
    let folder = Folder::new("packets");
    let sink = Sink::new().await;
    let path = folder.join("stream.sock");
    let listener = format!("{{address: 'unix-stream:{}'}}", path.display());
    let gateway = Gateway::start(&sink.settings(&listener, "")).await;
    let mut client = UnixStream::connect(&path).await.expect("it listens");
    let line = "kong.service.shop.latency:5|ms";
    let packet = [&[30, 0, 0, 0], line.as_bytes()].concat();
    client.write_all(&packet).await.expect("sent");
    assert_eq!(sink.text().await, "kong.shop.latency:5|ms");
    client.write_all(&packet[..10]).await.expect("sent");
    client.write_all(&packet[10..]).await.expect("sent");
    assert_eq!(sink.text().await, "kong.shop.latency:5|ms");
    // Two lines in one packet, the length of which contains the byte of a newline.
    client.write_all(b"\x0a\0\0\0a:1|c\nb:2|\x05\0\0\0c:3|c").await.expect("sent");
    assert_eq!(sink.text().await, "a:1|c\nb:2|");
    assert_eq!(sink.text().await, "c:3|c");
    client.write_all(b"\x05\0\0\0d:").await.expect("sent");
    drop(client);
    let listener = format!("unix-stream:{}", path.display());
    let cut =
        format!("crossfade_statsd_refused_lines_total{{listener=\"{listener}\",reason=\"cut\"}}");
    gateway.reaches(&cut, 1).await;
    // Others write lines.
    let mut client = UnixStream::connect(&path).await.expect("it listens");
    client.write_all(b"e:1|c\n").await.expect("sent");
    assert_eq!(sink.text().await, "e:1|c\n");
}

#[tokio::test]
async fn the_unspecified_address_covers_ipv4_and_ipv6() {
    let sink = Sink::new().await;
    let listeners = "{address: 'udp://:0'}, {address: 'tcp://:0'}";
    let gateway = Gateway::start(&sink.settings(listeners, "")).await;
    let (udp, tcp) = (gateway.statsd_addr().port(), gateway.statsd_over("tcp").port());
    for (host, any) in [("127.0.0.1", "0.0.0.0:0"), ("[::1]", "[::]:0")] {
        let client = UdpSocket::bind(any).await.expect("a free port");
        client.send_to(b"a:1|c", format!("{host}:{udp}")).await.expect("sent");
        assert_eq!(sink.text().await, "a:1|c");
        let mut client = TcpStream::connect(format!("{host}:{tcp}")).await.expect("it listens");
        client.write_all(b"b:1|c\n").await.expect("sent");
        assert_eq!(sink.text().await, "b:1|c\n");
    }
}

/// Writes a line every few milliseconds until the connection is closed.
async fn talk(mut stream: TcpStream) {
    let mut pace = tokio::time::interval(Duration::from_millis(20));
    loop {
        pace.tick().await;
        if stream.write_all(b"talk:1|c\n").await.is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn a_sending_peer_does_not_delay_shutdown() {
    let sink = Sink::new().await;
    let udp = "{address: 'udp://127.0.0.1:0'}";
    let more = "runtime: {shutdown_timeout: 1h}\n";
    let gateway = Gateway::start(&sink.settings(&format!("{udp}, {TCP}"), more)).await;
    let stream = TcpStream::connect(gateway.statsd_over("tcp")).await.expect("it listens");
    let talker = tokio::spawn(talk(stream));
    assert!(sink.text().await.starts_with("talk:1|c\n"));
    // A reload takes the listener away.
    gateway.reload(&sink.settings(udp, more)).await.expect("valid");
    soon(talker).await.expect("the connection is closed");

    gateway.reload(&sink.settings(&format!("{udp}, {TCP}"), more)).await.expect("valid");
    drop(gateway);
    let gateway = Gateway::start(&sink.settings(TCP, more)).await;
    let stream = TcpStream::connect(gateway.statsd_over("tcp")).await.expect("it listens");
    let talker = tokio::spawn(talk(stream));
    assert!(sink.text().await.starts_with("talk:1|c\n"));
    soon(gateway.stopped()).await;
    soon(talker).await.expect("the connection is closed");
}

/// What a peer has begun to write when the gateway stops.
#[tokio::test]
async fn an_unfinished_line_is_counted_at_shutdown() {
    let sink = Sink::new().await;
    let mut settings = Settings::nothing();
    let address = "tcp://127.0.0.1:0";
    settings.listeners.push(ListenerSettings {
        address: address.parse().expect("an address"),
        emit: Emit::Old,
        packs: None,
        mode: 0o600,
    });
    settings.sinks.push(SinkSettings {
        address: sink.address().parse().expect("an address"),
        emit: None,
        packs: None,
    });
    settings.connections = ConnectionSettings { max: 10, keepalive: None, idle_timeout: None };
    let plan = compile_statsd(&[], &StatsdSettings::new(Emit::Old)).expect("valid");
    let metrics = Arc::new(Metrics::new());
    // Keeps the series.
    let _listener = metrics.statsd_listener(address);
    let plans = vec![(PlanSelection { emit: Emit::Old, packs: None }, Arc::new(plan))];
    let relay = Relay::bind(settings, plans, 1, &metrics).expect("a free port");
    let bound = relay.addresses()[0].to_string().replace("tcp://", "");
    let shutdown = Shutdown::new();
    let mut client = TcpStream::connect(bound).await.expect("it listens");
    client.write_all(b"whole:1|c\nunfinished:1").await.expect("sent");
    let run = async {
        let workers = [Handle::current()];
        relay.run(&workers, &shutdown).await;
    };
    let stop = async {
        assert_eq!(sink.text().await, "whole:1|c\n");
        shutdown.drain();
    };
    soon(async { tokio::join!(run, stop) }).await;
    let counted = |name: &str, labels: &str| {
        let series = format!("crossfade_statsd_{name}{{listener=\"{address}\"{labels}}} 1\n");
        assert!(metrics.text().contains(&series), "{series}: {}", metrics.text());
    };
    counted("received_lines_total", "");
    counted("refused_lines_total", ",reason=\"cut\"");
}

/// Sockets that are not streams have no connections.
#[tokio::test]
async fn datagrams_have_no_length_prefix() {
    let folder = Folder::new("datagrams");
    let sink = Sink::new().await;
    let path = folder.join("datagram.sock");
    let listener = format!("{{address: 'unixgram:{}'}}", path.display());
    let _gateway = Gateway::start(&sink.settings(&listener, "")).await;
    let client = UnixDatagram::unbound().expect("a socket");
    client.send_to(b"\x05\0\0\0a:1|c", &path).await.expect("sent");
    assert_eq!(sink.text().await, "\x05\0\0\0a:1|c");
}
