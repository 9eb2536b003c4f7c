//! Selectors whose series name is a pattern: a `__name__` matcher, or a name with a variable.

use std::ops::Range;

use crate::mapping::Generation;
use crate::tools::audit::catalog::Catalog;
use crate::tools::audit::matching::{Match, matches};
use crate::tools::audit::promql::Matcher;
use crate::tools::audit::template_vars::{MaskedQuery, parts_around_variables};
use crate::tools::audit::vector_use::SelectorUse;

/// For each selector with a name pattern, the first family of each generation that it matches.
/// Families that both generations have are not considered.
pub(super) fn matched_families(
    catalog: &Catalog,
    query: &str,
    masked: &MaskedQuery,
    uses: &[SelectorUse<'_>],
) -> Vec<(Generation, String)> {
    let mut found = Vec::new();
    for usage in uses {
        let name = usage.selector.name.as_ref();
        let parts = name.filter(|at| masked.has_variable(at)).map(|at| parts(query, masked, at));
        let matchers: Vec<_> = match (name, &parts) {
            (Some(_), None) => continue,
            (Some(_), Some(_)) => Vec::new(),
            (None, _) => {
                let matchers = usage.selector.matchers.iter();
                let matchers =
                    matchers.filter(|it| query.get(it.label.clone()) == Some("__name__"));
                matchers
                    .map(|it| if masked.is_templated { widened(it) } else { it.clone() })
                    .collect()
            }
        };
        if parts.is_none() && matchers.is_empty() {
            continue;
        }
        let matches_name = |name: &str| match &parts {
            Some(parts) => has_parts(name, parts),
            None => matchers.iter().all(|it| matches(it, name, false) == Match::Yes),
        };
        found.extend(first_families(catalog, &matches_name));
    }
    found
}

/// For each selector with a name pattern, a pattern of a rule in each generation whose families it may
/// match.
pub(super) fn near_patterns(
    catalog: &Catalog,
    query: &str,
    masked: &MaskedQuery,
    uses: &[SelectorUse<'_>],
) -> Vec<(Generation, String)> {
    let mut found = Vec::new();
    for usage in uses {
        let prefix = match &usage.selector.name {
            Some(at) if masked.has_variable(at) => parts(query, masked, at).swap_remove(0),
            Some(_) => continue,
            None => {
                let matchers = usage.selector.matchers.iter().filter(|it| it.op == "=~");
                let mut names =
                    matchers.filter(|it| query.get(it.label.clone()) == Some("__name__"));
                let Some(matcher) = names.next() else { continue };
                let variable = parts_around_variables(&matcher.value).swap_remove(0);
                literal_prefix(variable).to_owned()
            }
        };
        if prefix.is_empty() {
            // As for families: it is not a query of a pack's families.
            continue;
        }
        let near = |generation| {
            let pattern = catalog.pattern_near(&prefix, generation)?;
            Some((generation, pattern.to_owned()))
        };
        found.extend([Generation::Old, Generation::New].into_iter().filter_map(near));
    }
    found
}

/// The text that every match of a regular expression begins with, as far as it is plain.
pub(in crate::tools::audit) fn literal_prefix(regex: &str) -> &str {
    if regex.contains('|') && !regex.contains('(') {
        return "";
    }
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let end = regex.find(|c| !is_plain(c)).unwrap_or(regex.len());
    let (prefix, rest) = regex.split_at(end);
    // A character that may be missing.
    if rest.starts_with(['?', '*', '{']) {
        return prefix.get(..prefix.len().saturating_sub(1)).unwrap_or_default();
    }
    prefix
}

/// The first family of each generation that a pattern of names matches.
pub(in crate::tools::audit) fn first_families(
    catalog: &Catalog,
    matches_name: &dyn Fn(&str) -> bool,
) -> Vec<(Generation, String)> {
    // A pattern that any name matches is not a query of a pack's families.
    if ["up", "node_load1"].iter().all(|name| matches_name(name)) {
        return Vec::new();
    }
    let matches_family =
        |family: &&str| catalog.series_names(family).iter().any(|name| matches_name(name));
    let first = |generation| {
        let family = catalog.only_in(generation).into_iter().find(matches_family);
        family.map(|family| (generation, family.to_owned()))
    };
    [Generation::Old, Generation::New].into_iter().filter_map(first).collect()
}

/// A matcher that matches whatever its variables stand for.
fn widened(matcher: &Matcher) -> Matcher {
    let parts = parts_around_variables(&matcher.value);
    if parts.len() == 1 {
        return matcher.clone();
    }
    let value = match matcher.op {
        "=" => parts.iter().map(|part| regex::escape(part)).collect::<Vec<_>>().join(".*"),
        "=~" => parts.join(".*"),
        // It may exclude any name, or none.
        _ => ".*".to_owned(),
    };
    Matcher { op: "=~", value, ..matcher.clone() }
}

/// The parts of a name before, between and after its variables.
fn parts(query: &str, masked: &MaskedQuery, name: &Range<usize>) -> Vec<String> {
    let (mut parts, mut from) = (Vec::new(), name.start);
    for variable in
        masked.variables.iter().filter(|it| name.start <= it.start && it.end <= name.end)
    {
        parts.push(query.get(from..variable.start).unwrap_or_default().to_owned());
        from = variable.end;
    }
    parts.push(query.get(from..name.end).unwrap_or_default().to_owned());
    parts
}

/// True if a name consists of these parts in order, with any text between them. A name that is only
/// a variable could be anything, so it matches nothing.
fn has_parts(name: &str, parts: &[String]) -> bool {
    let (Some(first), Some(last)) = (parts.first(), parts.last()) else { return false };
    if parts.iter().all(String::is_empty) {
        return false;
    }
    let Some(mut rest) =
        name.strip_prefix(first.as_str()).and_then(|it| it.strip_suffix(last.as_str()))
    else {
        return false;
    };
    for part in parts.get(1..parts.len() - 1).unwrap_or_default() {
        match rest.split_once(part.as_str()) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    true
}
