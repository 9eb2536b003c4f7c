//! The part of a pack about `StatsD` lines.

pub(in crate::mapping) mod pattern;
pub(in crate::mapping) mod rule;
pub(in crate::mapping) mod tags;
