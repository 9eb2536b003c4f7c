//! How `StatsD` lines are rewritten.

use std::fmt::{self, Write as _};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::bail;

use super::arguments::Arguments;
use super::rules::write_rule;
use crate::cli::check::Format;
use crate::cli::diagnostic::{BOLD, GREEN, RED};
use crate::mapping::{self, Pack};
use crate::rewrite::statsd::{self, ExplainedLine, LineOutcome, Sender};
use crate::tools::{Indent, WIDTH, wrap};

/// Explains lines. `name`: that of the input, if they are not arguments.
pub(super) fn run(
    arguments: &Arguments,
    packs: &[Pack],
    name: Option<&str>,
    text: &[u8],
) -> anyhow::Result<ExitCode> {
    let settings = arguments.of_lines.settings(arguments.emit.emit);
    let plan = mapping::compile_statsd(packs, &settings)?;
    let mut rewriter = statsd::Rewriter::new(Arc::new(plan));
    let lines = rewriter.explain(text, &mut Sender::default());
    match arguments.format {
        Format::Json => anstream::println!("{}", serde_json::to_string_pretty(&lines)?),
        Format::Text => {
            let mut output = String::new();
            write_lines(&lines, &mut output)?;
            anstream::print!("{output}");
        }
    }
    if let Some(name) = name
        && lines.iter().all(|line| matches!(line.outcome, LineOutcome::Unreadable))
    {
        bail!("{name}: no line is a StatsD line; without --statsd, `explain` reads expositions");
    }
    Ok(ExitCode::SUCCESS)
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
