//! Compiles `StatsD` rules, with the settings, into a [`StatsdPlan`].
//!
//! ```text
//! packs ── active ──> readers ── check ──> errors, or ── build ──> StatsdPlan
//!                                   └─ overlap ─┘
//! ```

mod active;
mod build;
mod candidates;
mod check;
mod overlap;
#[cfg(test)]
mod tests;
mod warnings;

use crate::document::{Diagnostic, Diagnostics};
use crate::mapping::Pack;
use crate::mapping::emitted::Emitted;
use crate::mapping::plan::statsd::StatsdPlan;
use crate::mapping::settings::StatsdSettings;

/// Compiles packs for the emitted generation(s). Later packs extend earlier ones: a rule replaces
/// the rule of an earlier pack that reads the same lines.
///
/// # Errors
///
/// All errors of the packs as a whole, whatever is emitted.
///
/// ```
/// use crossfade::mapping::{Emit, Pack, StatsdSettings, compile_statsd};
///
/// let pack = r#"
/// name: demo
/// statsd: [{ old: "{app}.hits:c", new: "app.{app}.hits:c" }]
/// "#;
/// let pack = Pack::parse("demo.yaml", pack)?;
/// let plan = compile_statsd(&[pack], &StatsdSettings::new(Emit::New))?;
/// assert_eq!(plan.rules[0].title, "{app}.hits:c -> app.{app}.hits:c");
/// # Ok::<(), crossfade::document::Diagnostics>(())
/// ```
pub fn compile_statsd(
    packs: &[Pack],
    settings: &StatsdSettings,
) -> Result<StatsdPlan, Diagnostics> {
    let rules = active::active_rules(packs);
    let prefixes = active::prefixes(&settings.prefixes)?;
    let readers = active::readers(&rules, &prefixes);
    let ambiguous = check::check(packs, &rules, &readers, &prefixes)?;
    let emitted = Emitted::new(settings.emit, packs).map_err(|error| Diagnostics(vec![error]))?;
    Ok(build::plan(packs, &rules, &readers, &ambiguous, (emitted, settings)))
}

/// Warnings about what a round trip of lines loses.
pub(super) fn warnings(packs: &[Pack]) -> Vec<Diagnostic> {
    warnings::of_rules(&active::active_rules(packs))
}
