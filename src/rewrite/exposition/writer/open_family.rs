//! The family that is being written.

use super::contributions::Contribution;
use crate::exposition::{LabelHasher, MetricType};
use crate::mapping::plan::exposition::{Kind, OutputId};
use crate::rewrite::exposition::estimate::Estimated;
use crate::rewrite::exposition::families::{Families, FamilyId};
use crate::rewrite::exposition::gathered::{Gathered, GatheredId};
use crate::rewrite::exposition::report::{Report, Rewritten};
use crate::rewrite::exposition::resolved_plan::ResolvedPlan;
use crate::rewrite::exposition::series_set::series_key;

/// The family that is being written, and how far.
#[derive(Debug)]
pub(super) struct OpenFamily {
    pub(super) output: OutputId,
    pub(super) family: FamilyId,
    pub(super) contributions: Vec<Contribution>,
    /// Index of the contribution that is being written.
    pub(super) current: usize,
    /// Index of its next slot.
    pub(super) next_slot: usize,
    /// The key of a series of this name without labels.
    key: u64,
    /// Where series are gathered that also arrived in the emitted generation.
    of_emitted_generation: Vec<GatheredId>,
}

impl OpenFamily {
    /// A family of which nothing is written yet.
    pub(super) fn new(
        plan: &ResolvedPlan,
        hasher: &LabelHasher,
        output: OutputId,
        family: FamilyId,
        contributions: Vec<Contribution>,
    ) -> OpenFamily {
        let same_generation = |it: &&Contribution| plan.rule(it.rule).same_generation;
        let of_emitted_generation =
            contributions.iter().filter(same_generation).map(|it| it.gathered).collect();
        let key = series_key(hasher, &plan.output(output).name, 0);
        let (current, next_slot) = (0, 0);
        OpenFamily { output, family, contributions, current, next_slot, key, of_emitted_generation }
    }

    /// The key of a series of the family, by the hash of its labels.
    pub(super) fn key(&self, labels: u64) -> u64 {
        self.key.wrapping_add(labels)
    }

    /// The contribution that is being written.
    pub(super) fn contribution(&self) -> &Contribution {
        &self.contributions[self.current]
    }

    /// Whether a series with these labels also arrived in the emitted generation, and is written by the
    /// contribution that converts it to another edition.
    pub(super) fn has_emitted_generation(
        &self,
        gathered: &Gathered,
        hash: u64,
        labels: &[u8],
    ) -> bool {
        let all = &self.of_emitted_generation;
        !all.is_empty()
            && !all.contains(&self.contribution().gathered)
            && all.iter().any(|&id| gathered.get(id).find(hash, labels).is_some())
    }

    /// A series is about to be written: writes the headers of the family if it is the first one.
    pub(super) fn write_headers(
        &self,
        plan: &ResolvedPlan,
        gathered: &Gathered,
        families: &mut Families,
        out: &mut Vec<u8>,
    ) {
        if families.has_headers(self.family) {
            return;
        }
        let id = self.contribution().rule;
        let source = gathered.source_of(id);
        let help = plan.output(self.output).help.as_deref();
        let declared = families.family(source).metric_type;
        let metric_type = match &plan.rule(id).kind {
            Kind::Histogram(_) => Some(MetricType::Histogram),
            Kind::Gauge(_) => declared.or(Some(MetricType::Gauge)),
            Kind::Typed | Kind::TypedOrGauge(_) => declared,
        };
        let rule = plan.rule(id);
        let metric_type = rule.written_type(metric_type);
        families.open_written(self.family, help, source, rule, metric_type, out);
    }

    /// The family is written: adds it to the report.
    pub(super) fn report(self, plan: &ResolvedPlan, report: &mut Report) {
        let output = plan.output(self.output);
        for contribution in self.contributions {
            let rule = plan.rule(contribution.rule);
            if contribution.series > 0
                && let Some(conversion) = &contribution.conversion
            {
                let title =
                    contribution.redirect.map_or(&rule.title, |at| &rule.redirects[at].title);
                report.estimate(Estimated {
                    title: title.clone(),
                    family: output.name.escape_ascii().to_string(),
                    boundaries: conversion.estimated().map(str::to_owned).collect(),
                    max_error: contribution.errors.largest(),
                    max_error_of_sum: contribution.errors.of_sum(),
                });
            }
            match contribution.redirect {
                None => report.wrote(plan.reported_as(contribution.rule), contribution.samples),
                Some(at) if contribution.series > 0 => report.redirected(Rewritten {
                    title: rule.redirects[at].title.clone(),
                    from: rule.from.escape_ascii().to_string(),
                    to: output.name.escape_ascii().to_string(),
                    samples_in: 0,
                    samples_out: contribution.samples,
                }),
                Some(_) => {}
            }
        }
    }
}
