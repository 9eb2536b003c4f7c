//! Samples that differ only in the value of their last label, and are no parts of histograms.
//!
//! A counter that is counted by consumer has many such samples in a row. What is done with one of
//! them is done with all: they pass, or each has its own label set and is added to its own number.

use super::current::{Action, FastPath, RenderTarget, RenderingId, Verdict};
use super::exposition_state::ExpositionState;
use super::scalar_run::{Addition, LabelsOfEach, ScalarRun};
use crate::exposition::{Alike, MetricType, Scanner};
use crate::mapping::plan::exposition::FamilyPlan;
use crate::rewrite::exposition::gathered::{Placed, SOURCE_BYTES, SeriesRef, Source};
use crate::rewrite::exposition::labels::Labels;
use crate::rewrite::exposition::output::Output;
use crate::rewrite::exposition::recorder::Recorder;
use crate::rewrite::exposition::resolved_plan::ResolvedPlan;
use crate::rewrite::exposition::sample_line::SampleLine;

impl<R: Recorder> ExpositionState<R> {
    /// Prepares for more samples that differ from this one only in the value of their last label.
    pub(super) fn expect_scalars(&mut self, plan: &ResolvedPlan, line: &SampleLine<'_>) {
        let Some(last) = self.current.labels.checked_sub(1) else { return };
        let follows = line.sample.shared > 0 && line.first_changed() == last;
        if !(follows || self.current.has_runs) || !self.current.refused.is_empty() {
            return;
        }
        let (forward, actions) = match &self.current.verdict {
            Verdict::Pass => (true, &[][..]),
            Verdict::Apply(decision) => (decision.forward, &decision.actions[..]),
            Verdict::Drop(_) => return,
        };
        let labels = line.labels();
        let label = &labels.spans[last];
        if !labels.is_tight(last) || label.value.of(labels.line).is_empty() {
            return;
        }
        if !self.scalar_run.is_for(forward, actions) {
            let Some(run) = self.new_run(plan, forward, actions, labels) else { return };
            self.scalar_run = run;
        }
        self.begin_run(labels);
        // For the scanner and for what is remembered of its labels, this sample stays the last one.
        self.current.fast_path = FastPath::Scalars;
    }

    /// A run of samples with labels of the same names as these. `None` if they cannot be added without
    /// a verdict on each.
    fn new_run(
        &self,
        plan: &ResolvedPlan,
        forward: bool,
        actions: &[Action],
        labels: Labels<'_>,
    ) -> Option<ScalarRun> {
        let (last, others) = labels.spans.split_last()?;
        let family = self.families.family(self.current.family);
        if depends_on_value(plan, &family.plan, last.name.of(labels.line)) {
            return None;
        }
        let is_gauge = family.metric_type == Some(MetricType::Gauge);
        let addition = |action: &Action| {
            let (rule, SeriesRef { id, slot }, reported, target) = match *action {
                Action::Scalar(rule, series) => {
                    (rule, series, Some(plan.reported_as(rule)), RenderTarget::Series)
                }
                Action::PartOfTotal(rule, total) => (rule, total, None, RenderTarget::Total),
                Action::Rename(..) | Action::Histogram(..) => return None,
            };
            // Of these, not every sample is added.
            if plan.rule(rule).scale.is_some() || (plan.rule(rule).distinct && is_gauge) {
                return None;
            }
            let mut renderings = self.current.renderings.iter();
            let rendering = renderings.position(|it| (it.rule, it.target) == (rule, target))?;
            let transform = &self.current.renderings[rendering].transform;
            let each = if transform.depends_on <= others.len() {
                None
            } else {
                Some(LabelsOfEach::new(RenderingId(rendering), transform.after(others.len())?))
            };
            Some(Addition { rule, reported, id, slot, each })
        };
        let additions = actions.iter().map(addition).collect::<Option<_>>()?;
        let written = (forward && family.plan.written).then_some(self.current.family_hash);
        Some(ScalarRun { is_known: true, additions, forward, written, ..ScalarRun::default() })
    }

    /// Begins a run with the labels of its first sample.
    fn begin_run(&mut self, labels: Labels<'_>) {
        let ExpositionState { current, scalar_run: run, hashes, gathered, .. } = self;
        let Some(last) = labels.spans.last() else { return };
        let of_last = self.hasher.label(&labels.line[last.name.start()..last.value.end()]);
        run.label_at = last.name.start();
        run.others = hashes.of_set(labels).wrapping_sub(of_last);
        run.bytes = size_of::<u64>();
        for (index, addition) in run.additions.iter_mut().enumerate() {
            let Some(Action::Scalar(_, series) | Action::PartOfTotal(_, series)) =
                current.action(index)
            else {
                continue;
            };
            addition.slot = series.slot;
            run.bytes += SOURCE_BYTES;
            if let Some(each) = &mut addition.each {
                let transform = &current.renderings[each.rendering.0].transform;
                let rendered = transform.render(labels, hashes, &mut each.labels);
                rendered.expect("these labels have been rendered before");
                let length = each.labels.bytes().len();
                let value = last.value.of(labels.line).len();
                each.value_at = length - each.after.len() - value;
                each.others = each.labels.hash().wrapping_sub(of_last);
                run.bytes += length + gathered.get(addition.id).bytes_per_series();
            }
        }
    }

    /// Adds samples that differ from the one before only in the value of their last label.
    #[inline(never)]
    pub(super) fn add_scalars(&mut self, scanner: &Scanner, out: &mut Output<'_>) -> u64 {
        let mut run = std::mem::take(&mut self.scalar_run);
        let input = out.rest();
        let (mut lines, mut read) = (0, 0);
        while let Some(alike) = scanner.alike(&input[read..]) {
            if !self.add_scalar(&mut run, &input[read..], &alike) {
                break;
            }
            read += alike.len;
            lines += 1;
        }
        if run.forward {
            out.keep(read);
            let passed = run.additions.is_empty();
            *(if passed { &mut self.report.passed } else { &mut self.report.kept }) += lines;
        } else if lines > 0 {
            out.skip(read);
        }
        for rule in run.additions.iter().filter_map(|addition| addition.reported) {
            self.report.read(rule, lines);
        }
        self.current.has_runs |= lines > 0;
        self.scalar_run = run;
        lines
    }

    /// Returns `false`, and adds nothing, if the line is to be decided in full. That gives the same
    /// result if a part of what has to be remembered is known already.
    #[inline]
    fn add_scalar(&mut self, run: &mut ScalarRun, line: &[u8], alike: &Alike) -> bool {
        let value = alike.label.of(line);
        let bytes = run.bytes + run.additions.len() * value.len();
        // An empty label is none, of which conditions may depend.
        if value.is_empty() || !self.budget.has_room_for_series(run.additions.len(), bytes) {
            return false;
        }
        let label = self.hasher.label(&line[run.label_at..alike.label.end()]);
        let key = run.others.wrapping_add(label);
        let passed = run.written.map(|family| family.wrapping_add(key));
        if passed.is_some_and(|series| self.seen.renamed_series.contains(series)) {
            return false;
        }
        for Addition { id, slot, reported, each, .. } in &mut run.additions {
            if let Some(each) = each {
                each.labels.replace_end(
                    each.value_at,
                    [value, &each.after],
                    each.others.wrapping_add(label),
                );
                let Placed { series, added } = self.gathered.place_in(*id, &each.labels);
                *slot = series.slot;
                if let Some(bytes) = added {
                    self.report.held_bytes += bytes;
                    self.budget.add_series(bytes).expect("there is room");
                }
            }
            let Some(scalars) = self.gathered.scalars_mut(*id) else { return false };
            let source = match reported {
                Some(_) => scalars.source(*slot, key),
                None => scalars.part_source(*slot, key),
            };
            let Source::New { bytes } = source else { return false };
            self.report.held_bytes += bytes;
            self.budget.add_bytes(bytes).expect("there is room");
        }
        if let Some(series) = passed {
            self.seen.passed_series.push(series);
            self.budget.add_bytes(size_of::<u64>()).expect("there is room");
        }
        for Addition { id, slot, reported, .. } in &run.additions {
            if let Some(scalars) = self.gathered.scalars_mut(*id) {
                match reported {
                    Some(_) => scalars.add(*slot, alike.value),
                    None => scalars.add_part(*slot, alike.value),
                }
            }
        }
        true
    }
}

/// Whether the verdict on samples of a family depends on the value of this label, and not only on
/// whether it is empty.
fn depends_on_value(plan: &ResolvedPlan, family: &FamilyPlan, label: &[u8]) -> bool {
    let is_label = |name: &[u8]| *name == *label;
    let references = family.reference.iter().map(|it| &plan.base().references[it.0 as usize]);
    references.flat_map(|it| &it.on).any(|name| is_label(name))
        || family.not_counted.iter().flatten().any(|(name, _)| is_label(name))
        || family.dropped.iter().any(|samples| samples.depends_on_value(label))
        || family.rules.iter().any(|&rule| plan.rule(rule).when.depends_on_value(label))
}
