//! Packs' `StatsD` entries and settings in, a [`StatsdPlan`] out.
//!
//! ```text
//! packs ── active ──> readers ── check ──> faults, or ── build ──> StatsdPlan
//!                                   └─ overlap ─┘
//! ```

mod active;
mod build;
mod check;
mod overlap;
#[cfg(test)]
mod tests;
mod warnings;

use crate::document::{Diagnostic, Diagnostics};
use crate::mapping::Pack;
use crate::mapping::plan::statsd::StatsdPlan;
use crate::mapping::settings::StatsdSettings;

/// Compiles packs for the emitted generation(s). Later packs extend earlier ones: an entry that reads
/// the same lines as an earlier pack's entry takes its place.
///
/// # Errors
///
/// Everything that is wrong with the packs as a whole, whatever is to be emitted.
pub fn compile_statsd(
    packs: &[Pack],
    settings: &StatsdSettings,
) -> Result<StatsdPlan, Diagnostics> {
    let entries = active::in_force(packs);
    let prefixes = active::prefixes(&settings.prefixes)?;
    let readers = active::readers(&entries, &prefixes);
    let rivals = check::rivals(packs, &entries, &readers, &prefixes)?;
    Ok(build::plan(packs, &entries, &readers, &rivals, settings))
}

/// What a round trip of lines loses.
pub(super) fn notes(packs: &[Pack]) -> Vec<Diagnostic> {
    warnings::of_entries(&active::in_force(packs))
}
