//! The packs of a gateway: those in general use, and shipped ones that only some targets use.

use std::borrow::Cow;

use super::shipped::ShippedPack;
use crate::mapping::Pack;

/// The packs in general use, and shipped packs that apply only where they are named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PackSet {
    packs: Vec<Pack>,
    /// Number of packs in general use; they are the first.
    general: usize,
}

impl PackSet {
    /// `general` are the packs in general use. `names` are names of packs that targets use; the
    /// shipped ones among them are added.
    #[must_use]
    pub fn new<'a>(general: Vec<Pack>, names: impl IntoIterator<Item = &'a str>) -> PackSet {
        let mut set = PackSet { general: general.len(), packs: general };
        for name in names {
            if set.packs.iter().all(|pack| pack.name() != name) {
                set.packs.extend(ShippedPack::named(name).map(ShippedPack::parse));
            }
        }
        set
    }

    /// The packs in general use.
    #[must_use]
    pub fn general(&self) -> &[Pack] {
        &self.packs[..self.general]
    }

    /// All packs.
    #[must_use]
    pub fn all(&self) -> &[Pack] {
        &self.packs
    }

    /// The packs with these names; without names, those in general use.
    #[must_use]
    pub fn named(&self, names: Option<&[String]>) -> Cow<'_, [Pack]> {
        let Some(names) = names else { return Cow::Borrowed(self.general()) };
        let is_named = |pack: &&Pack| names.iter().any(|name| name == pack.name());
        self.packs.iter().filter(is_named).cloned().collect()
    }
}
