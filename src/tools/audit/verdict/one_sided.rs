//! Labels that only one side of a match has after the upgrade.

use crate::mapping::{Generation, Meaning};
use crate::tools::audit::catalog::Catalog;
use crate::tools::audit::promql::{Aggregate, Binary, Expr, Node};

/// A query, and the families that it may use.
#[derive(Clone, Copy)]
pub(super) struct OneSided<'a> {
    pub(super) catalog: &'a Catalog,
    pub(super) query: &'a str,
}

impl OneSided<'_> {
    /// True if two vectors are matched by a label that after the upgrade only one of them has. No
    /// series of them match then.
    ///
    /// The two sides of `or` are not compared: series of different metrics hardly ever have equal
    /// labels.
    pub(super) fn is_matched_by(self, label: &str, expr: &Expr) -> bool {
        let mut found = false;
        expr.walk(&mut |part| {
            if let Node::Binary(binary) = &part.node
                && binary.op != "or"
                && compares(binary, label)
                && !binary.left.is_scalar()
                && !binary.right.is_scalar()
            {
                found |= self.has(label, &binary.left) != self.has(label, &binary.right);
            }
        });
        found
    }

    /// The aggregation that returns a sample of series with a label that only the new generation has.
    /// It returns other series then.
    pub(super) fn is_sampled_by(self, label: &str, expr: &Expr) -> Option<String> {
        let mut found = None;
        expr.walk(&mut |part| {
            if let Node::Aggregate(aggregate) = &part.node
                && aggregate.is_sample()
                && aggregate.arguments.iter().any(|it| self.has(label, it))
            {
                found.get_or_insert(aggregate.op.clone());
            }
        });
        found
    }

    /// Whether the series of an expression have a label that only the new generation has.
    fn has(self, label: &str, expr: &Expr) -> bool {
        match &expr.node {
            Node::Literal => false,
            Node::Selector(selector) => {
                let name = selector.name.clone().and_then(|at| self.query.get(at));
                let family = name.and_then(|name| self.catalog.lookup(name));
                family.is_some_and(|family| {
                    let rules = self.catalog.rules(&family.family, Generation::New);
                    rules.iter().any(|rule| rule.new.meaning(label) == Some(&Meaning::Own))
                })
            }
            Node::Call { name, .. } if ["absent", "absent_over_time"].contains(&name.as_str()) => {
                false
            }
            Node::Call { arguments, .. } => arguments.iter().any(|it| self.has(label, it)),
            Node::Aggregate(aggregate) => {
                keeps(aggregate, label) && aggregate.arguments.iter().any(|it| self.has(label, it))
            }
            Node::Binary(binary) => self.result_has(label, binary),
            Node::Wrapped { inner, .. } => self.has(label, inner),
        }
    }

    fn result_has(self, label: &str, binary: &Binary) -> bool {
        let (left, right) = (self.has(label, &binary.left), self.has(label, &binary.right));
        match (binary.op.as_str(), &binary.group) {
            ("or", _) => left || right,
            ("and" | "unless", _) => left,
            (_, Some((is_left, brought))) => {
                let (many, one) = if *is_left { (left, right) } else { (right, left) };
                many || one && brought.as_ref().is_some_and(|it| it.has(label))
            }
            _ if binary.left.is_scalar() => right,
            _ if binary.right.is_scalar() => left,
            _ => left && compares(binary, label),
        }
    }
}

/// Whether the vectors of an operation are matched by a label.
fn compares(binary: &Binary, label: &str) -> bool {
    match &binary.matching {
        Some((is_on, labels)) => *is_on == labels.has(label),
        None => true,
    }
}

/// Whether an aggregation keeps a label.
fn keeps(aggregate: &Aggregate, label: &str) -> bool {
    let grouping = aggregate.grouping.as_ref();
    aggregate.selects_series()
        || grouping.is_some_and(|grouping| grouping.without != grouping.labels.has(label))
}
