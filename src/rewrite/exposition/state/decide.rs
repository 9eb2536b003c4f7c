//! What becomes of a label set: decided once, for all samples that have it.

use super::{Body, series_key};
use crate::exposition::MetricType;
use crate::mapping::BucketPolicy;
use crate::mapping::plan::exposition::{Kind, Plan, Rule, RuleId};
use crate::rewrite::exposition::gathered::series::{
    Cells, Hold, Join, LadderRows, Part, Slot, Values,
};
use crate::rewrite::exposition::labels::{Conflict, LE, LabelProgram, Labels};
use crate::rewrite::exposition::limits::Over;
use crate::rewrite::exposition::state::current::{Now, Rendering, Role, Use};

impl Body {
    /// Forgets what was made for other label names.
    pub(in crate::rewrite::exposition) fn same_names(
        &mut self,
        labels: Labels<'_>,
        changed: usize,
    ) {
        let Now { names, renderings, .. } = &mut self.now;
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
    ) -> Result<(), Over> {
        let bucket = self.now.part == Some(Part::Bucket);
        let le_is_last = bucket && self.now.names.last().is_some_and(|name| **name == *LE);
        self.now.labels = if le_is_last { labels.spans.len() - 1 } else { usize::MAX };
        self.now.keep = true;
        self.now.dropped = None;
        self.now.refused.clear();
        self.now.uses.clear();
        let family = &self.families.family(self.now.family).plan;
        let (written, witness, rules) = (family.written, family.witness, family.rules.len());
        if let Some(witness) = witness {
            let id = witness.0 as usize;
            let key = self.hashes.of_named(labels, &plan.witnesses[id].on);
            if self.witnesses[id].insert(key) {
                self.budget.spend(16)?;
            }
        }
        for index in 0..rules {
            let id = self.families.family(self.now.family).plan.rules[index];
            let rule = plan.rule(id);
            if labels.satisfy(&rule.when) && self.apply_rule(plan, id, rule, labels)? {
                self.now.keep &= rule.keep;
                if !rule.also {
                    break;
                }
            }
        }
        if written && self.now.keep {
            let hash = self.hashes.of_set(labels, bucket.then_some(LE));
            let family = &self.families.family(self.now.family).name;
            let key = series_key(&self.hasher, family, hash);
            if self.streamed.contains(key) {
                self.drop_repeated();
            } else {
                self.natives.push(key);
                self.budget.grow(size_of::<u64>())?;
            }
        }
        Ok(())
    }

    /// A rule that reads the label set at hand cannot be carried out: it leaves as it came.
    fn refuse(&mut self, rule: RuleId, reason: &'static str) -> bool {
        self.report.note(reason);
        self.now.refused.push((rule, reason));
        false
    }

    /// The label set at hand would be written a second time.
    fn drop_repeated(&mut self) {
        self.now.keep = false;
        self.now.dropped = Some("already_present");
    }

    /// Finds out how a rule that applies is carried out; false where it cannot be, which is noted.
    fn apply_rule(
        &mut self,
        plan: &Plan,
        id: RuleId,
        rule: &Rule,
        labels: Labels<'_>,
    ) -> Result<bool, Over> {
        if rule.stream {
            let index = self.rendering(id, rule, Role::Line, labels);
            if self.render(index, labels) == Err(Conflict) {
                return Ok(self.refuse(id, "label_conflict"));
            }
            self.now.keep = false;
            let output = &plan.output(rule.to).name;
            let le = match self.now.part {
                Some(Part::Bucket) => self.hashes.of_label(labels, LE),
                _ => 0,
            };
            let hash = self.text.hash().wrapping_sub(le);
            let key = series_key(&self.hasher, output, hash);
            if self.natives.contains(key) {
                self.drop_repeated();
            } else {
                self.streamed.push(key);
                self.budget.grow(size_of::<u64>())?;
                let family = self.families.named(output, plan);
                self.now.uses.push(Use::Stream(id, family, index));
            }
        } else {
            let declared = self.families.family(self.now.family).metric_type;
            let Some(shape) = Shape::of(&rule.kind, self.now.part, declared) else {
                return Ok(self.refuse(id, "not_joinable"));
            };
            let (hold, slot) = match self.place(plan, id, rule, Role::Set, shape, labels)? {
                Ok(place) => place,
                Err(reason) => return Ok(self.refuse(id, reason)),
            };
            if let Cells::Ladders(ladders) = &mut self.holds[hold].cells {
                if self.now.part == Some(Part::Bucket) {
                    ladders.open(slot, self.hashes.of_set(labels, Some(LE)));
                }
                self.now.uses.push(Use::Ladder(id, hold, slot));
            } else {
                self.now.uses.push(Use::Value(id, hold, slot));
            }
        }
        self.source_of[id.0 as usize] = self.now.family;
        if rule.part_of.is_some() {
            let shape = Shape::Value(Join::Sum);
            if let Ok((hold, slot)) = self.place(plan, id, rule, Role::Total, shape, labels)? {
                self.now.uses.push(Use::Part(hold, slot));
            }
        }
        Ok(true)
    }

    /// Where a rule holds the label set at hand. The inner error says why it cannot.
    fn place(
        &mut self,
        plan: &Plan,
        id: RuleId,
        rule: &Rule,
        role: Role,
        shape: Shape,
        labels: Labels<'_>,
    ) -> Result<Result<(usize, Slot), &'static str>, Over> {
        let index = self.rendering(id, rule, role, labels);
        let rendering = &self.now.renderings[index];
        // Labels that are summed away may change without making another label set.
        if let Some(place) = rendering.place
            && rendering.changed >= rendering.program.depends_on
        {
            return Ok(Ok(place));
        }
        if self.render(index, labels) == Err(Conflict) {
            return Ok(Err("label_conflict"));
        }
        let held = match &rule.part_of {
            Some(part_of) if role == Role::Total => {
                self.hold(part_of.total, plan.rule(part_of.total), shape)?
            }
            _ => self.hold(id, rule, shape)?,
        };
        let rendering = &mut self.now.renderings[index];
        (rendering.place, rendering.changed) = (held, usize::MAX);
        Ok(held.ok_or("not_joinable"))
    }

    /// How a rule renders label sets with the names of the one at hand.
    fn rendering(&mut self, id: RuleId, rule: &Rule, role: Role, labels: Labels<'_>) -> usize {
        let renderings = &mut self.now.renderings;
        if let Some(known) = renderings.iter().position(|r| (r.rule, r.role) == (id, role)) {
            return known;
        }
        let of_ladder = role != Role::Line && self.now.part.is_some();
        let (edits, without) = match &rule.part_of {
            Some(part_of) if role == Role::Total => {
                (&self.plan.rule(part_of.total).labels, &part_of.without[..])
            }
            _ => (&rule.labels, &[][..]),
        };
        let program = LabelProgram::new(&self.hasher, labels, edits, without, of_ladder);
        renderings.push(Rendering { rule: id, role, program, place: None, changed: 0 });
        renderings.len() - 1
    }

    /// Renders the label set at hand.
    pub(in crate::rewrite::exposition) fn render(
        &mut self,
        index: usize,
        labels: Labels<'_>,
    ) -> Result<(), Conflict> {
        let rendering = &self.now.renderings[index];
        rendering.program.render(labels, &mut self.hashes, &mut self.text)
    }

    /// The hold of a rule, and the slot in it of the label set that was rendered last. `None` where
    /// the rule holds samples of another shape already: the family changed its type.
    fn hold(
        &mut self,
        id: RuleId,
        rule: &Rule,
        shape: Shape,
    ) -> Result<Option<(usize, Slot)>, Over> {
        let holds = &mut self.holds;
        let index = *self.hold_of[id.0 as usize].get_or_insert_with(|| {
            holds.push(Hold::new(match shape {
                Shape::Value(join) => Cells::Values(Values::new(join, rule.remainder)),
                Shape::Ladder => Cells::Ladders(LadderRows::new(known_boundaries(&rule.kind))),
            }));
            holds.len() - 1
        });
        let sets = &mut holds[index];
        if matches!(shape, Shape::Ladder) != matches!(sets.cells, Cells::Ladders(_)) {
            return Ok(None);
        }
        let before = sets.len();
        let slot = sets.slot(&self.text);
        if sets.len() > before {
            let bytes = self.text.bytes().len() + sets.set_bytes();
            self.report.held_bytes += bytes;
            self.budget.spend(bytes)?;
        }
        Ok(Some((index, slot)))
    }
}

/// How a rule holds a family of this type.
#[derive(Clone, Copy, Debug)]
enum Shape {
    Value(Join),
    Ladder,
}

impl Shape {
    /// `None` where equal series could not be joined without guessing.
    fn of(kind: &Kind, part: Option<Part>, declared: Option<MetricType>) -> Option<Shape> {
        let plain = part.is_none();
        match (kind, declared) {
            (Kind::Histogram(_), _) | (Kind::Typed, Some(MetricType::Histogram)) => {
                (!plain).then_some(Shape::Ladder)
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
