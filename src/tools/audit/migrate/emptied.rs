//! Aggregations that the migration leaves nothing to do.
//!
//! `sum without (workspace) (m)` becomes `sum without () (n)`, if the other generation has no
//! `workspace`. Each series of `n` is a group of its own, so the sum only removes the name of the
//! series. Where that makes no difference, the query becomes `n`.

use std::ops::Range;

use super::input::{Input, ResultName};
use super::label_lists::LabelLists;
use super::select::Selection;
use crate::document::Edit;
use crate::tools::audit::promql::{Aggregate, Expr, Node, keeps_name};

/// Aggregations that give a single sample its own value.
const OF_ONE: &[&str] = &["sum", "max", "min", "avg"];

/// An aggregation that is removed.
pub(super) struct Emptied<'a> {
    aggregate: &'a Aggregate,
    /// The text before and after the argument.
    around: [Range<usize>; 2],
}

impl Emptied<'_> {
    /// The edits that leave only the argument.
    pub(super) fn edits(&self) -> impl Iterator<Item = Edit> {
        self.around.clone().into_iter().map(|at| Edit::replace(at, ""))
    }

    /// The first byte of the list of labels.
    pub(super) fn list(&self) -> Option<usize> {
        Some(self.aggregate.grouping.as_ref()?.labels.at.start)
    }
}

/// Finds aggregations of one migrated vector whose `without` list becomes empty.
pub(super) fn emptied<'a>(
    input: &Input<'a>,
    selection: &Selection<'_>,
    lists: &LabelLists,
) -> Vec<Emptied<'a>> {
    let mut search = Search { input, selection, lists, found: Vec::new() };
    search.expr(input.expr, input.name == ResultName::Kept, false);
    search.found
}

struct Search<'a, 'b> {
    input: &'b Input<'a>,
    selection: &'b Selection<'b>,
    lists: &'b LabelLists,
    found: Vec<Emptied<'a>>,
}

impl<'a> Search<'a, '_> {
    /// `shows_name`: the result has the names of the series. `is_of_series`: a function reads the
    /// series of the expression and not its values.
    fn expr(&mut self, expr: &'a Expr, shows_name: bool, is_of_series: bool) {
        match &expr.node {
            Node::Literal | Node::Selector(_) => {}
            Node::Aggregate(aggregate) => {
                if let [argument] = &aggregate.arguments[..]
                    && self.is_emptied(aggregate, shows_name || is_of_series)
                {
                    let around = [expr.at.start..argument.at.start, argument.at.end..expr.at.end];
                    let has_comment = |at: &Range<usize>| self.input.slice(at).contains('#');
                    if !around.iter().any(has_comment) {
                        self.found.push(Emptied { aggregate, around });
                    }
                }
                let shows_name = shows_name && aggregate.selects_series();
                for argument in &aggregate.arguments {
                    self.expr(argument, shows_name, false);
                }
            }
            Node::Call { name, arguments } => {
                let is_variable =
                    self.input.masked.has_variable(&(expr.at.start..expr.at.start + 1));
                let is_of_series = is_variable || name.starts_with("absent") || name == "timestamp";
                let shows_name = shows_name && (is_variable || keeps_name(name));
                for argument in arguments {
                    self.expr(argument, shows_name, is_of_series);
                }
            }
            Node::Binary(binary) => {
                self.expr(&binary.left, shows_name, false);
                self.expr(&binary.right, shows_name, false);
            }
            Node::Wrapped { inner, .. } => self.expr(inner, shows_name, is_of_series),
        }
    }

    /// True if an aggregation only removes the name of the series, and nothing needs that.
    fn is_emptied(&self, aggregate: &Aggregate, name_matters: bool) -> bool {
        let list = aggregate.grouping.as_ref().filter(|it| it.without).map(|it| &it.labels);
        if !list.is_some_and(|it| self.lists.empties(self.input, it)) {
            return false;
        }
        let mut selected = self.selection.selected.iter();
        let selected =
            selected.find(|it| it.usage.aggregate.is_some_and(|its| std::ptr::eq(its, aggregate)));
        selected.is_some_and(|it| {
            let has_no_name = it.usage.function.is_some_and(|function| !keeps_name(function));
            OF_ONE.contains(&aggregate.op.as_str())
                && it.rules.len() == 1
                && (has_no_name || !name_matters)
        })
    }
}
