//! The fast path: samples for which nothing has to be decided.
//!
//! Its loops are functions of their own. Within the function that reads all other lines, they have
//! fewer registers, and cost one percent more instructions.

use super::current::FastPath;
use super::exposition_state::ExpositionState;
use super::histogram_sets::GatheredSet;
use crate::exposition::{Alike, PlainSample, Scanner};
use crate::mapping::plan::exposition::RuleId;
use crate::rewrite::exposition::family::HistogramPart;
use crate::rewrite::exposition::gathered::{
    GatheredId, HistogramRows, SOURCE_BYTES, SeriesRef, Source,
};
use crate::rewrite::exposition::output::Output;
use crate::rewrite::exposition::recorder::Recorder;

impl<R: Recorder> ExpositionState<R> {
    /// Reads samples that differ from the one before only in the value of their last label, as long
    /// as nothing has to be decided: they pass like the one before, or are the next buckets.
    ///
    /// Returns the number of lines. [`sample`](Self::sample) has to take the next one.
    #[inline]
    pub(in crate::rewrite::exposition) fn read_alike(
        &mut self,
        scanner: &Scanner,
        out: &mut Output<'_>,
    ) -> u64 {
        let lines = match self.current.fast_path {
            FastPath::None => return 0,
            FastPath::Pass => self.pass_alike(scanner, out),
            FastPath::Bucket { rule, id, forward } => {
                self.add_alike(scanner, rule, id, forward, out)
            }
            FastPath::Renamed(rule) => self.rename_alike(scanner, rule, out),
            FastPath::SumOrCount => self.take_sums_or_counts(scanner, out),
            FastPath::Scalars => self.add_scalars(scanner, out),
        };
        self.report.samples_in += lines;
        lines
    }

    #[inline(never)]
    fn pass_alike(&mut self, scanner: &Scanner, out: &mut Output<'_>) -> u64 {
        let input = out.rest();
        let (mut lines, mut read) = (0, 0);
        while let Some(alike) = scanner.alike(&input[read..]) {
            read += alike.len;
            lines += 1;
        }
        out.keep(read);
        self.report.passed += lines;
        lines
    }

    #[inline(never)]
    fn add_alike(
        &mut self,
        scanner: &Scanner,
        rule: RuleId,
        id: GatheredId,
        forward: bool,
        out: &mut Output<'_>,
    ) -> u64 {
        let Some(rows) = self.gathered.histograms_mut(id) else { return 0 };
        let input = out.rest();
        let (mut lines, mut read) = (0, 0);
        while let Some((cell, value, len)) = next_bucket(scanner, rows, &input[read..]) {
            if rows.bytes_to_widen(cell).is_some() || !rows.add_bucket(cell, value) {
                break;
            }
            read += len;
            lines += 1;
        }
        if forward {
            out.keep(read);
            self.report.kept += lines;
        } else if lines > 0 {
            out.skip(read);
        }
        self.report.read(rule, lines);
        lines
    }

    /// Reads sums or counts of histograms whose buckets arrived before, as long as they have the same
    /// order.
    #[inline(never)]
    fn take_sums_or_counts(&mut self, scanner: &Scanner, out: &mut Output<'_>) -> u64 {
        let is_sum = self.current.part == Some(HistogramPart::Sum);
        let mut lines = 0;
        while let Some(labels) = self.histogram_sets.next_labels() {
            let sample = scanner.sample_of_series(out.rest(), &self.current.name, labels);
            let Some(PlainSample { len, value }) = sample else { break };
            match self.histogram_sets.next_gathered() {
                None => {
                    self.report.passed += 1;
                    out.keep(len);
                }
                Some(set) => {
                    if !self.add_sum_or_count(&set, is_sum, value) {
                        break;
                    }
                    if set.forward {
                        self.report.kept += 1;
                        out.keep(len);
                    } else {
                        out.skip(len);
                    }
                }
            }
            self.histogram_sets.advance();
            lines += 1;
        }
        lines
    }

    /// Returns `false`, and adds nothing, if the line is to be decided in full.
    #[inline]
    fn add_sum_or_count(&mut self, set: &GatheredSet, is_sum: bool, value: f64) -> bool {
        let GatheredSet { series: SeriesRef { id, slot }, key, rule, .. } = *set;
        let Some(rows) = self.gathered.histograms_mut(id) else { return false };
        if !self.budget.has_room_for(SOURCE_BYTES) {
            return false;
        }
        let source = if is_sum { rows.sum_source(slot, key) } else { rows.count_source(slot, key) };
        let Source::New { bytes } = source else { return false };
        if self.budget.add_bytes(bytes).is_err() {
            return false;
        }
        self.report.held_bytes += bytes;
        if is_sum {
            rows.add_sum(slot, value);
        } else {
            rows.add_count(slot, value);
        }
        self.report.read(rule, 1);
        true
    }

    #[inline(never)]
    fn rename_alike(&mut self, scanner: &Scanner, rule: RuleId, out: &mut Output<'_>) -> u64 {
        let mut lines = 0;
        while let Some(alike) = scanner.alike(out.rest()) {
            let line = &out.rest()[..alike.len];
            let written = out.replacement();
            written.extend_from_slice(&self.current.rendered_prefix);
            written.extend_from_slice(&line[alike.label.start()..]);
            out.skip(alike.len);
            lines += 1;
        }
        self.report.read(rule, lines);
        self.report.wrote(rule, lines);
        lines
    }
}

/// The cell and the value of the bucket in the first line of `input`, and the length of the line.
#[inline(always)]
#[expect(clippy::inline_always, reason = "called in the loop that reads nearly every line")]
fn next_bucket(
    scanner: &Scanner,
    rows: &mut HistogramRows,
    input: &[u8],
) -> Option<(usize, f64, usize)> {
    let at = scanner.last_label(input)?;
    if let Some((cell, at)) = rows.boundaries.next_cell(input, at) {
        let (value, len) = scanner.plain_value(input, at)?;
        return Some((cell, value, len));
    }
    let Alike { len, label, value } = scanner.alike(input)?;
    let cell = rows.boundaries.cell(label.of(input)).ok()?;
    Some((cell, value, len))
}
