//! Records what the engine did.

use crate::exposition::Flaw;
use crate::mapping::Merge;
use crate::mapping::plan::exposition::{OutputId, RuleId};
use crate::rewrite::exposition::estimate::EstimatedCount;
use crate::rewrite::exposition::gathered::SeriesRef;
use crate::rewrite::exposition::reason::{DropReason, RefusedBecause};
use crate::rewrite::exposition::recorder::{Recorder, WrittenSeries};

/// Everything that was done since it was last described.
#[derive(Debug, Default)]
pub(super) struct Trace {
    /// Samples, in order.
    pub(super) samples: Vec<SampleTrace>,
    /// Lines that Prometheus would refuse.
    pub(super) malformed: Vec<MalformedTrace>,
    /// Gathered series, in the order in which they were written.
    pub(super) written: Vec<Written>,
}

/// A line that Prometheus would refuse.
#[derive(Debug)]
pub(super) struct MalformedTrace {
    /// Number of the line, from 1.
    pub(super) number: u64,
    pub(super) line: Box<[u8]>,
    pub(super) flaw: Flaw,
}

/// What was done with one sample.
#[derive(Debug)]
pub(super) struct SampleTrace {
    /// Number of the line, from 1.
    pub(super) number: u64,
    pub(super) line: Box<[u8]>,
    pub(super) family: Box<[u8]>,
    /// It was output unchanged.
    pub(super) forwarded: bool,
    pub(super) dropped: Option<DropReason>,
    pub(super) refused: Vec<(RuleId, RefusedBecause)>,
    pub(super) effects: Vec<Effect>,
}

/// What one rule did with a sample.
#[derive(Debug)]
pub(super) enum Effect {
    /// Wrote it at once as this line.
    Renamed(RuleId, Box<[u8]>),
    /// Added it to a series that is written at the end.
    Gathered(RuleId, SeriesRef),
    /// Subtracted it from the total in this series.
    SubtractedFrom(SeriesRef),
}

/// How a gathered series was written.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) output: OutputId,
    pub(super) rule: RuleId,
    pub(super) redirect: Option<usize>,
    pub(super) series: SeriesRef,
    pub(super) labels: Box<[u8]>,
    /// The lines written, including headers.
    pub(super) text: Box<[u8]>,
    pub(super) estimated: Vec<EstimatedCount>,
    pub(super) is_histogram: bool,
    pub(super) merge: Merge,
    pub(super) total: Option<f64>,
    pub(super) parts: Option<f64>,
    pub(super) already_present: bool,
}

impl SampleTrace {
    /// Why it was dropped by a rule that matches it.
    pub(super) fn dropped_by_rule(&self) -> Option<DropReason> {
        self.refused.iter().find_map(|(_, because)| because.drops())
    }

    /// Whether a rule was applied, or was only prevented by a number of the sample.
    pub(super) fn was_read(&self) -> bool {
        !self.effects.is_empty() || self.dropped_by_rule().is_some()
    }
}

impl Trace {
    /// The sample that the current event is about.
    fn current(&mut self) -> &mut SampleTrace {
        self.samples.last_mut().expect("a sample is announced before what is done with it")
    }
}

impl Recorder for Trace {
    const RECORDS: bool = true;

    fn sample(&mut self, number: u64, line: &[u8], family: &[u8]) {
        self.samples.push(SampleTrace {
            number,
            line: line.into(),
            family: family.into(),
            forwarded: false,
            dropped: None,
            refused: Vec::new(),
            effects: Vec::new(),
        });
    }

    fn forwarded(&mut self) {
        self.current().forwarded = true;
    }

    fn dropped(&mut self, reason: DropReason) {
        self.current().dropped = Some(reason);
    }

    fn renamed(&mut self, rule: RuleId, line: &[u8]) {
        self.current().effects.push(Effect::Renamed(rule, line.into()));
    }

    fn gathered(&mut self, rule: RuleId, series: SeriesRef) {
        self.current().effects.push(Effect::Gathered(rule, series));
    }

    fn subtracted_from(&mut self, total: SeriesRef) {
        self.current().effects.push(Effect::SubtractedFrom(total));
    }

    fn refused(&mut self, rule: RuleId, because: RefusedBecause) {
        self.current().refused.push((rule, because));
    }

    fn malformed(&mut self, number: u64, line: &[u8], flaw: Flaw) {
        self.malformed.push(MalformedTrace { number, line: line.into(), flaw });
    }

    fn written(&mut self, series: WrittenSeries<'_>) {
        self.written.push(Written {
            output: series.output,
            rule: series.rule,
            redirect: series.redirect,
            series: series.series,
            labels: series.labels.into(),
            text: series.text.into(),
            estimated: series.estimated,
            is_histogram: series.is_histogram,
            merge: series.merge,
            total: series.total,
            parts: series.parts,
            already_present: series.already_present,
        });
    }
}
