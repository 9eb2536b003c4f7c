//! Each selector of a query, and what the rest of the query makes of its series.

use std::collections::BTreeSet;
use std::ops::Range;

use super::promql::{Aggregate, Binary, Expr, Node, Selector};

/// Which labels of a vector the query still looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Keep {
    /// These.
    Only(BTreeSet<String>),
    /// All but these.
    AllBut(BTreeSet<String>),
}

/// A selector in its place.
#[derive(Clone, Debug)]
pub(super) struct Use<'a> {
    pub(super) selector: &'a Selector,
    /// The selector, with the function over its range: what becomes a vector.
    pub(super) unit: Range<usize>,
    /// The function, where there is one over a range, or one that takes series rather than values.
    pub(super) function: Option<&'a str>,
    /// The aggregation that the unit is the argument of.
    pub(super) aggregate: Option<&'a Aggregate>,
    pub(super) keep: Keep,
    /// Something stands around the unit that ends it: an operator may stand within.
    pub(super) enclosed: bool,
    /// Labels that are named between here and the first aggregation.
    pub(super) named: BTreeSet<String>,
}

impl Keep {
    pub(super) fn all() -> Keep {
        Keep::AllBut(BTreeSet::new())
    }

    pub(super) fn has(&self, label: &str) -> bool {
        match self {
            Keep::Only(labels) => labels.contains(label),
            Keep::AllBut(labels) => !labels.contains(label),
        }
    }

    fn with(&self, label: &str) -> Keep {
        let mut keep = self.clone();
        match &mut keep {
            Keep::Only(labels) => {
                labels.insert(label.to_owned());
            }
            Keep::AllBut(labels) => {
                labels.remove(label);
            }
        }
        keep
    }

    fn without(&self, label: &str) -> Keep {
        let mut keep = self.clone();
        match &mut keep {
            Keep::Only(labels) => {
                labels.remove(label);
            }
            Keep::AllBut(labels) => {
                labels.insert(label.to_owned());
            }
        }
        keep
    }
}

/// Functions that take series rather than their values.
const OF_SERIES: &[&str] = &["absent", "absent_over_time", "timestamp"];

/// Finds every selector.
pub(super) fn uses<'a>(query: &'a str, expr: &'a Expr) -> Vec<Use<'a>> {
    let mut finder = Finder { query, uses: Vec::new() };
    finder.expr(expr, &Around::outside());
    finder.uses
}

/// Labels that functions name as text: `label_replace`, `label_join`, `count_values`, `sort_by_label`.
pub(super) fn labels_in_functions(query: &str, expr: &Expr) -> BTreeSet<String> {
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

fn literal(query: &str, expr: &Expr) -> Option<String> {
    let text = query.get(expr.at.clone()).filter(|_| expr.node == Node::Literal)?;
    let inner = text.strip_prefix(['"', '\'', '`'])?;
    inner.strip_suffix(['"', '\'', '`']).map(str::to_owned)
}

/// What stands around an expression.
#[derive(Clone)]
struct Around<'a> {
    keep: Keep,
    aggregate: Option<&'a Aggregate>,
    enclosed: bool,
    named: BTreeSet<String>,
}

impl Around<'_> {
    fn outside() -> Self {
        Around { keep: Keep::all(), aggregate: None, enclosed: true, named: BTreeSet::new() }
    }

    fn keeping(&self, keep: Keep, enclosed: bool) -> Self {
        Around { keep, aggregate: None, enclosed, named: self.named.clone() }
    }
}

struct Finder<'a> {
    query: &'a str,
    uses: Vec<Use<'a>>,
}

impl<'a> Finder<'a> {
    fn expr(&mut self, expr: &'a Expr, around: &Around<'a>) {
        match &expr.node {
            Node::Literal => {}
            Node::Selector(selector) => self.found(selector, expr.at.clone(), None, around),
            Node::Call { name, arguments } => self.call(expr, name, arguments, around),
            Node::Aggregate(aggregate) => self.aggregate(aggregate),
            Node::Binary(binary) => self.binary(binary, around),
            Node::Wrapped { inner, parenthesised: true } => {
                self.expr(inner, &Around { enclosed: true, ..around.clone() });
            }
            Node::Wrapped { inner, .. } => {
                self.expr(inner, &around.keeping(around.keep.clone(), false));
            }
        }
    }

    fn found(
        &mut self,
        selector: &'a Selector,
        unit: Range<usize>,
        function: Option<&'a str>,
        around: &Around<'a>,
    ) {
        self.uses.push(Use {
            selector,
            unit,
            function,
            aggregate: around.aggregate,
            keep: around.keep.clone(),
            enclosed: around.enclosed,
            named: around.named.clone(),
        });
    }

    fn call(&mut self, call: &'a Expr, name: &'a str, arguments: &'a [Expr], around: &Around<'a>) {
        for argument in arguments {
            if let Node::Selector(selector) = &argument.node
                && (selector.has_range || OF_SERIES.contains(&name))
            {
                self.found(selector, call.at.clone(), Some(name), around);
                continue;
            }
            let text = |index: usize| literal(self.query, arguments.get(index)?);
            let mut keep = around.keep.clone();
            let mut named = around.named.clone();
            match name {
                "label_replace" | "label_join" => {
                    let sources = if name == "label_replace" { 3..4 } else { 3..arguments.len() };
                    if let Some(written) = text(1) {
                        keep = keep.without(&written);
                        named.remove(&written);
                    }
                    for read in sources.filter_map(text) {
                        keep = keep.with(&read);
                        named.insert(read);
                    }
                }
                "histogram_quantile" | "histogram_fraction" => keep = keep.with("le"),
                "scalar" | "absent" => keep = Keep::Only(BTreeSet::new()),
                _ => {}
            }
            self.expr(argument, &Around { named, ..around.keeping(keep, true) });
        }
    }

    /// Whatever stands around an aggregation sees only what it leaves.
    fn aggregate(&mut self, aggregate: &'a Aggregate) {
        let labels: BTreeSet<String> = aggregate
            .grouping
            .iter()
            .flat_map(|grouping| grouping.labels.labels.iter().map(|(label, _)| label.clone()))
            .collect();
        let chooses = ["topk", "bottomk", "limitk", "limit_ratio"].contains(&aggregate.op.as_str());
        let keep = match &aggregate.grouping {
            // What is chosen leaves as it is.
            _ if chooses => Keep::all(),
            None => Keep::Only(BTreeSet::new()),
            Some(grouping) if grouping.without => Keep::AllBut(labels.clone()),
            Some(_) => Keep::Only(labels.clone()),
        };
        let around = Around { keep, aggregate: Some(aggregate), enclosed: true, named: labels };
        for argument in &aggregate.arguments {
            self.expr(argument, &around);
        }
    }

    fn binary(&mut self, binary: &'a Binary, around: &Around<'a>) {
        if is_scalar(&binary.left) || is_scalar(&binary.right) {
            let around = around.keeping(around.keep.clone(), false);
            self.expr(&binary.left, &around);
            self.expr(&binary.right, &around);
            return;
        }
        let set = |labels: &super::promql::LabelList| -> BTreeSet<String> {
            labels.labels.iter().map(|(label, _)| label.clone()).collect()
        };
        let is_set = ["and", "or", "unless"].contains(&binary.op.as_str());
        let matched = binary.matching.as_ref().map(|(on, labels)| (*on, set(labels)));
        let mut named = matched.as_ref().map(|(_, labels)| labels.clone()).unwrap_or_default();
        let group = binary.group.as_ref();
        let brought = group.and_then(|(_, labels)| labels.as_ref()).map(set).unwrap_or_default();
        named.extend(brought.iter().cloned());
        let side = |is_left: bool| -> Keep {
            let many = group.is_some_and(|(left, _)| *left == is_left);
            match &matched {
                Some((true, labels)) if is_set && !is_left && binary.op != "or" => {
                    Keep::Only(labels.clone())
                }
                Some((true, labels)) if !is_set && !many => {
                    Keep::Only(labels.union(&brought).cloned().collect())
                }
                Some((false, labels)) if !is_set && group.is_none() => Keep::AllBut(labels.clone()),
                _ => Keep::all(),
            }
        };
        for (operand, is_left) in [(&binary.left, true), (&binary.right, false)] {
            let mut inner = around.keeping(side(is_left), false);
            inner.named.extend(named.iter().cloned());
            self.expr(operand, &inner);
        }
    }
}

/// Whether an expression has no labels at all.
fn is_scalar(expr: &Expr) -> bool {
    match &expr.node {
        Node::Literal => true,
        Node::Call { name, .. } => ["scalar", "time", "pi"].contains(&name.as_str()),
        Node::Wrapped { inner, .. } => is_scalar(inner),
        Node::Binary(binary) => is_scalar(&binary.left) && is_scalar(&binary.right),
        Node::Selector(_) | Node::Aggregate(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::promql;
    use super::*;

    fn keeps(query: &str) -> Vec<String> {
        let expr = promql::parse(query).expect("a query");
        let show = |it: &Use<'_>| {
            let list = |labels: &BTreeSet<String>| {
                labels.iter().map(String::as_str).collect::<Vec<_>>().join(",")
            };
            let keep = match &it.keep {
                Keep::Only(labels) => format!("only {}", list(labels)),
                Keep::AllBut(labels) => format!("all but {}", list(labels)),
            };
            format!("{} {}", query.get(it.unit.clone()).unwrap_or_default(), keep.trim())
        };
        uses(query, &expr).iter().map(show).collect()
    }

    #[test]
    fn what_is_left_of_labels() {
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
            ("(a) > 3", &["a all but"]),
            ("absent(a) or vector(scalar(b))", &["absent(a) all but", "b only"]),
        ] {
            assert_eq!(keeps(query), expected, "{query}");
        }
    }
}
