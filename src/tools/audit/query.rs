//! A query of a dashboard or rule file.

use crate::document::Scalar;

/// A query of a file.
#[derive(Clone, Debug)]
pub(super) struct Query {
    pub(super) kind: QueryKind,
    /// The title of the panel, or the name of the variable or rule.
    pub(super) title: String,
    /// The line of the file, from 1.
    pub(super) line: usize,
    pub(super) text: Scalar,
    pub(super) legend: Option<Scalar>,
    /// Something outside the query uses its labels by name, so they must stay.
    pub(super) labels_matter: bool,
    /// The index of the document that contains it.
    pub(super) document: usize,
}

/// The kinds of queries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum QueryKind {
    /// Of a panel or another part of a dashboard.
    Target,
    /// Of an annotation.
    Annotation,
    /// Of a template variable: `label_values(…)`, `query_result(…)` and the like.
    Variable,
    /// Of a recording rule.
    Record,
    /// Of an alerting rule.
    Alert,
}

impl QueryKind {
    /// True if Grafana replaces variables in it.
    pub(super) fn has_variables(self) -> bool {
        !matches!(self, QueryKind::Record | QueryKind::Alert)
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            QueryKind::Target => "panel",
            QueryKind::Annotation => "annotation",
            QueryKind::Variable => "variable",
            QueryKind::Record => "record",
            QueryKind::Alert => "alert",
        }
    }
}
