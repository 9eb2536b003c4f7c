//! The walk over the lines of a datagram.

use std::sync::Arc;

use memchr::memchr;

use crate::mapping::plan::statsd::StatsdPlan;
use crate::rewrite::statsd::line_writer::{LineWriter, Replaced, WholeLine, keep};
use crate::rewrite::statsd::matcher::{LineDecision, Match, Matcher, SampleDecision};
use crate::rewrite::statsd::recorder::{Recorder, Unchanged};
use crate::rewrite::statsd::report::{DropReason, Report};
use crate::rewrite::statsd::sender::Sender;
use crate::statsd::Line;

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
    report: Report,
}

impl Rewriter {
    /// A rewriter for one thread. Rewriters share the plan and nothing else.
    #[must_use]
    pub fn new(plan: Arc<StatsdPlan>) -> Rewriter {
        let report = Report::new(&plan);
        Rewriter { plan, matcher: Matcher::default(), report }
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
        let before = out.len();
        let mut outcome = Outcome::Untouched;
        // Input between these two positions is unchanged and not yet written.
        let (mut written, mut start) = (0, 0);
        while start < datagram.len() {
            let rest = &datagram[start..];
            let end = memchr(b'\n', rest).unwrap_or(rest.len());
            let line = &rest[..end];
            self.report.lines_in += 1;
            match self.matcher.line(&self.plan, line, sender, recorder) {
                LineDecision::Apply(read, found) => {
                    copy(&datagram[written..start], out);
                    let from = out.len();
                    let whole = Replaced::Line(WholeLine::new(rest, end));
                    self.apply(whole, &read, &found, out).record(recorder);
                    recorder.replaced(line, &out[from..]);
                    written = datagram.len().min(start + end + 1);
                    outcome = Outcome::Rewritten;
                }
                LineDecision::ApplySamples(read) => {
                    copy(&datagram[written..start], out);
                    let from = out.len();
                    let tail = WholeLine::new(rest, end).tail();
                    self.apply_samples(&read, tail, sender, out, recorder);
                    recorder.replaced(line, &out[from..]);
                    written = datagram.len().min(start + end + 1);
                    outcome = Outcome::Rewritten;
                }
                LineDecision::NoRule => self.pass(line, Unchanged::NoRule, recorder),
                LineDecision::Keep => self.pass(line, Unchanged::Kept, recorder),
                LineDecision::Unreadable => {
                    self.report.unreadable += 1;
                    self.pass(line, Unchanged::Unreadable, recorder);
                }
            }
            start += end + 1;
        }
        if outcome == Outcome::Rewritten {
            out.extend_from_slice(&datagram[written..]);
            // A newline at the end is a blank line if the output before it ends with a newline.
            let blank = matches!(out[before..], [b'\n'] | [.., b'\n', b'\n']);
            if !datagram.ends_with(b"\n") && !blank && out[before..].ends_with(b"\n") {
                out.pop();
            }
        }
        outcome
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
        let written = if not_a_number { 0 } else { writer.write_rule(rule, out) };
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
            let decision = self.matcher.sample(&self.plan, &sample, sender);
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

/// Appends unchanged input. Between two rewritten lines there is none, and calling `memcpy` to copy
/// nothing would cost more than the check.
#[inline]
fn copy(unchanged: &[u8], out: &mut Vec<u8>) {
    if !unchanged.is_empty() {
        out.extend_from_slice(unchanged);
    }
}
