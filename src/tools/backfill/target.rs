//! Which target a stored series was scraped from.
//!
//! Prometheus adds the labels of the target to each series: `job`, `instance` and those that service
//! discovery and relabeling give it. It also writes `up` for each target, with these labels and no
//! others, at the time of each scrape. So the target of a series is the `up` with the same job and
//! instance. (`prometheus/prometheus:scrape/scrape.go`: `mutateSampleLabels`, `report`.)

use std::collections::{HashMap, HashSet};

use super::labels::{LabelSet, Labels};

/// What Prometheus writes before the name of a label of the metric that the target has too, unless
/// `honor_labels` is set.
const EXPORTED: &[u8] = b"exported_";

/// The labels of a target, sorted by name.
pub(super) type TargetLabels = Labels;

/// The targets of all series.
#[derive(Debug)]
pub(super) struct Targets {
    /// The labels that every target has, as far as `up` does not tell them.
    names: Vec<Box<[u8]>>,
    /// The number of each job and instance.
    instances: HashMap<TargetLabels, u32, foldhash::fast::RandomState>,
    /// The labels of each `up`, by instance.
    up: HashMap<u32, Vec<TargetLabels>, foldhash::fast::RandomState>,
}

impl Targets {
    /// Without `up`, the labels with these names are those of the target.
    pub(super) fn new(names: Vec<Box<[u8]>>) -> Targets {
        Targets { names, instances: HashMap::default(), up: HashMap::default() }
    }

    /// A number for the job and the instance of a series. Expositions of one target have one number.
    pub(super) fn instance(&mut self, series: &LabelSet) -> u32 {
        let job_and_instance = [&b"instance"[..], b"job"];
        let labels = chosen(series, |name| job_and_instance.contains(&name));
        let next = u32::try_from(self.instances.len()).expect("series have numbers of 32 bits");
        let instance = *self.instances.entry(labels).or_insert(next);
        if &*series.name == b"up" {
            let known = self.up.entry(instance).or_default();
            if !known.contains(&series.labels) {
                known.push(series.labels.clone());
            }
        }
        instance
    }

    /// The labels of the target of a series, and the series as the target exposes it.
    pub(super) fn split(&self, series: &LabelSet, instance: u32) -> (TargetLabels, LabelSet) {
        let equal =
            |up: &TargetLabels| up.iter().filter(|pair| series.labels.contains(pair)).count();
        // A target may have got a label, or lost one: only an `up` whose labels the series has.
        let is_possible = |up: &&TargetLabels| up.iter().all(|(name, _)| has(&series.labels, name));
        let up = self.up.get(&instance).into_iter().flatten().filter(is_possible);
        // The first of those with the most labels in common. Some may differ: with `honor_labels` the
        // label of the metric wins.
        let up = up.enumerate().max_by_key(|(index, up)| (equal(up), std::cmp::Reverse(*index)));
        let target = match up {
            Some((_, up)) => up.clone(),
            None => chosen(series, |name| self.names.iter().any(|it| &**it == name)),
        };
        let mut exposed = LabelSet { name: series.name.clone(), labels: Vec::new() };
        for pair in &series.labels {
            if target.contains(pair) {
                continue;
            }
            let (name, value) = pair;
            let original = name.strip_prefix(EXPORTED).filter(|name| has(&target, name));
            let name = original.map_or_else(|| name.clone(), Into::into);
            exposed.labels.push((name, value.clone()));
        }
        exposed.labels.sort_unstable();
        (target, exposed)
    }
}

/// The series as Prometheus stores it: `exposed` with the labels of the target. `honored`: labels of
/// the target that its metrics have with other values.
pub(super) fn stored(
    exposed: &LabelSet,
    target: &TargetLabels,
    honored: &HashSet<Box<[u8]>>,
) -> LabelSet {
    let mut series = LabelSet { name: exposed.name.clone(), labels: Vec::new() };
    for (name, value) in &exposed.labels {
        let is_renamed = has(target, name) && !honored.contains(name);
        let name = if is_renamed { [EXPORTED, name].concat().into() } else { name.clone() };
        series.labels.push((name, value.clone()));
    }
    let added = target.iter().filter(|(name, _)| !has(&series.labels, name)).cloned();
    let added: Vec<_> = added.collect();
    series.labels.extend(added);
    series.labels.sort_unstable();
    series
}

/// The labels of a target that a series has with another value: Prometheus honored those of the metric.
pub(super) fn honored<'a>(
    series: &'a LabelSet,
    target: &'a TargetLabels,
) -> impl Iterator<Item = &'a Box<[u8]>> {
    let is_other = |(name, value): &&(Box<[u8]>, Box<[u8]>)| {
        target.iter().any(|(label, own)| label == name && own != value)
    };
    series.labels.iter().filter(is_other).map(|(name, _)| name)
}

/// The labels of a target as text, which [`from_text`] reads.
pub(super) fn to_text(target: &TargetLabels) -> String {
    let set = LabelSet { name: b"up"[..].into(), labels: target.clone() };
    String::from_utf8(set.text()).expect("labels are UTF-8")
}

/// The labels of a target that [`to_text`] has written.
pub(super) fn from_text(text: &str) -> TargetLabels {
    LabelSet::from_text(text.as_bytes()).labels
}

fn has(labels: &TargetLabels, name: &[u8]) -> bool {
    labels.iter().any(|(label, _)| &**label == name)
}

fn chosen(series: &LabelSet, is: impl Fn(&[u8]) -> bool) -> TargetLabels {
    series.labels.iter().filter(|(name, _)| is(name)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(name: &str, labels: &[(&str, &str)]) -> LabelSet {
        LabelSet::from_pairs(labels.iter().copied().chain([("__name__", name)]))
    }

    fn targets(up: &[&[(&str, &str)]]) -> Targets {
        let mut targets = Targets::new(vec![b"instance"[..].into(), b"job"[..].into()]);
        for labels in up {
            targets.instance(&series("up", labels));
        }
        targets
    }

    fn round_trip(targets: &mut Targets, of: &LabelSet) -> (Vec<u8>, LabelSet) {
        let instance = targets.instance(of);
        let (target, exposed) = targets.split(of, instance);
        let honored: HashSet<_> = honored(of, &target).cloned().collect();
        (exposed.text(), stored(&exposed, &target, &honored))
    }

    #[test]
    fn labels_of_the_target_are_removed_and_added_again() {
        let up: &[(&str, &str)] = &[("job", "kong"), ("instance", "a:1"), ("zone", "eu")];
        let all = [("job", "kong"), ("instance", "a:1"), ("zone", "eu"), ("code", "200")];
        let stored = series("hits", &all);
        assert_eq!(
            round_trip(&mut targets(&[up]), &stored),
            (b"hits{code=\"200\"}".into(), stored)
        );

        // Nothing tells that `zone` is a label of the target.
        let stored = series("hits", &all);
        let exposed = b"hits{code=\"200\",zone=\"eu\"}".into();
        assert_eq!(round_trip(&mut targets(&[]), &stored), (exposed, stored));
    }

    #[test]
    fn labels_that_both_have() {
        let up: &[(&str, &str)] = &[("job", "ksm"), ("instance", "a:1"), ("pod", "ksm-1")];
        // Without honor_labels.
        let renamed =
            [("job", "ksm"), ("instance", "a:1"), ("pod", "ksm-1"), ("exported_pod", "x")];
        let stored = series("pods", &renamed);
        assert_eq!(round_trip(&mut targets(&[up]), &stored), (b"pods{pod=\"x\"}".into(), stored));
        // With honor_labels.
        let honored = [("job", "ksm"), ("instance", "a:1"), ("pod", "x")];
        let stored = series("pods", &honored);
        assert_eq!(round_trip(&mut targets(&[up]), &stored), (b"pods{pod=\"x\"}".into(), stored));
        // A label that only looks like it.
        let other = [("job", "ksm"), ("instance", "a:1"), ("pod", "ksm-1"), ("exported_x", "1")];
        let stored = series("pods", &other);
        let exposed = b"pods{exported_x=\"1\"}".into();
        assert_eq!(round_trip(&mut targets(&[up]), &stored), (exposed, stored));
    }

    #[test]
    fn a_target_that_got_a_label() {
        let ups: &[&[(&str, &str)]] = &[
            &[("job", "kong"), ("instance", "a:1"), ("env", "prod")],
            &[("job", "kong"), ("instance", "a:1")],
        ];
        let mut targets = targets(ups);
        let before = series("hits", &[("job", "kong"), ("instance", "a:1"), ("code", "1")]);
        assert_eq!(round_trip(&mut targets, &before), (b"hits{code=\"1\"}".into(), before));
        let labels = [("job", "kong"), ("instance", "a:1"), ("code", "1"), ("env", "prod")];
        let after = series("hits", &labels);
        assert_eq!(round_trip(&mut targets, &after), (b"hits{code=\"1\"}".into(), after));
    }

    #[test]
    fn the_target_with_the_most_labels_in_common() {
        let ups: &[&[(&str, &str)]] = &[
            &[("job", "kong"), ("instance", "a:1"), ("node", "1")],
            &[("job", "kong"), ("instance", "a:1"), ("node", "2")],
            &[("job", "kong"), ("instance", "b:1"), ("node", "3")],
        ];
        let mut targets = targets(ups);
        for (instance, node) in [("a:1", "1"), ("a:1", "2"), ("b:1", "3")] {
            let labels = [("job", "kong"), ("instance", instance), ("node", node), ("code", "1")];
            let stored = series("hits", &labels);
            assert_eq!(round_trip(&mut targets, &stored), (b"hits{code=\"1\"}".into(), stored));
        }
    }
}
