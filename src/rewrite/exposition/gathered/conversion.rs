//! Converts the buckets of one family to the boundaries that are written.

use super::absent::{ABSENT, is_absent};
use super::boundaries::{Boundaries, INF};
use crate::exposition::write_number;
use crate::mapping::Boundary;
use crate::mapping::BucketPolicy;
use crate::mapping::plan::exposition::BucketLayouts;

/// Converts rows of cells, one per boundary of the source, to the buckets that are written.
#[derive(Debug)]
pub(in crate::rewrite::exposition) struct Conversion {
    steps: Vec<(Boundary, Step)>,
    /// Of each boundary that is written, and of `+Inf`: what is between `le="` and the value.
    endings: Vec<Box<[u8]>>,
    layout: Vec<usize>,
    /// Cells without a value are not written: the histogram keeps its own boundaries.
    sparse: bool,
}

/// The converted buckets of one label set. Reused, so that no label set allocates.
#[derive(Debug, Default)]
pub(in crate::rewrite::exposition) struct Buckets {
    /// The count of each boundary that is written, then the one of `+Inf`.
    pub(in crate::rewrite::exposition) values: Vec<f64>,
    /// The counts at the boundaries of the source.
    source: Vec<f64>,
}

#[derive(Debug)]
enum Step {
    /// The source has this boundary: its index in the layout.
    Exact(usize),
    /// Between two boundaries of the layout (`None`: from 0 at 0). Then the numerator and the
    /// denominator of the share of the bucket that is below the boundary.
    Between(Option<usize>, usize, f64, f64),
    /// Above the source's last boundary. Its observations are counted as if just above the last
    /// boundary, which is also what `histogram_quantile` assumes.
    Above,
    /// Below the source's first boundary. Another source of the same family has this boundary.
    Below,
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
        let layout = boundaries.layout();
        let Some(layouts) = layouts.filter(|l| l.policy != BucketPolicy::Native) else {
            return Self::native(boundaries, layout, layouts, others);
        };
        let bound = |index: usize| boundaries.bound(layout[index]);
        let steps = layouts.write.iter().map(|boundary| {
            let above = layout.partition_point(|&cell| boundaries.bound(cell) < boundary.bound);
            #[allow(clippy::float_cmp, reason = "the same number is the same boundary")]
            let step = if above == layout.len() {
                Step::Above
            } else if bound(above) == boundary.bound {
                Step::Exact(above)
            } else {
                let below = above.checked_sub(1);
                let from = below.map_or(0.0, bound);
                Step::Between(below, above, boundary.bound - from, bound(above) - from)
            };
            (boundary.clone(), step)
        });
        Self::of_steps(steps.collect(), layout, false)
    }

    fn of_steps(steps: Vec<(Boundary, Step)>, layout: Vec<usize>, sparse: bool) -> Self {
        let texts = steps.iter().map(|(boundary, _)| &*boundary.text).chain(["+Inf"]);
        let endings = texts.map(|text| [text, "\"} "].concat().into_bytes().into()).collect();
        Conversion { steps, endings, layout, sparse }
    }

    fn native<'a>(
        boundaries: &'a Boundaries,
        layout: Vec<usize>,
        layouts: Option<&BucketLayouts>,
        others: impl Iterator<Item = &'a Boundaries>,
    ) -> Self {
        let spelled = |bound: f64| {
            let known = layouts.map_or(&[][..], |l| &l.write);
            #[allow(clippy::float_cmp, reason = "the same number is the same boundary")]
            let known = known.iter().find(|b| b.bound == bound);
            known.map_or_else(|| shortest(bound), |b| b.text.clone())
        };
        let mut bounds: Vec<f64> = others
            .chain([boundaries])
            .flat_map(|of| of.layout().into_iter().map(|cell| of.bound(cell)))
            .collect();
        bounds.sort_unstable_by(f64::total_cmp);
        bounds.dedup();
        let steps = bounds
            .into_iter()
            .map(|bound| {
                let places = layout.partition_point(|&cell| boundaries.bound(cell) <= bound);
                let step = places.checked_sub(1).map_or(Step::Below, Step::Exact);
                (Boundary { bound, text: spelled(bound) }, step)
            })
            .collect();
        Self::of_steps(steps, layout, true)
    }

    /// What is between `le="` and the value in each bucket line: `25"} `.
    pub(in crate::rewrite::exposition) fn endings(&self) -> impl Iterator<Item = &[u8]> {
        self.endings.iter().map(|ending| &**ending)
    }

    /// The boundaries that the source lacks, as they are spelled in `le`. Their counts are
    /// estimates.
    pub(in crate::rewrite::exposition) fn estimated(&self) -> impl Iterator<Item = &str> {
        self.steps
            .iter()
            .filter(|(_, step)| matches!(step, Step::Between(..) | Step::Above))
            .map(|(boundary, _)| &*boundary.text)
    }

    /// Converts one row.
    ///
    /// `count` replaces a missing `+Inf` bucket. A row without any bucket has no finite ones, and
    /// without a count none at all.
    pub(in crate::rewrite::exposition) fn apply(
        &self,
        row: &[f64],
        count: f64,
        buckets: &mut Buckets,
    ) {
        let Buckets { values, source } = buckets;
        values.clear();
        source.clear();
        let mut below = if self.sparse { ABSENT } else { 0.0 };
        for &cell in &self.layout {
            if !is_absent(row[cell]) {
                below = row[cell];
            }
            source.push(below);
        }
        let any = !is_absent(row[INF]) || self.layout.iter().any(|&cell| !is_absent(row[cell]));
        let top = if any { below } else { ABSENT };
        let infinite =
            [row[INF], count, top].into_iter().find(|v| !is_absent(*v)).unwrap_or(ABSENT);
        values.extend(self.steps.iter().map(|(_, step)| match *step {
            _ if !any => ABSENT,
            Step::Below => ABSENT,
            Step::Exact(index) => source[index],
            Step::Above => infinite,
            Step::Between(below, above, part, whole) => {
                let from = below.map_or(0.0, |index| source[index]);
                let step = source[above] - from;
                if step == 0.0 {
                    from
                } else {
                    // Multiply first: the result is exact if it is a whole number. `max`: a count
                    // may be fractional, and rounding must not go below the bucket below.
                    (from + step * part / whole).floor().max(from)
                }
            }
        }));
        values.push(infinite);
    }
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
        BucketLayouts { read: read.to_vec(), write, policy: BucketPolicy::Target }
    }

    /// Reads series of (le, value), and converts the first.
    fn convert(layouts: &BucketLayouts, series: &[&[(&str, f64)]]) -> (Vec<f64>, Vec<String>) {
        let mut boundaries = Boundaries::new(&layouts.read);
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
        // 5: half of 3; 25: 4 and a sixth of 5; 100: only +Inf is above 50.
        assert_eq!(values, [1.0, 3.0, 4.0, 9.0, 11.0, 11.0]);
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
    fn a_known_boundary_that_no_series_exports_is_not_this_versions() {
        // The generation may have 40, but this source goes from 20 to 50.
        let layouts = layouts(&[10.0, 20.0, 40.0, 50.0], &[40.0]);
        let (values, estimated) =
            convert(&layouts, &[&[("10", 1.0), ("20", 1.0), ("50", 4.0), ("+Inf", 4.0)]]);
        assert_eq!(values, [3.0, 4.0]);
        assert_eq!(estimated, ["40"]);
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
