//! Rewrites samples that are stored in a time series database, as scrapes are rewritten.
//!
//! ```text
//! source → records → sorter: by window, target and time → expositions → engine → output
//! ```
//!
//! A database returns the samples of one series after the other. The engine needs all series that a
//! target had at one time: counters are added up, split and converted over a whole exposition. So the
//! samples are sorted, on disk if they do not fit in memory, and the samples of one target at one time
//! are rewritten like the scrape that they come from, with what the scrape before it has left
//! ([`History`](crate::rewrite::exposition::History)). Prometheus gives all samples of a scrape the same time, and writes `up` at that time
//! with the labels of the target.
//!
//! Only samples that are not stored are written: no series changes and none is written twice.

mod converter;
mod families;
mod labels;
mod options;
mod output;
mod record;
mod run;
mod sorter;
mod source;
mod table;
mod target;
mod written;

pub use converter::Totals;
pub use options::{Error, Existing, Options};
pub use output::{Discard, ImportLines, OpenMetrics, Output, WrittenSeries};
pub use run::{Backfill, Portion};
pub use source::{Ignored, InputError, QueryError, query_response, read_samples};
