//! What rules are made from: a plan, and what packs say that the plan does not need.

use super::part::Part;
use super::utf8::text;
use crate::exposition::MetricType;
use crate::mapping::plan::exposition::{Kind, Plan, Rule};
use crate::mapping::{Correspondence, Generation, Merge};

/// A plan, with the pack rules that it was compiled from.
#[derive(Debug)]
pub(super) struct Source<'a> {
    /// The plan, with the boundaries that both generations have.
    pub(super) plan: &'a Plan,
    pub(super) correspondences: &'a [Correspondence],
    pub(super) written: Generation,
    pub(super) target_labels: &'a [String],
}

impl Source<'_> {
    /// The pack rule at a location, with these families.
    pub(super) fn pack_rule(
        &self,
        source: &str,
        from: &[u8],
        to: &[u8],
    ) -> Option<&Correspondence> {
        self.correspondences.iter().find(|it| {
            it.source == source
                && it.side(self.written.other()).family.as_bytes() == from
                && it.side(self.written).family.as_bytes() == to
        })
    }

    /// The pack rule of a rule.
    pub(super) fn own_pack_rule(&self, rule: &Rule) -> Option<&Correspondence> {
        self.pack_rule(&rule.source, &rule.from, &self.plan.output(rule.to).name)
    }

    /// The declared type of the samples that a rule reads.
    pub(super) fn type_of(&self, rule: &Rule) -> Option<MetricType> {
        self.own_pack_rule(rule)?.type_in(self.written.other())
    }

    /// How series that become equal are aggregated.
    pub(super) fn merge(&self, rule: &Rule) -> &'static str {
        aggregation(&rule.kind, self.type_of(rule))
    }

    /// The series of the family that a rule reads. Without a declared type, those of any type that are
    /// no other families.
    pub(super) fn parts(&self, rule: &Rule) -> Vec<Part> {
        let histogram = || vec![Part::Bucket, Part::Sum, Part::Count];
        match (&rule.kind, self.type_of(rule)) {
            (Kind::Histogram(_), _) | (_, Some(MetricType::Histogram)) => histogram(),
            (_, Some(MetricType::Summary)) => vec![Part::Value, Part::Sum, Part::Count],
            (_, Some(_)) | (Kind::Gauge(_) | Kind::TypedOrGauge(_), None) => vec![Part::Value],
            (Kind::Typed, None) => {
                let is_family = |part: &Part| {
                    let name = format!("{}{}", text(&rule.from), part.suffix());
                    self.plan.families.contains_key(name.as_bytes())
                };
                let mut parts = histogram();
                parts.retain(|part| !is_family(part));
                parts.insert(0, Part::Value);
                parts
            }
        }
    }
}

/// The aggregation of gauges that become equal.
fn aggregation(kind: &Kind, declared: Option<MetricType>) -> &'static str {
    match (kind, declared) {
        (Kind::Gauge(merge) | Kind::TypedOrGauge(merge), _) => match merge {
            Merge::Max => "max",
            Merge::Min => "min",
            Merge::Sum => "sum",
        },
        // Each series is alone in its group.
        (Kind::Typed, Some(MetricType::Gauge | MetricType::Summary)) => "max",
        (Kind::Typed | Kind::Histogram(_), _) => "sum",
    }
}
