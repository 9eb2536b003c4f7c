//! Tables for people, in Markdown.

use std::path::Path;
use std::process::Command;

/// Median and range of some measurements.
pub(crate) struct Spread {
    /// The median.
    pub(crate) median: f64,
    low: f64,
    high: f64,
}

impl Spread {
    /// Of at least one measurement.
    pub(crate) fn of(values: &[f64]) -> Self {
        let mut values = values.to_vec();
        values.sort_by(f64::total_cmp);
        let (low, high) = (values[0], values[values.len() - 1]);
        Spread { median: values[values.len() / 2], low, high }
    }

    /// Median, range, and how often `floor` goes into the median.
    pub(crate) fn cells(&self, floor: f64) -> [String; 3] {
        let Spread { median, low, high } = self;
        [format!("{median:.2}"), format!("{low:.2}–{high:.2}"), format!("{:.2}", median / floor)]
    }
}

/// What was measured, and where.
pub(crate) fn heading(binary: &Path) {
    let line = |program: &str, args: &[&str]| {
        let output = Command::new(program).args(args).output().ok();
        let text = output.and_then(|output| String::from_utf8(output.stdout).ok());
        text.and_then(|text| text.lines().next().map(str::to_owned)).unwrap_or_default()
    };
    let changed =
        if line("git", &["status", "--porcelain"]).is_empty() { "" } else { " and changes" };
    println!("commit {}{changed}", line("git", &["rev-parse", "--short", "HEAD"]));
    println!("binary {}", binary.display());
    let model = line("sh", &["-c", "sed -n 's/^model name.*: //p' /proc/cpuinfo"]);
    let load = line("cut", &["-d ", "-f1", "/proc/loadavg"]);
    println!("{} × {model}, load {load} before the start", line("nproc", &[]));
}

/// A Markdown table that appears row by row.
pub(crate) struct Table<const COLUMNS: usize> {
    widths: [usize; COLUMNS],
}

impl<const COLUMNS: usize> Table<COLUMNS> {
    /// Prints what it is about and its head. The first column holds names, the others figures.
    pub(crate) fn new(title: &str, columns: [&str; COLUMNS]) -> Self {
        println!("\n{title}\n");
        let mut widths = columns.map(|column| column.chars().count().max(9));
        widths[0] = 28;
        let table = Table { widths };
        table.row(&columns.map(str::to_owned));
        let figures = widths[1..].iter().map(|width| format!("-{:->width$}:|", ""));
        println!("|{:-<width$}|{}", "-", figures.collect::<String>(), width = widths[0] + 2);
        table
    }

    /// Prints one row.
    pub(crate) fn row(&self, cells: &[String; COLUMNS]) {
        let [name, figures @ ..] = cells.as_slice() else {
            return;
        };
        let width = self.widths[0];
        let figures = figures.iter().zip(&self.widths[1..]);
        let figures = figures.map(|(figure, width)| format!(" {figure:>width$} |"));
        println!("| {name:<width$} |{}", figures.collect::<String>());
    }
}

/// A size in MB.
pub(crate) fn megabytes(kb: u64) -> String {
    format!("{:.1}", kb as f64 * 1024.0 / 1e6)
}
