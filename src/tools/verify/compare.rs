//! Families of both sides, held against each other.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::reading::{Exposition, FamilyRead, Series, spelled};
use super::{Options, Traffic};
use crate::exposition::MetricType;
use crate::mapping::{BucketPolicy, Generation};

/// Numbers that differ by less are one number: both generations print 14 digits, and sums of such are rounded.
const ROUNDING: f64 = 1e-12;

/// How many differences of a family are kept.
const WORST: usize = 10;

/// What is compared.
#[derive(Debug)]
pub(super) struct Compared<'a> {
    pub(super) old: &'a Exposition,
    pub(super) new: &'a Exposition,
    /// Boundaries that the engine estimated, by the family that it wrote.
    pub(super) estimated: BTreeMap<String, Vec<f64>>,
    /// Boundaries that are not, whatever the list above says of their family as a whole.
    pub(super) exact: Vec<Exact>,
    /// Families that rules write.
    pub(super) written: BTreeSet<String>,
}

/// Boundaries that both generations have.
#[derive(Debug)]
pub(super) struct Exact {
    /// Of these families,
    pub(super) families: Vec<String>,
    /// where series have these labels.
    pub(super) labels: Vec<(String, String)>,
    /// The boundaries.
    pub(super) bounds: Vec<f64>,
}

impl Compared<'_> {
    /// Whether the engine estimated the numbers of a series at a boundary.
    fn is_estimated(&self, family: &str, series: &Series, le: f64) -> bool {
        let same = |its: &f64| its.total_cmp(&le).is_eq();
        let of_series = |exact: &&Exact| {
            exact.families.iter().any(|its| its == family)
                && exact.labels.iter().all(|(label, value)| series.labels.get(label) == Some(value))
        };
        let exact =
            || self.exact.iter().filter(of_series).any(|exact| exact.bounds.iter().any(same));
        self.estimated.get(family).is_some_and(|bounds| bounds.iter().any(same)) && !exact()
    }
}

/// What is known of one family.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Family {
    /// Its name, in the generation that both are compared in.
    pub name: String,
    /// Whether it agrees.
    pub verdict: Verdict,
    /// Numbers that were compared.
    pub compared: usize,
    /// Numbers that differ.
    pub differ: usize,
    /// The worst of them, worst first.
    pub worst: Vec<Difference>,
    /// Series that only the new side has.
    pub only_new: usize,
    /// What became of boundaries that cannot be equal.
    pub estimated: Option<Estimated>,
    /// What the packs say of it, where something is missing.
    pub hints: Vec<String>,
}

/// Whether a family agrees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Every number is equal.
    Equal,
    /// Every number is equal within the tolerance.
    Close,
    /// A gauge that both sides have; its values say what is at one moment, and are not judged.
    Present,
    /// Some number differs, or a series is missing.
    Different,
    /// The new side does not have the family.
    Missing,
    /// Only the new side has it, though the old generation could.
    Extra,
    /// Not judged, as asked.
    Ignored,
}

impl Verdict {
    /// Whether nothing is wrong with such a family.
    #[must_use]
    pub fn agrees(self) -> bool {
        !matches!(self, Verdict::Different | Verdict::Missing)
    }

    /// The word for people.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Equal => "equal",
            Verdict::Close => "close",
            Verdict::Present => "present",
            Verdict::Different => "DIFFERENT",
            Verdict::Missing => "MISSING",
            Verdict::Extra => "extra",
            Verdict::Ignored => "ignored",
        }
    }
}

/// Two numbers that should be one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// The series, or the family whose total it is.
    pub series: String,
    /// What the old side says.
    pub old: Option<f64>,
    /// What the new side says.
    pub new: Option<f64>,
    /// By which part of the larger number they differ; 1 where one is missing.
    pub off: f64,
}

/// Numbers at boundaries that one side does not count. They cannot be equal, and are not judged.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Estimated {
    /// The boundaries, ascending.
    pub boundaries: Vec<f64>,
    /// Numbers that could be compared all the same.
    pub compared: usize,
    /// By which part of all observations of its series the worst of them is off.
    pub worst_off: f64,
}

/// Judges all families that the old side has or could have; and lists those that it could not.
pub(super) fn families(
    compared: &Compared<'_>,
    options: &Options,
    hints: impl Fn(&str, Generation) -> Vec<String>,
) -> (Vec<Family>, Vec<String>) {
    let names: BTreeSet<&String> =
        compared.old.families.keys().chain(compared.new.families.keys()).collect();
    let (mut families, mut only_new) = (Vec::new(), Vec::new());
    for name in names {
        let (old, new) = (compared.old.families.get(name), compared.new.families.get(name));
        let mut family = match (old, new) {
            (Some(old), Some(new)) => both(name, old, new, compared, options),
            (Some(old), None) => alone(name, Verdict::Missing, old.series.len()),
            _ if compared.written.contains(name) || options.strict => {
                let series = new.map_or(0, |new| new.series.len());
                let verdict = if options.strict { Verdict::Different } else { Verdict::Extra };
                Family { only_new: series, ..alone(name, verdict, 0) }
            }
            _ => {
                only_new.push(name.clone());
                continue;
            }
        };
        let lacks = |side: fn(&Difference) -> Option<f64>| {
            family.worst.iter().any(|worst| side(worst).is_none())
        };
        if new.is_none() || lacks(|worst| worst.new) {
            family.hints = hints(name, Generation::New);
        } else if old.is_none() || lacks(|worst| worst.old) {
            family.hints = hints(name, Generation::Old);
        }
        if options.ignore.contains(name) {
            family.verdict = Verdict::Ignored;
        }
        families.push(family);
    }
    (families, only_new)
}

fn alone(name: &str, verdict: Verdict, missing: usize) -> Family {
    Family {
        name: name.to_owned(),
        verdict,
        compared: missing,
        differ: missing,
        worst: Vec::new(),
        only_new: 0,
        estimated: None,
        hints: Vec::new(),
    }
}

fn both(
    name: &str,
    old: &FamilyRead,
    new: &FamilyRead,
    compared: &Compared<'_>,
    options: &Options,
) -> Family {
    let mut family = alone(name, Verdict::Equal, 0);
    let is_gauge = old.metric_type == Some(MetricType::Gauge);
    if is_gauge && !options.gauges {
        family.verdict = Verdict::Present;
        family.compared = old.series.len();
        return family;
    }
    let mut tally = Tally { family: &mut family, close: false, options };
    match options.traffic {
        Traffic::Same if old.metric_type == Some(MetricType::Histogram) => {
            histogram(name, old, new, compared, &mut tally);
        }
        Traffic::Same => {
            tally.series(&old.series, &new.series);
        }
        Traffic::Similar => {
            let (old, new) = (totals(old), totals(new));
            for (part, value) in &old {
                tally.number(|| (*part).to_owned(), Some(*value), new.get(part).copied());
            }
        }
    }
    let close = tally.close;
    family.verdict = match (family.differ > 0, close) {
        (true, _) => Verdict::Different,
        (false, true) => Verdict::Close,
        (false, false) => Verdict::Equal,
    };
    family
}

/// What is counted of a family while it is compared.
struct Tally<'a> {
    family: &'a mut Family,
    close: bool,
    options: &'a Options,
}

impl Tally<'_> {
    fn series(&mut self, old: &BTreeMap<Series, f64>, new: &BTreeMap<Series, f64>) {
        for (series, value) in old {
            self.number(|| series.to_string(), Some(*value), new.get(series).copied());
        }
        for (series, value) in new.iter().filter(|(series, _)| !old.contains_key(series)) {
            self.beyond(|| series.to_string(), *value);
        }
    }

    /// A number that only the new side has.
    fn beyond(&mut self, series: impl Fn() -> String, value: f64) {
        self.family.only_new += 1;
        if self.options.strict {
            self.number(series, None, Some(value));
        }
    }

    fn number(&mut self, series: impl Fn() -> String, old: Option<f64>, new: Option<f64>) {
        self.family.compared += 1;
        let off = match (old, new) {
            (Some(old), Some(new)) => deviation(old, new),
            _ => 1.0,
        };
        if off <= ROUNDING {
            return;
        }
        if off <= self.options.tolerance && old.is_some() && new.is_some() {
            self.close = true;
            return;
        }
        self.family.differ += 1;
        let worst = &mut self.family.worst;
        let place =
            worst.partition_point(|other| rank(other) >= (old.is_none() || new.is_none(), off));
        if place < WORST {
            worst.insert(place, Difference { series: series(), old, new, off });
            worst.truncate(WORST);
        }
    }
}

fn rank(difference: &Difference) -> (bool, f64) {
    (difference.old.is_none() || difference.new.is_none(), difference.off)
}

/// By which part of the larger one two numbers differ.
fn deviation(a: f64, b: f64) -> f64 {
    if a.total_cmp(&b).is_eq() || (a.is_nan() && b.is_nan()) || (a - b).abs() == 0.0 {
        return 0.0;
    }
    let off = (a - b).abs() / a.abs().max(b.abs());
    if off.is_nan() { 1.0 } else { off }
}

/// The sum over a family, by the name of its series; of a histogram's buckets there is none.
fn totals(family: &FamilyRead) -> BTreeMap<&str, f64> {
    let mut totals = BTreeMap::new();
    for (series, value) in &family.series {
        if !series.labels.contains_key("le") {
            *totals.entry(series.name.as_str()).or_insert(0.0) += value;
        }
    }
    totals
}

/// Counts at boundaries, ascending.
type Ladder = Vec<(f64, f64)>;

/// Ladders by label set without `le`, and all other series.
fn ladders(family: &FamilyRead) -> (BTreeMap<Series, Ladder>, BTreeMap<Series, f64>) {
    let (mut ladders, mut others) = (BTreeMap::<Series, Ladder>::new(), BTreeMap::new());
    for (series, value) in &family.series {
        match series.labels.get("le").and_then(|le| le.parse::<f64>().ok()) {
            Some(le) => ladders.entry(series.without("le")).or_default().push((le, *value)),
            None => {
                others.insert(series.clone(), *value);
            }
        }
    }
    for ladder in ladders.values_mut() {
        ladder.sort_by(|a, b| a.0.total_cmp(&b.0));
    }
    (ladders, others)
}

/// The count at a boundary. A bucket that is not printed holds what the one below holds; below all, nothing.
fn count_at(ladder: &Ladder, bound: f64) -> f64 {
    let below = ladder.partition_point(|(le, _)| *le <= bound);
    below.checked_sub(1).map_or(0.0, |last| ladder[last].1)
}

fn histogram(
    name: &str,
    old: &FamilyRead,
    new: &FamilyRead,
    compared: &Compared<'_>,
    tally: &mut Tally<'_>,
) {
    let (old_ladders, old_others) = ladders(old);
    let (new_ladders, new_others) = ladders(new);
    tally.series(&old_others, &new_others);
    let judged = judged(&old_ladders, &new_ladders, tally.options);
    let mut apart = Estimated { boundaries: Vec::new(), compared: 0, worst_off: 0.0 };
    for (series, old) in &old_ladders {
        let Some(new) = new_ladders.get(series) else {
            tally.number(|| series.to_string(), Some(count_at(old, f64::INFINITY)), None);
            continue;
        };
        let all = count_at(old, f64::INFINITY).max(1.0);
        for &le in &judged {
            let (old, new) = (count_at(old, le), count_at(new, le));
            if compared.is_estimated(name, series, le) {
                apart.boundaries.push(le);
                apart.compared += 1;
                apart.worst_off = apart.worst_off.max((old - new).abs() / all);
                continue;
            }
            let shown = || {
                let mut series = series.clone();
                series.labels.insert("le".to_owned(), spelled(le));
                series.to_string()
            };
            tally.number(shown, Some(old), Some(new));
        }
    }
    for (series, ladder) in &new_ladders {
        if !old_ladders.contains_key(series) {
            tally.beyond(|| series.to_string(), count_at(ladder, f64::INFINITY));
        }
    }
    if apart.compared > 0 {
        apart.boundaries.sort_by(f64::total_cmp);
        apart.boundaries.dedup();
        tally.family.estimated = Some(apart);
    }
}

/// The boundaries at which both sides say something.
///
/// Unless boundaries leave as they came, the rewritten side has its whole ladder. The other one prints a bucket once it
/// counts something, so it is no measure of what there is.
fn judged(
    old: &BTreeMap<Series, Ladder>,
    new: &BTreeMap<Series, Ladder>,
    options: &Options,
) -> Vec<f64> {
    let bounds = |ladders: &BTreeMap<Series, Ladder>| -> Vec<f64> {
        let mut bounds: Vec<f64> = ladders.values().flatten().map(|(le, _)| *le).collect();
        bounds.sort_by(f64::total_cmp);
        bounds.dedup();
        bounds
    };
    let (rewritten, other) = match options.compared_as {
        Generation::Old => (bounds(new), bounds(old)),
        Generation::New => (bounds(old), bounds(new)),
    };
    let native = options.settings.buckets == BucketPolicy::Native;
    let other_has = |le: &f64| other.iter().any(|its| its.total_cmp(le).is_eq());
    rewritten.into_iter().filter(|le| !native || other_has(le)).collect()
}
