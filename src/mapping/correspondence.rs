//! What packs say of families, to be read by tools that rewrite something other than samples.

use super::compile::exposition::active::in_force;
use super::pack::{Entry, Pack};
use crate::mapping::generation::{Generation, Merge};
use crate::mapping::pack::exposition::selector::{Selector, Term};
use crate::mapping::plan::exposition::Boundary;

/// One entry in force: two shapes that mean the same samples.
#[derive(Clone, Debug)]
pub struct Correspondence {
    /// Where the entry stands: `pack name:line`.
    pub source: String,
    /// The shape in the old generation.
    pub old: Shape,
    /// The shape in the new generation.
    pub new: Shape,
    /// Boundaries of the old and of the new side, where the family is a histogram that is converted.
    pub buckets: Option<(Vec<Boundary>, Vec<Boundary>)>,
    /// How equal gauges are joined. Without it, equal series are summed.
    pub merge: Option<Merge>,
    /// The family whose counts are already inside the old side.
    pub includes: Option<String>,
    /// The old side means only label sets that this family has too.
    pub only_with: Option<String>,
    /// The generation that the entry only adds to.
    pub derive: Option<Generation>,
}

/// A family, and the labels in which generations differ. All others are the same in both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// The family's name.
    pub family: String,
    /// Labels, and what is said of each.
    pub labels: Vec<(String, Meaning)>,
}

/// What a shape says of a label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// It has this value.
    Fixed(String),
    /// It has the value that this label has on the other side.
    Carried(String),
    /// The other side has no such label.
    Own,
}

impl Correspondence {
    /// The shape in one generation.
    #[must_use]
    pub fn side(&self, generation: Generation) -> &Shape {
        match generation {
            Generation::Old => &self.old,
            Generation::New => &self.new,
        }
    }

    /// The boundaries of one generation.
    #[must_use]
    pub fn boundaries(&self, generation: Generation) -> Option<&[Boundary]> {
        let (old, new) = self.buckets.as_ref()?;
        Some(if generation == Generation::Old { old } else { new })
    }
}

impl Shape {
    /// What is said of a label, if anything is.
    #[must_use]
    pub fn meaning(&self, label: &str) -> Option<&Meaning> {
        self.labels.iter().find(|(its, _)| its == label).map(|(_, meaning)| meaning)
    }
}

/// The entries in force when packs extend each other, as [`compile`](super::compile()) takes them.
#[must_use]
pub fn correspondences(packs: &[Pack]) -> Vec<Correspondence> {
    let of = |its: super::compile::exposition::active::InForce<'_>| {
        let entry = its.entry;
        Correspondence {
            source: its.source(),
            old: shape(entry, Generation::Old),
            new: shape(entry, Generation::New),
            buckets: entry.buckets.clone(),
            merge: entry.merge,
            includes: entry.includes.as_ref().map(|(family, _)| family.clone()),
            only_with: entry.only_with.as_ref().map(|condition| condition.family.clone()),
            derive: entry.derive,
        }
    };
    in_force(packs).into_iter().map(of).collect()
}

fn shape(entry: &Entry, generation: Generation) -> Shape {
    let (selector, other) = (entry.side(generation), entry.side(generation.other()));
    let labels = selector.items.iter();
    let labels = labels.map(|item| (item.label.clone(), meaning(&item.term, other)));
    Shape { family: selector.family.clone(), labels: labels.collect() }
}

fn meaning(term: &Term, other: &Selector) -> Meaning {
    match term {
        Term::Fixed(text) => Meaning::Fixed(text.clone()),
        Term::Bare => Meaning::Own,
        Term::Variable(name) => {
            let carried = other.variables().find(|(_, its)| its == name);
            let (label, _) = carried.expect("a pack's variables occur on both sides");
            Meaning::Carried(label.to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_entry_says_of_labels() {
        let pack =
            "name: p\nprometheus:\n- old: a{t=$x, k=\"v\"}\n  new: b{d=$x, own}\n  merge: max\n";
        let pack = Pack::parse("p.yaml", pack).expect("valid");
        let all = correspondences(&[pack]);
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].source, "p:3");
        assert_eq!(all[0].merge, Some(Merge::Max));
        let named = |text: &str| text.to_owned();
        assert_eq!(
            all[0].old.labels,
            [(named("t"), Meaning::Carried(named("d"))), (named("k"), Meaning::Fixed(named("v"))),]
        );
        assert_eq!(all[0].side(Generation::New).meaning("own"), Some(&Meaning::Own));
        assert_eq!(all[0].side(Generation::New).meaning("d"), Some(&Meaning::Carried(named("t"))));
        assert_eq!(all[0].side(Generation::New).meaning("other"), None);
    }
}
