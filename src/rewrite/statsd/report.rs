//! What happened to lines.

use crate::mapping::plan::statsd::{LineRuleId, StatsdPlan};

/// What happened to lines. The engine counts nothing anywhere else.
///
/// `lines_in` = `untouched` + those that a rule read; `lines_out` = `untouched` + those that rules wrote or kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Lines that arrived, blank ones included.
    pub lines_in: u64,
    /// Lines that left.
    pub lines_out: u64,
    /// Lines that left as they came, and nothing beside them.
    pub untouched: u64,
    /// Of these, lines without a name, a value or a type.
    pub unreadable: u64,
    /// Lines, or samples of a line, that left no trace because their value stands for none.
    pub skipped: u64,
    /// Lines that left no trace because other lines say the same.
    pub implied: u64,
    /// What each rule did, by its number.
    pub rules: Vec<RuleCount>,
}

/// What one rule did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RuleCount {
    /// Lines read.
    pub read: u64,
    /// Lines written, kept ones not counted.
    pub written: u64,
}

impl Report {
    pub(super) fn new(plan: &StatsdPlan) -> Report {
        Report { rules: vec![RuleCount::default(); plan.rules.len()], ..Report::default() }
    }

    /// Lines left out, by reason. Reasons are a fixed set, fit for a metric label.
    #[must_use]
    pub fn dropped(&self) -> [(&'static str, u64); 2] {
        [("skipped_value", self.skipped), ("implied", self.implied)]
    }

    #[inline]
    pub(super) fn count(&mut self, rule: LineRuleId, written: u64) {
        let count = &mut self.rules[rule.0 as usize];
        count.read += 1;
        count.written += written;
    }
}
