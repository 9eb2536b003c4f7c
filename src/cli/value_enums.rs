//! Values of flags that `audit` and `verify` share.

use clap::ValueEnum;

use crate::mapping::Generation;

/// A generation as the value of a flag.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum GenerationFlag {
    /// The generation before the upgrade.
    Old,
    /// The generation after the upgrade.
    New,
}

impl From<GenerationFlag> for Generation {
    fn from(flag: GenerationFlag) -> Generation {
        match flag {
            GenerationFlag::Old => Generation::Old,
            GenerationFlag::New => Generation::New,
        }
    }
}

/// The format of the output.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Format {
    /// A table to read.
    Table,
    /// JSON for programs.
    Json,
}
