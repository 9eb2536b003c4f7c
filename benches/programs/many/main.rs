//! Scrapes many targets at once through one process, and shows what targets cost that are never
//! scraped.
//!
//! ```text
//! cargo build --release && cargo run --release --example many -- 200 1 50 5
//! #                           targets, MB of each, scrapes at the same time, rounds
//! ```
//!
//! Before the targets are, each on its own port, an nginx with `proxy_pass` and a pool of idle
//! connections for each target, and one `crossfade serve` for each case. In a round, every case
//! scrapes every target once, so a machine that gets slower gets slower for all. The targets, the
//! scrapers and the proxies share the machine. Needs `/usr/sbin/nginx` and Linux: all of 127.0.0.0/8
//! is the machine itself.

#![allow(clippy::cast_precision_loss, reason = "figures for people, far below 2^53")]

#[path = "../../support/body.rs"]
#[allow(dead_code, reason = "the other program uses more of it")]
mod body;
#[path = "../scrape/client.rs"]
mod client;
#[path = "../scrape/folder.rs"]
mod folder;
#[path = "../scrape/process.rs"]
#[allow(dead_code, reason = "the other program uses more of it")]
mod process;
mod proxies;
#[path = "../scrape/table.rs"]
#[allow(dead_code, reason = "the other program uses more of it")]
mod table;
#[path = "../replicas/targets.rs"]
mod targets;

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use folder::Folder;
use proxies::Proxy;
use table::{Spread, Table, megabytes};

/// How long targets are left alone.
const IDLE: Duration = Duration::from_secs(30);

/// What is scraped.
struct Load {
    targets: usize,
    bytes: usize,
    in_flight: usize,
    rounds: usize,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut numbers = std::env::args().skip(1).map(|text| text.parse::<usize>());
    let mut next = |default| numbers.next().unwrap_or(Ok(default));
    let load = Load {
        targets: next(200)?,
        bytes: next(1)? * 1_000_000,
        in_flight: next(50)?,
        rounds: next(5)?,
    };
    let crossfade = PathBuf::from("target/release/crossfade");
    if !crossfade.exists() {
        return Err("target/release/crossfade: run `cargo build --release` first".into());
    }
    let folder = Folder::create(&std::env::temp_dir(), "many")?;
    table::heading(&crossfade);
    at_once(&load, &folder.0, &crossfade)?;
    idle(&folder.0, &crossfade)
}

/// Throughput, time of scrapes and memory.
fn at_once(load: &Load, folder: &Path, crossfade: &Path) -> Result<(), Box<dyn Error>> {
    let port = process::free_port()?;
    let body = body::old(load.bytes);
    let bytes = body.len() * load.targets;
    targets::serve(port, body)?;
    let urls: Vec<String> =
        (0..load.targets).map(|it| format!("{}:{port}", targets::address(it))).collect();
    let proxies = [
        Proxy::nginx("nginx proxy_pass", folder, &urls)?,
        Proxy::crossfade("crossfade, pass-through", folder, crossfade, "old", &urls)?,
        Proxy::crossfade("crossfade, old to new", folder, crossfade, "new", &urls)?,
    ];
    let mut figures = [const { (Vec::new(), Vec::new(), Vec::new()) }; 3];
    // The first round opens connections, and is not counted.
    for round in 0..=load.rounds {
        for (proxy, (rates, cpu, times)) in proxies.iter().zip(&mut figures) {
            let (begun, cpu_before) = (Instant::now(), proxy.process.cpu()?);
            let scrapes = scrape_all(load, proxy)?;
            if round > 0 {
                rates.push(bytes as f64 / 1e6 / begun.elapsed().as_secs_f64());
                let spent = proxy.process.cpu()?.saturating_sub(cpu_before);
                cpu.push(spent.as_secs_f64() * 1e9 / bytes as f64);
                times.extend(scrapes.iter().map(|time| time.as_secs_f64() * 1e3));
            }
        }
    }
    let table = Table::new(
        &format!(
            "{} targets with {} MB each, {} scrapes at the same time",
            load.targets,
            load.bytes / 1_000_000,
            load.in_flight
        ),
        ["case", "MB/s", "range", "p50 ms", "p99 ms", "CPU s/GB", "peak MB", "descriptors"],
    );
    for (proxy, (rates, cpu, times)) in proxies.iter().zip(&mut figures) {
        times.sort_by(f64::total_cmp);
        let at = |percent: usize| format!("{:.1}", times[(times.len() - 1) * percent / 100]);
        let [rate, range, _] = Spread::of(rates).cells(1.0);
        let [cpu, ..] = Spread::of(cpu).cells(1.0);
        let peak = megabytes(proxy.process.peak_kb()?);
        let descriptors = proxy.process.descriptors()?.to_string();
        table.row(&[proxy.name.to_owned(), rate, range, at(50), at(99), cpu, peak, descriptors]);
    }
    Ok(())
}

/// Scrapes every target once. Returns how long each took.
fn scrape_all(load: &Load, proxy: &Proxy) -> io::Result<Vec<Duration>> {
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..load.in_flight {
            scope.spawn(|| {
                loop {
                    let target = next.fetch_add(1, Ordering::Relaxed);
                    if target >= load.targets {
                        return;
                    }
                    let scrape = client::scrape(proxy.port, &proxies::path(target));
                    done.lock().unwrap_or_else(PoisonError::into_inner).push(scrape);
                }
            });
        }
    });
    done.into_inner().unwrap_or_else(PoisonError::into_inner).into_iter().collect()
}

/// What targets cost that are configured and never scraped.
fn idle(folder: &Path, crossfade: &Path) -> Result<(), Box<dyn Error>> {
    let table = Table::new(
        &format!("Targets that are never scraped, for {} s", IDLE.as_secs()),
        ["targets", "MB", "CPU ms", "descriptors", "threads"],
    );
    for targets in [1, 1000] {
        let urls: Vec<String> =
            (0..targets).map(|it| format!("{}:8100", targets::address(it))).collect();
        let proxy = Proxy::crossfade("idle", folder, crossfade, "new", &urls)?;
        let before = proxy.process.cpu()?;
        thread::sleep(IDLE);
        let spent = proxy.process.cpu()?.saturating_sub(before);
        table.row(&[
            targets.to_string(),
            megabytes(proxy.process.resident_kb()?),
            spent.as_millis().to_string(),
            proxy.process.descriptors()?.to_string(),
            proxy.process.threads()?.to_string(),
        ]);
    }
    Ok(())
}
