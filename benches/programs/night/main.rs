//! Upgrades six nodes of Kong from 2.8 to 3.4 and 3.9, rolls them back, and shows that the queries of
//! Kong's dashboards return the same numbers all the time.
//!
//! ```text
//! cargo build --release && cargo run --release --example night -- 5        # minutes
//! ```
//!
//! The nodes serve genuine captures, whose numbers grow. A real Prometheus scrapes each node twice
//! for each generation: through the gateway, which sees the version that the node has now, and
//! directly, where the node shows the same traffic as the version that the dashboards expect (always
//! 2.8, always 3.9). Two replicas of the gateway have the same settings. One job scrapes each node
//! through the replica that it is pinned to, another one through the other replica. Meanwhile the
//! settings are reloaded, and each replica is restarted once.
//!
//! At the end all queries are evaluated on both jobs, at every tick of the night, and compared number
//! by number: in a second Prometheus, where the samples of both jobs have the times of their traffic
//! (see `samples.rs`). The exit code is 1 if any number differs, if the replicas have not given the same,
//! or if Prometheus complains. Needs `prometheus` and `promtool`.

mod compare;
mod gateway;
mod kong;
mod live;
mod page;
mod plan;
#[path = "../scrape/process.rs"]
#[allow(dead_code, reason = "the other program uses more of it")]
mod process;
mod prometheus;
mod queries;
mod report;
mod samples;
mod traffic;

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gateway::Replica;
use kong::{Kong, Shape};
use live::Live;
use page::Pages;
use plan::{NODES, Plan, TICK, Version};
use prometheus::Prometheus;
use queries::Dashboards;
use report::{Night, Report};
use samples::{NodeSamples, instance};

const GENERATIONS: [(Dashboards, &str, Version); 2] =
    [(Dashboards::Old, "old", Version::Kong28), (Dashboards::New, "new", Version::Kong39)];

/// Blocks of Prometheus begin at multiples of it, in seconds.
const BLOCK: u64 = 2 * 60 * 60;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let minutes: u64 = match std::env::args().nth(1) {
        Some(text) => text.parse().map_err(|_| format!("{text}: expected a number of minutes"))?,
        None => 5,
    };
    if minutes < 2 {
        return Err("a night has at least 2 minutes".into());
    }
    let crossfade = fs::canonicalize("target/release/crossfade")
        .map_err(|_| "target/release/crossfade: run `cargo build --release` first")?;
    let folder = std::env::temp_dir().join(format!("crossfade-night-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let plan = Arc::new(Plan::of(Duration::from_secs(60 * minutes)));
    let pages = Pages::read()?;
    let dictionaries = pages.common_dictionaries();
    let stored = spend(&crossfade, &folder, pages, &dictionaries, &plan)?;
    let is_good = judge(&folder, &plan, &dictionaries, stored)?;
    if is_good {
        fs::remove_dir_all(&folder)?;
        return Ok(ExitCode::SUCCESS);
    }
    println!("\nlogs and samples: {}", folder.display());
    Ok(ExitCode::FAILURE)
}

/// What the jobs of one generation have stored.
struct Stored {
    direct: Vec<NodeSamples>,
    pinned: Vec<NodeSamples>,
    other: Vec<NodeSamples>,
    live: Live,
}

/// Seconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// The night itself.
fn spend(
    crossfade: &Path,
    folder: &Path,
    pages: Pages,
    dictionaries: &[String],
    plan: &Arc<Plan>,
) -> Result<Vec<Stored>, Box<dyn Error>> {
    let kong = Arc::new(Kong::new(pages, Arc::clone(plan)));
    let port = kong.serve()?;
    let start = |name: &str| Replica::start(crossfade, folder.join(name), port);
    let mut replicas = [start("replica-0")?, start("replica-1")?];
    let config = scrape_config(&replicas, port);
    let prometheus = Prometheus::start(&folder.join("live"), &config, &[])?;
    prometheus.wait_for_targets(3 * GENERATIONS.len() * NODES)?;
    kong.begin();
    let began = now();
    for event in &plan.events {
        kong.wait_for(event.tick);
        replicas[event.replica].act(event.action)?;
        let done = plan::clock(kong.tick());
        eprintln!("{done}: replica {}: {:?}", event.replica, event.action);
    }
    kong.wait_for(plan.end());
    let mut all = Vec::new();
    let range = (began, now());
    for (dashboards, name, _) in GENERATIONS {
        let job = |job: &str| format!("{name}-{job}");
        let read = |of: &str| samples::read(&prometheus, &job(of), plan.end());
        let jobs = (job("direct"), job("pinned"));
        let jobs = (jobs.0.as_str(), jobs.1.as_str());
        all.push(Stored {
            direct: read("direct")?,
            pinned: read("pinned")?,
            other: read("other")?,
            live: Live::of(&prometheus, dashboards, jobs, range, dictionaries)?,
        });
    }
    let complaints = prometheus.complaints();
    if complaints.is_empty() {
        return Ok(all);
    }
    Err(format!("Prometheus complains:\n{}", complaints.join("\n")).into())
}

/// Three jobs for each generation, which have the same instances.
fn scrape_config(replicas: &[Replica; 2], kong: u16) -> String {
    let mut config =
        "global: { scrape_interval: 1s, scrape_timeout: 1s }\nscrape_configs:\n".to_owned();
    let mut line = |text: String| {
        writeln!(config, "{text}").expect("a String takes whatever is written to it");
    };
    for (_, generation, version) in GENERATIONS {
        for job in ["direct", "pinned", "other"] {
            line(format!("- job_name: {generation}-{job}\n  static_configs:"));
            for node in 0..NODES {
                let replica = |number: usize| replicas[number % 2].data().to_string();
                let through = format!("/targets/{generation}-{node}/metrics");
                let (address, path) = match job {
                    "pinned" => (replica(node), through),
                    "other" => (replica(node + 1), through),
                    _ => (format!("127.0.0.1:{kong}"), Shape::Always(version).path(node)),
                };
                line(format!(
                    "  - {{ targets: ['{address}'], labels: {{ instance: '{}', \
                     __metrics_path__: '{path}' }} }}",
                    instance(node)
                ));
            }
        }
    }
    config
}

/// Compares what the jobs have stored. Returns whether all is as it should be.
fn judge(
    folder: &Path,
    plan: &Plan,
    dictionaries: &[String],
    mut stored: Vec<Stored>,
) -> Result<bool, Box<dyn Error>> {
    let mut is_good = true;
    for ((_, name, _), stored) in GENERATIONS.iter().zip(&stored) {
        is_good &= show_scrapes(name, plan, stored);
    }
    let start = now() / BLOCK * BLOCK - BLOCK;
    let file = folder.join("samples.txt");
    let first = write(&file, start, &mut stored)?;
    let changes = stored.iter().map(|it| it.pinned.iter().map(NodeSamples::changes).collect());
    let changes: Vec<Vec<_>> = changes.collect();
    drop(stored);
    let data = folder.join("aligned").join("data");
    let made = Command::new("promtool")
        .args(["tsdb", "create-blocks-from", "openmetrics"])
        .args([&file, &data])
        .output()?;
    if !made.status.success() {
        return Err(made.stderr.escape_ascii().to_string().into());
    }
    fs::remove_file(&file)?;
    // A sample is of its tick alone, as a series that a scrape does not have is stale at once.
    let lookback = format!("--query.lookback-delta={}ms", TICK.as_millis() - 1);
    let prometheus = Prometheus::start(&folder.join("aligned"), "global: {}\n", &[&lookback])?;
    println!("\n{}", Report::HEAD);
    let mut details = String::new();
    for ((dashboards, name, _), changes) in GENERATIONS.iter().zip(&changes) {
        let night = Night { prometheus: &prometheus, plan, start, first, dictionaries, changes };
        let jobs = (format!("{name}-direct"), format!("{name}-pinned"));
        let report = Report::of(night, *dashboards, (&jobs.0, &jobs.1))?;
        print!("{report}");
        is_good &= report.is_good();
        details += &report.details();
    }
    println!("\n{details}");
    Ok(is_good)
}

/// Shows what was scraped, and whether both replicas gave the same. Returns whether they did.
fn show_scrapes(name: &str, plan: &Plan, stored: &Stored) -> bool {
    let mut is_good = true;
    let mut complain = |text: &str| {
        is_good = false;
        println!("{name}: {text}");
    };
    for (job, nodes) in
        [("direct", &stored.direct), ("pinned", &stored.pinned), ("other", &stored.other)]
    {
        let (good, failed) =
            nodes.iter().fold((0, 0), |sum, it| (sum.0 + it.scrapes.0, sum.1 + it.scrapes.1));
        let missed = nodes.iter().enumerate().map(|(node, it)| {
            (0..plan.end())
                .filter(|tick| plan.pod(node, *tick).is_some() != it.ticks.contains(tick))
                .count()
        });
        let missed: usize = missed.sum();
        println!("{name}-{job}: {good} scrapes, {failed} failed; {missed} ticks missed");
        if missed as u64 * 100 > plan.end() * NODES as u64 {
            complain("more than one tick in a hundred was not scraped");
        }
        for text in nodes.iter().flat_map(|it| &it.contradictions).take(5) {
            complain(text);
        }
    }
    let (mut compared, mut different) = (0, Vec::new());
    for (pinned, other) in stored.pinned.iter().zip(&stored.other) {
        let (of_node, differences) = pinned.differences(other);
        compared += of_node;
        different.extend(differences);
    }
    println!("{name}: {compared} samples of both replicas, {} differ", different.len());
    println!("{name}, as it was scraped: {}", stored.live);
    for text in different.iter().chain(&stored.live.lonely).take(5) {
        complain(text);
    }
    is_good
}

/// Writes the samples of the ticks that both jobs have, and returns the first tick of all.
fn write(file: &Path, start: u64, stored: &mut [Stored]) -> io::Result<u64> {
    let mut out = BufWriter::new(File::create(file)?);
    let (mut first, mut samples) = (0, 0);
    for ((_, name, _), stored) in GENERATIONS.iter().zip(stored) {
        for node in 0..NODES {
            let (direct, pinned) = (&mut stored.direct[node], &mut stored.pinned[node]);
            let both: BTreeSet<u64> = direct.ticks.intersection(&pinned.ticks).copied().collect();
            let of_node = both.first().copied();
            first = first.max(of_node.ok_or_else(|| io::Error::other("a node has no samples"))?);
            for (job, nodes) in [("direct", direct), ("pinned", pinned)] {
                nodes.keep(&both);
                samples += nodes.write(&format!("{name}-{job}"), node, start, &mut out)?;
            }
        }
    }
    writeln!(out, "# EOF")?;
    out.flush()?;
    println!("\n{samples} samples");
    Ok(first)
}
