//! Applies a verdict to one sample.

use super::current::{Action, RenderingId};
use super::exposition_state::ExpositionState;
use crate::exposition::parse_number;
use crate::mapping::plan::exposition::RuleId;
use crate::rewrite::exposition::families::FamilyId;
use crate::rewrite::exposition::family::HistogramPart;
use crate::rewrite::exposition::gathered::{MAX_BUCKETS, NoCell, Part, SeriesRef, Source, Timed};
use crate::rewrite::exposition::labels::LE;
use crate::rewrite::exposition::limits::LimitExceeded;
use crate::rewrite::exposition::output::Output;
use crate::rewrite::exposition::reason::{DropReason, RefusedBecause};
use crate::rewrite::exposition::recorder::Recorder;
use crate::rewrite::exposition::resolved_plan::ResolvedPlan;
use crate::rewrite::exposition::sample_line::SampleLine;
use crate::rewrite::exposition::scaled::{end_of_timestamp, exemplar, write_scaled};
use crate::rewrite::exposition::written_headers::name_of_created;

impl<R: Recorder> ExpositionState<R> {
    /// Applies the actions of the current verdict. Returns `false` if an equal series arrived
    /// before.
    ///
    /// # Errors
    ///
    /// More would have to be kept than the limits allow.
    pub(super) fn apply(
        &mut self,
        plan: &ResolvedPlan,
        line: &SampleLine<'_>,
        out: &mut Output<'_>,
    ) -> Result<bool, LimitExceeded> {
        let read = line.value();
        let timestamp = self.current.timestamp;
        let key = self.current.source;
        let mut index = 0;
        while let Some(action) = self.current.action(index) {
            let Some(value) = self.scaled(plan, action.rule(), read) else {
                self.out_of_range(action.rule());
                index += 1;
                continue;
            };
            let timed = timestamp.map(|timestamp| Timed { timestamp, value });
            match action {
                Action::Histogram(rule, series) => {
                    if !self.add_to_histogram(rule, series, line, value)? {
                        return Ok(false);
                    }
                    self.report.read(plan.reported_as(rule), 1);
                }
                Action::Scalar(rule, series) => {
                    if let Some(scalars) = self.gathered.scalars_mut(series.id) {
                        if let Some(sample) = timed {
                            let source = scalars.add_timed(series.slot, key, sample);
                            self.remember_timed(source)?;
                        } else {
                            scalars.add(series.slot, value);
                        }
                    }
                    self.report.read(plan.reported_as(rule), 1);
                    self.recorder.gathered(rule, series);
                }
                Action::PartOfTotal(_, total) => {
                    if let Some(scalars) = self.gathered.scalars_mut(total.id) {
                        if let Some(sample) = timed {
                            let source = scalars.add_timed_part(total.slot, key, sample);
                            self.remember_timed(source)?;
                        } else {
                            scalars.add_part(total.slot, value);
                        }
                    }
                    self.recorder.subtracted_from(total);
                }
                Action::Rename(rule, ..) if self.has_large_number(plan, rule, line) => {
                    self.out_of_range(rule);
                }
                Action::Rename(rule, family, rendering) => {
                    self.write_renamed(plan, rule, family, rendering, line, out.replacement());
                    self.report.read(plan.reported_as(rule), 1);
                    self.report.wrote(plan.reported_as(rule), 1);
                }
            }
            index += 1;
        }
        Ok(true)
    }

    /// A value in the unit that a rule writes. Counts have none. `None` if it is too large.
    #[inline]
    fn scaled(&self, plan: &ResolvedPlan, rule: RuleId, value: f64) -> Option<f64> {
        let has_unit = matches!(self.current.part, None | Some(HistogramPart::Sum));
        let scale = plan.rule(rule).scale.filter(|_| has_unit);
        scale.map_or(Some(value), |scale| scale.checked(value))
    }

    /// Counts a sample with a number that is too large in the unit that a rule writes.
    fn out_of_range(&mut self, rule: RuleId) {
        self.report.drop(DropReason::OutOfRange);
        self.recorder.refused(rule, RefusedBecause::OutOfRange);
    }

    /// Adds a sample to a histogram. Returns `false` if the histogram has it already.
    fn add_to_histogram(
        &mut self,
        rule: RuleId,
        series: SeriesRef,
        line: &SampleLine<'_>,
        value: f64,
    ) -> Result<bool, LimitExceeded> {
        let Some(rows) = self.gathered.histograms_mut(series.id) else { return Ok(true) };
        let (slot, key) = (series.slot, self.current.source);
        let mut bytes = 0;
        if self.current.part == Some(HistogramPart::Bucket) && self.current.timestamp.is_none() {
            // Even if `le` is wrong: the next bucket may take the fast path.
            bytes += rows.open(slot, key);
        }
        let part = match self.current.part {
            Some(HistogramPart::Bucket) => {
                let labels = line.labels();
                let le = match labels.spans.get(self.current.decided_labels) {
                    Some(span) => span.value.of(labels.line),
                    None => labels.value(LE),
                };
                match rows.boundaries.cell(le) {
                    Ok(cell) => Part::Bucket(cell),
                    Err(NoCell::NotANumber) => {
                        self.report.drop(DropReason::BadLe);
                        self.recorder.refused(rule, RefusedBecause::BadLe);
                        return Ok(true);
                    }
                    Err(NoCell::OutOfRange) => {
                        self.out_of_range(rule);
                        return Ok(true);
                    }
                    Err(NoCell::TooMany) => return Err(LimitExceeded::Buckets(MAX_BUCKETS)),
                }
            }
            Some(HistogramPart::Sum) => Part::Sum,
            Some(HistogramPart::Count) => Part::Count,
            Some(HistogramPart::Created) | None => return Ok(true),
        };
        let wider = match part {
            Part::Bucket(cell) => rows.bytes_to_widen(cell),
            Part::Sum | Part::Count => None,
        };
        bytes += wider.unwrap_or(0);
        self.report.held_bytes += bytes;
        self.budget.add_bytes(bytes)?;
        if wider.is_some() {
            rows.widen();
        }
        if let Some(timestamp) = self.current.timestamp {
            let source = rows.add_timed(slot, key, part, Timed { timestamp, value });
            self.remember_timed(source)?;
            self.recorder.gathered(rule, series);
            return Ok(true);
        }
        match part {
            Part::Bucket(cell) => {
                if !rows.add_bucket(cell, value) {
                    return Ok(false);
                }
            }
            Part::Sum => rows.add_sum(slot, value),
            Part::Count => rows.add_count(slot, value),
        }
        self.recorder.gathered(rule, series);
        Ok(true)
    }

    /// Counts a sample that has a timestamp. Only the latest of each series is added at the end.
    fn remember_timed(&mut self, source: Source) -> Result<(), LimitExceeded> {
        match source {
            Source::New { bytes } => {
                self.report.held_bytes += bytes;
                self.budget.add_bytes(bytes)?;
            }
            Source::Repeated => self.report.drop(DropReason::RepeatedSeries),
        }
        Ok(())
    }

    /// Whether the boundary or the exemplar of a sample is too large in the unit that a rule writes.
    fn has_large_number(&self, plan: &ResolvedPlan, rule: RuleId, line: &SampleLine<'_>) -> bool {
        let Some(scale) = plan.rule(rule).scale.filter(|scale| !scale.only_shrinks()) else {
            return false;
        };
        let is_large = |number: f64| scale.checked(number).is_none();
        let part = self.current.part;
        let boundary = || parse_number(line.labels().value(LE));
        part == Some(HistogramPart::Bucket) && boundary().is_some_and(is_large)
            || exemplar(line, part).is_some_and(is_large)
    }

    /// Writes a sample with the name and labels that a rule gives it.
    ///
    /// Not inlined: then all samples that are not renamed cost more.
    #[inline(never)]
    fn write_renamed(
        &mut self,
        plan: &ResolvedPlan,
        id: RuleId,
        family: FamilyId,
        rendering: RenderingId,
        line: &SampleLine<'_>,
        out: &mut Vec<u8>,
    ) {
        let rule = plan.rule(id);
        let output = plan.output(rule.to);
        let source = self.current.family;
        let metric_type = rule.written_type(self.families.family(source).metric_type);
        self.families.open_written(family, output.help.as_deref(), source, rule, metric_type, out);
        let start = out.len();
        let SampleLine { text, scanner, .. } = *line;
        let name = scanner.name();
        if self.current.part == Some(HistogramPart::Created) {
            out.extend_from_slice(&name_of_created(&output.name, metric_type).unwrap_or_default());
        } else {
            out.extend_from_slice(&output.name);
            out.extend_from_slice(&name.of(text)[rule.from.len()..]);
        }
        let labels = line.labels();
        // A quoted name is between the braces, and cannot be replaced alone.
        let unchanged = !scanner.has_quoted_name()
            && self.current.renderings[rendering.0].transform.keeps_all(labels);
        let (scale, part) = (rule.scale, self.current.part);
        let loses_exemplars = self.families.loses_exemplars(source, &output.name, metric_type);
        if unchanged && scale.is_none() && labels.spans.iter().all(|span| !span.odd) {
            out.extend_from_slice(&text[name.end()..]);
        } else {
            // The verdict was on the first sample of the label set; `le` may have changed since.
            if self.render(rendering, labels).is_ok() && !self.rendered.bytes().is_empty() {
                out.push(b'{');
                out.extend_from_slice(self.rendered.bytes());
                out.push(b'}');
            }
            match scale {
                Some(scale) => write_scaled(line, part, scale, !loses_exemplars, out),
                None => out.extend_from_slice(&text[scanner.labels_end()..]),
            }
        }
        self.current.rendered_prefix.clear();
        if scale.is_some() {
            // Each line is written for itself: its value, boundary or exemplar changes.
        } else if let Some(last) = labels.spans.last()
            && last.value.end() + 2 == scanner.labels_end()
            && self.current.renderings[rendering.0].transform.ends_with(labels.spans.len() - 1)
        {
            // The output ends as the line does, from the last label's value on.
            let tail = text.len() - last.value.start();
            self.current.rendered_prefix.extend_from_slice(&out[start..out.len() - tail]);
        }
        if loses_exemplars && scale.is_none() {
            cut_exemplar(line, out);
        }
        self.recorder.renamed(id, &out[start..]);
    }
}

/// Removes the exemplar of a line that was just written. Without one, nothing changes.
fn cut_exemplar(line: &SampleLine<'_>, out: &mut Vec<u8>) {
    let exemplar = line.text.len() - 1 - end_of_timestamp(line);
    if exemplar > 0 {
        out.truncate(out.len() - 1 - exemplar);
        out.push(b'\n');
    }
}
