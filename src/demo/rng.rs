//! Pseudo-random numbers: the same seed gives the same numbers on every machine.

/// A small generator (`SplitMix64`), good enough for simulated traffic.
#[derive(Debug)]
pub(super) struct Dice(u64);

/// Latencies in per mille of their median, at evenly spaced quantiles: most values are close
/// together, a few are much longer.
const SPREAD: [u32; 16] =
    [300, 480, 590, 670, 740, 810, 880, 960, 1040, 1130, 1240, 1390, 1600, 1950, 2700, 6500];

impl Dice {
    /// Starts a sequence.
    pub(super) fn new(seed: u64) -> Self {
        Dice(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to `end` - 1. `end` must not be 0.
    pub(super) fn below(&mut self, end: u32) -> u32 {
        u32::try_from(self.next() % u64::from(end)).expect("the remainder is less than a u32")
    }

    /// One of `choices`, with probabilities in proportion to the weights. Their sum must not be 0.
    pub(super) fn choose<'a, T>(&mut self, choices: &'a [T], weight: impl Fn(&T) -> u32) -> &'a T {
        let mut left = self.below(choices.iter().map(&weight).sum());
        choices
            .iter()
            .find(|choice| match left.checked_sub(weight(choice)) {
                Some(rest) => {
                    left = rest;
                    false
                }
                None => true,
            })
            .expect("the number thrown is less than the sum of the weights")
    }

    /// A number with the distribution of latencies and sizes: never far below `median`, sometimes
    /// far above.
    pub(super) fn around(&mut self, median: u32) -> u32 {
        let quantile = self.below(15) as usize;
        let (low, high) = (SPREAD[quantile], SPREAD[quantile + 1]);
        let per_mille = low + self.below(high - low);
        u32::try_from(u64::from(median) * u64::from(per_mille) / 1000).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_numbers_lie_below_the_median() {
        let mut dice = Dice::new(1);
        let below = (0..10_000).filter(|_| dice.around(1000) < 1000).count();
        assert!((4_500..5_500).contains(&below), "{below} of 10,000");
    }

    #[test]
    fn choices_come_as_often_as_their_weights_say() {
        let mut dice = Dice::new(2);
        let choices = [("never", 0), ("often", 9), ("rarely", 1)];
        let mut often = 0;
        for _ in 0..10_000 {
            match dice.choose(&choices, |choice| choice.1).0 {
                "often" => often += 1,
                "rarely" => {}
                other => panic!("{other} was chosen"),
            }
        }
        assert!((8_800..9_200).contains(&often), "{often} of 10,000");
    }
}
