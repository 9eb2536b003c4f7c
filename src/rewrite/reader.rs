//! What becomes of each line while the body is arriving.

use std::collections::HashSet;
use std::sync::Arc;

use super::families::{Families, FamilyId, HeaderFate};
use super::hold::{Budget, Cells, Hold, Join, LadderRows, Part, Slot, Values};
use super::labels::{Conflict, LE, LabelText, Labels, hash_label};
use super::ladder::{MAX_BUCKETS, NoCell};
use super::report::Report;
use super::{Error, Malformed, Options};
use crate::exposition::{Header, LabelHasher, MetricType, Sample, Scan, Scanner, parse_number};
use crate::mapping::plan::{BucketPolicy, Kind, LabelEdits, Plan, Rule, RuleId};

/// A byte order mark: no part of the format, and no reason to lose the first line.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// The last line of an `OpenMetrics` exposition; nothing may follow it.
const EOF: &[u8] = b"# EOF\n";

/// Everything that is known of the body so far.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) plan: Arc<Plan>,
    options: Options,
    scanner: Scanner,
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
    pub(super) natives: HashSet<u64, foldhash::fast::RandomState>,
    /// Series of families that the source prints more than once.
    once: HashSet<u64, foldhash::fast::RandomState>,
    budget: Budget,
    now: Now,
    labels: LabelText,
    /// Bytes to write before, or instead of, the line at hand.
    insert: Vec<u8>,
    eof: bool,
    line: u64,
    pub(super) report: Report,
}

/// The family and label set at hand: decided once, good for all lines that share them.
#[derive(Debug, Default)]
struct Now {
    name: Vec<u8>,
    family: FamilyId,
    part: Option<Part>,
    /// No pack names the family: its samples pass.
    plain: bool,
    once: bool,
    /// How many labels, from the first, make the label set that was decided on.
    labels: usize,
    /// The sample leaves as it came.
    keep: bool,
    uses: Vec<Use>,
}

/// What one rule does with a sample.
#[derive(Clone, Copy, Debug)]
enum Use {
    /// It leaves at once under another name.
    Stream(RuleId),
    /// It is held.
    Value(RuleId, usize, Slot),
    /// It is held as part of a ladder.
    Ladder(RuleId, usize, Slot),
    /// It is held as a part of another rule's total.
    Part(usize, Slot),
}

impl Reader {
    pub(super) fn new(plan: Arc<Plan>, options: Options) -> Self {
        let limits = options.limits;
        Reader {
            options,
            scanner: Scanner::new(limits.line_bytes, limits.labels, options.exemplars),
            hasher: LabelHasher::with_seed(0),
            families: Families::default(),
            holds: Vec::new(),
            hold_of: vec![None; plan.rules.len()],
            source_of: vec![0; plan.rules.len()],
            witnesses: vec![HashSet::new(); plan.witnesses.len()],
            natives: HashSet::default(),
            once: HashSet::default(),
            budget: Budget::new(limits.held_series, limits.held_bytes),
            now: Now::default(),
            labels: LabelText::default(),
            insert: Vec::new(),
            eof: false,
            line: 0,
            report: Report::new(&plan),
            plan,
        }
    }

    /// Reads the whole lines that `input` begins with, appends what leaves now, and returns how many
    /// bytes were read.
    ///
    /// With `complete`, no more will come: an unfinished line is a flawed one.
    pub(super) fn read(
        &mut self,
        input: &[u8],
        complete: bool,
        out: &mut Vec<u8>,
    ) -> Result<usize, Error> {
        let plan = Arc::clone(&self.plan);
        // Bytes from here to `at` leave as they came; they are copied in long runs.
        let mut run = 0;
        let mut at = 0;
        if self.line == 0 && input.starts_with(BOM) {
            (run, at) = (BOM.len(), BOM.len());
        }
        while at < input.len() {
            let scan = self.scanner.scan(&input[at..]);
            let (len, keep) = match scan {
                Scan::Sample(sample) => {
                    self.line += 1;
                    self.report.samples_in += 1;
                    let line = &input[at..at + sample.len];
                    if self.now.plain && sample.changed != Sample::NEW_NAME && !self.eof {
                        self.report.passed += 1;
                        at += sample.len;
                        continue;
                    }
                    (sample.len, self.sample(&plan, line, sample)?)
                }
                Scan::Header { header, len } => {
                    self.line += 1;
                    (len, self.header(&plan, header, &input[at..at + len]))
                }
                Scan::Comment { len } => {
                    self.line += 1;
                    (len, self.comment(&input[at..at + len]))
                }
                Scan::Flawed { len, flaw } => {
                    self.line += 1;
                    (len, self.flawed(flaw)?)
                }
                Scan::Incomplete if complete => {
                    self.line += 1;
                    let newline = memchr::memchr(b'\n', &input[at..]);
                    let len = newline.map_or(input.len() - at, |end| end + 1);
                    (len, self.flawed(crate::exposition::Flaw::Unterminated)?)
                }
                Scan::Incomplete => break,
                Scan::TooLong => return Err(self.too_long()),
                Scan::TooManyLabels => {
                    let limit = self.options.limits.labels;
                    return Err(Error::TooManyLabels {
                        line: self.line + 1,
                        limit,
                    });
                }
            };
            if !keep || !self.insert.is_empty() {
                out.extend_from_slice(&input[run..at]);
                out.append(&mut self.insert);
                run = if keep { at } else { at + len };
            }
            at += len;
        }
        out.extend_from_slice(&input[run..at]);
        Ok(at)
    }

    pub(super) fn too_long(&self) -> Error {
        Error::LineTooLong {
            line: self.line + 1,
            limit: self.options.limits.line_bytes,
        }
    }

    /// The body is complete: the last ladder is, too.
    pub(super) fn complete(&mut self) {
        for hold in &mut self.holds {
            if let Cells::Ladders(ladders) = &mut hold.cells {
                ladders.finish_row();
            }
        }
        let held: usize = self.holds.iter().map(Hold::bytes).sum();
        self.report.held_bytes = held.max(self.budget.bytes());
    }

    /// What must end the body, if anything.
    pub(super) fn last_line(&self) -> &'static [u8] {
        if self.eof { EOF } else { b"" }
    }

    fn comment(&mut self, line: &[u8]) -> bool {
        self.release_eof();
        if line == EOF {
            // What is held leaves before it.
            self.eof = true;
            return false;
        }
        true
    }

    /// An end that was not the last line was a comment.
    fn release_eof(&mut self) {
        if std::mem::take(&mut self.eof) {
            self.insert.extend_from_slice(EOF);
        }
    }

    fn flawed(&mut self, flaw: crate::exposition::Flaw) -> Result<bool, Error> {
        self.release_eof();
        self.report
            .drop_line(flaw.reason(), self.options.malformed != Malformed::Pass);
        match self.options.malformed {
            Malformed::Drop => Ok(false),
            Malformed::Pass => Ok(true),
            Malformed::Fail => Err(Error::Malformed {
                line: self.line,
                flaw,
            }),
        }
    }

    fn header(&mut self, plan: &Plan, header: Header, line: &[u8]) -> bool {
        self.release_eof();
        // The header may tell what a suffix means: look the next sample's name up again.
        self.now.name.clear();
        self.now.plain = false;
        let id = self.families.named(header.name.of(line), plan);
        let family = self.families.family_mut(id);
        match family.header(header.kind, header.text.of(line), line) {
            HeaderFate::Pass => true,
            HeaderFate::Wait => false,
            HeaderFate::Repeated => {
                self.report.drop_line("repeated_header", true);
                false
            }
        }
    }

    /// Decides on one sample; true where it leaves as it came.
    fn sample(&mut self, plan: &Plan, line: &[u8], sample: Sample) -> Result<bool, Error> {
        self.release_eof();
        let renamed =
            sample.changed == Sample::NEW_NAME && self.scanner.name().of(line) != self.now.name;
        if renamed || self.now.name.is_empty() {
            self.enter(plan, line)?;
        }
        if self.now.plain {
            self.families
                .family_mut(self.now.family)
                .pass(&mut self.insert);
            self.report.passed += 1;
            return Ok(true);
        }
        if self.now.once && !self.first_of_its_series(line)? {
            self.report.drop_sample("repeated_series");
            // The label set at hand was not decided on.
            self.now.labels = usize::MAX;
            return Ok(false);
        }
        if sample.changed == Sample::NEW_NAME || sample.changed < self.now.labels {
            self.decide(plan, line)?;
        }
        if !self.now.uses.is_empty() {
            self.apply(plan, line, sample)?;
        }
        if self.now.keep {
            self.families
                .family_mut(self.now.family)
                .pass(&mut self.insert);
            if self.now.uses.is_empty() {
                self.report.passed += 1;
            } else {
                self.report.kept += 1;
            }
        }
        Ok(self.now.keep)
    }

    /// A sample of another name than the one before.
    fn enter(&mut self, plan: &Plan, line: &[u8]) -> Result<(), Error> {
        let name = self.scanner.name().of(line);
        let known = self.families.len();
        let (family, part) = self.families.of_sample(name, plan);
        if self.families.len() > known {
            self.budget.spend(name.len() + 256, self.line)?;
        }
        let of = self.families.family(family);
        self.now.name.clear();
        self.now.name.extend_from_slice(name);
        self.now.family = family;
        self.now.part = part;
        // A quoted name cannot be replaced like a plain one, and no pack can name it.
        self.now.plain = of.is_plain() || self.scanner.has_quoted_name();
        self.now.once = of.plan.once;
        self.now.labels = usize::MAX;
        if let Some(generation) = of.plan.generation {
            self.report.saw(generation);
        }
        Ok(())
    }

    fn first_of_its_series(&mut self, line: &[u8]) -> Result<bool, Error> {
        let labels = Labels {
            line,
            spans: self.scanner.labels(),
        };
        let key = self
            .hasher
            .label(b"", &self.now.name)
            .wrapping_add(labels.hash(&self.hasher, None));
        let first = self.once.insert(key);
        if first {
            self.budget.spend(16, self.line)?;
        }
        Ok(first)
    }

    /// Decides what becomes of a label set: of this sample and of those that differ in `le` alone.
    fn decide(&mut self, plan: &Plan, line: &[u8]) -> Result<(), Error> {
        let spans = self.scanner.labels();
        let labels = Labels { line, spans };
        let bucket = self.now.part == Some(Part::Bucket);
        let ladder_last = bucket && spans.last().is_some_and(|span| span.name.of(line) == LE);
        self.now.labels = if ladder_last {
            spans.len() - 1
        } else {
            usize::MAX
        };
        self.now.keep = true;
        self.now.uses.clear();
        let family_plan = &self.families.family(self.now.family).plan;
        if let Some(witness) = family_plan.witness {
            let id = witness.0 as usize;
            let key = witness_key(&self.hasher, &plan.witnesses[id].on, labels.iter());
            if self.witnesses[id].insert(key) {
                self.budget.spend(16, self.line)?;
            }
        }
        let (written, rules) = (family_plan.written, family_plan.rules.len());
        for index in 0..rules {
            let id = self.families.family(self.now.family).plan.rules[index];
            let rule = plan.rule(id);
            let labels = Labels {
                line,
                spans: self.scanner.labels(),
            };
            if !labels.satisfy(&rule.when) {
                continue;
            }
            if self.apply_rule(plan, id, rule, line)? {
                self.now.keep &= rule.keep;
                if !rule.also {
                    break;
                }
            }
        }
        if written && self.now.keep {
            let labels = Labels {
                line,
                spans: self.scanner.labels(),
            };
            let key = native_key(
                &self.hasher,
                &self.families.family(self.now.family).name,
                labels.hash(&self.hasher, bucket.then_some(LE)),
            );
            if self.natives.insert(key) {
                self.budget.spend(16, self.line)?;
            }
        }
        Ok(())
    }

    /// Finds out how a rule that applies is carried out; false where it cannot be.
    fn apply_rule(
        &mut self,
        plan: &Plan,
        id: RuleId,
        rule: &Rule,
        line: &[u8],
    ) -> Result<bool, Error> {
        let metric_type = self.families.family(self.now.family).metric_type;
        let source = id.0 as usize;
        if rule.stream {
            let labels = Labels {
                line,
                spans: self.scanner.labels(),
            };
            if self.labels.render(labels, &rule.labels, &[], false) == Err(Conflict) {
                self.report.note("label_conflict");
                return Ok(false);
            }
            self.source_of[source] = self.now.family;
            self.now.uses.push(Use::Stream(id));
            return Ok(true);
        }
        let Some(shape) = Shape::of(&rule.kind, self.now.part, metric_type) else {
            self.report.note("not_joinable");
            return Ok(false);
        };
        if self.render(line, &rule.labels, &[]) == Err(Conflict) {
            self.report.note("label_conflict");
            return Ok(false);
        }
        self.source_of[source] = self.now.family;
        let (hold, slot) = self.hold(id, rule, shape)?;
        match (&mut self.holds[hold].cells, self.now.part) {
            (Cells::Ladders(ladders), part) => {
                if part == Some(Part::Bucket) {
                    // Where `le` is not the last label, every bucket is decided on anew.
                    ladders.open(slot, self.now.labels != usize::MAX);
                }
                self.now.uses.push(Use::Ladder(id, hold, slot));
            }
            (Cells::Values(_), _) => self.now.uses.push(Use::Value(id, hold, slot)),
        }
        if let Some(part_of) = &rule.part_of {
            let total = plan.rule(part_of.total);
            if self.render(line, &total.labels, &part_of.without).is_ok() {
                let (hold, slot) = self.hold(part_of.total, total, Shape::Value(Join::Sum))?;
                self.now.uses.push(Use::Part(hold, slot));
            }
        }
        Ok(true)
    }

    /// Renders the label set at hand, less `le`.
    fn render(
        &mut self,
        line: &[u8],
        edits: &LabelEdits,
        without: &[Box<[u8]>],
    ) -> Result<(), Conflict> {
        let spans = self.scanner.labels();
        self.labels.render(
            Labels { line, spans },
            edits,
            without,
            self.now.part == Some(Part::Bucket),
        )
    }

    /// The hold of a rule, and the slot in it of the label set that was rendered last.
    fn hold(&mut self, id: RuleId, rule: &Rule, shape: Shape) -> Result<(usize, Slot), Error> {
        let hold = match self.hold_of[id.0 as usize] {
            Some(hold) => hold,
            None => {
                let cells = match shape {
                    Shape::Value(join) => Cells::Values(Values::new(join, rule.remainder)),
                    Shape::Ladder => Cells::Ladders(LadderRows::new(known_boundaries(&rule.kind))),
                };
                self.holds.push(Hold::new(cells));
                *self.hold_of[id.0 as usize].insert(self.holds.len() - 1)
            }
        };
        let held = &mut self.holds[hold];
        let before = held.len();
        let slot = held.slot(&self.hasher, self.labels.bytes());
        if held.len() > before {
            let row = match &held.cells {
                Cells::Values(_) => 16,
                Cells::Ladders(ladders) => ladders.row_bytes() + 16,
            };
            self.budget
                .spend(self.labels.bytes().len() + row + 24, self.line)?;
        }
        Ok((hold, slot))
    }

    /// Carries out what was decided, on one sample.
    #[inline]
    fn apply(&mut self, plan: &Plan, line: &[u8], sample: Sample) -> Result<(), Error> {
        #[allow(clippy::cast_precision_loss, reason = "at most 15 digits")]
        let value = match sample.integer {
            Some(integer) => integer as f64,
            None => parse_number(self.scanner.value().of(line)).unwrap_or(f64::NAN),
        };
        for index in 0..self.now.uses.len() {
            match self.now.uses[index] {
                Use::Ladder(rule, hold, slot) => {
                    self.ladder_line(hold, slot, line, value)?;
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
                Use::Stream(rule) => {
                    self.stream(plan, rule, line);
                    self.report.read(rule);
                    self.report.wrote(rule);
                }
            }
        }
        Ok(())
    }

    fn ladder_line(
        &mut self,
        hold: usize,
        slot: Slot,
        line: &[u8],
        value: f64,
    ) -> Result<(), Error> {
        let Cells::Ladders(ladders) = &mut self.holds[hold].cells else {
            return Ok(());
        };
        let part = match self.now.part {
            Some(Part::Bucket) => {
                let le = match self.scanner.labels().get(self.now.labels) {
                    Some(span) => span.value.of(line),
                    None => Labels {
                        line,
                        spans: self.scanner.labels(),
                    }
                    .value(LE),
                };
                let cell = match ladders.boundaries.cell(le) {
                    Ok(cell) => cell,
                    Err(NoCell::NotANumber) => {
                        self.report.drop_sample("bad_le");
                        return Ok(());
                    }
                    Err(NoCell::TooMany) => {
                        return Err(Error::TooManyBuckets {
                            line: self.line,
                            limit: MAX_BUCKETS,
                        });
                    }
                };
                if let Some(bytes) = ladders.short_of(cell) {
                    self.budget.spend(bytes, self.line)?;
                    ladders.widen();
                }
                ladders.bucket(cell, value);
                return Ok(());
            }
            Some(part) => part,
            None => return Ok(()),
        };
        ladders.sum_or_count(part, slot, value);
        Ok(())
    }

    /// Writes a sample under the name and labels that a rule gives it.
    fn stream(&mut self, plan: &Plan, id: RuleId, line: &[u8]) {
        let rule = plan.rule(id);
        let output = plan.output(rule.to);
        let source = self.now.family;
        let metric_type = self.families.family(source).metric_type;
        let family = self.families.named(&output.name, plan);
        self.families.open_written(
            family,
            output.help.as_deref(),
            source,
            metric_type,
            &mut self.insert,
        );
        let name = self.scanner.name();
        let suffix = &name.of(line)[rule.from.len()..];
        self.insert.extend_from_slice(&line[..name.start()]);
        self.insert.extend_from_slice(&output.name);
        self.insert.extend_from_slice(suffix);
        let spans = self.scanner.labels();
        let raw_newline = || spans.iter().any(|s| s.value.of(line).contains(&b'\n'));
        if rule.labels.is_identity() && !raw_newline() {
            self.insert.extend_from_slice(&line[name.end()..]);
            return;
        }
        if self
            .labels
            .render(Labels { line, spans }, &rule.labels, &[], false)
            .is_ok()
        {
            self.insert.push(b'{');
            self.insert.extend_from_slice(self.labels.bytes());
            self.insert.push(b'}');
        }
        self.insert
            .extend_from_slice(&line[self.scanner.labels_end()..]);
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

/// What a witness remembers of a label set: the values of the labels that are compared.
pub(super) fn witness_key<'a>(
    hasher: &LabelHasher,
    on: &[Box<[u8]>],
    labels: impl Iterator<Item = (&'a [u8], &'a [u8])>,
) -> u64 {
    labels
        .filter(|(name, _)| on.iter().any(|n| **n == **name))
        .fold(0, |sum, (name, value)| {
            sum.wrapping_add(hash_label(hasher, name, value))
        })
}

/// What is remembered of a series that left as it came.
pub(super) fn native_key(hasher: &LabelHasher, family: &[u8], labels: u64) -> u64 {
    hasher.label(b"", family).wrapping_add(labels)
}
