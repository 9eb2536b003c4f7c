//! The engine: an exposition goes in in chunks cut anywhere, the emitted generation comes out.

mod history;
mod report;

pub use history::History;
pub use report::{Report, Rewritten};

use std::sync::Arc;

use crate::mapping::Plan;

/// What to do with a line that Prometheus would refuse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Malformed {
    /// Leave it out and count it.
    #[default]
    Drop,
    /// Hand it on as it came.
    Pass,
    /// Fail the scrape.
    Fail,
}

/// What one exposition may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Longest line in bytes. Beyond it the scrape fails.
    pub line_bytes: usize,
    /// Most label sets held until the end of the body. Beyond it the scrape fails.
    pub held_series: usize,
    /// Most labels of one sample. Beyond it the scrape fails.
    pub labels: usize,
    /// Longest body in bytes, uncompressed. Beyond it the scrape fails.
    pub body_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            line_bytes: 1 << 20,
            held_series: 1_000_000,
            labels: 64,
            body_bytes: 1 << 30,
        }
    }
}

/// Settings of one rewriting.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// What to do with lines that Prometheus would refuse.
    pub malformed: Malformed,
    /// What the exposition may cost.
    pub limits: Limits,
}

/// Why an exposition cannot be rewritten. Each ends the scrape.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// A line passed [`Limits::line_bytes`].
    #[error("line {line} is longer than {limit} bytes (limits.line_bytes)")]
    LineTooLong {
        /// Number of the line, from 1.
        line: u64,
        /// The limit.
        limit: usize,
    },
}

/// Whether [`Rewriter::finish`] has more to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Progress {
    /// Hand on what was written and call again.
    More,
    /// Everything is written.
    Done,
}

/// Rewrites one exposition.
#[derive(Debug)]
pub struct Rewriter {
    report: Report,
    history: History,
}

impl Rewriter {
    /// Starts an exposition. `history` is what [`Rewriter::into_history`] gave after the target's last one.
    #[must_use]
    pub fn new(plan: Arc<Plan>, options: Options, history: History) -> Self {
        let _ = (plan, options);
        Rewriter {
            report: Report::default(),
            history,
        }
    }

    /// Takes the next chunk, cut anywhere, and appends to `out` what can leave already.
    ///
    /// # Errors
    ///
    /// A limit was passed, or a line was refused under [`Malformed::Fail`]. The exposition is lost.
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
        out.extend_from_slice(chunk);
        self.report.samples_in += 1;
        Ok(())
    }

    /// The input is complete: appends the next piece (about 64 KiB) of what was held.
    ///
    /// # Errors
    ///
    /// As [`push`](Self::push), for a last line without a newline.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> Result<Progress, Error> {
        let _ = out;
        Ok(Progress::Done)
    }

    /// What has happened so far; complete after [`Progress::Done`].
    #[must_use]
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// What the target's next exposition needs to know of this one. Call after [`Progress::Done`].
    #[must_use]
    pub fn into_history(self) -> History {
        self.history
    }
}
