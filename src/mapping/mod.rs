//! Packs: what corresponds to what, read from YAML and compiled for one direction.
//!
//! ```text
//! YAML ── yaml ──> tree ── file ──> keys ── pack ──> Pack ── compile ──> Plan
//! ```
//!
//! A [`Pack`] is valid in itself, a [`Plan`] cannot be invalid. [`compile`](compile()) is the only bridge between the
//! two; whatever is wrong is a [`Fault`] with file, line, column and remedy.

mod compile;
mod correspondence;
mod fault;
mod generation;
mod pack;
pub mod plan;
mod settings;
mod yaml;

pub use compile::{check, compile, compile_statsd, notes};
pub use correspondence::{Correspondence, Meaning, Shape, correspondences};
pub use fault::{Excerpt, Fault, Faults, Note, Place, closest};
pub use generation::{BucketPolicy, Emit, Generation, Merge};
pub use pack::{Case, Cases, Expected, Given, Hint, Pack, Step, Trial};
pub use plan::{Plan, StatsdPlan};
pub use settings::{Settings, StatsdSettings};
