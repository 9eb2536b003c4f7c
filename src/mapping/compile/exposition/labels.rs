//! What an entry does with labels and buckets, seen in one direction.

use std::collections::BTreeMap;

use crate::mapping::generation::{BucketPolicy, Generation};
use crate::mapping::pack::Entry;
use crate::mapping::pack::exposition::selector::{Selector, Term};
use crate::mapping::plan::exposition::{BucketLayouts, Kind, LabelEdits, Match};

fn bytes(text: &str) -> Box<[u8]> {
    text.as_bytes().into()
}

/// Which samples an entry reads when it writes `written`.
pub(in crate::mapping) fn conditions(
    entry: &Entry,
    written: Generation,
    edits: &LabelEdits,
) -> Match {
    let (read, write) = (entry.side(written.other()), entry.side(written));
    let mut when = Match {
        equal: read.fixed().map(|(label, text)| (bytes(label), bytes(text))).collect(),
        present: read.variables().map(|(label, _)| bytes(label)).collect(),
        ..Match::default()
    };
    if entry.keeps_name() && !told_apart(read, write) {
        // A sample that has a label of the written side has the written shape already.
        when.none_of = write.bare().map(bytes).collect();
        // With nothing to add, only a label to be left out makes a sample worth rewriting.
        if edits.append.is_empty() && edits.fill.is_empty() {
            when.any_of = read.bare().map(bytes).collect();
        }
    }
    when
}

/// True when no sample that `read` reads can have come out of `write`.
fn told_apart(read: &Selector, write: &Selector) -> bool {
    read.items.iter().any(|item| match (&item.term, write.item(&item.label).map(|its| &its.term)) {
        (Term::Fixed(text), Some(Term::Fixed(its))) => text != its,
        (Term::Fixed(_) | Term::Variable(_), None) => true,
        _ => false,
    })
}

/// What becomes of the labels when an entry writes `written`.
pub(in crate::mapping) fn labels(
    entry: &Entry,
    written: Generation,
    fill: &BTreeMap<String, String>,
) -> LabelEdits {
    let (read, write) = (entry.side(written.other()), entry.side(written));
    let mut edits = LabelEdits::default();
    for item in &read.items {
        match &item.term {
            Term::Variable(name) => {
                let (target, _) = write
                    .variables()
                    .find(|(_, its)| its == name)
                    .expect("a pack's variables occur on both sides");
                if target != item.label {
                    edits.rename.push((bytes(&item.label), bytes(target)));
                }
            }
            term if write.item(&item.label).is_some_and(|its| its.term == *term) => {}
            Term::Fixed(_) | Term::Bare => edits.drop.push(bytes(&item.label)),
        }
    }
    for item in &write.items {
        let added = |text: &String| (bytes(&item.label), bytes(text));
        match &item.term {
            Term::Fixed(text) if read.item(&item.label).is_none_or(|its| its.term != item.term) => {
                edits.append.push(added(text));
            }
            Term::Bare => edits.fill.extend(fill.get(&item.label).map(added)),
            Term::Fixed(_) | Term::Variable(_) => {}
        }
    }
    edits
}

/// How an entry joins series when it writes `written`.
pub(in crate::mapping) fn kind(entry: &Entry, written: Generation, policy: BucketPolicy) -> Kind {
    if let (Some(read), Some(write)) =
        (entry.boundaries(written.other()), entry.boundaries(written))
    {
        let read: Vec<f64> = read.iter().map(|boundary| boundary.bound).collect();
        let mut write = write.to_vec();
        if policy == BucketPolicy::Common {
            write.retain(|boundary| {
                read.iter().any(|bound| bound.total_cmp(&boundary.bound).is_eq())
            });
        }
        return Kind::Histogram(BucketLayouts { read, write, policy });
    }
    entry.merge.map_or(Kind::Typed, Kind::Gauge)
}
