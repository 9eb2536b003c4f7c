//! What becomes of a label set: decided once, for all samples that have it.

use super::{ExpositionState, series_key};
use crate::exposition::MetricType;
use crate::mapping::BucketPolicy;
use crate::mapping::plan::exposition::{Kind, Plan, Rule, RuleId};
use crate::rewrite::exposition::gathered::series::{
    Accumulator, GatheredSeries, HistogramPart, HistogramRows, Join, Scalars, SeriesSlot,
};
use crate::rewrite::exposition::labels::{DuplicateLabel, LE, LabelTransform, Labels};
use crate::rewrite::exposition::limits::LimitExceeded;
use crate::rewrite::exposition::state::current::{Action, Current, RenderTarget, Rendering};

impl ExpositionState {
    /// Forgets what was made for other label names.
    pub(in crate::rewrite::exposition) fn same_names(
        &mut self,
        labels: Labels<'_>,
        changed: usize,
    ) {
        let Current { names, renderings, .. } = &mut self.current;
        let spans = labels.spans;
        let same = names.len() == spans.len()
            && names.iter().zip(spans).skip(changed).all(|(n, s)| **n == *s.name.of(labels.line));
        if !same {
            renderings.clear();
            names.clear();
            names.extend(spans.iter().map(|span| span.name.of(labels.line).into()));
        }
    }

    /// Decides what becomes of a label set: of this sample and of those that differ in `le` alone.
    pub(in crate::rewrite::exposition) fn decide(
        &mut self,
        plan: &Plan,
        labels: Labels<'_>,
    ) -> Result<(), LimitExceeded> {
        let bucket = self.current.part == Some(HistogramPart::Bucket);
        let le_is_last = bucket && self.current.names.last().is_some_and(|name| **name == *LE);
        self.current.labels = if le_is_last { labels.spans.len() - 1 } else { usize::MAX };
        self.current.keep = true;
        self.current.dropped = None;
        self.current.refused.clear();
        self.current.actions.clear();
        let family = &self.families.family(self.current.family).plan;
        let (written, reference, rules) = (family.written, family.reference, family.rules.len());
        if let Some(reference) = reference {
            let id = reference.0 as usize;
            let key = self.hashes.of_named(labels, &plan.references[id].on);
            if self.references[id].insert(key) {
                self.budget.add_series(16)?;
            }
        }
        for index in 0..rules {
            let id = self.families.family(self.current.family).plan.rules[index];
            let rule = plan.rule(id);
            if labels.satisfy(&rule.when) && self.apply_rule(plan, id, rule, labels)? {
                self.current.keep &= rule.keep;
                if !rule.also {
                    break;
                }
            }
        }
        if written && self.current.keep {
            let hash = self.hashes.of_set(labels, bucket.then_some(LE));
            let family = &self.families.family(self.current.family).name;
            let key = series_key(&self.hasher, family, hash);
            if self.renamed_series.contains(key) {
                self.drop_repeated();
            } else {
                self.passed_series.push(key);
                self.budget.add_bytes(size_of::<u64>())?;
            }
        }
        Ok(())
    }

    /// A rule that reads the label set at hand cannot be carried out: it leaves as it came.
    fn refuse(&mut self, rule: RuleId, reason: &'static str) -> bool {
        self.report.note(reason);
        self.current.refused.push((rule, reason));
        false
    }

    /// The label set at hand would be written a second time.
    fn drop_repeated(&mut self) {
        self.current.keep = false;
        self.current.dropped = Some("already_present");
    }

    /// Finds out how a rule that applies is carried out; false where it cannot be, which is noted.
    fn apply_rule(
        &mut self,
        plan: &Plan,
        id: RuleId,
        rule: &Rule,
        labels: Labels<'_>,
    ) -> Result<bool, LimitExceeded> {
        if rule.stream {
            let index = self.rendering(id, rule, RenderTarget::Line, labels);
            if self.render(index, labels) == Err(DuplicateLabel) {
                return Ok(self.refuse(id, "label_conflict"));
            }
            self.current.keep = false;
            let output = &plan.output(rule.to).name;
            let le = match self.current.part {
                Some(HistogramPart::Bucket) => self.hashes.of_label(labels, LE),
                _ => 0,
            };
            let hash = self.text.hash().wrapping_sub(le);
            let key = series_key(&self.hasher, output, hash);
            if self.passed_series.contains(key) {
                self.drop_repeated();
            } else {
                self.renamed_series.push(key);
                self.budget.add_bytes(size_of::<u64>())?;
                let family = self.families.named(output, plan);
                self.current.actions.push(Action::Rename(id, family, index));
            }
        } else {
            let declared = self.families.family(self.current.family).metric_type;
            let Some(shape) = Shape::of(&rule.kind, self.current.part, declared) else {
                return Ok(self.refuse(id, "not_joinable"));
            };
            let (hold, slot) =
                match self.slot_for(plan, id, rule, RenderTarget::Series, shape, labels)? {
                    Ok(place) => place,
                    Err(reason) => return Ok(self.refuse(id, reason)),
                };
            if let Accumulator::Histograms(ladders) = &mut self.gathered[hold].accumulator {
                if self.current.part == Some(HistogramPart::Bucket) {
                    ladders.open(slot, self.hashes.of_set(labels, Some(LE)));
                }
                self.current.actions.push(Action::Histogram(id, hold, slot));
            } else {
                self.current.actions.push(Action::Scalar(id, hold, slot));
            }
        }
        self.source_of[id.0 as usize] = self.current.family;
        if rule.part_of.is_some() {
            let shape = Shape::Value(Join::Sum);
            if let Ok((hold, slot)) =
                self.slot_for(plan, id, rule, RenderTarget::Total, shape, labels)?
            {
                self.current.actions.push(Action::PartOfTotal(hold, slot));
            }
        }
        Ok(true)
    }

    /// Where a rule gathered the label set at hand. The inner error says why it cannot.
    fn slot_for(
        &mut self,
        plan: &Plan,
        id: RuleId,
        rule: &Rule,
        target: RenderTarget,
        shape: Shape,
        labels: Labels<'_>,
    ) -> Result<Result<(usize, SeriesSlot), &'static str>, LimitExceeded> {
        let index = self.rendering(id, rule, target, labels);
        let rendering = &self.current.renderings[index];
        // Labels that are summed away may change without making another label set.
        if let Some(place) = rendering.place
            && rendering.changed >= rendering.transform.depends_on
        {
            return Ok(Ok(place));
        }
        if self.render(index, labels) == Err(DuplicateLabel) {
            return Ok(Err("label_conflict"));
        }
        let held = match &rule.part_of {
            Some(part_of) if target == RenderTarget::Total => {
                self.hold(part_of.total, plan.rule(part_of.total), shape)?
            }
            _ => self.hold(id, rule, shape)?,
        };
        let rendering = &mut self.current.renderings[index];
        (rendering.place, rendering.changed) = (held, usize::MAX);
        Ok(held.ok_or("not_joinable"))
    }

    /// How a rule renders label sets with the names of the one at hand.
    fn rendering(
        &mut self,
        id: RuleId,
        rule: &Rule,
        target: RenderTarget,
        labels: Labels<'_>,
    ) -> usize {
        let renderings = &mut self.current.renderings;
        if let Some(known) = renderings.iter().position(|r| (r.rule, r.target) == (id, target)) {
            return known;
        }
        let of_ladder = target != RenderTarget::Line && self.current.part.is_some();
        let (edits, without) = match &rule.part_of {
            Some(part_of) if target == RenderTarget::Total => {
                (&self.plan.rule(part_of.total).labels, &part_of.without[..])
            }
            _ => (&rule.labels, &[][..]),
        };
        let transform = LabelTransform::new(&self.hasher, labels, edits, without, of_ladder);
        renderings.push(Rendering { rule: id, target, transform, place: None, changed: 0 });
        renderings.len() - 1
    }

    /// Renders the label set at hand.
    pub(in crate::rewrite::exposition) fn render(
        &mut self,
        index: usize,
        labels: Labels<'_>,
    ) -> Result<(), DuplicateLabel> {
        let rendering = &self.current.renderings[index];
        rendering.transform.render(labels, &mut self.hashes, &mut self.text)
    }

    /// The hold of a rule, and the slot in it of the label set that was rendered last. `None` where
    /// the rule gathered samples of another shape already: the family changed its type.
    fn hold(
        &mut self,
        id: RuleId,
        rule: &Rule,
        shape: Shape,
    ) -> Result<Option<(usize, SeriesSlot)>, LimitExceeded> {
        let gathered = &mut self.gathered;
        let index = *self.gathered_by[id.0 as usize].get_or_insert_with(|| {
            gathered.push(GatheredSeries::new(match shape {
                Shape::Value(join) => Accumulator::Scalars(Scalars::new(join, rule.remainder)),
                Shape::Buckets => {
                    Accumulator::Histograms(HistogramRows::new(known_boundaries(&rule.kind)))
                }
            }));
            gathered.len() - 1
        });
        let sets = &mut gathered[index];
        if matches!(shape, Shape::Buckets) != matches!(sets.accumulator, Accumulator::Histograms(_))
        {
            return Ok(None);
        }
        let before = sets.len();
        let slot = sets.slot(&self.text);
        if sets.len() > before {
            let bytes = self.text.bytes().len() + sets.set_bytes();
            self.report.held_bytes += bytes;
            self.budget.add_series(bytes)?;
        }
        Ok(Some((index, slot)))
    }
}

/// How a rule gathered a family of this type.
#[derive(Clone, Copy, Debug)]
enum Shape {
    Value(Join),
    Buckets,
}

impl Shape {
    /// `None` where equal series could not be joined without guessing.
    fn of(kind: &Kind, part: Option<HistogramPart>, declared: Option<MetricType>) -> Option<Shape> {
        let plain = part.is_none();
        match (kind, declared) {
            (Kind::Histogram(_), _) | (Kind::Typed, Some(MetricType::Histogram)) => {
                (!plain).then_some(Shape::Buckets)
            }
            (Kind::Gauge(merge), _) => plain.then_some(Shape::Value(Join::Gauge(*merge))),
            (Kind::Typed, Some(MetricType::Gauge | MetricType::Summary)) => None,
            (Kind::Typed, _) => plain.then_some(Shape::Value(Join::Sum)),
        }
    }
}

fn known_boundaries(kind: &Kind) -> &[f64] {
    match kind {
        Kind::Histogram(ladders) if ladders.policy != BucketPolicy::Native => &ladders.read,
        _ => &[],
    }
}
