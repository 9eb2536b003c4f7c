//! Scrapes many targets through two replicas, each target always through the same one, as with
//! `hashmod` in Prometheus, and shows the time of scrapes and what the replicas cost.
//!
//! ```text
//! cargo build --release && cargo run --release --example replicas -- 1000 2 15 5
//! #                                        targets, MB of each, seconds between scrapes, rounds
//! ```
//!
//! Every target has an address of its own, and so connections of its own. The scrapes are spread over
//! the interval, as those of Prometheus are. The targets, the scraper and the replicas share the
//! machine. Needs Linux: all of 127.0.0.0/8 is the machine itself.

#![allow(clippy::cast_precision_loss, reason = "figures for people, far below 2^53")]

#[path = "../../support/body.rs"]
#[allow(dead_code, reason = "the other program uses more of it")]
mod body;
#[path = "../scrape/client.rs"]
mod client;
#[path = "../scrape/process.rs"]
#[allow(dead_code, reason = "the other program uses more of it")]
mod process;
mod targets;

use std::error::Error;
use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use process::Process;

/// Scrapes at the same time. More are not needed as long as the scraper is on time.
const SCRAPERS: usize = 64;

const REPLICAS: usize = 2;

/// Kong 2.8 is emitted as 3.x: the case for which each replica needs state of the target.
const SETTINGS: &str = "emit: new\nprobe: {}\nallow: [{ cidr: 127.0.0.0/8, ports: [PORT] }]\n\
                        web: { listen_address: \"127.0.0.1:WEB\" }\n\
                        admin: { listen_address: \"127.0.0.1:0\" }\n";

#[derive(Clone, Copy)]
struct Load {
    targets: usize,
    bytes: usize,
    interval: Duration,
    rounds: usize,
}

/// What one scrape was like.
struct Scrape {
    took: Duration,
    /// How much later than planned it began.
    late: Duration,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut numbers = std::env::args().skip(1).map(|text| text.parse::<usize>());
    let mut next = |default| numbers.next().unwrap_or(Ok(default));
    let load = Load {
        targets: next(1000)?,
        bytes: next(2)? * 1_000_000,
        interval: Duration::from_secs(next(15)? as u64),
        rounds: next(5)?,
    };
    let crossfade = Path::new("target/release/crossfade");
    if !crossfade.exists() {
        return Err("target/release/crossfade: run `cargo build --release` first".into());
    }
    let port = process::free_port()?;
    targets::serve(port, body::old(load.bytes))?;
    let mut replicas = Vec::new();
    let mut ports = [0; REPLICAS];
    for (index, web) in ports.iter_mut().enumerate() {
        *web = process::free_port()?;
        let file = format!("crossfade-replica-{}-{index}.yaml", std::process::id());
        let file = std::env::temp_dir().join(file);
        let settings = SETTINGS.replace("PORT", &port.to_string());
        fs::write(&file, settings.replace("WEB", &web.to_string()))?;
        let mut command = Command::new(crossfade);
        command.arg("serve").arg(format!("--config.file={}", file.display()));
        replicas.push(Process::serve(command.stderr(Stdio::null()), *web)?);
        fs::remove_file(&file)?;
    }

    let begun = Instant::now();
    let scrapes = scrape_all(load, ports, port);
    let time = begun.elapsed().as_secs_f64();
    let failed = scrapes.iter().filter(|scrape| scrape.is_err()).count();
    if let Some(Err(error)) = scrapes.iter().find(|scrape| scrape.is_err()) {
        eprintln!("the first of {failed} failed scrapes: {error}");
    }
    let good: Vec<&Scrape> = scrapes.iter().flatten().collect();
    let row = |name: &str, of: fn(&Scrape) -> Duration| {
        let mut all: Vec<f64> = good.iter().map(|it| of(it).as_secs_f64() * 1000.0).collect();
        all.sort_by(f64::total_cmp);
        let at = |percent: usize| all[(all.len() - 1) * percent / 100];
        println!("| {name}, ms | {:.1} | {:.1} | {:.1} |", at(50), at(99), at(100));
    };
    println!("{} scrapes in {time:.0} s, {failed} failed", scrapes.len());
    println!("\n| | median | p99 | max |\n|---|--:|--:|--:|");
    row("time of a scrape", |it| it.took);
    row("begun later than planned", |it| it.late);
    println!("\n| replica | CPU, % of a core | peak memory, MB | descriptors |\n|--:|--:|--:|--:|");
    for (index, replica) in replicas.iter().enumerate() {
        println!(
            "| {index} | {:.0} | {:.0} | {} |",
            replica.cpu()?.as_secs_f64() / time * 100.0,
            replica.peak_kb()? as f64 / 1000.0,
            replica.descriptors()?
        );
    }
    Ok(())
}

/// Scrapes every target once in each interval.
fn scrape_all(load: Load, ports: [u16; REPLICAS], port: u16) -> Vec<io::Result<Scrape>> {
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let begun = Instant::now();
    thread::scope(|scope| {
        for _ in 0..SCRAPERS {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= load.targets * load.rounds {
                        return;
                    }
                    let planned = load.interval.mul_f64(index as f64 / load.targets as f64);
                    thread::sleep(planned.saturating_sub(begun.elapsed()));
                    let late = begun.elapsed().saturating_sub(planned);
                    let target = index % load.targets;
                    let address = targets::address(target);
                    let path = format!("/probe?target={address}:{port}");
                    let scrape = client::scrape(ports[target % REPLICAS], &path);
                    let scrape = scrape.map(|took| Scrape { took, late });
                    done.lock().unwrap_or_else(PoisonError::into_inner).push(scrape);
                }
            });
        }
    });
    done.into_inner().unwrap_or_else(PoisonError::into_inner)
}
