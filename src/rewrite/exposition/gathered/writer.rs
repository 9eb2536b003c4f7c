//! What leaves when the body is complete: every family that was gathered, one after the other.

use std::collections::HashSet;
use std::sync::Arc;

use super::history::History;
use crate::exposition::{LabelHasher, MetricType, write_number};
use crate::mapping::plan::exposition::{Kind, OutputId, Plan, Rule, RuleId};
use crate::rewrite::exposition::Progress;
use crate::rewrite::exposition::explain::trace::Written;
use crate::rewrite::exposition::families::FamilyId;
use crate::rewrite::exposition::gathered::buckets::{ABSENT, Buckets, Conversion, add, is_absent};
use crate::rewrite::exposition::gathered::contributions::{Source, redirect_of, sources};
use crate::rewrite::exposition::gathered::series::{
    Accumulator, GatheredSeries, Scalars, SeriesSlot,
};
use crate::rewrite::exposition::labels::hash_text;
use crate::rewrite::exposition::report::Rewritten;
use crate::rewrite::exposition::state::{ExpositionState, series_key};

/// How much is written in one piece, about.
const PIECE: usize = 64 << 10;

/// Walks through what is held; each call of [`Writer::piece`] writes a part of it.
#[derive(Debug)]
pub(in crate::rewrite::exposition) struct Writer {
    before: History,
    pub(in crate::rewrite::exposition) next: History,
    /// Independent of the label hash that the gathered use: together they identify a series.
    second: LabelHasher,
    output: usize,
    current: Option<Open>,
    /// (hold, slot) of label sets that were joined to one of an earlier source.
    joined: HashSet<(usize, SeriesSlot)>,
    ladder: Buckets,
    other_ladder: Buckets,
    prefix: Vec<u8>,
    /// Those joined to the label set at hand, where somebody wants to know.
    traced: Option<Vec<(usize, SeriesSlot)>>,
}

/// The family that is being written.
#[derive(Debug)]
struct Open {
    id: OutputId,
    family: FamilyId,
    sources: Vec<Source>,
    source: usize,
    slot: SeriesSlot,
}

impl Writer {
    pub(in crate::rewrite::exposition) fn new(before: History, body: &ExpositionState) -> Self {
        let mut writer = Writer {
            before,
            next: History::default(),
            second: LabelHasher::numbered(1),
            output: 0,
            current: None,
            joined: HashSet::new(),
            ladder: Buckets::default(),
            other_ladder: Buckets::default(),
            prefix: Vec::new(),
            traced: body.trace.is_some().then(Vec::new),
        };
        if writer.sees_reset(body) {
            writer.before = History::default();
        }
        writer
    }

    /// One total that fell tells of a restart, and a restart clears all counters, also those that have
    /// caught up with what they were.
    fn sees_reset(&self, body: &ExpositionState) -> bool {
        let rules = body.plan.rules.iter().zip(&body.gathered_by).enumerate();
        rules.filter(|(_, (rule, _))| rule.remainder).any(|(id, (_, hold))| {
            let Some(hold) = hold.map(|hold| &body.gathered[hold]) else { return false };
            let Accumulator::Scalars(values) = &hold.accumulator else { return false };
            (0..hold.len()).any(|slot| {
                let key = self.key(hold, slot, id);
                values.value(slot).is_some_and(|total| self.before.is_reset_by(key, total))
            })
        })
    }

    /// What the history knows a remainder by.
    fn key(&self, hold: &GatheredSeries, slot: SeriesSlot, rule: usize) -> u128 {
        let second = hash_text(&self.second, hold.labels(slot)) ^ rule as u64;
        (u128::from(hold.hash(slot)) << 64) | u128::from(second)
    }

    /// What was known before, of an exposition that was not completed.
    pub(in crate::rewrite::exposition) fn into_before(self) -> History {
        self.before
    }

    /// Appends the next piece.
    pub(in crate::rewrite::exposition) fn piece(
        &mut self,
        body: &mut ExpositionState,
        out: &mut Vec<u8>,
    ) -> Progress {
        let plan = Arc::clone(&body.plan);
        let full = out.len() + PIECE;
        while out.len() < full {
            let Some(mut open) = self.current.take().or_else(|| self.next_output(&plan, body))
            else {
                self.before.carry_over(&mut self.next);
                return Progress::Done;
            };
            if self.advance(&plan, body, &mut open, out, full) {
                close(&plan, body, open);
            } else {
                self.current = Some(open);
            }
        }
        Progress::More
    }

    fn next_output(&mut self, plan: &Plan, body: &mut ExpositionState) -> Option<Open> {
        while self.output < plan.outputs.len() {
            #[allow(clippy::cast_possible_truncation, reason = "ids are 32 bits by construction")]
            let id = OutputId(self.output as u32);
            self.output += 1;
            let sources = sources(body, id);
            if !sources.is_empty() {
                let family = body.families.named(&plan.output(id).name, plan);
                return Some(Open { id, family, sources, source: 0, slot: 0 });
            }
        }
        None
    }

    /// Writes on until `out` is full or the family is done; true when done.
    fn advance(
        &mut self,
        plan: &Plan,
        body: &mut ExpositionState,
        open: &mut Open,
        out: &mut Vec<u8>,
        full: usize,
    ) -> bool {
        while let Some(source) = open.sources.get(open.source) {
            let slots = body.gathered[source.hold].len();
            while open.slot < slots {
                if out.len() >= full {
                    return false;
                }
                let start = out.len();
                let samples = self.series(plan, body, open, out);
                if self.traced.is_some() {
                    self.record(plan, body, open, &out[start..]);
                }
                let source = &mut open.sources[open.source];
                source.series += u64::from(samples > 0);
                source.samples += samples;
                open.slot += 1;
            }
            open.source += 1;
            open.slot = 0;
        }
        true
    }

    /// Writes one held label set, if it goes to this output; returns the number of samples.
    fn series(
        &mut self,
        plan: &Plan,
        body: &mut ExpositionState,
        open: &Open,
        out: &mut Vec<u8>,
    ) -> u64 {
        let (source, slot) = (&open.sources[open.source], open.slot);
        let rule = plan.rule(source.rule);
        let hold = &body.gathered[source.hold];
        let labels = hold.labels(slot);
        let joined = !self.joined.is_empty() && self.joined.contains(&(source.hold, slot));
        if joined || redirect_of(body, rule, labels) != source.redirect {
            return 0;
        }
        let output = plan.output(open.id);
        let hash = hold.hash(slot);
        if !body.passed_series.is_empty()
            && body.passed_series.contains(series_key(&body.hasher, &output.name, hash))
        {
            body.report.drop("already_present");
            return 0;
        }
        match &hold.accumulator {
            Accumulator::Scalars(values) => {
                let Some(mut value) = self.value(body, source, values, slot) else { return 0 };
                for &other in &source.overlaps {
                    let theirs = self.joined_value(body, &open.sources[other], hash, labels);
                    value = theirs.map_or(value, |theirs| values.join.join(value, theirs));
                }
                begin_family(plan, body, open, out);
                let labels = body.gathered[source.hold].labels(slot);
                self.line(&output.name, b"", labels, value, out);
                1
            }
            Accumulator::Histograms(ladders) => {
                let Some(conversion) = &source.conversion else { return 0 };
                let (mut sum, mut count) = ladders.convert(slot, conversion, &mut self.ladder);
                for &other in &source.overlaps {
                    let other = &open.sources[other];
                    let (their_sum, their_count) = self.join_ladder(body, other, hash, labels);
                    (sum, count) = (added(sum, their_sum), added(count, their_count));
                }
                let infinite = self.ladder.values.last().copied().filter(|v| !is_absent(*v));
                if infinite.is_none() && sum.is_none() {
                    return 0;
                }
                begin_family(plan, body, open, out);
                let labels = body.gathered[source.hold].labels(slot);
                let mut samples = 0;
                if infinite.is_some() {
                    samples += self.buckets(&output.name, labels, conversion, out);
                }
                for (suffix, value) in [(&b"_sum"[..], sum), (b"_count", count.or(infinite))] {
                    if let Some(value) = value {
                        self.line(&output.name, suffix, labels, value, out);
                        samples += 1;
                    }
                }
                samples
            }
        }
    }

    /// What a slot says by itself. `None` where there is nothing to say: only parts of a total have
    /// come, or they leave nothing over.
    fn value(
        &mut self,
        body: &ExpositionState,
        source: &Source,
        values: &Scalars,
        slot: SeriesSlot,
    ) -> Option<f64> {
        let total = values.value(slot)?;
        if !body.plan.rule(source.rule).remainder {
            return Some(total);
        }
        let key = self.key(&body.gathered[source.hold], slot, source.rule.0 as usize);
        let parts = values.parts(slot);
        let left = self.before.remainder(&mut self.next, key, total, parts.unwrap_or(0.0));
        // The source has no series for what never happened.
        (parts.is_none() || left != 0.0).then_some(left)
    }

    /// What another source gathered of the same label set; it is not written again.
    fn joined_value(
        &mut self,
        body: &ExpositionState,
        other: &Source,
        hash: u64,
        labels: &[u8],
    ) -> Option<f64> {
        let Accumulator::Scalars(values) = &body.gathered[other.hold].accumulator else {
            return None;
        };
        let slot = self.join(body, other, hash, labels)?;
        self.value(body, other, values, slot)
    }

    /// Adds the ladder that another source gathered of the same label set to the one at hand, and
    /// returns its sum and count; it is not written again.
    fn join_ladder(
        &mut self,
        body: &ExpositionState,
        other: &Source,
        hash: u64,
        labels: &[u8],
    ) -> (Option<f64>, Option<f64>) {
        let (Accumulator::Histograms(ladders), Some(conversion)) =
            (&body.gathered[other.hold].accumulator, &other.conversion)
        else {
            return (None, None);
        };
        let Some(slot) = self.join(body, other, hash, labels) else {
            return (None, None);
        };
        let sum_and_count = ladders.convert(slot, conversion, &mut self.other_ladder);
        for (ours, &theirs) in self.ladder.values.iter_mut().zip(&self.other_ladder.values) {
            if !is_absent(theirs) {
                add(ours, theirs);
            }
        }
        sum_and_count
    }

    fn join(
        &mut self,
        body: &ExpositionState,
        other: &Source,
        hash: u64,
        labels: &[u8],
    ) -> Option<SeriesSlot> {
        let slot = body.gathered[other.hold].find(hash, labels)?;
        let rule = body.plan.rule(other.rule);
        let same = redirect_of(body, rule, labels) == other.redirect;
        let joined = same && self.joined.insert((other.hold, slot));
        if let Some(traced) = self.traced.as_mut().filter(|_| joined) {
            traced.push((other.hold, slot));
        }
        joined.then_some(slot)
    }

    /// Writes down what became of the label set at hand.
    #[cold]
    fn record(&mut self, plan: &Plan, body: &mut ExpositionState, open: &Open, text: &[u8]) {
        let (source, slot) = (&open.sources[open.source], open.slot);
        let rule = plan.rule(source.rule);
        let hold = &body.gathered[source.hold];
        let labels = hold.labels(slot);
        let joined = self.joined.contains(&(source.hold, slot));
        if joined || redirect_of(body, rule, labels) != source.redirect {
            return; // told elsewhere
        }
        let key = series_key(&body.hasher, &plan.output(open.id).name, hold.hash(slot));
        let (total, parts) = match &hold.accumulator {
            Accumulator::Scalars(values) if rule.remainder => {
                (values.value(slot), values.parts(slot))
            }
            _ => (None, None),
        };
        let estimated = source.conversion.iter().flat_map(Conversion::estimated);
        let written = Written {
            output: open.id,
            rule: source.rule,
            redirect: source.redirect,
            held: std::iter::once((source.hold, slot))
                .chain(self.traced.iter_mut().flat_map(std::mem::take))
                .collect(),
            labels: labels.into(),
            text: text.into(),
            estimated: estimated.map(str::to_owned).collect(),
            is_ladder: matches!(hold.accumulator, Accumulator::Histograms(_)),
            total,
            parts,
            already_present: body.passed_series.contains(key),
        };
        if let Some(trace) = &mut body.trace {
            trace.written.push(written);
        }
    }

    /// Writes the ladder at hand; returns the number of lines.
    fn buckets(
        &mut self,
        name: &[u8],
        labels: &[u8],
        conversion: &Conversion,
        out: &mut Vec<u8>,
    ) -> u64 {
        self.begin_line(name, b"_bucket", labels);
        self.prefix.extend_from_slice(if labels.is_empty() { b"{le=\"" } else { b",le=\"" });
        let mut lines = 0;
        // The value written last, and where: most of a ladder's steps are flat.
        let mut last = (ABSENT, 0..0);
        for (ending, &value) in conversion.endings().zip(&self.ladder.values) {
            if is_absent(value) {
                continue;
            }
            out.extend_from_slice(&self.prefix);
            out.extend_from_slice(ending);
            if value.to_bits() == last.0.to_bits() {
                out.extend_from_within(last.1.clone());
            } else {
                let start = out.len();
                write_number(value, out);
                out.push(b'\n');
                last = (value, start..out.len());
            }
            lines += 1;
        }
        lines
    }

    /// Writes the one line of a label set.
    fn line(&mut self, name: &[u8], suffix: &[u8], labels: &[u8], value: f64, out: &mut Vec<u8>) {
        self.begin_line(name, suffix, labels);
        out.extend_from_slice(&self.prefix);
        out.extend_from_slice(if labels.is_empty() { b" " } else { b"} " });
        write_number(value, out);
        out.push(b'\n');
    }

    /// Prepares what lines of one label set have in common.
    fn begin_line(&mut self, name: &[u8], suffix: &[u8], labels: &[u8]) {
        self.prefix.clear();
        self.prefix.extend_from_slice(name);
        self.prefix.extend_from_slice(suffix);
        if !labels.is_empty() {
            self.prefix.push(b'{');
            self.prefix.extend_from_slice(labels);
        }
    }
}

fn added(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a + b),
        (a, b) => a.or(b),
    }
}

fn metric_type(body: &ExpositionState, id: RuleId, rule: &Rule) -> Option<MetricType> {
    let declared = body.families.family(body.source_of[id.0 as usize]).metric_type;
    match &rule.kind {
        Kind::Histogram(_) => Some(MetricType::Histogram),
        Kind::Gauge(_) => declared.or(Some(MetricType::Gauge)),
        Kind::Typed => declared,
    }
}

/// The first sample of a family is about to be written: its headers go before it.
fn begin_family(plan: &Plan, body: &mut ExpositionState, open: &Open, out: &mut Vec<u8>) {
    let id = open.sources[open.source].rule;
    let source = body.source_of[id.0 as usize];
    let help = plan.output(open.id).help.as_deref();
    let metric_type = metric_type(body, id, plan.rule(id));
    body.families.open_written(open.family, help, source, metric_type, out);
}

/// The family is written: tells the report.
fn close(plan: &Plan, body: &mut ExpositionState, open: Open) {
    let output = plan.output(open.id);
    for source in open.sources {
        let rule = plan.rule(source.rule);
        if source.series > 0
            && let Some(conversion) = &source.conversion
        {
            body.report.estimate(&output.name, conversion.estimated());
        }
        match source.redirect {
            None => body.report.wrote(source.rule, source.samples),
            Some(at) if source.series > 0 => body.report.redirected(Rewritten {
                title: rule.redirects[at].title.clone(),
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
