//! Packs' entries for families and settings in, a [`Plan`] out.
//!
//! ```text
//! packs ── active ──> entries ── check ──> faults, or ── build ──> Plan
//!                                  └─ labels ─┘
//! ```

pub(in crate::mapping) mod active;
mod build;
pub(super) mod check;
mod expected;
mod labels;
#[cfg(test)]
mod tests;
pub(super) mod warnings;

use crate::document::Diagnostics;
use crate::mapping::Pack;
use crate::mapping::plan::exposition::Plan;
use crate::mapping::settings::Settings;
use active::in_force;

/// Compiles packs for the emitted generation(s). Later packs extend earlier ones: an entry that reads
/// the same samples as an earlier pack's entry takes its place.
///
/// # Errors
///
/// Everything that is wrong with the packs as a whole, whatever the settings ask for: a pack that
/// compiles for one generation compiles for the others.
pub fn compile(packs: &[Pack], settings: &Settings) -> Result<Plan, Diagnostics> {
    let entries = in_force(packs);
    let faults = check::faults(&entries, settings);
    if faults.is_empty() {
        Ok(build::plan(packs, &entries, settings))
    } else {
        Err(Diagnostics(faults))
    }
}
