//! What a pack says of `StatsD` lines.

pub(in crate::mapping) mod pattern;
pub(in crate::mapping) mod rule;
pub(in crate::mapping) mod tags;
