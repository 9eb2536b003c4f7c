//! What a pack says of families.

pub(in crate::mapping) mod entry;
pub(in crate::mapping) mod selector;
