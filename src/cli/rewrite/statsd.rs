//! `crossfade rewrite --statsd`: the engine for lines as a filter.

use std::fmt::{self, Write as _};
use std::io::{self, Read, Write};
use std::sync::Arc;

use anyhow::{Context as _, bail};

use crate::cli::rewrite::{Arguments, Error, READ_BYTES, write};
use crate::mapping::{StatsdPlan, compile_statsd};
use crate::packs;
use crate::rewrite::statsd::{Outcome, Report, Rewriter, Sender};
use crate::statsd::{Framer, MAX_DATAGRAM_BYTES};

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let packs = packs::load(&arguments.rewriting.packs)?;
    let plan = Arc::new(compile_statsd(&packs, &arguments.lines.settings(arguments.emit.emit))?);
    let filter = Filter::new(Arc::clone(&plan));

    let done = filter.run(&mut io::stdin().lock(), &mut io::stdout().lock());
    let (report, oversized) = match done {
        // Whoever reads has seen enough: `crossfade rewrite --statsd | head`.
        Err(Error::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
        done => done?,
    };
    if arguments.report {
        io::stderr()
            .write_all(table(&plan, &report).as_bytes())
            .context("cannot write the report")?;
    }
    if oversized > 0 {
        bail!(
            "{oversized} lines are longer than the {MAX_DATAGRAM_BYTES} bytes that a datagram can have, and were left out"
        );
    }
    if report.lines_in > 0 && report.unreadable == report.lines_in {
        bail!("the input has no StatsD line; without --statsd, expositions are read");
    }
    Ok(())
}

/// All lines are taken to be of one sender, as those of a TCP connection are.
struct Filter {
    rewriter: Rewriter,
    sender: Sender,
    out: Vec<u8>,
    written: Vec<u8>,
}

impl Filter {
    fn new(plan: Arc<StatsdPlan>) -> Filter {
        let (out, written) = (Vec::new(), Vec::new());
        Filter { rewriter: Rewriter::new(plan), sender: Sender::default(), out, written }
    }

    fn take(&mut self, lines: &[u8]) {
        self.written.clear();
        match self.rewriter.rewrite(lines, &mut self.sender, &mut self.written) {
            Outcome::Untouched => self.out.extend_from_slice(lines),
            Outcome::Rewritten => self.out.extend_from_slice(&self.written),
        }
    }

    /// Drives the engine from one end to the other. Returns what happened, and how many lines were too long.
    fn run(
        mut self,
        input: &mut impl Read,
        output: &mut impl Write,
    ) -> Result<(Report, u64), Error> {
        let mut chunk = vec![0; READ_BYTES];
        let mut framer = Framer::new(MAX_DATAGRAM_BYTES);
        loop {
            let read = match input.read(&mut chunk) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Error::Read(error)),
            };
            framer.feed(&chunk[..read], |lines| self.take(lines));
            write(&mut self.out, output)?;
        }
        framer.finish(|line| self.take(line));
        write(&mut self.out, output)?;
        output.flush().map_err(Error::Write)?;
        Ok((self.rewriter.take_report(), framer.oversized()))
    }
}

/// What became of what: one line for each rule that read anything, and what left no trace.
fn table(plan: &StatsdPlan, report: &Report) -> String {
    let mut text = String::new();
    tabulate(plan, report, &mut text).expect("a String takes everything");
    text
}

fn tabulate(plan: &StatsdPlan, report: &Report, to: &mut String) -> fmt::Result {
    writeln!(to, "read {} lines, wrote {} lines", report.lines_in, report.lines_out)?;
    writeln!(to, "\n{:>10} {:>10}  rule", "read", "written")?;
    for (rule, count) in plan.rules.iter().zip(&report.rules) {
        if count.read > 0 {
            writeln!(to, "{:>10} {:>10}  {}", count.read, count.written, rule.title)?;
        }
    }
    writeln!(to, "{0:>10} {0:>10}  as they came", report.untouched)?;
    let written: u64 = report.rules.iter().map(|count| count.written).sum();
    let kept = report.lines_out - report.untouched - written;
    if kept > 0 {
        writeln!(to, "{:>10} {kept:>10}  as they came, beside what rules made of them", "")?;
    }
    if report.dropped().iter().any(|(_, lines)| *lines > 0) {
        writeln!(to, "\nleft out")?;
    }
    for (reason, lines) in report.dropped() {
        if lines > 0 {
            writeln!(to, "{lines:>10} lines: {}", reason.as_str())?;
        }
    }
    if report.unreadable > 0 {
        let lines = report.unreadable;
        writeln!(to, "\n{lines} lines without a name, a value or a type left as they came")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::{Emit, StatsdSettings};

    fn filtered(emit: Emit, input: &[u8]) -> (String, String) {
        let settings = StatsdSettings::new(emit);
        let plan = Arc::new(compile_statsd(&packs::builtin(), &settings).expect("they compile"));
        let mut output = Vec::new();
        let done = Filter::new(Arc::clone(&plan)).run(&mut &*input, &mut output);
        let (report, oversized) = done.expect("memory can be read and written");
        assert_eq!(oversized, 0);
        (String::from_utf8(output).expect("text"), table(&plan, &report))
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
            "         1          1  {service}.request.count -> service.{service}.request.count\n",
            "         1          0  {service}.request.status.total -> nothing\n",
            "         2          1  {service}.latency -> service.{service}.latency\n",
            "         2          2  as they came\n",
            "\n",
            "left out\n",
            "         1 lines: skipped_value\n",
            "         1 lines: implied\n",
            "\n",
            "1 lines without a name, a value or a type left as they came\n",
        );
        assert_eq!(report, expected);
    }

    #[test]
    fn lines_that_leave_beside_what_they_become() {
        let (output, report) = filtered(Emit::Both, b"kong.a.user.uniques:u|s\n");
        assert_eq!(output, "kong.a.user.uniques:u|s\nkong.service.a.user.uniques:u|s\n");
        let expected = concat!(
            "read 1 lines, wrote 2 lines\n",
            "\n",
            "      read    written  rule\n",
            "         1          1  {service}.user.uniques:{consumer}|s -> service.{service}.user.uniques:{consumer}|s\n",
            "         0          0  as they came\n",
            "                    1  as they came, beside what rules made of them\n",
        );
        assert_eq!(report, expected);
    }

    #[test]
    fn nothing_to_say_is_short() {
        let expected = concat!(
            "read 0 lines, wrote 0 lines\n",
            "\n",
            "      read    written  rule\n",
            "         0          0  as they came\n",
        );
        assert_eq!(filtered(Emit::Old, b""), (String::new(), expected.to_owned()));
    }
}
