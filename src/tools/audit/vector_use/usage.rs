//! How a query uses a selector.

use std::collections::BTreeSet;
use std::ops::Range;

use super::live_labels::LiveLabels;
use crate::mapping::Correspondence;
use crate::tools::audit::promql::{Aggregate, Matcher, Selector};

/// A selector and how the query uses it.
#[derive(Clone, Debug)]
pub(in crate::tools::audit) struct SelectorUse<'a> {
    pub(in crate::tools::audit) selector: &'a Selector,
    /// The bytes of the instant vector: the selector, or the function call over its range.
    pub(in crate::tools::audit) vector: Range<usize>,
    /// The function over the range, or a function that depends on the series and not on their
    /// values.
    pub(in crate::tools::audit) function: Option<&'a str>,
    /// The aggregation whose argument is the vector.
    pub(in crate::tools::audit) aggregate: Option<&'a Aggregate>,
    /// The labels that affect the result.
    pub(in crate::tools::audit) live: LiveLabels,
    /// The vector is an argument or in parentheses, so a binary operator can replace it.
    pub(in crate::tools::audit) is_delimited: bool,
    /// Labels that the query reads between the vector and the innermost aggregation around it.
    pub(in crate::tools::audit) named_labels: BTreeSet<String>,
    /// Labels in lists that the series of the vector reach with their labels, at any distance.
    pub(in crate::tools::audit) mentioned: BTreeSet<String>,
    /// What depends on a template variable around the vector: a label or a function.
    pub(in crate::tools::audit) variable: Option<&'static str>,
    /// The offset of the `histogram_quantile` that reads the buckets of the vector.
    pub(in crate::tools::audit) quantile: Option<usize>,
    /// The expression around the vector, if it has a shape that a migration writes.
    pub(in crate::tools::audit) outer: Option<Box<Outer<'a>>>,
}

impl SelectorUse<'_> {
    /// Whether the values of the labels that a rule converts affect the result. `name` returns the
    /// label of a matcher. Series that become one affect it in any case.
    pub(in crate::tools::audit) fn reads_converted_labels<'q>(
        &self,
        rule: &Correspondence,
        name: impl Fn(&Matcher) -> Option<&'q str>,
    ) -> bool {
        let is_edited = |label: &str| rule.edited.iter().any(|edited| edited == label);
        rule.joins_values
            || rule.edited.iter().any(|label| self.live.has(label))
            || self.named_labels.iter().any(|label| is_edited(label))
            || self.selector.matchers.iter().any(|it| name(it).is_none_or(is_edited))
    }
}

/// An expression that is directly around one or two vectors, and how the query uses it.
#[derive(Clone, Debug)]
pub(in crate::tools::audit) struct Outer<'a> {
    /// The use of the whole expression, as if it were the vector.
    pub(in crate::tools::audit) usage: SelectorUse<'a>,
    pub(in crate::tools::audit) shape: Shape,
}

/// The shapes of expressions that a migration writes around a vector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::tools::audit) enum Shape {
    /// `label_replace(vector, "label", "$1", "from", "(.*)")`, of which nothing uses `from`.
    Renamed { label: String, from: String },
    /// `label_replace(vector, "label", "value", "", "")`.
    Fixed { label: String, value: String },
    /// `vector or other`.
    Union { other: Range<usize> },
    /// The right side of a union.
    Other,
}

impl SelectorUse<'_> {
    /// True if the function depends on the series and not on their values.
    pub(in crate::tools::audit) fn is_of_series(&self) -> bool {
        self.function.is_some_and(|function| SERIES_FUNCTIONS.contains(&function))
    }
}

/// Functions that depend on series and not on their values.
pub(super) const SERIES_FUNCTIONS: &[&str] = &["absent", "absent_over_time", "timestamp"];
