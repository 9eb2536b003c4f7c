//! Compares the results of one query on two jobs, number by number.

use std::collections::{BTreeMap, BTreeSet};

use super::plan::TICK;
use super::prometheus::Series;
use super::queries::Rule;

/// How much the order of additions can change a number.
const ROUNDING: f64 = 1e-9;

/// Label sets without the labels that name the job, or that not every version has.
type Labels = BTreeMap<String, String>;

/// The results of a query, by series and tick.
pub(crate) type Results = BTreeMap<Labels, BTreeMap<u64, f64>>;

/// What came out, at one tick.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct AtTick {
    /// Pairs of numbers that agree.
    pub(crate) same: usize,
    /// Of these, pairs that are both not a number.
    pub(crate) without_number: usize,
    /// Each pair that does not agree: labels, and both values.
    pub(crate) different: Vec<(String, Option<f64>, Option<f64>)>,
    /// The largest relative difference of numbers that agree.
    pub(crate) largest: f64,
}

/// The results of a range query that began at `start`, in seconds. Two pods of one node have two
/// IDs, so without the ID they are one series.
pub(crate) fn results(all: &[Series], start: u64) -> Result<Results, String> {
    let mut results = Results::new();
    for series in all {
        let mut labels = series.metric.clone();
        labels.retain(|name, _| name != "job" && name != "node_id");
        let values = results.entry(labels).or_default();
        for (time, value) in &series.values {
            let tick = tick(*time, start);
            let value = value.parse().map_err(|_| format!("{value} is not a number"))?;
            if values.insert(tick, value).is_some() {
                return Err(format!("two series of {:?} at tick {tick}", series.metric));
            }
        }
    }
    Ok(results)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small number")]
#[expect(clippy::cast_precision_loss, reason = "seconds since 1970")]
fn tick(time: f64, start: u64) -> u64 {
    ((time - start as f64) / TICK.as_secs_f64()).round() as u64
}

/// Compares two results tick by tick. `dictionaries` are those that all versions have.
pub(crate) fn compare(
    rule: Rule,
    dictionaries: &[String],
    expected: &Results,
    actual: &Results,
) -> BTreeMap<u64, AtTick> {
    let mut ticks: BTreeMap<u64, AtTick> = BTreeMap::new();
    let none = BTreeMap::new();
    let labels: BTreeSet<&Labels> = expected.keys().chain(actual.keys()).collect();
    for labels in labels {
        let has_dictionary =
            || labels.get("shared_dict").is_some_and(|it| dictionaries.contains(it));
        if rule == Rule::Dictionaries && !has_dictionary() {
            continue;
        }
        let of = |results: &'_ Results| results.get(labels).unwrap_or(&none).clone();
        let (expected, actual) = (of(expected), of(actual));
        let all: BTreeSet<u64> = expected.keys().chain(actual.keys()).copied().collect();
        for tick in all {
            let at = ticks.entry(tick).or_default();
            let pair = (expected.get(&tick).copied(), actual.get(&tick).copied());
            match pair {
                (Some(one), Some(two)) if agree(rule, one, two) => {
                    at.same += 1;
                    at.without_number += usize::from(one.is_nan());
                    let difference = (one - two).abs() / one.abs().max(two.abs());
                    // Two zeros and two that are not numbers do not differ.
                    if difference > at.largest {
                        at.largest = difference;
                    }
                }
                (one, two) => at.different.push((format!("{labels:?}"), one, two)),
            }
        }
    }
    ticks
}

fn agree(rule: Rule, one: f64, two: f64) -> bool {
    if one.is_nan() || two.is_nan() {
        return one.is_nan() && two.is_nan();
    }
    match rule {
        Rule::Exact | Rule::Dictionaries => are_equal(one, two),
        Rule::Between(bounds) => {
            // A quantile can be a boundary itself, and its last digits depend on the additions.
            let above = |value: f64, bound: f64| value > bound && !are_equal(value, bound);
            bounds.iter().all(|&bound| above(one, bound) == above(two, bound))
        }
    }
}

fn are_equal(one: f64, two: f64) -> bool {
    (one - two).abs() <= ROUNDING * one.abs().max(two.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compared(rule: Rule, one: &[Series], two: &[Series]) -> BTreeMap<u64, AtTick> {
        let read = |all| results(all, 1000).expect("each series once");
        compare(rule, &["kong".to_owned()], &read(one), &read(two))
    }

    #[test]
    fn every_pair_at_every_tick_is_compared() {
        let one =
            [Series::of(&[("job", "direct"), ("code", "200")], &[(1000.0, "5"), (1002.0, "0.3")])];
        let two = [
            Series::of(&[("job", "pinned"), ("code", "200")], &[(1002.0, "0.30000000000000004")]),
            Series::of(&[("job", "pinned"), ("code", "404")], &[(1004.0, "1")]),
        ];
        let ticks = compared(Rule::Exact, &one, &two);
        let different = |tick: u64| ticks[&tick].different.clone();
        assert_eq!(different(0), [("{\"code\": \"200\"}".to_owned(), Some(5.0), None)]);
        assert_eq!((ticks[&1].same, different(1).len()), (1, 0));
        assert_eq!(different(2), [("{\"code\": \"404\"}".to_owned(), None, Some(1.0))]);
    }

    #[test]
    fn results_without_data_agree_on_nothing() {
        assert!(compared(Rule::Exact, &[], &[]).is_empty());
        let not_a_number = [Series::of(&[], &[(1000.0, "NaN")])];
        let ticks = compared(Rule::Exact, &not_a_number, &not_a_number);
        assert_eq!((ticks[&0].same, ticks[&0].without_number), (1, 1));
    }

    #[test]
    fn a_quantile_stays_between_its_boundaries() {
        let is_same = |one: &str, two: &str| {
            let of = |value| [Series::of(&[], &[(1000.0, value)])];
            let ticks = compared(Rule::Between(&[10.0, 50.0]), &of(one), &of(two));
            ticks[&0].different.is_empty()
        };
        assert!(is_same("11", "49") && is_same("1", "10") && is_same("51", "900"));
        assert!(is_same("10.000000000000002", "9"));
        assert!(!is_same("9", "11") && !is_same("49", "51") && !is_same("NaN", "5"));
    }

    #[test]
    fn pods_of_a_node_follow_each_other() {
        let pod = |id: &str, time| Series::of(&[("node_id", id)], &[(time, "1")]);
        let one = results(&[pod("a", 1000.0), pod("b", 1002.0)], 1000).expect("one at a time");
        assert_eq!(one[&Labels::new()], BTreeMap::from([(0, 1.0), (1, 1.0)]));
        assert!(results(&[pod("a", 1000.0), pod("b", 1000.0)], 1000).is_err());
    }

    #[test]
    fn dictionaries_that_a_version_lacks_are_left_out() {
        let of = |name: &str, value| [Series::of(&[("shared_dict", name)], &[(1000.0, value)])];
        assert!(compared(Rule::Dictionaries, &of("kong_secrets", "1"), &[]).is_empty());
        let ticks = compared(Rule::Dictionaries, &of("kong", "1"), &of("kong", "2"));
        assert_eq!(ticks[&0].different.len(), 1);
    }
}
