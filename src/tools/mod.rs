//! Offline checks: they use the core and no network.

#[cfg(feature = "tools")]
pub mod audit;
#[cfg(feature = "tools")]
pub mod backfill;
mod estimates;
#[cfg(feature = "tools")]
mod hints;
#[cfg(feature = "tools")]
pub mod pack_tests;
#[cfg(feature = "tools")]
pub mod query_log;
#[cfg(feature = "tools")]
pub mod removal;
#[cfg(feature = "tools")]
pub mod rules;
#[cfg(feature = "tools")]
pub mod verify;
mod wrap;

pub use estimates::{at_most_wrong, estimate_text};
pub(crate) use wrap::{Indent, WIDTH, rule_title, wrap};
