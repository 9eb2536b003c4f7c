//! What was decided of a label set, carried out on one sample.

use super::ExpositionState;
use crate::exposition::{Sample, Scanner, parse_number};
use crate::mapping::plan::exposition::{Plan, RuleId};
use crate::rewrite::exposition::families::FamilyId;
use crate::rewrite::exposition::gathered::buckets::{MAX_BUCKETS, NoCell};
use crate::rewrite::exposition::gathered::series::{Accumulator, HistogramPart, SeriesSlot};
use crate::rewrite::exposition::labels::{LE, Labels};
use crate::rewrite::exposition::limits::LimitExceeded;
use crate::rewrite::exposition::output::Output;
use crate::rewrite::exposition::state::current::Action;

impl ExpositionState {
    /// Carries out what was decided, on one sample.
    pub(in crate::rewrite::exposition) fn apply(
        &mut self,
        plan: &Plan,
        scanner: &Scanner,
        line: &[u8],
        sample: Sample,
        out: &mut Output<'_>,
    ) -> Result<(), LimitExceeded> {
        #[allow(clippy::cast_precision_loss, reason = "at most 15 digits")]
        let value = match sample.integer {
            Some(integer) => integer as f64,
            None => parse_number(scanner.value().of(line)).unwrap_or(f64::NAN),
        };
        for index in 0..self.current.actions.len() {
            match self.current.actions[index] {
                Action::Histogram(rule, hold, slot) => {
                    let labels = Labels { line, spans: scanner.labels() };
                    self.ladder_line(hold, slot, labels, value)?;
                    self.report.read(rule);
                }
                Action::Scalar(rule, hold, slot) => {
                    if let Accumulator::Scalars(values) = &mut self.gathered[hold].accumulator {
                        values.join(slot, value);
                    }
                    self.report.read(rule);
                }
                Action::PartOfTotal(hold, slot) => {
                    if let Accumulator::Scalars(values) = &mut self.gathered[hold].accumulator {
                        values.join_part(slot, value);
                    }
                }
                Action::Rename(rule, family, rendering) => {
                    let to = (family, rendering);
                    self.stream(plan, rule, to, scanner, line, out.replacement());
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
        slot: SeriesSlot,
        labels: Labels<'_>,
        value: f64,
    ) -> Result<(), LimitExceeded> {
        let Accumulator::Histograms(ladders) = &mut self.gathered[hold].accumulator else {
            return Ok(());
        };
        match self.current.part {
            Some(HistogramPart::Bucket) => {
                let le = match labels.spans.get(self.current.labels) {
                    Some(span) => span.value.of(labels.line),
                    None => labels.value(LE),
                };
                let cell = match ladders.boundaries.cell(le) {
                    Ok(cell) => cell,
                    Err(NoCell::NotANumber) => {
                        self.report.drop("bad_le");
                        return Ok(());
                    }
                    Err(NoCell::TooMany) => return Err(LimitExceeded::Buckets(MAX_BUCKETS)),
                };
                if let Some(bytes) = ladders.short_of(cell) {
                    self.report.held_bytes += bytes;
                    self.budget.add_bytes(bytes)?;
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
        let source = self.current.family;
        let metric_type = self.families.family(source).metric_type;
        self.families.open_written(family, output.help.as_deref(), source, metric_type, out);
        let start = out.len();
        let name = scanner.name();
        out.extend_from_slice(&output.name);
        out.extend_from_slice(&name.of(line)[rule.from.len()..]);
        let labels = Labels { line, spans: scanner.labels() };
        let as_it_is = self.current.renderings[rendering].transform.keeps_all(labels);
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
        self.current.rendered_prefix.clear();
        if let Some(last) = labels.spans.last()
            && last.value.end() + 2 == scanner.labels_end()
            && self.current.renderings[rendering].transform.ends_with(labels.spans.len() - 1)
        {
            // What leaves ends as the line does, from the last label's value on.
            let tail = line.len() - last.value.start();
            self.current.rendered_prefix.extend_from_slice(&out[start..out.len() - tail]);
        }
    }
}
