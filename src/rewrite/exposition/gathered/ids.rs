//! Where gathered series are kept.

/// Index of the series that one rule has gathered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::rewrite::exposition) struct GatheredId(pub(super) usize);

/// Number of a label set among the series of one rule, in order of arrival.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::rewrite::exposition) struct SeriesSlot(pub(super) usize);

impl SeriesSlot {
    /// The place of the label set in the order of arrival, from 0.
    pub(in crate::rewrite::exposition) fn index(self) -> usize {
        self.0
    }
}

/// One gathered series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::rewrite::exposition) struct SeriesRef {
    pub(in crate::rewrite::exposition) id: GatheredId,
    pub(in crate::rewrite::exposition) slot: SeriesSlot,
}
