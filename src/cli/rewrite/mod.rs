//! `crossfade rewrite`: the engine as a filter.

use std::io::{self, Read, Write};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::{Arg, Args};

use super::flags::{EmitFlag, Lines, Rewriting};
mod statsd;

use super::report;
use crate::mapping;
use crate::packs;
use crate::rewrite::exposition::{History, Limits, Options, Progress, Report, Rewriter};

#[derive(Debug, Args)]
#[command(mut_args(lines_alone))]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) emit: EmitFlag,

    #[arg(
        long,
        conflicts_with_all = ["buckets", "fill", "malformed"],
        help = "Rewrite StatsD lines, of one sender, instead of an exposition"
    )]
    statsd: bool,

    #[command(flatten)]
    pub(super) lines: Lines,

    #[command(flatten)]
    pub(super) rewriting: Rewriting,

    /// Say on stderr what became of what.
    #[arg(long)]
    pub(super) report: bool,
}

/// Flags that `serve` has too, and that say nothing about an exposition.
fn lines_alone(flag: Arg) -> Arg {
    let for_lines = flag.get_long().is_some_and(|long| long.starts_with("statsd."));
    if for_lines { flag.requires("statsd") } else { flag }
}

pub(super) const READ_BYTES: usize = 128 * 1024;

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    if arguments.statsd {
        return statsd::run(arguments);
    }
    let Arguments { emit, rewriting, .. } = arguments;
    let packs = packs::load(&rewriting.packs)?;
    let settings = mapping::Settings {
        emit: emit.emit,
        buckets: rewriting.buckets.unwrap_or_default(),
        fill: rewriting
            .fill
            .iter()
            .map(|(label, value)| (label.0.clone(), value.clone()))
            .collect(),
    };
    let plan = Arc::new(mapping::compile(&packs, &settings)?);
    let malformed = rewriting.malformed.unwrap_or_default();
    // Who hands us a file knows how long it is, and its length costs no memory.
    let limits = Limits { body_bytes: u64::MAX, ..Limits::default() };
    let options = Options { malformed, limits, ..Options::default() };
    let rewriter = Rewriter::new(plan, options, History::default());

    let done = rewrite(rewriter, &mut io::stdin().lock(), &mut io::stdout().lock());
    let done = match done {
        // Whoever reads has seen enough: `crossfade rewrite | head`.
        Err(Error::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
        done => done?,
    };
    if arguments.report {
        io::stderr()
            .write_all(report::table(&done).as_bytes())
            .context("cannot write the report")?;
    }
    // Something that is no exposition at all must not look like one that was rewritten.
    if done.bytes_in > 0 && done.samples_in == 0 {
        bail!(
            "the input has no sample, so it is no exposition; is it what the metrics endpoint answered?"
        );
    }
    Ok(())
}

#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("cannot read: {0}")]
    Read(#[source] io::Error),
    #[error("cannot write: {0}")]
    Write(#[source] io::Error),
    #[error(transparent)]
    Rewrite(#[from] crate::rewrite::exposition::Error),
}

/// Drives the engine from one end to the other. What it writes is on its way before more is read.
fn rewrite(
    mut rewriter: Rewriter,
    input: &mut impl Read,
    output: &mut impl Write,
) -> Result<Report, Error> {
    let mut chunk = vec![0; READ_BYTES];
    let mut out = Vec::with_capacity(READ_BYTES);
    loop {
        let read = match input.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Error::Read(error)),
        };
        rewriter.push(&chunk[..read], &mut out)?;
        write(&mut out, output)?;
    }
    while rewriter.finish(&mut out)? == Progress::More {
        write(&mut out, output)?;
    }
    write(&mut out, output)?;
    output.flush().map_err(Error::Write)?;
    Ok(rewriter.report().clone())
}

pub(super) fn write(out: &mut Vec<u8>, output: &mut impl Write) -> Result<(), Error> {
    output.write_all(out).map_err(Error::Write)?;
    out.clear();
    Ok(())
}
