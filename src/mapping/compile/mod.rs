//! Packs and settings in, a [`Plan`] out.
//!
//! ```text
//! packs ── force ──> entries ── check ──> faults, or ── build ──> Plan
//!                                  └─ edits ─┘
//! ```

mod build;
mod check;
mod edits;
mod expected;
mod force;
mod notes;
mod statsd;
#[cfg(test)]
mod tests;

pub(super) use force::{InForce, in_force};
pub use statsd::{StatsdSettings, compile_statsd};

use std::collections::BTreeMap;

use super::Pack;
use super::fault::{Fault, Faults, Note};
use super::plan::{BucketPolicy, Emit, Plan};

/// What is not said by packs: the operator's choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The generation(s) that leave.
    pub emit: Emit,
    /// Boundaries of converted histograms.
    pub buckets: BucketPolicy,
    /// Values for labels that the generation read does not have, by label. An empty value is written as
    /// an empty value.
    pub fill: BTreeMap<String, String>,
}

impl Settings {
    /// Every choice but the emitted generation at its default.
    #[must_use]
    pub fn new(emit: Emit) -> Settings {
        Settings { emit, buckets: BucketPolicy::default(), fill: BTreeMap::new() }
    }
}

/// Compiles packs for the emitted generation(s). Later packs extend earlier ones: an entry that reads
/// the same samples as an earlier pack's entry takes its place.
///
/// # Errors
///
/// Everything that is wrong with the packs as a whole, whatever the settings ask for: a pack that
/// compiles for one generation compiles for the others.
pub fn compile(packs: &[Pack], settings: &Settings) -> Result<Plan, Faults> {
    let entries = in_force(packs);
    let faults = check::faults(&entries, settings);
    if faults.is_empty() { Ok(build::plan(packs, &entries, settings)) } else { Err(Faults(faults)) }
}

/// Everything that is wrong with packs as a whole, of families and of lines.
///
/// `incomplete`: entries are missing, because they are wrong in themselves. What others say of them is then not
/// looked at.
#[must_use]
pub fn check(packs: &[Pack], incomplete: bool) -> Vec<Fault> {
    let entries = force::in_force(packs);
    let mut faults = if incomplete {
        check::pairs(&entries)
    } else {
        check::faults(&entries, &Settings::new(Emit::Both))
    };
    if let Err(Faults(lines)) = compile_statsd(packs, &StatsdSettings::new(Emit::Both)) {
        faults.extend(lines);
    }
    faults
}

/// What is worth knowing of packs that are right: what a round trip from one generation to the other and back
/// loses, and what cannot be told without seeing a scrape.
#[must_use]
pub fn notes(packs: &[Pack]) -> Vec<Note> {
    let mut notes = notes::of_entries(&force::in_force(packs));
    notes.extend(statsd::notes(packs));
    notes
}
