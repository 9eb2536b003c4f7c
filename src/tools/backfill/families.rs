//! The families that a plan reads or writes. All others are left where they are.

use std::collections::BTreeSet;

use crate::mapping::Plan;

/// What follows the name of a family in the names of its series.
const SUFFIXES: [&str; 5] = ["", "_bucket", "_sum", "_count", "_created"];

/// The families that all stages of a plan read or write.
#[derive(Debug)]
pub(super) struct Families<'p> {
    stages: Vec<&'p Plan>,
}

impl<'p> Families<'p> {
    pub(super) fn of(plan: &'p Plan) -> Families<'p> {
        let stages = std::iter::successors(Some(plan), |plan| plan.next.as_deref()).collect();
        Families { stages }
    }

    /// Whether series of this name are of such a family.
    pub(super) fn has(&self, name: &[u8]) -> bool {
        let names = SUFFIXES.iter().filter_map(|suffix| name.strip_suffix(suffix.as_bytes()));
        names.into_iter().any(|family| {
            self.stages.iter().any(|plan| {
                plan.families.contains_key(family)
                    || plan.patterns.rules_of(family).next().is_some()
                    || plan.dropped.iter().any(|(pattern, _)| pattern.rest_of(family).is_some())
            })
        })
    }

    /// Labels of a series that rules tell from absent ones where they are empty: a generation does not
    /// count such samples. Prometheus does not store empty labels.
    pub(super) fn empty_labels(&self, name: &[u8]) -> BTreeSet<&'p [u8]> {
        let families = SUFFIXES.iter().filter_map(|suffix| name.strip_suffix(suffix.as_bytes()));
        let plans = families.flat_map(|family| {
            self.stages.iter().filter_map(move |plan| plan.families.get(family))
        });
        let pairs = plans.flat_map(|plan| plan.not_counted.iter().flatten());
        pairs.filter(|(_, value)| value.is_empty()).map(|(label, _)| &**label).collect()
    }

    /// A regular expression, as Prometheus matches names with it, of all names that [`has`](Self::has)
    /// accepts, and perhaps more.
    pub(super) fn regex(&self) -> String {
        let mut names = BTreeSet::new();
        for plan in &self.stages {
            for family in plan.families.keys() {
                names.insert(regex::escape(&family.escape_ascii().to_string()));
            }
            let patterns = plan.patterns.all().iter().flat_map(|rule| [&rule.old, &rule.new]);
            let dropped = plan.dropped.iter().map(|(pattern, _)| pattern);
            for pattern in patterns.chain(dropped) {
                let [before, after] = pattern.texts();
                names.insert(format!("{}.+{}", regex::escape(before), regex::escape(after)));
            }
        }
        let names: Vec<String> = names.into_iter().collect();
        format!("(?:{})(?:_bucket|_sum|_count|_created)?", names.join("|"))
    }
}
