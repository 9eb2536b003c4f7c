//! Products are rounded: operations for which the last digit matters.

use std::ops::Range;

use super::input::Input;
use crate::mapping::Scale;
use crate::tools::audit::promql::{Expr, Node};

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

/// Functions and aggregations whose results are hardly ever exactly a given number.
const OF_FRACTIONS: &[&str] = &[
    "avg",
    "avg_over_time",
    "delta",
    "deriv",
    "double_exponential_smoothing",
    "histogram_avg",
    "histogram_quantile",
    "holt_winters",
    "increase",
    "irate",
    "predict_linear",
    "quantile",
    "quantile_over_time",
    "rate",
    "stddev",
    "stddev_over_time",
    "stdvar",
    "stdvar_over_time",
];

/// Functions and aggregations whose results are values of their arguments.
const OF_THE_SAME_VALUES: &[&str] = &[
    "bottomk",
    "label_join",
    "label_replace",
    "last_over_time",
    "max",
    "max_over_time",
    "min",
    "min_over_time",
    "sort",
    "sort_by_label",
    "sort_by_label_desc",
    "sort_desc",
    "topk",
];

/// Functions for which a difference of almost 0 is something else than 0.
const OF_SIGNS: &[&str] = &["acos", "acosh", "asin", "atanh", "ln", "log10", "log2", "sgn", "sqrt"];

/// What is known of the values at a place of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Values {
    /// Exported values, or their products.
    Exported,
    /// Computed from these, so that the last digit can differ.
    Computed,
    /// Fractions, which nothing is compared with for being equal.
    Fractions,
}

impl Values {
    /// After a function or aggregation.
    fn after(self, name: &str) -> Values {
        match self {
            _ if OF_FRACTIONS.contains(&name) => Values::Fractions,
            Values::Exported if !OF_THE_SAME_VALUES.contains(&name) => Values::Computed,
            same => same,
        }
    }

    /// Those of a part of a query.
    fn of(part: &Expr) -> Values {
        let (mut values, mut is_quotient) = (Values::Exported, false);
        part.walk(&mut |expr| match &expr.node {
            Node::Call { name, .. } => values = values.after(name),
            Node::Aggregate(aggregate) => values = values.after(&aggregate.op),
            Node::Binary(binary) => {
                is_quotient |= binary.op == "/";
                values = values.after(&binary.op);
            }
            _ => {}
        });
        if is_quotient { Values::Fractions } else { values }
    }
}

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
    let mut values = Values::Exported;
    input.expr.walk(&mut |expr| {
        if expr.at == *part {
            values = Values::of(expr);
        }
    });
    let mut inner = part.clone();
    let (mut is_operand, mut is_difference) = (true, false);
    while let Some(parent) = input.expr.parent_of(&inner) {
        match &parent.node {
            Node::Call { name, .. } if OF_WHOLE.contains(&name.as_str()) => {
                return Err(rounded(factor, name));
            }
            Node::Call { name, .. } if is_difference && OF_SIGNS.contains(&name.as_str()) => {
                return Err(rounded(factor, name));
            }
            Node::Aggregate(aggregate) if aggregate.op == "count_values" => {
                return Err(rounded(factor, &aggregate.op));
            }
            Node::Call { name, .. } => values = values.after(name),
            Node::Aggregate(aggregate) => values = values.after(&aggregate.op),
            Node::Binary(binary) => {
                let is_left = binary.left.at == inner;
                let other = if is_left { &binary.right } else { &binary.left };
                let op = binary.op.as_str();
                if is_difference && (op == "^" || op == "/" && !is_left) {
                    return Err(rounded(factor, op));
                }
                let place = Place { values, is_operand, is_difference };
                check_operation(input, op, other, factor, place)?;
                is_difference |= matches!(op, "+" | "-");
                if matches!(op, "+" | "-" | "*" | "/" | "^" | "atan2") {
                    let is_quotient = op == "/" && number(input, other).is_none();
                    let computed = values.after(op);
                    values = if is_quotient { Values::Fractions } else { computed };
                }
            }
            Node::Wrapped { parenthesised: true, .. } => {}
            _ => values = values.after("-"),
        }
        is_operand &= matches!(parent.node, Node::Wrapped { parenthesised: true, .. });
        inner = parent.at.clone();
    }
    Ok(())
}

/// What an operation is applied to.
#[derive(Clone, Copy)]
struct Place {
    values: Values,
    /// The product itself.
    is_operand: bool,
    /// Something was added or subtracted before.
    is_difference: bool,
}

/// `other`: the other operand.
fn check_operation(
    input: &Input<'_>,
    op: &str,
    other: &Expr,
    factor: Scale,
    Place { values, is_operand, is_difference }: Place,
) -> Result<(), String> {
    let number = number(input, other);
    let is_zero = number.is_some_and(|number| number == 0.0);
    match op {
        "%" => Err(rounded(factor, "%")),
        "==" | "!=" if !(is_operand && is_zero) => Err(rounded(factor, op)),
        "<" | ">" | "<=" | ">=" if is_zero && !is_difference => Ok(()),
        "<" | ">" | "<=" | ">=" if matches!(other.node, Node::Literal) && number.is_none() => {
            Err(format!("it is compared with a number that is not known, and `{factor}` rounds"))
        }
        "<" | ">" | "<=" | ">=" => match (values, number) {
            (Values::Exported, Some(number)) if !survives(factor, number) => Err(format!(
                "{} is not the same number after `{factor}`, which rounds; compare with another one",
                input.slice(&other.at)
            )),
            (Values::Exported, Some(_)) | (Values::Fractions, _) => Ok(()),
            (Values::Exported, None) => Err(format!(
                "it is compared with something that is not one number, and `{factor}` rounds"
            )),
            (Values::Computed, _) => Err(rounded(factor, op)),
        },
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
