//! What leaves when the body is complete: every family that was gathered, one after the other.

use std::collections::HashSet;

use super::Progress;
use super::body::{Body, native_key};
use super::families::FamilyId;
use super::history::History;
use super::hold::{Cells, Hold, LadderRows, Slot, Values};
use super::labels::{hash_text, hash_text_of};
use super::ladder::{Conversion, add, is_absent};
use super::report::Rewritten;
use crate::exposition::{LabelHasher, MetricType, write_number};
use crate::mapping::plan::{Kind, OutputId, Rule, RuleId};

/// How much is written in one piece, about.
const PIECE: usize = 64 << 10;

/// Walks through what is held; each call of [`Writer::piece`] writes a part of it.
#[derive(Debug)]
pub(super) struct Writer {
    before: History,
    pub(super) next: History,
    /// Independent of the label hash that the holds use: together they identify a series.
    second: LabelHasher,
    output: usize,
    current: Option<Open>,
    /// (hold, slot) of label sets that were joined to one of an earlier source.
    joined: HashSet<(usize, Slot)>,
    ladder: Vec<f64>,
    other_ladder: Vec<f64>,
    prefix: Vec<u8>,
}

/// The family that is being written.
#[derive(Debug)]
struct Open {
    id: OutputId,
    family: FamilyId,
    sources: Vec<Source>,
    source: usize,
    slot: Slot,
}

/// One hold, as far as it goes to one output.
#[derive(Debug)]
struct Source {
    hold: usize,
    rule: RuleId,
    /// `None`: the rule's own output; otherwise that of this divert.
    divert: Option<usize>,
    conversion: Option<Conversion>,
    /// Later sources that may hold an equal label set.
    overlaps: Vec<usize>,
    series: u64,
    samples: u64,
}

impl Writer {
    pub(super) fn new(before: History, body: &Body) -> Self {
        let mut writer = Writer {
            before,
            next: History::default(),
            second: LabelHasher::numbered(1),
            output: 0,
            current: None,
            joined: HashSet::new(),
            ladder: Vec::new(),
            other_ladder: Vec::new(),
            prefix: Vec::new(),
        };
        if writer.sees_reset(body) {
            writer.before = History::default();
        }
        writer
    }

    /// One total that fell tells of a restart, and a restart clears all counters, also those that have
    /// caught up with what they were.
    fn sees_reset(&self, body: &Body) -> bool {
        let rules = body.plan.rules.iter().zip(&body.hold_of).enumerate();
        rules.filter(|(_, (rule, _))| rule.remainder).any(|(id, (_, hold))| {
            let Some(hold) = hold.map(|hold| &body.holds[hold]) else { return false };
            let Cells::Values(values) = &hold.cells else { return false };
            (0..hold.len()).any(|slot| {
                let key = self.key(hold, slot, id);
                values.value(slot).is_some_and(|total| self.before.is_reset_by(key, total))
            })
        })
    }

    /// What the history knows a remainder by.
    fn key(&self, hold: &Hold, slot: Slot, rule: usize) -> u128 {
        let second = hash_text(&self.second, hold.labels(slot)) ^ rule as u64;
        (u128::from(hold.hash(slot)) << 64) | u128::from(second)
    }

    /// What was known before, of an exposition that was not completed.
    pub(super) fn into_before(self) -> History {
        self.before
    }

    /// Appends the next piece.
    pub(super) fn piece(&mut self, body: &mut Body, out: &mut Vec<u8>) -> Progress {
        let full = out.len() + PIECE;
        while out.len() < full {
            let Some(mut open) = self.current.take().or_else(|| self.next_output(body)) else {
                self.before.carry_over(&mut self.next);
                return Progress::Done;
            };
            if self.advance(body, &mut open, out, full) {
                close(body, open);
            } else {
                self.current = Some(open);
            }
        }
        Progress::More
    }

    fn next_output(&mut self, body: &mut Body) -> Option<Open> {
        let plan = body.plan.clone();
        while self.output < plan.outputs.len() {
            let index = self.output;
            self.output += 1;
            #[allow(clippy::cast_possible_truncation, reason = "ids are 32 bits by construction")]
            let id = OutputId(index as u32);
            let sources = sources(body, id);
            if !sources.is_empty() {
                let family = body.families.named(&plan.output(id).name, &plan);
                return Some(Open { id, family, sources, source: 0, slot: 0 });
            }
        }
        None
    }

    /// Writes on until `out` is full or the family is done; true when done.
    fn advance(
        &mut self,
        body: &mut Body,
        open: &mut Open,
        out: &mut Vec<u8>,
        full: usize,
    ) -> bool {
        while open.source < open.sources.len() {
            let slots = body.holds[open.sources[open.source].hold].len();
            while open.slot < slots {
                if out.len() >= full {
                    return false;
                }
                self.series(body, open, out);
                open.slot += 1;
            }
            open.source += 1;
            open.slot = 0;
        }
        true
    }

    /// Writes one held label set, if it goes to this output.
    fn series(&mut self, body: &mut Body, open: &mut Open, out: &mut Vec<u8>) {
        let (index, slot) = (open.source, open.slot);
        let source = &open.sources[index];
        let plan = body.plan.clone();
        let rule = plan.rule(source.rule);
        let hold = &body.holds[source.hold];
        let labels = hold.labels(slot);
        if divert_of(body, rule, labels) != source.divert
            || self.joined.contains(&(source.hold, slot))
        {
            return;
        }
        let output = plan.output(open.id);
        let hash = hold.hash(slot);
        if !body.native_set.is_empty()
            && body.native_set.contains(&native_key(&body.hasher, &output.name, hash))
        {
            body.report.drop("already_present");
            return;
        }
        let metric_type = metric_type(body, source.rule, rule);
        let source_family = body.source_of[source.rule.0 as usize];
        let help = output.help.as_deref();
        let samples = match &hold.cells {
            Cells::Values(values) => {
                let Some(mut value) = self.value(body, source, values, slot) else {
                    return;
                };
                for &other in &source.overlaps {
                    let theirs = self.joined_value(body, &open.sources[other], hash, labels);
                    value = theirs.map_or(value, |theirs| values.join.join(value, theirs));
                }
                self.begin_line(&output.name, b"", labels, false);
                body.families.open_written(open.family, help, source_family, metric_type, out);
                self.line(b"", value, out);
                1
            }
            Cells::Ladders(ladders) => {
                let Some(conversion) = &source.conversion else {
                    return;
                };
                let (mut sum, mut count) = ladders.convert(slot, conversion, &mut self.ladder);
                for &other in &source.overlaps {
                    let other = &open.sources[other];
                    let (their_sum, their_count) = self.join_ladder(body, other, hash, labels);
                    (sum, count) = (added(sum, their_sum), added(count, their_count));
                }
                let has_buckets = self.ladder.last().is_some_and(|v| !is_absent(*v));
                body.families.open_written(open.family, help, source_family, metric_type, out);
                let labels = body.holds[source.hold].labels(slot);
                let mut samples = 0;
                if has_buckets {
                    samples += self.buckets(&output.name, labels, conversion, out);
                    count = count.or(self.ladder.last().copied());
                }
                for (suffix, value) in [(&b"_sum"[..], sum), (b"_count", count)] {
                    if let Some(value) = value {
                        self.begin_line(&output.name, suffix, labels, false);
                        self.line(b"", value, out);
                        samples += 1;
                    }
                }
                samples
            }
        };
        let source = &mut open.sources[index];
        source.series += 1;
        source.samples += samples;
    }

    /// What a slot says by itself. `None` where there is nothing to say: only parts of a total have
    /// come, or they leave nothing over.
    fn value(&mut self, body: &Body, source: &Source, values: &Values, slot: Slot) -> Option<f64> {
        let total = values.value(slot)?;
        if !body.plan.rule(source.rule).remainder {
            return Some(total);
        }
        let key = self.key(&body.holds[source.hold], slot, source.rule.0 as usize);
        let parts = values.parts(slot);
        let left = self.before.remainder(&mut self.next, key, total, parts.unwrap_or(0.0));
        // The source has no series for what never happened.
        (parts.is_none() || left != 0.0).then_some(left)
    }

    /// What another source holds of the same label set; it is not written again.
    fn joined_value(
        &mut self,
        body: &Body,
        other: &Source,
        hash: u64,
        labels: &[u8],
    ) -> Option<f64> {
        let Cells::Values(values) = &body.holds[other.hold].cells else {
            return None;
        };
        let slot = self.join(body, other, hash, labels)?;
        self.value(body, other, values, slot)
    }

    /// Adds the ladder that another source holds of the same label set to the one at hand, and
    /// returns its sum and count; it is not written again.
    fn join_ladder(
        &mut self,
        body: &Body,
        other: &Source,
        hash: u64,
        labels: &[u8],
    ) -> (Option<f64>, Option<f64>) {
        let (Cells::Ladders(ladders), Some(conversion)) =
            (&body.holds[other.hold].cells, &other.conversion)
        else {
            return (None, None);
        };
        let Some(slot) = self.join(body, other, hash, labels) else {
            return (None, None);
        };
        let sum_and_count = ladders.convert(slot, conversion, &mut self.other_ladder);
        for (ours, &theirs) in self.ladder.iter_mut().zip(&self.other_ladder) {
            if !is_absent(theirs) {
                add(ours, theirs);
            }
        }
        sum_and_count
    }

    fn join(&mut self, body: &Body, other: &Source, hash: u64, labels: &[u8]) -> Option<Slot> {
        let slot = body.holds[other.hold].find(hash, labels)?;
        let rule = body.plan.rule(other.rule);
        let same = divert_of(body, rule, labels) == other.divert;
        (same && self.joined.insert((other.hold, slot))).then_some(slot)
    }

    /// Writes the ladder at hand; returns the number of lines.
    fn buckets(
        &mut self,
        name: &[u8],
        labels: &[u8],
        conversion: &Conversion,
        out: &mut Vec<u8>,
    ) -> u64 {
        self.begin_line(name, b"_bucket", labels, true);
        let mut lines = 0;
        let texts = conversion.boundaries().map(|boundary| boundary.text.as_bytes());
        for (text, &value) in texts.chain([&b"+Inf"[..]]).zip(&self.ladder) {
            if !is_absent(value) {
                self.line(text, value, out);
                lines += 1;
            }
        }
        lines
    }

    /// Prepares what lines of one label set have in common, up to the text of `le` where it has one.
    fn begin_line(&mut self, name: &[u8], suffix: &[u8], labels: &[u8], le: bool) {
        self.prefix.clear();
        self.prefix.extend_from_slice(name);
        self.prefix.extend_from_slice(suffix);
        if labels.is_empty() && !le {
            self.prefix.push(b' ');
            return;
        }
        self.prefix.push(b'{');
        self.prefix.extend_from_slice(labels);
        if le {
            self.prefix.extend_from_slice(if labels.is_empty() { b"le=\"" } else { b",le=\"" });
        } else {
            self.prefix.extend_from_slice(b"} ");
        }
    }

    #[inline]
    fn line(&self, le: &[u8], value: f64, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.prefix);
        if !le.is_empty() {
            out.extend_from_slice(le);
            out.extend_from_slice(b"\"} ");
        }
        write_number(value, out);
        out.push(b'\n');
    }
}

fn added(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a + b),
        (a, b) => a.or(b),
    }
}

/// The holds that go to an output, in the order of its rules.
fn sources(body: &Body, id: OutputId) -> Vec<Source> {
    let plan = &body.plan;
    let mut sources: Vec<Source> = Vec::new();
    for &rule_id in &plan.output(id).rules {
        let rule = plan.rule(rule_id);
        let Some(hold) = body.hold_of[rule_id.0 as usize] else {
            continue;
        };
        let own = (rule.to == id).then_some(None);
        let diverts = rule.diverts.iter().enumerate().filter(|(_, d)| d.to == id);
        for divert in own.into_iter().chain(diverts.map(|(at, _)| Some(at))) {
            sources.push(Source {
                hold,
                rule: rule_id,
                divert,
                conversion: None,
                overlaps: Vec::new(),
                series: 0,
                samples: 0,
            });
        }
    }
    for at in 0..sources.len() {
        let later = at + 1..sources.len();
        sources[at].overlaps = later
            .filter(|&other| {
                sources[other].hold != sources[at].hold
                    && may_meet(plan.rule(sources[at].rule), plan.rule(sources[other].rule))
            })
            .collect();
    }
    convert(body, &mut sources);
    sources
}

/// Finds out how each source's ladders are moved. Sources that may hold the same series are moved
/// to the same boundaries.
fn convert(body: &Body, sources: &mut [Source]) {
    let ladders = |source: &Source| match &body.holds[source.hold].cells {
        Cells::Ladders(ladders) => Some(ladders),
        Cells::Values(_) => None,
    };
    let shared = sources.iter().any(|source| !source.overlaps.is_empty());
    let all: Vec<&LadderRows> =
        if shared { sources.iter().filter_map(ladders).collect() } else { Vec::new() };
    for source in sources {
        let Some(rows) = ladders(source) else {
            continue;
        };
        let known = match &body.plan.rule(source.rule).kind {
            Kind::Histogram(ladders) => Some(ladders),
            _ => None,
        };
        let others = all.iter().map(|rows| &rows.boundaries);
        source.conversion = Some(Conversion::new(&rows.boundaries, known, others));
    }
}

/// Whether two rules may give two series the same labels: not where they write one label with
/// different texts, and not where one reads parts of the other's total, which lacks a label of theirs.
fn may_meet(a: &Rule, b: &Rule) -> bool {
    let part_and_total = a.part_of.is_some() && b.remainder || b.part_of.is_some() && a.remainder;
    !part_and_total
        && !a.labels.append.iter().any(|(name, value)| {
            b.labels.append.iter().any(|(other, text)| other == name && text != value)
        })
}

/// Which divert of its rule a held label set takes, if any.
fn divert_of(body: &Body, rule: &Rule, labels: &[u8]) -> Option<usize> {
    rule.diverts.iter().position(|divert| {
        let id = divert.witness.0 as usize;
        let on = &body.plan.witnesses[id].on;
        body.witnesses[id].contains(&hash_text_of(&body.hasher, labels, on))
    })
}

fn metric_type(body: &Body, id: RuleId, rule: &Rule) -> Option<MetricType> {
    let declared = body.families.family(body.source_of[id.0 as usize]).metric_type;
    match &rule.kind {
        Kind::Histogram(_) => Some(MetricType::Histogram),
        Kind::Gauge(_) => declared.or(Some(MetricType::Gauge)),
        Kind::Typed => declared,
    }
}

/// The family is written: tells the report.
fn close(body: &mut Body, open: Open) {
    let plan = body.plan.clone();
    let output = plan.output(open.id);
    for source in open.sources {
        let rule = plan.rule(source.rule);
        if source.series > 0
            && let Some(conversion) = &source.conversion
        {
            body.report.estimate(&output.name, conversion.estimated());
        }
        match source.divert {
            None => body.report.wrote(source.rule, source.samples),
            Some(at) if source.series > 0 => body.report.diverted(Rewritten {
                title: rule.diverts[at].title.clone(),
                from: text(&rule.from),
                to: text(&output.name),
                samples_in: 0,
                samples_out: source.samples,
            }),
            Some(_) => {}
        }
    }
}

fn text(name: &[u8]) -> String {
    name.escape_ascii().to_string()
}
