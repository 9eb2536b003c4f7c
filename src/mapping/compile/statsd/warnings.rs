//! What a trip of lines from one generation to the other and back loses.

use crate::document::Diagnostic;
use crate::document::listed;
use crate::mapping::compile::statsd::active::InForce;
use crate::mapping::generation::Generation;

/// All notes, in the order of the entries.
pub(super) fn of_entries(entries: &[InForce<'_>]) -> Vec<Diagnostic> {
    let mut notes = Vec::new();
    for from in entries {
        for generation in [Generation::Old, Generation::New] {
            notes.extend(lost_types(*from, generation));
        }
        notes.extend(skipped(*from));
    }
    // One tagged line stands for many entries; what it loses is told once for each pack.
    let mut told: Vec<&str> = Vec::new();
    for from in entries {
        if from.entry.tagged.is_some() && !told.contains(&from.pack.name()) {
            told.push(from.pack.name());
            notes.extend(lost_tags(*from, entries));
        }
    }
    notes
}

/// Types that are read, but not written.
fn lost_types(from: InForce<'_>, generation: Generation) -> Option<Diagnostic> {
    let side = from.entry.side(generation);
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
            "give each type an entry of its own, where the other generation can tell them apart",
        )
    })
}

/// Values of the old generation that stand for none.
fn skipped(from: InForce<'_>) -> Option<Diagnostic> {
    let values: Vec<&str> = from.entry.skip.iter().map(String::as_str).collect();
    (!values.is_empty()).then(|| {
        from.pack.source().warning(
            from.entry.old.span,
            format!("old to new loses lines with the value {}", listed(&values)),
            "remove `skip`, where they should arrive as the new generation's",
        )
    })
}

/// Tags that no entry of a pack reads.
fn lost_tags(first: InForce<'_>, entries: &[InForce<'_>]) -> Option<Diagnostic> {
    let (_, span) = first.entry.tagged.as_ref()?;
    let of_pack = entries.iter().filter(|it| it.pack.name() == first.pack.name());
    let read: Vec<&String> = of_pack
        .filter_map(|it| it.entry.tagged.as_ref())
        .flat_map(|(tagged, _)| tagged.tags.iter().map(|(key, _)| key))
        .collect();
    let tags = first.pack.lines().tags.iter();
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
    use crate::mapping::{Pack, check, notes};

    #[test]
    fn what_lines_lose() {
        let body = "name: a\ntags: [s, t]\nstatsd:\n  - old: 'a.{x}:ms'\n    new: 'b.{x}:c/ms'\n    skip: [-1]\n    \
                    tagged: 'b|#s:{x}'\n";
        let packs = [Pack::parse("a.yaml", body).unwrap_or_else(|faults| panic!("{faults}"))];
        assert_eq!(check(&packs, false), []);
        let notes: Vec<String> = notes(&packs)
            .into_iter()
            .map(|note| format!("{} {}", note.location.expect("in a file"), note.message))
            .collect();
        assert_eq!(
            notes,
            [
                "a.yaml:5:10 new to old and back: lines of type `ms` come back as `c`",
                "a.yaml:4:10 old to new loses lines with the value `-1`",
                "a.yaml:7:13 new to old and back: tagged lines come back without tags and without `t`; dots in a \
                 `{x}` come back as `_`",
            ]
        );
    }
}
