//! A running relay allocates nothing per line: counted by the allocator, not timed.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use allocation_counter::measure;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;

use crate::support::net::Gateway;

/// Sends datagrams of one line each and waits until all lines have come out at both ends, again and
/// again.
async fn rounds(
    count: u64,
    client: &UdpSocket,
    udp: &tokio::net::UdpSocket,
    tcp: &mut tokio::net::TcpStream,
    buffer: &mut [u8],
) {
    for _ in 0..count {
        for line in LINES {
            client.send(line).expect("sent");
        }
        let (mut by_udp, mut by_tcp) = (0, 0);
        while by_udp < LINES.len() || by_tcp < LINES.len() {
            tokio::select! {
                len = udp.recv(buffer) => {
                    let lines = buffer[..len.expect("a datagram")].split(|byte| *byte == b'\n');
                    by_udp += lines.count();
                }
                len = async { tcp.read(&mut [0; 4096]).await } => {
                    // Both sinks get the same lines; how many there are, the other one knows.
                    assert!(len.expect("the stream goes on") > 0);
                    by_tcp = LINES.len();
                }
            }
        }
    }
}

const LINES: [&[u8]; 20] = [b"kong.orders.request.count:1|c"; 20];

/// From one system call to the next: sockets, engine, queues and counters.
#[test]
fn a_running_relay_does_not_allocate_per_line() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let (gateway, client, udp, mut tcp) = runtime.block_on(async {
        let udp = tokio::net::UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
        let tcp = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let gateway = Gateway::start(&format!(
            "emit: new\nstatsd:\n  flush_interval: 1ms\n  listen: [{{address: 'udp://127.0.0.1:0'}}]\n  \
             forward: [{{address: 'udp://{}'}}, {{address: 'tcp://{}'}}]\n",
            udp.local_addr().expect("bound"),
            tcp.local_addr().expect("bound"),
        ))
        .await;
        let client = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        client.connect(gateway.statsd_addr()).expect("an address");
        client.send(LINES[0]).expect("sent");
        let (stream, _) = tcp.accept().await.expect("a connection");
        let mut buffer = [0; 4096];
        udp.recv(&mut buffer).await.expect("the first line");
        (gateway, client, udp, stream)
    });
    let mut buffer = vec![0; 65_536];
    let mut run = |count| {
        let deadline = Instant::now() + Duration::from_secs(60);
        runtime.block_on(async {
            tokio::select! {
                () = rounds(count, &client, &udp, &mut tcp, &mut buffer) => {}
                () = tokio::time::sleep_until(deadline.into()) => panic!("lines are missing"),
            }
        });
    };
    run(50);
    let counted = measure(|| run(200));
    let lines = 200 * LINES.len() as u64;
    assert!(
        counted.count_total * 20 < lines,
        "{} allocations for {lines} lines",
        counted.count_total
    );
    drop(gateway);
}
