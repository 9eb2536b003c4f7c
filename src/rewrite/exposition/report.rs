//! What happened to one exposition.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::mapping::Generation;
use crate::mapping::plan::exposition::{Input, Plan, RuleId};

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
    /// What a source of these generations prints and this one did not. Known at the end.
    pub missing: Vec<Missing>,
    /// The exposition was read and written to its end.
    pub complete: bool,
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

/// Samples that packs know a source of this generation to print, and that did not come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The family, where it did not occur at all; otherwise which of its samples did not.
    pub input: String,
    /// The generation of a source that prints them.
    pub generation: Generation,
    /// The rules that had nothing to read, as in `Rule::title`. None where the samples would have passed.
    pub rules: Vec<String>,
    /// Why they may be missing and what to do, where a pack says it.
    pub hint: Option<String>,
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

    pub(super) fn redirected(&mut self, rewritten: Rewritten) {
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

    /// Everything is written: lists what the rules did, and what did not come. `came` says whether a family had samples.
    pub(super) fn complete(&mut self, plan: &Plan, came: impl Fn(&[u8]) -> bool) {
        self.complete = true;
        self.find_missing(plan, came);
        let used = plan.rules.iter().zip(&self.counts).filter(|(_, counts)| counts.read > 0);
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

    fn find_missing(&mut self, plan: &Plan, came: impl Fn(&[u8]) -> bool) {
        let read = |rule: &RuleId| self.counts[rule.0 as usize].read > 0;
        // Where no rule reads the samples, nothing but the family can be told of.
        let arrived = |input: &Input| {
            input.rules.iter().any(read) || (input.rules.is_empty() && came(&input.family))
        };
        let mut missing: Vec<Missing> = Vec::new();
        let mut known: HashMap<String, usize> = HashMap::new();
        for expected in &plan.expected {
            if [&expected.old, &expected.new].into_iter().flatten().any(arrived) {
                continue;
            }
            for generation in &self.generations {
                let Some(input) = expected.side(*generation) else { continue };
                let (name, hint) = if came(&input.family) {
                    (input.selector.clone(), &input.without_samples)
                } else {
                    (input.family.escape_ascii().to_string(), &input.without_family)
                };
                let rules = input.rules.iter().map(|id| plan.rule(*id).title.clone());
                if let Some(at) = known.get(&name) {
                    missing[*at].rules.extend(rules);
                    continue;
                }
                known.insert(name.clone(), missing.len());
                missing.push(Missing {
                    input: name,
                    generation: *generation,
                    rules: rules.collect(),
                    hint: hint.clone(),
                });
            }
        }
        self.missing = missing;
    }
}
