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
mod file;
mod names;
mod pack;
mod pattern;
pub mod plan;
mod selector;
pub mod statsd;
mod syntax;
mod yaml;

pub use compile::{Settings, StatsdSettings, check, compile, compile_statsd, notes};
pub use correspondence::{Correspondence, Meaning, Shape, correspondences};
pub use fault::{Excerpt, Fault, Faults, Note, Place, closest};
pub use pack::{Case, Cases, Expected, Given, Hint, Pack, Step, Trial};
pub use plan::{BucketPolicy, Emit, Generation, Plan};
pub use statsd::StatsdPlan;
