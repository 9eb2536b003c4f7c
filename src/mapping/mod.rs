//! Packs: what corresponds to what, read from YAML and compiled for one direction.
//!
//! ```text
//! YAML ── yaml ──> tree ── file ──> keys ── pack ──> Pack ── compile ──> Plan
//! ```
//!
//! A [`Pack`] is valid in itself, a [`Plan`] cannot be invalid. [`compile`](compile()) is the only bridge between the
//! two; whatever is wrong is a [`Fault`] with file, line, column and remedy.

mod compile;
mod fault;
mod file;
mod names;
mod pack;
pub mod plan;
mod selector;
mod yaml;

pub use compile::{Settings, compile};
pub use fault::{Excerpt, Fault, Faults, Place};
pub use pack::{Hint, Pack};
pub use plan::{BucketPolicy, Emit, Generation, Plan};
