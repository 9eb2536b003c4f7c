//! The engine for `StatsD`: a datagram goes in, what the emitted generation says instead comes out.
//!
//! ```text
//! datagram → lines → reading → rule ─┬─ none, or kept: the bytes that came
//!                                    └─ written: other names, one line or several
//! ```
//!
//! Like its sibling for expositions it knows no I/O, no clock and no metric by name: what becomes of a line is in
//! the [`StatsdPlan`], what happened is in the [`Report`].
//!
//! - A datagram that no rule touches is not even copied.
//! - Nothing is allocated per line, whatever it becomes.
//! - No two lines are joined, no line is moved: gauges depend on their order.

mod explain;
mod find;
mod report;
mod tags;
mod write;

use std::sync::Arc;

use memchr::memchr;

pub use explain::{ExplainedLine, LineFate, LineReading};
pub use report::{Report, RuleCount};

use crate::mapping::Generation;
use crate::mapping::plan::statsd::StatsdPlan;
use find::{Fate, Finder};

/// What has become of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Outcome {
    /// Nothing: send the bytes you already hold.
    Untouched,
    /// What was written takes its place. That may be nothing.
    Rewritten,
}

/// What is known of one who sends: the generation of the last line that only one generation can have sent.
///
/// Some lines can be of either. Keep one of these for each peer address or connection, and they are read as the
/// lines around them; without history they are read as the more specific pattern says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sender {
    generation: Option<Generation>,
}

/// Rewrites datagrams; see the [module](self).
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
/// # Ok::<(), crossfade::mapping::Faults>(())
/// ```
#[derive(Debug)]
pub struct Rewriter {
    plan: Arc<StatsdPlan>,
    finder: Finder,
    report: Report,
}

impl Rewriter {
    /// A rewriter for one thread. Several share the plan and nothing else.
    #[must_use]
    pub fn new(plan: Arc<StatsdPlan>) -> Rewriter {
        let report = Report::new(&plan);
        Rewriter { plan, finder: Finder::default(), report }
    }

    /// Rewrites a datagram, or any other run of whole lines, whose last may lack its newline.
    ///
    /// When something became of it, the lines that take its place are appended to `out`, separated by newlines, and
    /// with one at the end where there was one. Otherwise `out` stays as it is.
    pub fn rewrite(&mut self, datagram: &[u8], sender: &mut Sender, out: &mut Vec<u8>) -> Outcome {
        let before = out.len();
        let mut outcome = Outcome::Untouched;
        // What lies between is untouched and not written yet.
        let (mut written, mut start) = (0, 0);
        while start < datagram.len() {
            let rest = &datagram[start..];
            let end = memchr(b'\n', rest).unwrap_or(rest.len());
            let line = &rest[..end];
            self.report.lines_in += 1;
            match self.finder.line(&self.plan, line, sender) {
                Fate::Change(read, found) => {
                    out.extend_from_slice(&datagram[written..start]);
                    self.change(Some(line), &read, &found, out);
                    written = datagram.len().min(start + end + 1);
                    outcome = Outcome::Rewritten;
                }
                Fate::Samples(line) => {
                    out.extend_from_slice(&datagram[written..start]);
                    self.change_samples(&line, sender, out);
                    written = datagram.len().min(start + end + 1);
                    outcome = Outcome::Rewritten;
                }
                fate => {
                    self.report.untouched += 1;
                    self.report.lines_out += 1;
                    self.report.unreadable += u64::from(matches!(fate, Fate::Unreadable));
                }
            }
            start += end + 1;
        }
        if outcome == Outcome::Rewritten {
            out.extend_from_slice(&datagram[written..]);
            // A newline at the end is a blank line where none stands in front of it.
            let blank = matches!(out[before..], [b'\n'] | [.., b'\n', b'\n']);
            if !datagram.ends_with(b"\n") && !blank && out[before..].ends_with(b"\n") {
                out.pop();
            }
        }
        outcome
    }

    /// What has happened since the rewriter was made, or since the report was last taken.
    #[must_use]
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// Hands the report over and begins a new one.
    #[must_use]
    pub fn take_report(&mut self) -> Report {
        std::mem::replace(&mut self.report, Report::new(&self.plan))
    }
}
