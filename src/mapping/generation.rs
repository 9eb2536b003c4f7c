//! The words that packs, settings and plans share: which generation, and how its samples are combined.

/// The generation(s) that leave the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Emit {
    /// The shapes of the older generation.
    Old,
    /// The shapes of the newer generation.
    New,
    /// Old and new shapes side by side.
    Both,
}

/// One of the two shapes that a pack relates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Generation {
    /// The shapes before the rename.
    Old,
    /// The shapes after it.
    New,
}

impl Generation {
    /// `old` or `new`, as in packs and settings.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Generation::Old => "old",
            Generation::New => "new",
        }
    }

    /// The one that this one is not.
    #[must_use]
    pub const fn other(self) -> Generation {
        match self {
            Generation::Old => Generation::New,
            Generation::New => Generation::Old,
        }
    }
}

/// Which bucket boundaries a converted histogram leaves with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum BucketPolicy {
    /// Exactly the emitted generation's boundaries; those that the source lacks are estimated.
    #[default]
    Target,
    /// Only boundaries that both generations have; every number exact.
    Common,
    /// The boundaries as they came.
    Native,
}

/// How equal gauges are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merge {
    /// The largest value.
    Max,
    /// The smallest value.
    Min,
    /// The sum.
    Sum,
}
