//! `crossfade explain`: how one line, one family or a whole scrape is rewritten, rule by rule.

use std::fmt::{self, Write as _};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::Args;
use serde::Serialize;

use super::check::Format;
use super::diagnostic::{BLUE, BOLD, GREEN, RED};
use super::flags::{EmitFlag, Lines, Rewriting};
use super::http::HttpConfig;
use super::input;
use crate::exposition;
use crate::mapping::{self, Plan};
use crate::packs;
use crate::rewrite;
use crate::rewrite::exposition::{
    DropReason, ExplainedSeries, Explanation, Fate, History, Joined, LabelStep, Line, Reading, Then,
};
use crate::rewrite::statsd::{self, ExplainedLine, LineOutcome, Sender};
use crate::tools::{Indent, WIDTH, estimate_text, rule_title, wrap};

#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  crossfade explain --emit=old --family=kong_http_requests_total http://kong:8100/metrics
  crossfade explain --emit=old --line='kong_http_requests_total{service=\"s\",code=\"200\"} 7'
  crossfade explain --emit=new --statsd --line='kong.s.request.count:1|c'")]
pub(super) struct Arguments {
    /// The input: a file, a URL, or - for stdin. Gzip is unpacked.
    #[arg(value_name = "FILE|URL", default_value = "-", conflicts_with = "lines")]
    input: String,

    /// A line to explain, instead of an input. May be repeated.
    #[arg(long = "line", value_name = "TEXT")]
    lines: Vec<String>,

    /// Explain only the lines and rules of this family, which may be of either generation.
    #[arg(long, value_name = "NAME", conflicts_with = "statsd")]
    family: Option<String>,

    #[arg(long, help = "The input is StatsD lines of one sender, not Prometheus metrics")]
    statsd: bool,

    #[command(flatten)]
    emit: EmitFlag,

    #[command(flatten)]
    rewriting: Rewriting,

    #[command(flatten)]
    http: HttpConfig,

    #[command(flatten)]
    of_lines: Lines,

    /// Output format.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let name = input::name(&arguments.input);
    let is_input = arguments.lines.is_empty();
    let text = if is_input {
        input::read(&arguments.input, &arguments.http)?
    } else {
        (arguments.lines.join("\n") + "\n").into_bytes()
    };
    if text.is_empty() {
        let expected = if arguments.statsd { "StatsD lines" } else { "an exposition" };
        bail!("{name} is empty; expected {expected}");
    }
    let packs = packs::load(&arguments.rewriting.packs)?;
    let emit = arguments.emit.emit;
    if arguments.statsd {
        let plan = mapping::compile_statsd(&packs, &arguments.of_lines.settings(emit))?;
        let mut rewriter = statsd::Rewriter::new(Arc::new(plan));
        let lines = rewriter.explain(&text, &mut Sender::default());
        print(arguments.format, &lines, |to| write_lines(&lines, to))?;
        if is_input && lines.iter().all(|line| matches!(line.outcome, LineOutcome::Unreadable)) {
            bail!(
                "{name}: no line is a StatsD line; without --statsd, `explain` reads expositions"
            );
        }
        return Ok(ExitCode::SUCCESS);
    }
    let plan = Arc::new(mapping::compile(&packs, &arguments.rewriting.conversion.settings(emit))?);
    let format = exposition::Format::of_body(&text);
    let options = rewrite::exposition::Options { format, ..arguments.rewriting.options() };
    let family = arguments.family.as_deref();
    let explanation =
        rewrite::exposition::explain(&plan, options, History::default(), &text, family);
    let explanation = if is_input {
        explanation.with_context(|| name.clone().into_owned())?
    } else {
        explanation?
    };
    if let Some(family) = family {
        let has_rule = |plan: &Plan| {
            plan.stages().any(|plan| {
                plan.families.contains_key(family.as_bytes())
                    || plan.outputs.iter().any(|output| *output.name == *family.as_bytes())
                    || !plan.patterns.concerning(family.as_bytes()).is_empty()
            })
        };
        if explanation.lines.is_empty() && explanation.series.is_empty() && !has_rule(&plan) {
            bail!("--family={family}: no pack has a rule for this family, and {name} lacks it");
        }
        if explanation.lines.is_empty() && explanation.series.is_empty() {
            eprintln!("{}", without_samples(&plan, &name, family));
        }
    }
    print(arguments.format, &explanation, |to| write(&explanation, family.is_some(), to))?;
    if is_input && family.is_none() && !has_samples(&explanation) {
        bail!("{name} has no sample; expected the response of a metrics endpoint");
    }
    Ok(ExitCode::SUCCESS)
}

/// True unless the whole input is lines that Prometheus would refuse.
fn has_samples(explanation: &Explanation) -> bool {
    let is_refused =
        |fate| matches!(fate, Fate::Dropped(DropReason::Malformed(_)) | Fate::Refused(_));
    explanation.lines.iter().any(|line| !is_refused(line.fate))
}

/// What rules would do with a family that the input does not have.
fn without_samples(plan: &Plan, input: &str, family: &str) -> String {
    let mut text = format!("{input} has no sample of `{family}`");
    let name = family.as_bytes();
    let writes = |rule: &mapping::plan::exposition::Rule| {
        let redirects = rule.redirects.iter().map(|redirect| redirect.to);
        redirects.chain([rule.to]).any(|to| *plan.output(to).name == *name)
    };
    let named = plan.rules.iter().filter(|rule| *rule.from == *name || writes(rule));
    let patterns = plan.patterns.concerning(name).into_iter().map(|id| plan.rule(id));
    for rule in named.chain(patterns) {
        write!(text, "\n    rule {} {}", rule.source, rule.title).expect("a String is writable");
    }
    text
}

fn print(
    format: Format,
    value: &impl Serialize,
    text: impl Fn(&mut String) -> fmt::Result,
) -> anyhow::Result<()> {
    match format {
        Format::Json => anstream::println!("{}", serde_json::to_string_pretty(value)?),
        Format::Text => {
            let mut output = String::new();
            text(&mut output)?;
            anstream::print!("{output}");
        }
    }
    Ok(())
}

/// Writes the lines, then the series that are written at the end. `errors`: also writes how wrong each
/// estimate can be.
fn write(explanation: &Explanation, errors: bool, to: &mut String) -> fmt::Result {
    write_stage(&explanation.lines.iter().collect::<Vec<_>>(), &explanation.series, errors, to)?;
    let next = std::iter::successors(explanation.next.as_deref(), |stage| stage.next.as_deref());
    for stage in next.clone() {
        writeln!(to, "\n{BOLD}and then, in the output of these rules{BOLD:#}")?;
        let is_touched = |line: &&Line| line.fate != Fate::Passed || !line.read_by.is_empty();
        let lines: Vec<&Line> = stage.lines.iter().filter(is_touched).collect();
        if lines.is_empty() {
            writeln!(to, "nothing")?;
        }
        write_stage(&lines, &stage.series, errors, to)?;
    }
    if next.chain([explanation]).any(|stage| stage.series.iter().any(is_estimated)) {
        let more = if errors { "" } else { "; `--family` shows how wrong each count can be" };
        let text = format!("~ estimated: the input has no such bucket boundary{more}");
        writeln!(to)?;
        wrap(&text, WIDTH, Indent { first: "", next: "  " }, to)?;
    }
    Ok(())
}

/// Whether a series that is written has estimated counts.
fn is_estimated(series: &ExplainedSeries) -> bool {
    !series.estimated.is_empty() && series.absent.is_none()
}

/// Writes the lines that rules read, then the series that are written at the end.
fn write_stage(
    lines: &[&Line],
    series: &[ExplainedSeries],
    errors: bool,
    to: &mut String,
) -> fmt::Result {
    let mut rest = lines;
    while let Some((first, after)) = rest.split_first() {
        // Many consecutive lines have one explanation: buckets of a histogram, or unknown families.
        let alike = after.iter().take_while(|line| is_alike(first, line)).count();
        write_line(first, after.get(alike.wrapping_sub(1)).copied(), series, to)?;
        rest = &after[alike..];
    }
    if !series.is_empty() {
        writeln!(to, "\n{BOLD}aggregated, and written at the end{BOLD:#}")?;
    }
    series.iter().try_for_each(|series| write_series(series, errors, to))
}

/// Whether the explanation of `first` also applies to `line`.
fn is_alike(first: &Line, line: &Line) -> bool {
    let explained = |line: &Line| {
        let by = line
            .read_by
            .iter()
            .map(|it| (&it.source, &it.labels, series_of(it)))
            .collect::<Vec<_>>();
        format!("{:?} {:?} {by:?}", line.fate, line.not_read_by)
    };
    let at_once = first.read_by.iter().any(|it| matches!(it.then, Then::Line { .. }));
    let named = !first.read_by.is_empty() || !first.not_read_by.is_empty();
    let dropped = matches!(first.fate, Fate::Dropped(_) | Fate::Refused(_));
    !at_once
        && !dropped
        && (!named || first.family == line.family)
        && explained(first) == explained(line)
}

/// Index of the series that a sample is gathered into.
fn series_of(reading: &Reading) -> Option<usize> {
    match reading.then {
        Then::Gathered { series, .. } => series,
        Then::Line { .. } | Then::Nothing { .. } => None,
    }
}

fn write_line(
    line: &Line,
    last: Option<&Line>,
    series: &[ExplainedSeries],
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

fn write_reading(reading: &Reading, series: &[ExplainedSeries], to: &mut String) -> fmt::Result {
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
        let ExplainedSeries { family, labels, .. } = &series[index];
        if labels.is_empty() { family.clone() } else { format!("{family}{{{labels}}}") }
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

/// Where a rule is and what it does.
fn write_rule(source: &str, title: &str, remark: &str, to: &mut String) -> fmt::Result {
    let start = format!("    {source}{remark} ");
    let title = rule_title(title, start.chars().count());
    writeln!(to, "    {BLUE}{source}{BLUE:#}{remark} {title}")
}

fn write_series(series: &ExplainedSeries, errors: bool, to: &mut String) -> fmt::Result {
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

fn write_dropped(reason: statsd::DropReason, to: &mut String) -> fmt::Result {
    writeln!(to, "    {RED}dropped{RED:#}: {}", reason.meaning())
}

fn write_lines(lines: &[ExplainedLine], to: &mut String) -> fmt::Result {
    for line in lines {
        writeln!(to, "{BOLD}{}{BOLD:#}", line.text)?;
        match line.outcome {
            LineOutcome::Passed => writeln!(to, "    {GREEN}passes{GREEN:#}: no rule matches it")?,
            LineOutcome::Unreadable => {
                writeln!(to, "    {GREEN}passes{GREEN:#}: it lacks a name, a value or a type")?;
            }
            LineOutcome::Kept => writeln!(to, "    {GREEN}passes{GREEN:#} unchanged")?,
            LineOutcome::NotNumber => {
                let why = "its value is not a number, so it has no value in another unit";
                writeln!(to, "    {GREEN}passes{GREEN:#} unchanged: {why}")?;
            }
            LineOutcome::Rewritten => {}
            LineOutcome::Skipped => write_dropped(statsd::DropReason::SkippedValue, to)?,
            LineOutcome::Implied => write_dropped(statsd::DropReason::Implied, to)?,
        }
        for by in &line.rules {
            write_rule(&by.source, &by.title, &format!(", reads {} lines", by.reads), to)?;
            if by.ambiguous {
                let either = "such a line can be of either generation; the earlier lines of the \
                              sender decide";
                wrap(either, WIDTH, Indent::all("        "), to)?;
            }
        }
        if matches!(line.outcome, LineOutcome::Rewritten) {
            line.output.iter().try_for_each(|line| writeln!(to, "        -> {line}"))?;
        }
    }
    Ok(())
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
