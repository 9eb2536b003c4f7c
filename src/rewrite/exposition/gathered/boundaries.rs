//! The bucket boundaries of one family, learned from its `le` labels.
//!
//! A target exports a bucket only once something was counted in it, and a line can be lost. The
//! boundaries that a histogram *has* are therefore those that it exported, and those below the
//! largest of these that its generation is known to have: generations differ at the end of a
//! layout. A known boundary below the first exported one counts 0, and one that is missing between
//! exported ones takes the count of the bucket below.
//!
//! What other histograms of the family exported does not matter, so that no count changes because
//! another series appears.

use super::absent::{ABSENT, is_absent};
use crate::exposition::parse_number;
use crate::mapping::Scale;

/// More bucket boundaries than any real histogram has. The limit keeps a hostile target from
/// widening the rows of all label sets at once.
pub(in crate::rewrite::exposition) const MAX_BUCKETS: usize = 512;

/// The cell of `+Inf`.
pub(super) const INF: usize = 0;

/// The boundaries of one family in one exposition. Each has a cell in the row of every label set.
#[derive(Debug)]
pub(in crate::rewrite::exposition) struct Boundaries {
    /// The factor from the boundaries of the input.
    scale: Option<Scale>,
    /// The upper bound of each cell, scaled. The first is `+Inf`.
    bounds: Vec<f64>,
    /// Whether any series exported it.
    exported: Vec<bool>,
    /// Number of boundaries that the input's generation is known to have. Their cells follow the
    /// one of `+Inf`.
    known: usize,
    /// Cells in ascending order of their bound.
    order: Vec<u16>,
    /// Spellings of `le` seen so far, in ascending order of their bound.
    spellings: Vec<Spelling>,
    /// Index of the spelling that probably follows: all histograms of a family have one order.
    guess: usize,
}

/// A spelling of `le`.
#[derive(Debug)]
struct Spelling {
    text: Box<[u8]>,
    /// It and what follows it if `le` is the last label, as a number. The first byte is the lowest.
    ending: u128,
    /// The bits of `ending` that count.
    mask: u128,
    cell: u16,
}

/// What follows the value of the last label.
const AFTER_LE: &[u8] = b"\"} ";

impl Spelling {
    fn new(text: &[u8], cell: u16) -> Self {
        let mut bytes = [text, AFTER_LE].concat();
        let unused = size_of::<u128>().checked_sub(bytes.len());
        bytes.resize(size_of::<u128>(), 0);
        let ending = bytes.try_into().map_or(u128::MAX, u128::from_le_bytes);
        // No text has these bytes, so that one that is too long is never the one that follows.
        let (ending, mask) = match unused {
            Some(unused) => (ending, u128::MAX >> (8 * unused)),
            None => (u128::MAX, u128::MAX),
        };
        Spelling { text: text.into(), ending, mask, cell }
    }
}

/// Why a bucket's `le` has no cell.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::rewrite::exposition) enum NoCell {
    /// It is not a number.
    NotANumber,
    /// It is too large in the written unit.
    OutOfRange,
    /// There are [`MAX_BUCKETS`] already.
    TooMany,
}

impl Boundaries {
    /// With the boundaries that the input's generation is known to have, and the factor from its
    /// boundaries to those that are written.
    pub(super) fn new(known: &[f64], scale: Option<Scale>) -> Self {
        let mut boundaries = Boundaries {
            scale,
            bounds: Vec::with_capacity(known.len() + 1),
            exported: Vec::new(),
            known: 0,
            order: Vec::new(),
            spellings: Vec::new(),
            guess: 0,
        };
        boundaries.insert(f64::INFINITY);
        for &bound in known {
            boundaries.insert(boundaries.scaled(bound));
        }
        boundaries.known = boundaries.len() - 1;
        boundaries
    }

    /// A boundary of the input as it is written.
    pub(super) fn scaled(&self, bound: f64) -> f64 {
        self.scale.map_or(bound, |scale| scale.of(bound))
    }

    /// Number of cells in a row.
    pub(super) fn len(&self) -> usize {
        self.bounds.len()
    }

    /// Each spelling of `le` that was exported.
    pub(in crate::rewrite::exposition) fn spellings(&self) -> impl Iterator<Item = &[u8]> {
        self.spellings.iter().map(|its| &*its.text)
    }

    /// How the input spells a boundary; of several spellings, the first in order. `None` if it does
    /// not have it, or has it in another unit.
    pub(super) fn spelling(&self, bound: f64) -> Option<&str> {
        if self.scale.is_some() {
            return None;
        }
        #[allow(clippy::float_cmp, reason = "one boundary is one number, however it is spelled")]
        let is_of = |its: &&Spelling| self.bounds[usize::from(its.cell)] == bound;
        let spellings = self.spellings.iter().filter(is_of);
        spellings.filter_map(|its| std::str::from_utf8(&its.text).ok()).min()
    }

    /// The upper bound of a cell.
    pub(super) fn bound(&self, cell: usize) -> f64 {
        self.bounds[cell]
    }

    /// The cell of the boundary that probably follows, if its spelling and the end of the labels are at
    /// this offset: `25"} `. Also the offset after them.
    #[inline]
    pub(in crate::rewrite::exposition) fn next_cell(
        &mut self,
        input: &[u8],
        at: usize,
    ) -> Option<(usize, usize)> {
        let next = self.spellings.get(self.guess)?;
        let sixteen = input.get(at..)?.first_chunk()?;
        if (u128::from_le_bytes(*sixteen) ^ next.ending) & next.mask != 0 {
            return None;
        }
        self.guess += 1;
        Some((usize::from(next.cell), at + next.text.len() + AFTER_LE.len()))
    }

    /// The cell of a boundary, by the spelling of its `le`. Adds a cell for a new boundary.
    pub(in crate::rewrite::exposition) fn cell(
        &mut self,
        spelling: &[u8],
    ) -> Result<usize, NoCell> {
        let is = |its: &Spelling| *its.text == *spelling;
        if let Some(next) = self.spellings.get(self.guess).filter(|next| is(next)) {
            self.guess += 1;
            return Ok(usize::from(next.cell));
        }
        if let Some(at) = self.spellings.iter().position(is) {
            self.guess = at + 1;
            return Ok(usize::from(self.spellings[at].cell));
        }
        let bound = parse_number(spelling).filter(|b| !b.is_nan()).ok_or(NoCell::NotANumber)?;
        let scale = |scale: Scale| scale.checked(bound).ok_or(NoCell::OutOfRange);
        let bound = self.scale.map_or(Ok(bound), scale)?;
        if self.spellings.len() == MAX_BUCKETS {
            return Err(NoCell::TooMany);
        }
        #[allow(clippy::float_cmp, reason = "one boundary is one number, however it is spelled")]
        let known = self.bounds.iter().position(|&b| b == bound);
        let cell = known.unwrap_or_else(|| self.insert(bound));
        self.exported[cell] = true;
        #[allow(clippy::cast_possible_truncation, reason = "at most MAX_BUCKETS and a pack's own")]
        let number = cell as u16;
        // Sorted by bound, so that the guess is also right for histograms with missing buckets.
        let is_below = |its: &Spelling| self.bounds[usize::from(its.cell)] < bound;
        let at = self.spellings.partition_point(is_below);
        self.spellings.insert(at, Spelling::new(spelling, number));
        self.guess = at + 1;
        Ok(cell)
    }

    fn insert(&mut self, bound: f64) -> usize {
        let cell = self.bounds.len();
        let at = self.order.partition_point(|&other| self.bounds[usize::from(other)] < bound);
        self.bounds.push(bound);
        self.exported.push(false);
        #[allow(clippy::cast_possible_truncation, reason = "at most MAX_BUCKETS and a pack's own")]
        self.order.insert(at, cell as u16);
        cell
    }

    /// Cells in ascending order of their bound, `+Inf` last.
    fn ascending(&self) -> impl Iterator<Item = usize> {
        self.order.iter().map(|&cell| usize::from(cell))
    }

    /// Whether the input's generation is known to have the boundary of this cell.
    pub(super) fn is_known(&self, cell: usize) -> bool {
        cell != INF && cell <= self.known
    }

    /// Prepares a row for being added to `other`: fills the gaps between its first and its last
    /// exported boundary, and those after its last one that `other` has if the row is `whole`.
    ///
    /// Without this, the sum at a boundary that only one of the two has could be below the sum at
    /// the boundary before it.
    pub(super) fn fill_gaps(&self, row: &mut [f64], other: &[f64], whole: bool) {
        let finite = || self.ascending().filter(|&cell| cell != INF);
        let Some(last) = finite().filter(|&cell| !is_absent(row[cell])).last() else {
            return;
        };
        let mut below = ABSENT;
        let mut is_after_last = false;
        for cell in finite() {
            if !is_absent(row[cell]) {
                below = row[cell];
                is_after_last = cell == last;
            } else if is_after_last {
                // As for a boundary above the last one of a layout: see `Conversion`.
                if whole && !is_absent(row[INF]) && !is_absent(other[cell]) {
                    row[cell] = row[INF];
                }
            } else if self.is_known(cell) || !is_absent(other[cell]) {
                row[cell] = below;
            }
        }
    }

    /// The cells of the boundaries that some histogram of the family has in this exposition,
    /// ascending, without `+Inf`.
    pub(super) fn layout(&self) -> Vec<usize> {
        let largest = self
            .ascending()
            .filter(|&cell| cell != INF && self.exported[cell])
            .last()
            .map_or(f64::INFINITY, |cell| self.bounds[cell]);
        self.ascending()
            .filter(|&cell| {
                let is_below = self.is_known(cell) && self.bounds[cell] < largest;
                cell != INF && (self.exported[cell] || is_below)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn le_is_a_number_in_any_spelling() {
        let mut boundaries = Boundaries::new(&[25.0], None);
        let cell = boundaries.cell(b"00025.0");
        assert_eq!(boundaries.cell(b"25"), cell);
        assert_eq!(boundaries.cell(b"2.5e1"), cell);
        assert_eq!(boundaries.cell(b"+Inf"), Ok(INF));
        assert_eq!(boundaries.cell(b"inf"), Ok(INF));
        assert_eq!(boundaries.cell(b"x"), Err(NoCell::NotANumber));
        assert_eq!(boundaries.cell(b"NaN"), Err(NoCell::NotANumber));
    }

    #[test]
    fn the_next_boundary_is_recognized_with_the_end_of_the_labels() {
        let mut boundaries = Boundaries::new(&[], None);
        let spellings = ["1", "1234567890123", "12345678901234", "+Inf"];
        let cells = spellings.map(|le| boundaries.cell(le.as_bytes()).unwrap());
        boundaries.guess = 0;
        let line = |le: &str, after: &str| format!("xy{le}{after}").into_bytes();
        for (le, cell) in spellings.into_iter().zip(cells) {
            // Not within 16 bytes: left to the full comparison.
            let is_short = le.len() <= 13;
            let expected = is_short.then_some((cell, 2 + le.len() + 3));
            for wrong in ["\",} 1234567890123456", "x\"} 123456789012345", "\"}", ""] {
                assert_eq!(boundaries.next_cell(&line(le, wrong), 2), None, "{le}{wrong}");
            }
            assert_eq!(
                boundaries.next_cell(&line(le, "\"} 1\n1234567890123"), 2),
                expected,
                "{le}"
            );
            boundaries.guess += usize::from(!is_short);
        }
        assert_eq!(boundaries.next_cell(&line("1", "\"} 1\n1234567890123"), 2), None);
    }

    #[test]
    fn boundaries_are_limited() {
        let mut boundaries = Boundaries::new(&[], None);
        for bound in 0..MAX_BUCKETS {
            assert!(boundaries.cell(bound.to_string().as_bytes()).is_ok());
        }
        assert_eq!(boundaries.cell(b"0.5"), Err(NoCell::TooMany));
    }

    #[test]
    fn gaps_are_filled_before_rows_are_added() {
        let mut boundaries = Boundaries::new(&[1.0, 2.0, 5.0, 10.0, 20.0], None);
        let custom = boundaries.cell(b"3").unwrap();
        let mut row = vec![ABSENT; boundaries.len()];
        row[boundaries.cell(b"2").unwrap()] = 1.0;
        row[boundaries.cell(b"10").unwrap()] = 3.0;
        row[INF] = 4.0;
        let mut other = vec![ABSENT; boundaries.len()];
        other[boundaries.cell(b"20").unwrap()] = 9.0;
        let filled = |other: &[f64], whole| {
            let mut row = row.clone();
            boundaries.fill_gaps(&mut row, other, whole);
            let cells = boundaries.ascending();
            cells.map(|c| (!is_absent(row[c])).then_some(row[c])).collect::<Vec<_>>()
        };
        let known = [None, Some(1.0), None, Some(1.0), Some(3.0), None, Some(4.0)];
        assert_eq!(filled(&[ABSENT; 7], true), known);
        assert_eq!(filled(&other, false), known);
        let after = [None, Some(1.0), None, Some(1.0), Some(3.0), Some(4.0), Some(4.0)];
        assert_eq!(filled(&other, true), after);
        other[custom] = 1.0;
        let custom = [None, Some(1.0), Some(1.0), Some(1.0), Some(3.0), Some(4.0), Some(4.0)];
        assert_eq!(filled(&other, true), custom);
    }
}
