//! Packs: what corresponds to what, read from YAML and compiled for one direction.

pub mod plan;

pub use plan::{BucketPolicy, Emit, Generation, Plan};
