//! The editions that a pack declares.

use super::edition::EditionName;
use super::generation::Generation;

/// The editions of each generation that a pack declares, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Editions {
    pub(in crate::mapping) old: Vec<EditionName>,
    pub(in crate::mapping) new: Vec<EditionName>,
}

impl Editions {
    /// The editions of one generation, the oldest first.
    #[must_use]
    pub fn of(&self, generation: Generation) -> &[EditionName] {
        match generation {
            Generation::Old => &self.old,
            Generation::New => &self.new,
        }
    }

    /// The generation of an edition, and its index among the editions of that generation.
    #[must_use]
    pub fn find(&self, name: EditionName) -> Option<(Generation, usize)> {
        [Generation::Old, Generation::New].into_iter().find_map(|generation| {
            let index = self.of(generation).iter().position(|its| *its == name)?;
            Some((generation, index))
        })
    }

    /// All of them with their generations, the oldest first.
    pub fn named(&self) -> impl Iterator<Item = (EditionName, Generation)> {
        let old = self.old.iter().map(|name| (*name, Generation::Old));
        old.chain(self.new.iter().map(|name| (*name, Generation::New)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edition_is_of_one_generation() {
        let name = |text: &str| text.parse::<EditionName>().expect("valid");
        let editions = Editions { old: vec![name("1.0"), name("1.5")], new: vec![name("2.0")] };
        assert_eq!(editions.find(name("1.5")), Some((Generation::Old, 1)));
        assert_eq!(editions.find(name("2.0")), Some((Generation::New, 0)));
        assert_eq!(editions.find(name("2.1")), None);
        assert_eq!(editions.named().count(), 3);
    }
}
