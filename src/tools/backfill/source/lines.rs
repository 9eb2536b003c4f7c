//! The lines of a source, and what can be wrong with them.

use std::io::{self, BufRead};
use std::ops::AddAssign;

use crate::tools::backfill::options::Error;

/// Lines are at most this long: a series with all its samples is one line of an export.
const MAX_LINE: u64 = 1 << 28;

/// What a source has that is not rewritten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ignored {
    /// Samples of families that no pack names.
    pub other_families: u64,
    /// Samples that are not a number: so a dump shows that a series has ended.
    pub not_numbers: u64,
    /// Series of native histograms.
    pub native_histograms: u64,
    /// A dump in `OpenMetrics` has no `# EOF`: it was perhaps cut.
    pub has_no_end: bool,
}

impl AddAssign for Ignored {
    fn add_assign(&mut self, other: Ignored) {
        self.other_families += other.other_families;
        self.not_numbers += other.not_numbers;
        self.native_histograms += other.native_histograms;
        self.has_no_end |= other.has_no_end;
    }
}

/// Why a source cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] io::Error),
    /// A line cannot be understood.
    #[error("line {line}: {problem}")]
    Line {
        /// Its number, from 1.
        line: u64,
        /// What is wrong with it.
        problem: String,
    },
    /// A sample cannot be used.
    #[error(transparent)]
    Sample(#[from] Error),
}

/// How many bytes are read between two calls of `progress`.
const PROGRESS_BYTES: u64 = 1 << 22;

/// The lines of a source.
pub(super) struct Lines<'a, R> {
    source: R,
    pub(super) line: Vec<u8>,
    /// The line has no newline in the source: it may have been cut.
    pub(super) is_cut: bool,
    /// The line was only looked at.
    is_unread: bool,
    number: u64,
    bytes: u64,
    progress: &'a mut dyn FnMut(u64),
}

impl<'a, R: BufRead> Lines<'a, R> {
    /// Calls `progress` with the number of bytes read now and then.
    pub(super) fn new(source: R, progress: &'a mut dyn FnMut(u64)) -> Lines<'a, R> {
        Lines {
            source,
            line: Vec::new(),
            is_cut: false,
            is_unread: false,
            number: 0,
            bytes: 0,
            progress,
        }
    }

    /// The next line, which [`advance`](Self::advance) returns again.
    pub(super) fn peek(&mut self) -> Result<&[u8], InputError> {
        self.advance()?;
        self.is_unread = true;
        Ok(&self.line)
    }

    /// Reads the next line, with a newline at its end. False if there is none.
    pub(super) fn advance(&mut self) -> Result<bool, InputError> {
        if std::mem::take(&mut self.is_unread) {
            return Ok(!self.line.is_empty());
        }
        self.line.clear();
        self.number += 1;
        let length =
            io::Read::take(&mut self.source, MAX_LINE).read_until(b'\n', &mut self.line)?;
        let before = self.bytes / PROGRESS_BYTES;
        self.bytes += u64::try_from(length).expect("it is at most MAX_LINE");
        if self.bytes / PROGRESS_BYTES > before {
            (self.progress)(self.bytes);
        }
        if length == 0 {
            return Ok(false);
        }
        self.is_cut = self.line.last() != Some(&b'\n');
        if self.is_cut {
            if u64::try_from(length) == Ok(MAX_LINE) {
                return Err(self.error(format!("it is longer than {} MiB", MAX_LINE >> 20)));
            }
            self.line.push(b'\n');
        }
        Ok(true)
    }

    pub(super) fn error(&self, problem: impl Into<String>) -> InputError {
        InputError::Line { line: self.number, problem: problem.into() }
    }
}
