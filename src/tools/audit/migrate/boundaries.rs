//! Bucket boundaries that a query selects must exist in both generations.

use super::input::Input;
use super::select::Selected;
use crate::mapping::Boundary;
use crate::mapping::Correspondence;
use crate::tools::audit::matching::{Match, matches, matches_everything};
use crate::tools::audit::promql::Matcher;

/// Buckets that are aggregated over all boundaries give another result if the boundaries differ.
pub(super) fn check_all_boundaries(
    input: &Input<'_>,
    selected: &Selected<'_>,
    rule: &Correspondence,
) -> Result<(), String> {
    let bounds = |generation| rule.bounds_in(generation, input.from);
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
    input: &Input<'_>,
    selected: &Selected<'_>,
    rule: &'a Correspondence,
    matcher: &Matcher,
) -> Result<Option<&'a str>, String> {
    let (Some(source), Some(target)) =
        (rule.boundaries(input.from), rule.boundaries(input.from.other()))
    else {
        return check_unlisted(input, rule, matcher).map(|()| None);
    };
    let pairs = Pairs::new(input, rule, source, target);
    check_boundary(input, selected, rule, matcher, &pairs)?;
    let is_shown = shows_boundary(selected, rule);
    let matched = |boundary: &Boundary| matches(matcher, &boundary.text, input.templated);
    let mut respelled = pairs.both.iter().filter(|(source, target)| {
        matches_bound(matcher, source.bound, &source.text)
            && (rule.scale.is_some() || source.text != target.text)
            && (matched(source) != matched(target) || is_shown)
    });
    if let Some((source, target)) = respelled.next() {
        if matcher.op != "=" || matcher.value != *source.text {
            return Err(format!(
                "its `le` depends on the spelling of boundaries: {} is {} in the other generation",
                source.text, target.text
            ));
        }
        return Ok(Some(&target.text));
    }
    // In another unit, a pattern may match the text of a boundary that has nothing to do with it.
    let other = |(target, bound): &&(&Boundary, f64)| {
        let is_meant = matches_bound(matcher, *bound, &format!("{bound}"));
        rule.scale.is_some() && is_meant != (matched(target) == Match::Yes)
    };
    match pairs.target.iter().find(other) {
        Some((target, bound)) => Err(format!(
            "its `le` depends on the spelling of boundaries: {bound} is {} in the other generation",
            target.text
        )),
        None => Ok(None),
    }
}

/// True if the result of a query has the label `le`, which has another unit in the other generation.
fn shows_boundary(selected: &Selected<'_>, rule: &Correspondence) -> bool {
    rule.scale.is_some() && selected.usage.live.has("le") && selected.usage.quantile.is_none()
}

/// The boundary that a query selects, if its result has it as a label in the unit of the query.
pub(super) fn shown_boundary<'a>(
    input: &Input<'_>,
    selected: &Selected<'a>,
    rule: &Correspondence,
) -> Option<&'a str> {
    let is_finite = |it: &&&Matcher| it.op == "=" && it.value != "+Inf";
    let matchers = input.matchers(&selected.usage, "le");
    let selects = selected.family.suffix == "_bucket" && shows_boundary(selected, rule);
    matchers.iter().find(is_finite).filter(|_| selects).map(|it| it.value.as_str())
}

/// The boundaries of a rule, in the unit of the query.
struct Pairs<'a> {
    source: &'a [Boundary],
    /// The boundaries of the target, as numbers in the unit of the query.
    target: Vec<(&'a Boundary, f64)>,
    /// The boundaries that both generations have.
    both: Vec<(&'a Boundary, &'a Boundary)>,
}

impl<'a> Pairs<'a> {
    fn new(
        input: &Input<'_>,
        rule: &Correspondence,
        source: &'a [Boundary],
        target: &'a [Boundary],
    ) -> Pairs<'a> {
        let bounds = rule.bounds_in(input.from.other(), input.from);
        let target: Vec<(&Boundary, f64)> = target.iter().zip(bounds).collect();
        let both = source.iter().filter_map(|its| {
            let other = target.iter().find(|(_, bound)| bound.total_cmp(&its.bound).is_eq())?;
            Some((its, other.0))
        });
        Pairs { source, both: both.collect(), target }
    }
}

/// Without a list of boundaries, their spelling in another unit is not known.
fn check_unlisted(
    input: &Input<'_>,
    rule: &Correspondence,
    matcher: &Matcher,
) -> Result<(), String> {
    let is_infinite = matcher.op == "=" && matcher.value == "+Inf";
    if rule.scale.is_none() || is_infinite || matches_everything(matcher, input.templated) {
        return Ok(());
    }
    Err(format!(
        "its `le` has another unit in the other generation, and the pack lists no `buckets` of {}",
        rule.side(input.from).family
    ))
}

fn check_boundary(
    input: &Input<'_>,
    selected: &Selected<'_>,
    rule: &Correspondence,
    matcher: &Matcher,
    pairs: &Pairs<'_>,
) -> Result<(), String> {
    if matches(matcher, "1", input.templated) == Match::Unknown {
        return Err("which boundary it selects depends on a variable".to_owned());
    }
    let in_source = pairs.source.iter().filter(|it| matches_bound(matcher, it.bound, &it.text));
    let in_source: Vec<f64> = in_source.map(|it| it.bound).collect();
    let text = |target: &Boundary, bound: f64| match rule.scale {
        Some(_) => format!("{bound}"),
        None => target.text.to_string(),
    };
    let in_target = pairs.target.iter();
    let in_target =
        in_target.filter(|(target, bound)| matches_bound(matcher, *bound, &text(target, *bound)));
    let in_target: Vec<f64> = in_target.map(|(_, bound)| *bound).collect();
    if in_source.is_empty() && !matches_bound(matcher, f64::INFINITY, "+Inf") {
        return Err(format!("{} has no boundary {}", selected.family.family, matcher.value));
    }
    let all = in_source.len() == pairs.source.len() && in_target.len() == pairs.target.len();
    if in_source == in_target || (all && selected.usage.live.has("le")) {
        return Ok(());
    }
    let common: Vec<&str> = pairs.both.iter().map(|(source, _)| &*source.text).collect();
    Err(format!(
        "{} has no boundary {}; both generations have {}",
        rule.side(input.from.other()).family,
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
