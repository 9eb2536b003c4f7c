//! Aggregations whose result depends on the order or on the rounding of their input.

use super::input::Input;
use super::select::Selection;
use crate::tools::audit::promql::{Aggregate, Expr, Node};

/// Why an aggregation around a migrated vector would have another result, although the vector has the
/// same series and values.
pub(super) fn obstacles(input: &Input<'_>, selection: &Selection<'_>) -> Vec<String> {
    let mut obstacles = Vec::new();
    input.expr.walk(&mut |expr| {
        let Node::Aggregate(aggregate) = &expr.node else { return };
        let mut vectors = selection.selected.iter().map(|it| &it.usage.vector);
        if !vectors.any(|it| expr.at.start <= it.start && it.end <= expr.at.end) {
            return;
        }
        if aggregate.is_sample() {
            obstacles.push(format!(
                "`{}` chooses series by their order, or by a hash of their names and labels; both \
                 change",
                aggregate.op
            ));
        }
        if shows_digits(input, aggregate) {
            obstacles.push(
                "`count_values` makes labels of all digits of its values, and the last digits depend \
                 on the order in which series are added"
                    .to_owned(),
            );
        }
    });
    obstacles
}

/// True if an aggregation makes labels of values that are rounded.
fn shows_digits(input: &Input<'_>, aggregate: &Aggregate) -> bool {
    aggregate.op == "count_values" && aggregate.arguments.iter().any(|it| !is_exact(input, it))
}

/// Functions of counts that are exact, or rounded in the same way in both generations.
const EXACT: &[&str] = &[
    "abs",
    "ceil",
    "clamp",
    "clamp_max",
    "clamp_min",
    "floor",
    "idelta",
    "last_over_time",
    "max_over_time",
    "min_over_time",
    "round",
    "sgn",
    "sort",
    "sort_desc",
    "sum_over_time",
];

/// True if all values are counts, or functions of counts. Sums of counts are exact in any order.
fn is_exact(input: &Input<'_>, expr: &Expr) -> bool {
    match &expr.node {
        Node::Literal => {
            input.slice(&expr.at).parse::<f64>().is_ok_and(|it| it.fract() == 0.0)
                || input.slice(&expr.at).starts_with(['"', '\'', '`'])
        }
        Node::Selector(selector) => {
            // A sum of durations can be fractional.
            let name = selector.name.as_ref().map(|at| input.slice(at));
            name.is_some_and(|name| !name.ends_with("_sum"))
        }
        Node::Call { name, arguments } => {
            (EXACT.contains(&name.as_str()) || name.starts_with("label_"))
                && arguments.iter().all(|it| is_exact(input, it))
        }
        Node::Aggregate(aggregate) => match aggregate.op.as_str() {
            "count" | "group" => true,
            "sum" | "min" | "max" | "topk" | "bottomk" => {
                aggregate.arguments.iter().all(|it| is_exact(input, it))
            }
            _ => false,
        },
        // Whole numbers stay whole. A fraction must not be added to others.
        Node::Binary(binary) => {
            !["/", "%", "^", "atan2"].contains(&binary.op.as_str())
                && is_exact(input, &binary.left)
                && is_exact(input, &binary.right)
        }
        Node::Wrapped { inner, .. } => is_exact(input, inner),
    }
}
