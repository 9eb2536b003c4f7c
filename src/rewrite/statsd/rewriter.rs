//! The walk over the lines of a datagram.

use std::sync::Arc;

use memchr::memchr;

use crate::mapping::plan::statsd::StatsdPlan;
use crate::rewrite::statsd::line_writer::{LineWriter, Replaced, WholeLine, keep};
use crate::rewrite::statsd::matcher::{FirstLine, LineDecision, Match, Matcher, SampleDecision};
use crate::rewrite::statsd::output::Output;
use crate::rewrite::statsd::piece_buffer::PieceBuffer;
use crate::rewrite::statsd::recorder::{Recorder, Unchanged};
use crate::rewrite::statsd::report::{DropReason, Report};
use crate::rewrite::statsd::sender::Sender;
use crate::statsd::{Line, NotMetric};

/// The result of rewriting a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Outcome {
    /// Nothing changed: send the input.
    Untouched,
    /// The output replaces the input. It may be empty.
    Rewritten,
}

/// Rewrites datagrams; see the [module](super).
///
/// ```
/// use std::sync::Arc;
/// use crossfade::mapping::{Emit, Pack, StatsdSettings, compile_statsd};
/// use crossfade::rewrite::statsd::{Outcome, Rewriter, Sender};
///
/// let pack = r#"
/// name: demo
/// statsd: [{ old: "{app}.hits:c", new: "app.{app}.hits:c" }]
/// "#;
/// let pack = Pack::parse("demo.yaml", pack)?;
/// let plan = compile_statsd(&[pack], &StatsdSettings::new(Emit::New))?;
/// let mut rewriter = Rewriter::new(Arc::new(plan));
/// let (mut sender, mut out) = (Sender::default(), Vec::new());
/// assert_eq!(rewriter.rewrite(b"load:0.3|g", &mut sender, &mut out), Outcome::Untouched);
/// assert_eq!(rewriter.rewrite(b"shop.hits:1|c|@0.1", &mut sender, &mut out), Outcome::Rewritten);
/// assert_eq!(out, b"app.shop.hits:1|c|@0.1");
/// # Ok::<(), crossfade::document::Diagnostics>(())
/// ```
#[derive(Debug)]
pub struct Rewriter {
    plan: Arc<StatsdPlan>,
    matcher: Matcher,
    pieces: PieceBuffer,
    report: Report,
}

impl Rewriter {
    /// A rewriter for one thread. Rewriters share the plan and nothing else.
    #[must_use]
    pub fn new(plan: Arc<StatsdPlan>) -> Rewriter {
        let report = Report::new(&plan);
        Rewriter { plan, matcher: Matcher::default(), pieces: PieceBuffer::default(), report }
    }

    /// Rewrites a datagram, or any other sequence of whole lines; the last may lack its newline.
    ///
    /// If the result is [`Outcome::Rewritten`], the lines that replace the input are appended to
    /// `out`, separated by newlines, with a newline at the end if the input has one. Otherwise
    /// `out` is not changed.
    pub fn rewrite(&mut self, datagram: &[u8], sender: &mut Sender, out: &mut Vec<u8>) -> Outcome {
        self.walk(datagram, sender, out, &mut ())
    }

    /// [`rewrite`](Self::rewrite), with a recorder of the decisions.
    #[inline]
    pub(super) fn walk(
        &mut self,
        datagram: &[u8],
        sender: &mut Sender,
        out: &mut Vec<u8>,
        recorder: &mut impl Recorder,
    ) -> Outcome {
        let mut output = Output::new(datagram, out);
        let mut start = 0;
        while start < datagram.len() {
            let rest = &datagram[start..];
            self.report.lines_in += 1;
            let end = match self.matcher.first_line(&self.plan, rest) {
                FirstLine::Plain(line, known) => {
                    let end = start + line.len();
                    let text = &rest[..line.len()];
                    let read = (&line, known);
                    match self.matcher.plain(&self.plan, rest, read, sender, recorder) {
                        SampleDecision::NoRule => self.pass(text, Unchanged::NoRule, recorder),
                        SampleDecision::Keep(_) => self.pass(text, Unchanged::Kept, recorder),
                        SampleDecision::Apply(found) => {
                            let whole = WholeLine::new(rest, line.len());
                            self.apply_line(whole, start, &line, &found, &mut output, recorder);
                        }
                    }
                    end
                }
                FirstLine::Foreign => start + self.foreign_line(rest, recorder),
                FirstLine::Other => self.other_line(rest, start, sender, &mut output, recorder),
            };
            start = end + 1;
        }
        if output.finish() { Outcome::Rewritten } else { Outcome::Untouched }
    }

    /// Passes the line at the start of `rest`, which no rule reads. Returns its length.
    #[inline(never)] // so that the loop over plain lines is small
    fn foreign_line(&mut self, rest: &[u8], recorder: &mut impl Recorder) -> usize {
        let length = memchr(b'\n', rest).unwrap_or(rest.len());
        let line = &rest[..length];
        let reason = match Line::check(line) {
            Err(NotMetric::Unreadable) => {
                self.report.unreadable += 1;
                Unchanged::Unreadable
            }
            _ => Unchanged::NoRule,
        };
        self.pass(line, reason, recorder);
        length
    }

    /// Processes the line at the start of `rest`, which is not plain. Returns its end.
    #[inline(never)] // so that the loop over plain lines is small
    fn other_line(
        &mut self,
        rest: &[u8],
        start: usize,
        sender: &mut Sender,
        output: &mut Output<'_>,
        recorder: &mut impl Recorder,
    ) -> usize {
        let length = memchr(b'\n', rest).unwrap_or(rest.len());
        let (line, whole) = (&rest[..length], WholeLine::new(rest, length));
        match self.matcher.line(&self.plan, line, sender, recorder) {
            LineDecision::Apply(read, found) => {
                self.apply_line(whole, start, &read, &found, output, recorder);
            }
            LineDecision::ApplySamples(read) => {
                output.copy_to(start);
                let from = output.out().len();
                self.apply_samples(&read, whole.tail(), sender, output.out(), recorder);
                recorder.replaced(line, &output.out()[from..]);
                output.skip_to(output.after_line(start + length));
            }
            LineDecision::NoRule => self.pass(line, Unchanged::NoRule, recorder),
            LineDecision::Keep => self.pass(line, Unchanged::Kept, recorder),
            LineDecision::Unreadable => {
                self.report.unreadable += 1;
                self.pass(line, Unchanged::Unreadable, recorder);
            }
        }
        start + length
    }

    /// Writes the output of a rule for a whole line, which begins at `start` of the datagram.
    #[inline]
    fn apply_line<R: Recorder>(
        &mut self,
        whole: WholeLine<'_>,
        start: usize,
        line: &Line<'_>,
        found: &Match<'_>,
        output: &mut Output<'_>,
        recorder: &mut R,
    ) {
        let rule = self.plan.rule(found.rule);
        let next = output.after_line(start + whole.text().len());
        let writer = LineWriter::new(&self.matcher, Replaced::Line(whole), line, found);
        let Some((ending, from)) = writer.only_front(rule) else {
            output.copy_to(start);
            let written = output.out().len();
            self.apply(Replaced::Line(whole), line, found, output.out()).record(recorder);
            recorder.replaced(whole.text(), &output.out()[written..]);
            output.skip_to(next);
            return;
        };
        if R::READS_OUTPUT {
            output.copy_to(start);
        }
        let written = output.out().len();
        if rule.keep {
            output.copy_line_to(next);
            writer.prefix(output.out());
        } else {
            output.copy_to(start + writer.prefix_len());
        }
        writer.front(ending, output.out());
        output.skip_to(start + from);
        if R::READS_OUTPUT {
            output.copy_to(next);
            recorder.replaced(whole.text(), &output.out()[written..]);
        }
        self.report.lines_out += 1 + u64::from(rule.keep);
        self.report.count(found.rule, 1);
    }

    #[inline]
    fn pass(&mut self, line: &[u8], reason: Unchanged, recorder: &mut impl Recorder) {
        self.report.untouched += 1;
        self.report.lines_out += 1;
        recorder.unchanged(line, reason);
    }

    /// Writes the output of a rule.
    #[inline]
    fn apply(
        &mut self,
        replaced: Replaced<'_>,
        line: &Line<'_>,
        found: &Match<'_>,
        out: &mut Vec<u8>,
    ) -> Applied {
        let rule = self.plan.rule(found.rule);
        let writer = LineWriter::new(&self.matcher, replaced, line, found);
        let not_a_number = writer.cannot_scale(rule);
        let kept = rule.keep || not_a_number;
        if kept {
            match replaced {
                Replaced::Line(whole) => whole.keep(out),
                Replaced::Sample { tail } => keep(line, tail, out),
            }
        }
        let written = if not_a_number { 0 } else { writer.write_rule(rule, &mut self.pieces, out) };
        self.report.lines_out += u64::from(kept) + written;
        self.report.count(found.rule, written);
        if not_a_number {
            self.report.not_numbers += 1;
            return Applied::NotNumber;
        }
        if kept || written > 0 {
            return Applied::Written;
        }
        let implied = rule.writes.is_empty();
        let reason = if implied { DropReason::Implied } else { DropReason::SkippedValue };
        self.report.count_dropped(reason);
        Applied::Dropped(reason)
    }

    /// Writes each sample of a line as a line of its own, because rules treat them differently.
    fn apply_samples(
        &mut self,
        line: &Line<'_>,
        tail: &[u8],
        sender: &mut Sender,
        out: &mut Vec<u8>,
        recorder: &mut impl Recorder,
    ) {
        recorder.reading();
        for sample in line.samples() {
            let decision =
                self.matcher.any_sample(&self.plan, &sample, sample.name().into(), sender);
            if let Some(rule) = decision.rule() {
                recorder.matched(rule);
            }
            if let SampleDecision::Apply(found) = decision {
                let replaced = Replaced::Sample { tail };
                self.apply(replaced, &sample, &found, out).record(recorder);
            } else {
                keep(&sample, tail, out);
                self.report.lines_out += 1;
            }
        }
    }

    pub(super) fn plan(&self) -> &StatsdPlan {
        &self.plan
    }

    /// Counts since the rewriter was created, or since the report was last taken.
    #[must_use]
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// Returns the report and starts a new one.
    #[must_use]
    pub fn take_report(&mut self) -> Report {
        std::mem::replace(&mut self.report, Report::new(&self.plan))
    }
}

/// The result of applying a rule to a line or sample.
enum Applied {
    /// There is output.
    Written,
    /// There is no output.
    Dropped(DropReason),
    /// It is written unchanged, because a value that the rule multiplies is not a number.
    NotNumber,
}

impl Applied {
    #[inline]
    fn record(self, recorder: &mut impl Recorder) {
        match self {
            Applied::Written => {}
            Applied::Dropped(reason) => recorder.dropped(reason),
            Applied::NotNumber => recorder.not_a_number(),
        }
    }
}
