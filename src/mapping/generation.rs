//! Types that packs, settings and plans share: generations and ways to combine samples.

use std::fmt::{self, Display};
use std::str::FromStr;

use super::edition::EditionName;
use crate::document::unknown_word;

/// The generation(s) in the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Emit {
    /// The shapes of the older generation.
    Old,
    /// The shapes of the newer generation.
    New,
    /// Old and new shapes together.
    Both,
    /// The shapes of the generation that this edition is of, with its bucket layouts.
    Edition(EditionName),
}

impl FromStr for Emit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "old" => Ok(Emit::Old),
            "new" => Ok(Emit::New),
            "both" => Ok(Emit::Both),
            _ => text.parse().map(Emit::Edition).map_err(|_| {
                let expected =
                    "expected one of: old, new, both, or an edition: a version that a pack declares";
                unknown_word(text, expected, ["old", "new", "both"])
            }),
        }
    }
}

impl From<Generation> for Emit {
    fn from(generation: Generation) -> Emit {
        match generation {
            Generation::Old => Emit::Old,
            Generation::New => Emit::New,
        }
    }
}

impl Display for Emit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Emit::Old => "old",
            Emit::New => "new",
            Emit::Both => "both",
            Emit::Edition(name) => name.as_str(),
        })
    }
}

/// One of the two generations that a pack relates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Generation {
    /// The shapes before the rename.
    Old,
    /// The shapes after it.
    New,
}

impl Generation {
    /// `old` or `new`, the keyword in packs and settings.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Generation::Old => "old",
            Generation::New => "new",
        }
    }

    /// The opposite generation.
    #[must_use]
    pub const fn other(self) -> Generation {
        match self {
            Generation::Old => Generation::New,
            Generation::New => Generation::Old,
        }
    }
}

/// The bucket boundaries of a converted histogram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum BucketPolicy {
    /// Exactly the emitted generation's boundaries; those that the input lacks are estimated.
    #[default]
    Target,
    /// Only boundaries that both generations have; every number exact.
    Common,
    /// The boundaries of the input.
    Native,
}

/// What to do with samples of a kind that the emitted generation does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum NotCounted {
    /// Do not add them to its families, so that totals do not jump when a target is upgraded.
    #[default]
    Drop,
    /// Rewrite them like all others.
    Keep,
}

/// How gauges with equal label sets are merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merge {
    /// The largest value.
    Max,
    /// The smallest value.
    Min,
    /// The sum.
    Sum,
}
