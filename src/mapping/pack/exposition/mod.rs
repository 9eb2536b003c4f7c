//! The part of a pack about families.

mod patterns;
pub(in crate::mapping) mod placeholder;
pub(in crate::mapping) mod reduction;
pub(in crate::mapping) mod rule;
pub(in crate::mapping) mod selector;
pub(in crate::mapping) mod template;
pub(in crate::mapping) mod translation;
mod types;
