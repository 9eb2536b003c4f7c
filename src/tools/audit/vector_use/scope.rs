//! What the expressions around an expression do with its result.

use std::collections::BTreeSet;
use std::ops::Range;

use super::live_labels::LiveLabels;
use super::usage::Shape;
use crate::tools::audit::promql::Aggregate;

/// How the expressions around an expression use its result.
#[derive(Clone)]
pub(super) struct Scope<'a> {
    pub(super) live: LiveLabels,
    pub(super) aggregate: Option<&'a Aggregate>,
    pub(super) is_delimited: bool,
    pub(super) named_labels: BTreeSet<String>,
    pub(super) mentioned: BTreeSet<String>,
    pub(super) variable: Option<&'static str>,
    pub(super) quantile: Option<usize>,
    /// The expression directly around a vector.
    pub(super) outer: Option<Box<OuterScope<'a>>>,
}

/// An expression that is directly around a vector.
#[derive(Clone)]
pub(super) struct OuterScope<'a> {
    pub(super) scope: Scope<'a>,
    pub(super) whole: Range<usize>,
    pub(super) vector: Range<usize>,
    pub(super) shape: Shape,
}

pub(super) const VARIABLE_LABEL: &str = "which label it uses depends on a variable";
pub(super) const VARIABLE_FUNCTION: &str = "which function it uses depends on a variable";

impl Scope<'_> {
    pub(super) fn outermost() -> Self {
        Scope {
            live: LiveLabels::all(),
            aggregate: None,
            is_delimited: true,
            named_labels: BTreeSet::new(),
            mentioned: BTreeSet::new(),
            variable: None,
            quantile: None,
            outer: None,
        }
    }

    pub(super) fn with_live(&self, live: LiveLabels, is_delimited: bool) -> Self {
        Scope { live, aggregate: None, is_delimited, ..self.clone() }
    }

    /// The scope of an argument whose labels and buckets the result does not have.
    pub(super) fn of_value() -> Self {
        Scope { live: LiveLabels::Only(BTreeSet::new()), ..Scope::outermost() }
    }
}
