//! Measures the gateway as a process, compared with nginx before the same origin.
//!
//! ```text
//! cargo build --release && cargo run --release --example measure            # all of it, some minutes
//! cargo run --release --example measure -- --rounds 3 --sizes 30            # a quick look
//! cargo run --release --example measure -- --before /tmp/crossfade --sizes ''  # only 1 MB, and
//!                                                                      # next to an earlier binary
//! ```
//!
//! An nginx serves generated bodies from memory. Before it are, each on its own port, a
//! plain nginx proxy, one that renames twelve families with `sub_filter`, and one `crossfade serve`
//! per case. Rounds are interleaved (A B C A B C), so that a machine that gets slower gets slower
//! for all. Reported are the median, the range, and the ratio to the plain proxy in the same run;
//! absolute figures move between runs, ratios hardly do.
//!
//! Needs `/usr/sbin/nginx`, `/proc` and `/dev/shm`.

#![allow(clippy::cast_precision_loss, reason = "figures for people, far below 2^53")]

#[path = "../../support/body.rs"]
mod body;
mod cases;
mod client;
mod folder;
mod process;
mod table;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cases::{Origin, Shape, Stage};
use folder::Folder;
use table::{Spread, Table, megabytes};

/// What is measured, from the command line.
struct Plan {
    rounds: usize,
    /// Megabytes.
    sizes: Vec<usize>,
    crossfade: PathBuf,
    /// An earlier binary, to compare with.
    before: Option<PathBuf>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let plan = plan(std::env::args().skip(1))?;
    if !plan.crossfade.exists() {
        return Err(
            format!("{}: run `cargo build --release` first", plan.crossfade.display()).into()
        );
    }
    if let Some(before) = plan.before.as_ref().filter(|before| !before.exists()) {
        return Err(format!("{}: there is no such file", before.display()).into());
    }
    let folder = Folder::create(Path::new("/dev/shm"), "measure")?;
    table::heading(&plan.crossfade);
    for &size in &plan.sizes {
        scrape_path(&plan, &folder.0, size)?;
    }
    for &size in &plan.sizes {
        filter(&plan, &folder.0, size)?;
    }
    wall_clock(&plan, &folder.0)
}

fn plan(mut args: impl Iterator<Item = String>) -> Result<Plan, Box<dyn Error>> {
    let mut plan = Plan {
        rounds: 5,
        sizes: vec![30, 200],
        crossfade: Path::new(env!("CARGO_MANIFEST_DIR")).join("target/release/crossfade"),
        before: None,
    };
    while let Some(flag) = args.next() {
        let value = args.next().ok_or_else(|| format!("{flag} needs a value"))?;
        match flag.as_str() {
            "--rounds" => plan.rounds = value.parse()?,
            "--sizes" => {
                plan.sizes = value
                    .split(',')
                    .filter(|it| !it.is_empty())
                    .map(str::parse)
                    .collect::<Result<_, _>>()?;
            }
            "--crossfade" => plan.crossfade = value.into(),
            "--before" => plan.before = Some(value.into()),
            _ => {
                let flags = "--rounds, --sizes, --crossfade and --before";
                return Err(format!("{flag}: there is {flags}").into());
            }
        }
    }
    Ok(plan)
}

impl Plan {
    fn stage<'a>(&'a self, folder: &'a Path, origin: &'a Origin, shape: Shape) -> Stage<'a> {
        let (crossfade, before) = (&*self.crossfade, self.before.as_deref());
        Stage { folder, origin, shape, crossfade, before }
    }
}

/// CPU and memory of the proxies between the client and the origin.
fn scrape_path(plan: &Plan, folder: &Path, size: usize) -> Result<(), Box<dyn Error>> {
    let origin = Origin::start(folder, size * 1_000_000)?;
    for shape in [Shape::Old, Shape::New] {
        let bytes = origin.bytes(shape);
        let cases = plan.stage(folder, &origin, shape).cases()?;
        let scrapes = runs(bytes);
        let idle =
            cases.iter().map(|case| case.process.resident_kb()).collect::<Result<Vec<_>, _>>()?;
        let mut cpu = vec![Vec::new(); cases.len()];
        for _ in 0..plan.rounds {
            for (case, cpu) in cases.iter().zip(&mut cpu) {
                let before = case.process.cpu()?;
                for _ in 0..scrapes {
                    case.scrape()?;
                }
                let spent = case.process.cpu()?.saturating_sub(before);
                cpu.push(spent.as_secs_f64() * 1e9 / (bytes * scrapes) as f64);
            }
        }
        let floor = Spread::of(&cpu[0]).median;
        let table = Table::new(
            &format!("Scrape path, {} MB, {shape}", bytes / 1_000_000),
            ["case", "CPU s/GB", "range", "× nginx plain", "peak MB", "above idle"],
        );
        for ((case, cpu), idle) in cases.iter().zip(&cpu).zip(idle) {
            let peak = case.process.peak_kb()?;
            let [median, range, ratio] = Spread::of(cpu).cells(floor);
            let above = megabytes(peak.saturating_sub(idle));
            table.row(&[case.name.clone(), median, range, ratio, megabytes(peak), above]);
        }
    }
    Ok(())
}

/// CPU and memory of `crossfade rewrite`.
fn filter(plan: &Plan, folder: &Path, size: usize) -> Result<(), Box<dyn Error>> {
    let file = folder.join("filtered.txt");
    for shape in [Shape::Old, Shape::New] {
        fs::write(&file, shape.body(size * 1_000_000))?;
        let bytes = usize::try_from(fs::metadata(&file)?.len())?;
        let runs = runs(bytes);
        let mut commands = vec![("cat", PathBuf::from("cat"), vec![])];
        for (name, emit) in shape.emits() {
            let args = vec!["rewrite".to_owned(), format!("--emit={emit}")];
            commands.push((name, plan.crossfade.clone(), args));
        }
        let mut spent = vec![(Vec::new(), 0); commands.len()];
        for _ in 0..plan.rounds {
            for ((_, program, args), (cpu, peak)) in commands.iter().zip(&mut spent) {
                let mut total = Duration::ZERO;
                for _ in 0..runs {
                    let usage = process::filter(program, args, &file)?;
                    total += usage.cpu;
                    *peak = usage.peak_kb.max(*peak);
                }
                cpu.push(total.as_secs_f64() * 1e9 / (bytes * runs) as f64);
            }
        }
        let floor = Spread::of(&spent[0].0).median;
        let table = Table::new(
            &format!("`crossfade rewrite`, {} MB, {shape}", bytes / 1_000_000),
            ["case", "CPU s/GB", "range", "× cat", "peak MB"],
        );
        for ((name, ..), (cpu, peak)) in commands.iter().zip(&spent) {
            let [median, range, ratio] = Spread::of(cpu).cells(floor);
            table.row(&[(*name).to_owned(), median, range, ratio, megabytes(*peak)]);
        }
    }
    Ok(())
}

/// How often a body is sent per round: often enough that a clock tick of 10 ms does not matter.
fn runs(bytes: usize) -> usize {
    (600_000_000 / bytes).max(2)
}

/// How long a client waits for a scrape of a usual size.
fn wall_clock(plan: &Plan, folder: &Path) -> Result<(), Box<dyn Error>> {
    let origin = Origin::start(folder, 1_000_000)?;
    for shape in [Shape::Old, Shape::New] {
        let cases = plan.stage(folder, &origin, shape).cases()?;
        let mut direct = Vec::new();
        let mut waited = vec![Vec::new(); cases.len()];
        for _ in 0..plan.rounds * 20 {
            direct.push(milliseconds(origin.scrape(shape)?));
            for (case, waited) in cases.iter().zip(&mut waited) {
                waited.push(milliseconds(case.scrape()?));
            }
        }
        let floor = Spread::of(&direct).median;
        let table = Table::new(
            &format!("Wall clock of a 1 MB scrape, {shape}"),
            ["case", "ms", "range", "× direct"],
        );
        let cases = cases.iter().map(|case| &*case.name).zip(&waited);
        for (name, waited) in [("direct", &direct)].into_iter().chain(cases) {
            let [median, range, ratio] = Spread::of(waited).cells(floor);
            table.row(&[name.to_owned(), median, range, ratio]);
        }
    }
    Ok(())
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
