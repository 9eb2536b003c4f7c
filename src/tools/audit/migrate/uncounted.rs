//! Samples that only one generation counts: a migrated query must not gain or lose them.

use super::input::Input;
use crate::mapping::{Correspondence, Generation};
use crate::tools::audit::only_here::{Selecting, Selects, shown};
use crate::tools::audit::promql::{Matcher, Selector};

/// The matchers that exclude what only the target counts.
///
/// # Errors
///
/// The target counts such samples, and they cannot be excluded.
pub(super) fn excluding_matchers(
    input: &Input<'_>,
    selector: &Selector,
    rule: &Correspondence,
) -> Result<Vec<String>, String> {
    let to = input.from.other();
    let mut added = Vec::new();
    for samples in &rule.side(to).only_here {
        if is_never_listed(input, samples) {
            continue;
        }
        match selecting(input, selector, rule, to).selects(samples) {
            Selects::Also(matcher) if !added.contains(&matcher) => added.push(matcher),
            Selects::No | Selects::Also(_) => {}
            Selects::Only => {
                return Err(format!(
                    "it selects only samples that the {} generation does not count: {}",
                    input.from.as_str(),
                    shown(&rule.side(to).family, samples)
                ));
            }
            Selects::Inseparable => {
                return Err(format!(
                    "{} counts samples that no matcher excludes: {}",
                    rule.side(to).family,
                    shown(&rule.side(to).family, samples)
                ));
            }
        }
    }
    Ok(added)
}

/// A selector must not select what only its own generation counts.
///
/// # Errors
///
/// It does.
pub(super) fn check_counted(
    input: &Input<'_>,
    selector: &Selector,
    rule: &Correspondence,
) -> Result<(), String> {
    let from = input.from;
    for samples in rule.side(from).only_here.iter().filter(|it| !is_never_listed(input, it)) {
        let hint = match selecting(input, selector, rule, from).selects(samples) {
            Selects::No => continue,
            Selects::Also(matcher) => format!("; to leave them out, add {matcher}"),
            Selects::Only | Selects::Inseparable => String::new(),
        };
        return Err(format!(
            "it selects samples that the {} generation does not count: {}{hint}",
            from.other().as_str(),
            shown(&rule.side(from).family, samples)
        ));
    }
    Ok(())
}

/// True if a matcher only excludes what the target does not count anyway.
pub(super) fn is_superfluous(input: &Input<'_>, rule: &Correspondence, matcher: &Matcher) -> bool {
    matcher.op == "!="
        && rule.side(input.from).only_here.iter().any(|samples| match &samples[..] {
            [(label, value)] => input.label(matcher) == label && matcher.value == *value,
            _ => false,
        })
}

/// `label_values` does not list empty values.
fn is_never_listed(input: &Input<'_>, samples: &[(String, String)]) -> bool {
    samples.iter().any(|(label, value)| value.is_empty() && input.values_of == Some(label))
}

/// The selector of the query, and the side of the rule that has the samples.
fn selecting<'a>(
    input: &Input<'a>,
    selector: &'a Selector,
    rule: &'a Correspondence,
    generation: Generation,
) -> Selecting<'a> {
    Selecting {
        query: input.text,
        selector,
        templated: input.templated,
        shape: rule.side(generation),
        written_for: (generation != input.from).then(|| rule.side(input.from)),
    }
}
