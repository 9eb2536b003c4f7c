//! Packs of listeners and of sinks.

use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::timeout;

use crate::Folder;
use crate::support::net::Gateway;

async fn udp() -> UdpSocket {
    UdpSocket::bind("127.0.0.1:0").await.expect("a free port")
}

async fn text(socket: &UdpSocket) -> String {
    let mut buffer = [0; 1024];
    let received = timeout(Duration::from_secs(30), socket.recv(&mut buffer)).await;
    let len = received.expect("in time").expect("a datagram");
    String::from_utf8(buffer[..len].to_vec()).expect("text")
}

#[tokio::test]
async fn each_listener_and_each_sink_has_its_packs() {
    let folder = Folder::new("relay-packs");
    for (file, new) in [("p.yaml", "p"), ("q.yaml", "q"), ("r.yaml", "r")] {
        let pack = format!("name: {new}\nstatsd: [{{ old: 'hits.{{x}}', new: '{new}.{{x}}' }}]\n");
        folder.write(file, pack);
    }
    let pack = |file| folder.join(file).display().to_string();
    let sinks = [udp().await, udp().await];
    let [first, second] = sinks.each_ref().map(|sink| sink.local_addr().expect("bound"));
    let gateway = Gateway::start(&format!(
        "packs: ['{}', '{}', '{}']\n\
         statsd:\n  emit: new\n  pack_bytes: 0\n  packs: [p]\n  listen:\n  \
         - {{address: 'udp://127.0.0.1:0'}}\n  - {{address: 'udp://127.0.0.1:0', packs: [kong]}}\n  \
         - {{address: 'udp://127.0.0.1:0', packs: [q], emit: both}}\n  forward:\n  \
         - {{address: 'udp://{first}'}}\n  - {{address: 'udp://{second}', packs: [r]}}\n",
        pack("p.yaml"),
        pack("q.yaml"),
        pack("r.yaml"),
    ))
    .await;
    let client = udp().await;
    let [first, second] = &sinks;
    let expected = [("p.a:1|c", "r.a:1|c"), ("hits.a:1|c", "r.a:1|c")];
    for (listener, (to_first, to_second)) in gateway.statsd.iter().zip(expected) {
        let address = listener.to_string().replace("udp://", "");
        client.send_to(b"hits.a:1|c", address).await.expect("sent");
        assert_eq!(text(first).await, to_first);
        assert_eq!(text(second).await, to_second);
    }
    let address = gateway.statsd[2].to_string().replace("udp://", "");
    client.send_to(b"hits.a:1|c", address).await.expect("sent");
    assert_eq!(text(first).await.trim_end(), "hits.a:1|c\nq.a:1|c");
    assert_eq!(text(second).await.trim_end(), "hits.a:1|c\nr.a:1|c");
}
