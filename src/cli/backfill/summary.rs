//! What is shown while a backfill runs, and at its end.

use std::fmt::Write as _;
use std::time::Duration;

use super::arguments::{Arguments, OutputFormat};
use crate::cli::rewrite::write_reason;
use crate::document::plural;
use crate::tools::backfill::{Ignored, Totals};

/// The line that is shown while windows are written: how much of the range is done.
///
/// `before`: samples that earlier runs have read.
pub(super) fn progress(
    totals: &Totals,
    before: u64,
    (done, all): (i64, i64),
    elapsed: Duration,
) -> String {
    let percent = done * 100 / all.max(1);
    let left = match u32::try_from(percent) {
        Ok(percent @ 1..) => {
            let left = elapsed * (100 - percent.min(100)) / percent;
            format!(", {} left", humantime::format_duration(Duration::from_secs(left.as_secs())))
        }
        _ => String::new(),
    };
    let per_second = u128::from(totals.samples_in - before) * 1_000 / elapsed.as_millis().max(1);
    format!("{percent} %: {} samples written, {per_second} read/s{left}", totals.samples_out)
}

/// What was read and written, and what to do next.
pub(super) fn summary(
    arguments: &Arguments,
    totals: &Totals,
    ignored: &Ignored,
    files: u64,
) -> String {
    let mut text = String::new();
    write(&mut text, arguments, totals, ignored, files).expect("a String takes everything");
    text
}

fn write(
    to: &mut String,
    arguments: &Arguments,
    totals: &Totals,
    ignored: &Ignored,
    files: u64,
) -> std::fmt::Result {
    let verb = if arguments.dry_run { "would write" } else { "wrote" };
    let counted = |count: u64, noun: &str| format!("{count} {}", plural(count, noun));
    writeln!(
        to,
        "read {} in {}; {verb} {} of {} series",
        counted(totals.samples_in, "sample"),
        counted(totals.scrapes, "scrape"),
        counted(totals.samples_out, "sample"),
        totals.series_out,
    )?;
    for (count, what) in [
        (totals.stored, "samples of the output: stored already"),
        (ignored.other_families, "samples of the input: of families that no pack names"),
        (
            ignored.not_numbers,
            "samples of the input: not a number, as at the end of a series in a dump",
        ),
        (ignored.native_histograms, "native histograms: not read"),
    ] {
        if count > 0 {
            writeln!(to, "{count:>10} {what}")?;
        }
    }
    for (reason, count) in &totals.dropped {
        write_reason(*count, &plural(*count, "sample"), reason, reason.meaning(), to)?;
    }
    for (reason, count) in &totals.unrewritten {
        write_reason(*count, "series", reason, reason.meaning(), to)?;
    }
    if ignored.has_no_end {
        writeln!(to, "warning: the input does not end with # EOF: it may have been cut")?;
    }
    if totals.samples_out == 0 && totals.samples_in > 0 {
        writeln!(to, "nothing to write: all samples are stored, or are of the written generation")?;
    }
    if let Some(output) = arguments.output.as_ref().filter(|_| files > 0) {
        let output = output.display();
        match arguments.format {
            OutputFormat::Openmetrics => writeln!(
                to,
                "{}; next:\n  for file in {output}/*.om; do\n    promtool tsdb create-blocks-from \
                 openmetrics \"$file\" {output}/blocks\n  done\n  mv {output}/blocks/* \
                 DATA/    # the data folder of Prometheus",
                counted(files, "file")
            )?,
            OutputFormat::Victoriametrics => writeln!(
                to,
                "{}; next:\n  for file in {output}/*.jsonl; do\n    curl --fail -T \"$file\" \
                 http://localhost:8428/api/v1/import\n  done",
                counted(files, "file")
            )?,
        }
    }
    Ok(())
}
