//! A process with few file descriptors, which clients try to use up.

use std::net::SocketAddr;
use std::process::Command;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::net::{Upstream, get, whole};
use crate::support::process::Process;
use crate::{SOON, metric, reaches};

/// `crossfade serve` that may have this many open files.
fn limited(files: u32, flags: &[&str]) -> Process {
    let mut command = Command::new("sh");
    let script = format!("ulimit -n {files}; exec \"$0\" \"$@\"");
    command
        .args(["-c", &script, env!("CARGO_BIN_EXE_crossfade"), "serve"])
        .args(["--web.listen-address=127.0.0.1:0", "--admin.listen-address=127.0.0.1:0"])
        .args(flags);
    Process::of(command)
}

/// Sends a line, again whenever the connection is closed: in the first second, connections that have
/// sent nothing keep their places. Never resolves.
async fn send(statsd: SocketAddr) {
    loop {
        let mut sender = TcpStream::connect(statsd).await.expect("the kernel accepts");
        drop(sender.write_all(b"a:1|c\n").await);
        drop(sender.read(&mut [0]).await);
    }
}

#[tokio::test]
async fn idle_clients_cannot_use_all_descriptors() {
    let upstream = Upstream::answering(whole("up 1\n")).await;
    let target = format!("--target={}", upstream.url());
    let flags = [
        "--emit=old",
        &target,
        "--statsd.listen=tcp://127.0.0.1:0",
        "--statsd.forward=udp://127.0.0.1:9",
    ];
    let mut process = limited(64, &flags);
    let statsd = process.statsd("tcp");
    let mut idle = Vec::new();
    for _ in 0..100 {
        for address in [process.data, statsd] {
            idle.push(TcpStream::connect(address).await.expect("the kernel accepts"));
        }
    }
    let answers = async {
        for _ in 0..3 {
            assert_eq!(get(process.admin, "/-/healthy").await.status, 200);
            let scrape = get(process.data, "/metrics").await;
            assert_eq!(scrape.status, 200, "{}", scrape.body.escape_ascii());
        }
        let received = "crossfade_statsd_received_lines_total{listener=\"tcp://127.0.0.1:0\"}";
        tokio::select! {
            () = reaches(&process, received, 1) => {}
            () = send(statsd) => {}
        }
    };
    timeout(SOON, answers).await.expect("idle connections make room");
    let refusals = "crossfade_http_refusals_total{listener=\"data\",reason=\"made_room\"}";
    assert!(metric(&process, refusals).await > 10);
    process.signal("TERM");
    let (code, log) = process.ends_within(SOON);
    assert_eq!(code, Some(0), "{log}");
}
