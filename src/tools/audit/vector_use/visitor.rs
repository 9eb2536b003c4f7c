//! Walks a query from the outside to its selectors.

use std::collections::BTreeSet;
use std::ops::Range;

use super::label_functions::{always_writes, label_shape, literal};
use super::live_labels::LiveLabels;
use super::scope::{OuterScope, Scope, VARIABLE_FUNCTION, VARIABLE_LABEL};
use super::usage::{Outer, SERIES_FUNCTIONS, SelectorUse, Shape};
use crate::tools::audit::promql::{Aggregate, Binary, Expr, LabelList, Node, Selector};
use crate::tools::audit::template_vars::{MaskedQuery, contains_variable};

/// Finds every selector of a query.
pub(in crate::tools::audit) fn selector_uses<'a>(
    masked: &'a MaskedQuery,
    expr: &'a Expr,
) -> Vec<SelectorUse<'a>> {
    let mut visitor = Visitor { query: &masked.text, masked, uses: Vec::new() };
    visitor.expr(expr, &Scope::outermost());
    visitor.uses
}

struct Visitor<'a> {
    query: &'a str,
    masked: &'a MaskedQuery,
    uses: Vec<SelectorUse<'a>>,
}

impl<'a> Visitor<'a> {
    fn expr(&mut self, expr: &'a Expr, around: &Scope<'a>) {
        match &expr.node {
            Node::Literal => {}
            Node::Selector(selector) => self.found(selector, expr.at.clone(), None, around),
            Node::Call { name, arguments } => self.call(expr, name, arguments, around),
            Node::Aggregate(aggregate) => self.aggregate(expr, aggregate, around),
            Node::Binary(binary) => self.binary(expr, binary, around),
            Node::Wrapped { inner, parenthesised: true } => {
                self.expr(inner, &Scope { is_delimited: true, ..around.clone() });
            }
            Node::Wrapped { inner, .. } => {
                self.expr(inner, &around.with_live(around.live.clone(), false));
            }
        }
    }

    fn found(
        &mut self,
        selector: &'a Selector,
        vector: Range<usize>,
        function: Option<&'a str>,
        around: &Scope<'a>,
    ) {
        let outer = around.outer.as_ref().filter(|outer| outer.vector == vector).map(|outer| {
            let usage = Self::usage(selector, outer.whole.clone(), function, &outer.scope);
            Box::new(Outer { usage, shape: outer.shape.clone() })
        });
        let usage = Self::usage(selector, vector, function, around);
        self.uses.push(SelectorUse { outer, ..usage });
    }

    fn usage(
        selector: &'a Selector,
        vector: Range<usize>,
        function: Option<&'a str>,
        around: &Scope<'a>,
    ) -> SelectorUse<'a> {
        SelectorUse {
            selector,
            vector,
            function,
            aggregate: around.aggregate,
            live: around.live.clone(),
            is_delimited: around.is_delimited,
            named_labels: around.named_labels.clone(),
            mentioned: around.mentioned.clone(),
            variable: around.variable,
            quantile: around.quantile,
            outer: None,
        }
    }

    /// The labels of a list that are not variables.
    fn labels(&self, list: &LabelList) -> BTreeSet<String> {
        let fixed = list.labels.iter().filter(|(_, at)| !self.masked.has_variable(at));
        fixed.map(|(label, _)| label.clone()).collect()
    }

    fn has_variable(&self, list: &LabelList) -> bool {
        list.labels.iter().any(|(_, at)| self.masked.has_variable(at))
    }

    /// True if the name of a function is a variable.
    fn is_variable_function(&self, expr: &Expr) -> bool {
        self.masked.has_variable(&(expr.at.start..expr.at.start + 1))
    }

    fn call(&mut self, call: &'a Expr, name: &'a str, arguments: &'a [Expr], around: &Scope<'a>) {
        for argument in arguments {
            if let Node::Selector(selector) = &argument.node
                && (selector.has_range || SERIES_FUNCTIONS.contains(&name))
            {
                self.found(selector, call.at.clone(), Some(name), around);
                continue;
            }
            let text = |index: usize| literal(self.query, arguments.get(index)?);
            let mut inner = around.with_live(around.live.clone(), true);
            let mut live = around.live.clone();
            let mut named = around.named_labels.clone();
            if self.is_variable_function(call) {
                inner.variable = Some(VARIABLE_FUNCTION);
            }
            match name {
                "label_replace" | "label_join" => {
                    let sources = if name == "label_replace" { 3..4 } else { 3..arguments.len() };
                    if let Some(written) = text(1) {
                        if always_writes(name, &text) {
                            live = live.without(&written);
                        }
                        named.remove(&written);
                    }
                    for read in sources.filter_map(text) {
                        live = live.with(&read);
                        named.insert(read);
                    }
                    let mut texts = (1..arguments.len()).filter_map(text);
                    if self.masked.is_templated && texts.any(|it| contains_variable(&it)) {
                        inner.variable = Some(VARIABLE_LABEL);
                        live = LiveLabels::all();
                    }
                }
                "histogram_quantile" | "histogram_fraction" => {
                    live = live.with("le");
                    inner.quantile = Some(call.at.start);
                }
                "scalar" | "absent" => {
                    inner = Scope::of_value();
                    live = inner.live.clone();
                }
                _ => {}
            }
            let shape = if name == "label_replace" { label_shape(&text, around) } else { None };
            inner.outer = shape.map(|shape| {
                let scope = Scope { outer: None, ..around.clone() };
                let (whole, vector) = (call.at.clone(), argument.at.clone());
                Box::new(OuterScope { scope, whole, vector, shape })
            });
            self.expr(argument, &Scope { live, named_labels: named, ..inner });
        }
    }

    /// Expressions around an aggregation see only the labels of its result.
    fn aggregate(&mut self, expr: &'a Expr, aggregate: &'a Aggregate, around: &Scope<'a>) {
        let grouping = aggregate.grouping.as_ref();
        let labels = grouping.map(|it| self.labels(&it.labels)).unwrap_or_default();
        let has_variable = grouping.is_some_and(|it| self.has_variable(&it.labels));
        let live = match &aggregate.grouping {
            // The selected series keep their labels.
            _ if aggregate.selects_series() => LiveLabels::all(),
            None => LiveLabels::Only(BTreeSet::new()),
            Some(grouping) if grouping.without => LiveLabels::AllBut(labels.clone()),
            // The variable may be any label.
            Some(_) if has_variable => LiveLabels::all(),
            Some(_) => LiveLabels::Only(labels.clone()),
        };
        let keeps_labels = aggregate.selects_series() || grouping.is_some_and(|it| it.without);
        let mut mentioned = labels.clone();
        if keeps_labels || has_variable {
            mentioned.extend(around.mentioned.iter().cloned());
        }
        let variable = if self.is_variable_function(expr) {
            Some(VARIABLE_FUNCTION)
        } else if has_variable {
            Some(VARIABLE_LABEL)
        } else {
            around.variable.filter(|_| keeps_labels || !labels.is_empty())
        };
        let scope = Scope {
            quantile: around.quantile.filter(|_| live.has("le")),
            live,
            aggregate: Some(aggregate),
            is_delimited: true,
            named_labels: if grouping.is_some_and(|it| it.without) {
                BTreeSet::new()
            } else {
                labels
            },
            mentioned,
            variable,
            outer: None,
        };
        for argument in &aggregate.arguments {
            self.expr(argument, &scope);
        }
    }

    fn binary(&mut self, expr: &'a Expr, binary: &'a Binary, around: &Scope<'a>) {
        if binary.left.is_scalar() || binary.right.is_scalar() {
            let around = around.with_live(around.live.clone(), false);
            self.expr(&binary.left, &around);
            self.expr(&binary.right, &around);
            return;
        }
        let set = |labels: &LabelList| self.labels(labels);
        let is_set = ["and", "or", "unless"].contains(&binary.op.as_str());
        let matched = binary.matching.as_ref().map(|(on, labels)| (*on, set(labels)));
        let mut mentioned = matched.as_ref().map(|(_, labels)| labels.clone()).unwrap_or_default();
        let is_on = matched.as_ref().is_some_and(|(on, _)| *on);
        let mut named = if is_on { mentioned.clone() } else { BTreeSet::new() };
        let group = binary.group.as_ref();
        let brought = group.and_then(|(_, labels)| labels.as_ref()).map(set).unwrap_or_default();
        named.extend(brought.iter().cloned());
        mentioned.extend(brought.iter().cloned());
        let lists = binary.matching.iter().map(|(_, labels)| labels);
        let mut lists = lists.chain(group.iter().filter_map(|(_, labels)| labels.as_ref()));
        let has_variable = lists.any(|list| self.has_variable(list));
        let side = |is_left: bool| -> LiveLabels {
            let many = group.is_some_and(|(left, _)| *left == is_left);
            match &matched {
                _ if has_variable => LiveLabels::all(),
                Some((true, labels)) if is_set && !is_left && binary.op != "or" => {
                    LiveLabels::Only(labels.clone())
                }
                Some((true, labels)) if !is_set && !many => {
                    LiveLabels::Only(labels.union(&brought).cloned().collect())
                }
                Some((false, labels)) if !is_set && group.is_none() => {
                    LiveLabels::AllBut(labels.clone())
                }
                _ => LiveLabels::all(),
            }
        };
        for (operand, is_left) in [(&binary.left, true), (&binary.right, false)] {
            let mut inner = around.with_live(side(is_left), false);
            inner.named_labels.extend(named.iter().cloned());
            inner.mentioned.extend(mentioned.iter().cloned());
            if has_variable {
                inner.variable = Some(VARIABLE_LABEL);
            }
            inner.outer = None;
            if binary.op == "or" && binary.matching.is_none() {
                let other = binary.right.at.clone();
                let shape = if is_left { Shape::Union { other } } else { Shape::Other };
                let scope = Scope { outer: None, ..around.clone() };
                inner.outer = Some(Box::new(OuterScope {
                    scope,
                    whole: expr.at.clone(),
                    vector: operand.at.clone(),
                    shape,
                }));
            }
            self.expr(operand, &inner);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::audit::promql;

    fn live_labels(query: &str) -> Vec<String> {
        let expr = promql::parse(query).expect("a query");
        let masked = MaskedQuery::plain(query);
        let show = |it: &SelectorUse<'_>| {
            let list = |labels: &BTreeSet<String>| {
                labels.iter().map(String::as_str).collect::<Vec<_>>().join(",")
            };
            let live = match &it.live {
                LiveLabels::Only(labels) => format!("only {}", list(labels)),
                LiveLabels::AllBut(labels) => format!("all but {}", list(labels)),
            };
            format!("{} {}", query.get(it.vector.clone()).unwrap_or_default(), live.trim())
        };
        selector_uses(&masked, &expr).iter().map(show).collect()
    }

    #[test]
    fn labels_that_affect_the_result() {
        for (query, expected) in [
            ("a", &["a all but"][..]),
            ("sum(rate(a[5m])) by (x)", &["rate(a[5m]) only x"]),
            ("histogram_quantile(0.9, sum without (y) (a))", &["a all but y"]),
            ("histogram_quantile(0.9, a)", &["a all but"]),
            ("topk(3, sum(a))", &["a only"]),
            ("topk(3, a)", &["a all but"]),
            ("a / on (x) b", &["a only x", "b only x"]),
            ("a * on (x) group_left (y) b", &["a all but", "b only x,y"]),
            ("a and on (x) b", &["a all but", "b only x"]),
            ("a / ignoring (x) b", &["a all but x", "b all but x"]),
            ("sum by (x) (label_replace(a, \"x\", \"$1\", \"y\", \"(.*)\"))", &["a only y"]),
            ("sum by (x) (label_replace(a, \"x\", \"z\", \"\", \"\"))", &["a only"]),
            ("sum by (x) (label_replace(a, \"x\", \"z\", \"\", \"z\"))", &["a only ,x"]),
            ("sum by (x) (label_replace(a, \"x\", \"z\", \"y\", \"b\"))", &["a only x,y"]),
            ("sum by (x) (label_join(a, \"x\", \"-\", \"y\", \"w\"))", &["a only w,y"]),
            ("(a) > 3", &["a all but"]),
            ("absent(a) or vector(scalar(b))", &["absent(a) all but", "b only"]),
        ] {
            assert_eq!(live_labels(query), expected, "{query}");
        }
    }
}
