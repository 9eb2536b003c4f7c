//! Errors, with what to do.

use super::range;
use crate::tools::backfill::Error;

/// An error, with what to do.
pub(super) fn advised(error: Error) -> anyhow::Error {
    match error {
        Error::Exists { series, first, time } => anyhow::anyhow!(
            "{series} has samples from {} on, and would get another one at {}; end the range before \
             that (--end), or add samples at other times than those that are stored \
             (--keep-existing)",
            range::shown(first),
            range::shown(time)
        ),
        Error::Scrape { target, time, source } => {
            anyhow::Error::new(source).context(format!("{target} at {}", range::shown(time)))
        }
        Error::Sort { .. } => {
            anyhow::Error::new(error).context("the folder for sorting (--spill-dir) cannot be used")
        }
        other => other.into(),
    }
}
