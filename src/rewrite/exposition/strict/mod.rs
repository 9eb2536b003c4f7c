//! Strict output: what the engine writes is held, and written in the order that the strictest
//! readers of the format require.
//!
//! ```text
//! engine → lines → names, label sets, values … end of the input … → families → groups → output
//! ```
//!
//! - Each family is in one place, after at most one `# HELP` and one `# TYPE`.
//! - A histogram is grouped by label set: `le` ascending up to `+Inf`, then `_sum` and `_count`.
//! - A bucket that is missing below the last one takes the count of the bucket below, if a pack knows
//!   the layout. `+Inf` and `_count` take the value of each other.
//! - Each series is written once.
//! - Label values and help texts have only the escapes that all parsers know.
//!
//! Samples that cannot be written like this are dropped and counted. Comments and blank lines are
//! dropped.

mod collection;
mod families;
mod group;
mod held_samples;
mod histogram;
mod layout;
mod names;
mod reader;
mod single;
mod stage;
mod suffix;
mod text;
mod writer;

pub(super) use stage::Strict;
