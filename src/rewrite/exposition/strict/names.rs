//! The names that arrived, in samples and in headers.

use std::collections::HashMap;

/// Index of a name in [`Names`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NameId(pub(super) usize);

/// What the headers of a name say. The first of each kind counts.
#[derive(Debug, Default)]
pub(super) struct Headers {
    /// The help text, escaped.
    pub(super) help: Option<Box<[u8]>>,
    /// The type, as a word.
    pub(super) metric_type: Option<Box<[u8]>>,
    /// The unit, which only `OpenMetrics` has.
    pub(super) unit: Option<Box<[u8]>>,
}

/// One name of a sample or header.
#[derive(Debug)]
pub(super) struct Name {
    pub(super) text: Box<[u8]>,
    pub(super) headers: Headers,
    /// A sample of this name arrived.
    pub(super) is_sampled: bool,
}

/// Every name, in order of arrival.
#[derive(Debug, Default)]
pub(super) struct Names {
    list: Vec<Name>,
    by_text: HashMap<Box<[u8]>, NameId, foldhash::fast::RandomState>,
}

/// About how many bytes one name takes, in addition to its text.
pub(super) const NAME_BYTES: usize = 256;

impl Headers {
    /// Number of headers.
    pub(super) fn len(&self) -> u64 {
        [&self.help, &self.metric_type, &self.unit].into_iter().flatten().count() as u64
    }
}

impl Names {
    /// The id of a name. Adds it if it is new.
    pub(super) fn id(&mut self, text: &[u8]) -> NameId {
        if let Some(id) = self.find(text) {
            return id;
        }
        let id = NameId(self.list.len());
        let name = Name { text: text.into(), headers: Headers::default(), is_sampled: false };
        self.list.push(name);
        self.by_text.insert(text.into(), id);
        id
    }

    pub(super) fn find(&self, text: &[u8]) -> Option<NameId> {
        self.by_text.get(text).copied()
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn get(&self, id: NameId) -> &Name {
        &self.list[id.0]
    }

    pub(super) fn get_mut(&mut self, id: NameId) -> &mut Name {
        &mut self.list[id.0]
    }
}
