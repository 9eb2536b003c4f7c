//! Log lines of listeners and sinks name the listener or the sink.

use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::support::process::Process;

/// The values of a key of a logfmt line.
fn values<'a>(line: &'a str, key: &str) -> Vec<&'a str> {
    let prefix = format!(" {key}=");
    let after = line.split(&prefix).skip(1);
    after.map(|after| after.split(' ').next().expect("a value")).collect()
}

#[tokio::test]
async fn each_log_line_names_its_listener_or_sink_once() {
    let mut process = Process::serve(&[
        "--emit=old",
        "--log.level=debug",
        "--statsd.listen=tcp://127.0.0.1:0",
        "--statsd.forward=unixgram:/nowhere/sink.sock",
    ]);
    let listener = process.statsd("tcp");
    let mut stream = TcpStream::connect(listener).await.expect("it listens");
    stream.write_all(b"a:1|c\n").await.expect("sent");
    let line = process.logs(&["sink unreachable"]);
    assert_eq!(values(&line, "sink"), ["unixgram:/nowhere/sink.sock"], "{line}");
    assert_eq!(values(&line, "listener"), [""; 0], "{line}");

    drop(stream);
    process.signal("TERM");
    let (code, rest) = process.ends_within(Duration::from_secs(20));
    assert_eq!(code, Some(0), "{rest}");
    let stopped = rest.lines().find(|line| line.contains("listener stopped"));
    let line = stopped.expect("the listener has stopped");
    assert_eq!(values(line, "listener"), [format!("tcp://{listener}")], "{line}");
    assert_eq!(values(line, "sink"), [""; 0], "{line}");
}
