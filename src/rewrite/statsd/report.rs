//! Counts of what happened to lines.

use crate::mapping::plan::statsd::{LineRuleId, StatsdPlan};

/// Counts of what happened to lines. The engine counts nothing anywhere else.
///
/// `lines_in` is `untouched` plus the lines that a rule changed; `lines_out` is `untouched` plus
/// the lines that rules wrote or kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Lines of input, blank lines included.
    pub lines_in: u64,
    /// Lines of output.
    pub lines_out: u64,
    /// Lines forwarded unchanged, without other output.
    pub untouched: u64,
    /// Those of the untouched lines that have no name, no value or no type.
    pub unreadable: u64,
    /// Lines, or samples of a line, written unchanged because a value that the rule multiplies is not
    /// a number. They are neither `untouched` nor counted as written by the rule.
    pub not_numbers: u64,
    /// Lines, or samples of a line, dropped as [`DropReason::SkippedValue`].
    pub skipped: u64,
    /// Lines, or samples of a line, dropped as [`DropReason::Implied`].
    pub implied: u64,
    /// Counts of each rule, indexed by its id.
    pub rules: Vec<RuleCount>,
}

/// Why a line, or a sample of a line, has no output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DropReason {
    /// Its value means "no value", and the emitted generation does not send such lines.
    SkippedValue,
    /// Other lines of the sender carry the same information.
    Implied,
}

impl DropReason {
    /// The reason as a metric label value.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            DropReason::SkippedValue => "skipped_value",
            DropReason::Implied => "implied",
        }
    }

    /// The reason in words, for reports: a clause without a full stop.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            DropReason::SkippedValue => "the rule skips its value, which means none",
            DropReason::Implied => "other lines of the output imply it",
        }
    }
}

/// Counts of one rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RuleCount {
    /// Lines read.
    pub read: u64,
    /// Lines written, kept lines not included.
    pub written: u64,
}

impl Report {
    pub(super) fn new(plan: &StatsdPlan) -> Report {
        Report { rules: vec![RuleCount::default(); plan.rules.len()], ..Report::default() }
    }

    /// Dropped lines by reason.
    #[must_use]
    pub fn dropped(&self) -> [(DropReason, u64); 2] {
        [(DropReason::SkippedValue, self.skipped), (DropReason::Implied, self.implied)]
    }

    #[inline]
    pub(super) fn count_dropped(&mut self, reason: DropReason) {
        match reason {
            DropReason::SkippedValue => self.skipped += 1,
            DropReason::Implied => self.implied += 1,
        }
    }

    #[inline]
    pub(super) fn count(&mut self, rule: LineRuleId, written: u64) {
        let count = &mut self.rules[rule.0 as usize];
        count.read += 1;
        count.written += written;
    }
}
