//! Values of flags that `audit` and `verify` share.

use clap::ValueEnum;

/// The format of the output.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Format {
    /// A table to read.
    Table,
    /// JSON for programs.
    Json,
}
