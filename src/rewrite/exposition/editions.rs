//! Which edition of a generation an exposition is of, by the spellings of its bucket boundaries.

use crate::mapping::EditionName;
use crate::mapping::plan::exposition::FamilyEditions;

/// Maximum number of spellings: more than the layouts of any family have.
const MAX_SPELLINGS: usize = 128;

/// The spellings of `le` that the series of one family have.
#[derive(Debug, Default)]
pub(super) struct ExportedBoundaries(Vec<Box<[u8]>>);

impl ExportedBoundaries {
    /// Adds the `le` of a bucket.
    pub(super) fn add(&mut self, le: &[u8]) {
        if self.0.len() < MAX_SPELLINGS && !self.0.iter().any(|its| **its == *le) {
            self.0.push(le.into());
        }
    }

    /// All of them.
    pub(super) fn spellings(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(|text| &**text)
    }

    /// The edition that has exactly these boundaries, in this spelling. A target exports a bucket
    /// only once something was counted in it, so the lowest ones can be missing. `None`: no edition
    /// has them, or it could be one of several.
    pub(super) fn edition(&self, editions: &FamilyEditions) -> Option<EditionName> {
        let mut possible = editions.layouts.iter().filter(|(_, layout)| {
            let is_exported = |text: &str| self.0.iter().any(|its| **its == *text.as_bytes());
            let mut exported = layout.iter().map(|it| is_exported(&it.text));
            let count = exported.clone().filter(|is_exported| *is_exported).count();
            let finite = self.0.iter().filter(|its| ***its != *b"+Inf").count();
            // All after the first that is exported.
            count > 0 && count == finite && exported.by_ref().skip_while(|it| !it).all(|it| it)
        });
        let (name, _) = possible.next()?;
        possible.next().is_none().then_some(*name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::{Boundary, Generation};

    fn edition(exported: &str) -> Option<String> {
        let layout = |name: &str, texts: &str| {
            let boundary =
                |text: &str| Boundary { bound: text.parse().expect("a number"), text: text.into() };
            let layout = texts.split(' ').map(boundary).collect();
            (name.parse().expect("a valid name"), layout)
        };
        let editions = FamilyEditions {
            generation: Generation::Old,
            written: None,
            layouts: vec![
                layout("1.0", "01.0 02.0 05.0"),
                layout("1.1", "1 2 5"),
                layout("1.2", "1 2 5 10"),
            ],
        };
        let mut boundaries = ExportedBoundaries::default();
        exported.split_whitespace().for_each(|text| boundaries.add(text.as_bytes()));
        boundaries.edition(&editions).map(|name| name.to_string())
    }

    #[test]
    fn an_edition_is_known_by_its_boundaries_and_their_spelling() {
        for (exported, expected) in [
            ("01.0 02.0 05.0 +Inf", Some("1.0")),
            ("1 2 5 +Inf", Some("1.1")),
            ("1 2 5 10 +Inf", Some("1.2")),
            // The lowest buckets are missing, in any order.
            ("+Inf 5 2", Some("1.1")),
            ("10 +Inf", Some("1.2")),
            // A boundary that is missing in between, one that no edition has, another spelling.
            ("1 5 +Inf", None),
            ("1 2 3 5 +Inf", None),
            ("1.0 2.0 5.0 +Inf", None),
            ("+Inf", None),
            ("", None),
        ] {
            assert_eq!(edition(exported).as_deref(), expected, "{exported}");
        }
    }
}
