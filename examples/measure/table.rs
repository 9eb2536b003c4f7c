//! Tables for people, in Markdown.

use std::path::Path;
use std::process::Command;

/// Median and range of some measurements.
pub(crate) struct Spread {
    pub(crate) median: f64,
    low: f64,
    high: f64,
}

impl Spread {
    /// Of at least one measurement.
    pub(crate) fn of(values: &[f64]) -> Self {
        let mut values = values.to_vec();
        values.sort_by(f64::total_cmp);
        Spread {
            median: values[values.len() / 2],
            low: values[0],
            high: values[values.len() - 1],
        }
    }
}

/// One line of a table.
pub(crate) struct Row<'a> {
    pub(crate) name: &'a str,
    pub(crate) spread: Spread,
    /// The median that ratios refer to.
    pub(crate) floor: f64,
    /// Peak, and how much of it is above the idle process.
    pub(crate) peak_kb: Option<(u64, u64)>,
}

/// What was measured, and where.
pub(crate) fn heading(binary: &Path) {
    let line = |program: &str, args: &[&str]| {
        let output = Command::new(program).args(args).output().ok();
        let text = output.and_then(|output| String::from_utf8(output.stdout).ok());
        text.and_then(|text| text.lines().next().map(str::to_owned))
            .unwrap_or_default()
    };
    let changed = if line("git", &["status", "--porcelain"]).is_empty() {
        ""
    } else {
        " and changes"
    };
    println!(
        "commit {}{changed}",
        line("git", &["rev-parse", "--short", "HEAD"])
    );
    println!("binary {}", binary.display());
    let model = line("sh", &["-c", "sed -n 's/^model name.*: //p' /proc/cpuinfo"]);
    let load = line("cut", &["-d ", "-f1", "/proc/loadavg"]);
    println!(
        "{} × {model}, load {load} before the start",
        line("nproc", &[])
    );
}

pub(crate) fn title(text: &str) {
    println!("\n{text}\n");
}

pub(crate) fn header(columns: &[&str; 6]) {
    println!(
        "| {:<28} | {:>9} | {:>13} | {:>13} | {:>7} | {:>13} |",
        columns[0], columns[1], columns[2], columns[3], columns[4], columns[5]
    );
    println!(
        "|{:-<30}|{:->10}:|{:->14}:|{:->14}:|{:->8}:|{:->14}:|",
        "", "", "", "", "", ""
    );
}

pub(crate) fn row(row: &Row<'_>) {
    let Spread { median, low, high } = row.spread;
    let megabytes = |kb: u64| format!("{:.1}", kb as f64 * 1024.0 / 1e6);
    let (peak, above) = match row.peak_kb {
        Some((peak, 0)) => (megabytes(peak), String::new()),
        Some((peak, above)) => (megabytes(peak), megabytes(above)),
        None => Default::default(),
    };
    println!(
        "| {:<28} | {median:>9.2} | {:>13} | {:>13.2} | {peak:>7} | {above:>13} |",
        row.name,
        format!("{low:.2}–{high:.2}"),
        median / row.floor,
    );
}
