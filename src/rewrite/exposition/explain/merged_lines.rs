//! The numbers of the lines that were gathered into a series, as ranges: they are often neighbors.

/// The lines of one series.
#[derive(Debug, Default)]
pub(super) struct MergedLines {
    /// Those that were merged.
    pub(super) from: LineNumbers,
    /// Those that were subtracted from the total.
    pub(super) less: LineNumbers,
}

/// Line numbers in the order of the lines.
#[derive(Debug, Default)]
pub(super) struct LineNumbers {
    /// The first and the last line of each range.
    ranges: Vec<(u64, u64)>,
}

impl LineNumbers {
    pub(super) fn push(&mut self, number: u64) {
        match self.ranges.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => self.ranges.push((number, number)),
        }
    }

    pub(super) fn to_vec(&self) -> Vec<u64> {
        self.ranges.iter().flat_map(|&(first, last)| first..=last).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_kept() {
        let mut lines = LineNumbers::default();
        let numbers = [1, 2, 3, 3, 7, 9, 10];
        for number in numbers {
            lines.push(number);
        }
        assert_eq!(lines.to_vec(), numbers);
        assert_eq!(lines.ranges, [(1, 3), (3, 3), (7, 7), (9, 10)]);
    }
}
