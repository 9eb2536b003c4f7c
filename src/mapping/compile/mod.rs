//! Compiles packs and settings into plans: one for expositions, one for `StatsD` lines.

pub(super) mod exposition;
mod statsd;

pub use exposition::compile;
pub use statsd::compile_statsd;

use super::chain::{self, Chain};
use super::emitted::Emitted;
use super::generation::Emit;
use super::pack::Pack;
use super::settings::{Settings, StatsdSettings};
use crate::document::{Diagnostic, Diagnostics};
use exposition::active::active_patterns;
use exposition::index::RuleIndex;

/// All errors of packs as a whole, for expositions and for lines.
///
/// `incomplete`: rules are missing because they are invalid. References to other rules are then not
/// checked.
///
/// ```
/// use crossfade::mapping::{Pack, check};
///
/// let pack = "name: demo\nprometheus: [{ old: a, new: b }, { old: a, new: c }]";
/// let pack = Pack::parse("demo.yaml", pack)?;
/// assert!(!check(&[pack], false).is_empty(), "two rules read `a`");
/// # Ok::<(), crossfade::document::Diagnostics>(())
/// ```
#[must_use]
pub fn check(packs: &[Pack], incomplete: bool) -> Vec<Diagnostic> {
    let chain = match Chain::new(packs) {
        Ok(chain) => chain,
        Err(error) => return vec![error],
    };
    let of_level = |packs: Vec<Pack>| {
        if incomplete {
            let rules = exposition::active::active_rules(&packs);
            exposition::check::pairs(&RuleIndex::new(&rules))
        } else {
            exposition::errors_of(&packs)
        }
    };
    let mut errors: Vec<Diagnostic> = chain.levels().into_iter().flat_map(of_level).collect();
    if !incomplete {
        errors.extend(exposition::reduction::errors(packs));
    }
    if let Err(Diagnostics(lines)) = compile_statsd(packs, &StatsdSettings::new(Emit::Both)) {
        errors.extend(lines);
    }
    if !incomplete {
        errors.extend(unknown_editions(packs));
    }
    errors
}

/// Test cases that emit an edition that no pack declares.
fn unknown_editions(packs: &[Pack]) -> impl Iterator<Item = Diagnostic> {
    let tests = packs.iter().flat_map(Pack::tests);
    tests.filter_map(|test| {
        let error = Emitted::new(test.emitted(), packs).err()?;
        Some(error.at(test.emit.clone()))
    })
}

/// Warnings about valid packs: what a round trip from one generation to the other loses, and what
/// cannot be known without a scrape.
///
/// ```
/// use crossfade::mapping::{Pack, warnings};
///
/// let pack = "name: demo\nprometheus: [{ old: 'a{x=\"1\", kind}', new: b, type: counter }]";
/// let pack = Pack::parse("demo.yaml", pack)?;
/// assert!(warnings(&[pack])[0].message.contains("loses `kind`"));
/// # Ok::<(), crossfade::document::Diagnostics>(())
/// ```
#[must_use]
pub fn warnings(packs: &[Pack]) -> Vec<Diagnostic> {
    let of_level = |packs: Vec<Pack>| {
        let rules = exposition::active::active_rules(&packs);
        let mut warnings = exposition::warnings::of_rules(&rules);
        warnings.extend(exposition::warnings::of_patterns(&active_patterns(&packs)));
        warnings.extend(exposition::warnings::of_only_in(&packs, &rules));
        warnings
    };
    let levels = Chain::new(packs).map(|chain| chain.levels()).unwrap_or_default();
    let mut warnings: Vec<Diagnostic> = levels.into_iter().flat_map(of_level).collect();
    warnings.extend(exposition::reduction::warnings(packs));
    warnings.extend(chain::not_followed(packs));
    warnings.extend(statsd::warnings(packs));
    warnings
}
