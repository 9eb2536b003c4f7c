//! Compiled packs: what the engine walks. A plan cannot be invalid.

pub mod exposition;
pub(super) mod name_tree;
pub mod statsd;

pub use exposition::Plan;
pub use statsd::StatsdPlan;
