//! The explanation of a gathered series as text.

use std::fmt::{self, Write as _};

use super::rules::write_rule;
use crate::cli::diagnostic::{BOLD, RED};
use crate::rewrite::exposition::{ExplainedSeries, Joined};
use crate::tools::{Indent, WIDTH, estimate_text, wrap};

/// Whether a series that is written has estimated counts.
pub(super) fn is_estimated(series: &ExplainedSeries) -> bool {
    !series.estimated.is_empty() && series.absent.is_none()
}

/// Writes a series. `errors`: also writes how wrong each estimate can be.
pub(super) fn write_series(series: &ExplainedSeries, errors: bool, to: &mut String) -> fmt::Result {
    let from = numbers(&series.from);
    match (series.text.as_slice(), series.joined) {
        ([], _) => writeln!(to, "{BOLD}{}{{{}}}{BOLD:#}", series.family, series.labels)?,
        (lines, Joined::Buckets) => {
            write_histogram(series, lines, to)?;
            for text in series.estimated.iter().filter(|_| errors).filter_map(estimate_text) {
                let indent = Indent { first: "      ~ ", next: "        " };
                wrap(&text, WIDTH, indent, to)?;
            }
        }
        (lines, _) => lines.iter().try_for_each(|line| writeln!(to, "{BOLD}{line}{BOLD:#}"))?,
    }
    let how = match (series.joined, series.from.len()) {
        (Joined::Buckets, _) => format!("buckets, sum and count of {from}"),
        (Joined::Difference, _) => difference(series, &from),
        (_, 1) => format!("from {from}"),
        (joined, _) => format!("{} of {from}", joined.as_str()),
    };
    wrap(&how, WIDTH, Indent { first: "    ", next: "      " }, to)?;
    write_rule(&series.source, &series.title, "", to)?;
    if let Some(family) = &series.diverted_by {
        writeln!(to, "    because `{family}` has the same label set")?;
    }
    let Some(absent) = series.absent else { return Ok(()) };
    let (reason, meaning) = (absent.as_str(), absent.meaning());
    writeln!(to, "    {RED}not written{RED:#}: {reason}, {meaning}")
}

fn difference(series: &ExplainedSeries, from: &str) -> String {
    let total = series.total.as_deref().unwrap_or("none");
    match &series.parts {
        Some(parts) => {
            let less = numbers(&series.less);
            format!(
                "{total} of {from} minus {parts} of {less}; never decreases between two scrapes"
            )
        }
        None => format!("{total} of {from}, with nothing to subtract"),
    }
}

/// A histogram without its names. `~` marks estimates.
fn write_histogram(series: &ExplainedSeries, lines: &[String], to: &mut String) -> fmt::Result {
    let labels = &series.labels;
    let braces = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
    writeln!(to, "{BOLD}{}{braces}{BOLD:#}", series.family)?;
    let mut samples = String::new();
    for line in lines {
        let (start, value) = line.rsplit_once(' ').unwrap_or((line, ""));
        let bound = start.rsplit_once("le=\"").map(|(_, bound)| bound.trim_end_matches("\"}"));
        match bound.filter(|_| start.starts_with(&format!("{}_bucket", series.family))) {
            Some(bound) => {
                let mark = if series.estimated.iter().any(|it| it.le == bound) { "~" } else { "" };
                write!(samples, " {bound}:{mark}{value}")?;
            }
            None if start.starts_with(&format!("{}_sum", series.family)) => {
                write!(samples, " sum:{value}")?;
            }
            None => write!(samples, " count:{value}")?,
        }
    }
    wrap(&samples, WIDTH, Indent::all("    "), to)
}

/// `line 3`, `lines 3-9 and 12`.
fn numbers(lines: &[u64]) -> String {
    let mut runs: Vec<(u64, u64)> = Vec::new();
    for &line in lines {
        match runs.last_mut() {
            Some((_, end)) if line <= *end + 1 => *end = line,
            _ => runs.push((line, line)),
        }
    }
    let run = |&(start, end): &(u64, u64)| {
        if start == end { start.to_string() } else { format!("{start}-{end}") }
    };
    let texts: Vec<String> = runs.iter().map(run).collect();
    match texts.split_last() {
        None => "no line".to_owned(),
        Some((only, [])) => {
            let plural = if lines.len() == 1 { "" } else { "s" };
            format!("line{plural} {only}")
        }
        Some((last, rest)) => format!("lines {} and {last}", rest.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_numbers_are_written_as_ranges() {
        for (lines, expected) in [
            (&[][..], "no line"),
            (&[3], "line 3"),
            (&[3, 4, 5], "lines 3-5"),
            (&[3, 3], "lines 3"),
            (&[1, 3, 4, 9], "lines 1, 3-4 and 9"),
        ] {
            assert_eq!(numbers(lines), expected);
        }
    }
}
