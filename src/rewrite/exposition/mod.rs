//! The exposition engine: takes an exposition in chunks of any size and writes the emitted
//! generation.
//!
//! ```text
//! chunk → lines → samples ─┬─ unchanged, or with another name ──────────────→ output
//!                          └─ gathered: merged, split, converted → writer ──→ output, at the end
//! ```
//!
//! The engine has no I/O and no clock, and contains no metric names: the [`Plan`] says how each
//! family is rewritten. What happened is in the [`Report`].
//!
//! - Anything no rule matches is output unchanged, in order, and before the rest of the input
//!   arrives.
//! - The output does not depend on where the input was cut.
//! - A line that Prometheus would refuse is dropped, and the scrape does not fail.
//! - Memory grows only with the label sets that must be gathered, up to [`Limits`].

mod arrived;
mod editions;
mod engine;
mod error_message;
mod estimate;
mod explain;
mod families;
mod family;
mod gathered;
mod label_hashes;
mod label_transform;
mod labels;
mod limits;
mod line_buffer;
mod line_reader;
mod missing;
mod options;
mod output;
mod reason;
mod recorder;
mod report;
mod resolved_plan;
mod sample_line;
mod scaled;
mod series_set;
mod stages;
mod state;
mod strict;
mod writer;
mod written_headers;
mod written_labels;

use std::sync::Arc;

pub use estimate::{Estimated, EstimatedCount, ExactCount};
pub use explain::{
    Absent, ExplainedSeries, Explainer, Explanation, Fate, Joined, LabelStep, Line, Outline,
    Reading, SeriesName, StageOutline, Survey, Then, explain,
};
pub use missing::Missing;
pub use options::{Error, Limits, Malformed, Options};
pub use output::UncopiedRange;
pub use reason::{DropReason, RefusedBecause};
pub use report::{Report, Rewritten};
pub use writer::{History, Progress, Remembered};

use crate::mapping::Plan;
use stages::Stages;
use strict::Strict;

/// Rewrites one exposition; see the [module](self).
///
/// Call [`push`](Self::push) for each chunk, then [`finish`](Self::finish) until it returns
/// [`Progress::Done`]. After an error, discard the output: it is incomplete and must not be served.
///
/// ```
/// use std::sync::Arc;
/// use crossfade::mapping::{Emit, Pack, Settings, compile};
/// use crossfade::rewrite::exposition::{History, Options, Progress, Rewriter};
///
/// let pack = Pack::parse(
///     "example.yaml",
///     "name: example\nprometheus:\n  - old: hits{svc=$s}\n    new: hits_total{service=$s}\n",
/// )?;
/// let plan = Arc::new(compile(&[pack], &Settings::new(Emit::New))?);
/// let mut rewriter = Rewriter::new(plan, Options::default(), History::default());
/// let mut out = Vec::new();
/// rewriter.push(b"hits{svc=\"a\"} 1\nup 1\nhi", &mut out)?;
/// rewriter.push(b"ts{svc=\"b\"} 2\nbroken{ 3\n", &mut out)?;
/// while rewriter.finish(&mut out)? == Progress::More {}
/// assert_eq!(
///     String::from_utf8(out)?,
///     "hits_total{service=\"a\"} 1\nup 1\nhits_total{service=\"b\"} 2\n"
/// );
/// assert_eq!(rewriter.report().passed, 1);
/// assert_eq!(rewriter.report().dropped["bad_labels"], 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Rewriter {
    stages: Stages,
    /// The stage after them, under [`Options::strict`].
    strict: Option<Box<Strict>>,
}

impl Rewriter {
    /// Starts an exposition. `history` is what [`into_history`](Self::into_history) returned after
    /// the target's last exposition.
    #[must_use]
    pub fn new(plan: Arc<Plan>, mut options: Options, history: History) -> Self {
        let strict = options.strict.then(|| Box::new(Strict::new(&options)));
        if strict.is_some() && options.malformed == Malformed::Pass {
            options.malformed = Malformed::Drop;
        }
        Rewriter { stages: Stages::new(plan, options, history), strict }
    }

    /// Takes the next chunk and appends to `out` what can be output already: nothing under
    /// [`Options::strict`].
    ///
    /// # Errors
    ///
    /// A limit was exceeded, or a line was refused under [`Malformed::Fail`].
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
        self.push_uncopied(chunk, usize::MAX, out).map(|_| ())
    }

    /// As [`push`](Self::push), but does not copy an unchanged range that makes up most of the
    /// chunk and is longer than `longer_than` bytes. The caller outputs that range from its own
    /// chunk.
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
        let Some(strict) = &mut self.strict else {
            return self.stages.push_uncopied(chunk, longer_than, out);
        };
        self.stages.push_uncopied(chunk, usize::MAX, strict.input())?;
        let line = self.stages.line_number();
        strict.read(self.stages.report_mut()).map_err(|exceeded| exceeded.at(line))?;
        Ok(None)
    }

    /// The input is complete: appends the next piece (about 64 KiB) of what was gathered.
    ///
    /// # Errors
    ///
    /// As [`push`](Self::push), for a last line without a newline.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> Result<Progress, Error> {
        match &mut self.strict {
            None => self.stages.finish(out),
            Some(strict) => finish_strict(&mut self.stages, strict, out),
        }
    }

    /// What has happened so far. Complete after [`Progress::Done`].
    #[must_use]
    pub fn report(&self) -> &Report {
        self.stages.report()
    }

    /// Bytes allocated for a line that has not ended. They are not in [`Report::held_bytes`], which
    /// only grows.
    #[must_use]
    pub fn unfinished_line_bytes(&self) -> usize {
        self.stages.unfinished_line_bytes()
    }

    /// What the target's next exposition must know about this one. Call after [`Progress::Done`];
    /// before that, the result is the history that the rewriter was created with.
    #[must_use]
    pub fn into_history(self) -> History {
        self.stages.into_history()
    }
}

/// See [`Rewriter::finish`].
fn finish_strict(
    stages: &mut Stages,
    strict: &mut Strict,
    out: &mut Vec<u8>,
) -> Result<Progress, Error> {
    let plan = Arc::clone(stages.plan());
    if strict.is_complete() {
        let is_done = strict.write_piece(&plan, stages.report_mut(), out);
        return Ok(if is_done { Progress::Done } else { Progress::More });
    }
    let progress = stages.finish(strict.input())?;
    let line = stages.line_number();
    strict.read(stages.report_mut()).map_err(|exceeded| exceeded.at(line))?;
    if progress == Progress::Done {
        let headers = stages.headers_read();
        strict.complete(&plan, &headers, stages.report_mut());
    }
    Ok(Progress::More)
}
