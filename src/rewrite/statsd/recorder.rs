//! What the engine reports to a recorder for the lines of a datagram.

use crate::mapping::plan::statsd::LineRuleId;
use crate::rewrite::statsd::report::DropReason;

/// Receives the decisions of [`Rewriter::rewrite`](super::Rewriter::rewrite) as they are made.
///
/// The hot path passes `()`, for which every call compiles to nothing; `explain` passes a recorder
/// that keeps what it receives. Both therefore run the same code.
pub(super) trait Recorder {
    /// Whether [`replaced`](Self::replaced) needs the output of each line.
    const READS_OUTPUT: bool = true;

    /// The walk tries a reading of the line. Rules recorded for an earlier reading do not apply.
    #[inline]
    fn reading(&mut self) {}

    /// A rule matches the line, or one of its samples.
    #[inline]
    fn matched(&mut self, _rule: LineRuleId) {}

    /// The line, or one of its samples, writes no output.
    #[inline]
    fn dropped(&mut self, _reason: DropReason) {}

    /// The line, or one of its samples, is written unchanged, because its value is not a number and
    /// the rule writes another unit.
    #[inline]
    fn not_a_number(&mut self) {}

    /// The line is forwarded unchanged.
    #[inline]
    fn unchanged(&mut self, _line: &[u8], _reason: Unchanged) {}

    /// The line is replaced by `output`: whole lines, or nothing.
    #[inline]
    fn replaced(&mut self, _line: &[u8], _output: &[u8]) {}
}

impl Recorder for () {
    const READS_OUTPUT: bool = false;
}

/// Why a line is forwarded unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unchanged {
    /// No rule matches it.
    NoRule,
    /// It has no name, no value or no type.
    Unreadable,
    /// A rule matches it and keeps it.
    Kept,
}
