//! Functions that name labels in their string arguments.

use std::collections::BTreeSet;

use regex::Regex;

use super::scope::Scope;
use super::usage::Shape;
use crate::tools::audit::promql::{Expr, Node};

/// Labels that functions name in string arguments: `label_replace`, `label_join`, `count_values`,
/// `sort_by_label`.
pub(in crate::tools::audit) fn labels_in_functions(query: &str, expr: &Expr) -> BTreeSet<String> {
    let mut labels = BTreeSet::new();
    expr.walk(&mut |expr| {
        let arguments = match &expr.node {
            Node::Call { name, arguments } if name.starts_with("label_") => arguments,
            Node::Call { name, arguments } if name.starts_with("sort_by_label") => arguments,
            Node::Aggregate(aggregate) if aggregate.op == "count_values" => &aggregate.arguments,
            _ => return,
        };
        labels.extend(arguments.iter().filter_map(|argument| literal(query, argument)));
    });
    labels
}

/// The text of a string literal.
pub(super) fn literal(query: &str, expr: &Expr) -> Option<String> {
    let text = query.get(expr.at.clone()).filter(|_| expr.node == Node::Literal)?;
    let inner = text.strip_prefix(['"', '\'', '`'])?;
    inner.strip_suffix(['"', '\'', '`']).map(str::to_owned)
}

/// The shape of `label_replace`, if a migration writes it. `text` returns its string arguments.
pub(super) fn label_shape(
    text: &dyn Fn(usize) -> Option<String>,
    around: &Scope<'_>,
) -> Option<Shape> {
    let (label, value, from, pattern) = (text(1)?, text(2)?, text(3)?, text(4)?);
    if value == "$1" && pattern == "(.*)" && !around.live.has(&from) {
        return Some(Shape::Renamed { label, from });
    }
    let is_plain = !value.contains(['$', '\\']) && from.is_empty() && pattern.is_empty();
    is_plain.then_some(Shape::Fixed { label, value })
}

/// True if a function overwrites a label of every series. `label_replace` does not change the series
/// whose source label its pattern does not match. `text` returns the string arguments.
pub(super) fn always_writes(function: &str, text: &dyn Fn(usize) -> Option<String>) -> bool {
    if function == "label_join" {
        return true;
    }
    let (Some(from), Some(pattern)) = (text(3), text(4)) else { return false };
    let matches_all = ["(.*)", ".*", "(.*?)", ".*?", "(?s:.*)"].contains(&pattern.as_str());
    // No series has a label with an empty name.
    let of_nothing = || {
        from.is_empty() && Regex::new(&format!("^(?s:{pattern})$")).is_ok_and(|it| it.is_match(""))
    };
    matches_all || of_nothing()
}
