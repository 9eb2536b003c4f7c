//! A query of a dashboard or rule file.

use std::collections::BTreeSet;
use std::sync::Arc;

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
    /// Words outside the query, which may be names of its labels.
    pub(super) beside: Arc<BTreeSet<String>>,
    /// It may be in another language, in which the name of a family is just a text.
    pub(super) may_be_foreign: bool,
    /// Of a template variable: what its values are filtered by and taken from.
    pub(super) regex: String,
    /// Why it must not be migrated, whatever it is.
    pub(super) obstacle: Option<String>,
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
    /// Of something else, such as an alert of Grafana.
    Query,
    /// A text that names a family, and may be a query.
    Text,
    /// The name of a metric of an autoscaler, which an adapter makes from series.
    MetricName,
    /// The pattern of a relabeling rule for names of series.
    NamePattern,
    /// Of a unit test of rules.
    TestQuery,
    /// An input series of a unit test of rules.
    TestSeries,
}

impl QueryKind {
    /// True if Grafana replaces variables in it.
    pub(super) fn has_variables(self) -> bool {
        !matches!(self, QueryKind::Record | QueryKind::Alert) && !self.is_of_test()
    }

    /// True for parts of a unit test.
    pub(super) fn is_of_test(self) -> bool {
        matches!(self, QueryKind::TestQuery | QueryKind::TestSeries)
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            QueryKind::Target => "panel",
            QueryKind::Annotation => "annotation",
            QueryKind::Variable => "variable",
            QueryKind::Record => "record",
            QueryKind::Alert => "alert",
            QueryKind::Query => "query",
            QueryKind::Text => "text",
            QueryKind::MetricName => "autoscaler",
            QueryKind::NamePattern => "relabeling",
            QueryKind::TestQuery => "test query",
            QueryKind::TestSeries => "test series",
        }
    }
}
