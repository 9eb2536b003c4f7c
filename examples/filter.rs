//! Rewrites an exposition from stdin to stdout with a pack from a file. Prints a report to stderr.
//!
//! ```text
//! curl -s http://node:9100/metrics | cargo run --example filter -- examples/pack.yaml new
//! ```
//!
//! This is all that a program needs to use the engine: read a pack, compile it for the generation
//! to emit, and push bytes through a `Rewriter`. The engine does no I/O itself.

use std::io;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use crossfade::mapping::{self, Emit, Pack, Settings};
use crossfade::rewrite::exposition::{History, Options, Progress, Report, Rewriter};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, emit] = &arguments[..] else { bail!("usage: filter PACK old|new|both") };
    let emit = match emit.as_str() {
        "old" => Emit::Old,
        "new" => Emit::New,
        "both" => Emit::Both,
        other => bail!("cannot emit {other}: use old, new or both"),
    };

    // An error lists everything that is wrong with the pack, with line and column.
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {file}"))?;
    let pack = Pack::parse(file, &text)?;
    let plan = mapping::compile(&[pack], &Settings::new(emit))?;

    // A plan can be shared by many rewriters. Each rewriter handles one exposition; the history
    // carries the state of one target from one exposition to the next.
    let rewriter = Rewriter::new(Arc::new(plan), Options::default(), History::default());
    let report = rewrite(rewriter, &mut io::stdin().lock(), &mut io::stdout().lock())?;
    print(&report);
    Ok(())
}

/// Chunks may be cut anywhere. Output is written as soon as it is available, so memory use does not
/// grow with the input, except for families that must be aggregated.
fn rewrite(
    mut rewriter: Rewriter,
    input: &mut impl io::Read,
    output: &mut impl io::Write,
) -> anyhow::Result<Report> {
    let mut chunk = vec![0; 64 * 1024];
    let mut out = Vec::new();
    loop {
        let length = input.read(&mut chunk).context("cannot read stdin")?;
        if length == 0 {
            break;
        }
        rewriter.push(&chunk[..length], &mut out)?;
        output.write_all(&out).context("cannot write to stdout")?;
        out.clear();
    }
    // Aggregated families are written after the last line, in several pieces.
    while rewriter.finish(&mut out)? == Progress::More {
        output.write_all(&out).context("cannot write to stdout")?;
        out.clear();
    }
    output.write_all(&out).context("cannot write to stdout")?;
    Ok(rewriter.report().clone())
}

fn print(report: &Report) {
    eprintln!("{} samples read, {} written", report.samples_in, report.samples_out);
    eprintln!("{} samples that no rule matched", report.passed);
    for rule in &report.rewritten {
        eprintln!("{} samples of {} rewritten to {}", rule.samples_in, rule.from, rule.to);
    }
    for (reason, lines) in &report.dropped {
        eprintln!("{lines} lines dropped: {reason}");
    }
    for missing in &report.missing {
        let hint = missing.hint.as_deref().unwrap_or("the pack gives no reason");
        eprintln!("missing: {}: {hint}", missing.input);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_rewritten() {
        let text = include_str!("pack.yaml");
        let pack = Pack::parse("pack.yaml", text).expect("the pack is valid");
        let plan = mapping::compile(&[pack], &Settings::new(Emit::New)).expect("it compiles");
        let rewriter = Rewriter::new(Arc::new(plan), Options::default(), History::default());
        let mut output = Vec::new();
        let input = "# TYPE node_forks counter\nnode_forks 7\nnode_load1 0.42\n";
        let report = rewrite(rewriter, &mut input.as_bytes(), &mut output).expect("it is read");
        assert_eq!(
            String::from_utf8(output).expect("UTF-8"),
            "# TYPE node_forks_total counter\nnode_forks_total 7\nnode_load1 0.42\n"
        );
        assert_eq!((report.samples_in, report.passed), (2, 1));
    }
}
