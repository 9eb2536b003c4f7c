//! An independent reduction of an exposition, slow and obvious: drops samples, removes labels and
//! merges what becomes equal. It uses neither the pack nor the engine.

use std::collections::{BTreeMap, BTreeSet};

use super::naive::{Exposition, Series, family_of};

/// The families of an item.
#[derive(Clone, Debug)]
pub(crate) enum Families {
    Named(&'static str),
    /// Texts before and after a placeholder.
    Pattern(&'static str, &'static str),
}

/// How gauges are merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Merge {
    Max,
    Min,
    Sum,
}

/// What is done with the samples of the families.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    /// Drops samples whose labels have these texts.
    Drop(Vec<(&'static str, &'static str)>),
    Without(Vec<&'static str>, Option<Merge>),
    Keep(Vec<&'static str>, Option<Merge>),
}

/// An item under `reduce`.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) families: Families,
    pub(crate) action: Action,
}

impl Families {
    fn has(&self, family: &str) -> bool {
        match self {
            Families::Named(name) => *name == family,
            Families::Pattern(before, after) => {
                family.len() > before.len() + after.len()
                    && family.starts_with(before)
                    && family.ends_with(after)
            }
        }
    }

    /// Of the items that have a family, the one with the highest rank applies.
    fn rank(&self) -> usize {
        match self {
            Families::Named(_) => usize::MAX,
            Families::Pattern(before, after) => before.len() + after.len(),
        }
    }

    fn yaml(&self) -> String {
        match self {
            Families::Named(name) => (*name).to_owned(),
            Families::Pattern("", "") => "*".to_owned(),
            Families::Pattern(before, after) => format!("{before}{{rest*}}{after}"),
        }
    }
}

impl Item {
    /// The item as it is in a pack.
    pub(crate) fn yaml(&self) -> String {
        let list = |labels: &[&str]| labels.join(", ");
        let merge = |merge: &Option<Merge>| match merge {
            None => "",
            Some(Merge::Max) => ", merge: max",
            Some(Merge::Min) => ", merge: min",
            Some(Merge::Sum) => ", merge: sum",
        };
        let family = self.families.yaml();
        match &self.action {
            Action::Drop(pairs) => {
                let pairs: Vec<String> =
                    pairs.iter().map(|(label, text)| format!("{label}={text:?}")).collect();
                let labels = if pairs.is_empty() {
                    String::new()
                } else {
                    format!("{{{}}}", pairs.join(","))
                };
                format!("- drop: '{family}{labels}'\n")
            }
            Action::Without(labels, method) => {
                format!(
                    "- {{ family: '{family}', without: [{}]{} }}\n",
                    list(labels),
                    merge(method)
                )
            }
            Action::Keep(labels, method) => {
                format!("- {{ family: '{family}', keep: [{}]{} }}\n", list(labels), merge(method))
            }
        }
    }
}

/// The series and values that are left.
pub(crate) fn reduce(body: &Exposition, items: &[Item]) -> BTreeMap<Series, f64> {
    let types = body.types();
    let mut seen = BTreeSet::new();
    let mut merged: BTreeMap<Series, (Option<Merge>, Vec<f64>)> = BTreeMap::new();
    for sample in body.samples() {
        let mut series = sample.series();
        if !seen.insert(series.clone()) {
            continue;
        }
        let family = family_of(&types, &series.name);
        let of_family = || items.iter().filter(|item| item.families.has(&family));
        let is_dropped = of_family().any(|item| match &item.action {
            Action::Drop(pairs) => pairs.iter().all(|(label, text)| series.label(label) == *text),
            _ => false,
        });
        if is_dropped {
            continue;
        }
        let aggregates = of_family().filter(|item| !matches!(item.action, Action::Drop(_)));
        let item = aggregates.max_by_key(|item| item.families.rank());
        let kind = types.get(&family).map_or("untyped", String::as_str);
        let mut method = Some(Merge::Sum);
        if let Some(item) = item {
            let (Action::Without(labels, merge) | Action::Keep(labels, merge)) = &item.action
            else {
                unreachable!("drops are left out")
            };
            match kind {
                "gauge" => method = *merge,
                "untyped" => method = merge.or(method),
                _ => {}
            }
            let is_kept = |label: &str| match &item.action {
                Action::Keep(..) => ["le", "quantile"].contains(&label) || labels.contains(&label),
                _ => !labels.contains(&label),
            };
            if kind != "summary" && method.is_some() {
                series.labels.retain(|label, _| is_kept(label));
            }
        }
        let entry = merged.entry(series).or_insert((method, Vec::new()));
        entry.1.push(sample.value);
    }
    let value = |(method, values): (Option<Merge>, Vec<f64>)| match method {
        Some(Merge::Max) => values.into_iter().fold(f64::NEG_INFINITY, f64::max),
        Some(Merge::Min) => values.into_iter().fold(f64::INFINITY, f64::min),
        Some(Merge::Sum) | None => values.into_iter().sum(),
    };
    merged.into_iter().map(|(series, its)| (series, value(its))).collect()
}
