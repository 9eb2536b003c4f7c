//! What is worth knowing of entries that are right.
//!
//! A pack promises that both sides mean the same samples; they need not carry the same information. What one
//! generation knows and the other does not is gone after a trip there and back, and is listed here by name.

use crate::document::Diagnostic;
use crate::document::listed;
use crate::mapping::compile::exposition::active::InForce;
use crate::mapping::generation::Generation;
use crate::mapping::plan::exposition::Boundary;

/// All notes, in the order of the entries.
pub(in crate::mapping) fn of_entries(entries: &[InForce<'_>]) -> Vec<Diagnostic> {
    let mut notes = Vec::new();
    for entry in entries {
        notes.extend(untold_type(*entry));
        for generation in [Generation::Old, Generation::New] {
            notes.extend(lost_labels(*entry, generation));
        }
        notes.extend(estimated(*entry));
        notes.extend(joined(*entry, entries));
    }
    notes
}

/// Samples that lose labels, and nothing says of which type they are.
fn untold_type(from: InForce<'_>) -> Option<Diagnostic> {
    let entry = from.entry;
    if entry.metric_type.is_some() || entry.merge.is_some() || entry.buckets.is_some() {
        return None;
    }
    [Generation::New, Generation::Old].into_iter().find_map(|generation| {
        let read = entry.side(generation);
        let labels: Vec<&str> = read.bare().collect();
        (!labels.is_empty()).then(|| {
            from.pack.source().warning(
                entry.span(generation),
                format!(
                    "if `{}` is a gauge, it leaves as it came: nothing says how to join what differs in {} alone",
                    read.family,
                    listed(&labels)
                ),
                "say `type: counter`, or `merge: max`, `min` or `sum` for a gauge",
            )
        })
    })
}

/// Labels that exist on one side only.
fn lost_labels(from: InForce<'_>, generation: Generation) -> Option<Diagnostic> {
    let (read, other) = (from.entry.side(generation), from.entry.side(generation.other()));
    let labels: Vec<&str> = read.bare().collect();
    if labels.is_empty() || from.entry.derive == Some(generation) {
        return None;
    }
    let has = if labels.len() == 1 { "no such label" } else { "no such labels" };
    Some(from.pack.source().warning(
        from.entry.span(generation),
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
fn estimated(from: InForce<'_>) -> Option<Diagnostic> {
    let entry = from.entry;
    let (old, new) = entry.buckets.as_ref()?;
    let lacking = |from: &[Boundary], other: &[Boundary]| {
        let lacks =
            |it: &&Boundary| !other.iter().any(|its| its.bound.total_cmp(&it.bound).is_eq());
        from.iter().filter(lacks).map(|it| it.text.to_string()).collect::<Vec<_>>().join(" ")
    };
    let parts: Vec<String> =
        [(&entry.old.family, lacking(old, new)), (&entry.new.family, lacking(new, old))]
            .into_iter()
            .filter(|(_, bounds)| !bounds.is_empty())
            .map(|(family, bounds)| format!("{bounds} of `{family}`"))
            .collect();
    (!parts.is_empty()).then(|| {
        from.pack.source().warning(
            entry.span(Generation::Old),
            format!("buckets come back estimated, the other side lacks them: {}", parts.join("; ")),
            "`buckets: common` leaves them out, so that every number is exact",
        )
    })
}

/// Families that are told apart by a condition one way, and become one the other way.
fn joined(from: InForce<'_>, entries: &[InForce<'_>]) -> Option<Diagnostic> {
    let condition = from.entry.only_with.as_ref()?;
    let plain = super::check::plain_entry(from, entries).map(|place| entries[place].entry)?;
    let labels: Vec<&str> = condition.on.iter().map(String::as_str).collect();
    Some(from.pack.source().warning(
        condition.span,
        format!(
            "new to old and back: `{}` and `{}` become one, and are told apart again only where `{}` has the same {}",
            plain.new.family,
            from.entry.new.family,
            condition.family,
            listed(&labels)
        ),
        "nothing, where no label set occurs in both families",
    ))
}

#[cfg(test)]
mod tests {
    use crate::mapping::{Pack, check, notes};

    fn told(body: &str) -> Vec<String> {
        let pack = Pack::parse("a.yaml", &format!("name: a\n{body}"));
        let packs = [pack.unwrap_or_else(|faults| panic!("{faults}"))];
        assert_eq!(check(&packs, false), []);
        notes(&packs)
            .into_iter()
            .map(|note| format!("{} {}", note.location.expect("in a file"), note.message))
            .collect()
    }

    #[test]
    fn labels_of_one_side_are_lost() {
        let body = "prometheus:\n  - { old: 'f{a}', new: 'g{b, c}', type: counter }\n";
        assert_eq!(
            told(body),
            [
                "a.yaml:3:12 old to new and back loses `a` of `f`: `g` has no such label",
                "a.yaml:3:25 new to old and back loses `b` and `c` of `g`: `f` has no such labels",
            ]
        );
        assert_eq!(told("prometheus:\n  - { old: 'f{a=$x}', new: 'g{b=$x}' }\n"), [""; 0]);
    }

    #[test]
    fn a_gauge_could_be_meant() {
        let entry = |more: &str| format!("prometheus:\n  - {{ old: f, new: 'g{{b}}'{more} }}\n");
        let untold = |more: &str| told(&entry(more)).iter().any(|note| note.contains("is a gauge"));
        assert!(untold(""));
        for more in [", type: counter", ", merge: max", ", buckets: { old: [1], new: [2] }"] {
            assert!(!untold(more), "{more}");
        }
    }

    #[test]
    fn boundaries_of_one_side_are_estimated() {
        let body =
            "prometheus:\n  - { old: f, new: g, buckets: { old: [1, 2], new: ['02.0', 3.5] } }\n";
        assert_eq!(
            told(body),
            [
                "a.yaml:3:12 buckets come back estimated, the other side lacks them: 1 of `f`; 3.5 of `g`"
            ]
        );
    }

    #[test]
    fn what_a_condition_tells_apart_is_joined() {
        let body = "prometheus:\n  - { old: f, new: g }\n  - { old: f, new: h, only_with: w by (s) }\nrepeats: [w]\n";
        assert_eq!(
            told(body),
            [
                "a.yaml:4:34 new to old and back: `g` and `h` become one, and are told apart again only where `w` \
              has the same `s`"
            ]
        );
    }
}
