//! The explanation of a line as text.

use std::fmt::{self, Write as _};

use super::rules::write_rule;
use crate::cli::diagnostic::{BOLD, GREEN, RED};
use crate::rewrite::exposition::{Fate, LabelStep, Line, Reading, SeriesName, Then};

/// Whether the explanation of `first` also applies to `line`.
pub(super) fn is_alike(first: &Line, line: &Line) -> bool {
    let at_once = first.read_by.iter().any(|it| matches!(it.then, Then::Line { .. }));
    let named = !first.read_by.is_empty() || !first.not_read_by.is_empty();
    let dropped = matches!(first.fate, Fate::Dropped(_) | Fate::Refused(_));
    !at_once
        && !dropped
        && (!named || first.family == line.family)
        && first.fate == line.fate
        && first.not_read_by == line.not_read_by
        && first.read_by.len() == line.read_by.len()
        && first.read_by.iter().zip(&line.read_by).all(|(first, other)| {
            first.source == other.source
                && first.labels == other.labels
                && series_of(first) == series_of(other)
        })
}

/// Index of the series that a sample is gathered into.
fn series_of(reading: &Reading) -> Option<usize> {
    match reading.then {
        Then::Gathered { series, .. } => series,
        Then::Line { .. } | Then::Nothing { .. } => None,
    }
}

/// Writes a line, and the last of those after it that have the same explanation.
pub(super) fn write_line(
    line: &Line,
    last: Option<&Line>,
    series: &[SeriesName],
    to: &mut String,
) -> fmt::Result {
    let more = last.map_or_else(String::new, |last| format!("-{}", last.number));
    writeln!(to, "{BOLD}{}{more}:{BOLD:#} {}", line.number, line.text)?;
    if let Some(last) = last.filter(|last| last.number > line.number + 1) {
        writeln!(to, "    … {} more like it", last.number - line.number)?;
    }
    match line.fate {
        Fate::Passed
            if line.not_read_by.is_empty() && line.read_by.is_empty() && line.is_output =>
        {
            writeln!(
                to,
                "    {GREEN}passes{GREEN:#}: `{}` is already in the emitted generation",
                line.family
            )?;
        }
        Fate::Passed if line.not_read_by.is_empty() && line.read_by.is_empty() => {
            writeln!(to, "    {GREEN}passes{GREEN:#}: no rule reads `{}`", line.family)?;
        }
        Fate::Passed => writeln!(to, "    {GREEN}passes{GREEN:#} unchanged")?,
        Fate::Kept => writeln!(to, "    {GREEN}passes{GREEN:#} unchanged, and is also rewritten")?,
        Fate::Rewritten => {}
        Fate::Dropped(reason) => {
            writeln!(to, "    {RED}dropped{RED:#}: {reason}, {}", reason.meaning())?;
        }
        Fate::Refused(reason) => {
            writeln!(to, "    {RED}forwarded{RED:#}: {reason}, {}", reason.meaning())?;
        }
    }
    for title in &line.not_read_by {
        writeln!(to, "    not read by {title}")?;
    }
    line.read_by.iter().try_for_each(|reading| write_reading(reading, series, to))
}

fn write_reading(reading: &Reading, series: &[SeriesName], to: &mut String) -> fmt::Result {
    write_rule(&reading.source, &reading.title, "", to)?;
    for step in &reading.labels {
        match step {
            LabelStep::Dropped { label } => writeln!(to, "        drops `{label}`")?,
            LabelStep::Renamed { label, to: name } => {
                writeln!(to, "        renames `{label}` to `{name}`")?;
            }
            LabelStep::Rewritten { label, to: name } => {
                writeln!(to, "        rewrites the value of `{label}` as `{name}`")?;
            }
            LabelStep::Added { label, value } => writeln!(to, "        adds {label}={value:?}")?,
            LabelStep::Filled { label, value } => {
                writeln!(to, "        adds {label}={value:?} (`fill`)")?;
            }
        }
    }
    let named = |index: usize| {
        let SeriesName { family, labels } = &series[index];
        if labels.is_empty() { family.to_string() } else { format!("{family}{{{labels}}}") }
    };
    match &reading.then {
        Then::Line { text } => writeln!(to, "        -> {text}"),
        Then::Gathered { series, part_of } => {
            match series {
                Some(index) => writeln!(to, "        aggregated into {}", named(*index))?,
                None => writeln!(to, "        aggregated, and nothing is left to write")?,
            }
            if let Some(index) = part_of {
                writeln!(to, "        and subtracted from {}", named(*index))?;
            }
            Ok(())
        }
        Then::Nothing { reason } => {
            writeln!(to, "        {RED}not applied{RED:#}: {reason}, {}", reason.meaning())
        }
    }
}
