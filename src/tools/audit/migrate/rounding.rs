//! Products are rounded: operations for which the last digit matters.

use std::ops::Range;

use super::input::Input;
use crate::mapping::Scale;
use crate::tools::audit::promql::{Binary, Expr, Node};

/// Functions that return another number if a value is slightly above or below a whole one.
const OF_WHOLE: &[&str] = &[
    "ceil",
    "day_of_month",
    "day_of_week",
    "day_of_year",
    "days_in_month",
    "floor",
    "hour",
    "minute",
    "month",
    "round",
    "trunc",
    "year",
];

/// Checks what is around a part of a query that is multiplied by a factor.
///
/// # Errors
///
/// An operation depends on the last digit of the values.
pub(super) fn check_rounding(
    input: &Input<'_>,
    part: &Range<usize>,
    factor: Scale,
) -> Result<(), String> {
    if factor.is_exact() {
        return Ok(());
    }
    let mut inner = part.clone();
    let mut is_operand = true;
    while let Some(parent) = input.expr.parent_of(&inner) {
        match &parent.node {
            Node::Call { name, .. } if OF_WHOLE.contains(&name.as_str()) => {
                return Err(rounded(factor, name));
            }
            Node::Aggregate(aggregate) if aggregate.op == "count_values" => {
                return Err(rounded(factor, &aggregate.op));
            }
            Node::Binary(binary) => {
                let other = if binary.left.at == inner { &binary.right } else { &binary.left };
                check_operation(input, binary, other, factor, is_operand)?;
                is_operand = false;
            }
            Node::Wrapped { parenthesised: true, .. } => {}
            _ => is_operand = false,
        }
        inner = parent.at.clone();
    }
    Ok(())
}

/// `is_operand`: one side is the product itself, and the other one is `other`.
fn check_operation(
    input: &Input<'_>,
    binary: &Binary,
    other: &Expr,
    factor: Scale,
    is_operand: bool,
) -> Result<(), String> {
    let number = number(input, other);
    let is_zero = number.is_some_and(|number| number == 0.0);
    match binary.op.as_str() {
        "%" => Err(rounded(factor, "%")),
        op @ ("==" | "!=") if !(is_operand && is_zero) => Err(rounded(factor, op)),
        "<" | ">" | "<=" | ">=" if is_operand && matches!(other.node, Node::Literal) => {
            match number {
                Some(number) if survives(factor, number) => Ok(()),
                Some(_) => Err(format!(
                    "{} is not the same number after `{factor}`, which rounds; compare with another \
                     one",
                    input.slice(&other.at)
                )),
                None => Err(format!(
                    "it is compared with a number that is not known, and `{factor}` rounds"
                )),
            }
        }
        _ => Ok(()),
    }
}

/// True if a value of the query's generation is the same after it was exported in the unit of the
/// other one and multiplied.
fn survives(factor: Scale, number: f64) -> bool {
    let exported = factor.inverse().of(number);
    !number.is_finite() || factor.in_doubles(exported).total_cmp(&number).is_eq()
}

/// The value of a literal that is not a variable.
fn number(input: &Input<'_>, expr: &Expr) -> Option<f64> {
    let is_literal = matches!(expr.node, Node::Literal) && !input.masked.has_variable(&expr.at);
    is_literal.then(|| input.slice(&expr.at).replace('_', "").parse().ok())?
}

fn rounded(factor: Scale, operation: &str) -> String {
    format!("`{operation}` depends on the last digit of its values, and `{factor}` rounds")
}
