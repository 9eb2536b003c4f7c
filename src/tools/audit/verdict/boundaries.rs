//! Bucket boundaries that only one generation has: the gateway estimates their counts.

use super::super::catalog::FamilyRef;
use super::super::matching::{Match, matches};
use super::super::promql::Matcher;
use crate::mapping::{Boundary, Correspondence};

/// How a selector of buckets depends on boundaries that the other generation does not have.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct BoundaryUse<'a> {
    /// Selected boundaries that are estimated.
    pub(super) estimated: Vec<String>,
    /// Boundaries that both generations have.
    pub(super) exact: Vec<&'a Boundary>,
    /// No boundary has the spelling that the selector requires.
    pub(super) selects_nothing: bool,
}

/// Examines the boundaries that matchers of `le` select. Each rule has the boundaries of the family
/// and those of the other generation.
pub(super) fn boundary_use<'a>(
    family: &FamilyRef,
    rules: &[&'a Correspondence],
    le: &[&Matcher],
    templated: bool,
) -> BoundaryUse<'a> {
    let mut found = BoundaryUse::default();
    let Some(generation) = family.generation else { return found };
    let layouts = rules.iter().filter_map(|it| {
        let those = it.boundaries(generation.other())?.iter().map(|its| its.bound);
        let in_this_unit = |bound| it.scale_to(generation).map_or(bound, |scale| scale.of(bound));
        Some((it.boundaries(generation)?, those.map(in_this_unit).collect()))
    });
    let layouts: Vec<(&'a [Boundary], Vec<f64>)> = layouts.collect();
    let is = |bound: &Boundary, other: f64| other.total_cmp(&bound.bound).is_eq();
    let selects = |text: &str| le.iter().all(|it| matches(it, text, templated) != Match::No);
    let mut selects_any = selects("+Inf");
    for bound in layouts.iter().flat_map(|(these, _)| *these) {
        // As Kong writes it, and as Prometheus 3 stores it.
        let is_selected = selects(&bound.text) || selects(&format!("{:.1}", bound.bound));
        selects_any |= is_selected;
        // The sum over several families is exact only where all of them are.
        let is_exact = |(these, those): &(&[Boundary], Vec<f64>)| {
            !these.iter().any(|it| is(bound, it.bound)) || those.iter().any(|it| is(bound, *it))
        };
        if layouts.iter().all(is_exact) {
            if !found.exact.iter().any(|it| it.bound.total_cmp(&bound.bound).is_eq()) {
                found.exact.push(bound);
            }
        } else if is_selected && !found.estimated.iter().any(|its| *its == *bound.text) {
            found.estimated.push(bound.text.to_string());
        }
    }
    found.selects_nothing = !layouts.is_empty() && !selects_any;
    found
}
