//! Runs the null relay and Crossfade in turn, under the same load: what a line costs at a rate that
//! all can hold, and at which rate each begins to lose lines.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{load, sink};

const ROUNDS: usize = 5;
const TIME: Duration = Duration::from_secs(3);

/// Name, size of the datagrams (0: a line each), lines per second.
const CASES: [(&str, usize, u64); 2] = [("single", 0, 100_000), ("packed", 1400, 800_000)];

/// A relay holds a rate at which it loses no more than this.
const LOSS: f64 = 0.001;

/// The rate that a relay holds is looked for up to this part of it.
const PRECISION: u64 = 32;

/// Name, and what of Crossfade is measured; none for the floor.
const RELAYS: [(&str, Option<&str>); 3] =
    [("null", None), ("crossfade, rewriting", Some("new")), ("crossfade, passing", Some("old"))];

/// A running relay. It ends with this.
struct Relay(Child);

impl Drop for Relay {
    fn drop(&mut self) {
        // It may have ended by itself; either way nothing is left of it.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Relay {
    fn start(emit: Option<&str>, listen: SocketAddr, sink: SocketAddr) -> io::Result<Relay> {
        let example = std::env::current_exe()?;
        let mut command = match emit {
            None => {
                let mut command = Command::new(&example);
                command.args(["null", &listen.to_string(), &sink.to_string()]);
                command
            }
            Some(emit) => {
                let profile = example.parent().and_then(Path::parent);
                let binary = profile.unwrap_or(Path::new(".")).join("crossfade");
                if !binary.exists() {
                    let message = format!("{} is missing: cargo build --release", binary.display());
                    return Err(io::Error::other(message));
                }
                let mut command = Command::new(binary);
                command.arg("serve").args([
                    format!("--emit={emit}"),
                    format!("--statsd.listen=udp://{listen}"),
                    format!("--statsd.forward=udp://{sink}"),
                    "--web.listen-address=127.0.0.1:0".into(),
                    "--admin.listen-address=127.0.0.1:0".into(),
                    "--log.level=error".into(),
                ]);
                command
            }
        };
        command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().map(Relay)
    }

    /// Resident memory in MB, now (`VmRSS`) or at most so far (`VmHWM`).
    fn memory(&self, field: &str) -> io::Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        let kilobytes =
            line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
        Ok(kilobytes.unwrap_or(0.0) / 1000.0)
    }

    /// CPU time of all threads.
    fn cpu(&self) -> io::Result<Duration> {
        let mut nanos = 0;
        for task in std::fs::read_dir(format!("/proc/{}/task", self.0.id()))? {
            let schedstat = std::fs::read_to_string(task?.path().join("schedstat"))?;
            let on_cpu = schedstat.split(' ').next().and_then(|field| field.parse::<u64>().ok());
            nanos += on_cpu.unwrap_or(0);
        }
        Ok(Duration::from_nanos(nanos))
    }
}

#[derive(Clone, Copy)]
struct Result {
    nanos_per_line: f64,
    lost: f64,
    /// Lines per second that were sent, which may be less than they should have been.
    rate: f64,
    idle_megabytes: f64,
    peak_megabytes: f64,
}

#[expect(clippy::cast_precision_loss, reason = "counts of lines are far below 2^53")]
fn measure(emit: Option<&str>, bytes: usize, rate: u64, time: Duration) -> io::Result<Result> {
    let socket = sink::bind("127.0.0.1:0")?;
    let free = UdpSocket::bind("127.0.0.1:0")?;
    let listen = free.local_addr()?;
    drop(free);
    let relay = Relay::start(emit, listen, socket.local_addr()?)?;
    wait_for(&socket, listen)?;
    let counting = std::thread::spawn(move || sink::count(&socket, Duration::from_millis(500)));
    let idle_megabytes = relay.memory("VmRSS")?;
    let before = relay.cpu()?;
    let begun = Instant::now();
    let sent = load::send(&listen.to_string(), rate, time, bytes)?;
    let sending = begun.elapsed();
    let received = counting.join().expect("it does not panic")?;
    let cpu = relay.cpu()?.saturating_sub(before);
    // Status totals are dropped on the way from old to new: a tenth of the lines.
    let expected = if emit == Some("new") { sent - sent / 10 } else { sent };
    Ok(Result {
        nanos_per_line: cpu.as_nanos() as f64 / sent as f64,
        lost: (1.0 - received as f64 / expected as f64).max(0.0),
        rate: sent as f64 / sending.as_secs_f64(),
        idle_megabytes,
        peak_megabytes: relay.memory("VmHWM")?,
    })
}

/// Sends until something arrives, and takes it all.
fn wait_for(sink: &UdpSocket, relay: SocketAddr) -> io::Result<()> {
    let client = UdpSocket::bind("127.0.0.1:0")?;
    sink.set_read_timeout(Some(Duration::from_millis(20)))?;
    let begun = Instant::now();
    let mut buffer = [0; 2048];
    let mut arrived = false;
    loop {
        if !arrived {
            // Nobody may listen yet.
            drop(client.send_to(b"probe:1|c", relay));
        }
        match sink.recv(&mut buffer) {
            Ok(_) => arrived = true,
            Err(_) if arrived => return Ok(()),
            Err(_) if begun.elapsed() > Duration::from_secs(10) => {
                return Err(io::Error::other("the relay does not relay"));
            }
            Err(_) => {}
        }
    }
}

pub(crate) fn run() -> io::Result<()> {
    println!(
        "| datagrams | relay | ns of CPU per line: median (range) | times null | lost | MB idle | MB at most |"
    );
    println!("|---|---|---|---|---|---|---|");
    for (case, bytes, rate) in CASES {
        let mut results = RELAYS.map(|_| Vec::new());
        for _ in 0..ROUNDS {
            for (results, (_, emit)) in results.iter_mut().zip(RELAYS) {
                results.push(measure(emit, bytes, rate, TIME)?);
            }
        }
        let mut floor = None;
        for (results, (relay, _)) in results.iter_mut().zip(RELAYS) {
            results.sort_by(|a, b| a.nanos_per_line.total_cmp(&b.nanos_per_line));
            let median = results[ROUNDS / 2].nanos_per_line;
            let (least, most) = (results[0].nanos_per_line, results[ROUNDS - 1].nanos_per_line);
            let lost = results.iter().map(|result| result.lost).fold(0.0, f64::max);
            let times = median / *floor.get_or_insert(median);
            let peak = results.iter().map(|result| result.peak_megabytes).fold(0.0, f64::max);
            println!(
                "| {case} | {relay} | {median:.0} ({least:.0}–{most:.0}) | {times:.2} | {:.2} % | {:.1} | {peak:.1} |",
                100.0 * lost,
                results[0].idle_megabytes,
            );
        }
    }
    Ok(())
}

/// The highest rate that each relay holds, in lines per second.
#[expect(clippy::cast_precision_loss, reason = "rates are far below 2^53")]
pub(crate) fn capacity() -> io::Result<()> {
    println!("| datagrams | relay | lines/s at no more than {} % loss |", 100.0 * LOSS);
    println!("|---|---|---|");
    for (case, bytes, rate) in CASES {
        for (relay, emit) in RELAYS {
            let (mut held, mut lost, mut most) = (0, u64::MAX, 0.0_f64);
            let mut next = rate;
            loop {
                let result = measure(emit, bytes, next, TIME / 2)?;
                if result.lost > LOSS {
                    lost = next;
                } else {
                    (held, most) = (next, most.max(result.rate));
                    // More than the load generator can send cannot be tried.
                    if result.rate < 0.9 * next as f64 {
                        break;
                    }
                }
                next = if lost == u64::MAX { 2 * held } else { u64::midpoint(held, lost) };
                if lost != u64::MAX && lost - held <= lost / PRECISION {
                    break;
                }
            }
            let limit = if lost == u64::MAX { " (the generator's limit)" } else { "" };
            println!("| {case} | {relay} | {most:.0}{limit} |");
        }
    }
    Ok(())
}
