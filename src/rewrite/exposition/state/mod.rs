//! What becomes of each sample, and everything that is remembered of the body until it is complete.
//!
//! Most samples are [alike](ExpositionState::alike) the one before, and nothing is decided. Where the label set is another one, it is
//! [decided](decide) what becomes of it; every sample of the set is then [carried out](carry_out) so.

mod apply;
mod current;
mod decide;

use std::collections::HashSet;
use std::mem::{replace, take};
use std::sync::Arc;

use super::Limits;
use super::families::{Families, FamilyId, HeaderAction};
use super::labels::{LabelHashes, Labels, RenderedLabels};
use super::output::Output;
use super::report::Report;
use crate::exposition::{Header, LabelHasher, Sample, Scanner, Span};
use crate::mapping::plan::exposition::Plan;
use crate::rewrite::exposition::explain::trace::{SampleTrace, Trace, Used};
use crate::rewrite::exposition::gathered::series::{Accumulator, GatheredSeries};
use crate::rewrite::exposition::limits::{Budget, LimitExceeded};
use crate::rewrite::exposition::series_set::{SeriesKeys, SeriesSet};
use current::{Action, Current, FastPath};

/// About what a family takes beside its name.
const FAMILY_BYTES: usize = 256;

/// Everything that is known of the body so far.
#[derive(Debug)]
pub(in crate::rewrite::exposition) struct ExpositionState {
    pub(in crate::rewrite::exposition) plan: Arc<Plan>,
    pub(in crate::rewrite::exposition) hasher: LabelHasher,
    pub(in crate::rewrite::exposition) families: Families,
    /// What rules have gathered, in the order in which they first did.
    pub(in crate::rewrite::exposition) gathered: Vec<GatheredSeries>,
    /// The hold of each rule.
    pub(in crate::rewrite::exposition) gathered_by: Vec<Option<usize>>,
    /// The family that each rule was seen to read.
    pub(in crate::rewrite::exposition) source_of: Vec<FamilyId>,
    /// Label sets of each reference.
    pub(in crate::rewrite::exposition) references: Vec<HashSet<u64>>,
    /// Series that have left as they came, of families that rules write too.
    pub(in crate::rewrite::exposition) passed_series: SeriesSet,
    /// Series that rules have written already.
    renamed_series: SeriesSet,
    /// Series of families that the source prints more than once.
    deduplicated: SeriesKeys,
    budget: Budget,
    current: Current,
    hashes: LabelHashes,
    text: RenderedLabels,
    pub(in crate::rewrite::exposition) report: Report,
    /// Where somebody wants to know: what was done with each sample. It never decides anything.
    pub(in crate::rewrite::exposition) trace: Option<Box<Trace>>,
}

impl ExpositionState {
    pub(in crate::rewrite::exposition) fn new(plan: Arc<Plan>, limits: Limits) -> Self {
        let hasher = LabelHasher::numbered(0);
        ExpositionState {
            families: Families::default(),
            gathered: Vec::new(),
            gathered_by: vec![None; plan.rules.len()],
            source_of: vec![0; plan.rules.len()],
            references: vec![HashSet::new(); plan.references.len()],
            passed_series: SeriesSet::default(),
            renamed_series: SeriesSet::default(),
            deduplicated: SeriesKeys::default(),
            budget: Budget::new(limits),
            current: Current::default(),
            hashes: LabelHashes::new(hasher.clone()),
            text: RenderedLabels::default(),
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
        let keep = match self.current.fast_path {
            FastPath::Unknown => return None,
            FastPath::Passes(with) => {
                if sample.shared < with {
                    return None;
                }
                self.report.passed += 1;
                true
            }
            FastPath::Bucket(rule, hold) => {
                let le = self.next_le(scanner, sample)?;
                let Accumulator::Histograms(ladders) = &mut self.gathered[hold].accumulator else {
                    return None;
                };
                let cell = ladders.boundaries.cell(le.of(line)).ok()?;
                if ladders.short_of(cell).is_some() {
                    return None;
                }
                #[allow(clippy::cast_precision_loss, reason = "at most 15 digits")]
                ladders.bucket(cell, sample.integer? as f64);
                self.report.read(rule);
                self.report.kept += u64::from(self.current.keep);
                self.current.keep
            }
            FastPath::Renamed(rule) => {
                let le = self.next_le(scanner, sample)?;
                let out = out.replacement();
                out.extend_from_slice(&self.current.rendered_prefix);
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
        let last = scanner.labels().get(self.current.labels)?;
        (sample.shared > self.current.labels).then_some(last.value)
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
    ) -> Result<HeaderAction, LimitExceeded> {
        // It may tell what a suffix means: look the next sample's name up again.
        self.current.name.clear();
        self.current.fast_path = FastPath::Unknown;
        let known = self.families.len();
        let name = header.name.of(line);
        let id = self.families.named(name, plan);
        if self.families.len() > known {
            self.budget.add_series(name.len() + FAMILY_BYTES)?;
        }
        let fate = self.families.family_mut(id).header(header.kind, header.text.of(line), line);
        if fate == HeaderAction::Wait {
            self.budget.add_bytes(2 * line.len())?;
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
    ) -> Result<bool, LimitExceeded> {
        self.report.samples_in += 1;
        let labels = Labels { line, spans: scanner.labels() };
        let changed = sample.shared.saturating_sub(1);
        let name = scanner.name().of(line);
        let renamed = sample.shared == 0 && name != self.current.name;
        if renamed || self.current.name.is_empty() || scanner.has_quoted_name() {
            self.enter(plan, scanner, name)?;
        }
        if self.current.plain {
            self.families.family_mut(self.current.family).pass(out);
            self.report.passed += 1;
            self.current.fast_path =
                if self.trace.is_none() { FastPath::Passes(1) } else { FastPath::Unknown };
            return Ok(true);
        }
        self.hashes.changed(changed);
        self.current.fast_path = FastPath::Unknown;
        if self.current.deduplicated && !self.is_first(labels)? {
            self.report.drop("repeated_series");
            // The label set at hand was not decided on.
            self.current.labels = usize::MAX;
            self.current.dropped = Some("repeated_series");
            return Ok(false);
        }
        if changed < self.current.labels || labels.spans.len() != self.current.names.len() {
            self.same_names(labels, changed);
            for rendering in &mut self.current.renderings {
                rendering.changed = rendering.changed.min(changed);
            }
            self.decide(plan, labels)?;
        }
        if let Some(reason) = self.current.dropped {
            self.report.drop(reason);
            return Ok(false);
        }
        if !self.current.actions.is_empty() {
            self.apply(plan, scanner, line, sample, out)?;
        }
        if self.current.keep {
            self.families.family_mut(self.current.family).pass(out);
            let count = if self.current.actions.is_empty() {
                &mut self.report.passed
            } else {
                &mut self.report.kept
            };
            *count += 1;
        }
        self.expect_alike();
        Ok(self.current.keep)
    }

    /// Prepares for samples that differ in their `le` alone: see [`alike`](Self::alike).
    fn expect_alike(&mut self) {
        let current = &mut self.current;
        if current.deduplicated || current.labels == usize::MAX || self.trace.is_some() {
            return;
        }
        current.fast_path = match current.actions[..] {
            [] => FastPath::Passes(current.labels + 1),
            [Action::Histogram(rule, hold, _)] => FastPath::Bucket(rule, hold),
            [Action::Rename(rule, ..)] if !current.rendered_prefix.is_empty() => {
                FastPath::Renamed(rule)
            }
            _ => return,
        };
        // Their `le` will have changed by the time that something is decided on again.
        self.hashes.changed(current.labels);
    }

    /// A sample of another name than the one before.
    fn enter(&mut self, plan: &Plan, scanner: &Scanner, name: &[u8]) -> Result<(), LimitExceeded> {
        let known = self.families.len();
        let (family, part) = self.families.of_sample(name, plan);
        if self.families.len() > known {
            self.budget.add_series(name.len() + FAMILY_BYTES)?;
        }
        let of = self.families.arrived(family);
        let current = &mut self.current;
        current.name.clear();
        if !scanner.has_quoted_name() {
            current.name.extend_from_slice(name);
        }
        current.family = family;
        current.part = part;
        // A quoted name cannot be replaced like a plain one, and no pack can name it.
        current.fast_path = FastPath::Unknown;
        current.plain = of.is_plain() || scanner.has_quoted_name();
        current.deduplicated = of.plan.once;
        current.labels = usize::MAX;
        current.names.clear();
        current.renderings.clear();
        self.hashes.changed(0);
        if let Some(generation) = of.plan.generation {
            self.report.generations.insert(generation);
        }
        Ok(())
    }

    /// Whether no equal series has come before, of a family that the source prints more than once.
    fn is_first(&mut self, labels: Labels<'_>) -> Result<bool, LimitExceeded> {
        let name = self.hasher.label(&self.current.name);
        let first = self.deduplicated.insert(name.wrapping_add(self.hashes.of_set(labels, None)));
        if first {
            self.budget.add_series(16)?;
        }
        Ok(first)
    }

    /// Writes down what was done with the sample at hand.
    #[cold]
    pub(in crate::rewrite::exposition) fn record(&mut self, number: u64, line: &[u8]) {
        let Some(trace) = &mut self.trace else { return };
        let current = &self.current;
        let lost = self.report.dropped.get("bad_le").copied().unwrap_or(0);
        let bad_le = replace(&mut trace.bad_le, lost) < lost;
        let mut sample = SampleTrace::new(number, line, self.families.family(current.family));
        if current.plain {
            sample.keep = true;
        } else if let Some(reason) = current.dropped {
            sample.dropped = Some(reason);
        } else {
            sample.keep = current.keep;
            sample.used = !current.actions.is_empty();
            sample.dropped = (bad_le && !current.keep).then_some("bad_le");
            sample.refused.clone_from(&current.refused);
            for used in &current.actions {
                sample.actions.push(match *used {
                    Action::Rename(rule, ..) => Used::Streamed(rule, take(&mut trace.streamed)),
                    Action::Histogram(rule, ..) if bad_le => {
                        sample.refused.push((rule, "bad_le"));
                        continue;
                    }
                    Action::Scalar(rule, hold, slot) | Action::Histogram(rule, hold, slot) => {
                        Used::Held(rule, hold, slot)
                    }
                    Action::PartOfTotal(hold, slot) => Used::PartOfTotal(hold, slot),
                });
            }
        }
        trace.samples.push(sample);
    }

    /// No more will come.
    pub(in crate::rewrite::exposition) fn complete(&mut self) {
        for hold in &mut self.gathered {
            if let Accumulator::Histograms(ladders) = &mut hold.accumulator {
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
