//! The audit of one query.

use std::collections::BTreeSet;

use super::finding::{Finding, Impact};
use super::query::{Query, QueryKind};
use super::source_file::QueryEdits;

/// A finding, and the edits that migrate the query.
#[derive(Debug)]
pub(super) struct QueryAudit {
    pub(super) finding: Finding,
    pub(super) edits: Option<QueryEdits>,
}

impl QueryAudit {
    /// A query that stays as it is.
    pub(super) fn unchanged(finding: Finding) -> QueryAudit {
        QueryAudit { finding, edits: None }
    }
}

/// A query that is not affected.
pub(super) fn new_finding(query: &Query) -> Finding {
    Finding::new(query.line, query.kind.as_str(), &query.title, &query.text.text)
}

/// The audit of a query, if it reads a name of `recorded` or records under it.
pub(super) fn of_recorded(
    query: &Query,
    audited: Option<QueryAudit>,
    recorded: &BTreeSet<String>,
) -> Option<QueryAudit> {
    let records = query.kind == QueryKind::Record;
    let own = recorded.get(&query.title).filter(|_| records);
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let mut words = query.text.text.split(|c| !is_part(c));
    let name = own.or_else(|| words.find_map(|word| recorded.get(word)));
    let Some(name) = name.filter(|_| !query.kind.is_of_test()) else { return audited };
    let mut finding = audited.map_or_else(|| new_finding(query), |it| it.finding);
    let why = format!("a rule records under the name {name}, so what it reads is not known");
    (finding.direct, finding.gateway) = (Impact::Unknown, Impact::Unknown);
    if finding.migrated.take().is_some() || !finding.obstacles.is_empty() {
        finding.obstacles.push(why.clone());
    }
    finding.details.push(why);
    Some(QueryAudit::unchanged(finding))
}
