//! What entries can only tell together: which lines more than one pattern reads.
//!
//! Within a generation a pattern may be the exception to a wider one, which it must then be in every respect. Across
//! generations there is no exception: a line that both may mean has no meaning of its own. Some sources
//! have such lines. A pack must list them under `either`, and then what the same sender sent before decides.

use std::collections::{HashMap, HashSet};

use super::overlap::{contains, example, order, shared};
use crate::document::{Diagnostic, Diagnostics};
use crate::mapping::Pack;
use crate::mapping::compile::statsd::active::{InForce, Reader, Role, fronts};
use crate::mapping::pack::statsd::pattern::{Dotted, Segment};

/// The patterns that share lines with the other generation, by place of the entry and role: the texts that placeholders
/// have in such lines, by the place of the segment.
pub(super) type Rivals = HashMap<(usize, Role), Vec<Vec<(usize, String)>>>;

/// Compares every pattern with every other.
///
/// # Errors
///
/// Every pair that reads the same line to different ends, with such a line.
pub(super) fn rivals(
    packs: &[Pack],
    entries: &[InForce<'_>],
    readers: &[Reader<'_>],
    prefixes: &[Vec<Segment>],
) -> Result<Rivals, Diagnostics> {
    let mut check = Check {
        entries,
        either: packs.iter().flat_map(|pack| either(pack, prefixes)).collect(),
        told: HashSet::new(),
        faults: Vec::new(),
        rivals: Rivals::new(),
    };
    for (index, reader) in readers.iter().enumerate() {
        for earlier in readers.iter().take(index) {
            check.pair(earlier, reader);
        }
    }
    if check.faults.is_empty() { Ok(check.rivals) } else { Err(Diagnostics(check.faults)) }
}

/// The whole names that a pack says both generations may mean.
fn either(pack: &Pack, prefixes: &[Vec<Segment>]) -> Vec<Vec<Segment>> {
    let fronts = fronts(pack, prefixes);
    let names = pack.lines().either.iter();
    names.flat_map(|name| fronts.iter().map(|front| [front, name.as_slice()].concat())).collect()
}

struct Check<'a> {
    entries: &'a [InForce<'a>],
    either: Vec<Vec<Segment>>,
    /// Pairs that have been told of: below another prefix they are no news.
    told: HashSet<[(usize, Role); 2]>,
    faults: Vec<Diagnostic>,
    rivals: Rivals,
}

impl Check<'_> {
    fn pair(&mut self, first: &Reader<'_>, second: &Reader<'_>) {
        if !types_meet(first, second) {
            return;
        }
        let names = shared(&first.segments, &second.segments);
        let tagged = first.role == Role::Tagged || second.role == Role::Tagged;
        let both_tagged = first.role == second.role && tagged;
        // One tagged line becomes what all entries that read it say.
        if both_tagged && first.types == second.types && first.prefix == second.prefix {
            return;
        }
        if first.role.generation() != second.role.generation() && !tagged {
            let listed = |name: &&Vec<Segment>| self.either.iter().any(|it| contains(it, name));
            if let Some(name) = names.iter().find(|name| !listed(name)) {
                let name = name.clone();
                self.tell_generations(first, second, &name);
            } else {
                for name in &names {
                    self.rival(first, name);
                    self.rival(second, name);
                }
            }
        } else if let Some(name) = names.first()
            && (tagged && !both_tagged || !excepts(first, second) && !excepts(second, first))
        {
            let name = name.clone();
            self.tell(first, second, &name, "exclude it from one of them: `{x!=text}`".to_owned());
        }
    }

    /// Notes that the other generation has names like this too.
    fn rival(&mut self, reader: &Reader<'_>, name: &[Segment]) {
        let own = reader.segments.iter().zip(name).enumerate().skip(reader.prefix);
        let own = own.take_while(|(_, (segment, _))| !matches!(segment, Segment::Many(_)));
        let texts = own.filter_map(|(place, pair)| match pair {
            (Segment::One(..), Segment::Text(text)) => Some((place - reader.prefix, text.clone())),
            _ => None,
        });
        let texts = texts.collect();
        let known = self.rivals.entry((reader.entry, reader.role)).or_default();
        if !known.contains(&texts) {
            known.push(texts);
        }
    }

    fn tell_generations(&mut self, first: &Reader<'_>, second: &Reader<'_>, name: &[Segment]) {
        let below = if first.prefix == second.prefix { first.prefix } else { 0 };
        let remedy = format!(
            "exclude it from one of them (`{{x!=text}}`), or list `{}` under `either`: then what the same \
             sender sent before decides",
            Dotted(&name[below..])
        );
        self.tell(first, second, name, remedy);
    }

    fn tell(&mut self, first: &Reader<'_>, second: &Reader<'_>, name: &[Segment], remedy: String) {
        let pair = [(first.entry, first.role), (second.entry, second.role)];
        if !self.told.insert(pair) {
            return;
        }
        let types = [first.types, second.types];
        let both =
            |word: &&String| types.iter().all(|types| types.is_empty() || types.contains(word));
        let metric_type = types.concat().iter().find(both).map_or("c", String::as_str).to_owned();
        let message = format!(
            "`{}` reads a line that `{}` ({}) reads too: `{}:1|{metric_type}`",
            second.shown,
            first.shown,
            self.entries[first.entry].source(),
            example(name),
        );
        let pack = self.entries[second.entry].pack;
        self.faults.push(pack.source().error(second.span, message, remedy));
    }
}

/// True when `narrow` is an exception to `wide` and is tried first.
fn excepts(narrow: &Reader<'_>, wide: &Reader<'_>) -> bool {
    let named = |reader: &Reader<'_>| !reader.types.is_empty();
    let types_within =
        !named(wide) || named(narrow) && narrow.types.iter().all(|word| wide.types.contains(word));
    let order = order(&narrow.segments, &wide.segments);
    types_within
        && contains(&wide.segments, &narrow.segments)
        && (order.is_lt() || order.is_eq() && named(narrow) && !named(wide))
}

fn types_meet(first: &Reader<'_>, second: &Reader<'_>) -> bool {
    first.types.is_empty()
        || second.types.is_empty()
        || first.types.iter().any(|word| second.types.contains(word))
}
