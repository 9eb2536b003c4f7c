//! Converts the buckets of one family to the boundaries that are written.

use super::absent::{ABSENT, is_absent, present};
use super::boundaries::{Boundaries, INF};
use super::ending::Ending;
use crate::exposition::write_number;
use crate::mapping::Boundary;
use crate::mapping::BucketPolicy;
use crate::mapping::plan::exposition::BucketLayouts;
use crate::rewrite::exposition::estimate::{EstimatedCount, ExactCount};

/// Converts rows of cells, one per boundary of the input, to the buckets that are written.
#[derive(Debug)]
pub(in crate::rewrite::exposition) struct Conversion {
    /// The boundaries that are written.
    written: Vec<Boundary>,
    /// How a row that has all boundaries of the layout gets their counts.
    steps: Vec<Step>,
    /// What bucket lines have between `le="` and the value, for each boundary that is written and
    /// for `+Inf`.
    endings: Vec<Ending>,
    layout: Vec<SourceBoundary>,
    /// The largest boundary that the input's generation is known to have.
    largest_known: f64,
    /// Cells without a value are not written: the histogram keeps its own boundaries.
    sparse: bool,
}

/// A boundary that some histogram of the family has.
#[derive(Clone, Copy, Debug)]
struct SourceBoundary {
    cell: usize,
    bound: f64,
    /// The generation is known to have it.
    is_known: bool,
}

/// The converted buckets of one label set. Reused, so that no label set allocates.
#[derive(Debug, Default)]
pub(in crate::rewrite::exposition) struct Buckets {
    /// The count of each boundary that is written, then the one of `+Inf`.
    pub(in crate::rewrite::exposition) values: Vec<f64>,
    /// The most observations by which any of the counts can be too low or too high.
    pub(in crate::rewrite::exposition) max_error: f64,
    /// The counts at the boundaries of the input.
    source: Vec<f64>,
}

impl Buckets {
    /// The count of the last boundary that has one: all observations, or all that are known of.
    pub(in crate::rewrite::exposition) fn largest(&self) -> Option<f64> {
        self.values.iter().rev().copied().find(|value| !is_absent(*value))
    }

    /// The count of `+Inf`, if it is known.
    pub(in crate::rewrite::exposition) fn infinite(&self) -> Option<f64> {
        self.values.last().copied().and_then(present)
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// The input has this boundary: its index in the layout.
    Exact(usize),
    /// Between two boundaries of the layout (`None`: from 0 at 0). Then the share of the bucket
    /// that is below the boundary.
    Between(Option<usize>, usize, f64),
    /// Above the input's last boundary. Its observations are counted as if just above the last
    /// boundary, which is also what `histogram_quantile` assumes. Unknown if there is no total.
    Above,
    /// Below the input's first boundary. Another histogram of the same family has this boundary.
    Below,
}

impl Step {
    /// How to get the count at a boundary from those of an ascending layout.
    fn new(layout: &[SourceBoundary], boundary: f64) -> Step {
        let above = layout.partition_point(|source| source.bound < boundary);
        #[allow(clippy::float_cmp, reason = "the same number is the same boundary")]
        match layout.get(above) {
            None => Step::Above,
            Some(source) if source.bound == boundary => Step::Exact(above),
            Some(source) => {
                let below = above.checked_sub(1);
                let from = below.map(|below| layout[below].bound);
                Step::Between(below, above, share(from, boundary, source.bound))
            }
        }
    }

    /// Whether the input lacks the boundary.
    #[inline]
    fn is_estimate(self) -> bool {
        matches!(self, Step::Between(..) | Step::Above)
    }

    /// The count at the boundary, from the counts at the boundaries of the layout and at `+Inf`. And
    /// the most observations by which it can be wrong: the counts of the input's boundaries next to
    /// it bound it.
    #[inline]
    fn count(self, source: &[f64], infinite: f64) -> (f64, f64) {
        // Counts that decrease from one boundary to the next give no bound.
        let error =
            |below: f64, count: f64, above: f64| (count - below).max(above - count).max(0.0);
        match self {
            Step::Below => (ABSENT, 0.0),
            Step::Exact(index) => (source[index], 0.0),
            Step::Above => {
                let below = source.last().copied().unwrap_or(0.0);
                (infinite, error(below, infinite, infinite))
            }
            Step::Between(below, above, share) => {
                let from = below.map_or(0.0, |index| source[index]);
                let to = source[above];
                let step = to - from;
                if step == 0.0 {
                    return (from, 0.0);
                }
                // `max`: a count may be fractional, and must not be below the bucket below.
                let count = floor(from + step * share).max(from);
                (count, error(from, count, to))
            }
        }
    }
}

/// Rounds down. For counts, without a function call.
#[inline]
fn floor(value: f64) -> f64 {
    #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "in range")]
    if (0.0..9_007_199_254_740_992.0).contains(&value) {
        value as i64 as f64
    } else {
        value.floor()
    }
}

/// The share of a bucket's observations that is estimated to be below `bound`: those of durations
/// and sizes are spread about evenly over a logarithmic scale. It depends on the boundaries alone,
/// so that the estimate grows with the counts.
///
/// The first bucket begins at 0, which has no logarithm. Its share is log2(1 + x), where x is the
/// linear one: of the curves of this kind, log(1 + kx) / log(1 + k), it has the smallest error on
/// real latencies (`docs/decisions/0004-estimated-boundaries.md`).
fn share(from: Option<f64>, bound: f64, to: f64) -> f64 {
    match from {
        Some(from) if from > 0.0 => (bound / from).ln() / (to / from).ln(),
        // Boundaries that are not positive have no logarithm.
        Some(from) => (bound - from) / (to - from),
        None if bound > 0.0 && to > 0.0 => (1.0 + bound / to).log2(),
        None => 0.0,
    }
}

impl Conversion {
    /// From the boundaries that a family has to those that are written.
    ///
    /// A histogram that keeps its own boundaries is written with those of `others` too, so that
    /// the histograms can be added.
    pub(in crate::rewrite::exposition) fn new<'a>(
        boundaries: &'a Boundaries,
        layouts: Option<&BucketLayouts>,
        others: impl Iterator<Item = &'a Boundaries>,
    ) -> Self {
        let layout: Vec<SourceBoundary> = boundaries
            .layout()
            .into_iter()
            .map(|cell| SourceBoundary {
                cell,
                bound: boundaries.bound(cell),
                is_known: boundaries.is_known(cell),
            })
            .collect();
        let Some(layouts) = layouts.filter(|l| l.policy != BucketPolicy::Native) else {
            return Self::native(boundaries, layout, layouts, others);
        };
        let written = layouts.write.iter();
        let steps =
            written.map(|boundary| (boundary.clone(), Step::new(&layout, boundary.bound))).unzip();
        let largest_known = layouts.read.last().map(|&bound| boundaries.scaled(bound));
        let largest_known = largest_known.unwrap_or(f64::NEG_INFINITY);
        Conversion { largest_known, ..Self::of_steps(steps, layout, false) }
    }

    fn of_steps(
        (written, steps): (Vec<Boundary>, Vec<Step>),
        layout: Vec<SourceBoundary>,
        sparse: bool,
    ) -> Self {
        let texts = written.iter().map(|boundary| &*boundary.text).chain(["+Inf"]);
        let endings = texts.map(Ending::new).collect();
        Conversion { written, steps, endings, layout, largest_known: f64::NEG_INFINITY, sparse }
    }

    /// Without a layout in the pack, boundaries are spelled as in the input. Of several spellings, the
    /// first in order is the same for all histograms.
    fn native<'a>(
        own: &'a Boundaries,
        layout: Vec<SourceBoundary>,
        layouts: Option<&BucketLayouts>,
        others: impl Iterator<Item = &'a Boundaries>,
    ) -> Self {
        let all: Vec<&Boundaries> = others.chain([own]).collect();
        let spelled = |bound: f64| {
            #[allow(clippy::float_cmp, reason = "the same number is the same boundary")]
            let is_same = |known: &&Boundary| known.bound == bound;
            let known = match layouts {
                Some(layouts) => layouts.write.iter().find(is_same).map(|known| &*known.text),
                None => all.iter().filter_map(|of| of.spelling(bound)).min(),
            };
            known.map_or_else(|| shortest(bound), Box::from)
        };
        let mut bounds: Vec<f64> = all
            .iter()
            .flat_map(|of| of.layout().into_iter().map(|cell| of.bound(cell)))
            .chain(layout.iter().map(|source| source.bound))
            .collect();
        bounds.sort_unstable_by(f64::total_cmp);
        bounds.dedup();
        let steps = bounds
            .into_iter()
            .map(|bound| {
                let places = layout.partition_point(|source| source.bound <= bound);
                let step = places.checked_sub(1).map_or(Step::Below, Step::Exact);
                (Boundary { bound, text: spelled(bound) }, step)
            })
            .unzip();
        Self::of_steps(steps, layout, true)
    }

    /// What is between `le="` and the value in each bucket line.
    pub(in crate::rewrite::exposition) fn endings(&self) -> impl Iterator<Item = &Ending> {
        self.endings.iter()
    }

    /// The boundaries that the input lacks, as they are spelled in `le`, in ascending order. Their
    /// counts are estimates.
    pub(in crate::rewrite::exposition) fn estimated(&self) -> impl Iterator<Item = &str> {
        let steps = self.written.iter().zip(&self.steps);
        steps.filter(|(_, step)| step.is_estimate()).map(|(boundary, _)| &*boundary.text)
    }

    /// Converts one row.
    ///
    /// `count` replaces a missing `+Inf` bucket. A row without any bucket has no finite ones, and
    /// without a count none at all. One with neither `+Inf` nor a count has none above its last
    /// boundary.
    pub(in crate::rewrite::exposition) fn apply(
        &self,
        row: &[f64],
        count: f64,
        buckets: &mut Buckets,
    ) {
        let Buckets { values, max_error, source } = buckets;
        values.clear();
        source.clear();
        *max_error = 0.0;
        let mut below = if self.sparse { ABSENT } else { 0.0 };
        let mut last = None;
        // The last boundary without a value, and whether all of these are known.
        let (mut absent, mut known) = (None, true);
        for (index, boundary) in self.layout.iter().enumerate() {
            if is_absent(row[boundary.cell]) {
                absent = Some(index);
                known &= boundary.is_known;
            } else {
                below = row[boundary.cell];
                last = Some(index);
            }
            source.push(below);
        }
        let any = last.is_some() || !is_absent(row[INF]);
        let infinite = if is_absent(row[INF]) { count } else { row[INF] };
        if !any {
            values.extend(self.steps.iter().map(|_| ABSENT));
        } else if last.is_none() && !self.sparse {
            // All observations are above the last boundary, whichever one that is.
            let count = |bound| if bound <= self.largest_known { 0.0 } else { infinite };
            values.extend(self.written.iter().map(|boundary| count(boundary.bound)));
        } else if self.sparse || (known && absent < last) {
            values.extend(self.steps.iter().map(|step| {
                let (count, error) = step.count(source, infinite);
                if error > *max_error {
                    *max_error = error;
                }
                count
            }));
        } else {
            self.apply_to_own_layout(row, last, infinite, buckets);
        }
        buckets.values.push(infinite);
    }

    /// The counts of one row at all boundaries that are written, with the exact counts next to them.
    /// If a count is exact, both are the count itself. Empty if the
    /// histogram keeps its own boundaries.
    #[cold]
    pub(super) fn counts_with_neighbours(&self, row: &[f64], count: f64) -> Vec<EstimatedCount> {
        let mut buckets = Buckets::default();
        self.apply(row, count, &mut buckets);
        let Some((&infinite, counts)) = buckets.values.split_last() else { return Vec::new() };
        if self.sparse {
            return Vec::new();
        }
        let last = self.layout.iter().rposition(|boundary| !is_absent(row[boundary.cell]));
        let own: Vec<(f64, f64)> = (self.layout.iter().zip(&buckets.source).enumerate())
            .filter(|(index, (boundary, _))| has(row, last, *index, boundary))
            .map(|(_, (boundary, count))| (boundary.bound, *count))
            .collect();
        let exact = |le: Option<Box<str>>, count| ExactCount { le: le.map(String::from), count };
        let neighbours = |(boundary, count): (&Boundary, f64)| {
            let at = own.partition_point(|(bound, _)| *bound < boundary.bound);
            let le = |at: &(f64, f64)| exact(Some(shortest(at.0)), at.1);
            #[allow(clippy::float_cmp, reason = "the same number is the same boundary")]
            let is_exact = own.get(at).is_some_and(|(bound, _)| *bound == boundary.bound);
            let (below, above) = if is_exact {
                let itself = || exact(Some(boundary.text.clone()), count);
                (itself(), itself())
            } else {
                let below = at.checked_sub(1).map_or_else(|| exact(None, 0.0), |at| le(&own[at]));
                let above = own.get(at).map(le);
                (below, above.unwrap_or_else(|| exact(Some("+Inf".into()), infinite)))
            };
            EstimatedCount { le: boundary.text.to_string(), count, below, above }
        };
        let counts = self.written.iter().zip(counts.iter().copied());
        counts.filter(|(_, count)| !is_absent(*count)).map(neighbours).collect()
    }

    /// Converts a row of a histogram that does not have all boundaries of the layout, because other
    /// histograms of the family are from a target with more.
    #[cold]
    fn apply_to_own_layout(
        &self,
        row: &[f64],
        last: Option<usize>,
        infinite: f64,
        buckets: &mut Buckets,
    ) {
        let Buckets { values, max_error, source } = buckets;
        let own = |index: &usize| has(row, last, *index, &self.layout[*index]);
        let (layout, counts): (Vec<SourceBoundary>, Vec<f64>) = (0..self.layout.len())
            .filter(own)
            .map(|index| (self.layout[index], source[index]))
            .unzip();
        let written = self.written.iter().map(|boundary| boundary.bound);
        values.extend(written.map(|bound| {
            let step = Step::new(&layout, bound);
            let (count, error) = step.count(&counts, infinite);
            *max_error = max_error.max(error);
            count
        }));
    }
}

/// Whether a histogram that exported this row, with its last boundary at the index `last`, has the
/// boundary of the layout at this index.
fn has(row: &[f64], last: Option<usize>, index: usize, boundary: &SourceBoundary) -> bool {
    let is_known = boundary.is_known && last.is_none_or(|last| index < last);
    is_known || !is_absent(row[boundary.cell])
}

fn shortest(bound: f64) -> Box<str> {
    let mut text = Vec::new();
    write_number(bound, &mut text);
    String::from_utf8(text).expect("numbers are written in ASCII").into()
}

#[cfg(test)]
mod tests {
    use super::super::boundaries::MAX_BUCKETS;
    use super::*;

    fn layouts(read: &[f64], write: &[f64]) -> BucketLayouts {
        let write = write.iter().map(|&bound| Boundary { bound, text: shortest(bound) }).collect();
        let read_by_edition = vec![read.to_vec()];
        let read = read.to_vec();
        BucketLayouts { read, read_by_edition, write, policy: BucketPolicy::Target }
    }

    /// Reads series of (le, value), and converts the first.
    fn convert(layouts: &BucketLayouts, series: &[&[(&str, f64)]]) -> (Vec<f64>, Vec<String>) {
        let mut boundaries = Boundaries::new(&layouts.read, None);
        let mut first = vec![ABSENT; MAX_BUCKETS];
        for (index, lines) in series.iter().enumerate() {
            for (le, value) in *lines {
                let cell = boundaries.cell(le.as_bytes()).unwrap();
                if index == 0 {
                    first[cell] = *value;
                }
            }
        }
        let conversion = Conversion::new(&boundaries, Some(layouts), std::iter::empty());
        let mut buckets = Buckets::default();
        conversion.apply(&first, ABSENT, &mut buckets);
        (buckets.values, conversion.estimated().map(str::to_owned).collect())
    }

    #[test]
    fn shared_boundaries_are_exact_and_others_interpolated_down() {
        let layouts = layouts(&[10.0, 20.0, 50.0], &[5.0, 10.0, 25.0, 50.0, 100.0]);
        let (values, estimated) =
            convert(&layouts, &[&[("10", 3.0), ("20", 4.0), ("50", 9.0), ("+Inf", 11.0)]]);
        // 5: log2(1.5) = 0.58 of 3; 25: 4 and ln(1.25)/ln(2.5) = 0.24 of 5; 100: only +Inf is above
        // 50.
        assert_eq!(values, [1.0, 3.0, 5.0, 9.0, 11.0, 11.0]);
        assert_eq!(estimated, ["5", "25", "100"]);
        let fractions = [("10", 0.5), ("20", 1.5), ("50", 1.75), ("+Inf", 2.0)];
        assert_eq!(convert(&layouts, &[&fractions]).0, [0.0, 0.5, 1.5, 1.75, 2.0, 2.0]);
    }

    #[test]
    fn a_missing_leading_bucket_is_zero_not_another_layout() {
        let layouts = layouts(&[1.0, 2.0, 5.0], &[1.0, 2.0, 5.0]);
        let (values, estimated) = convert(&layouts, &[&[("5", 3.0), ("+Inf", 4.0)]]);
        assert_eq!(values, [0.0, 0.0, 3.0, 4.0]);
        assert!(estimated.is_empty());
    }

    #[test]
    fn what_other_histograms_export_does_not_matter() {
        let layouts = layouts(&[10.0, 20.0, 40.0, 50.0, 100.0], &[15.0, 40.0, 45.0, 70.0, 100.0]);
        let one: &[(&str, f64)] = &[("10", 1.0), ("20", 1.0), ("50", 4.0), ("+Inf", 6.0)];
        // 40 is known, so it is missing: the count of 20. 50 is the last boundary of this version.
        let alone = [1.0, 1.0, 2.0, 6.0, 6.0, 6.0];
        assert_eq!(convert(&layouts, &[one]).0, alone);
        // Others export 40, a boundary that is not known, and one above.
        for other in [("40", 1.0), ("45", 1.0), ("30", 1.0), ("100", 1.0), ("5", 1.0)] {
            assert_eq!(convert(&layouts, &[one, &[other]]).0, alone, "{other:?}");
        }
        let only_infinite: &[(&str, f64)] = &[("+Inf", 6.0)];
        for other in [&[("50", 1.0)], &[("100", 1.0)]] {
            assert_eq!(
                convert(&layouts, &[only_infinite, other]).0,
                [0.0, 0.0, 0.0, 0.0, 0.0, 6.0]
            );
        }
    }

    #[test]
    fn a_gap_takes_the_count_of_the_bucket_below() {
        let layouts = layouts(&[1.0, 2.0, 5.0], &[1.0, 2.0, 5.0]);
        let other: &[(&str, f64)] = &[("1", 1.0), ("2", 1.0), ("5", 1.0)];
        let (values, _) = convert(&layouts, &[&[("1", 2.0), ("5", 3.0), ("+Inf", 3.0)], other]);
        assert_eq!(values, [2.0, 2.0, 3.0, 3.0]);
    }

    #[test]
    fn growth_never_takes_an_estimate_down() {
        // Counts only grow, and so must every estimate (a counter that falls looks like a restart).
        let layouts = layouts(&[25.0, 50.0], &[7.0, 20.0, 30.0, 40.0]);
        let mut last = vec![0.0; 5];
        let (mut low, mut mid, mut all) = (0.0, 0.0, 0.0);
        for step in 0..1000 {
            let f = f64::from(step);
            low += (f * 7.3) % 3.0 + 1.0;
            mid += (f * 7.3) % 3.0 + 1.0 + (f * 1.7) % 5.0;
            all += (f * 7.3) % 3.0 + 1.0 + (f * 1.7) % 5.0 + 1.0;
            let (l, m, a) = (f64::floor(low), f64::floor(mid), f64::floor(all));
            let (values, _) = convert(&layouts, &[&[("25", l), ("50", m), ("+Inf", a)]]);
            assert!(values.iter().zip(&last).all(|(now, then)| now >= then), "{last:?} {values:?}");
            assert!(values.is_sorted());
            last = values;
        }
    }
}
