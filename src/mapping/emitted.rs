//! What a setting `emit` means, given the packs.

use super::Pack;
use super::edition::EditionName;
use super::generation::{Emit, Generation};
use crate::document::{Diagnostic, closest, listed};

/// What is emitted: one generation or both, and its edition if the settings name one. By default,
/// both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Emitted {
    generation: Option<Generation>,
    edition: Option<EditionName>,
}

impl Emitted {
    /// What a setting means for these packs. The generation of an edition is that of the pack that
    /// declares it; packs without it emit that generation.
    ///
    /// # Errors
    ///
    /// No pack declares the edition.
    pub fn new(emit: Emit, packs: &[Pack]) -> Result<Emitted, Diagnostic> {
        let (generation, edition) = match emit {
            Emit::Old => (Some(Generation::Old), None),
            Emit::New => (Some(Generation::New), None),
            Emit::Both => (None, None),
            Emit::Edition(name) => (Some(generation_of(name, packs)?), Some(name)),
        };
        Ok(Emitted { generation, edition })
    }

    /// Whether this generation is emitted.
    #[must_use]
    pub fn has(self, generation: Generation) -> bool {
        self.generation.is_none_or(|its| its == generation)
    }

    /// Whether both generations are emitted.
    #[must_use]
    pub fn is_both(self) -> bool {
        self.generation.is_none()
    }

    /// The emitted generation. `None` if both are emitted.
    #[must_use]
    pub fn generation(self) -> Option<Generation> {
        self.generation
    }

    /// The generations, the newer first.
    pub(in crate::mapping) fn generations(self) -> impl Iterator<Item = Generation> {
        [Generation::New, Generation::Old].into_iter().filter(move |it| self.has(*it))
    }

    /// The edition, if the settings name one.
    #[must_use]
    pub fn edition(self) -> Option<EditionName> {
        self.edition
    }

    /// The same for packs of another generation.
    pub(in crate::mapping) fn with_generation(self, generation: Generation) -> Emitted {
        Emitted { generation: Some(generation), ..self }
    }

    /// The index of the edition in a pack. `None`: the newest one of each generation.
    pub(in crate::mapping) fn edition_in(self, pack: &Pack) -> Option<usize> {
        pack.editions().find(self.edition?).map(|(_, index)| index)
    }
}

impl Emit {
    /// The same for a target that uses only some of the packs: if none of those declares the
    /// edition, its generation.
    #[must_use]
    pub fn with_packs(self, used: &[Pack], all: &[Pack]) -> Emit {
        let Emit::Edition(name) = self else { return self };
        if generation_of(name, used).is_ok() {
            return self;
        }
        generation_of(name, all).map_or(self, Emit::from)
    }
}

/// The generation of an edition.
fn generation_of(name: EditionName, packs: &[Pack]) -> Result<Generation, Diagnostic> {
    let found = packs.iter().find_map(|pack| pack.editions().find(name));
    if let Some((generation, _)) = found {
        return Ok(generation);
    }
    let mut known: Vec<EditionName> =
        packs.iter().flat_map(|pack| pack.editions().named()).map(|(name, _)| name).collect();
    known.sort_unstable();
    known.dedup();
    let known: Vec<&str> = known.iter().map(EditionName::as_str).collect();
    let help = match (closest(name.as_str(), known.iter().copied()), known.as_slice()) {
        (_, []) => "no pack declares editions: emit `old`, `new` or `both`".to_owned(),
        (Some(close), _) => format!("did you mean `{close}`? There are {}", listed(&known)),
        (None, known) => format!("there are {}", listed(known)),
    };
    Err(Diagnostic::error(format!("no pack has the edition `{name}`")).with_help(help))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pack(name: &str, editions: &str) -> Pack {
        let text = format!("name: {name}\neditions: {editions}\n");
        Pack::parse("p.yaml", &text).unwrap_or_else(|errors| panic!("{errors}"))
    }

    fn edition(name: &str) -> Emit {
        name.parse().expect("a valid setting")
    }

    #[test]
    fn an_edition_is_that_of_the_pack_that_declares_it() {
        let packs = [pack("a", "{ old: ['1.0'], new: ['2.0', '2.5'] }"), pack("b", "{}")];
        let emitted = Emitted::new(edition("2.0"), &packs).expect("declared");
        assert!(emitted.has(Generation::New) && !emitted.has(Generation::Old));
        assert_eq!(emitted.edition_in(&packs[0]), Some(0));
        assert_eq!(emitted.edition_in(&packs[1]), None);
        let both = Emitted::new(Emit::Both, &packs).expect("no edition");
        assert!(both.has(Generation::New) && both.has(Generation::Old) && both.is_both());
    }

    #[test]
    fn an_unknown_edition_names_those_that_exist() {
        let packs = [pack("a", "{ old: ['1.0'], new: ['2.0', '2.5'] }")];
        let error = |name: &str, packs: &[Pack]| {
            Emitted::new(edition(name), packs).expect_err(name).to_string()
        };
        let there = "There are `1.0`, `2.0` and `2.5`";
        assert_eq!(
            error("1.1", &packs),
            format!("no pack has the edition `1.1`; did you mean `1.0`? {there}")
        );
        assert!(error("2024-x", &packs).ends_with("there are `1.0`, `2.0` and `2.5`"));
        assert!(error("1.0", &[]).ends_with("emit `old`, `new` or `both`"));
    }

    #[test]
    fn a_target_without_the_pack_emits_its_generation() {
        let packs = [pack("a", "{ old: ['1.0'], new: ['2.0'] }"), pack("b", "{}")];
        assert_eq!(edition("1.0").with_packs(&packs[..1], &packs), edition("1.0"));
        assert_eq!(edition("1.0").with_packs(&packs[1..], &packs), Emit::Old);
        assert_eq!(edition("2.0").with_packs(&packs[1..], &packs), Emit::New);
        assert_eq!(edition("7").with_packs(&packs[1..], &packs), edition("7"));
    }
}
