//! Finds the editions of the families that were read and written.

use super::exposition_state::ExpositionState;
use crate::mapping::EditionName;
use crate::mapping::plan::exposition::{FamilyEditions, Plan, RuleId};
use crate::rewrite::exposition::editions::ExportedBoundaries;
use crate::rewrite::exposition::gathered::Accumulator;

/// What is known of a family whose editions differ.
#[derive(Default)]
struct Found {
    exported: ExportedBoundaries,
    /// Its series are output unchanged.
    passes: bool,
}

impl<R> ExpositionState<R> {
    /// Everything is written: reports which editions were read, and which were output.
    pub(in crate::rewrite::exposition) fn find_editions(&mut self, plan: &Plan) {
        for (index, editions) in plan.editions.iter().enumerate() {
            let Found { exported, passes } = self
                .gathered_boundaries(plan, index)
                .unwrap_or_else(|| self.passed_boundaries(index));
            let edition = exported.edition(editions);
            self.report.editions.extend(edition);
            let emitted = edition.filter(|_| passes).into_iter();
            let emitted = emitted.chain(self.written_edition(plan, index, editions));
            let emitted = emitted.map(|name| (editions.generation, name));
            self.report.emitted_editions.extend(emitted);
        }
    }

    /// `None` if no rule has gathered the family.
    fn gathered_boundaries(&self, plan: &Plan, index: usize) -> Option<Found> {
        let mut found = None;
        for (id, rule) in (0..).map(RuleId).zip(&plan.rules) {
            let Some(series) = self.gathered.of_rule(id) else { continue };
            let Accumulator::Histograms(rows) = &self.gathered.get(series).accumulator else {
                continue;
            };
            if is_of(plan, &rule.from, index) {
                let found: &mut Found = found.get_or_insert_default();
                rows.boundaries.spellings().for_each(|text| found.exported.add(text));
                found.passes |= rule.keep;
            }
        }
        found
    }

    fn passed_boundaries(&self, index: usize) -> Found {
        let mut found = Found { passes: true, ..Found::default() };
        for family in self.families.all().filter(|its| its.plan.editions == Some(index)) {
            family.boundaries.spellings().for_each(|text| found.exported.add(text));
        }
        found
    }

    /// The edition that rules have written.
    fn written_edition(
        &self,
        plan: &Plan,
        index: usize,
        editions: &FamilyEditions,
    ) -> Option<EditionName> {
        let mut outputs = plan.outputs.iter().filter(|output| is_of(plan, &output.name, index));
        let is_written = outputs
            .any(|output| output.rules.iter().any(|&rule| self.gathered.of_rule(rule).is_some()));
        editions.written.filter(|_| is_written)
    }
}

fn is_of(plan: &Plan, family: &[u8], index: usize) -> bool {
    plan.families.get(family).is_some_and(|family| family.editions == Some(index))
}
