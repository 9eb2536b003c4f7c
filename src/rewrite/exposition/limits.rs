//! Counts what is kept in memory against the limits.

use super::options::{Error, Limits};

/// A limit was exceeded.
#[derive(Clone, Copy, Debug)]
pub(super) enum LimitExceeded {
    Series(usize),
    Bytes(usize),
    Buckets(usize),
}

impl LimitExceeded {
    /// The error for a limit that was exceeded at this line.
    pub(super) fn at(self, line: u64) -> Error {
        match self {
            LimitExceeded::Series(limit) => Error::TooManySeries { line, limit },
            LimitExceeded::Bytes(limit) => Error::TooMuchHeld { line, limit },
            LimitExceeded::Buckets(limit) => Error::TooManyBuckets { line, limit },
        }
    }
}

/// Label sets, families and keys that are kept until the end of the exposition.
#[derive(Debug)]
pub(super) struct Budget {
    series: usize,
    bytes: usize,
    max_series: usize,
    max_bytes: usize,
}

impl Budget {
    pub(super) fn new(limits: Limits) -> Self {
        Budget { series: 0, bytes: 0, max_series: limits.held_series, max_bytes: limits.held_bytes }
    }

    /// Counts one more label set (or family, or key) of this many bytes.
    ///
    /// # Errors
    ///
    /// Either limit is exceeded.
    pub(super) fn add_series(&mut self, bytes: usize) -> Result<(), LimitExceeded> {
        self.series += 1;
        if self.series > self.max_series {
            return Err(LimitExceeded::Series(self.max_series));
        }
        self.add_bytes(bytes)
    }

    /// Whether this many more bytes are within the limit.
    #[inline]
    pub(super) fn has_room_for(&self, bytes: usize) -> bool {
        self.bytes.saturating_add(bytes) <= self.max_bytes
    }

    /// Whether this many more label sets, of this many bytes together, are within the limits.
    #[inline]
    pub(super) fn has_room_for_series(&self, series: usize, bytes: usize) -> bool {
        self.series.saturating_add(series) <= self.max_series && self.has_room_for(bytes)
    }

    /// Counts this many more bytes.
    ///
    /// # Errors
    ///
    /// The limit is exceeded.
    pub(super) fn add_bytes(&mut self, bytes: usize) -> Result<(), LimitExceeded> {
        self.bytes += bytes;
        if self.bytes > self.max_bytes { Err(LimitExceeded::Bytes(self.max_bytes)) } else { Ok(()) }
    }
}
