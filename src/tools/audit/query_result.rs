//! The audit of one query.

use super::finding::Finding;
use super::query::Query;
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
