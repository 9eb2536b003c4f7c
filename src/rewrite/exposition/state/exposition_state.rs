//! Everything that is known about the exposition so far.

use super::current::{Current, RenderingId};
use super::histogram_sets::HistogramSets;
use super::scalar_run::ScalarRun;
use crate::exposition::LabelHasher;
use crate::mapping::plan::exposition::Plan;
use crate::rewrite::exposition::families::Families;
use crate::rewrite::exposition::gathered::Gathered;
use crate::rewrite::exposition::label_hashes::LabelHashes;
use crate::rewrite::exposition::label_transform::{DuplicateLabel, RenderedLabels};
use crate::rewrite::exposition::labels::Labels;
use crate::rewrite::exposition::limits::Budget;
use crate::rewrite::exposition::options::Options;
use crate::rewrite::exposition::report::Report;
use crate::rewrite::exposition::series_set::SeriesSeen;

/// Everything that is known about the exposition so far. The plan is an argument of each method.
#[derive(Debug)]
pub(in crate::rewrite::exposition) struct ExpositionState<R> {
    pub(in crate::rewrite::exposition) hasher: LabelHasher,
    pub(in crate::rewrite::exposition) families: Families,
    pub(in crate::rewrite::exposition) gathered: Gathered,
    pub(in crate::rewrite::exposition) seen: SeriesSeen,
    pub(in crate::rewrite::exposition) report: Report,
    pub(in crate::rewrite::exposition) recorder: R,
    pub(super) budget: Budget,
    pub(super) current: Current,
    pub(super) hashes: LabelHashes,
    pub(super) histogram_sets: HistogramSets,
    pub(super) scalar_run: ScalarRun,
    /// The labels that were rendered last.
    pub(super) rendered: RenderedLabels,
}

impl<R> ExpositionState<R> {
    pub(in crate::rewrite::exposition) fn new(plan: &Plan, options: &Options, recorder: R) -> Self {
        let hasher = LabelHasher::numbered(0);
        ExpositionState {
            families: Families::new(options.format, options.repeated_types),
            gathered: Gathered::new(plan.rules.len()),
            seen: SeriesSeen::new(plan.references.len()),
            report: Report::new(plan),
            recorder,
            budget: Budget::new(options.limits),
            current: Current::default(),
            hashes: LabelHashes::new(hasher.clone()),
            histogram_sets: HistogramSets::default(),
            scalar_run: ScalarRun::default(),
            rendered: RenderedLabels::default(),
            hasher,
        }
    }

    /// Renders the current label set.
    pub(super) fn render(
        &mut self,
        id: RenderingId,
        labels: Labels<'_>,
    ) -> Result<(), DuplicateLabel> {
        let rendering = &self.current.renderings[id.0];
        rendering.transform.render(labels, &mut self.hashes, &mut self.rendered)
    }

    /// The exposition is complete.
    pub(in crate::rewrite::exposition) fn complete(&mut self) {
        self.gathered.complete();
    }
}
