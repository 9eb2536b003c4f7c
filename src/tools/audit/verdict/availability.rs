//! Whether a query still returns something if the families of one generation are gone.

use crate::mapping::Generation;
use crate::tools::audit::catalog::Catalog;
use crate::tools::audit::promql::{Expr, Node};

/// True if an expression returns something although families of generation `gone` do not exist:
/// `a or b` does as long as one side does. `None` if it uses no family of a pack.
pub(super) fn is_available(
    catalog: &Catalog,
    query: &str,
    expr: &Expr,
    gone: Generation,
) -> Option<bool> {
    let all = |expressions: &mut dyn Iterator<Item = &Expr>| {
        let each = expressions.filter_map(|it| is_available(catalog, query, it, gone));
        each.reduce(|a, b| a && b)
    };
    match &expr.node {
        Node::Literal => None,
        Node::Selector(selector) => {
            let family = catalog.lookup(query.get(selector.name.clone()?)?)?;
            Some(family.generation != Some(gone))
        }
        Node::Call { arguments, .. } => all(&mut arguments.iter()),
        Node::Aggregate(aggregate) => all(&mut aggregate.arguments.iter()),
        Node::Wrapped { inner, .. } => is_available(catalog, query, inner, gone),
        Node::Binary(binary) => {
            let sides =
                [&binary.left, &binary.right].map(|side| is_available(catalog, query, side, gone));
            match (binary.op.as_str(), sides) {
                ("or", [Some(left), Some(right)]) => Some(left || right),
                ("unless", [Some(left), _]) => Some(left),
                (_, [Some(left), Some(right)]) => Some(left && right),
                (_, [one, other]) => one.or(other),
            }
        }
    }
}
