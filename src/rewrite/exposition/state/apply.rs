//! Applies a verdict to one sample.

use super::current::{Action, RenderingId};
use super::exposition_state::ExpositionState;
use crate::mapping::plan::exposition::{Plan, RuleId};
use crate::rewrite::exposition::families::{FamilyId, HistogramPart};
use crate::rewrite::exposition::gathered::{MAX_BUCKETS, NoCell, SeriesRef};
use crate::rewrite::exposition::labels::LE;
use crate::rewrite::exposition::limits::LimitExceeded;
use crate::rewrite::exposition::output::Output;
use crate::rewrite::exposition::reason::{DropReason, RefusedBecause};
use crate::rewrite::exposition::recorder::Recorder;
use crate::rewrite::exposition::sample_line::SampleLine;

impl<R: Recorder> ExpositionState<R> {
    /// Carries out the actions of the current verdict.
    ///
    /// # Errors
    ///
    /// More would have to be kept than the limits allow.
    pub(super) fn apply(
        &mut self,
        plan: &Plan,
        line: &SampleLine<'_>,
        out: &mut Output<'_>,
    ) -> Result<(), LimitExceeded> {
        let value = line.value();
        let mut index = 0;
        while let Some(action) = self.current.action(index) {
            match action {
                Action::Histogram(rule, series) => {
                    self.add_to_histogram(rule, series, line, value)?;
                    self.report.read(rule);
                }
                Action::Scalar(rule, series) => {
                    if let Some(scalars) = self.gathered.scalars_mut(series.id) {
                        scalars.add(series.slot, value);
                    }
                    self.report.read(rule);
                    self.recorder.gathered(rule, series);
                }
                Action::PartOfTotal(total) => {
                    if let Some(scalars) = self.gathered.scalars_mut(total.id) {
                        scalars.add_part(total.slot, value);
                    }
                    self.recorder.subtracted_from(total);
                }
                Action::Rename(rule, family, rendering) => {
                    self.write_renamed(plan, rule, family, rendering, line, out.replacement());
                    self.report.read(rule);
                    self.report.wrote(rule, 1);
                }
            }
            index += 1;
        }
        Ok(())
    }

    fn add_to_histogram(
        &mut self,
        rule: RuleId,
        series: SeriesRef,
        line: &SampleLine<'_>,
        value: f64,
    ) -> Result<(), LimitExceeded> {
        let Some(rows) = self.gathered.histograms_mut(series.id) else { return Ok(()) };
        match self.current.part {
            Some(HistogramPart::Bucket) => {
                let labels = line.labels();
                let le = match labels.spans.get(self.current.decided_labels) {
                    Some(span) => span.value.of(labels.line),
                    None => labels.value(LE),
                };
                let cell = match rows.boundaries.cell(le) {
                    Ok(cell) => cell,
                    Err(NoCell::NotANumber) => {
                        self.report.drop(DropReason::BadLe);
                        self.recorder.refused(rule, RefusedBecause::BadLe);
                        return Ok(());
                    }
                    Err(NoCell::TooMany) => return Err(LimitExceeded::Buckets(MAX_BUCKETS)),
                };
                if let Some(bytes) = rows.bytes_to_widen(cell) {
                    self.report.held_bytes += bytes;
                    self.budget.add_bytes(bytes)?;
                    rows.widen();
                }
                rows.add_bucket(cell, value);
            }
            Some(HistogramPart::Sum) => rows.add_sum(series.slot, value),
            Some(HistogramPart::Count) => rows.add_count(series.slot, value),
            None => {}
        }
        self.recorder.gathered(rule, series);
        Ok(())
    }

    /// Writes a sample with the name and labels that a rule gives it.
    fn write_renamed(
        &mut self,
        plan: &Plan,
        id: RuleId,
        family: FamilyId,
        rendering: RenderingId,
        line: &SampleLine<'_>,
        out: &mut Vec<u8>,
    ) {
        let rule = plan.rule(id);
        let output = plan.output(rule.to);
        let source = self.current.family;
        let metric_type = self.families.family(source).metric_type;
        self.families.open_written(family, output.help.as_deref(), source, metric_type, out);
        let start = out.len();
        let SampleLine { text, scanner, .. } = *line;
        let name = scanner.name();
        out.extend_from_slice(&output.name);
        out.extend_from_slice(&name.of(text)[rule.from.len()..]);
        let labels = line.labels();
        let unchanged = self.current.renderings[rendering.0].transform.keeps_all(labels);
        if unchanged && labels.spans.iter().all(|span| !span.odd) {
            out.extend_from_slice(&text[name.end()..]);
        } else {
            // The verdict was on the first sample of the label set; `le` may have changed since.
            if self.render(rendering, labels).is_ok() && !self.rendered.bytes().is_empty() {
                out.push(b'{');
                out.extend_from_slice(self.rendered.bytes());
                out.push(b'}');
            }
            out.extend_from_slice(&text[scanner.labels_end()..]);
        }
        self.recorder.renamed(id, &out[start..]);
        self.current.rendered_prefix.clear();
        if let Some(last) = labels.spans.last()
            && last.value.end() + 2 == scanner.labels_end()
            && self.current.renderings[rendering.0].transform.ends_with(labels.spans.len() - 1)
        {
            // The output ends as the line does, from the last label's value on.
            let tail = text.len() - last.value.start();
            self.current.rendered_prefix.extend_from_slice(&out[start..out.len() - tail]);
        }
    }
}
