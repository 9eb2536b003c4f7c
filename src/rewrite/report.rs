//! What happened to one exposition.

use std::collections::BTreeMap;

use crate::mapping::Generation;

/// What happened to one exposition. The engine counts nothing anywhere else.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Bytes and samples that arrived.
    pub bytes_in: u64,
    /// Samples that arrived, dropped ones not included.
    pub samples_in: u64,
    /// Samples that left.
    pub samples_out: u64,
    /// Most bytes held at one time for families that leave at the end.
    pub held_bytes: usize,
    /// Families that a rule read, by rule in the order of the packs.
    pub rewritten: Vec<Rewritten>,
    /// Samples that no rule read.
    pub passed: u64,
    /// Lines and samples left out, by reason. Reasons are a fixed set, fit for a metric label.
    pub dropped: BTreeMap<&'static str, u64>,
    /// Generations whose families occurred.
    pub generations: Vec<Generation>,
    /// Output family → spelled boundaries that were estimated rather than read.
    pub estimated: BTreeMap<String, Vec<String>>,
}

/// What one rule did.
#[derive(Clone, Debug, Default)]
pub struct Rewritten {
    /// The entry for people, as in `Rule::title`.
    pub title: String,
    /// Family read.
    pub from: String,
    /// Family written.
    pub to: String,
    /// Samples read.
    pub samples_in: u64,
    /// Samples written.
    pub samples_out: u64,
}
