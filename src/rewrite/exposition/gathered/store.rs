//! Everything that all rules have gathered.

use super::histograms::HistogramRows;
use super::ids::{GatheredId, SeriesRef};
use super::scalars::Scalars;
use super::series::{Accumulator, GatheredSeries, Shape};
use crate::mapping::plan::exposition::RuleId;
use crate::rewrite::exposition::families::FamilyId;
use crate::rewrite::exposition::label_transform::RenderedLabels;

/// Series that are written when the exposition is complete, because samples must be merged, split,
/// subtracted or converted first.
#[derive(Debug)]
pub(in crate::rewrite::exposition) struct Gathered {
    /// In the order in which rules first gathered something.
    list: Vec<GatheredSeries>,
    by_rule: Vec<Option<GatheredId>>,
    /// The family that each rule read.
    source_of: Vec<FamilyId>,
}

/// A slot that was found or added.
#[derive(Clone, Copy, Debug)]
pub(in crate::rewrite::exposition) struct Placed {
    pub(in crate::rewrite::exposition) series: SeriesRef,
    /// For a new label set: about how many bytes it takes.
    pub(in crate::rewrite::exposition) added: Option<usize>,
}

impl Gathered {
    /// An empty store, for a plan with this many rules.
    pub(in crate::rewrite::exposition) fn new(rules: usize) -> Self {
        Gathered {
            list: Vec::new(),
            by_rule: vec![None; rules],
            source_of: vec![FamilyId::default(); rules],
        }
    }

    /// Rules were added to the plan: there are this many.
    pub(in crate::rewrite::exposition) fn reach(&mut self, rules: usize) {
        self.by_rule.resize(rules, None);
        self.source_of.resize(rules, FamilyId::default());
    }

    /// Where a rule gathers samples with these labels. `None` if the rule has gathered samples of
    /// another shape before, because the family's type changed.
    pub(in crate::rewrite::exposition) fn place(
        &mut self,
        rule: RuleId,
        shape: Shape<'_>,
        labels: &RenderedLabels,
    ) -> Option<Placed> {
        let list = &mut self.list;
        let id = *self.by_rule[rule.0 as usize].get_or_insert_with(|| {
            list.push(GatheredSeries::new(shape));
            GatheredId(list.len() - 1)
        });
        list[id.0].takes(shape).then(|| self.place_in(id, labels))
    }

    /// As [`place`](Self::place), where samples of the same rule and shape were gathered before.
    #[inline]
    pub(in crate::rewrite::exposition) fn place_in(
        &mut self,
        id: GatheredId,
        labels: &RenderedLabels,
    ) -> Placed {
        let gathered = &mut self.list[id.0];
        let before = gathered.len();
        let slot = gathered.slot(labels);
        let added =
            (gathered.len() > before).then(|| labels.bytes().len() + gathered.bytes_per_series());
        Placed { series: SeriesRef { id, slot }, added }
    }

    pub(in crate::rewrite::exposition) fn get(&self, id: GatheredId) -> &GatheredSeries {
        &self.list[id.0]
    }

    /// What a rule has gathered, if anything.
    pub(in crate::rewrite::exposition) fn of_rule(&self, rule: RuleId) -> Option<GatheredId> {
        self.by_rule[rule.0 as usize]
    }

    #[inline]
    pub(in crate::rewrite::exposition) fn scalars_mut(
        &mut self,
        id: GatheredId,
    ) -> Option<&mut Scalars> {
        match &mut self.list[id.0].accumulator {
            Accumulator::Scalars(scalars) => Some(scalars),
            Accumulator::Histograms(_) => None,
        }
    }

    #[inline]
    pub(in crate::rewrite::exposition) fn histograms_mut(
        &mut self,
        id: GatheredId,
    ) -> Option<&mut HistogramRows> {
        match &mut self.list[id.0].accumulator {
            Accumulator::Histograms(rows) => Some(rows),
            Accumulator::Scalars(_) => None,
        }
    }

    /// Remembers that a rule reads this family.
    pub(in crate::rewrite::exposition) fn set_source(&mut self, rule: RuleId, family: FamilyId) {
        self.source_of[rule.0 as usize] = family;
    }

    /// The family that a rule read.
    pub(in crate::rewrite::exposition) fn source_of(&self, rule: RuleId) -> FamilyId {
        self.source_of[rule.0 as usize]
    }

    /// The exposition is complete.
    pub(in crate::rewrite::exposition) fn complete(&mut self) {
        for gathered in &mut self.list {
            match &mut gathered.accumulator {
                Accumulator::Scalars(scalars) => scalars.complete(),
                Accumulator::Histograms(rows) => rows.complete(),
            }
        }
    }
}
