//! Everything that strict output is written from.

use std::collections::HashMap;

use super::held_samples::HeldSamples;
use super::names::Names;

/// Index of the samples of names that begin alike, in [`Collection`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct HeldId(usize);

/// Everything that strict output is written from.
#[derive(Debug, Default)]
pub(super) struct Collection {
    pub(super) names: Names,
    held: Vec<HeldSamples>,
    by_base: HashMap<Box<[u8]>, HeldId, foldhash::fast::RandomState>,
    /// The exposition ends with `# EOF`.
    pub(super) has_eof: bool,
}

impl Collection {
    /// Where samples are kept whose names, without a suffix, are this text. Adds it if it is new.
    pub(super) fn held_id(&mut self, base: &[u8]) -> HeldId {
        if let Some(id) = self.find(base) {
            return id;
        }
        let id = HeldId(self.held.len());
        self.held.push(HeldSamples::default());
        self.by_base.insert(base.into(), id);
        id
    }

    pub(super) fn find(&self, base: &[u8]) -> Option<HeldId> {
        self.by_base.get(base).copied()
    }

    pub(super) fn held(&self, id: HeldId) -> &HeldSamples {
        &self.held[id.0]
    }

    pub(super) fn held_mut(&mut self, id: HeldId) -> &mut HeldSamples {
        &mut self.held[id.0]
    }
}
