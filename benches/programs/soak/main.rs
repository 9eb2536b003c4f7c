//! Runs the gateway for minutes against targets and clients that misbehave, and shows whether it
//! keeps anything.
//!
//! ```text
//! cargo build --release && cargo run --release --example soak -- 10        # minutes
//! ```
//!
//! One target responds as it should, one with 5 MB, and one over TLS; one cuts every response, one
//! sends it slowly, and one is not there. Prometheus scrapes all of them, other clients leave in the
//! middle of a response or send half a request, and 5,000 lines of `StatsD` arrive per second. The
//! settings are changed and reloaded every minute. Each minute is a row: memory that is resident, open
//! descriptors, threads, and CPU. The last lines are the slope of the memory over the second half, the
//! scrapes, the lines that arrived at the sink, and the reloads. The exit code is 1 if one failed.
//!
//! Needs `/proc`.

#![allow(clippy::cast_precision_loss, reason = "figures for people, far below 2^53")]

#[path = "../statsd/batch.rs"]
#[allow(dead_code, reason = "the other program uses more of it")]
mod batch;
#[path = "../../support/body.rs"]
#[allow(dead_code, reason = "the other program uses more of it")]
mod body;
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
mod reloads;
mod settings;
#[path = "../statsd/sink.rs"]
#[allow(dead_code, reason = "the other program uses more of it")]
mod sink;

use std::error::Error;
use std::fs;
use std::io;
use std::net::UdpSocket;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use origin::Behaviour;
use process::Process;
use settings::Ports;

const LINES_PER_SECOND: u64 = 5_000;

/// Bytes of the large body.
const LARGE: usize = 5_000_000;

/// How often figures are taken.
const SAMPLE: Duration = Duration::from_secs(5);

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let minutes: u64 = match std::env::args().nth(1) {
        Some(text) => text.parse().map_err(|_| format!("{text}: expected a number of minutes"))?,
        None => 10,
    };
    let crossfade = Path::new("target/release/crossfade");
    if !crossfade.exists() {
        return Err("target/release/crossfade: run `cargo build --release` first".into());
    }
    let time = Duration::from_secs(60 * minutes);
    let ports = Arc::new(Ports::free()?);
    let sink = sink::bind(&format!("127.0.0.1:{}", ports.sink))?;
    let folder = std::env::temp_dir().join(format!("crossfade-soak-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let (settings, ca_file) = (folder.join("crossfade.yaml"), folder.join("ca.pem"));
    fs::write(&ca_file, serve_targets(&ports)?)?;
    fs::write(&settings, ports.settings(0, &ca_file))?;
    let gateway = Process::serve(
        Command::new(crossfade)
            .args(["serve", "--web.enable-lifecycle"])
            .arg(format!("--config.file={}", settings.display()))
            // As in deploy/crossfade.service, so that freed memory is returned to the system.
            .env("MALLOC_TRIM_THRESHOLD_", "131072")
            .stderr(Stdio::null()),
        ports.web,
    )?;

    let done = Arc::new(AtomicBool::new(false));
    let clients = clients::start(ports.web, &done);
    let reloads = reloads::start(Arc::clone(&ports), settings, ca_file, Arc::clone(&done));
    let to = format!("127.0.0.1:{}", ports.statsd);
    let sender = thread::spawn(move || load::send(&to, LINES_PER_SECOND, time, 0));
    let receiver = thread::spawn(move || received(&sink));
    let samples = watch(&gateway, time)?;
    let sent = sender.join().expect("the sender does not panic")?;
    done.store(true, Ordering::Relaxed);
    let scrapes = clients.join();
    let arrived = receiver.join().expect("the sink does not panic")?;
    let (reloads, failed) = reloads.join().expect("the reloader does not panic");
    fs::remove_dir_all(&folder)?;

    println!("\nmemory, second half: {:+.1} KB per minute", slope(&samples[samples.len() / 2..]));
    println!("{scrapes}");
    println!("StatsD lines: {sent} sent, {arrived} arrived");
    println!("reloads: {reloads} succeeded, {} failed", failed.len());
    for error in &failed {
        println!("{error}");
    }
    Ok(if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Starts all targets, and returns the certificate of the encrypted one.
fn serve_targets(ports: &Ports) -> Result<String, Box<dyn Error>> {
    let small = fs::read("tests/captures/small/prometheus/kong-2.8.5.per_consumer.txt")?;
    let (small, large): (Arc<[u8]>, Arc<[u8]>) = (small.into(), body::old(LARGE).into());
    let certificate = origin::Certificate::new()?;
    for behaviour in Behaviour::ALL {
        let body = if behaviour == Behaviour::Large { &large } else { &small };
        origin::serve(ports.target(behaviour), behaviour, Arc::clone(body), &certificate)?;
    }
    Ok(certificate.pem)
}

/// Lines until none has arrived for a while.
fn received(sink: &UdpSocket) -> io::Result<u64> {
    sink::count(sink, Duration::from_secs(5))
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
