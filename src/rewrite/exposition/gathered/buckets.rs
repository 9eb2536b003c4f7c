//! Bucket ladders: how one body's boundaries are learnt, and how a ladder is moved to other ones.
//!
//! A source prints a bucket only once something was counted in it, and can lose a line. So the
//! boundaries that a family *has* are: those that any of its series printed, and those below the
//! smallest of them that the source's generation is known to have. Within one series, a boundary
//! below its first printed one is 0, and a hole takes the bucket below.

use crate::exposition::{parse_number, write_number};
use crate::mapping::BucketPolicy;
use crate::mapping::plan::exposition::{Boundary, BucketLayouts};

/// More bucket boundaries than any real histogram has; keeps a hostile one from growing the rows
/// of all label sets at once.
pub(in crate::rewrite::exposition) const MAX_BUCKETS: usize = 512;

/// A cell of a row that no line has filled. No number that is read has this bit pattern.
pub(in crate::rewrite::exposition) const ABSENT: f64 = f64::from_bits(0xfff8_dead_dead_dead);

pub(in crate::rewrite::exposition) fn is_absent(value: f64) -> bool {
    value.to_bits() == ABSENT.to_bits()
}

/// Adds to a cell that may be absent.
pub(in crate::rewrite::exposition) fn add(cell: &mut f64, value: f64) {
    *cell = if is_absent(*cell) { value } else { *cell + value };
}

/// The boundaries of one family in one body. Each has a cell in every row of its label sets.
#[derive(Debug)]
pub(in crate::rewrite::exposition) struct Boundaries {
    /// The number of each cell. The first is `+Inf`.
    bounds: Vec<f64>,
    /// Whether any series printed it.
    printed: Vec<bool>,
    /// Accumulator in ascending order of their number.
    order: Vec<u16>,
    /// Spellings met so far, in the order in which they come, and their cells.
    spellings: Vec<(Box<[u8]>, u16)>,
    /// Where the next spelling probably stands: ladders come in one order.
    guess: usize,
}

/// The cell of `+Inf`.
pub(in crate::rewrite::exposition) const INF: usize = 0;

/// Why a bucket's `le` has no cell.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::rewrite::exposition) enum NoCell {
    /// It is not a number.
    NotANumber,
    /// There are [`MAX_BUCKETS`] already.
    TooMany,
}

impl Boundaries {
    pub(in crate::rewrite::exposition) fn new(known: &[f64]) -> Self {
        let mut boundaries = Boundaries {
            bounds: Vec::with_capacity(known.len() + 1),
            printed: Vec::new(),
            order: Vec::new(),
            spellings: Vec::new(),
            guess: 0,
        };
        boundaries.insert(f64::INFINITY);
        for &bound in known {
            boundaries.insert(bound);
        }
        boundaries
    }

    /// How many cells a row needs.
    pub(in crate::rewrite::exposition) fn len(&self) -> usize {
        self.bounds.len()
    }

    /// The cell of a boundary, by its spelling; a new one where it is new.
    #[inline]
    pub(in crate::rewrite::exposition) fn cell(
        &mut self,
        spelling: &[u8],
    ) -> Result<usize, NoCell> {
        if let Some((text, cell)) = self.spellings.get(self.guess)
            && **text == *spelling
        {
            self.guess += 1;
            return Ok(usize::from(*cell));
        }
        self.find(spelling)
    }

    fn find(&mut self, spelling: &[u8]) -> Result<usize, NoCell> {
        if let Some(at) = self.spellings.iter().position(|(text, _)| **text == *spelling) {
            self.guess = at + 1;
            return Ok(usize::from(self.spellings[at].1));
        }
        let bound = parse_number(spelling).filter(|b| !b.is_nan()).ok_or(NoCell::NotANumber)?;
        if self.spellings.len() == MAX_BUCKETS {
            return Err(NoCell::TooMany);
        }
        #[allow(clippy::float_cmp, reason = "one boundary is one number, however it is spelled")]
        let known = self.bounds.iter().position(|&b| b == bound);
        let cell = known.unwrap_or_else(|| self.insert(bound));
        self.printed[cell] = true;
        #[allow(clippy::cast_possible_truncation, reason = "at most MAX_BUCKETS and a pack's own")]
        let number = cell as u16;
        // Kept in the order of the ladder, so that the guess is right for sparse ladders too.
        let at =
            self.spellings.partition_point(|(_, other)| self.bounds[usize::from(*other)] < bound);
        self.spellings.insert(at, (spelling.into(), number));
        self.guess = at + 1;
        Ok(cell)
    }

    fn insert(&mut self, bound: f64) -> usize {
        let cell = self.bounds.len();
        let at = self.order.partition_point(|&other| self.bounds[usize::from(other)] < bound);
        self.bounds.push(bound);
        self.printed.push(false);
        #[allow(clippy::cast_possible_truncation, reason = "at most MAX_BUCKETS and a pack's own")]
        self.order.insert(at, cell as u16);
        cell
    }

    /// Accumulator in ascending order of their boundary, `+Inf` last.
    fn ascending(&self) -> impl Iterator<Item = usize> {
        self.order.iter().map(|&cell| usize::from(cell))
    }

    /// Fills the holes of a row between its first and its last printed boundary.
    pub(in crate::rewrite::exposition) fn fill_gaps(&self, row: &mut [f64]) {
        let Some(last) = self.ascending().filter(|&cell| !is_absent(row[cell])).last() else {
            return;
        };
        let mut below = ABSENT;
        for cell in self.ascending().take_while(|&cell| cell != last) {
            if is_absent(row[cell]) {
                row[cell] = below;
            } else {
                below = row[cell];
            }
        }
    }

    /// The cells of the boundaries that the family has in this body, ascending, without `+Inf`.
    fn layout(&self) -> Vec<usize> {
        let smallest = self
            .ascending()
            .find(|&cell| self.printed[cell])
            .map_or(f64::INFINITY, |cell| self.bounds[cell]);
        self.ascending()
            .filter(|&cell| cell != INF && (self.printed[cell] || self.bounds[cell] < smallest))
            .collect()
    }
}

/// How the ladders of one family in one body are moved to the boundaries that are written.
#[derive(Debug)]
pub(in crate::rewrite::exposition) struct Conversion {
    steps: Vec<(Boundary, Step)>,
    /// What stands behind `le="` in a line of each step, and of `+Inf`, up to the value.
    endings: Vec<Box<[u8]>>,
    layout: Vec<usize>,
    /// Accumulator that no line filled stay unwritten: the ladder leaves as it came.
    sparse: bool,
}

/// A converted ladder, and room to make one: no allocation per label set.
#[derive(Debug, Default)]
pub(in crate::rewrite::exposition) struct Buckets {
    /// A value for each of the boundaries that are written, then the one for `+Inf`.
    pub(in crate::rewrite::exposition) values: Vec<f64>,
    /// The values at the places of the source's layout.
    places: Vec<f64>,
}

#[derive(Debug)]
enum Step {
    /// The source has this boundary: its place in the layout.
    Exact(usize),
    /// Between two places of the layout (`None`: from 0 at 0); the numerator and denominator of how
    /// far up.
    Between(Option<usize>, usize, f64, f64),
    /// Above the source's last boundary. What lies there cannot be told apart: it is counted as if
    /// right above that boundary, which is where `histogram_quantile` sees it.
    Above,
    /// Below the source's first boundary, and written only for the sake of other ladders.
    Below,
}

impl Conversion {
    /// From what a family has to what is written. Layouts that are kept are written with the
    /// boundaries of `others` too, so that they can be added up.
    pub(in crate::rewrite::exposition) fn new<'a>(
        boundaries: &'a Boundaries,
        ladders: Option<&BucketLayouts>,
        others: impl Iterator<Item = &'a Boundaries>,
    ) -> Self {
        let layout = boundaries.layout();
        let Some(ladders) = ladders.filter(|l| l.policy != BucketPolicy::Native) else {
            return Self::native(boundaries, layout, ladders, others);
        };
        let bound = |place: usize| boundaries.bounds[layout[place]];
        let steps = ladders.write.iter().map(|boundary| {
            let above = layout.partition_point(|&cell| boundaries.bounds[cell] < boundary.bound);
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
        ladders: Option<&BucketLayouts>,
        others: impl Iterator<Item = &'a Boundaries>,
    ) -> Self {
        let spelled = |bound: f64| {
            let known = ladders.map_or(&[][..], |l| &l.write);
            #[allow(clippy::float_cmp, reason = "the same number is the same boundary")]
            let known = known.iter().find(|b| b.bound == bound);
            known.map_or_else(|| shortest(bound), |b| b.text.clone())
        };
        let mut bounds: Vec<f64> = others
            .chain([boundaries])
            .flat_map(|of| of.layout().into_iter().map(|cell| of.bounds[cell]))
            .collect();
        bounds.sort_unstable_by(f64::total_cmp);
        bounds.dedup();
        let steps = bounds
            .into_iter()
            .map(|bound| {
                let places = layout.partition_point(|&cell| boundaries.bounds[cell] <= bound);
                let step = places.checked_sub(1).map_or(Step::Below, Step::Exact);
                (Boundary { bound, text: spelled(bound) }, step)
            })
            .collect();
        Self::of_steps(steps, layout, true)
    }

    /// What stands behind `le="` in each line that is written, up to its value: `25"} `.
    pub(in crate::rewrite::exposition) fn endings(&self) -> impl Iterator<Item = &[u8]> {
        self.endings.iter().map(|ending| &**ending)
    }

    /// The spellings of those that the source lacks.
    pub(in crate::rewrite::exposition) fn estimated(&self) -> impl Iterator<Item = &str> {
        self.steps
            .iter()
            .filter(|(_, step)| matches!(step, Step::Between(..) | Step::Above))
            .map(|(boundary, _)| &*boundary.text)
    }

    /// Moves one row: a value for each of the boundaries that are written, then the one for `+Inf`.
    ///
    /// `count` stands in for a lost `+Inf` line. A row without any bucket gives no finite ones, and
    /// without a count none at all.
    pub(in crate::rewrite::exposition) fn apply(
        &self,
        row: &[f64],
        count: f64,
        ladder: &mut Buckets,
    ) {
        let Buckets { values: converted, places: values } = ladder;
        converted.clear();
        values.clear();
        let mut below = if self.sparse { ABSENT } else { 0.0 };
        for &cell in &self.layout {
            if !is_absent(row[cell]) {
                below = row[cell];
            }
            values.push(below);
        }
        let any = !is_absent(row[INF]) || self.layout.iter().any(|&cell| !is_absent(row[cell]));
        let top = if any { below } else { ABSENT };
        let infinite =
            [row[INF], count, top].into_iter().find(|v| !is_absent(*v)).unwrap_or(ABSENT);
        converted.extend(self.steps.iter().map(|(_, step)| match *step {
            _ if !any => ABSENT,
            Step::Below => ABSENT,
            Step::Exact(place) => values[place],
            Step::Above => infinite,
            Step::Between(below, above, part, whole) => {
                let from = below.map_or(0.0, |place| values[place]);
                let step = values[above] - from;
                if step == 0.0 {
                    from
                } else {
                    // Multiplied first: exact where the share is a whole number. Not below the boundary
                    // below, which is no whole number where buckets count in fractions.
                    (from + step * part / whole).floor().max(from)
                }
            }
        }));
        converted.push(infinite);
    }
}

fn shortest(bound: f64) -> Box<str> {
    let mut text = Vec::new();
    write_number(bound, &mut text);
    String::from_utf8(text).expect("numbers are written in ASCII").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ladders(read: &[f64], write: &[f64]) -> BucketLayouts {
        let write = write.iter().map(|&bound| Boundary { bound, text: shortest(bound) }).collect();
        BucketLayouts { read: read.to_vec(), write, policy: BucketPolicy::Target }
    }

    /// Reads series of (le, value), and converts the first.
    fn convert(ladders: &BucketLayouts, series: &[&[(&str, f64)]]) -> (Vec<f64>, Vec<String>) {
        let mut boundaries = Boundaries::new(&ladders.read);
        let mut first = vec![ABSENT; MAX_BUCKETS];
        for (index, lines) in series.iter().enumerate() {
            for (le, value) in *lines {
                let cell = boundaries.cell(le.as_bytes()).unwrap();
                if index == 0 {
                    first[cell] = *value;
                }
            }
        }
        let conversion = Conversion::new(&boundaries, Some(ladders), std::iter::empty());
        let mut ladder = Buckets::default();
        conversion.apply(&first, ABSENT, &mut ladder);
        (ladder.values, conversion.estimated().map(str::to_owned).collect())
    }

    #[test]
    fn shared_boundaries_are_exact_and_others_interpolated_down() {
        let ladders = ladders(&[10.0, 20.0, 50.0], &[5.0, 10.0, 25.0, 50.0, 100.0]);
        let (ladder, estimated) =
            convert(&ladders, &[&[("10", 3.0), ("20", 4.0), ("50", 9.0), ("+Inf", 11.0)]]);
        // 5: half of 3; 25: 4 and a sixth of 5; 100: nothing above 50 but +Inf.
        assert_eq!(ladder, [1.0, 3.0, 4.0, 9.0, 11.0, 11.0]);
        assert_eq!(estimated, ["5", "25", "100"]);
        let fractions = [("10", 0.5), ("20", 1.5), ("50", 1.75), ("+Inf", 2.0)];
        assert_eq!(convert(&ladders, &[&fractions]).0, [0.0, 0.5, 1.5, 1.75, 2.0, 2.0]);
    }

    #[test]
    fn a_missing_leading_bucket_is_zero_not_another_layout() {
        let ladders = ladders(&[1.0, 2.0, 5.0], &[1.0, 2.0, 5.0]);
        let (ladder, estimated) = convert(&ladders, &[&[("5", 3.0), ("+Inf", 4.0)]]);
        assert_eq!(ladder, [0.0, 0.0, 3.0, 4.0]);
        assert!(estimated.is_empty());
    }

    #[test]
    fn a_known_boundary_that_no_series_prints_is_not_this_versions() {
        // 40 is known of the generation, but this source goes from 20 to 50.
        let ladders = ladders(&[10.0, 20.0, 40.0, 50.0], &[40.0]);
        let (ladder, estimated) =
            convert(&ladders, &[&[("10", 1.0), ("20", 1.0), ("50", 4.0), ("+Inf", 4.0)]]);
        assert_eq!(ladder, [3.0, 4.0]);
        assert_eq!(estimated, ["40"]);
    }

    #[test]
    fn a_hole_takes_the_bucket_below() {
        let ladders = ladders(&[1.0, 2.0, 5.0], &[1.0, 2.0, 5.0]);
        let other: &[(&str, f64)] = &[("1", 1.0), ("2", 1.0), ("5", 1.0)];
        let (ladder, _) = convert(&ladders, &[&[("1", 2.0), ("5", 3.0), ("+Inf", 3.0)], other]);
        assert_eq!(ladder, [2.0, 2.0, 3.0, 3.0]);
    }

    #[test]
    fn le_is_a_number_in_any_spelling() {
        let mut boundaries = Boundaries::new(&[25.0]);
        let cell = boundaries.cell(b"00025.0");
        assert_eq!(boundaries.cell(b"25"), cell);
        assert_eq!(boundaries.cell(b"2.5e1"), cell);
        assert_eq!(boundaries.cell(b"+Inf"), Ok(INF));
        assert_eq!(boundaries.cell(b"inf"), Ok(INF));
        assert_eq!(boundaries.cell(b"x"), Err(NoCell::NotANumber));
        assert_eq!(boundaries.cell(b"NaN"), Err(NoCell::NotANumber));
    }

    #[test]
    fn boundaries_are_limited() {
        let mut boundaries = Boundaries::new(&[]);
        for bound in 0..MAX_BUCKETS {
            assert!(boundaries.cell(bound.to_string().as_bytes()).is_ok());
        }
        assert_eq!(boundaries.cell(b"0.5"), Err(NoCell::TooMany));
    }

    #[test]
    fn closing_fills_between_first_and_last_only() {
        let mut boundaries = Boundaries::new(&[1.0, 2.0, 5.0, 10.0]);
        let mut row = vec![ABSENT; boundaries.len()];
        row[boundaries.cell(b"2").unwrap()] = 1.0;
        row[boundaries.cell(b"10").unwrap()] = 3.0;
        boundaries.fill_gaps(&mut row);
        let values: Vec<_> =
            boundaries.ascending().map(|c| (!is_absent(row[c])).then_some(row[c])).collect();
        assert_eq!(values, [None, Some(1.0), Some(1.0), Some(3.0), None]);
    }

    #[test]
    fn growth_never_takes_an_estimate_down() {
        // Counts only add_bytes; so must every estimate (a counter that falls looks like a restart).
        let ladders = ladders(&[25.0, 50.0], &[7.0, 20.0, 30.0, 40.0]);
        let mut last = vec![0.0; 5];
        let (mut low, mut mid, mut all) = (0.0, 0.0, 0.0);
        for step in 0..1000 {
            let f = f64::from(step);
            low += (f * 7.3) % 3.0 + 1.0;
            mid += (f * 7.3) % 3.0 + 1.0 + (f * 1.7) % 5.0;
            all += (f * 7.3) % 3.0 + 1.0 + (f * 1.7) % 5.0 + 1.0;
            let (l, m, a) = (f64::floor(low), f64::floor(mid), f64::floor(all));
            let (ladder, _) = convert(&ladders, &[&[("25", l), ("50", m), ("+Inf", a)]]);
            assert!(ladder.iter().zip(&last).all(|(now, then)| now >= then), "{last:?} {ladder:?}");
            assert!(ladder.is_sorted());
            last = ladder;
        }
    }
}
