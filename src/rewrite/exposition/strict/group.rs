//! The parts of one histogram, summary or counter.

use super::collection::HeldId;
use super::families::Family;
use super::held_samples::HeldSamples;
use super::suffix::{Dimension, Suffix};
use crate::exposition::{Format, parse_number};
use crate::rewrite::exposition::gathered::SeriesSlot;
use crate::rewrite::exposition::reason::DropReason;
use crate::rewrite::exposition::report::Report;
use crate::rewrite::exposition::written_labels::split;

/// A sample of a family, in the order in which it is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) slot: SeriesSlot,
    pub(super) rank: Rank,
    /// The value of the dimension.
    pub(super) bound: f64,
    pub(super) timestamp: i64,
    pub(super) index: usize,
}

/// The order of the parts of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    Buckets,
    Sum,
    Count,
    Other,
    Created,
}

impl Rank {
    fn of(suffix: Suffix, dimension: Option<Dimension>) -> Rank {
        match (suffix, dimension) {
            (_, Some(_)) => Rank::Buckets,
            (Suffix::Sum | Suffix::GaugeSum, _) => Rank::Sum,
            (Suffix::Count | Suffix::GaugeCount, _) => Rank::Count,
            (Suffix::Created, _) => Rank::Created,
            _ => Rank::Other,
        }
    }
}

/// All samples of a family that belong to groups, group by group, each sorted. Those that no reader
/// could assign to a bucket or quantile are dropped.
pub(super) fn entries(
    family: &Family,
    (id, held): (HeldId, &HeldSamples),
    format: Format,
    report: &mut Report,
) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for (index, sample) in held.list().iter().enumerate() {
        if !family.groups(id, sample, format) {
            continue;
        }
        let bound = match sample.dimension {
            Some(dimension) => {
                let bound = parse_number(held.dimension(index)).filter(|bound| !bound.is_nan());
                if bound.is_none() {
                    report.drop(unusable(dimension));
                }
                bound
            }
            None if sample.suffix == Suffix::Bucket => {
                report.drop(DropReason::BadLe);
                None
            }
            None => Some(0.0),
        };
        // Both zeros are one boundary.
        let Some(bound) = bound.map(|bound| bound + 0.0) else { continue };
        let rank = Rank::of(sample.suffix, sample.dimension);
        entries.push(Entry { slot: sample.slot, rank, bound, timestamp: sample.timestamp, index });
    }
    if let Some(dimension) = family.kind.dimension() {
        drop_second_dimension(held, dimension, &mut entries, report);
    }
    // Most arrive in this order.
    entries.sort_by(|a, b| {
        let key = |entry: &Entry| (entry.slot, entry.rank);
        key(a).cmp(&key(b)).then(a.bound.total_cmp(&b.bound)).then(a.index.cmp(&b.index))
    });
    entries
}

/// Why a sample is dropped that has a dimension that its reader cannot use.
pub(super) fn unusable(dimension: Dimension) -> DropReason {
    match dimension {
        Dimension::Boundary => DropReason::BadLe,
        Dimension::Quantile => DropReason::BadQuantile,
    }
}

/// Whether a label set has the label of a dimension.
pub(super) fn has_label(labels: &[u8], dimension: Dimension) -> bool {
    // Most label sets have no such text at all.
    memchr::memmem::find(labels, dimension.label()).is_some()
        && split(labels).any(|(name, _)| name == dimension.label())
}

/// Drops samples that are no bucket or quantile but have its label, such as `x_sum{le="1"}`:
/// readers would take them for parts of another group.
fn drop_second_dimension(
    held: &HeldSamples,
    dimension: Dimension,
    entries: &mut Vec<Entry>,
    report: &mut Report,
) {
    let mut last = None;
    entries.retain(|entry| {
        let has = match last {
            Some((slot, has)) if slot == entry.slot => has,
            _ => has_label(held.labels(entry.slot), dimension),
        };
        last = Some((entry.slot, has));
        if has {
            report.drop(unusable(dimension));
        }
        !has
    });
}
