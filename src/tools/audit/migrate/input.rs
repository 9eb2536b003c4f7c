//! A query to migrate, and the result.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::document::Edit;
use crate::mapping::Generation;
use crate::tools::audit::catalog::Catalog;
use crate::tools::audit::promql::{Expr, Matcher};
use crate::tools::audit::template_vars::MaskedQuery;
use crate::tools::audit::vector_use::SelectorUse;

/// A query to migrate.
#[derive(Debug)]
pub(in crate::tools::audit) struct Input<'a> {
    pub(in crate::tools::audit) catalog: &'a Catalog,
    /// The query as it is written. Edits refer to its bytes.
    pub(in crate::tools::audit) text: &'a str,
    pub(in crate::tools::audit) masked: &'a MaskedQuery,
    pub(in crate::tools::audit) expr: &'a Expr,
    /// The generation that the query is written for.
    pub(in crate::tools::audit) from: Generation,
    /// The query may contain template variables.
    pub(in crate::tools::audit) templated: bool,
    /// Something outside the query uses the labels of its result by name, so they must stay.
    pub(in crate::tools::audit) labels_matter: bool,
    pub(in crate::tools::audit) name: ResultName,
    /// Labels that the legend uses.
    pub(in crate::tools::audit) legend: &'a BTreeSet<String>,
    /// Words outside the query, which may be names of its labels.
    pub(in crate::tools::audit) beside: &'a BTreeSet<String>,
    /// The result may differ, if it is known how far.
    pub(in crate::tools::audit) allow_differs: bool,
    /// Of `label_values`, the label. Nothing else of the result is used then.
    pub(in crate::tools::audit) values_of: Option<&'a str>,
}

/// The names of the series of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tools::audit) enum ResultName {
    /// Those that the query returns.
    Kept,
    /// That of the recording rule.
    Replaced,
}

/// The changes that migrate a query.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::tools::audit) struct Migration {
    pub(in crate::tools::audit) edits: Vec<Edit>,
    /// Labels of the result that have a new name.
    pub(in crate::tools::audit) renames: BTreeMap<String, String>,
    /// How far the result can be from the original.
    pub(in crate::tools::audit) notes: Vec<String>,
}

impl<'a> Input<'a> {
    /// The text of a part.
    pub(super) fn slice(&self, at: &Range<usize>) -> &'a str {
        self.text.get(at.clone()).unwrap_or_default()
    }

    /// The label of a matcher.
    pub(super) fn label(&self, matcher: &Matcher) -> &'a str {
        self.slice(&matcher.label)
    }

    /// The matchers of one label.
    pub(super) fn matchers<'b>(&self, usage: &SelectorUse<'b>, label: &str) -> Vec<&'b Matcher> {
        usage.selector.matchers.iter().filter(|it| self.label(it) == label).collect()
    }
}
