//! Samples that belong to no group.

use super::families::{Family, Selection};
use super::group::{has_label, unusable};
use super::held_samples::HeldSamples;
use super::suffix::Dimension;
use super::text::begin;
use crate::exposition::Format;
use crate::rewrite::exposition::gathered::SeriesSlot;
use crate::rewrite::exposition::reason::DropReason;
use crate::rewrite::exposition::report::Report;

/// The samples of a selection that are written, in order of arrival: of equal series the one with
/// the latest timestamp, of those the first.
pub(super) fn chosen(
    family: &Family,
    held: &HeldSamples,
    selection: &Selection,
    format: Format,
    report: &mut Report,
) -> Vec<usize> {
    let mut all: Vec<(SeriesSlot, usize)> = Vec::new();
    for (index, sample) in held.list().iter().enumerate() {
        if selection.has(sample) && !family.groups(selection.held, sample, format) {
            all.push((sample.slot, index));
        }
    }
    if let Some(dimension) = family.kind.dimension() {
        drop_dimension(held, dimension, &mut all, report);
    }
    if all.is_sorted_by(|(a, _), (b, _)| a < b) {
        return all.into_iter().map(|(_, index)| index).collect();
    }
    all.sort_by(|(a, i), (b, j)| {
        let latest_first = || held.sample(*j).timestamp.cmp(&held.sample(*i).timestamp);
        let text = || held.dimension(*i).cmp(held.dimension(*j));
        a.cmp(b).then_with(text).then_with(latest_first).then(i.cmp(j))
    });
    let before = all.len();
    all.dedup_by(|(b, j), (a, i)| a == b && held.dimension(*i) == held.dimension(*j));
    report.drop_all(DropReason::RepeatedSeries, (before - all.len()) as u64);
    let mut chosen: Vec<usize> = all.into_iter().map(|(_, index)| index).collect();
    chosen.sort_unstable();
    chosen
}

/// Drops samples that readers would take for parts of a group, such as `x{le="1"}` of a histogram
/// `x` or `x_sum{quantile="0.5"}` of a summary `x`.
fn drop_dimension(
    held: &HeldSamples,
    dimension: Dimension,
    all: &mut Vec<(SeriesSlot, usize)>,
    report: &mut Report,
) {
    all.retain(|&(slot, index)| {
        let has = held.sample(index).dimension == Some(dimension)
            || has_label(held.labels(slot), dimension);
        if has {
            report.drop(unusable(dimension));
        }
        !has
    });
}

/// Writes one sample.
pub(super) fn write(
    family: &Family,
    held: &HeldSamples,
    selection: &Selection,
    index: usize,
    out: &mut Vec<u8>,
) {
    let sample = held.sample(index);
    let begun = begin(&family.name, selection.written_suffix, held.labels(sample.slot), out);
    let mut before_value = begun.before_value();
    if let Some(dimension) = sample.dimension {
        out.extend_from_slice(begun.before_label());
        out.extend_from_slice(dimension.label());
        out.extend_from_slice(b"=\"");
        out.extend_from_slice(held.dimension(index));
        before_value = b"\"} ";
    }
    out.extend_from_slice(before_value);
    out.extend_from_slice(held.tail(index));
    out.push(b'\n');
}
