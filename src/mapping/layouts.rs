//! The bucket layouts of one generation.

use super::boundary::Boundary;
use super::scale::Scale;

/// The bucket layouts of one generation: one for each edition of a pack, or a single one that all
/// editions have.
#[derive(Clone, Debug, PartialEq)]
pub struct Layouts {
    /// The oldest edition first; never empty.
    by_edition: Vec<Vec<Boundary>>,
}

impl Layouts {
    /// The same layout for all editions.
    pub(in crate::mapping) fn single(layout: Vec<Boundary>) -> Layouts {
        Layouts { by_edition: vec![layout] }
    }

    /// One layout for each edition, the oldest first. `None` if there is no edition.
    pub(in crate::mapping) fn by_edition(by_edition: Vec<Vec<Boundary>>) -> Option<Layouts> {
        (!by_edition.is_empty()).then_some(Layouts { by_edition })
    }

    /// The layout of the newest edition.
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "there is at least one layout")]
    pub fn newest(&self) -> &[Boundary] {
        self.by_edition.last().expect("there is at least one layout")
    }

    /// The layout of the edition with this index in its pack.
    #[must_use]
    pub fn of(&self, index: usize) -> &[Boundary] {
        self.by_edition.get(index).map_or_else(|| self.newest(), Vec::as_slice)
    }

    /// Whether editions differ in a boundary or in its spelling.
    #[must_use]
    pub fn differ(&self) -> bool {
        self.by_edition.windows(2).any(|pair| pair[0] != pair[1])
    }

    /// The boundaries that any edition has, ascending.
    #[must_use]
    pub fn union(&self) -> Vec<f64> {
        let mut bounds: Vec<f64> = self.by_edition.iter().flatten().map(|it| it.bound).collect();
        bounds.sort_unstable_by(f64::total_cmp);
        bounds.dedup_by(|a, b| a.total_cmp(b).is_eq());
        bounds
    }

    /// The spellings that editions have of a boundary.
    pub fn spellings(&self, bound: f64) -> impl Iterator<Item = &str> {
        let all = self.by_edition.iter().flatten();
        all.filter(move |it| it.bound.total_cmp(&bound).is_eq()).map(|it| &*it.text)
    }

    /// The boundaries of each edition.
    pub fn each(&self) -> impl Iterator<Item = Vec<f64>> {
        self.by_edition.iter().map(|layout| layout.iter().map(|it| it.bound).collect())
    }

    /// Whether all editions have a boundary.
    #[must_use]
    pub fn all_have(&self, bound: f64) -> bool {
        self.by_edition
            .iter()
            .all(|layout| layout.iter().any(|it| it.bound.total_cmp(&bound).is_eq()))
    }

    /// The same boundaries in the unit of the other generation.
    #[must_use]
    pub(in crate::mapping) fn scaled(&self, scale: Option<Scale>) -> Layouts {
        let mut scaled = self.clone();
        if let Some(scale) = scale {
            let all = scaled.by_edition.iter_mut().flatten();
            all.for_each(|boundary| boundary.bound = scale.of(boundary.bound));
        }
        scaled
    }

    /// Whether two rules can have these layouts for one family: equal ones, as far as both declare
    /// editions.
    pub(in crate::mapping) fn agree(&self, other: &Layouts) -> bool {
        let single = self.by_edition.len() == 1 || other.by_edition.len() == 1;
        self == other || single && self.newest() == other.newest()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(texts: &[&str]) -> Vec<Boundary> {
        let boundary =
            |text: &&str| Boundary { bound: text.parse().expect("a number"), text: (*text).into() };
        texts.iter().map(boundary).collect()
    }

    #[test]
    fn editions_differ_in_boundaries_or_spellings() {
        let differ = |older: &[&str], newer: &[&str]| {
            let layouts = Layouts::by_edition(vec![layout(older), layout(newer)]);
            layouts.expect("two editions").differ()
        };
        assert!(differ(&["1", "2"], &["1", "2", "3"]));
        assert!(differ(&["01.0"], &["1"]));
        assert!(!differ(&["1", "2"], &["1", "2"]));
        assert!(!Layouts::single(layout(&["1"])).differ());
    }

    #[test]
    fn what_any_and_what_all_editions_have() {
        let layouts = Layouts::by_edition(vec![layout(&["01.0", "5.0"]), layout(&["1", "2"])]);
        let layouts = layouts.expect("two editions");
        assert_eq!(layouts.union(), [1.0, 2.0, 5.0]);
        assert!(layouts.all_have(1.0));
        assert!(!layouts.all_have(2.0));
        assert_eq!(layouts.newest(), layout(&["1", "2"]));
        assert_eq!(layouts.of(0), layout(&["01.0", "5.0"]));
    }

    #[test]
    fn a_single_layout_is_that_of_the_newest_edition() {
        let editions = Layouts::by_edition(vec![layout(&["01.0"]), layout(&["1"])]);
        let editions = editions.expect("two editions");
        assert!(editions.agree(&Layouts::single(layout(&["1"]))));
        assert!(!editions.agree(&Layouts::single(layout(&["01.0"]))));
        assert!(editions.agree(&editions.clone()));
        assert_eq!(Layouts::by_edition(Vec::new()), None);
    }
}
