//! Values that have another unit in the other generation: they are multiplied.
//!
//! `sum(rate(x_ms[5m])) / 1000` becomes `sum(rate(x_seconds[5m]))`, and without the division
//! `sum(rate(x_seconds[5m])) * 1000`. The factor is written as far outside as it gives the same
//! result, so that it meets numbers that the query itself multiplies by.

use std::ops::Range;

use super::factor::{factors, quantile_factor};
use super::input::Input;
use super::rounding::check_rounding;
use super::select::{Selected, Selection};
use crate::document::Edit;
use crate::mapping::{Correspondence, Scale};
use crate::tools::audit::promql::{Aggregate, Binary, Expr, Node, keeps_name, precedence};

/// The edits that multiply the vectors of a query.
#[derive(Debug, Default)]
pub(super) struct Scaled {
    /// Those before other edits at the same place.
    pub(super) before: Vec<Edit>,
    /// Those after other edits at the same place.
    pub(super) after: Vec<Edit>,
}

/// The edits that multiply the vectors and quantiles whose values have another unit.
///
/// # Errors
///
/// A vector cannot be multiplied, or the rounding of the product would be seen.
pub(super) fn scaled(input: &Input<'_>, selection: &Selection<'_>) -> Result<Scaled, String> {
    let mut scaled = Scaled::default();
    for selected in &selection.selected {
        if let [rule] = selected.rules[..] {
            let factors = factors(input, selected, rule)?;
            scaled.multiply(input, &selected.usage.vector, &factors)?;
        }
    }
    if input.values_of.is_none() {
        let mut calls = Vec::new();
        input.expr.walk(&mut |expr| {
            if matches!(&expr.node, Node::Call { name, .. } if name.starts_with("histogram_")) {
                calls.push(expr);
            }
        });
        for call in calls {
            if let Some(factor) = quantile_factor(input, selection, call)? {
                scaled.multiply(input, &call.at, &[factor])?;
            }
        }
    }
    Ok(scaled)
}

/// The text after one family of a union: its own factor.
///
/// # Errors
///
/// As of [`scaled`].
pub(super) fn factor_of_member(
    input: &Input<'_>,
    selected: &Selected<'_>,
    rule: &Correspondence,
) -> Result<String, String> {
    let factors = factors(input, selected, rule)?;
    for factor in &factors {
        check_rounding(input, &selected.usage.vector, *factor)?;
    }
    Ok(operations(&factors))
}

impl Scaled {
    fn multiply(
        &mut self,
        input: &Input<'_>,
        vector: &Range<usize>,
        factors: &[Scale],
    ) -> Result<(), String> {
        let top = homogeneous(input, vector);
        if factors.is_empty() || ignores_values(input, &top) {
            return Ok(());
        }
        let folded = Folded::new(input, &top, factors);
        let (whole, operations) = if let Some(Folded { whole, factor }) = &folded {
            check_rounding(input, whole, *factor)?;
            let is_removed = factor.is_one() && !shows_name(input, &top, whole);
            (whole, if is_removed { String::new() } else { operations(&[*factor]) })
        } else {
            for factor in factors {
                check_rounding(input, &top, *factor)?;
            }
            (&top, operations(factors))
        };
        if *whole != top {
            self.before.push(Edit::replace(whole.start..top.start, ""));
            self.after.push(Edit::replace(top.end..whole.end, operations));
        } else if needs_parentheses(input, &top) {
            self.before.push(Edit::before(top.start, "("));
            self.after.push(Edit::after(top.end, format!("{operations})")));
        } else {
            self.after.push(Edit::after(top.end, operations));
        }
        Ok(())
    }
}

/// ` * 1000`
fn operations(factors: &[Scale]) -> String {
    let operations: Vec<String> = factors.iter().map(|factor| format!(" {factor}")).collect();
    operations.concat()
}

/// Aggregations of values multiplied by a number that are their result multiplied by it. Those that
/// sort their result are left out: a product need not keep the order.
const AGGREGATES: &[&str] = &["avg", "max", "min", "quantile", "stddev", "sum"];

/// Functions that do not read the values.
const OF_LABELS: &[&str] = &["label_join", "label_replace"];

/// The largest expression that has the factor of a vector, if the vector has one: `sum(vector)`,
/// `label_replace(vector, …)` and the like.
fn homogeneous(input: &Input<'_>, vector: &Range<usize>) -> Range<usize> {
    let mut top = vector.clone();
    while let Some(parent) = input.expr.parent_of(&top) {
        let is_only = |arguments: &[Expr]| {
            arguments.iter().all(|it| it.at == top || matches!(it.node, Node::Literal))
        };
        let has_factor = match &parent.node {
            Node::Wrapped { parenthesised, .. } => *parenthesised,
            Node::Call { name, arguments } => {
                OF_LABELS.contains(&name.as_str()) && is_only(arguments)
            }
            Node::Aggregate(Aggregate { op, arguments, .. }) => {
                AGGREGATES.contains(&op.as_str()) && is_only(arguments)
            }
            Node::Literal | Node::Selector(_) | Node::Binary(_) => false,
        };
        if !has_factor {
            break;
        }
        top = parent.at.clone();
    }
    top
}

/// True if what is around an expression reads its series and not their values.
fn ignores_values(input: &Input<'_>, part: &Range<usize>) -> bool {
    let Some(parent) = input.expr.parent_of(part) else { return false };
    match &parent.node {
        Node::Aggregate(aggregate) => ["count", "group"].contains(&aggregate.op.as_str()),
        Node::Call { name, .. } => name.starts_with("absent") || name == "timestamp",
        Node::Binary(binary) => {
            ["and", "unless"].contains(&binary.op.as_str()) && binary.right.at == *part
        }
        Node::Literal | Node::Selector(_) | Node::Wrapped { .. } => false,
    }
}

/// An expression that the query itself multiplies or divides by numbers.
struct Folded {
    whole: Range<usize>,
    /// The product of these numbers and the factor.
    factor: Scale,
}

impl Folded {
    /// Folds as many numbers as give a factor that is a whole number, or one divided by one.
    fn new(input: &Input<'_>, top: &Range<usize>, factors: &[Scale]) -> Option<Folded> {
        let (first, rest) = factors.split_first()?;
        let unit = rest.iter().try_fold(*first, |product, it| product.times(*it))?;
        // A product that is exact is not replaced by one that rounds.
        let is_better = |it: Scale| it.is_single_operation() && (it.is_exact() || !unit.is_exact());
        let mut factor = unit;
        let mut whole = top.clone();
        let mut folded = None;
        while let Some(Expr { at, node: Node::Binary(binary) }) = input.expr.parent_of(&whole)
            && let Some(number) = multiplier(input, binary, &whole)
            && let Some(product) = factor.times(number)
            && !input.slice(at).contains('#')
        {
            (factor, whole) = (product, at.clone());
            if is_better(factor) {
                folded = Some(Folded { whole: whole.clone(), factor });
            }
        }
        folded
    }
}

/// The number by which an operation multiplies one of its operands.
fn multiplier(input: &Input<'_>, binary: &Binary, operand: &Range<usize>) -> Option<Scale> {
    let (other, is_left) =
        if binary.left.at == *operand { (&binary.right, true) } else { (&binary.left, false) };
    if !matches!(other.node, Node::Literal) || input.masked.has_variable(&other.at) {
        return None;
    }
    let number = Scale::parse(input.slice(&other.at))?;
    match binary.op.as_str() {
        "*" => Some(number),
        "/" if is_left => Some(number.inverse()),
        _ => None,
    }
}

/// True if the result would have the name of the series without an operation around it. `whole` has
/// the operation.
fn shows_name(input: &Input<'_>, top: &Range<usize>, whole: &Range<usize>) -> bool {
    let mut named = false;
    input.expr.walk(&mut |expr| named |= expr.at == *top && expr.has_name());
    let mut part = whole.clone();
    while let Some(parent) = input.expr.parent_of(&part).filter(|_| named) {
        match &parent.node {
            Node::Aggregate(aggregate) if !aggregate.selects_series() => return false,
            Node::Binary(binary) if binary.is_arithmetic() => return false,
            Node::Call { name, .. } if name.starts_with("absent") || name == "timestamp" => {
                return true;
            }
            Node::Call { name, .. } if !keeps_name(name) => return false,
            _ => part = parent.at.clone(),
        }
    }
    named
}

/// True if `part * 1000` must be in parentheses where the part is.
fn needs_parentheses(input: &Input<'_>, part: &Range<usize>) -> bool {
    let Some(parent) = input.expr.parent_of(part) else { return false };
    let product = precedence("*");
    match &parent.node {
        Node::Binary(binary) if binary.left.at == *part => precedence(&binary.op) > product,
        Node::Binary(binary) => precedence(&binary.op) >= product,
        Node::Wrapped { parenthesised, .. } => !parenthesised,
        Node::Literal | Node::Selector(_) | Node::Call { .. } | Node::Aggregate(_) => false,
    }
}
