//! The load generator: lines of Kong 2.8 at an even rate.

use std::io::{self, Write as _};
use std::net::UdpSocket;
use std::time::{Duration, Instant};

use super::batch::Transmitter;

#[path = "lines.rs"]
mod lines;

const TICK: Duration = Duration::from_millis(1);

/// Prints lines, for tools of your own: `old`, `tagged`, or `foreign`, which are those of another
/// program.
pub(crate) fn print(kind: &str, count: usize) -> io::Result<()> {
    let Some(lines) = lines::of_kind(kind) else {
        return Err(io::Error::other("expected old, tagged or foreign"));
    };
    let mut out = io::BufWriter::new(io::stdout().lock());
    for line in lines.iter().cycle().take(count) {
        writeln!(out, "{line}")?;
    }
    out.flush()
}

/// Sends at an even rate and returns how many lines that was. `bytes` 0: a datagram for each line.
pub(crate) fn send(
    to: &str,
    lines_per_second: u64,
    time: Duration,
    bytes: usize,
) -> io::Result<u64> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.connect(to)?;
    let lines = lines::of_kind("old").expect("a kind");
    let datagrams = lines::datagrams(lines.iter(), bytes);
    let mut next = datagrams.iter().cycle();
    let mut transmitter = Transmitter::new();
    let (begun, mut sent) = (Instant::now(), 0);
    while begun.elapsed() < time {
        let due = u128::from(lines_per_second) * begun.elapsed().as_nanos() / 1_000_000_000;
        let datagrams = std::iter::from_fn(|| {
            let (datagram, lines) = (u128::from(sent) < due).then(|| next.next())??;
            sent += lines;
            Some(datagram.as_slice())
        });
        transmitter.send(&socket, datagrams)?;
        std::thread::sleep(TICK);
    }
    Ok(sent)
}
