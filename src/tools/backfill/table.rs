//! Every series of the source, by number.

use std::collections::{HashMap, HashSet};

use super::families::Families;
use super::labels::LabelSet;
use super::target::{TargetLabels, Targets, honored};
use crate::exposition::{MetricType, parse_number};

type Map<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

/// The types of families.
pub(super) type Types = Map<Box<[u8]>, MetricType>;

/// The series of one portion of the source.
#[derive(Debug)]
pub(super) struct SeriesTable {
    by_text: Map<Box<[u8]>, u32>,
    series: Vec<Series>,
    targets: Targets,
}

#[derive(Debug)]
struct Series {
    text: Box<[u8]>,
    instance: u32,
    /// The time of its first sample.
    first: i64,
}

impl SeriesTable {
    /// Without `up`, the labels with these names are those of the target.
    pub(super) fn new(target_labels: Vec<Box<[u8]>>) -> SeriesTable {
        SeriesTable {
            by_text: HashMap::default(),
            series: Vec::new(),
            targets: Targets::new(target_labels),
        }
    }

    /// The number of a series.
    pub(super) fn number(&mut self, set: &LabelSet) -> u32 {
        let text: Box<[u8]> = set.text().into();
        if let Some(number) = self.by_text.get(&text) {
            return *number;
        }
        let number = u32::try_from(self.series.len()).expect("the memory ends earlier");
        let instance = self.targets.instance(set);
        self.series.push(Series { text: text.clone(), instance, first: i64::MAX });
        self.by_text.insert(text, number);
        number
    }

    /// A series has a sample at this time. Returns the number of its job and instance.
    #[inline]
    pub(super) fn saw(&mut self, number: u32, time: i64) -> u32 {
        let series = &mut self.series[number as usize];
        series.first = series.first.min(time);
        series.instance
    }

    /// All series are known: finds the target and the family of each of them.
    pub(super) fn complete(self, types: Types, families: &Families<'_>) -> Source {
        let sets: Vec<LabelSet> =
            self.series.iter().map(|series| LabelSet::from_text(&series.text)).collect();
        let mut source = Source { types, by_text: self.by_text, ..Source::default() };
        for (set, number) in sets.iter().zip(0..) {
            source.declare(set);
            // Prometheus 3 stores `25` as `25.0`.
            if let Some(canonical) = set.with_canonical_number() {
                source.by_text.entry(canonical.text().into()).or_insert(number);
            }
        }
        let mut numbers: Map<TargetLabels, usize> = HashMap::default();
        let mut keys = Vec::with_capacity(sets.len());
        for (series, set) in self.series.into_iter().zip(&sets) {
            let (labels, mut exposed) = self.targets.split(set, series.instance);
            for label in families.empty_labels(&set.name) {
                if exposed.get(label).is_empty() {
                    exposed.labels.push((label.into(), Box::default()));
                }
            }
            let target = *numbers.entry(labels).or_insert_with_key(|labels| {
                source.targets.push(Target { labels: labels.clone(), honored: HashSet::default() });
                source.targets.len() - 1
            });
            let Target { labels, honored: names } = &mut source.targets[target];
            names.extend(honored(set, labels).cloned());
            let family = source.family(&set.name);
            let is_up = &*set.name == b"up";
            keys.push(SortKey::of(&exposed));
            let text = exposed.text().into();
            source.series.push(Exposed {
                text,
                target,
                family,
                first: series.first,
                is_up,
                rank: 0,
            });
        }
        source.rank(&keys);
        source
    }
}

/// The series of a portion, as their targets exposed them.
#[derive(Debug, Default)]
pub(super) struct Source {
    pub(super) series: Vec<Exposed>,
    pub(super) targets: Vec<Target>,
    types: Types,
    /// The number of each series, by its text as it is stored.
    by_text: Map<Box<[u8]>, u32>,
}

/// One series, as its target exposed it.
#[derive(Debug)]
pub(super) struct Exposed {
    /// The name and the labels of the line.
    pub(super) text: Box<[u8]>,
    /// Index of its target.
    pub(super) target: usize,
    /// The name of its family.
    pub(super) family: Box<[u8]>,
    /// The time of its first sample.
    pub(super) first: i64,
    /// It is `up`, which Prometheus writes itself.
    pub(super) is_up: bool,
    /// Its place in an exposition, in which families are in one piece.
    pub(super) rank: u32,
}

/// What a series is sorted by.
struct SortKey {
    /// The name and the labels without `le`.
    text: Box<[u8]>,
    bound: f64,
}

impl SortKey {
    fn of(exposed: &LabelSet) -> SortKey {
        let bound = parse_number(exposed.get(b"le")).unwrap_or(f64::INFINITY);
        let mut others = exposed.clone();
        others.labels.retain(|(name, _)| **name != *b"le");
        SortKey { text: others.text().into(), bound }
    }
}

/// One target.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) labels: TargetLabels,
    /// Labels that its metrics have with other values.
    pub(super) honored: HashSet<Box<[u8]>>,
}

impl Source {
    /// The number of a series that is stored.
    pub(super) fn number(&self, stored: &LabelSet) -> Option<u32> {
        let found = self.by_text.get(&*stored.text());
        let canonical = || self.by_text.get(&*stored.with_canonical_number()?.text());
        found.or_else(canonical).copied()
    }

    /// Every series, and the time of its first sample.
    pub(super) fn first_samples(&self) -> impl Iterator<Item = (&[u8], i64)> {
        let first = |number: u32| self.series[number as usize].first;
        self.by_text.iter().map(move |(text, number)| (&**text, first(*number)))
    }

    /// The type of a family.
    pub(super) fn metric_type(&self, family: &[u8]) -> Option<MetricType> {
        self.types.get(family).copied()
    }

    /// A series tells that its family is a histogram or a summary.
    fn declare(&mut self, set: &LabelSet) {
        if !set.get(b"le").is_empty()
            && let Some(family) = set.name.strip_suffix(b"_bucket")
        {
            self.types.entry(family.into()).or_insert(MetricType::Histogram);
        } else if !set.get(b"quantile").is_empty() {
            self.types.entry(set.name.clone()).or_insert(MetricType::Summary);
        }
    }

    /// The family of a series with this name.
    fn family(&self, name: &[u8]) -> Box<[u8]> {
        let is = |family: &[u8], allowed: &[MetricType]| {
            self.types.get(family).is_some_and(|declared| allowed.contains(declared))
        };
        let both = [MetricType::Histogram, MetricType::Summary];
        for (suffix, allowed) in [("_bucket", &both[..1]), ("_sum", &both), ("_count", &both)] {
            if let Some(family) = name.strip_suffix(suffix.as_bytes())
                && is(family, allowed)
            {
                return family.into();
            }
        }
        name.into()
    }

    /// Families in one piece, in which series are in one piece and buckets ascend, as targets export
    /// them. `keys`: what each series is sorted by.
    fn rank(&mut self, keys: &[SortKey]) {
        let mut order: Vec<usize> = (0..self.series.len()).collect();
        order.sort_by(|&a, &b| {
            let families = self.series[a].family.cmp(&self.series[b].family);
            let (a, b) = (&keys[a], &keys[b]);
            families.then_with(|| a.text.cmp(&b.text)).then_with(|| a.bound.total_cmp(&b.bound))
        });
        for (rank, index) in order.into_iter().enumerate() {
            self.series[index].rank = u32::try_from(rank).expect("there are as many series");
        }
    }
}
