//! Offline checks: they use the core and no network.

pub mod audit;
pub mod backfill;
mod estimates;
mod hints;
pub mod pack_tests;
pub mod query_log;
pub mod removal;
pub mod rules;
pub mod verify;
mod wrap;

pub use estimates::{at_most_wrong, estimate_text};
pub(crate) use wrap::{Indent, WIDTH, rule_title, wrap};
