//! Packs: what corresponds to what, read from YAML and compiled for one direction.
//!
//! ```text
//! YAML ── document ──> nodes ── file ──> keys ── pack ──> Pack ── compile ──> Plan
//! ```
//!
//! A [`Pack`] is valid in itself, a [`Plan`] cannot be invalid. [`compile`](compile()) is the only
//! bridge between the two. Everything wrong is a [`Diagnostic`](crate::document::Diagnostic).

mod boundary;
mod chain;
mod compile;
mod correspondence;
mod edition;
mod editions;
mod emitted;
mod family_pattern;
mod generation;
mod layouts;
mod pack;
mod patterned;
pub mod plan;
mod scale;
mod segment;
mod settings;

pub use boundary::Boundary;
pub use chain::two_generations;
pub use compile::{check, compile, compile_statsd, warnings};
pub use correspondence::{Correspondence, Lack, Meaning, Shape, correspondences};
pub use edition::EditionName;
pub use editions::Editions;
pub use emitted::Emitted;
pub use family_pattern::FamilyPattern;
pub use generation::{BucketPolicy, Emit, Generation, Merge, NotCounted};
pub use layouts::Layouts;
pub use pack::{Expected, Fixture, Hint, Pack, PackTest, TestFile, TestInput, TestScrape};
pub use patterned::PatternedRules;
pub use plan::{Plan, StatsdPlan};
pub use scale::Scale;
pub use settings::{Settings, StatsdSettings};
