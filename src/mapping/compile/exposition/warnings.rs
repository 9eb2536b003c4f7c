//! Warnings about valid rules.
//!
//! The two sides of a rule describe the same samples, but one may carry information that the other
//! lacks. A round trip loses it; the warnings name what is lost.

use crate::document::Diagnostic;
use crate::document::listed;
use crate::exposition::MetricType;
use crate::mapping::boundary::Boundary;
use crate::mapping::compile::exposition::active::ActiveRule;
use crate::mapping::compile::exposition::index::RuleIndex;
use crate::mapping::compile::exposition::lost_values;
use crate::mapping::compile::exposition::units;
use crate::mapping::generation::Generation;
use crate::mapping::pack::exposition::selector::Selector;
use crate::mapping::pack::{OnlyIn, Pack, PackRule};

/// All warnings, in the order of the rules.
pub(in crate::mapping) fn of_rules(rules: &[ActiveRule<'_>]) -> Vec<Diagnostic> {
    let index = RuleIndex::new(rules);
    let mut warnings = Vec::new();
    for active in rules {
        warnings.extend(untold_type(*active));
        for generation in [Generation::Old, Generation::New] {
            warnings.extend(lost_labels(*active, generation));
            warnings.extend(lost_texts(*active, &index, generation));
        }
        warnings.extend(units::untold_scale(*active));
        warnings.extend(lost_values::of_rule(*active));
        warnings.extend(estimated(*active));
        warnings.extend(joined(*active, &index));
    }
    warnings
}

/// Warnings about rules whose families are given by patterns, in their order.
pub(in crate::mapping) fn of_patterns(rules: &[ActiveRule<'_>]) -> Vec<Diagnostic> {
    let mut warnings = Vec::new();
    for active in rules {
        warnings.extend(untold_type(*active));
        warnings.extend(units::untold_scale(*active));
        for generation in [Generation::Old, Generation::New] {
            warnings.extend(lost_labels(*active, generation));
        }
        warnings.extend(lost_values::of_rule(*active));
        warnings.extend(read_as_other(*active));
    }
    warnings
}

/// Families of one generation that have a name as in the other: they are not rewritten.
fn read_as_other(from: ActiveRule<'_>) -> Option<Diagnostic> {
    let rule = from.rule;
    let (old, new) = (rule.old.names()?, rule.new.names()?);
    let family = old.common_name(new).filter(|_| !rule.keeps_name())?;
    let taken_as = match (old.contains(new), new.contains(old)) {
        (true, false) => Generation::New,
        (false, true) => Generation::Old,
        _ => {
            return Some(from.pack.source().warning(
                rule.span(Generation::Old),
                format!("`{family}` matches both sides, so it is not rewritten"),
                "no change is needed if no family has such a name",
            ));
        }
    };
    Some(from.pack.source().warning(
        rule.span(taken_as.other()),
        format!(
            "`{family}` matches both sides, so it is taken as a family of the {} generation",
            taken_as.as_str()
        ),
        format!(
            "no change is needed if no family of the {} generation has such a name",
            taken_as.other().as_str()
        ),
    ))
}

/// Selectors under `only_in` of families that no rule reads: they have no effect.
pub(in crate::mapping) fn of_only_in(packs: &[Pack], rules: &[ActiveRule<'_>]) -> Vec<Diagnostic> {
    let is_read =
        |it: &OnlyIn| rules.iter().any(|rule| reads(rule, it.generation, &it.selector.family));
    let warning = |pack: &Pack, it: &OnlyIn| {
        let (family, generation) = (&it.selector.family, it.generation.as_str());
        let message = format!(
            "no rule reads `{family}` of the {generation} generation, so this has no effect"
        );
        pack.source().warning(it.span, message, "name a family that a rule reads, or remove this")
    };
    let all = packs.iter().flat_map(|pack| pack.all_only_in().iter().map(move |it| (pack, it)));
    all.filter(|(_, it)| !is_read(it)).map(|(pack, it)| warning(pack, it)).collect()
}

fn reads(active: &ActiveRule<'_>, generation: Generation, family: &str) -> bool {
    active.rule.derive != Some(generation) && active.rule.side(generation).family == family
}

/// Samples that lose labels, from a rule without a type.
fn untold_type(from: ActiveRule<'_>) -> Option<Diagnostic> {
    let rule = from.rule;
    if rule.metric_type.is_some() || rule.merge.is_some() || rule.buckets.is_some() {
        return None;
    }
    [Generation::New, Generation::Old].into_iter().find_map(|generation| {
        let read = rule.side(generation);
        let labels: Vec<&str> = read.bare().collect();
        (!labels.is_empty()).then(|| {
            from.pack.source().warning(
                rule.span(generation),
                format!(
                    "if `{}` is a gauge, it is forwarded unchanged: `merge` is not set for series that differ only in {}",
                    read.family,
                    listed(&labels)
                ),
                "set `type: counter`, or `merge: max`, `min` or `sum` for a gauge",
            )
        })
    })
}

/// Gauges of two rules that become series of one family without the text that told them apart.
fn lost_texts(
    from: ActiveRule<'_>,
    index: &RuleIndex<'_>,
    generation: Generation,
) -> Option<Diagnostic> {
    let rule = from.rule;
    // A derived rule reads one generation only.
    let reads = |rule: &PackRule| rule.derive != Some(generation);
    if rule.metric_type != Some(MetricType::Gauge) || rule.merge.is_some() || !reads(rule) {
        return None;
    }
    let (read, write) = (rule.side(generation), rule.side(generation.other()));
    let others = index.of_family(generation.other(), &write.family);
    let other = others.map(|other| other.rule).find(|other| {
        let written = other.side(generation.other());
        !std::ptr::eq(*other, rule) && reads(other) && !differ(write, written)
    })?;
    Some(from.pack.source().warning(
        rule.span(generation),
        format!(
            "`{}` is forwarded unchanged: series of `{}` and `{}` can become equal series of `{}`, and `merge` is not set",
            read.family,
            read,
            other.side(generation),
            write.family,
        ),
        "set `merge: max`, `min` or `sum`, or give each rule its own text of a label",
    ))
}

/// Whether no series can have both shapes, because of a label with different texts.
fn differ(a: &Selector, b: &Selector) -> bool {
    a.fixed().any(|(label, text)| b.fixed().any(|(its, other)| its == label && other != text))
}

/// Labels that exist on one side only.
fn lost_labels(from: ActiveRule<'_>, generation: Generation) -> Option<Diagnostic> {
    let (read, other) = (from.rule.side(generation), from.rule.side(generation.other()));
    let labels: Vec<&str> = read.bare().collect();
    if labels.is_empty() || from.rule.derive == Some(generation) {
        return None;
    }
    let has = if labels.len() == 1 { "no such label" } else { "no such labels" };
    Some(from.pack.source().warning(
        from.rule.span(generation),
        format!(
            "{} to {} and back loses {} of `{}`: `{}` has {has}",
            generation.as_str(),
            generation.other().as_str(),
            listed(&labels),
            read.family,
            other.family,
        ),
        "`fill` can give every series the same value on the way back",
    ))
}

/// Bucket boundaries that the other side lacks.
fn estimated(from: ActiveRule<'_>) -> Option<Diagnostic> {
    let rule = from.rule;
    let (old, new) = rule.buckets.as_ref()?;
    let scaled =
        (old.scaled(rule.scale_to(Generation::New)), new.scaled(rule.scale_to(Generation::Old)));
    let (old, new) = (old.newest(), new.newest());
    let lacking = |from: &[Boundary], other: &[Boundary]| {
        let lacks =
            |it: &&Boundary| !other.iter().any(|its| its.bound.total_cmp(&it.bound).is_eq());
        from.iter().filter(lacks).map(|it| it.text.to_string()).collect::<Vec<_>>().join(" ")
    };
    let parts: Vec<String> = [
        (&rule.old.family, lacking(old, scaled.1.newest())),
        (&rule.new.family, lacking(new, scaled.0.newest())),
    ]
    .into_iter()
    .filter(|(_, bounds)| !bounds.is_empty())
    .map(|(family, bounds)| format!("{bounds} of `{family}`"))
    .collect();
    (!parts.is_empty()).then(|| {
        from.pack.source().warning(
            rule.span(Generation::Old),
            format!("buckets come back estimated, the other side lacks them: {}", parts.join("; ")),
            "`buckets: common` leaves them out, so that every number is exact",
        )
    })
}

/// Families that are separated by a condition one way, and become one the other way.
fn joined(from: ActiveRule<'_>, index: &RuleIndex<'_>) -> Option<Diagnostic> {
    let condition = from.rule.only_with.as_ref()?;
    let plain = index.plain_rule(from).map(|place| index.rules[place].rule)?;
    let labels: Vec<&str> = condition.on.iter().map(String::as_str).collect();
    Some(from.pack.source().warning(
        condition.span,
        format!(
            "new to old and back: `{}` and `{}` become one, and are separated again only where `{}` has the same {}",
            plain.new.family,
            from.rule.new.family,
            condition.family,
            listed(&labels)
        ),
        "no change is needed if no label set occurs in both families",
    ))
}

#[cfg(test)]
mod tests {
    use crate::mapping::{Pack, check, warnings};

    fn messages(body: &str) -> Vec<String> {
        let pack = Pack::parse("a.yaml", &format!("name: a\n{body}"));
        let packs = [pack.unwrap_or_else(|errors| panic!("{errors}"))];
        assert_eq!(check(&packs, false), []);
        warnings(&packs)
            .into_iter()
            .map(|warning| format!("{} {}", warning.location.expect("in a file"), warning.message))
            .collect()
    }

    #[test]
    fn labels_of_one_side_are_lost() {
        let body = "prometheus:\n  - { old: 'f{a}', new: 'g{b, c}', type: counter }\n";
        assert_eq!(
            messages(body),
            [
                "a.yaml:3:12 old to new and back loses `a` of `f`: `g` has no such label",
                "a.yaml:3:25 new to old and back loses `b` and `c` of `g`: `f` has no such labels",
            ]
        );
        assert_eq!(messages("prometheus:\n  - { old: 'f{a=$x}', new: 'g{b=$x}' }\n"), [""; 0]);
    }

    #[test]
    fn a_gauge_could_be_meant() {
        let rule = |more: &str| format!("prometheus:\n  - {{ old: f, new: 'g{{b}}'{more} }}\n");
        let untold =
            |more: &str| messages(&rule(more)).iter().any(|warning| warning.contains("is a gauge"));
        assert!(untold(""));
        for more in [", type: counter", ", merge: max", ", buckets: { old: [1], new: [2] }"] {
            assert!(!untold(more), "{more}");
        }
    }

    #[test]
    fn only_in_without_a_rule() {
        let body = "prometheus:\n  - { old: f, new: g }\nonly_in:\n  old: ['g{s=\"\"}', 'f{s=\"\"}']\n  \
                    new: ['g{s=\"\"}', 'h{s=\"\"}']\n";
        assert_eq!(
            messages(body),
            [
                "a.yaml:5:9 no rule reads `g` of the old generation, so this has no effect",
                "a.yaml:6:20 no rule reads `h` of the new generation, so this has no effect",
            ]
        );
    }

    #[test]
    fn boundaries_of_one_side_are_estimated() {
        let body =
            "prometheus:\n  - { old: f, new: g, buckets: { old: [1, 2], new: ['02.0', 3.5] } }\n";
        assert_eq!(
            messages(body),
            [
                "a.yaml:3:12 buckets come back estimated, the other side lacks them: 1 of `f`; 3.5 of `g`"
            ]
        );
    }

    #[test]
    fn names_that_match_both_patterns() {
        let body = "prometheus:\n  - { old: 'a_{x*}', new: 'a_{x*}_b' }\n  \
                    - { old: 'c{x*}_d', new: 'c{x*}' }\n  - { old: '{x*}_e_f', new: 'g_h_{x*}' }\n";
        assert_eq!(
            messages(body),
            [
                "a.yaml:3:12 `a_x_b` matches both sides, so it is taken as a family of the new generation",
                "a.yaml:4:28 `cx_d` matches both sides, so it is taken as a family of the old generation",
                "a.yaml:5:12 `g_h_x_e_f` matches both sides, so it is not rewritten",
            ]
        );
        assert_eq!(messages("prometheus:\n  - { old: 'a_{x*}', new: 'b_{x*}' }\n"), [""; 0]);
    }

    #[test]
    fn what_a_condition_tells_apart_is_joined() {
        let body = "prometheus:\n  - { old: f, new: g }\n  - { old: f, new: h, only_with: w by (s) }\nrepeats: [w]\n";
        assert_eq!(
            messages(body),
            [
                "a.yaml:4:34 new to old and back: `g` and `h` become one, and are separated again only where `w` \
              has the same `s`"
            ]
        );
    }
}
