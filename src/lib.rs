//! Crossfade: a metrics gateway that keeps dashboards continuous across a rename.

pub mod exposition;
pub mod mapping;
pub mod packs;
pub mod rewrite;
