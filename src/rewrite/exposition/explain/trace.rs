//! What the walk did, step by step, for [`explain`](crate::rewrite::exposition::explain()).
//!
//! The engine walks the same way whether or not it is watched; watched, it takes no short cut, so that each sample is
//! seen, and writes down what it did behind each decision. Nothing is ever read back.

use crate::mapping::plan::exposition::{OutputId, RuleId};
use crate::rewrite::exposition::families::Family;
use crate::rewrite::exposition::gathered::series::SeriesSlot;

/// Everything that was done with one body.
#[derive(Debug, Default)]
pub(in crate::rewrite::exposition) struct Trace {
    /// Samples, in order.
    pub(in crate::rewrite::exposition) samples: Vec<SampleTrace>,
    /// Lines that Prometheus would refuse: number, line, reason.
    pub(in crate::rewrite::exposition) flawed: Vec<(u64, Box<[u8]>, &'static str)>,
    /// Held label sets, as they left.
    pub(in crate::rewrite::exposition) written: Vec<Written>,
    /// What the sample at hand left as.
    pub(in crate::rewrite::exposition) streamed: Box<[u8]>,
    /// Buckets without a boundary so far.
    pub(in crate::rewrite::exposition) bad_le: u64,
}

/// What was done with one sample.
#[derive(Debug)]
pub(in crate::rewrite::exposition) struct SampleTrace {
    /// Number of the line, from 1.
    pub(in crate::rewrite::exposition) number: u64,
    pub(in crate::rewrite::exposition) line: Box<[u8]>,
    pub(in crate::rewrite::exposition) family: Box<[u8]>,
    /// It left as it came.
    pub(in crate::rewrite::exposition) keep: bool,
    /// Some rule read it and was carried out.
    pub(in crate::rewrite::exposition) used: bool,
    pub(in crate::rewrite::exposition) dropped: Option<&'static str>,
    pub(in crate::rewrite::exposition) refused: Vec<(RuleId, &'static str)>,
    pub(in crate::rewrite::exposition) actions: Vec<Used>,
}

/// What one rule did with a sample.
#[derive(Debug)]
pub(in crate::rewrite::exposition) enum Used {
    /// It left at once, as this.
    Streamed(RuleId, Box<[u8]>),
    /// It was held.
    Held(RuleId, usize, SeriesSlot),
    /// It was held as part of a total.
    PartOfTotal(usize, SeriesSlot),
}

/// What became of a held label set.
#[derive(Debug)]
pub(in crate::rewrite::exposition) struct Written {
    pub(in crate::rewrite::exposition) output: OutputId,
    pub(in crate::rewrite::exposition) rule: RuleId,
    pub(in crate::rewrite::exposition) redirect: Option<usize>,
    /// Where it was held, and what was joined to it.
    pub(in crate::rewrite::exposition) held: Vec<(usize, SeriesSlot)>,
    pub(in crate::rewrite::exposition) labels: Box<[u8]>,
    /// The lines written, headers included.
    pub(in crate::rewrite::exposition) text: Box<[u8]>,
    pub(in crate::rewrite::exposition) estimated: Vec<String>,
    pub(in crate::rewrite::exposition) is_ladder: bool,
    /// Of a remainder: what it is of, and what is taken from it.
    pub(in crate::rewrite::exposition) total: Option<f64>,
    pub(in crate::rewrite::exposition) parts: Option<f64>,
    /// The series had come in this shape too.
    pub(in crate::rewrite::exposition) already_present: bool,
}

impl SampleTrace {
    pub(in crate::rewrite::exposition) fn new(number: u64, line: &[u8], family: &Family) -> Self {
        SampleTrace {
            number,
            line: line.into(),
            family: family.name.clone(),
            keep: false,
            used: false,
            dropped: None,
            refused: Vec::new(),
            actions: Vec::new(),
        }
    }
}
