//! Decides what to do with a label set, once for all samples that have it.

use super::current::{Action, Current, Decision, RenderTarget, Rendering, RenderingId, Verdict};
use super::exposition_state::ExpositionState;
use crate::exposition::{MetricType, same};
use crate::mapping::plan::exposition::{Kind, Rule, RuleId};
use crate::mapping::{BucketPolicy, Merge};
use crate::rewrite::exposition::family::HistogramPart;
use crate::rewrite::exposition::gathered::{SeriesRef, Shape, Source};
use crate::rewrite::exposition::label_transform::{DuplicateLabel, LabelTransform};
use crate::rewrite::exposition::labels::{LE, Labels};
use crate::rewrite::exposition::limits::LimitExceeded;
use crate::rewrite::exposition::reason::{DropReason, RefusedBecause};
use crate::rewrite::exposition::resolved_plan::ResolvedPlan;
use crate::rewrite::exposition::series_set::series_key;
use crate::rewrite::exposition::written_headers::name_of_created;

/// Why a rule that matches is not applied.
#[derive(Clone, Copy, Debug)]
enum NotApplied {
    /// The sample passes, or a later rule applies.
    Refused(RefusedBecause),
    /// An equal series arrived before.
    Repeated,
    /// The scrape fails.
    LimitExceeded(LimitExceeded),
}

impl From<LimitExceeded> for NotApplied {
    fn from(exceeded: LimitExceeded) -> Self {
        NotApplied::LimitExceeded(exceeded)
    }
}

impl From<DuplicateLabel> for NotApplied {
    fn from(DuplicateLabel: DuplicateLabel) -> Self {
        NotApplied::Refused(RefusedBecause::LabelConflict)
    }
}

/// A verdict that is being decided.
#[derive(Debug)]
struct Draft {
    forward: bool,
    dropped: Option<DropReason>,
    actions: Vec<Action>,
}

impl Draft {
    /// Begins with "forward it", and reuses the memory of the last verdict.
    fn reusing(last: Verdict) -> Self {
        let mut actions = match last {
            Verdict::Apply(decision) => decision.actions,
            Verdict::Pass | Verdict::Drop(_) => Vec::new(),
        };
        actions.clear();
        Draft { forward: true, dropped: None, actions }
    }

    /// The sample is not output in any form.
    fn drop(&mut self, reason: DropReason) {
        self.forward = false;
        self.dropped = Some(reason);
    }

    fn verdict(self) -> Verdict {
        match self.dropped {
            Some(reason) => Verdict::Drop(reason),
            None if self.forward && self.actions.is_empty() => Verdict::Pass,
            None => Verdict::Apply(Decision { forward: self.forward, actions: self.actions }),
        }
    }
}

impl<R> ExpositionState<R> {
    /// The labels of the current sample are others than those of the one before: the verdict is for
    /// this label set, and for a bucket also for those that differ only in `le`.
    #[inline]
    pub(super) fn begin_label_set(&mut self, labels: Labels<'_>) {
        let current = &mut self.current;
        current.labels = labels.spans.len();
        current.decided_labels = match labels.spans.last() {
            Some(last)
                if current.part == Some(HistogramPart::Bucket)
                    && same(last.name.of(labels.line), LE) =>
            {
                current.labels - 1
            }
            _ => usize::MAX,
        };
    }

    /// Discards the renderings if the label names have changed. `changed` is the first label that may
    /// have.
    pub(super) fn set_label_names(&mut self, labels: Labels<'_>, changed: usize) {
        let Current { label_names: names, renderings, .. } = &mut self.current;
        for rendering in &mut *renderings {
            rendering.changed = rendering.changed.min(changed);
        }
        let spans = labels.spans;
        let same = names.len() == spans.len()
            && names.iter().zip(spans).skip(changed).all(|(n, s)| same(n, s.name.of(labels.line)));
        if !same {
            renderings.clear();
            self.scalar_run.forget();
            names.clear();
            names.extend(spans.iter().map(|span| span.name.of(labels.line).into()));
        }
    }

    /// As [`decide`](Self::decide), for a family that no rule reads.
    pub(super) fn decide_passing(&mut self, labels: Labels<'_>) -> Result<(), LimitExceeded> {
        self.current.verdict = if self.passes_first(labels)? {
            Verdict::Pass
        } else {
            Verdict::Drop(DropReason::AlreadyPresent)
        };
        Ok(())
    }

    /// Whether a series of a family that rules write is output unchanged, because no rule has written
    /// an equal one. Then no rule will.
    fn passes_first(&mut self, labels: Labels<'_>) -> Result<bool, LimitExceeded> {
        let key = self.current.family_hash.wrapping_add(self.hash_of_series(labels));
        if self.seen.renamed_series.contains(key) {
            return Ok(false);
        }
        self.seen.passed_series.push(key);
        self.budget.add_bytes(size_of::<u64>())?;
        Ok(true)
    }

    /// Decides what to do with a label set: with this sample and those that differ only in `le`.
    ///
    /// # Errors
    ///
    /// More would have to be kept than the limits allow.
    pub(super) fn decide(
        &mut self,
        plan: &ResolvedPlan,
        labels: Labels<'_>,
    ) -> Result<(), LimitExceeded> {
        self.current.refused.clear();
        let mut draft = Draft::reusing(std::mem::take(&mut self.current.verdict));
        let family = &self.families.family(self.current.family).plan;
        let (written, reference, rules) = (family.written, family.reference, family.rules.len());
        if let Some(reference) = reference {
            let id = reference.0 as usize;
            let key = self.hashes.of_named(labels, &plan.base().references[id].on);
            if self.seen.references[id].insert(key) {
                self.budget.add_series(16)?;
            }
        }
        if family.dropped.iter().any(|samples| labels.satisfy(samples)) {
            draft.drop(DropReason::DroppedByPack);
            self.current.verdict = draft.verdict();
            return Ok(());
        }
        let not_counted = family.not_counted.iter().any(|pairs| labels.have(pairs));
        for index in 0..rules {
            let id = self.families.family(self.current.family).plan.rules[index];
            let rule = plan.rule(id);
            if not_counted {
                self.leave_out(id, rule.keep, &mut draft);
                break;
            }
            if !labels.satisfy(&rule.when) {
                continue;
            }
            if self.current.part == Some(HistogramPart::Created) && !self.renames_created(plan, id)
            {
                if !rule.keep && !rule.same_generation {
                    draft.drop(DropReason::CreationTime);
                }
                break;
            }
            match self.decide_rule(plan, id, labels, &mut draft) {
                Ok(()) => {
                    draft.forward &= rule.keep || rule.derived;
                    if !rule.also {
                        break;
                    }
                }
                Err(NotApplied::Refused(because)) => {
                    self.report.refuse(plan.reported_as(id), because);
                    self.current.refused.push((id, because));
                }
                Err(NotApplied::Repeated) => {
                    draft.drop(DropReason::RepeatedSeries);
                    break;
                }
                Err(NotApplied::LimitExceeded(exceeded)) => return Err(exceeded),
            }
        }
        if written && draft.forward && !self.passes_first(labels)? {
            draft.drop(DropReason::AlreadyPresent);
        }
        self.current.verdict = draft.verdict();
        Ok(())
    }

    /// Whether a rule writes the creation time of the series that it writes. A series that is summed,
    /// split or converted has none: by the specification it must change when the value is reset, and
    /// of a sum that is not known.
    fn renames_created(&self, plan: &ResolvedPlan, id: RuleId) -> bool {
        let rule = plan.rule(id);
        let metric_type = self.families.family(self.current.family).metric_type;
        rule.stream && name_of_created(&plan.output(rule.to).name, metric_type).is_some()
    }

    /// The written generation does not count this label set. `keep`: the input's generation is
    /// emitted too.
    fn leave_out(&mut self, rule: RuleId, keep: bool, draft: &mut Draft) {
        if keep {
            self.current.refused.push((rule, RefusedBecause::NotCounted));
        } else {
            draft.drop(DropReason::NotCounted);
        }
    }

    /// Decides how to apply a rule whose conditions match.
    fn decide_rule(
        &mut self,
        plan: &ResolvedPlan,
        id: RuleId,
        labels: Labels<'_>,
        draft: &mut Draft,
    ) -> Result<(), NotApplied> {
        let rule = plan.rule(id);
        if rule.stream {
            self.decide_rename(plan, id, labels, draft)?;
        } else {
            self.decide_gather(plan, id, labels, draft)?;
        }
        self.gathered.set_source(id, self.current.family);
        if let Some(part_of) = &rule.part_of {
            let has_parts = plan.rule(part_of.total).remainder;
            let shape = Shape::Scalar { merge: Merge::Sum, has_parts };
            match self.slot_for(plan, id, RenderTarget::Total, shape, labels) {
                Ok(total) => {
                    let key = self.source_key(labels);
                    let is_timed = self.current.timestamp.is_some();
                    if let Some(scalars) = self.gathered.scalars_mut(total.id)
                        && !is_timed
                    {
                        let source = scalars.part_source(total.slot, key);
                        self.remember(source)?;
                    }
                    draft.actions.push(Action::PartOfTotal(id, total));
                }
                // The total keeps what could not be subtracted.
                Err(NotApplied::Refused(_)) => {}
                Err(other) => return Err(other),
            }
        }
        Ok(())
    }

    /// The rule only renames: its samples are written at once.
    fn decide_rename(
        &mut self,
        plan: &ResolvedPlan,
        id: RuleId,
        labels: Labels<'_>,
        draft: &mut Draft,
    ) -> Result<(), NotApplied> {
        let rendering = self.rendering(plan, id, RenderTarget::Line, labels);
        self.render(rendering, labels)?;
        draft.forward = false;
        let output = &plan.output(plan.rule(id).to).name;
        let le = match self.current.part {
            Some(HistogramPart::Bucket) => self.hashes.of_label(labels, LE),
            _ => 0,
        };
        let hash = self.rendered.hash().wrapping_sub(le);
        let key = series_key(&self.hasher, output, hash);
        if self.seen.passed_series.contains(key) {
            draft.drop(DropReason::AlreadyPresent);
        } else {
            self.seen.renamed_series.push(key);
            self.budget.add_bytes(size_of::<u64>())?;
            let family = self.families.written(output, plan);
            draft.actions.push(Action::Rename(id, family, rendering));
        }
        Ok(())
    }

    /// The rule merges, splits or converts: its series are written at the end.
    fn decide_gather(
        &mut self,
        plan: &ResolvedPlan,
        id: RuleId,
        labels: Labels<'_>,
        draft: &mut Draft,
    ) -> Result<(), NotApplied> {
        let declared = self.families.family(self.current.family).metric_type;
        let shape = shape_of(plan.rule(id), self.current.part, declared)
            .ok_or(NotApplied::Refused(RefusedBecause::NotJoinable))?;
        let series = self.slot_for(plan, id, RenderTarget::Series, shape, labels)?;
        let key = self.source_key(labels);
        let slot = series.slot;
        let is_timed = self.current.timestamp.is_some();
        let mut source = Source::New { bytes: 0 };
        let action = if let Some(rows) = self.gathered.histograms_mut(series.id) {
            source = match self.current.part {
                _ if is_timed => source,
                Some(HistogramPart::Sum) => rows.sum_source(slot, key),
                Some(HistogramPart::Count) => rows.count_source(slot, key),
                // Each bucket is compared when it is added.
                Some(HistogramPart::Bucket | HistogramPart::Created) | None => source,
            };
            Action::Histogram(id, series)
        } else {
            if let Some(scalars) = self.gathered.scalars_mut(series.id)
                && !is_timed
            {
                source = scalars.source(slot, key);
            }
            let is_second = matches!(source, Source::New { bytes } if bytes > 0);
            if is_second && plan.rule(id).distinct && declared == Some(MetricType::Gauge) {
                // A label that was filled in has made it equal to another series after all.
                return Err(NotApplied::Refused(RefusedBecause::NotJoinable));
            }
            Action::Scalar(id, series)
        };
        self.remember(source)?;
        draft.actions.push(action);
        Ok(())
    }

    /// The key of the input series with these labels: for buckets, of their histogram.
    fn source_key(&mut self, labels: Labels<'_>) -> u64 {
        self.current.source = self.hash_of_series(labels);
        self.current.source
    }

    /// The hash of the labels: for buckets, of those of their histogram.
    fn hash_of_series(&mut self, labels: Labels<'_>) -> u64 {
        if self.current.part == Some(HistogramPart::Bucket) {
            self.hashes.of_histogram(labels)
        } else {
            self.hashes.of_set(labels)
        }
    }

    /// Counts the memory that is needed to remember an input series.
    fn remember(&mut self, source: Source) -> Result<(), NotApplied> {
        match source {
            Source::Repeated => Err(NotApplied::Repeated),
            Source::New { bytes: 0 } => Ok(()),
            Source::New { bytes } => {
                self.report.held_bytes += bytes;
                Ok(self.budget.add_bytes(bytes)?)
            }
        }
    }

    /// Where a rule (or the rule of the total, for [`RenderTarget::Total`]) gathers the label set.
    fn slot_for(
        &mut self,
        plan: &ResolvedPlan,
        id: RuleId,
        target: RenderTarget,
        shape: Shape<'_>,
        labels: Labels<'_>,
    ) -> Result<SeriesRef, NotApplied> {
        let rendering_id = self.rendering(plan, id, target, labels);
        let rendering = &self.current.renderings[rendering_id.0];
        // Labels that are dropped may change without making another label set.
        if let Some(series) = rendering.series
            && rendering.changed >= rendering.transform.depends_on
        {
            return Ok(series);
        }
        self.render(rendering_id, labels)?;
        let gatherer = match &plan.rule(id).part_of {
            Some(part_of) if target == RenderTarget::Total => part_of.total,
            _ => id,
        };
        let placed = self.gathered.place(gatherer, shape, &self.rendered);
        if let Some(bytes) = placed.and_then(|placed| placed.added) {
            self.report.held_bytes += bytes;
            self.budget.add_series(bytes)?;
        }
        let series = placed.map(|placed| placed.series);
        let rendering = &mut self.current.renderings[rendering_id.0];
        (rendering.series, rendering.changed) = (series, usize::MAX);
        series.ok_or(NotApplied::Refused(RefusedBecause::NotJoinable))
    }

    /// How a rule renders label sets with the current label names. Compiled on first use.
    fn rendering(
        &mut self,
        plan: &ResolvedPlan,
        id: RuleId,
        target: RenderTarget,
        labels: Labels<'_>,
    ) -> RenderingId {
        let renderings = &mut self.current.renderings;
        if let Some(known) = renderings.iter().position(|r| (r.rule, r.target) == (id, target)) {
            return RenderingId(known);
        }
        let of_histogram = target != RenderTarget::Line && self.current.part.is_some();
        let rule = plan.rule(id);
        let (edits, without) = match &rule.part_of {
            Some(part_of) if target == RenderTarget::Total => {
                (&plan.rule(part_of.total).labels, &part_of.without[..])
            }
            _ => (&rule.labels, &[][..]),
        };
        let mut transform = LabelTransform::new(&self.hasher, labels, edits, without, of_histogram);
        if let Some(scale) = rule.scale
            && self.current.part == Some(HistogramPart::Bucket)
        {
            transform.scale_boundaries(labels, scale);
        }
        renderings.push(Rendering { rule: id, target, transform, series: None, changed: 0 });
        RenderingId(renderings.len() - 1)
    }
}

/// How a rule gathers samples of a family with this `# TYPE`. `None` if equal series could not be
/// merged without guessing.
fn shape_of(
    rule: &Rule,
    part: Option<HistogramPart>,
    declared: Option<MetricType>,
) -> Option<Shape<'_>> {
    let scalar =
        |merge| part.is_none().then_some(Shape::Scalar { merge, has_parts: rule.remainder });
    match (&rule.kind, declared) {
        (Kind::Histogram(layouts), _) => {
            let native = layouts.policy == BucketPolicy::Native;
            let known = if native { &[][..] } else { &layouts.read };
            part.map(|_| Shape::Histogram { known, scale: rule.scale })
        }
        (Kind::Typed | Kind::TypedOrGauge(_), Some(MetricType::Histogram)) => {
            part.map(|_| Shape::Histogram { known: &[], scale: rule.scale })
        }
        // A pack that says that it is a histogram may be all that tells.
        (Kind::Typed | Kind::TypedOrGauge(_), None) if part.is_some() => {
            Some(Shape::Histogram { known: &[], scale: rule.scale })
        }
        (Kind::Gauge(merge), _)
        | (Kind::TypedOrGauge(merge), None | Some(MetricType::Gauge | MetricType::Untyped)) => {
            scalar(*merge)
        }
        // Its value is always 1.
        (Kind::Typed | Kind::TypedOrGauge(_), Some(MetricType::Info)) => scalar(Merge::Max),
        // There is nothing to merge, so any method will do.
        (Kind::Typed, Some(MetricType::Gauge)) if rule.distinct => scalar(Merge::Max),
        (Kind::Typed | Kind::TypedOrGauge(_), Some(MetricType::Gauge | MetricType::Summary)) => {
            None
        }
        (Kind::Typed | Kind::TypedOrGauge(_), _) => scalar(Merge::Sum),
    }
}
