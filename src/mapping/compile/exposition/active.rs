//! Which entries are in force when packs extend each other.

use crate::document::{Diagnostic, Span};
use crate::mapping::Pack;
use crate::mapping::generation::Generation;
use crate::mapping::pack::Entry;

/// An entry in force and the pack it comes from.
#[derive(Clone, Copy, Debug)]
pub(in crate::mapping) struct InForce<'a> {
    pub(in crate::mapping) entry: &'a Entry,
    pub(in crate::mapping) pack: &'a Pack,
}

impl InForce<'_> {
    pub(in crate::mapping) fn error(
        self,
        span: Span,
        message: String,
        remedy: impl Into<String>,
    ) -> Diagnostic {
        self.pack.source().error(span, message, remedy)
    }

    /// `pack:line`, for people.
    pub(in crate::mapping) fn source(self) -> String {
        format!(
            "{}:{}",
            self.pack.name(),
            self.pack.source().line(self.entry.span(Generation::Old).start)
        )
    }
}

/// The entries of all packs, in order. An entry of a later pack stands where the one stood whose place it
/// takes.
pub(in crate::mapping) fn in_force(packs: &[Pack]) -> Vec<InForce<'_>> {
    let mut entries: Vec<InForce<'_>> = Vec::new();
    for pack in packs {
        let (earlier, mut added) = (entries.len(), Vec::new());
        // What an entry of this pack has replaced is out of reach for the next one.
        let mut open: Vec<bool> = vec![true; earlier];
        let mut kept: Vec<Option<InForce<'_>>> = entries.into_iter().map(Some).collect();
        for entry in pack.entries() {
            let mut places = replaced(entry, &kept, &open).into_iter();
            match places.next() {
                Some(first) => {
                    kept[first] = Some(InForce { entry, pack });
                    open[first] = false;
                    places.for_each(|place| kept[place] = None);
                }
                None => added.push(InForce { entry, pack }),
            }
        }
        entries = kept.into_iter().flatten().chain(added).collect();
    }
    entries
}

/// The places of the entries that `entry` replaces: the one that it equals on both sides; otherwise all
/// that do the same job for the samples of one of its sides.
fn replaced(entry: &Entry, earlier: &[Option<InForce<'_>>], open: &[bool]) -> Vec<usize> {
    let places = |like: &dyn Fn(&Entry) -> bool| -> Vec<usize> {
        let open = earlier.iter().zip(open).enumerate().filter(|(_, (_, open))| **open);
        open.filter_map(|(place, (earlier, _))| like(earlier.as_ref()?.entry).then_some(place))
            .collect()
    };
    let both = places(&|it| it.old.reads_like(&entry.old) && it.new.reads_like(&entry.new));
    if !both.is_empty() {
        return both;
    }
    places(&|it| {
        let same_job =
            it.derive == entry.derive && it.only_with.is_some() == entry.only_with.is_some();
        same_job && (it.old.reads_like(&entry.old) || it.new.reads_like(&entry.new))
    })
}
