//! What the engine did, event by event, for an observer such as `explain`.

use super::estimate::EstimatedCount;
use super::gathered::SeriesRef;
use super::reason::{DropReason, RefusedBecause};
use crate::exposition::Flaw;
use crate::mapping::Merge;
use crate::mapping::plan::exposition::{OutputId, RuleId};

/// Receives every step of one rewriting. It does not affect the output.
///
/// `()` records nothing: the engine is compiled once without any recording, for scrapes, and once
/// with it, for `explain`.
pub(super) trait Recorder {
    /// Whether anything is recorded. If so, every sample takes the complete path.
    const RECORDS: bool;

    /// A sample arrived. The events up to the next sample are about this one.
    fn sample(&mut self, number: u64, line: &[u8], family: &[u8]);

    /// The sample is output unchanged.
    fn forwarded(&mut self);

    /// The sample is not output in any form.
    fn dropped(&mut self, reason: DropReason);

    /// A rule wrote the sample at once as this line.
    fn renamed(&mut self, rule: RuleId, line: &[u8]);

    /// A rule added the sample to a series that is written at the end.
    fn gathered(&mut self, rule: RuleId, series: SeriesRef);

    /// The sample is subtracted from the total in this series.
    fn subtracted_from(&mut self, total: SeriesRef);

    /// A rule matched the sample and could not be applied.
    fn refused(&mut self, rule: RuleId, because: RefusedBecause);

    /// A line that Prometheus would refuse arrived.
    fn malformed(&mut self, number: u64, line: &[u8], flaw: Flaw);

    /// A gathered series was written, or left out.
    fn written(&mut self, series: WrittenSeries<'_>);
}

/// One gathered series at the end of the exposition.
#[derive(Debug)]
pub(super) struct WrittenSeries<'a> {
    pub(super) output: OutputId,
    pub(super) rule: RuleId,
    /// Index in the rule's redirects, if one applied.
    pub(super) redirect: Option<usize>,
    pub(super) series: SeriesRef,
    /// Series of other rules with the same labels that were added to it.
    pub(super) merged: &'a [SeriesRef],
    pub(super) labels: &'a [u8],
    /// The lines written, including headers. Empty if the series was left out.
    pub(super) text: &'a [u8],
    /// The bucket counts that are estimates.
    pub(super) estimated: Vec<EstimatedCount>,
    pub(super) is_histogram: bool,
    /// How samples of the series are merged, unless it is a histogram.
    pub(super) merge: Merge,
    /// Of a difference: the total, and what is subtracted from it.
    pub(super) total: Option<f64>,
    pub(super) parts: Option<f64>,
    /// The series also arrived in the emitted generation, so it was left out.
    pub(super) already_present: bool,
}

impl Recorder for () {
    const RECORDS: bool = false;

    #[inline]
    fn sample(&mut self, _: u64, _: &[u8], _: &[u8]) {}
    #[inline]
    fn forwarded(&mut self) {}
    #[inline]
    fn dropped(&mut self, _: DropReason) {}
    #[inline]
    fn renamed(&mut self, _: RuleId, _: &[u8]) {}
    #[inline]
    fn gathered(&mut self, _: RuleId, _: SeriesRef) {}
    #[inline]
    fn subtracted_from(&mut self, _: SeriesRef) {}
    #[inline]
    fn refused(&mut self, _: RuleId, _: RefusedBecause) {}
    #[inline]
    fn malformed(&mut self, _: u64, _: &[u8], _: Flaw) {}
    #[inline]
    fn written(&mut self, _: WrittenSeries<'_>) {}
}
