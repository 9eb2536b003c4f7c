//! Which patterns read lines: the entries in force, with every prefix that names can have.

use crate::document::{Diagnostic, Diagnostics, Span};
use crate::mapping::Pack;
use crate::mapping::generation::Generation;
use crate::mapping::pack::statsd::pattern::Segment;
use crate::mapping::pack::{LineEntry, parse_prefix};

/// An entry in force and the pack it comes from.
#[derive(Clone, Copy, Debug)]
pub(super) struct InForce<'a> {
    pub(super) entry: &'a LineEntry,
    pub(super) pack: &'a Pack,
}

impl InForce<'_> {
    /// `pack:line`, for people.
    pub(super) fn source(self) -> String {
        format!("{}:{}", self.pack.name(), self.pack.source().line(self.entry.old.span.start))
    }
}

/// What a pattern is in its entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Role {
    /// `old` or `new`.
    Side(Generation),
    /// `also_old` or `also_new`.
    Also(Generation),
    /// `tagged`.
    Tagged,
}

impl Role {
    pub(super) fn generation(self) -> Generation {
        match self {
            Role::Side(generation) | Role::Also(generation) => generation,
            Role::Tagged => Generation::New,
        }
    }
}

/// One pattern below one prefix.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    /// The place of its entry.
    pub(super) entry: usize,
    pub(super) role: Role,
    /// The whole name.
    pub(super) segments: Vec<Segment>,
    /// How many of the segments are the prefix.
    pub(super) prefix: usize,
    pub(super) types: &'a [String],
    pub(super) span: Span,
    /// The pattern for people.
    pub(super) shown: String,
}

/// The entries of all packs, in order. An entry of a later pack stands where the one stood whose place it takes:
/// the one that reads the same on both sides, otherwise each that reads the same on one.
pub(super) fn in_force(packs: &[Pack]) -> Vec<InForce<'_>> {
    let mut entries: Vec<InForce<'_>> = Vec::new();
    for pack in packs {
        // An entry of this pack does not take the place of another.
        let mut earlier: Vec<Option<InForce<'_>>> = entries.into_iter().map(Some).collect();
        let mut placed: Vec<Option<InForce<'_>>> = vec![None; earlier.len()];
        let mut added = Vec::new();
        for entry in &pack.lines().entries {
            let places = |like: &dyn Fn(&LineEntry) -> bool| -> Vec<usize> {
                let known = earlier.iter().enumerate();
                known
                    .filter_map(|(place, its)| like(its.as_ref()?.entry).then_some(place))
                    .collect()
            };
            let old = |its: &LineEntry| its.old.pattern.reads_like(&entry.old.pattern);
            let new = |its: &LineEntry| its.new.pattern.reads_like(&entry.new.pattern);
            let mut replaced = places(&|its| old(its) && new(its));
            if replaced.is_empty() {
                replaced = places(&|its| old(its) || new(its));
            }
            for place in &replaced {
                earlier[*place] = None;
            }
            match replaced.first() {
                Some(first) => placed[*first] = Some(InForce { entry, pack }),
                None => added.push(InForce { entry, pack }),
            }
        }
        let kept =
            earlier.into_iter().zip(placed).filter_map(|(earlier, placed)| placed.or(earlier));
        entries = kept.chain(added).collect();
    }
    entries
}

/// The prefixes of the settings.
///
/// # Errors
///
/// Everything that is wrong with them.
pub(super) fn prefixes(texts: &[String]) -> Result<Vec<Vec<Segment>>, Diagnostics> {
    let mut faults = Vec::new();
    let mut prefixes = Vec::new();
    for text in texts {
        match parse_prefix(text) {
            Ok(prefix) => prefixes.push(prefix),
            Err((message, remedy)) => {
                faults.push(
                    Diagnostic::error(format!("prefix `{text}`: {message}")).with_help(remedy),
                );
            }
        }
    }
    if faults.is_empty() { Ok(prefixes) } else { Err(Diagnostics(faults)) }
}

/// What can stand in front of a pack's names, with nothing between first.
pub(super) fn fronts(pack: &Pack, prefixes: &[Vec<Segment>]) -> Vec<Vec<Segment>> {
    let lines = pack.lines();
    let roots: Vec<&[Segment]> = match &lines.prefix {
        None => vec![&[]],
        Some(prefix) if prefixes.is_empty() => vec![prefix],
        Some(_) => prefixes.iter().map(Vec::as_slice).collect(),
    };
    let with = |root: &[Segment], between: &[Segment]| [root, between].concat();
    let plain = roots.iter().map(|root| root.to_vec());
    let more = lines.between.iter().flat_map(|it| roots.iter().map(|root| with(root, it)));
    plain.chain(more).collect()
}

/// Every pattern of the entries, below every prefix.
pub(super) fn readers<'a>(entries: &[InForce<'a>], prefixes: &[Vec<Segment>]) -> Vec<Reader<'a>> {
    let mut readers = Vec::new();
    for (place, from) in entries.iter().enumerate() {
        let entry = from.entry;
        for front in fronts(from.pack, prefixes) {
            let mut add = |role, segments: &[Segment], types: &'a [String], span, shown| {
                readers.push(Reader {
                    entry: place,
                    role,
                    segments: [&front, segments].concat(),
                    prefix: front.len(),
                    types,
                    span,
                    shown,
                });
            };
            for generation in [Generation::Old, Generation::New] {
                let sides = [
                    (Role::Side(generation), Some(entry.side(generation))),
                    (Role::Also(generation), entry.also(generation)),
                ];
                for (role, side) in sides {
                    if let Some(side) = side {
                        let pattern = &side.pattern;
                        let shown = pattern.to_string();
                        add(role, &pattern.segments, &pattern.types, side.span, shown);
                    }
                }
            }
            if let Some((tagged, span)) = &entry.tagged {
                add(Role::Tagged, &tagged.segments, &tagged.types, *span, tagged.to_string());
            }
        }
    }
    readers
}
