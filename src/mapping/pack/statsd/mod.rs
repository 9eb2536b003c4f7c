//! What a pack says of `StatsD` lines.

pub(in crate::mapping) mod entry;
pub(in crate::mapping) mod pattern;
