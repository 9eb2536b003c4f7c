//! Compiles rules for families, with the settings, into a [`Plan`].
//!
//! ```text
//! packs ── active ──> rules ── check ──> errors, or ── build ──> Plan
//!                         labels, buckets ─┘
//! ```

pub(in crate::mapping) mod active;
mod buckets;
mod build;
pub(super) mod check;
mod expected;
pub(super) mod index;
mod labels;
pub(super) mod patterns;
#[cfg(test)]
mod tests;
mod units;
pub(super) mod warnings;

use crate::document::Diagnostics;
use crate::mapping::Pack;
use crate::mapping::emitted::Emitted;
use crate::mapping::plan::exposition::Plan;
use crate::mapping::settings::Settings;
use active::{active_patterns, active_rules};
use index::RuleIndex;

/// Compiles packs for the emitted generation(s). Later packs extend earlier ones: a rule replaces
/// the rule of an earlier pack that reads the same samples.
///
/// # Errors
///
/// All errors of the packs as a whole, whatever is emitted: a pack that compiles for one generation
/// compiles for all.
///
/// ```
/// use crossfade::mapping::{Emit, Pack, Settings, compile};
///
/// let pack = r#"
/// name: demo
/// prometheus: [{ old: app_hits, new: app_hits_total }]
/// "#;
/// let pack = Pack::parse("demo.yaml", pack)?;
/// let plan = compile(&[pack], &Settings::new(Emit::New))?;
/// assert_eq!(plan.rules[0].title, "app_hits -> app_hits_total");
/// # Ok::<(), crossfade::document::Diagnostics>(())
/// ```
pub fn compile(packs: &[Pack], settings: &Settings) -> Result<Plan, Diagnostics> {
    let rules = active_rules(packs);
    let index = RuleIndex::new(&rules);
    let patterns = active_patterns(packs);
    let mut errors = check::errors(packs, &index, &patterns, settings);
    match Emitted::new(settings.emit, packs) {
        Ok(emitted) if errors.is_empty() => {
            let mut plan = build::plan(packs, &index, emitted, settings);
            patterns::add_to(&mut plan, &rules, &patterns, emitted, settings);
            Ok(plan)
        }
        emitted => {
            errors.extend(emitted.err());
            Err(Diagnostics(errors))
        }
    }
}
