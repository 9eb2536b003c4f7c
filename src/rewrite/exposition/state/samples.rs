//! Takes the exposition line by line.
//!
//! Most samples are like the one before and take the [fast path](super::alike). For every other label set a verdict
//! is [decided](super::decide), which is then [applied](super::apply) to each sample of the set.

use super::current::{Action, FastPath, Verdict};
use super::exposition_state::ExpositionState;
use super::histogram_sets::{GatheredSet, Place};
use crate::exposition::Header;
use crate::rewrite::exposition::family::{HeaderAction, HistogramPart};
use crate::rewrite::exposition::labels::LE;
use crate::rewrite::exposition::limits::LimitExceeded;
use crate::rewrite::exposition::output::Output;
use crate::rewrite::exposition::reason::DropReason;
use crate::rewrite::exposition::recorder::Recorder;
use crate::rewrite::exposition::resolved_plan::ResolvedPlan;
use crate::rewrite::exposition::sample_line::SampleLine;

/// About how many bytes it takes to remember a series.
const SERIES_KEY_BYTES: usize = 16;

/// About how many bytes a family takes, in addition to its name.
const FAMILY_BYTES: usize = 256;

impl<R: Recorder> ExpositionState<R> {
    /// Handles a header line.
    ///
    /// # Errors
    ///
    /// More would have to be kept than the limits allow.
    pub(in crate::rewrite::exposition) fn header(
        &mut self,
        plan: &mut ResolvedPlan,
        header: Header,
        line: &[u8],
    ) -> Result<HeaderAction, LimitExceeded> {
        // The header may change what a suffix means, so look up the next sample's name again.
        self.current.name.clear();
        self.current.fast_path = FastPath::None;
        let known = self.families.len();
        let name = header.name.of(line);
        let text = header.text.of(line);
        let action = self.families.header(plan, name, header.kind, text, line);
        if self.families.len() > known {
            self.budget.add_series(name.len() + FAMILY_BYTES)?;
        }
        self.add_resolved_rules(plan)?;
        if action == HeaderAction::Wait {
            self.budget.add_bytes(2 * line.len())?;
        }
        Ok(action)
    }

    /// Takes a sample. Returns whether it is output unchanged; anything that is written before or
    /// instead of it is appended to `out`.
    ///
    /// # Errors
    ///
    /// More would have to be kept than the limits allow.
    pub(in crate::rewrite::exposition) fn sample(
        &mut self,
        plan: &mut ResolvedPlan,
        line: &SampleLine<'_>,
        out: &mut Output<'_>,
    ) -> Result<bool, LimitExceeded> {
        self.report.samples_in += 1;
        let renamed = line.sample.shared == 0 && line.name() != self.current.name;
        if renamed || self.current.name.is_empty() || line.scanner.has_quoted_name() {
            self.enter_family(plan, line)?;
        }
        if R::RECORDS {
            let family = &self.families.family(self.current.family).name;
            self.recorder.sample(line.number, line.text, family);
        }
        let changed = line.first_changed();
        self.hashes.changed(changed);
        self.current.fast_path = FastPath::None;
        self.current.timestamp = line.scanner.timestamp();
        if self.current.deduplicated && !self.is_first(line)? {
            // The verdict does not cover this label set.
            self.current.decided_labels = usize::MAX;
            self.report.drop(DropReason::RepeatedSeries);
            self.recorder.dropped(DropReason::RepeatedSeries);
            return Ok(false);
        }
        if self.current.plain {
            self.families.pass(self.current.family, out);
            self.report.passed += 1;
            self.recorder.forwarded();
            if !R::RECORDS && !self.current.deduplicated {
                self.current.fast_path = FastPath::Pass;
            }
            return Ok(true);
        }
        let labels = line.labels();
        if changed < self.current.decided_labels || labels.spans.len() != self.current.labels {
            self.begin_label_set(labels);
            if self.current.not_read {
                self.decide_passing(labels)?;
            } else {
                self.set_label_names(labels, changed);
                self.decide(plan, labels)?;
            }
        }
        self.carry_out(plan, line, out)
    }

    /// Applies the verdict to one sample. Returns whether the sample is output unchanged.
    #[inline]
    fn carry_out(
        &mut self,
        plan: &ResolvedPlan,
        line: &SampleLine<'_>,
        out: &mut Output<'_>,
    ) -> Result<bool, LimitExceeded> {
        let forward = match self.current.verdict {
            Verdict::Drop(reason) => {
                self.report.drop(reason);
                self.recorder.dropped(reason);
                return Ok(false);
            }
            Verdict::Pass => {
                self.record_refusals();
                self.report.passed += 1;
                true
            }
            Verdict::Apply(ref decision) => {
                let forward = decision.forward;
                self.record_refusals();
                if !self.apply(plan, line, out)? {
                    self.report.drop(DropReason::RepeatedSeries);
                    self.recorder.dropped(DropReason::RepeatedSeries);
                    return Ok(false);
                }
                self.report.kept += u64::from(forward);
                forward
            }
        };
        if forward {
            self.families.pass(self.current.family, out);
            self.recorder.forwarded();
        }
        self.expect_alike(plan, line)?;
        Ok(forward)
    }

    fn record_refusals(&mut self) {
        if R::RECORDS {
            for &(rule, because) in &self.current.refused {
                self.recorder.refused(rule, because);
            }
        }
    }

    /// Prepares for samples for which nothing has to be decided: see [`read_alike`](Self::read_alike).
    fn expect_alike(
        &mut self,
        plan: &ResolvedPlan,
        line: &SampleLine<'_>,
    ) -> Result<(), LimitExceeded> {
        let current = &self.current;
        if R::RECORDS || current.deduplicated || current.timestamp.is_some() {
            return Ok(());
        }
        match current.part {
            Some(HistogramPart::Bucket) if current.decided_labels < usize::MAX => {
                self.expect_buckets(plan, line)
            }
            Some(HistogramPart::Sum | HistogramPart::Count) => {
                let labels = line.labels_between_braces();
                if let Some(labels) = labels
                    && self.histogram_sets.follow(current.family, labels)
                {
                    self.current.fast_path = FastPath::SumOrCount;
                }
                Ok(())
            }
            None => {
                self.expect_scalars(plan, line);
                Ok(())
            }
            Some(HistogramPart::Bucket | HistogramPart::Created) => Ok(()),
        }
    }

    /// Prepares for samples that differ only in `le`, and for the sum and count with the same labels.
    fn expect_buckets(
        &mut self,
        plan: &ResolvedPlan,
        line: &SampleLine<'_>,
    ) -> Result<(), LimitExceeded> {
        let current = &mut self.current;
        let (fast_path, place) = match &current.verdict {
            Verdict::Drop(_) => return Ok(()),
            Verdict::Pass => (FastPath::Pass, Some(Place::Passes)),
            Verdict::Apply(decision) => match decision.actions[..] {
                [Action::Histogram(rule, series)] => {
                    let forward = decision.forward;
                    // Sums in another unit are decided in full.
                    let is_scaled = plan.rule(rule).scale.is_some();
                    let rule = plan.reported_as(rule);
                    let set = GatheredSet { series, rule, key: current.source, forward };
                    let place = (!is_scaled).then_some(Place::Gathered(set));
                    (FastPath::Bucket { rule, id: series.id, forward }, place)
                }
                [Action::Rename(rule, ..)] if !current.rendered_prefix.is_empty() => {
                    (FastPath::Renamed(plan.reported_as(rule)), None)
                }
                _ => return Ok(()),
            },
        };
        current.fast_path = fast_path;
        // The fast path does not update the hash of `le`.
        self.hashes.changed(current.decided_labels);
        if let Some(place) = place.filter(|_| current.refused.is_empty())
            && let Some(labels) = line.labels_before_last()
        {
            let bytes = self.histogram_sets.remember(current.family, labels, place);
            self.report.held_bytes += bytes;
            self.budget.add_bytes(bytes)?;
        }
        Ok(())
    }

    /// The sample has another name than the one before.
    fn enter_family(
        &mut self,
        plan: &mut ResolvedPlan,
        line: &SampleLine<'_>,
    ) -> Result<(), LimitExceeded> {
        let name = line.name();
        let quoted = line.scanner.has_quoted_name();
        let known = self.families.len();
        let (id, part) = self.families.of_sample(name, plan);
        if self.families.len() > known {
            self.budget.add_series(name.len() + FAMILY_BYTES)?;
        }
        self.add_resolved_rules(plan)?;
        let family = self.families.arrived(id);
        let current = &mut self.current;
        current.name.clear();
        if !quoted {
            current.name.extend_from_slice(name);
        }
        current.family = id;
        current.part = part;
        current.fast_path = FastPath::None;
        current.family_hash = self.hasher.label(&family.name);
        current.plain = family.is_plain();
        current.not_read = family.is_not_read();
        current.deduplicated = family.is_deduplicated();
        current.decided_labels = usize::MAX;
        current.label_names.clear();
        current.renderings.clear();
        current.has_runs = false;
        self.scalar_run.forget();
        self.histogram_sets.restart();
        self.hashes.changed(0);
        if let Some(generation) = family.plan.generation {
            self.report.generations.insert(generation);
        }
        if let Some(pattern) = family.plan.told_by_labels {
            let labels = line.labels();
            let has = |name: &[u8]| labels.spans.iter().any(|it| it.name.of(labels.line) == name);
            let signs = plan.base().patterns.rule(pattern).signs.iter();
            for signs in signs.filter(|signs| signs.are_in(has)) {
                self.report.signed(pattern, signs.generation);
            }
        }
        Ok(())
    }

    /// Counts the rules that patterns have added for a family.
    #[inline]
    fn add_resolved_rules(&mut self, plan: &mut ResolvedPlan) -> Result<(), LimitExceeded> {
        let Some(bytes) = plan.take_added() else { return Ok(()) };
        self.gathered.reach(plan.rule_count());
        self.budget.add_series(bytes)
    }

    /// Whether no equal series arrived before: with this name, these labels and this timestamp.
    fn is_first(&mut self, line: &SampleLine<'_>) -> Result<bool, LimitExceeded> {
        let name = self.hasher.label(line.name());
        let mut key = name.wrapping_add(self.hashes.of_set(line.labels()));
        if let Some(timestamp) = line.scanner.timestamp() {
            key = key.wrapping_add(self.hasher.label(&timestamp.to_le_bytes()));
        }
        let first = self.seen.deduplicated.insert(key);
        if first {
            self.budget.add_bytes(SERIES_KEY_BYTES)?;
            let family = self.families.family_mut(self.current.family);
            family.remembered += 1;
            if family.plan.editions.is_some() && self.current.part == Some(HistogramPart::Bucket) {
                family.boundaries.add(line.labels().value(LE));
            }
            self.current.deduplicated = family.is_deduplicated();
        }
        Ok(first)
    }
}
