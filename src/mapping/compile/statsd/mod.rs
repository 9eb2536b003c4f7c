//! Packs' `StatsD` entries and settings in, a [`StatsdPlan`] out.
//!
//! ```text
//! packs ── readers ──> readers ── check ──> faults, or ── build ──> StatsdPlan
//!                                   └─ overlap ─┘
//! ```

mod build;
mod check;
mod notes;
mod overlap;
mod readers;
#[cfg(test)]
mod tests;

use crate::mapping::Pack;
use crate::mapping::fault::{Faults, Note};
use crate::mapping::plan::Emit;
use crate::mapping::statsd::StatsdPlan;
use crate::statsd::Dialect;

/// What is not said by packs: the operator's choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatsdSettings {
    /// The generation(s) that leave.
    pub emit: Emit,
    /// The prefixes that names have, in place of the packs'. `{x}` is a segment that varies.
    pub prefixes: Vec<String>,
    /// Write the new generation with tags where that is exact: a line for a line.
    pub tags: Option<Dialect>,
}

impl StatsdSettings {
    /// Every choice but the emitted generation at its default.
    #[must_use]
    pub fn new(emit: Emit) -> StatsdSettings {
        StatsdSettings { emit, prefixes: Vec::new(), tags: None }
    }
}

/// Compiles packs for the emitted generation(s). Later packs extend earlier ones: an entry that reads
/// the same lines as an earlier pack's entry takes its place.
///
/// # Errors
///
/// Everything that is wrong with the packs as a whole, whatever is to be emitted.
pub fn compile_statsd(packs: &[Pack], settings: &StatsdSettings) -> Result<StatsdPlan, Faults> {
    let entries = readers::in_force(packs);
    let prefixes = readers::prefixes(&settings.prefixes)?;
    let readers = readers::readers(&entries, &prefixes);
    let rivals = check::rivals(packs, &entries, &readers, &prefixes)?;
    Ok(build::plan(packs, &entries, &readers, &rivals, settings))
}

/// What a round trip of lines loses.
pub(super) fn notes(packs: &[Pack]) -> Vec<Note> {
    notes::of_entries(&readers::in_force(packs))
}
