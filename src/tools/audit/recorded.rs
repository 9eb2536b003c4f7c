//! Rules that record under the name of a family: what its queries read depends on them.

use std::collections::BTreeSet;
use std::path::Path;

use super::auditor::Auditor;
use super::extract::extract;
use crate::document::Source;

impl Auditor {
    /// The names of families under which rules of a file record.
    #[must_use]
    pub fn recorded_in(&self, path: &Path, text: &str) -> BTreeSet<String> {
        if !text.contains("record") || self.catalog.first_in(text).is_none() {
            return BTreeSet::new();
        }
        let names = |text: &str| self.catalog.first_in(text).is_some();
        let source = extract(Source::new(&path.to_string_lossy(), text), &names);
        let recorded = source.map(|source| source.recorded).unwrap_or_default();
        recorded.into_iter().filter(|name| self.catalog.lookup_word(name).is_some()).collect()
    }

    /// Reports queries of the series that rules of other files record.
    #[must_use]
    pub fn recorded(self, recorded: BTreeSet<String>) -> Auditor {
        Auditor { recorded, ..self }
    }
}
