//! The factor of a vector whose values have another unit in the other generation.

use super::input::Input;
use super::select::{Selected, Selection};
use crate::mapping::{Correspondence, Scale};
use crate::tools::audit::promql::{Expr, Node};
use crate::tools::audit::vector_use::SelectorUse;

/// The factors of the migrated vector's values, which give those of the original. Their product is
/// applied; none: the values are the same.
///
/// # Errors
///
/// It is not known how the values depend on the unit.
pub(super) fn factors(
    input: &Input<'_>,
    selected: &Selected<'_>,
    rule: &Correspondence,
) -> Result<Vec<Scale>, String> {
    let Some(scale) = rule.scale_to(input.from).filter(|_| input.values_of.is_none()) else {
        return Ok(Vec::new());
    };
    let usage = &selected.usage;
    let family = &selected.family.family;
    if usage.is_of_series() {
        return Ok(Vec::new());
    }
    match selected.family.suffix {
        "_count" | "_bucket" => return Ok(Vec::new()),
        "" if rule.is_histogram => {
            return Err(format!(
                "it reads {family} as a native histogram, which has another unit in the other \
                 generation; query the series with _bucket, _sum or _count"
            ));
        }
        _ => {}
    }
    if usage.quantile.is_some() {
        return Err(format!("it takes a quantile of {family}, which are no buckets"));
    }
    let Some(function) = usage.function else {
        return if usage.selector.has_range {
            Err(format!("a range of {family} cannot be multiplied by a number"))
        } else {
            Ok(vec![scale])
        };
    };
    match degree(function) {
        Some(degree) => Ok(vec![scale; degree]),
        None => Err(format!("it is not known how the result of `{function}` depends on the unit")),
    }
}

/// The exponent `n`, if a function of values multiplied by `k` is its result multiplied by `k^n`.
fn degree(function: &str) -> Option<usize> {
    Some(match function {
        "avg_over_time"
        | "delta"
        | "deriv"
        | "double_exponential_smoothing"
        | "first_over_time"
        | "holt_winters"
        | "idelta"
        | "increase"
        | "irate"
        | "last_over_time"
        | "mad_over_time"
        | "max_over_time"
        | "min_over_time"
        | "predict_linear"
        | "quantile_over_time"
        | "rate"
        | "stddev_over_time"
        | "sum_over_time" => 1,
        "stdvar_over_time" => 2,
        "changes"
        | "count_over_time"
        | "present_over_time"
        | "resets"
        | "ts_of_first_over_time"
        | "ts_of_last_over_time"
        | "ts_of_max_over_time"
        | "ts_of_min_over_time" => 0,
        _ => return None,
    })
}

/// The factor of a quantile over buckets: that of their boundaries. `None`: it has none.
///
/// # Errors
///
/// The quantile reads something else too, or the function is another one.
pub(super) fn quantile_factor(
    input: &Input<'_>,
    selection: &Selection<'_>,
    call: &Expr,
) -> Result<Option<Scale>, String> {
    let reads = |usage: &SelectorUse<'_>| usage.quantile == Some(call.at.start);
    let selected = selection.selected.iter().filter(|it| reads(&it.usage));
    let factors = selected.flat_map(|it| it.rules.iter().map(|rule| rule.scale_to(input.from)));
    let mut factors: Vec<Option<Scale>> = factors.collect();
    if selection.unchanged.iter().any(reads) {
        factors.push(None);
    }
    let Some(scale) = factors.iter().find_map(|it| *it) else { return Ok(None) };
    if factors.iter().any(|it| *it != Some(scale)) {
        return Err("it takes one quantile of families with different units".to_owned());
    }
    match &call.node {
        Node::Call { name, .. } if name == "histogram_quantile" => Ok(Some(scale)),
        _ => Err("only `histogram_quantile` of buckets can have another unit".to_owned()),
    }
}
