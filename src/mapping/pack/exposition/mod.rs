//! What a pack says of families.

pub(in crate::mapping) mod rule;
pub(in crate::mapping) mod selector;
