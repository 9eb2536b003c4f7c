//! Audits the ad hoc filters of dashboards, which Grafana adds to all queries of a data source.

use std::collections::BTreeSet;

use super::auditor::Auditor;
use super::finding::{Finding, Impact};
use super::relabel_audit::differing;
use super::source_file::SourceFile;
use crate::mapping::Generation;

impl Auditor {
    /// The ad hoc filters by a label that the queries of a dashboard do not have in both generations.
    pub(super) fn ad_hoc_filters(&self, source: &SourceFile) -> Vec<Finding> {
        let filters = source.filters.iter();
        filters.filter_map(|filter| self.ad_hoc_filter(filter, source)).collect()
    }

    fn ad_hoc_filter(
        &self,
        (line, variable, label): &(usize, String, String),
        source: &SourceFile,
    ) -> Option<Finding> {
        let is_queried =
            |family: &str| source.queries.iter().any(|it| it.text.text.contains(family));
        let mut affected = BTreeSet::new();
        let mut finding = Finding::new(*line, "ad hoc filter", variable, label);
        for pair in self.catalog.all().filter(|it| it.derive.is_none()) {
            let is_of_dashboard = is_queried(&pair.old.family) || is_queried(&pair.new.family);
            let mut differing = differing(pair).into_iter().filter(|_| is_of_dashboard);
            let Some((generation, _)) = differing.find(|(_, differs)| differs == label) else {
                continue;
            };
            affected.insert(generation);
            let has = &pair.side(generation).family;
            let lacks = &pair.side(generation.other()).family;
            let detail = format!("label `{label}` of {has} is not the same in {lacks}");
            if !finding.details.contains(&detail) {
                finding.details.push(detail);
            }
        }
        if affected.is_empty() {
            return None;
        }
        finding.direct = Impact::Unknown;
        if self.emitted.has(Generation::New) {
            finding.gateway = Impact::Unknown;
        }
        finding.generations = affected.iter().copied().map(Generation::as_str).collect();
        if affected.contains(&self.to.other()) {
            finding.obstacles.push(
                "ad hoc filters are not migrated, because they are added to all queries of a data \
                 source"
                    .to_owned(),
            );
        }
        Some(finding)
    }
}
