//! The part of a pack about families.

pub(in crate::mapping) mod rule;
pub(in crate::mapping) mod selector;
