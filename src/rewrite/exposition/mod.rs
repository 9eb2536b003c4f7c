//! The engine: an exposition goes in in chunks cut anywhere, the emitted generation comes out.
//!
//! ```text
//! chunk → lines (torn ones wait) → reader ─┬─ as it came, or under another name → out
//!                                          └─ held: sums, ladders, shares → writer → out, at the end
//! ```
//!
//! It knows no I/O, no clock and no metric by name: what becomes of a family is in the
//! [`Plan`]. What happened is in the [`Report`].
//!
//! - What no rule reads leaves byte for byte, in order, while the rest is still arriving.
//! - The output does not depend on where the input was cut.
//! - A line that Prometheus would refuse costs that line, never the scrape.
//! - Memory grows with the label sets that must be held, up to [`Limits`], and with nothing else.

mod explain;
mod families;
mod gathered;
mod labels;
mod limits;
mod line_buffer;
mod line_reader;
mod options;
mod output;
mod report;
mod series_set;
mod state;

use std::sync::Arc;

pub use explain::{ExplainedSeries, Explanation, Fate, LabelStep, Line, Reading, Then, explain};
pub use gathered::history::History;
pub use options::{Error, Limits, Malformed, Options};
pub use output::UncopiedRange;
pub use report::{Missing, Report, Rewritten};

use crate::mapping::Plan;
use gathered::writer::Writer;
use line_buffer::LineBuffer;
use line_reader::LineReader;
use output::Output;
use state::ExpositionState;

/// Whether [`Rewriter::finish`] has more to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Progress {
    /// Hand on what was written and call again.
    More,
    /// Everything is written.
    Done,
}

/// Rewrites one exposition; see the [module](self).
///
/// Call [`push`](Self::push) for each chunk, then [`finish`](Self::finish) until it is
/// [`Progress::Done`]. After an error the exposition is lost: what was written is a part of a body
/// and must not be taken for a whole one.
///
/// ```
/// use std::sync::Arc;
/// use crossfade::mapping::Plan;
/// use crossfade::rewrite::exposition::{History, Options, Progress, Rewriter};
///
/// let mut rewriter = Rewriter::new(Arc::new(Plan::default()), Options::default(), History::default());
/// let mut out = Vec::new();
/// rewriter.push(b"up 1\ndo", &mut out)?;
/// rewriter.push(b"wn 0\nbroken{ 3\n", &mut out)?;
/// while rewriter.finish(&mut out)? == Progress::More {}
/// assert_eq!(out, b"up 1\ndown 0\n");
/// assert_eq!(rewriter.report().dropped["bad_labels"], 1);
/// # Ok::<(), crossfade::rewrite::exposition::Error>(())
/// ```
#[derive(Debug)]
pub struct Rewriter {
    line_buffer: LineBuffer,
    reader: LineReader,
    stage: Stage,
    limits: Limits,
}

#[derive(Debug)]
enum Stage {
    Reading(History),
    Writing(Box<Writer>),
    Done(History),
}

impl Rewriter {
    /// Starts an exposition. `history` is what [`Rewriter::into_history`] gave after the target's
    /// last one.
    #[must_use]
    pub fn new(plan: Arc<Plan>, options: Options, history: History) -> Self {
        Rewriter {
            line_buffer: LineBuffer::default(),
            reader: LineReader::new(plan, options),
            stage: Stage::Reading(history),
            limits: options.limits,
        }
    }

    /// Takes the next chunk, cut anywhere, and appends to `out` what can leave already.
    ///
    /// # Errors
    ///
    /// A limit was passed, or a line was refused under [`Malformed::Fail`].
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
        self.push_uncopied(chunk, usize::MAX, out).map(|_| ())
    }

    /// As [`push`](Self::push), but where most of the chunk leaves as it came, in one run of more than `longer_than`
    /// bytes, that is not copied. Whoever owns the chunk hands it on in its place.
    ///
    /// # Errors
    ///
    /// Those of [`push`](Self::push).
    pub fn push_uncopied(
        &mut self,
        chunk: &[u8],
        longer_than: usize,
        out: &mut Vec<u8>,
    ) -> Result<Option<UncopiedRange>, Error> {
        self.reader.body.report.bytes_in += chunk.len() as u64;
        if self.reader.body.report.bytes_in > self.limits.body_bytes {
            return Err(Error::BodyTooLong { limit: self.limits.body_bytes });
        }
        let reader = &mut self.reader;
        let rest =
            self.line_buffer.complete_with(chunk, |bytes| reader.read_short(bytes, false, out))?;
        let mut rest_out = Output::new(rest, out).with_uncopied(longer_than);
        reader.read(&mut rest_out, false)?;
        let (read, uncopied) = rest_out.finish();
        self.line_buffer.keep(&rest[read..]);
        if self.line_buffer.len() > self.limits.line_bytes {
            self.line_buffer.reparse(|bytes| reader.read_short(bytes, false, out))?;
        }
        if self.line_buffer.len() > self.limits.line_bytes {
            return Err(self.reader.too_long());
        }
        let before = chunk.len() - rest.len();
        Ok(uncopied.map(|run| run.behind(before)))
    }

    /// The input is complete: appends the next piece (about 64 KiB) of what was held.
    ///
    /// # Errors
    ///
    /// As [`push`](Self::push), for a last line without a newline.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> Result<Progress, Error> {
        if let Stage::Reading(history) = &mut self.stage {
            let history = std::mem::take(history);
            let last = self.line_buffer.take_last();
            self.reader.read_short(&last, true, out)?;
            self.reader.body.complete();
            self.stage = Stage::Writing(Box::new(Writer::new(history, &self.reader.body)));
        }
        let Stage::Writing(writer) = &mut self.stage else {
            return Ok(Progress::Done);
        };
        let progress = writer.piece(&mut self.reader.body, out);
        if progress == Progress::Done {
            out.extend_from_slice(self.reader.last_line());
            let ExpositionState { plan, families, report, .. } = &mut self.reader.body;
            report.complete(plan, |family| families.came(family));
            self.stage = Stage::Done(std::mem::take(&mut writer.next));
        }
        Ok(progress)
    }

    /// What has happened so far; complete after [`Progress::Done`].
    #[must_use]
    pub fn report(&self) -> &Report {
        &self.reader.body.report
    }

    /// What the target's next exposition needs to know of this one. Call after [`Progress::Done`];
    /// of an exposition that was not completed, the history is the one it began with.
    #[must_use]
    pub fn into_history(self) -> History {
        match self.stage {
            Stage::Reading(history) | Stage::Done(history) => history,
            Stage::Writing(writer) => writer.into_before(),
        }
    }
}
