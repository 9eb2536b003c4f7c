//! The `StatsD` engine: a datagram in, the lines of the emitted generation out.
//!
//! ```text
//! datagram → lines → reading → rule ─┬─ none, or kept: the input bytes
//!                                    └─ applied: other names, one line or several
//! ```
//!
//! Like the exposition engine it knows no I/O, no clock and no metric name: the [`StatsdPlan`]
//! defines how lines are rewritten, the [`Report`] counts what happened.
//!
//! - A datagram that no rule changes is not copied.
//! - Nothing is allocated per line.
//! - Lines are never joined or reordered, because gauges depend on their order.
//!
//! [`StatsdPlan`]: crate::mapping::StatsdPlan

mod explain;
mod line_writer;
mod matcher;
mod output;
mod piece_buffer;
mod recorder;
mod report;
mod rewriter;
mod scaled;
mod sender;
mod short_lines;
mod tag_values;

pub use explain::{ExplainedLine, LineOutcome, MatchedRule};
pub use report::{DropReason, Report, RuleCount};
pub use rewriter::{Outcome, Rewriter};
pub use sender::Sender;
