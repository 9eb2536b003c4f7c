//! What happened to one exposition.

use std::collections::{BTreeMap, BTreeSet};

use super::arrived::Arrived;
use super::estimate::Estimated;
use super::families::Families;
use super::missing::Missing;
use super::reason::{DropReason, RefusedBecause};
use crate::mapping::plan::exposition::{Plan, RuleId};
use crate::mapping::{EditionName, Generation};

/// What happened to one exposition. The engine counts nothing anywhere else.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// Bytes received, uncompressed.
    pub bytes_in: u64,
    /// Samples received that could be parsed.
    pub samples_in: u64,
    /// Samples written.
    pub samples_out: u64,
    /// Samples output unchanged because no rule reads them.
    pub passed: u64,
    /// Samples output unchanged that rules read too (`emit: both`).
    pub kept: u64,
    /// Most bytes kept at one time for families that are written at the end. An estimate.
    pub held_bytes: usize,
    /// What each rule did that read any sample, in the order of the packs. Complete at the end.
    pub rewritten: Vec<Rewritten>,
    /// What each item under `reduce` of a pack did that aggregates samples, even if there were none. It
    /// reads the output of the rules. Complete at the end.
    pub reduced: Vec<Rewritten>,
    /// Lines and samples that were not output.
    pub dropped: BTreeMap<DropReason, u64>,
    /// Label sets that a rule should have rewritten and that were output unchanged.
    pub unrewritten: BTreeMap<RefusedBecause, u64>,
    /// Lines that Prometheus would refuse and that were output anyway.
    pub malformed_passed: u64,
    /// Samples that strict output has in addition: missing buckets and counts.
    pub filled: u64,
    /// Label sets of histograms and summaries that strict output has without a sum or count, because
    /// it did not arrive and cannot be computed.
    pub incomplete: u64,
    /// Generations whose families were read.
    pub generations: BTreeSet<Generation>,
    /// The editions of the generations that were read, as far as bucket boundaries tell. Complete at
    /// the end.
    pub editions: BTreeSet<EditionName>,
    /// The editions of each generation whose bucket boundaries were output. Complete at the end.
    pub emitted_editions: BTreeSet<(Generation, EditionName)>,
    /// The rules that wrote estimated bucket counts, in the order in which families are written.
    pub estimated: Vec<Estimated>,
    /// Input series of these generations that this exposition does not have. Complete at the end.
    pub missing: Vec<Missing>,
    /// Names of the packs of which any family arrived. Complete at the end.
    pub packs: Vec<String>,
    /// Of each of these packs, the generations of its families: none if only families arrived that
    /// are the same in both. Complete at the end.
    pub generations_by_pack: BTreeMap<String, BTreeSet<Generation>>,
    /// Whether the exposition was read and written to its end.
    pub complete: bool,
    counts: Vec<Counts>,
    /// The patterns of which a sample had the labels of a generation.
    signed: BTreeSet<(usize, Generation)>,
}

/// What one rule did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rewritten {
    /// The rule for display, as in `Rule::title`.
    pub title: String,
    /// Family read.
    pub from: String,
    /// Family written.
    pub to: String,
    /// Samples read. 0 for a rule with `only_with`: its samples are read by the rule without.
    pub samples_in: u64,
    /// Samples written.
    pub samples_out: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    read: u64,
    wrote: u64,
    /// Label sets that the rule matches, and to which it could not be applied.
    refused: u64,
}

impl Report {
    pub(super) fn new(plan: &Plan) -> Self {
        Report { counts: vec![Counts::default(); plan.rules.len()], ..Report::default() }
    }

    #[inline]
    pub(super) fn read(&mut self, rule: RuleId, samples: u64) {
        self.counts[rule.0 as usize].read += samples;
    }

    pub(super) fn wrote(&mut self, rule: RuleId, samples: u64) {
        self.counts[rule.0 as usize].wrote += samples;
    }

    pub(super) fn redirected(&mut self, rewritten: Rewritten) {
        self.rewritten.push(rewritten);
    }

    /// Counts a line or sample that is not output.
    pub(super) fn drop(&mut self, reason: DropReason) {
        *self.dropped.entry(reason).or_default() += 1;
    }

    /// Counts several samples that are not output.
    pub(super) fn drop_all(&mut self, reason: DropReason, samples: u64) {
        if samples > 0 {
            *self.dropped.entry(reason).or_default() += samples;
        }
    }

    /// Counts a label set to which a rule could not be applied.
    pub(super) fn refuse(&mut self, rule: RuleId, because: RefusedBecause) {
        self.counts[rule.0 as usize].refused += 1;
        *self.unrewritten.entry(because).or_default() += 1;
    }

    /// Adds the estimated bucket counts of one rule, if there are any.
    pub(super) fn estimate(&mut self, estimated: Estimated) {
        if !estimated.boundaries.is_empty() {
            self.estimated.push(estimated);
        }
    }

    /// Everything is written: lists what the rules did, and what is missing.
    pub(super) fn complete(&mut self, plan: &Plan, families: &Families) {
        self.complete = true;
        let arrived = Arrived::new(plan, families, &self.signed);
        self.packs = arrived.packs(plan);
        self.generations_by_pack = arrived.generations_by_pack(plan);
        self.missing = arrived.missing(plan, |rule| self.reached(rule));
        // An item that reduces nothing is listed too, because its name may be wrong.
        let is_listed = |counts: &Counts| counts.read > 0 || plan.is_reduction;
        let used = plan.rules.iter().zip(&self.counts).filter(|(_, counts)| is_listed(counts));
        let listed = used.map(|(rule, counts)| Rewritten {
            title: rule.title.clone(),
            from: rule.from.escape_ascii().to_string(),
            to: plan.output(rule.to).name.escape_ascii().to_string(),
            samples_in: counts.read,
            samples_out: counts.wrote,
        });
        let redirected = std::mem::take(&mut self.rewritten);
        self.rewritten = listed.chain(redirected).collect();
        self.samples_out =
            self.passed + self.kept + self.rewritten.iter().map(|r| r.samples_out).sum::<u64>();
    }

    /// Adds what a stage did that has reduced the output of this one.
    pub(super) fn add_reduction(&mut self, reduction: &Report) {
        self.reduced.clone_from(&reduction.rewritten);
        self.add_next(reduction);
    }

    /// Adds what the stage of other packs did with the output of this one, which emits `emitted`.
    ///
    /// A target is of the generation that any stage had to rewrite. The last stage tells what is
    /// missing, because only its input is complete. `expected` is the number of inputs that this
    /// stage can miss.
    pub(super) fn add_stage(
        &mut self,
        next: &Report,
        emitted: Option<Generation>,
        expected: usize,
    ) {
        let is_rewritten = |generations: &BTreeSet<Generation>| {
            generations.iter().any(|generation| emitted.is_some_and(|its| its != *generation))
        };
        if !is_rewritten(&self.generations) {
            if !next.generations.is_empty() {
                self.generations.clone_from(&next.generations);
            }
            // What this stage has written is of the generation between the two.
            self.generations_by_pack.extend(next.generations_by_pack.clone());
        }
        self.rewritten.extend(next.rewritten.iter().cloned());
        self.reduced.clone_from(&next.reduced);
        self.missing.extend(next.missing.iter().cloned().map(|missing| Missing {
            expected: missing.expected.iter().map(|index| index + expected).collect(),
            ..missing
        }));
        self.packs.extend(next.packs.iter().cloned());
        self.editions.extend(&next.editions);
        self.emitted_editions.extend(&next.emitted_editions);
        self.add_next(next);
    }

    fn add_next(&mut self, next: &Report) {
        self.complete = true;
        self.samples_out = next.samples_out;
        let dropped = next.dropped.iter();
        for (reason, samples) in dropped.filter(|(it, _)| !matches!(it, DropReason::Malformed(_))) {
            self.drop_all(*reason, *samples);
        }
        for (because, label_sets) in &next.unrewritten {
            *self.unrewritten.entry(*because).or_default() += label_sets;
        }
        self.estimated.extend(next.estimated.iter().cloned());
    }

    /// Whether a rule has read a sample, or could not be applied to one.
    fn reached(&self, rule: RuleId) -> bool {
        let counts = self.counts[rule.0 as usize];
        counts.read > 0 || counts.refused > 0
    }

    /// A sample has the labels of a generation that a pattern names.
    pub(super) fn signed(&mut self, pattern: usize, generation: Generation) {
        self.generations.insert(generation);
        self.signed.insert((pattern, generation));
    }
}
