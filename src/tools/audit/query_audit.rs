//! Audits one query.

use std::collections::BTreeSet;
use std::ops::Range;

use super::auditor::Auditor;
use super::finding::{Finding, Impact};
use super::legend;
use super::migrate::{Input, ResultName, migrate, migrate_series};
use super::promql;
use super::query::{Query, QueryKind};
use super::query_result::{QueryAudit, new_finding};
use super::source_file::QueryEdits;
use super::template_vars::MaskedQuery;
use super::variable_query::VariableQuery;
use super::verdict::assess;
use crate::document::{Edit, apply};
use crate::mapping::Generation;

/// The `PromQL` in the text of a query.
struct PromQlPart {
    at: Range<usize>,
    /// Of `label_values`, the label.
    values_of: Option<Range<usize>>,
}

impl Auditor {
    /// Audits one query; `None` if it uses no family of a pack.
    pub(super) fn query(&self, query: &Query) -> Option<QueryAudit> {
        let resolved = self.resolved(&query.text.text);
        resolved.as_ref().unwrap_or(self).resolved_query(query)
    }

    /// Audits one query with the rules that patterns have for its families.
    fn resolved_query(&self, query: &Query) -> Option<QueryAudit> {
        let text = query.text.text.as_str();
        if let VariableQuery::Metrics(at) = variable_query(query.kind, text) {
            return self.name_pattern(query, &at).map(QueryAudit::unchanged);
        }
        if query.kind == QueryKind::MetricName {
            return self.metric_name(query).map(QueryAudit::unchanged);
        }
        if query.kind == QueryKind::NamePattern {
            return self.relabeling(query).map(QueryAudit::unchanged);
        }
        let part = promql_part(query.kind, text)?;
        let inner = text.get(part.at.clone())?;
        let masked = masked(query.kind, inner);
        let mut finding = new_finding(query);
        let expr = match promql::parse(&masked.text) {
            Ok(expr) => expr,
            Err(error) => {
                return self.unparsable(query, inner, &error).map(QueryAudit::unchanged);
            }
        };
        // The text of a template is not part of the query, such as `{{ query "…" }}` in an
        // annotation.
        let mut templates = masked.variables.iter().filter_map(|at| inner.get(at.clone()));
        if let Some(family) = templates.find_map(|it| self.catalog.first_in(it)) {
            (finding.direct, finding.gateway) = (Impact::Unknown, Impact::Unknown);
            finding.details.push(format!("it mentions {}, and was not understood", family.family));
            return Some(QueryAudit::unchanged(finding));
        }
        let values_of = part.values_of.as_ref().and_then(|label| text.get(label.clone()));
        let assess = |catalog| assess(catalog, inner, &masked, &expr, self.emitted, values_of);
        let verdict = assess(&self.through_gateway)?;
        let direct = assess(&self.catalog)?.direct;
        finding.generations = verdict.generations.iter().copied().map(Generation::as_str).collect();
        (finding.direct, finding.gateway) = (direct, verdict.gateway);
        finding.details = verdict.details;
        finding.needs = verdict.needs;
        if query.kind.is_of_test() {
            // A unit test queries its own series.
            (finding.direct, finding.gateway) = (Impact::Survives, Impact::Survives);
            finding.details.clear();
            finding.needs.clear();
        }
        if !verdict.generations.contains(&self.to.other()) {
            return Some(QueryAudit::unchanged(finding));
        }
        let obstacle = obstacle(query, &expr).or_else(|| self.values_obstacle(query, &expr));
        if let Some(obstacle) = obstacle {
            finding.obstacles.push(obstacle);
            return Some(QueryAudit::unchanged(finding));
        }
        match self.migrated(query, &part, inner, &masked, &expr) {
            Ok((migrated, edits, notes)) if !edits.query.is_empty() => {
                finding.migrated = Some(migrated);
                finding.details.extend(notes);
                Some(QueryAudit { finding, edits: Some(edits) })
            }
            Ok(_) => Some(QueryAudit::unchanged(finding)),
            Err(obstacles) => {
                finding.obstacles = obstacles;
                Some(QueryAudit::unchanged(finding))
            }
        }
    }

    /// A query in another language names no family. A query that does must be reported.
    fn unparsable(&self, query: &Query, promql: &str, error: &str) -> Option<Finding> {
        let family = self.catalog.first_in(promql).filter(|_| !query.may_be_foreign)?;
        let mut finding = new_finding(query);
        finding.generations = family.generation.into_iter().map(Generation::as_str).collect();
        (finding.direct, finding.gateway) = (Impact::Unknown, Impact::Unknown);
        let error = error.lines().next().unwrap_or_default();
        let family = family.family;
        finding.details.push(if query.kind == QueryKind::Text {
            format!("it mentions {family}, and was not understood")
        } else {
            format!("it names {family}, but cannot be parsed: {error}")
        });
        Some(finding)
    }

    /// The text of a query in the other generation, the edits that give it, and how far its result
    /// can be from the original.
    fn migrated(
        &self,
        query: &Query,
        part: &PromQlPart,
        inner: &str,
        masked: &MaskedQuery,
        expr: &promql::Expr,
    ) -> Result<(String, QueryEdits, Vec<String>), Vec<String>> {
        let text = query.text.text.as_str();
        let legend = query.legend.as_ref().map_or("", |legend| legend.text.as_str());
        let values_of = part.values_of.as_ref();
        let input = Input {
            catalog: &self.target,
            text: inner,
            masked,
            expr,
            from: self.to.other(),
            templated: query.kind.has_variables(),
            labels_matter: query.labels_matter,
            name: match query.kind {
                QueryKind::Record => ResultName::Replaced,
                _ => ResultName::Kept,
            },
            legend: &legend::labels(legend),
            beside: &query.beside,
            allow_differs: self.allow_differs,
            values_of: values_of.and_then(|label| text.get(label.clone())),
        };
        let migration = if query.kind == QueryKind::TestSeries {
            migrate_series(&input)?
        } else {
            migrate(&input)?
        };
        let mut edits = migration.edits;
        for edit in &mut edits {
            edit.at = edit.at.start + part.at.start..edit.at.end + part.at.start;
        }
        if let Some(label) = values_of
            && let Some(to) = text.get(label.clone()).and_then(|it| migration.renames.get(it))
        {
            edits.push(Edit::replace(label.clone(), to));
        }
        let legend = query.legend.as_ref().map(|it| legend::edits(&it.text, &migration.renames));
        let migrated = self.checked(text, &edits, query.kind)?;
        let edits = QueryEdits { query: edits, legend: legend.unwrap_or_default() };
        Ok((migrated, edits, migration.notes))
    }

    /// The edited text, if it is a valid query that uses only the other generation.
    fn checked(&self, text: &str, edits: &[Edit], kind: QueryKind) -> Result<String, Vec<String>> {
        let invalid = || vec!["the migrated text would not be a valid query".to_owned()];
        let migrated = apply(text, edits).ok_or_else(invalid)?;
        let variables = |text: &str| -> BTreeSet<String> {
            let masked = masked(kind, text);
            let texts = masked.variables.iter().filter_map(|at| text.get(at.clone()));
            texts.map(str::to_owned).collect()
        };
        if variables(text) != variables(&migrated) {
            return Err(vec!["a variable would be missing in the migrated query".to_owned()]);
        }
        let part = promql_part(kind, &migrated).ok_or_else(invalid)?;
        let inner = migrated.get(part.at).ok_or_else(invalid)?;
        let masked = masked(kind, inner);
        let expr = promql::parse(&masked.text).map_err(|_| invalid())?;
        let verdict = assess(&self.catalog, inner, &masked, &expr, self.emitted, None);
        if verdict.is_some_and(|it| it.generations.contains(&self.to.other())) {
            Err(vec!["the migrated query would still use the other generation".to_owned()])
        } else {
            Ok(migrated)
        }
    }
}

/// Why a query must stay as it is.
fn obstacle(query: &Query, expr: &promql::Expr) -> Option<String> {
    let is_selector = matches!(expr.node, promql::Node::Selector(_));
    let whole = (query.kind == QueryKind::Text && is_selector)
        .then(|| "what reads it may need a selector, and not a query".to_owned());
    query.obstacle.clone().or(whole)
}

fn masked(kind: QueryKind, promql: &str) -> MaskedQuery {
    if kind.has_variables() { MaskedQuery::templated(promql) } else { MaskedQuery::plain(promql) }
}

fn variable_query(kind: QueryKind, text: &str) -> VariableQuery {
    match kind {
        QueryKind::Variable => VariableQuery::parse(text),
        _ => VariableQuery::QueryResult(0..text.len()),
    }
}

fn promql_part(kind: QueryKind, text: &str) -> Option<PromQlPart> {
    match variable_query(kind, text) {
        VariableQuery::LabelValues { selector, label } => {
            Some(PromQlPart { at: selector, values_of: Some(label) })
        }
        VariableQuery::QueryResult(at) | VariableQuery::Series(at) => {
            Some(PromQlPart { at, values_of: None })
        }
        VariableQuery::Metrics(_) | VariableQuery::Other => None,
    }
}
