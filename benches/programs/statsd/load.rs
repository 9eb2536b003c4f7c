//! The load generator: lines of Kong 2.8 at an even rate.

use std::io::{self, Write as _};
use std::net::UdpSocket;
use std::time::{Duration, Instant};

use super::batch::Transmitter;

const TICK: Duration = Duration::from_millis(1);

/// What Kong 2.8 sends for a few requests.
fn old() -> impl Iterator<Item = String> {
    (0..200).flat_map(|request| {
        let service = service(request);
        [
            format!("kong.{service}.request.count:1|c"),
            format!("kong.{service}.latency:{}|ms", 20 + request),
            format!("kong.{service}.request.size:{}|ms", 300 + request),
            format!("kong.{service}.request.status.200:1|c"),
            format!("kong.{service}.request.status.total:1|c"),
            format!("kong.{service}.response.size:{}|ms", 4000 + request),
            format!("kong.{service}.user.uniques:consumer_{request}|s"),
            format!("kong.{service}.user.consumer_{request}.request.count:1|c"),
            format!("kong.{service}.upstream_latency:{}|ms", 15 + request),
            format!("kong.{service}.kong_latency:{}|ms", request % 7),
        ]
    })
}

/// What Kong 3.9 sends for the counts of a few requests with `tag_style: dogstatsd`.
fn tagged() -> impl Iterator<Item = String> {
    (0..200).map(|request| {
        let service = service(request);
        format!(
            "kong.request.count:1|c|#route:r-{service},service:{service},node:gw-1,status:200,\
             consumer:consumer_{request},workspace:default"
        )
    })
}

fn service(request: usize) -> &'static str {
    ["orders", "users-v2", "catalog_api", "payments"][request % 4]
}

/// Prints lines, for tools of your own: `old`, `tagged`, or `foreign`, which are those of another
/// program.
pub(crate) fn print(kind: &str, count: usize) -> io::Result<()> {
    let lines: Vec<String> = match kind {
        "old" => old().collect(),
        "tagged" => tagged().collect(),
        "foreign" => old().map(|line| line.replacen("kong", "shop", 1)).collect(),
        _ => return Err(io::Error::other("expected old, tagged or foreign")),
    };
    let mut out = io::BufWriter::new(io::stdout().lock());
    for line in lines.iter().cycle().take(count) {
        writeln!(out, "{line}")?;
    }
    out.flush()
}

/// Datagrams as Kong sends them: one line each, or packed up to `bytes`.
fn datagrams(bytes: usize) -> Vec<(Vec<u8>, u64)> {
    let mut datagrams: Vec<(Vec<u8>, u64)> = vec![(Vec::new(), 0)];
    for line in old() {
        let (open, lines) = datagrams.last_mut().expect("there is always one");
        if *lines > 0 && open.len() + 1 + line.len() > bytes {
            datagrams.push((line.into_bytes(), 1));
            continue;
        }
        if *lines > 0 {
            open.push(b'\n');
        }
        open.extend_from_slice(line.as_bytes());
        *lines += 1;
    }
    datagrams
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
    let datagrams = datagrams(bytes);
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
