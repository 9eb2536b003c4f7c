//! Runs the gateway for minutes against targets and clients that misbehave, and shows whether it
//! keeps anything.
//!
//! ```text
//! cargo build --release && cargo run --release --example soak -- 10        # minutes
//! ```
//!
//! One target responds as it should, one cuts every response, one sends it slowly, and one is not
//! there. Prometheus scrapes all of them, other clients leave in the middle of a response or send
//! half a request, and 5,000 lines of `StatsD` arrive per second. Each minute is a row: memory that
//! is resident, open descriptors, threads, and CPU. The last lines are the slope of the memory over
//! the second half, the scrapes, and the lines that arrived at the sink.
//!
//! Needs `/proc`.

#![allow(clippy::cast_precision_loss, reason = "figures for people, far below 2^53")]

#[path = "../statsd/batch.rs"]
#[allow(dead_code, reason = "the other program uses more of it")]
mod batch;
#[path = "../scrape/client.rs"]
mod client;
mod clients;
#[path = "../statsd/load.rs"]
#[allow(dead_code, reason = "the other program uses more of it")]
mod load;
mod origin;
#[path = "../scrape/process.rs"]
#[allow(dead_code, reason = "the other program uses more of it")]
mod process;
#[path = "../statsd/sink.rs"]
#[allow(dead_code, reason = "the other program uses more of it")]
mod sink;

use std::error::Error;
use std::fs;
use std::io;
use std::net::UdpSocket;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use process::Process;

const LINES_PER_SECOND: u64 = 5_000;

/// How often figures are taken.
const SAMPLE: Duration = Duration::from_secs(5);

fn main() -> Result<(), Box<dyn Error>> {
    let minutes: u64 = match std::env::args().nth(1) {
        Some(text) => text.parse().map_err(|_| format!("{text}: expected a number of minutes"))?,
        None => 10,
    };
    let crossfade = Path::new("target/release/crossfade");
    if !crossfade.exists() {
        return Err("target/release/crossfade: run `cargo build --release` first".into());
    }
    let time = Duration::from_secs(60 * minutes);
    let body = fs::read("tests/captures/small/prometheus/kong-2.8.5.per_consumer.txt")?;
    let ports = Ports::free()?;
    let sink = sink::bind(&format!("127.0.0.1:{}", ports.sink))?;
    for behaviour in origin::Behaviour::ALL {
        origin::serve(ports.target(behaviour), behaviour, body.clone())?;
    }
    let settings = std::env::temp_dir().join(format!("crossfade-soak-{}.yaml", std::process::id()));
    fs::write(&settings, ports.settings())?;
    let gateway = Process::serve(
        Command::new(crossfade)
            .arg("serve")
            .arg(format!("--config.file={}", settings.display()))
            .stderr(Stdio::null()),
        ports.web,
    )?;

    let done = Arc::new(AtomicBool::new(false));
    let clients = clients::start(ports.web, &done);
    let to = format!("127.0.0.1:{}", ports.statsd);
    let sender = thread::spawn(move || load::send(&to, LINES_PER_SECOND, time, 0));
    let receiver = thread::spawn(move || received(&sink));
    let samples = watch(&gateway, time)?;
    let sent = sender.join().expect("the sender does not panic")?;
    done.store(true, Ordering::Relaxed);
    let scrapes = clients.join();
    let arrived = receiver.join().expect("the sink does not panic")?;
    fs::remove_file(&settings)?;

    println!("\nmemory, second half: {:+.1} KB per minute", slope(&samples[samples.len() / 2..]));
    println!("{scrapes}");
    println!("StatsD lines: {sent} sent, {arrived} arrived");
    Ok(())
}

/// Lines until none has arrived for a while.
fn received(sink: &UdpSocket) -> io::Result<u64> {
    sink::count(sink, Duration::from_secs(5))
}

struct Ports {
    web: u16,
    statsd: u16,
    sink: u16,
    targets: [u16; 3],
    /// Where there is no target.
    none: u16,
}

impl Ports {
    fn free() -> io::Result<Ports> {
        let free = process::free_port;
        Ok(Ports {
            web: free()?,
            statsd: free()?,
            sink: free()?,
            targets: [free()?, free()?, free()?],
            none: free()?,
        })
    }

    fn target(&self, behaviour: origin::Behaviour) -> u16 {
        self.targets[behaviour as usize]
    }

    fn settings(&self) -> String {
        let named = origin::Behaviour::ALL.map(|it| (it.name(), self.target(it)));
        let target = |(name, port)| {
            format!("  - {{ name: {name}, url: \"http://127.0.0.1:{port}/metrics\", emit: new }}\n")
        };
        let targets: String = named.into_iter().chain([("none", self.none)]).map(target).collect();
        format!(
            "emit: old\ntargets:\n{targets}statsd:\n  listen: [{{ address: \"udp://127.0.0.1:{}\" \
             }}]\n  forward: [{{ address: \"udp://127.0.0.1:{}\" }}]\nweb: {{ listen_address: \
             \"127.0.0.1:{}\" }}\n",
            self.statsd, self.sink, self.web
        )
    }
}

/// The time in minutes, and the resident memory in KB.
type Sample = (f64, f64);

/// Takes figures until the time is over, and prints a row each minute.
fn watch(gateway: &Process, time: Duration) -> io::Result<Vec<Sample>> {
    println!("| minute | memory, MB | descriptors | threads | CPU, % |");
    println!("|--:|--:|--:|--:|--:|");
    let begun = Instant::now();
    let (mut samples, mut cpu, mut rows) = (Vec::new(), gateway.cpu()?, 0);
    while begun.elapsed() < time {
        thread::sleep(SAMPLE);
        let resident = gateway.resident_kb()? as f64;
        samples.push((begun.elapsed().as_secs_f64() / 60.0, resident));
        let minute = begun.elapsed().as_secs() / 60;
        if minute > rows {
            rows = minute;
            let now = gateway.cpu()?;
            println!(
                "| {minute} | {:.1} | {} | {} | {:.1} |",
                resident / 1000.0,
                gateway.descriptors()?,
                gateway.threads()?,
                now.saturating_sub(cpu).as_secs_f64() / 60.0 * 100.0
            );
            cpu = now;
        }
    }
    Ok(samples)
}

/// The slope of the line through the samples with the least squares.
fn slope(samples: &[Sample]) -> f64 {
    let count = samples.len() as f64;
    let mean = |of: fn(&Sample) -> f64| samples.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|it| it.0), mean(|it| it.1));
    let rise: f64 = samples.iter().map(|it| (it.0 - x) * (it.1 - y)).sum();
    let run: f64 = samples.iter().map(|it| (it.0 - x).powi(2)).sum();
    rise / run
}
