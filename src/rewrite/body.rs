//! What becomes of each sample, and everything that is remembered of the body until it is complete.

use std::collections::HashSet;
use std::mem::{replace, take};
use std::sync::Arc;

use super::Limits;
use super::budget::{Budget, Over};
use super::families::{Families, FamilyId, HeaderFate};
use super::hold::{Cells, Hold, Join, LadderRows, Part, Slot, Values};
use super::labels::{Conflict, LE, LabelHashes, LabelProgram, LabelText, Labels};
use super::ladder::{MAX_BUCKETS, NoCell};
use super::output::Output;
use super::report::Report;
use super::seen::{Keys, Seen};
use super::trace::{SampleTrace, Trace, Used};
use crate::exposition::{Header, LabelHasher, MetricType, Sample, Scanner, Span, parse_number};
use crate::mapping::plan::{BucketPolicy, Kind, Plan, Rule, RuleId};

/// Everything that is known of the body so far.
#[derive(Debug)]
pub(super) struct Body {
    pub(super) plan: Arc<Plan>,
    pub(super) hasher: LabelHasher,
    pub(super) families: Families,
    /// What rules have gathered, in the order in which they first did.
    pub(super) holds: Vec<Hold>,
    /// The hold of each rule.
    pub(super) hold_of: Vec<Option<usize>>,
    /// The family that each rule was seen to read.
    pub(super) source_of: Vec<FamilyId>,
    /// Label sets of each witness.
    pub(super) witnesses: Vec<HashSet<u64>>,
    /// Series that have left as they came, of families that rules write too.
    pub(super) natives: Seen,
    /// Series that rules have written already.
    streamed: Seen,
    /// Series of families that the source prints more than once.
    once: Keys,
    budget: Budget,
    now: Now,
    hashes: LabelHashes,
    text: LabelText,
    pub(super) report: Report,
    /// Where somebody wants to know: what was done with each sample. It never decides anything.
    pub(super) trace: Option<Box<Trace>>,
}

/// The family and label set at hand: decided once, good for all samples that share them.
#[derive(Debug, Default)]
struct Now {
    /// Empty where the next sample's name has to be looked up whatever it is.
    name: Vec<u8>,
    family: FamilyId,
    part: Option<Part>,
    /// No pack names the family: its samples pass.
    plain: bool,
    once: bool,
    /// The label names, in order; what follows is made for them.
    names: Vec<Box<[u8]>>,
    renderings: Vec<Rendering>,
    /// How many labels, from the first, make the label set that was decided on.
    labels: usize,
    /// The sample leaves as it came.
    keep: bool,
    /// The sample leaves in no shape at all, for this reason.
    dropped: Option<&'static str>,
    /// Rules that read the sample and could not be carried out, and why.
    refused: Vec<(RuleId, &'static str)>,
    uses: Vec<Use>,
    /// What the next sample may do without a decision of its own.
    next: Next,
    /// What the samples of a ladder that leaves under another name begin with, up to the value of `le`.
    head: Vec<u8>,
}

/// What a sample that shares enough with the one before ([`Sample::shared`]) does like it.
#[derive(Clone, Copy, Debug, Default)]
enum Next {
    /// Everything has to be looked at again.
    #[default]
    Unknown,
    /// With as much as this in common, it passes.
    Passes(usize),
    /// It is the next bucket of the ladder that one rule reads, into this hold.
    Bucket(RuleId, usize),
    /// It is the next bucket of a ladder that leaves at once: behind [`Now::head`].
    Renamed(RuleId),
}

/// About what a family takes beside its name.
const FAMILY_BYTES: usize = 256;

/// How label sets of one sequence of names are rendered by one rule.
#[derive(Debug)]
struct Rendering {
    rule: RuleId,
    role: Role,
    program: LabelProgram,
    /// Where the label set that was rendered last is held.
    place: Option<(usize, Slot)>,
    /// The first label that has changed since.
    changed: usize,
}

/// What a label set is rendered for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// A line that leaves at once.
    Line,
    /// A label set that is held.
    Set,
    /// The label set of another rule's total, of which this sample is a part.
    Total,
}

/// What one rule does with a sample.
#[derive(Clone, Copy, Debug)]
enum Use {
    /// It leaves at once under another name: that of this family, its labels rendered so.
    Stream(RuleId, FamilyId, usize),
    /// It is held.
    Value(RuleId, usize, Slot),
    /// It is held as part of a ladder.
    Ladder(RuleId, usize, Slot),
    /// It is held as a part of another rule's total.
    Part(usize, Slot),
}

impl Body {
    pub(super) fn new(plan: Arc<Plan>, limits: Limits) -> Self {
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
    pub(super) fn alike(
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
    pub(super) fn header(
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
    pub(super) fn sample(
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

    /// Forgets what was made for other label names.
    fn same_names(&mut self, labels: Labels<'_>, changed: usize) {
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
    fn decide(&mut self, plan: &Plan, labels: Labels<'_>) -> Result<(), Over> {
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
    fn render(&mut self, index: usize, labels: Labels<'_>) -> Result<(), Conflict> {
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

    /// Carries out what was decided, on one sample.
    fn apply(
        &mut self,
        plan: &Plan,
        scanner: &Scanner,
        line: &[u8],
        sample: Sample,
        out: &mut Output<'_>,
    ) -> Result<(), Over> {
        #[allow(clippy::cast_precision_loss, reason = "at most 15 digits")]
        let value = match sample.integer {
            Some(integer) => integer as f64,
            None => parse_number(scanner.value().of(line)).unwrap_or(f64::NAN),
        };
        for index in 0..self.now.uses.len() {
            match self.now.uses[index] {
                Use::Ladder(rule, hold, slot) => {
                    let labels = Labels { line, spans: scanner.labels() };
                    self.ladder_line(hold, slot, labels, value)?;
                    self.report.read(rule);
                }
                Use::Value(rule, hold, slot) => {
                    if let Cells::Values(values) = &mut self.holds[hold].cells {
                        values.join(slot, value);
                    }
                    self.report.read(rule);
                }
                Use::Part(hold, slot) => {
                    if let Cells::Values(values) = &mut self.holds[hold].cells {
                        values.join_part(slot, value);
                    }
                }
                Use::Stream(rule, family, rendering) => {
                    let to = (family, rendering);
                    self.stream(plan, rule, to, scanner, line, out.instead());
                    self.report.read(rule);
                    self.report.wrote(rule, 1);
                }
            }
        }
        Ok(())
    }

    fn ladder_line(
        &mut self,
        hold: usize,
        slot: Slot,
        labels: Labels<'_>,
        value: f64,
    ) -> Result<(), Over> {
        let Cells::Ladders(ladders) = &mut self.holds[hold].cells else { return Ok(()) };
        match self.now.part {
            Some(Part::Bucket) => {
                let le = match labels.spans.get(self.now.labels) {
                    Some(span) => span.value.of(labels.line),
                    None => labels.value(LE),
                };
                let cell = match ladders.boundaries.cell(le) {
                    Ok(cell) => cell,
                    Err(NoCell::NotANumber) => {
                        self.report.drop("bad_le");
                        return Ok(());
                    }
                    Err(NoCell::TooMany) => return Err(Over::Buckets(MAX_BUCKETS)),
                };
                if let Some(bytes) = ladders.short_of(cell) {
                    self.report.held_bytes += bytes;
                    self.budget.grow(bytes)?;
                    ladders.widen();
                }
                ladders.bucket(cell, value);
            }
            Some(part) => ladders.sum_or_count(part, slot, value),
            None => {}
        }
        Ok(())
    }

    /// Writes a sample under the name and labels that a rule gives it.
    fn stream(
        &mut self,
        plan: &Plan,
        id: RuleId,
        to: (FamilyId, usize),
        scanner: &Scanner,
        line: &[u8],
        out: &mut Vec<u8>,
    ) {
        let (family, rendering) = to;
        let rule = plan.rule(id);
        let output = plan.output(rule.to);
        let source = self.now.family;
        let metric_type = self.families.family(source).metric_type;
        self.families.open_written(family, output.help.as_deref(), source, metric_type, out);
        let start = out.len();
        let name = scanner.name();
        out.extend_from_slice(&output.name);
        out.extend_from_slice(&name.of(line)[rule.from.len()..]);
        let labels = Labels { line, spans: scanner.labels() };
        let as_it_is = self.now.renderings[rendering].program.keeps_all(labels);
        if as_it_is && labels.spans.iter().all(|span| !span.odd) {
            out.extend_from_slice(&line[name.end()..]);
        } else {
            // The decision was made on a label set; `le` may have changed since.
            if self.render(rendering, labels).is_ok() && !self.text.bytes().is_empty() {
                out.push(b'{');
                out.extend_from_slice(self.text.bytes());
                out.push(b'}');
            }
            out.extend_from_slice(&line[scanner.labels_end()..]);
        }
        if let Some(trace) = &mut self.trace {
            trace.streamed = out[start..].into();
        }
        self.now.head.clear();
        if let Some(last) = labels.spans.last()
            && last.value.end() + 2 == scanner.labels_end()
            && self.now.renderings[rendering].program.ends_with(labels.spans.len() - 1)
        {
            // What leaves ends as the line does, from the last label's value on.
            let tail = line.len() - last.value.start();
            self.now.head.extend_from_slice(&out[start..out.len() - tail]);
        }
    }

    /// Writes down what was done with the sample at hand.
    #[cold]
    pub(super) fn record(&mut self, number: u64, line: &[u8]) {
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
    pub(super) fn complete(&mut self) {
        for hold in &mut self.holds {
            if let Cells::Ladders(ladders) = &mut hold.cells {
                ladders.finish_row();
            }
        }
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

/// What is remembered of a series that has left.
pub(super) fn series_key(hasher: &LabelHasher, family: &[u8], labels: u64) -> u64 {
    hasher.label(family).wrapping_add(labels)
}
