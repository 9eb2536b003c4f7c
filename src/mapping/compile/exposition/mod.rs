//! Compiles rules for families, with the settings, into a [`Plan`].
//!
//! ```text
//! packs ── chain ──> stages ── active ──> rules ── check ──> errors, or ── build ──> Plan
//!                         labels, buckets ─┘
//!                                 reduction ──> Plan for the output of that one
//! ```

pub(in crate::mapping) mod active;
mod buckets;
mod build;
pub(super) mod check;
mod expected;
pub(super) mod index;
mod labels;
mod lost_values;
pub(in crate::mapping) mod patterns;
pub(super) mod reduction;
#[cfg(test)]
mod tests;
pub(super) mod units;
pub(in crate::mapping) mod variables;
pub(super) mod warnings;

use std::borrow::Cow;
use std::sync::Arc;

use crate::document::{Diagnostic, Diagnostics};
use crate::mapping::Pack;
use crate::mapping::chain::Chain;
use crate::mapping::emitted::Emitted;
use crate::mapping::plan::exposition::Plan;
use crate::mapping::settings::Settings;
use active::{active_patterns, active_rules};
use index::RuleIndex;

/// Compiles packs for the emitted generation(s). Later packs extend earlier ones: a rule replaces
/// the rule of an earlier pack that reads the same samples. Packs that follow others have a stage of
/// their own.
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
    let chain = Chain::new(packs).map_err(|error| Diagnostics(vec![error]))?;
    let mut errors = check::fill(packs, settings);
    errors.extend(reduction::errors(packs));
    let mut next = reduction::plan(packs, settings).map(Arc::new);
    let stages = match chain.stages(settings.emit) {
        Ok(stages) => stages,
        Err(error) => {
            // The errors of the packs are reported too.
            errors.splice(..0, chain.levels().iter().flat_map(|packs| errors_of(packs)));
            errors.push(error);
            return Err(Diagnostics(errors));
        }
    };
    let (mut plan, mut of_packs) = (None, Vec::new());
    for stage in stages.iter().rev() {
        next = plan.take().map(Arc::new).or(next);
        let used: Cow<'_, [Pack]> = match stage.packs.len() {
            all if all == packs.len() => Cow::Borrowed(packs),
            _ => stage.packs.iter().map(|place| packs[*place].clone()).collect(),
        };
        match compile_stage(&used, stage.emitted, settings) {
            Ok(mut compiled) => {
                if stages.len() > 1 {
                    let last: Vec<&str> =
                        stage.last.iter().map(|place| packs[*place].name()).collect();
                    let names: Vec<String> =
                        compiled.packs.iter().map(|pack| pack.name.clone()).collect();
                    compiled.expected.retain(|it| last.contains(&names[it.pack].as_str()));
                }
                compiled.next = next.take();
                plan = Some(compiled);
            }
            Err(found) => of_packs.splice(..0, found).for_each(drop),
        }
    }
    errors.splice(..0, of_packs);
    match plan {
        _ if !errors.is_empty() => Err(Diagnostics(errors)),
        Some(plan) => Ok(plan),
        None => Ok(Plan { next, ..Plan::default() }),
    }
}

/// All errors of packs that are compiled together.
pub(in crate::mapping) fn errors_of(packs: &[Pack]) -> Vec<Diagnostic> {
    let rules = active_rules(packs);
    check::errors(packs, &RuleIndex::new(&rules), &active_patterns(packs))
}

/// Compiles packs that are compiled together.
fn compile_stage(
    packs: &[Pack],
    emitted: Emitted,
    settings: &Settings,
) -> Result<Plan, Vec<Diagnostic>> {
    let rules = active_rules(packs);
    let index = RuleIndex::new(&rules);
    let patterns = active_patterns(packs);
    let errors = check::errors(packs, &index, &patterns);
    if !errors.is_empty() {
        return Err(errors);
    }
    let mut plan = build::plan(packs, &index, emitted, settings);
    patterns::add_to(&mut plan, &rules, &patterns, emitted, settings);
    expected::complete(packs, &patterns, &mut plan);
    Ok(plan)
}
