//! How to backfill, and why it can fail.

use std::io;
use std::ops::Range;
use std::path::PathBuf;

use crate::rewrite::exposition;

/// What to do with a sample of a series that has samples already, though not at that time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Existing {
    /// Fail.
    #[default]
    Refuse,
    /// Write it. Samples that are stored stay.
    Keep,
}

/// How to backfill.
#[derive(Clone, Debug)]
pub struct Options {
    /// The length of a window in milliseconds: at most 2^32.
    pub window: u32,
    /// The memory for sorting, in bytes.
    pub memory: u64,
    /// The folder for records that do not fit in memory.
    pub spill_folder: PathBuf,
    /// What to do with series that exist.
    pub existing: Existing,
    /// The labels of targets of which there is no `up`.
    pub target_labels: Vec<String>,
    /// Samples at other times are not read. Milliseconds since 1970.
    pub range: Range<i64>,
}

/// Why the samples cannot be rewritten.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A time is before 1970, or too far away.
    #[error("a sample at {0} ms since 1970: only times from 1970 to 2100 can be written")]
    Time(i64),
    /// Records cannot be written to the spill folder, or read from it.
    #[error("cannot sort in {}", .folder.display())]
    Sort {
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The engine refuses a scrape.
    #[error("the scrape of {target} at {time} ms since 1970")]
    Scrape {
        /// Its labels.
        target: String,
        /// Its time.
        time: i64,
        /// Why.
        source: exposition::Error,
    },
    /// A series that would be written exists.
    #[error("{series} has samples from {first} ms since 1970 on, and would get one at {time}")]
    Exists {
        /// The series.
        series: String,
        /// The time of its first sample.
        first: i64,
        /// The time of the sample that would be written.
        time: i64,
    },
    /// The output cannot be written.
    #[error("cannot write the output")]
    Write(#[source] io::Error),
}
