//! Warnings about rules whose sides seem to have different units.

use crate::document::Diagnostic;
use crate::mapping::compile::exposition::active::ActiveRule;
use crate::mapping::generation::Generation;
use crate::mapping::layouts::Layouts;

/// Units that names of families end with or contain, the quantity that each measures, and how many
/// of it make up one base unit.
const UNITS: [(&str, Quantity, f64); 16] = [
    ("seconds", Quantity::Time, 1.0),
    ("milliseconds", Quantity::Time, 1e3),
    ("ms", Quantity::Time, 1e3),
    ("microseconds", Quantity::Time, 1e6),
    ("us", Quantity::Time, 1e6),
    ("nanoseconds", Quantity::Time, 1e9),
    ("ns", Quantity::Time, 1e9),
    ("minutes", Quantity::Time, 1.0 / 60.0),
    ("bytes", Quantity::Data, 1.0),
    ("bits", Quantity::Data, 8.0),
    ("kilobytes", Quantity::Data, 1e-3),
    ("kib", Quantity::Data, 1.0 / 1024.0),
    ("megabytes", Quantity::Data, 1e-6),
    ("mib", Quantity::Data, 1.0 / 1_048_576.0),
    ("ratio", Quantity::Share, 1.0),
    ("percent", Quantity::Share, 100.0),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Quantity {
    Time,
    Data,
    Share,
}

/// A rule without `scale` whose names have different units, or whose layouts have no boundary in
/// common.
pub(super) fn untold_scale(from: ActiveRule<'_>) -> Option<Diagnostic> {
    let rule = from.rule;
    if rule.scale.is_some() || rule.differs.is_some() {
        return None;
    }
    let (old, new) = (&rule.old.family, &rule.new.family);
    let message = if let Some(message) = different_units(old, new) {
        message
    } else {
        let (old_layouts, new_layouts) = rule.buckets.as_ref()?;
        if share_a_boundary(old_layouts, new_layouts) {
            return None;
        }
        format!(
            "the buckets of `{old}` and `{new}` have no boundary in common, and the rule has no `scale`"
        )
    };
    Some(from.pack.source().warning(rule.span(Generation::New), message, REMEDY))
}

/// What to do about a rule without `scale`.
pub(in crate::mapping::compile) const REMEDY: &str =
    "if the units differ, add the factor from old values to new ones, such as `scale: 0.001`";

/// What is wrong with a rule without `scale`, if its names have different units.
pub(in crate::mapping::compile) fn different_units(old: &str, new: &str) -> Option<String> {
    let ((its, quantity, size), (other, same, other_size)) = (unit(old)?, unit(new)?);
    (quantity == same && size.total_cmp(&other_size).is_ne())
        .then(|| format!("`{old}` is in {its}, `{new}` in {other}, and the rule has no `scale`"))
}

/// The last unit in the name of a family or of a line.
fn unit(family: &str) -> Option<(&'static str, Quantity, f64)> {
    let mut words = family.rsplit(['_', ':', '.']);
    words.find_map(|word| UNITS.into_iter().find(|(unit, ..)| *unit == word))
}

fn share_a_boundary(old: &Layouts, new: &Layouts) -> bool {
    let others = new.union();
    old.union().iter().any(|bound| others.iter().any(|other| other.total_cmp(bound).is_eq()))
}

#[cfg(test)]
mod tests {
    use crate::mapping::{Pack, warnings};

    fn messages(rule: &str) -> Vec<String> {
        let pack = Pack::parse("a.yaml", &format!("name: a\nprometheus:\n  - {{ {rule} }}\n"));
        let pack = pack.unwrap_or_else(|errors| panic!("{errors}"));
        let all = warnings(&[pack]).into_iter().map(|warning| warning.message);
        all.filter(|message| message.contains("no `scale`")).collect()
    }

    #[test]
    fn names_with_different_units() {
        assert_eq!(
            messages("old: a_duration_ms, new: a_duration_seconds"),
            [
                "`a_duration_ms` is in ms, `a_duration_seconds` in seconds, and the rule has no `scale`"
            ]
        );
        assert_eq!(messages("old: a_kilobytes_total, new: a_bytes_total").len(), 1);
        for rule in [
            "old: a_ms, new: a_seconds, scale: 0.001",
            "old: a_ms, new: b_milliseconds",
            "old: a_ms, new: a_bytes",
            "old: a_ms, new: b",
            "old: a_ms, new: a_seconds, differs: another clock",
        ] {
            assert_eq!(messages(rule), [""; 0], "{rule}");
        }
    }

    #[test]
    fn layouts_without_a_common_boundary() {
        assert_eq!(
            messages("old: a, new: b, buckets: { old: [5, 10], new: [0.005, 0.01] }").len(),
            1
        );
        for rule in [
            "old: a, new: b, buckets: { old: [5, 10], new: [0.005, 0.01] }, scale: 0.001",
            "old: a, new: b, buckets: { old: [5, 10], new: [10, 20] }",
        ] {
            assert_eq!(messages(rule), [""; 0], "{rule}");
        }
    }
}
