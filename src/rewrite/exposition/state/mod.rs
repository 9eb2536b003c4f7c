//! What becomes of each sample, and everything that is remembered of the body until it is complete.
//!
//! Most samples are [alike](Body::alike) the one before, and nothing is decided. Where the label set is another one, it is
//! [decided](decide) what becomes of it; every sample of the set is then [carried out](carry_out) so.

mod apply;
mod current;
mod decide;

use std::collections::HashSet;
use std::mem::{replace, take};
use std::sync::Arc;

use super::Limits;
use super::families::{Families, FamilyId, HeaderFate};
use super::labels::{LabelHashes, LabelText, Labels};
use super::output::Output;
use super::report::Report;
use crate::exposition::{Header, LabelHasher, Sample, Scanner, Span};
use crate::mapping::plan::exposition::Plan;
use crate::rewrite::exposition::explain::trace::{SampleTrace, Trace, Used};
use crate::rewrite::exposition::gathered::series::{Cells, Hold};
use crate::rewrite::exposition::limits::{Budget, Over};
use crate::rewrite::exposition::series_set::{Keys, Seen};
use current::{Next, Now, Use};

/// About what a family takes beside its name.
const FAMILY_BYTES: usize = 256;

/// Everything that is known of the body so far.
#[derive(Debug)]
pub(in crate::rewrite::exposition) struct Body {
    pub(in crate::rewrite::exposition) plan: Arc<Plan>,
    pub(in crate::rewrite::exposition) hasher: LabelHasher,
    pub(in crate::rewrite::exposition) families: Families,
    /// What rules have gathered, in the order in which they first did.
    pub(in crate::rewrite::exposition) holds: Vec<Hold>,
    /// The hold of each rule.
    pub(in crate::rewrite::exposition) hold_of: Vec<Option<usize>>,
    /// The family that each rule was seen to read.
    pub(in crate::rewrite::exposition) source_of: Vec<FamilyId>,
    /// Label sets of each witness.
    pub(in crate::rewrite::exposition) witnesses: Vec<HashSet<u64>>,
    /// Series that have left as they came, of families that rules write too.
    pub(in crate::rewrite::exposition) natives: Seen,
    /// Series that rules have written already.
    streamed: Seen,
    /// Series of families that the source prints more than once.
    once: Keys,
    budget: Budget,
    now: Now,
    hashes: LabelHashes,
    text: LabelText,
    pub(in crate::rewrite::exposition) report: Report,
    /// Where somebody wants to know: what was done with each sample. It never decides anything.
    pub(in crate::rewrite::exposition) trace: Option<Box<Trace>>,
}

impl Body {
    pub(in crate::rewrite::exposition) fn new(plan: Arc<Plan>, limits: Limits) -> Self {
        let hasher = LabelHasher::numbered(0);
        Body {
            families: Families::default(),
            holds: Vec::new(),
            hold_of: vec![None; plan.rules.len()],
            source_of: vec![0; plan.rules.len()],
            witnesses: vec![HashSet::new(); plan.witnesses.len()],
            natives: Seen::default(),
            streamed: Seen::default(),
            once: Keys::default(),
            budget: Budget::new(limits),
            now: Now::default(),
            hashes: LabelHashes::new(hasher.clone()),
            text: LabelText::default(),
            report: Report::new(&plan),
            trace: None,
            hasher,
            plan,
        }
    }

    /// Takes a sample that differs from the one before in its last label and its value alone, where
    /// nothing has to be decided on: it passes as that did, or is the next bucket of the ladder.
    ///
    /// `Some` says whether it leaves as it came. `None` says nothing about it: [`sample`](Self::sample)
    /// does.
    #[inline]
    pub(in crate::rewrite::exposition) fn alike(
        &mut self,
        scanner: &Scanner,
        line: &[u8],
        sample: Sample,
        out: &mut Output<'_>,
    ) -> Option<bool> {
        let keep = match self.now.next {
            Next::Unknown => return None,
            Next::Passes(with) => {
                if sample.shared < with {
                    return None;
                }
                self.report.passed += 1;
                true
            }
            Next::Bucket(rule, hold) => {
                let le = self.next_le(scanner, sample)?;
                let Cells::Ladders(ladders) = &mut self.holds[hold].cells else { return None };
                let cell = ladders.boundaries.cell(le.of(line)).ok()?;
                if ladders.short_of(cell).is_some() {
                    return None;
                }
                #[allow(clippy::cast_precision_loss, reason = "at most 15 digits")]
                ladders.bucket(cell, sample.integer? as f64);
                self.report.read(rule);
                self.report.kept += u64::from(self.now.keep);
                self.now.keep
            }
            Next::Renamed(rule) => {
                let le = self.next_le(scanner, sample)?;
                let out = out.instead();
                out.extend_from_slice(&self.now.head);
                out.extend_from_slice(&line[le.start()..]);
                self.report.read(rule);
                self.report.wrote(rule, 1);
                false
            }
        };
        self.report.samples_in += 1;
        Some(keep)
    }

    /// The `le` of a sample that continues the ladder at hand.
    #[inline]
    fn next_le(&self, scanner: &Scanner, sample: Sample) -> Option<Span> {
        let last = scanner.labels().get(self.now.labels)?;
        (sample.shared > self.now.labels).then_some(last.value)
    }

    /// Takes a header line.
    ///
    /// # Errors
    ///
    /// More would have to be held than the limits allow.
    pub(in crate::rewrite::exposition) fn header(
        &mut self,
        plan: &Plan,
        header: Header,
        line: &[u8],
    ) -> Result<HeaderFate, Over> {
        // It may tell what a suffix means: look the next sample's name up again.
        self.now.name.clear();
        self.now.next = Next::Unknown;
        let known = self.families.len();
        let name = header.name.of(line);
        let id = self.families.named(name, plan);
        if self.families.len() > known {
            self.budget.spend(name.len() + FAMILY_BYTES)?;
        }
        let fate = self.families.family_mut(id).header(header.kind, header.text.of(line), line);
        if fate == HeaderFate::Wait {
            self.budget.grow(2 * line.len())?;
        }
        Ok(fate)
    }

    /// Takes a sample; true where it leaves as it came. What is to be written before it, or instead of
    /// it, goes to `out`.
    ///
    /// # Errors
    ///
    /// More would have to be held than the limits allow.
    pub(in crate::rewrite::exposition) fn sample(
        &mut self,
        plan: &Plan,
        scanner: &Scanner,
        line: &[u8],
        sample: Sample,
        out: &mut Output<'_>,
    ) -> Result<bool, Over> {
        self.report.samples_in += 1;
        let labels = Labels { line, spans: scanner.labels() };
        let changed = sample.shared.saturating_sub(1);
        let name = scanner.name().of(line);
        let renamed = sample.shared == 0 && name != self.now.name;
        if renamed || self.now.name.is_empty() || scanner.has_quoted_name() {
            self.enter(plan, scanner, name)?;
        }
        if self.now.plain {
            self.families.family_mut(self.now.family).pass(out);
            self.report.passed += 1;
            self.now.next = if self.trace.is_none() { Next::Passes(1) } else { Next::Unknown };
            return Ok(true);
        }
        self.hashes.changed(changed);
        self.now.next = Next::Unknown;
        if self.now.once && !self.is_first(labels)? {
            self.report.drop("repeated_series");
            // The label set at hand was not decided on.
            self.now.labels = usize::MAX;
            self.now.dropped = Some("repeated_series");
            return Ok(false);
        }
        if changed < self.now.labels || labels.spans.len() != self.now.names.len() {
            self.same_names(labels, changed);
            for rendering in &mut self.now.renderings {
                rendering.changed = rendering.changed.min(changed);
            }
            self.decide(plan, labels)?;
        }
        if let Some(reason) = self.now.dropped {
            self.report.drop(reason);
            return Ok(false);
        }
        if !self.now.uses.is_empty() {
            self.apply(plan, scanner, line, sample, out)?;
        }
        if self.now.keep {
            self.families.family_mut(self.now.family).pass(out);
            let count = if self.now.uses.is_empty() {
                &mut self.report.passed
            } else {
                &mut self.report.kept
            };
            *count += 1;
        }
        self.expect_alike();
        Ok(self.now.keep)
    }

    /// Prepares for samples that differ in their `le` alone: see [`alike`](Self::alike).
    fn expect_alike(&mut self) {
        let now = &mut self.now;
        if now.once || now.labels == usize::MAX || self.trace.is_some() {
            return;
        }
        now.next = match now.uses[..] {
            [] => Next::Passes(now.labels + 1),
            [Use::Ladder(rule, hold, _)] => Next::Bucket(rule, hold),
            [Use::Stream(rule, ..)] if !now.head.is_empty() => Next::Renamed(rule),
            _ => return,
        };
        // Their `le` will have changed by the time that something is decided on again.
        self.hashes.changed(now.labels);
    }

    /// A sample of another name than the one before.
    fn enter(&mut self, plan: &Plan, scanner: &Scanner, name: &[u8]) -> Result<(), Over> {
        let known = self.families.len();
        let (family, part) = self.families.of_sample(name, plan);
        if self.families.len() > known {
            self.budget.spend(name.len() + FAMILY_BYTES)?;
        }
        let of = self.families.arrived(family);
        let now = &mut self.now;
        now.name.clear();
        if !scanner.has_quoted_name() {
            now.name.extend_from_slice(name);
        }
        now.family = family;
        now.part = part;
        // A quoted name cannot be replaced like a plain one, and no pack can name it.
        now.next = Next::Unknown;
        now.plain = of.is_plain() || scanner.has_quoted_name();
        now.once = of.plan.once;
        now.labels = usize::MAX;
        now.names.clear();
        now.renderings.clear();
        self.hashes.changed(0);
        if let Some(generation) = of.plan.generation {
            self.report.generations.insert(generation);
        }
        Ok(())
    }

    /// Whether no equal series has come before, of a family that the source prints more than once.
    fn is_first(&mut self, labels: Labels<'_>) -> Result<bool, Over> {
        let name = self.hasher.label(&self.now.name);
        let first = self.once.insert(name.wrapping_add(self.hashes.of_set(labels, None)));
        if first {
            self.budget.spend(16)?;
        }
        Ok(first)
    }

    /// Writes down what was done with the sample at hand.
    #[cold]
    pub(in crate::rewrite::exposition) fn record(&mut self, number: u64, line: &[u8]) {
        let Some(trace) = &mut self.trace else { return };
        let now = &self.now;
        let lost = self.report.dropped.get("bad_le").copied().unwrap_or(0);
        let bad_le = replace(&mut trace.bad_le, lost) < lost;
        let mut sample = SampleTrace::new(number, line, self.families.family(now.family));
        if now.plain {
            sample.keep = true;
        } else if let Some(reason) = now.dropped {
            sample.dropped = Some(reason);
        } else {
            sample.keep = now.keep;
            sample.used = !now.uses.is_empty();
            sample.dropped = (bad_le && !now.keep).then_some("bad_le");
            sample.refused.clone_from(&now.refused);
            for used in &now.uses {
                sample.uses.push(match *used {
                    Use::Stream(rule, ..) => Used::Streamed(rule, take(&mut trace.streamed)),
                    Use::Ladder(rule, ..) if bad_le => {
                        sample.refused.push((rule, "bad_le"));
                        continue;
                    }
                    Use::Value(rule, hold, slot) | Use::Ladder(rule, hold, slot) => {
                        Used::Held(rule, hold, slot)
                    }
                    Use::Part(hold, slot) => Used::Part(hold, slot),
                });
            }
        }
        trace.samples.push(sample);
    }

    /// No more will come.
    pub(in crate::rewrite::exposition) fn complete(&mut self) {
        for hold in &mut self.holds {
            if let Cells::Ladders(ladders) = &mut hold.cells {
                ladders.finish_row();
            }
        }
    }
}

/// What is remembered of a series that has left.
pub(in crate::rewrite::exposition) fn series_key(
    hasher: &LabelHasher,
    family: &[u8],
    labels: u64,
) -> u64 {
    hasher.label(family).wrapping_add(labels)
}
