//! Warnings about what a round trip from one generation to the other loses.

use crate::document::Diagnostic;
use crate::document::listed;
use crate::mapping::compile::exposition::units::{REMEDY, different_units};
use crate::mapping::compile::statsd::active::ActiveRule;
use crate::mapping::generation::Generation;
use crate::mapping::pack::statsd::rule::Side;
use crate::mapping::segment::Dotted;

/// All warnings, in the order of the rules.
pub(super) fn of_rules(rules: &[ActiveRule<'_>]) -> Vec<Diagnostic> {
    let mut warnings = Vec::new();
    for from in rules {
        for generation in [Generation::Old, Generation::New] {
            warnings.extend(lost_types(*from, generation));
        }
        warnings.extend(skipped(*from));
        warnings.extend(untold_scale(*from));
    }
    // Many rules share one tagged line, so its losses are reported once for each pack.
    let mut reported: Vec<&str> = Vec::new();
    for from in rules {
        if from.rule.tagged.is_some() && !reported.contains(&from.pack.name()) {
            reported.push(from.pack.name());
            warnings.extend(lost_tags(*from, rules));
        }
    }
    warnings
}

/// Types that are read but not written.
fn lost_types(from: ActiveRule<'_>, generation: Generation) -> Option<Diagnostic> {
    let side = from.rule.side(generation);
    let (written, others) = side.pattern.types.split_first()?;
    let others: Vec<&str> = others.iter().map(String::as_str).collect();
    (!others.is_empty()).then(|| {
        from.pack.source().warning(
            side.span,
            format!(
                "{} to {} and back: lines of type {} come back as `{written}`",
                generation.as_str(),
                generation.other().as_str(),
                listed(&others)
            ),
            "give each type a rule of its own, where the other generation can tell them apart",
        )
    })
}

/// A rule without `scale` whose names have different units.
fn untold_scale(from: ActiveRule<'_>) -> Option<Diagnostic> {
    let rule = from.rule;
    let name = |side: &Side| Dotted(&side.pattern.segments).to_string();
    let message = different_units(&name(&rule.old), &name(&rule.new))?;
    let warning = || from.pack.source().warning(rule.new.span, message, REMEDY);
    rule.scale.is_none().then(warning)
}

/// Values of the old generation that mean "no value".
fn skipped(from: ActiveRule<'_>) -> Option<Diagnostic> {
    let values: Vec<&str> = from.rule.skip.iter().map(String::as_str).collect();
    (!values.is_empty()).then(|| {
        from.pack.source().warning(
            from.rule.old.span,
            format!("old to new loses lines with the value {}", listed(&values)),
            "remove `skip` if the new generation should have them",
        )
    })
}

/// Tags that no rule of a pack reads.
fn lost_tags(first: ActiveRule<'_>, rules: &[ActiveRule<'_>]) -> Option<Diagnostic> {
    let (_, span) = first.rule.tagged.as_ref()?;
    let of_pack = rules.iter().filter(|it| it.pack.name() == first.pack.name());
    let read: Vec<&String> = of_pack
        .filter_map(|it| it.rule.tagged.as_ref())
        .flat_map(|(tagged, _)| tagged.tags.iter().map(|(key, _)| key))
        .collect();
    let tags = first.pack.lines().tags.known.iter();
    let lost: Vec<&str> = tags.filter(|tag| !read.contains(tag)).map(String::as_str).collect();
    let lost =
        if lost.is_empty() { String::new() } else { format!(" and without {}", listed(&lost)) };
    Some(first.pack.source().warning(
        *span,
        format!("new to old and back: tagged lines come back without tags{lost}; dots in a `{{x}}` come back as `_`"),
        "`statsd.tags` writes the tags that the old lines give",
    ))
}

#[cfg(test)]
mod tests {
    use crate::mapping::{Pack, check, warnings};

    #[test]
    fn what_lines_lose() {
        let body = "name: a\ntags: [s, t]\nstatsd:\n  - old: 'a.{x}:ms'\n    new: 'b.{x}:c/ms'\n    skip: [-1]\n    \
                    tagged: 'b|#s:{x}'\n";
        let packs = [Pack::parse("a.yaml", body).unwrap_or_else(|errors| panic!("{errors}"))];
        assert_eq!(check(&packs, false), []);
        let warnings: Vec<String> = warnings(&packs)
            .into_iter()
            .map(|warning| format!("{} {}", warning.location.expect("in a file"), warning.message))
            .collect();
        assert_eq!(
            warnings,
            [
                "a.yaml:5:10 new to old and back: lines of type `ms` come back as `c`",
                "a.yaml:4:10 old to new loses lines with the value `-1`",
                "a.yaml:7:13 new to old and back: tagged lines come back without tags and without `t`; dots in a \
                 `{x}` come back as `_`",
            ]
        );
    }
}
