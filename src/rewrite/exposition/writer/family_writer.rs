//! Writes every family that was gathered, one after another, piece by piece.

use std::collections::HashSet;

use foldhash::fast::RandomState;

use super::contributions::{Contribution, contributions, redirect_of};
use super::history::History;
use super::lines::SeriesLines;
use super::open_family::OpenFamily;
use crate::exposition::LabelHasher;
use crate::mapping::Merge;
use crate::mapping::plan::exposition::{Plan, Rule, RuleId};
use crate::rewrite::exposition::estimate::{Errors, EstimatedCount};
use crate::rewrite::exposition::gathered::{
    Accumulator, Buckets, Conversion, Gathered, GatheredSeries, HistogramRows, Scalars, SeriesRef,
    SeriesSlot, add, is_absent,
};
use crate::rewrite::exposition::reason::DropReason;
use crate::rewrite::exposition::recorder::{Recorder, WrittenSeries};
use crate::rewrite::exposition::resolved_plan::ResolvedPlan;
use crate::rewrite::exposition::state::ExpositionState;
use crate::rewrite::exposition::written_labels::hash_text;

/// About how many bytes are written in one piece.
const PIECE: usize = 64 << 10;

/// Whether [`Rewriter::finish`](crate::rewrite::exposition::Rewriter::finish) has more to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Progress {
    /// Forward what was written, and call again.
    More,
    /// Everything is written.
    Done,
}

/// Writes gathered series. Each call of [`write_piece`](Self::write_piece) writes a part of them.
#[derive(Debug)]
pub(in crate::rewrite::exposition) struct Writer {
    before: History,
    next: History,
    /// Independent of the hasher of gathered series: together they identify a series.
    second: LabelHasher,
    /// The keys of the differences in the history.
    remainders: Vec<Remainder>,
    /// Index of the next output.
    output: usize,
    open: Option<OpenFamily>,
    /// Series that were merged with one of an earlier contribution.
    merged: HashSet<SeriesRef, RandomState>,
    /// Those that were merged with the current one.
    merged_now: Vec<SeriesRef>,
    buckets: Buckets,
    other_buckets: Buckets,
    /// How wrong the estimated bucket counts of the current contribution can be.
    errors: Errors,
    lines: SeriesLines,
}

/// The differences that a rule writes.
#[derive(Debug)]
struct Remainder {
    rule: RuleId,
    /// The key in the history of each slot that the rule has gathered.
    keys: Vec<u128>,
}

impl Writer {
    pub(in crate::rewrite::exposition) fn new(
        plan: &Plan,
        before: History,
        gathered: &Gathered,
    ) -> Self {
        let mut writer = Writer {
            before,
            next: History::default(),
            second: LabelHasher::numbered(1),
            remainders: Vec::new(),
            output: 0,
            open: None,
            merged: HashSet::default(),
            merged_now: Vec::new(),
            buckets: Buckets::default(),
            other_buckets: Buckets::default(),
            errors: Errors::default(),
            lines: SeriesLines::default(),
        };
        for (rule, _) in remainders(plan) {
            let identity = writer.second.label(plan.remainder_identity(rule).as_bytes());
            if let Some(id) = gathered.of_rule(rule) {
                let series = gathered.get(id);
                let keys = series.slots().map(|slot| writer.key(series, slot, identity)).collect();
                writer.remainders.push(Remainder { rule, keys });
            }
        }
        if writer.sees_reset(gathered) {
            writer.before = History::default();
        }
        writer
    }

    /// Whether any total has decreased. That means a restart, which resets all counters, including
    /// those that have already exceeded their old values.
    fn sees_reset(&self, gathered: &Gathered) -> bool {
        self.remainders.iter().any(|Remainder { rule, keys }| {
            let Some(series) = gathered.of_rule(*rule).map(|id| gathered.get(id)) else {
                return false;
            };
            let Accumulator::Scalars(scalars) = &series.accumulator else { return false };
            series.slots().zip(keys).any(|(slot, &key)| {
                scalars.total(slot).is_some_and(|total| self.before.is_reset_by(key, total))
            })
        })
    }

    /// The key of a difference in the history. `identity` is the hash of the
    /// [identity](Plan::remainder_identity) of the rule.
    fn key(&self, series: &GatheredSeries, slot: SeriesSlot, identity: u64) -> u128 {
        let second = hash_text(&self.second, series.labels(slot)) ^ identity;
        (u128::from(series.hash(slot)) << 64) | u128::from(second)
    }

    /// The history before this exposition, which was not completed.
    pub(in crate::rewrite::exposition) fn into_before(self) -> History {
        self.before
    }

    /// The history for the next exposition. Call after [`Progress::Done`].
    pub(in crate::rewrite::exposition) fn take_history(&mut self) -> History {
        std::mem::take(&mut self.next)
    }

    /// Appends the next piece.
    pub(in crate::rewrite::exposition) fn write_piece<R: Recorder>(
        &mut self,
        plan: &ResolvedPlan,
        state: &mut ExpositionState<R>,
        out: &mut Vec<u8>,
    ) -> Progress {
        let full = out.len() + PIECE;
        while out.len() < full {
            let Some(mut open) = self.open.take().or_else(|| self.next_family(plan, state)) else {
                self.before.carry_over(&mut self.next);
                return Progress::Done;
            };
            if self.write_family(plan, state, &mut open, out, full) {
                open.report(plan, &mut state.report);
            } else {
                self.open = Some(open);
            }
        }
        Progress::More
    }

    fn next_family<R>(
        &mut self,
        plan: &ResolvedPlan,
        state: &mut ExpositionState<R>,
    ) -> Option<OpenFamily> {
        while let Some(output) = plan.output_at(self.output) {
            self.output += 1;
            let contributions = contributions(plan, &state.gathered, output);
            if !contributions.is_empty() {
                let family = state.families.written(&plan.output(output).name, plan);
                return Some(OpenFamily::new(plan, &state.hasher, output, family, contributions));
            }
        }
        None
    }

    /// Writes until `out` is full or the family is done. Returns whether it is done.
    fn write_family<R: Recorder>(
        &mut self,
        plan: &ResolvedPlan,
        state: &mut ExpositionState<R>,
        open: &mut OpenFamily,
        out: &mut Vec<u8>,
        full: usize,
    ) -> bool {
        while let Some(contribution) = open.contributions.get(open.current) {
            let id = contribution.gathered;
            while let Some(slot) = state.gathered.get(id).slot_at(open.next_slot) {
                if out.len() >= full {
                    return false;
                }
                let samples = self.write_series(plan, state, open, SeriesRef { id, slot }, out);
                let contribution = &mut open.contributions[open.current];
                contribution.series += u64::from(samples > 0);
                contribution.samples += samples;
                open.next_slot += 1;
            }
            open.contributions[open.current].errors = std::mem::take(&mut self.errors);
            open.current += 1;
            open.next_slot = 0;
        }
        true
    }

    /// Writes one series, if it goes to this output. Returns the number of samples.
    fn write_series<R: Recorder>(
        &mut self,
        plan: &ResolvedPlan,
        state: &mut ExpositionState<R>,
        open: &OpenFamily,
        series: SeriesRef,
        out: &mut Vec<u8>,
    ) -> u64 {
        let contribution = open.contribution();
        let gathered = state.gathered.get(series.id);
        let labels = gathered.labels(series.slot);
        let merged = !self.merged.is_empty() && self.merged.contains(&series);
        if merged || !goes_to(plan, state, contribution, labels) {
            return 0;
        }
        let output = plan.output(open.output);
        let hash = gathered.hash(series.slot);
        let already_present = (!state.seen.passed_series.is_empty()
            && state.seen.passed_series.contains(open.key(hash)))
            || open.has_emitted_generation(&state.gathered, hash, labels);
        self.merged_now.clear();
        let start = out.len();
        let samples = if already_present {
            state.report.drop(DropReason::AlreadyPresent);
            0
        } else {
            match &gathered.accumulator {
                Accumulator::Scalars(scalars) => {
                    match self.merged_value(plan, state, open, scalars, series) {
                        None => 0,
                        Some(value) => {
                            open.write_headers(plan, &state.gathered, &mut state.families, out);
                            SeriesLines::write_line(&output.name, b"", labels, value, out);
                            1
                        }
                    }
                }
                Accumulator::Histograms(_) => self.write_histogram(plan, state, open, series, out),
            }
        };
        if R::RECORDS {
            self.record(plan, state, open, series, &out[start..], already_present);
        }
        samples
    }

    /// The value of a scalar series, merged with those of later contributions that have the same
    /// labels. `None` if nothing is to be written.
    fn merged_value<R>(
        &mut self,
        plan: &ResolvedPlan,
        state: &ExpositionState<R>,
        open: &OpenFamily,
        scalars: &Scalars,
        series: SeriesRef,
    ) -> Option<f64> {
        let contribution = open.contribution();
        let mut value = self.value(plan, contribution, scalars, series.slot)?;
        for &other in &contribution.overlaps {
            let other = &open.contributions[other];
            if let Some(theirs) = self.other_value(plan, state, other, series) {
                value = scalars.merged(value, theirs);
            }
        }
        Some(value)
    }

    /// The value of one contribution. `None` if only parts of a total arrived, or if they leave
    /// nothing of it.
    fn value(
        &mut self,
        plan: &ResolvedPlan,
        contribution: &Contribution,
        scalars: &Scalars,
        slot: SeriesSlot,
    ) -> Option<f64> {
        let total = scalars.total(slot)?;
        if !plan.rule(contribution.rule).remainder {
            return Some(total);
        }
        let mut remainders = self.remainders.iter();
        let its = remainders.find(|its| its.rule == contribution.rule)?;
        let key = its.keys[slot.index()];
        let parts = scalars.parts(slot);
        let difference = self.before.difference(&mut self.next, key, total, parts.unwrap_or(0.0));
        // A target exports no series for events that never happened.
        (parts.is_none() || difference != 0.0).then_some(difference)
    }

    /// The value that another contribution has for the same labels. It is not written again.
    fn other_value<R>(
        &mut self,
        plan: &ResolvedPlan,
        state: &ExpositionState<R>,
        other: &Contribution,
        series: SeriesRef,
    ) -> Option<f64> {
        let Accumulator::Scalars(scalars) = &state.gathered.get(other.gathered).accumulator else {
            return None;
        };
        let slot = self.merge(plan, state, other, series)?;
        self.value(plan, other, scalars, slot)
    }

    /// Writes one histogram. Returns the number of samples.
    fn write_histogram<R>(
        &mut self,
        plan: &ResolvedPlan,
        state: &mut ExpositionState<R>,
        open: &OpenFamily,
        series: SeriesRef,
        out: &mut Vec<u8>,
    ) -> u64 {
        let contribution = open.contribution();
        let Some((rows, conversion)) = histograms(&state.gathered, contribution) else { return 0 };
        let (mut sum, mut count) = rows.convert(series.slot, conversion, &mut self.buckets);
        let mut max_error = self.buckets.max_error;
        for &other in &contribution.overlaps {
            let other = &open.contributions[other];
            self.other_buckets.max_error = 0.0;
            let (their_sum, their_count) = self.add_histogram(plan, state, other, series);
            max_error += self.other_buckets.max_error;
            (sum, count) = (added(sum, their_sum), added(count, their_count));
        }
        let largest = self.buckets.largest();
        let count = count.or_else(|| self.buckets.infinite());
        if largest.is_none() && sum.is_none() {
            return 0;
        }
        open.write_headers(plan, &state.gathered, &mut state.families, out);
        let labels = state.gathered.get(series.id).labels(series.slot);
        let name = &plan.output(open.output).name;
        let mut samples = 0;
        if let Some(largest) = largest {
            self.errors.add(max_error, largest);
            samples += self.lines.write_buckets(name, labels, conversion, &self.buckets, out);
        }
        for (suffix, value) in [(&b"_sum"[..], sum), (b"_count", count)] {
            if let Some(value) = value {
                SeriesLines::write_line(name, suffix, labels, value, out);
                samples += 1;
            }
        }
        samples
    }

    /// Adds the histogram that another contribution has for the same labels to the current buckets,
    /// and returns its sum and count. It is not written again.
    fn add_histogram<R>(
        &mut self,
        plan: &ResolvedPlan,
        state: &ExpositionState<R>,
        other: &Contribution,
        series: SeriesRef,
    ) -> (Option<f64>, Option<f64>) {
        let Some((rows, conversion)) = histograms(&state.gathered, other) else {
            return (None, None);
        };
        let Some(slot) = self.merge(plan, state, other, series) else {
            return (None, None);
        };
        let sum_and_count = rows.convert(slot, conversion, &mut self.other_buckets);
        for (ours, &theirs) in self.buckets.values.iter_mut().zip(&self.other_buckets.values) {
            if !is_absent(theirs) {
                add(ours, theirs);
            }
        }
        sum_and_count
    }

    /// Finds the series of another contribution that has the same labels, and marks it as merged.
    fn merge<R>(
        &mut self,
        plan: &ResolvedPlan,
        state: &ExpositionState<R>,
        other: &Contribution,
        series: SeriesRef,
    ) -> Option<SeriesSlot> {
        let gathered = state.gathered.get(series.id);
        let (hash, labels) = (gathered.hash(series.slot), gathered.labels(series.slot));
        let slot = state.gathered.get(other.gathered).find(hash, labels)?;
        let theirs = SeriesRef { id: other.gathered, slot };
        if !goes_to(plan, state, other, labels) || !self.merged.insert(theirs) {
            return None;
        }
        self.merged_now.push(theirs);
        Some(slot)
    }

    /// The bucket counts of the last series that are estimates.
    #[cold]
    fn estimated_counts(
        &self,
        gathered: &Gathered,
        open: &OpenFamily,
        series: SeriesRef,
    ) -> Vec<EstimatedCount> {
        let counts = |contribution: &Contribution, slot: SeriesSlot| {
            histograms(gathered, contribution)
                .map(|(rows, conversion)| rows.counts_with_neighbours(slot, conversion))
        };
        let mut all = counts(open.contribution(), series.slot).unwrap_or_default();
        for merged in &self.merged_now {
            let mut others = open.contributions.iter();
            let other = others.find(|other| other.gathered == merged.id);
            let theirs = other.and_then(|other| counts(other, merged.slot)).unwrap_or_default();
            for (ours, theirs) in all.iter_mut().zip(&theirs) {
                ours.add(theirs);
            }
        }
        all.retain(|count| count.below != count.above);
        all
    }

    /// Tells the recorder how a series was written.
    #[cold]
    fn record<R: Recorder>(
        &self,
        plan: &ResolvedPlan,
        state: &mut ExpositionState<R>,
        open: &OpenFamily,
        series: SeriesRef,
        text: &[u8],
        already_present: bool,
    ) {
        let contribution = open.contribution();
        let gathered = state.gathered.get(series.id);
        let slot = series.slot;
        let (total, parts) = match &gathered.accumulator {
            Accumulator::Scalars(scalars) if plan.rule(contribution.rule).remainder => {
                (scalars.total(slot), scalars.parts(slot))
            }
            _ => (None, None),
        };
        state.recorder.written(WrittenSeries {
            output: open.output,
            rule: contribution.rule,
            redirect: contribution.redirect,
            series,
            merged: &self.merged_now,
            labels: gathered.labels(slot),
            text,
            estimated: self.estimated_counts(&state.gathered, open, series),
            is_histogram: matches!(gathered.accumulator, Accumulator::Histograms(_)),
            merge: match &gathered.accumulator {
                Accumulator::Scalars(scalars) => scalars.merge(),
                Accumulator::Histograms(_) => Merge::Sum,
            },
            total,
            parts,
            already_present,
        });
    }
}

/// Whether a label set of a contribution goes to the contribution's output.
fn goes_to<R>(
    plan: &ResolvedPlan,
    state: &ExpositionState<R>,
    contribution: &Contribution,
    labels: &[u8],
) -> bool {
    let rule = plan.rule(contribution.rule);
    if rule.redirects.is_empty() {
        return true;
    }
    let references = &state.seen.references;
    redirect_of(plan, &state.hasher, references, rule, labels) == contribution.redirect
}

/// The histograms of a contribution and how they are converted, if it has any.
fn histograms<'a>(
    gathered: &'a Gathered,
    contribution: &'a Contribution,
) -> Option<(&'a HistogramRows, &'a Conversion)> {
    let Accumulator::Histograms(rows) = &gathered.get(contribution.gathered).accumulator else {
        return None;
    };
    Some((rows, contribution.conversion.as_ref()?))
}

fn added(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a + b),
        (a, b) => a.or(b),
    }
}

/// The rules that write a difference.
fn remainders(plan: &Plan) -> impl Iterator<Item = (RuleId, &Rule)> {
    (0..).map(RuleId).zip(&plan.rules).filter(|(_, rule)| rule.remainder)
}
