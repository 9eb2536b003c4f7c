//! The id of a rule for `StatsD` lines.

/// Index into [`StatsdPlan::rules`](crate::mapping::plan::statsd::StatsdPlan::rules).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LineRuleId(pub u32);
