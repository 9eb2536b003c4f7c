//! The `StatsD` engine as a filter, and its report as a table.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use anyhow::bail;

use super::exposition::{TITLE_COLUMN, write_reason};
use super::filter::{Engine, Remaining};
use crate::document::plural;
use crate::mapping::{Pack, StatsdPlan, StatsdSettings, compile_statsd};
use crate::rewrite::statsd::{Outcome, Report, Rewriter, Sender};
use crate::statsd::{Framer, MAX_DATAGRAM_BYTES};
use crate::tools::rule_title;

/// All lines are from one sender, like those of one TCP connection.
pub(super) struct StatsdEngine {
    plan: Arc<StatsdPlan>,
    framer: Framer,
    lines: LineEngine,
    /// Set at the end of the input.
    report: Report,
}

/// The part that the framer calls for whole lines.
struct LineEngine {
    rewriter: Rewriter,
    sender: Sender,
    rewritten: Vec<u8>,
}

impl LineEngine {
    fn rewrite(&mut self, lines: &[u8], output: &mut Vec<u8>) {
        self.rewritten.clear();
        match self.rewriter.rewrite(lines, &mut self.sender, &mut self.rewritten) {
            Outcome::Untouched => output.extend_from_slice(lines),
            Outcome::Rewritten => output.extend_from_slice(&self.rewritten),
        }
    }
}

impl StatsdEngine {
    /// # Errors
    ///
    /// The packs cannot be compiled with these settings.
    pub(super) fn new(packs: &[Pack], settings: &StatsdSettings) -> anyhow::Result<Self> {
        let plan = Arc::new(compile_statsd(packs, settings)?);
        let lines = LineEngine {
            rewriter: Rewriter::new(Arc::clone(&plan)),
            sender: Sender::default(),
            rewritten: Vec::new(),
        };
        let framer = Framer::new(MAX_DATAGRAM_BYTES);
        Ok(StatsdEngine { plan, framer, lines, report: Report::default() })
    }
}

impl Engine for StatsdEngine {
    fn push(&mut self, input: &[u8], output: &mut Vec<u8>) -> anyhow::Result<()> {
        self.framer.feed(input, |lines| self.lines.rewrite(lines, output));
        Ok(())
    }

    fn finish(&mut self, output: &mut Vec<u8>) -> anyhow::Result<Remaining> {
        self.framer.finish(|line| self.lines.rewrite(line, output));
        self.report = self.lines.rewriter.take_report();
        Ok(Remaining::Nothing)
    }

    fn summary(&self) -> String {
        table(&self.plan, &self.report)
    }

    fn check(&self) -> anyhow::Result<()> {
        let oversized = self.framer.oversized();
        if oversized > 0 {
            bail!(
                "dropped {oversized} {} longer than {MAX_DATAGRAM_BYTES} bytes, the maximum of a datagram",
                plural(oversized, "line")
            );
        }
        if self.report.lines_in > 0 && self.report.unreadable == self.report.lines_in {
            bail!("no line is a StatsD line; without --statsd, `rewrite` reads expositions");
        }
        Ok(())
    }
}

/// One line for each rule that read any line, then a section for everything else.
fn table(plan: &StatsdPlan, report: &Report) -> String {
    let mut text = String::new();
    tabulate(plan, report, &mut text).expect("writing to a String cannot fail");
    text
}

fn tabulate(plan: &StatsdPlan, report: &Report, to: &mut String) -> fmt::Result {
    let [read, wrote] = [report.lines_in, report.lines_out]
        .map(|lines| format!("{lines} {}", plural(lines, "line")));
    writeln!(to, "read {read}, wrote {wrote}")?;
    writeln!(to, "\n{:>10} {:>10}  rule", "read", "written")?;
    for (rule, count) in plan.rules.iter().zip(&report.rules) {
        if count.read > 0 {
            let title = rule_title(&rule.title, TITLE_COLUMN);
            writeln!(to, "{:>10} {:>10}  {title}", count.read, count.written)?;
        }
    }
    writeln!(to, "{0:>10} {0:>10}  no rule: forwarded unchanged", report.untouched)?;
    let written: u64 = report.rules.iter().map(|count| count.written).sum();
    let kept = report.lines_out - report.untouched - written - report.not_numbers;
    if kept > 0 {
        writeln!(to, "{:>10} {kept:>10}  forwarded unchanged and also rewritten", "")?;
    }
    if report.dropped().iter().any(|(_, lines)| *lines > 0) {
        writeln!(to, "\ndropped")?;
    }
    for (reason, lines) in report.dropped() {
        if lines > 0 {
            write_reason(lines, &plural(lines, "line"), reason.as_str(), reason.meaning(), to)?;
        }
    }
    if report.not_numbers > 0 {
        let lines = report.not_numbers;
        let (noun, were) = (plural(lines, "line"), if lines == 1 { "was" } else { "were" });
        writeln!(
            to,
            "\n{lines} {noun} whose value is not a number {were} not converted to another unit"
        )?;
    }
    if report.unreadable > 0 {
        let lines = report.unreadable;
        let (noun, were) = (plural(lines, "line"), if lines == 1 { "was" } else { "were" });
        writeln!(to, "\n{lines} {noun} without a name, a value or a type {were} forwarded")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::rewrite::filter::filter;
    use crate::mapping::Emit;
    use crate::packs;

    fn filtered(emit: Emit, input: &[u8]) -> (String, String) {
        let mut engine =
            StatsdEngine::new(&packs::builtin(), &StatsdSettings::new(emit)).expect("they compile");
        let mut output = Vec::new();
        filter(&mut engine, ("input", &mut &*input), &mut output)
            .expect("memory can be read and written");
        assert_eq!(engine.framer.oversized(), 0);
        (String::from_utf8(output).expect("text"), engine.summary())
    }

    #[test]
    fn a_full_report() {
        let input = "kong.a.request.count:1|c\nkong.a.request.status.total:1|c\nkong.a.latency:-1|ms\n\
            kong.a.latency:2|ms\nother:1|g\n<html>";
        let (output, report) = filtered(Emit::New, input.as_bytes());
        assert_eq!(
            output,
            "kong.service.a.request.count:1|c\nkong.service.a.latency:2|ms\nother:1|g\n<html>"
        );
        let expected = concat!(
            "read 6 lines, wrote 4 lines\n",
            "\n",
            "      read    written  rule\n",
            "         1          1  {service}.request.count\n",
            "                         -> service.{service}.request.count\n",
            "         1          0  {service}.request.status.total -> nothing\n",
            "         2          1  {service}.latency -> service.{service}.latency\n",
            "         2          2  no rule: forwarded unchanged\n",
            "\n",
            "dropped\n",
            "         1 line: skipped_value, the rule skips its value, which means none\n",
            "         1 line: implied, other lines of the output imply it\n",
            "\n",
            "1 line without a name, a value or a type was forwarded\n",
        );
        assert_eq!(report, expected);
    }

    #[test]
    fn lines_can_be_forwarded_and_rewritten() {
        let (output, report) = filtered(Emit::Both, b"kong.a.user.uniques:u|s\n");
        assert_eq!(output, "kong.a.user.uniques:u|s\nkong.service.a.user.uniques:u|s\n");
        let expected = concat!(
            "read 1 line, wrote 2 lines\n",
            "\n",
            "      read    written  rule\n",
            "         1          1  {service}.user.uniques:{consumer}|s\n",
            "                         -> service.{service}.user.uniques:{consumer}|s\n",
            "         0          0  no rule: forwarded unchanged\n",
            "                    1  forwarded unchanged and also rewritten\n",
        );
        assert_eq!(report, expected);
    }

    #[test]
    fn an_empty_report() {
        let expected = concat!(
            "read 0 lines, wrote 0 lines\n",
            "\n",
            "      read    written  rule\n",
            "         0          0  no rule: forwarded unchanged\n",
        );
        assert_eq!(filtered(Emit::Old, b""), (String::new(), expected.to_owned()));
    }
}
