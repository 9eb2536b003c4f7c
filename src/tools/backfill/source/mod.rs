//! Where stored samples come from.

mod dump;
mod export;
mod lines;
mod query;

use std::io::BufRead;

pub use lines::{Ignored, InputError};
pub use query::{QueryError, query_response};

use crate::tools::backfill::run::Backfill;
use lines::Lines;

/// Reads samples from a dump of `promtool tsdb dump-openmetrics` or `promtool tsdb dump`, or from lines
/// of `/api/v1/export` of `VictoriaMetrics`. The first line tells which of them it is.
///
/// Calls `progress` with the number of bytes read now and then.
///
/// # Errors
///
/// The source cannot be read, or a line of it cannot be understood.
pub fn read_samples(
    source: impl BufRead,
    to: &mut Backfill,
    progress: &mut dyn FnMut(u64),
) -> Result<Ignored, InputError> {
    let mut lines = Lines::new(source, progress);
    let is_export = lines.peek()?.starts_with(br#"{"metric""#);
    if is_export { export::read(&mut lines, to) } else { dump::read(&mut lines, to) }
}
