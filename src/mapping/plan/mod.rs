//! Compiled packs: what the engine walks. A plan cannot be invalid.

pub mod exposition;
mod known;
pub mod label_text;
mod line_rule_id;
pub(super) mod name_tree;
mod patterns;
mod rule_id;
mod runs;
pub mod statsd;
pub(super) mod text;
pub mod value_edit;

pub use exposition::Plan;
pub use statsd::StatsdPlan;
