//! Packs and settings in, a plan out: one for expositions, one for `StatsD` lines.

pub(super) mod exposition;
mod statsd;

pub use exposition::compile;
pub use statsd::compile_statsd;

use super::Pack;
use super::generation::Emit;
use super::settings::{Settings, StatsdSettings};
use crate::document::{Diagnostic, Diagnostics};

/// Everything that is wrong with packs as a whole, of families and of lines.
///
/// `incomplete`: entries are missing, because they are wrong in themselves. What others say of them is then not
/// looked at.
#[must_use]
pub fn check(packs: &[Pack], incomplete: bool) -> Vec<Diagnostic> {
    let entries = exposition::active::in_force(packs);
    let mut faults = if incomplete {
        exposition::check::pairs(&entries)
    } else {
        exposition::check::faults(&entries, &Settings::new(Emit::Both))
    };
    if let Err(Diagnostics(lines)) = compile_statsd(packs, &StatsdSettings::new(Emit::Both)) {
        faults.extend(lines);
    }
    faults
}

/// What is worth knowing of packs that are right: what a round trip from one generation to the other and back
/// loses, and what cannot be told without seeing a scrape.
#[must_use]
pub fn notes(packs: &[Pack]) -> Vec<Diagnostic> {
    let mut notes = exposition::warnings::of_entries(&exposition::active::in_force(packs));
    notes.extend(statsd::notes(packs));
    notes
}
