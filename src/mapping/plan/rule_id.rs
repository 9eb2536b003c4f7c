//! The id of a rule for samples.

/// Index into [`Plan::rules`](crate::mapping::plan::exposition::Plan::rules).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuleId(pub u32);
