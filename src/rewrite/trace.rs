//! What the walk did, step by step, for [`explain`](super::explain()).
//!
//! The engine walks the same way whether or not it is watched; watched, it takes no short cut, so that each sample is
//! seen, and writes down what it did behind each decision. Nothing is ever read back.

use super::families::Family;
use super::hold::Slot;
use crate::mapping::plan::{OutputId, RuleId};

/// Everything that was done with one body.
#[derive(Debug, Default)]
pub(super) struct Trace {
    /// Samples, in order.
    pub(super) samples: Vec<SampleTrace>,
    /// Lines that Prometheus would refuse: number, line, reason.
    pub(super) flawed: Vec<(u64, Box<[u8]>, &'static str)>,
    /// Held label sets, as they left.
    pub(super) written: Vec<Written>,
    /// What the sample at hand left as.
    pub(super) streamed: Box<[u8]>,
    /// Buckets without a boundary so far.
    pub(super) bad_le: u64,
}

/// What was done with one sample.
#[derive(Debug)]
pub(super) struct SampleTrace {
    /// Number of the line, from 1.
    pub(super) number: u64,
    pub(super) line: Box<[u8]>,
    pub(super) family: Box<[u8]>,
    /// It left as it came.
    pub(super) keep: bool,
    /// Some rule read it and was carried out.
    pub(super) used: bool,
    pub(super) dropped: Option<&'static str>,
    pub(super) refused: Vec<(RuleId, &'static str)>,
    pub(super) uses: Vec<Used>,
}

/// What one rule did with a sample.
#[derive(Debug)]
pub(super) enum Used {
    /// It left at once, as this.
    Streamed(RuleId, Box<[u8]>),
    /// It was held.
    Held(RuleId, usize, Slot),
    /// It was held as part of a total.
    Part(usize, Slot),
}

/// What became of a held label set.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) output: OutputId,
    pub(super) rule: RuleId,
    pub(super) divert: Option<usize>,
    /// Where it was held, and what was joined to it.
    pub(super) held: Vec<(usize, Slot)>,
    pub(super) labels: Box<[u8]>,
    /// The lines written, headers included.
    pub(super) text: Box<[u8]>,
    pub(super) estimated: Vec<String>,
    pub(super) is_ladder: bool,
    /// Of a remainder: what it is of, and what is taken from it.
    pub(super) total: Option<f64>,
    pub(super) parts: Option<f64>,
    /// The series had come in this shape too.
    pub(super) already_present: bool,
}

impl SampleTrace {
    pub(super) fn new(number: u64, line: &[u8], family: &Family) -> Self {
        SampleTrace {
            number,
            line: line.into(),
            family: family.name.clone(),
            keep: false,
            used: false,
            dropped: None,
            refused: Vec::new(),
            uses: Vec::new(),
        }
    }
}
