//! The patterns that read lines: those of the active rules, with every prefix.

use std::collections::HashMap;

use crate::document::{Diagnostic, Diagnostics, Span};
use crate::mapping::Pack;
use crate::mapping::generation::Generation;
use crate::mapping::pack::{PackLineRule, parse_prefix};
use crate::mapping::segment::{Segment, SegmentKey};

/// An active rule and its pack.
#[derive(Clone, Copy, Debug)]
pub(super) struct ActiveRule<'a> {
    pub(super) rule: &'a PackLineRule,
    pub(super) pack: &'a Pack,
}

impl ActiveRule<'_> {
    /// The location as `pack:line`.
    pub(super) fn source(self) -> String {
        format!("{}:{}", self.pack.name(), self.pack.source().line(self.rule.old.span.start))
    }
}

/// The key of a pattern in its rule.
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
    /// The index of its rule.
    pub(super) rule: usize,
    pub(super) role: Role,
    /// The whole name.
    pub(super) segments: Vec<Segment>,
    /// How many of the segments are the prefix.
    pub(super) prefix: usize,
    /// The index of the prefix among those of the settings; `None` for a pack without a prefix.
    pub(super) root: Option<usize>,
    /// Whether the prefix ends with `between` segments.
    pub(super) between: bool,
    pub(super) types: &'a [String],
    pub(super) span: Span,
    /// The pattern as shown to users.
    pub(super) shown: String,
}

/// The active rules of all packs, in order. A rule of a later pack replaces, at its position, the
/// rule that reads the same lines on both sides, otherwise each that reads the same lines on one
/// side.
pub(super) fn active_rules(packs: &[Pack]) -> Vec<ActiveRule<'_>> {
    let mut rules: Vec<ActiveRule<'_>> = Vec::new();
    for pack in packs {
        // A rule of this pack cannot replace another rule of this pack.
        let index = ReadingIndex::new(&rules);
        let mut earlier: Vec<Option<ActiveRule<'_>>> = rules.into_iter().map(Some).collect();
        let mut placed: Vec<Option<ActiveRule<'_>>> = vec![None; earlier.len()];
        let mut added = Vec::new();
        for rule in &pack.lines().rules {
            let mut replaced = index.like(rule);
            replaced.retain(|place| earlier[*place].is_some());
            let both = |place: &usize| {
                let like = |its: ActiveRule<'_>| {
                    its.rule.old.pattern.reads_like(&rule.old.pattern)
                        && its.rule.new.pattern.reads_like(&rule.new.pattern)
                };
                earlier[*place].is_some_and(like)
            };
            if replaced.iter().any(both) {
                replaced.retain(both);
            }
            for place in &replaced {
                earlier[*place] = None;
            }
            match replaced.first() {
                Some(first) => placed[*first] = Some(ActiveRule { rule, pack }),
                None => added.push(ActiveRule { rule, pack }),
            }
        }
        let kept =
            earlier.into_iter().zip(placed).filter_map(|(earlier, placed)| placed.or(earlier));
        rules = kept.chain(added).collect();
    }
    rules
}

/// The places of rules by what their sides read.
struct ReadingIndex<'a> {
    old: HashMap<ReadingKey<'a>, Vec<usize>>,
    new: HashMap<ReadingKey<'a>, Vec<usize>>,
}

type ReadingKey<'a> = (Vec<SegmentKey<'a>>, &'a [String]);

impl<'a> ReadingIndex<'a> {
    fn new(rules: &[ActiveRule<'a>]) -> ReadingIndex<'a> {
        let mut index = ReadingIndex { old: HashMap::new(), new: HashMap::new() };
        for (place, ActiveRule { rule, .. }) in rules.iter().enumerate() {
            index.old.entry(rule.old.pattern.reading_key()).or_default().push(place);
            index.new.entry(rule.new.pattern.reading_key()).or_default().push(place);
        }
        index
    }

    /// The rules that read the same lines on either side.
    fn like(&self, rule: &PackLineRule) -> Vec<usize> {
        let old = self.old.get(&rule.old.pattern.reading_key());
        let new = self.new.get(&rule.new.pattern.reading_key());
        let mut places: Vec<usize> = old.into_iter().chain(new).flatten().copied().collect();
        places.sort_unstable();
        places.dedup();
        places
    }
}

/// The prefixes of the settings.
///
/// # Errors
///
/// All errors in them.
pub(super) fn prefixes(texts: &[String]) -> Result<Vec<Vec<Segment>>, Diagnostics> {
    let mut errors = Vec::new();
    let mut prefixes = Vec::new();
    for text in texts {
        match parse_prefix(text) {
            Ok(prefix) => prefixes.push(prefix),
            Err((message, remedy)) => {
                errors.push(
                    Diagnostic::error(format!("prefix `{text}`: {message}")).with_help(remedy),
                );
            }
        }
    }
    if errors.is_empty() { Ok(prefixes) } else { Err(Diagnostics(errors)) }
}

/// All prefixes of a pack's names; those without a `between` segment first.
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

/// Whether a prefix from the settings ends with `between` segments of the pack itself.
fn ends_between(pack: &Pack, front: &[Segment]) -> bool {
    let alike = |(a, b): (&Segment, &Segment)| match (a, b) {
        (Segment::Text(a), Segment::Text(b)) => a == b,
        (Segment::One(..), Segment::One(..)) | (Segment::Many(_), Segment::Many(_)) => true,
        _ => false,
    };
    let ends = |between: &Vec<Segment>| {
        between.len() <= front.len() && front.iter().rev().zip(between.iter().rev()).all(alike)
    };
    pack.lines().between.iter().any(ends)
}

/// Every pattern of the rules with every prefix.
pub(super) fn readers<'a>(rules: &[ActiveRule<'a>], prefixes: &[Vec<Segment>]) -> Vec<Reader<'a>> {
    let mut readers = Vec::new();
    for (place, from) in rules.iter().enumerate() {
        let rule = from.rule;
        let all = fronts(from.pack, prefixes);
        let plain = all.len() / (1 + from.pack.lines().between.len());
        for (index, front) in all.iter().enumerate() {
            let mut add = |role, segments: &[Segment], types: &'a [String], span, shown| {
                readers.push(Reader {
                    rule: place,
                    role,
                    segments: [front, segments].concat(),
                    prefix: front.len(),
                    root: from.pack.lines().prefix.is_some().then_some(index % plain),
                    between: index >= plain || ends_between(from.pack, front),
                    types,
                    span,
                    shown,
                });
            };
            for generation in [Generation::Old, Generation::New] {
                let sides = [
                    (Role::Side(generation), Some(rule.side(generation))),
                    (Role::Also(generation), rule.also(generation)),
                ];
                for (role, side) in sides {
                    if let Some(side) = side {
                        let pattern = &side.pattern;
                        let shown = pattern.to_string();
                        add(role, &pattern.segments, &pattern.types, side.span, shown);
                    }
                }
            }
            if let Some((tagged, span)) = &rule.tagged {
                add(Role::Tagged, &tagged.segments, &tagged.types, *span, tagged.to_string());
            }
        }
    }
    readers
}
