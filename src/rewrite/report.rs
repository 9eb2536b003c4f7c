//! What happened to one exposition.

use std::collections::{BTreeMap, BTreeSet};

use crate::mapping::Generation;
use crate::mapping::plan::{Plan, RuleId};

/// What happened to one exposition. The engine counts nothing anywhere else.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// Bytes that arrived.
    pub bytes_in: u64,
    /// Samples that arrived and could be read.
    pub samples_in: u64,
    /// Samples that left.
    pub samples_out: u64,
    /// Samples that left as they came because no rule reads them.
    pub passed: u64,
    /// Samples that left as they came although a rule reads them too (`emit: both`).
    pub kept: u64,
    /// Most bytes held at one time for families that leave at the end, about.
    pub held_bytes: usize,
    /// What each rule did that read anything, in the order of the packs. Complete at the end.
    pub rewritten: Vec<Rewritten>,
    /// Lines and samples left out, by reason. Reasons are a fixed set, fit for a metric label.
    pub dropped: BTreeMap<&'static str, u64>,
    /// Label sets that a rule reads but that had to leave as they came, by reason: `label_conflict`
    /// (the rule would give a second label of one name), `not_joinable` (a gauge or summary that
    /// nobody said how to join).
    pub notes: BTreeMap<&'static str, u64>,
    /// Lines that Prometheus would refuse and that were handed on all the same.
    pub malformed_passed: u64,
    /// Generations whose families occurred.
    pub generations: BTreeSet<Generation>,
    /// Family written → spelled boundaries that were estimated rather than read.
    pub estimated: BTreeMap<String, BTreeSet<String>>,
    counts: Vec<Counts>,
}

/// What one rule did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rewritten {
    /// The entry for people, as in `Rule::title`.
    pub title: String,
    /// Family read.
    pub from: String,
    /// Family written.
    pub to: String,
    /// Samples read. For an `only_with` entry 0: its samples are read by the entry without.
    pub samples_in: u64,
    /// Samples written.
    pub samples_out: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    read: u64,
    wrote: u64,
}

impl Report {
    pub(super) fn new(plan: &Plan) -> Self {
        Report { counts: vec![Counts::default(); plan.rules.len()], ..Report::default() }
    }

    #[inline]
    pub(super) fn read(&mut self, rule: RuleId) {
        self.counts[rule.0 as usize].read += 1;
    }

    pub(super) fn wrote(&mut self, rule: RuleId, samples: u64) {
        self.counts[rule.0 as usize].wrote += samples;
    }

    pub(super) fn diverted(&mut self, rewritten: Rewritten) {
        self.rewritten.push(rewritten);
    }

    /// A line or sample is left out.
    pub(super) fn drop(&mut self, reason: &'static str) {
        *self.dropped.entry(reason).or_default() += 1;
    }

    pub(super) fn note(&mut self, reason: &'static str) {
        *self.notes.entry(reason).or_default() += 1;
    }

    pub(super) fn estimate<'a>(&mut self, family: &[u8], texts: impl Iterator<Item = &'a str>) {
        let mut texts = texts.peekable();
        if texts.peek().is_some() {
            let name = family.escape_ascii().to_string();
            self.estimated.entry(name).or_default().extend(texts.map(str::to_owned));
        }
    }

    /// Everything is written: lists what the rules did.
    pub(super) fn complete(&mut self, plan: &Plan) {
        let used = plan.rules.iter().zip(&self.counts).filter(|(_, counts)| counts.read > 0);
        let listed = used.map(|(rule, counts)| Rewritten {
            title: rule.title.clone(),
            from: rule.from.escape_ascii().to_string(),
            to: plan.output(rule.to).name.escape_ascii().to_string(),
            samples_in: counts.read,
            samples_out: counts.wrote,
        });
        let diverted = std::mem::take(&mut self.rewritten);
        self.rewritten = listed.chain(diverted).collect();
        self.samples_out =
            self.passed + self.kept + self.rewritten.iter().map(|r| r.samples_out).sum::<u64>();
    }
}
