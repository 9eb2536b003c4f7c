//! Bucket boundaries that a query selects must exist in both generations.

use super::input::Input;
use super::select::Selected;
use crate::mapping::Boundary;
use crate::mapping::Correspondence;
use crate::tools::audit::matching::{Match, matches};
use crate::tools::audit::promql::Matcher;

/// Buckets that are aggregated over all boundaries give another result if the boundaries differ.
pub(super) fn check_all_boundaries(
    input: &Input<'_>,
    selected: &Selected<'_>,
    rule: &Correspondence,
) -> Result<(), String> {
    let bounds = |generation| {
        let bounds = rule.boundaries(generation).unwrap_or_default();
        bounds.iter().map(|it| it.bound).collect::<Vec<f64>>()
    };
    let aggregates_all = selected.family.suffix == "_bucket"
        && input.matchers(&selected.usage, "le").is_empty()
        && !selected.usage.live.has("le");
    if aggregates_all && bounds(input.from) != bounds(input.from.other()) {
        return Err("it aggregates buckets of all boundaries, and the other generation has others"
            .to_owned());
    }
    Ok(())
}

/// A matcher of `le` must match the same boundaries in both generations. Returns its value, if the
/// target writes the boundary in another way.
pub(super) fn migrated_boundary<'a>(
    input: &Input<'a>,
    selected: &Selected<'_>,
    rule: &'a Correspondence,
    matcher: &Matcher,
) -> Result<Option<&'a str>, String> {
    check_boundary(input, selected, rule, matcher)?;
    let layout = |generation| rule.boundaries(generation).unwrap_or_default().iter();
    let respelled = layout(input.from).filter(|it| matches_bound(matcher, it.bound, &it.text));
    let matched = |boundary: &Boundary| matches(matcher, &boundary.text, input.templated);
    let mut respelled = respelled.filter_map(|source| {
        let mut target = layout(input.from.other());
        let target = target.find(|it| it.bound.total_cmp(&source.bound).is_eq())?;
        let stays = source.text == target.text || matched(source) == matched(target);
        (!stays).then_some((source, target))
    });
    let Some((source, target)) = respelled.next() else { return Ok(None) };
    match matcher.op {
        "=" if matcher.value == *source.text => Ok(Some(&target.text)),
        _ => Err(format!(
            "its `le` depends on the spelling of boundaries: {} is {} in the other generation",
            source.text, target.text
        )),
    }
}

fn check_boundary(
    input: &Input<'_>,
    selected: &Selected<'_>,
    rule: &Correspondence,
    matcher: &Matcher,
) -> Result<(), String> {
    let from = input.from;
    let (Some(source), Some(target)) = (rule.boundaries(from), rule.boundaries(from.other()))
    else {
        return Ok(());
    };
    if matches(matcher, "1", input.templated) == Match::Unknown {
        return Err("which boundary it selects depends on a variable".to_owned());
    }
    let matched = |bounds: &[Boundary]| -> Vec<f64> {
        let finite = bounds.iter().filter(|it| matches_bound(matcher, it.bound, &it.text));
        finite.map(|it| it.bound).collect()
    };
    let (in_source, in_target) = (matched(source), matched(target));
    if in_source.is_empty() && !matches_bound(matcher, f64::INFINITY, "+Inf") {
        return Err(format!("{} has no boundary {}", selected.family.family, matcher.value));
    }
    let all = in_source.len() == source.len() && in_target.len() == target.len();
    if in_source == in_target || (all && selected.usage.live.has("le")) {
        return Ok(());
    }
    let common: Vec<&str> = source
        .iter()
        .filter(|it| target.iter().any(|other| other.bound.total_cmp(&it.bound).is_eq()))
        .map(|it| &*it.text)
        .collect();
    Err(format!(
        "{} has no boundary {}; both generations have {}",
        rule.side(from.other()).family,
        matcher.value,
        common.join(" ")
    ))
}

/// True if a matcher matches a boundary in any of its spellings, which differ between Kong,
/// Prometheus 2 and Prometheus 3. A negative matcher must match all of them.
fn matches_bound(matcher: &Matcher, bound: f64, text: &str) -> bool {
    let spellings =
        [text.to_owned(), format!("{bound}"), format!("{bound:?}"), format!("{bound:.1}")];
    let is_matched = |spelling: &String| matches(matcher, spelling, false) == Match::Yes;
    if matcher.op.starts_with('!') {
        spellings.iter().all(is_matched)
    } else {
        spellings.iter().any(is_matched)
    }
}
