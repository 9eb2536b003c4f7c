//! Finds lines that more than one pattern reads.
//!
//! Within a generation, a pattern may be an exception to a wider one if it is narrower in every
//! respect. Across generations, a line that both patterns read is ambiguous. Some senders send such
//! lines; a pack must list them under `either`, and earlier lines of the sender then decide.

use std::collections::{HashMap, HashSet};

use super::candidates::Candidates;
use super::overlap::{contains, example, meet, order, shared};
use crate::document::{Diagnostic, Diagnostics};
use crate::mapping::Pack;
use crate::mapping::compile::statsd::active::{ActiveRule, Reader, Role, fronts};
use crate::mapping::segment::{Dotted, Segment};

/// Patterns that share lines with the other generation, by index of the rule and role, with the
/// placeholder texts of such lines by index of the segment.
pub(super) type Ambiguities = HashMap<(usize, Role), Vec<Vec<(usize, String)>>>;

/// Compares every pattern with every other.
///
/// # Errors
///
/// Every pair of patterns that read the same line differently, with an example.
pub(super) fn check(
    packs: &[Pack],
    rules: &[ActiveRule<'_>],
    readers: &[Reader<'_>],
    prefixes: &[Vec<Segment>],
) -> Result<Ambiguities, Diagnostics> {
    let mut check = Check {
        rules,
        listed: packs.iter().flat_map(|pack| ambiguous_names(pack, prefixes)).collect(),
        reported: HashSet::new(),
        prefixes,
        prefix_reported: false,
        errors: Vec::new(),
        ambiguous: Ambiguities::new(),
        names: 0,
    };
    let mut candidates = Candidates::default();
    // Of readers that differ in their rule alone, the first represents all.
    let mut known = HashSet::new();
    for (index, reader) in readers.iter().enumerate() {
        for earlier in candidates.near(&reader.segments) {
            check.pair(&readers[earlier], reader);
        }
        if Diagnostics::stop_at_most(&mut check.errors) || check.names > MAX_AMBIGUOUS_NAMES {
            break;
        }
        let name: Vec<_> = reader.segments.iter().map(Segment::reading_key).collect();
        let same = (reader.role, reader.prefix, reader.root, name, reader.types);
        if reader.role != Role::Tagged || known.insert(same) {
            candidates.insert(&reader.segments, index);
        }
    }
    if check.errors.is_empty() { Ok(check.ambiguous) } else { Err(Diagnostics(check.errors)) }
}

/// The whole names that a pack lists as ambiguous.
fn ambiguous_names(pack: &Pack, prefixes: &[Vec<Segment>]) -> Vec<Vec<Segment>> {
    let fronts = fronts(pack, prefixes);
    let names = pack.lines().either.iter();
    names.flat_map(|name| fronts.iter().map(|front| [front, name.as_slice()].concat())).collect()
}

/// Maximum number of names that both generations may use. Real packs have about a dozen.
const MAX_AMBIGUOUS_NAMES: usize = 10_000;

struct Check<'a> {
    rules: &'a [ActiveRule<'a>],
    listed: Vec<Vec<Segment>>,
    /// Pairs already reported: they are reported for one prefix only.
    reported: HashSet<[(usize, Role); 2]>,
    /// The prefixes of the settings.
    prefixes: &'a [Vec<Segment>],
    prefix_reported: bool,
    errors: Vec<Diagnostic>,
    ambiguous: Ambiguities,
    /// How many names `ambiguous` has.
    names: usize,
}

impl Check<'_> {
    fn pair(&mut self, first: &Reader<'_>, second: &Reader<'_>) {
        if !meet(&first.segments, &second.segments) || !types_meet(first, second) {
            return;
        }
        let names = shared(&first.segments, &second.segments);
        if let (Some(one), Some(other)) = (first.root, second.root)
            && one != other
        {
            if let Some(name) = names.first() {
                self.prefixes(first, second, name);
            }
            return;
        }
        let tagged = first.role == Role::Tagged || second.role == Role::Tagged;
        let both_tagged = first.role == second.role && tagged;
        // All rules that read a tagged line apply to it.
        if both_tagged && first.types == second.types && first.prefix == second.prefix {
            return;
        }
        if first.role.generation() != second.role.generation() && !tagged {
            let listed = |name: &&Vec<Segment>| self.listed.iter().any(|it| contains(it, name));
            if let Some(name) = names.iter().find(|name| !listed(name)) {
                let name = name.clone();
                self.report_generations(first, second, &name);
            } else {
                for name in &names {
                    self.record(first, name);
                    self.record(second, name);
                }
            }
        } else if let Some(name) = names.first()
            && (tagged && !both_tagged || !excepts(first, second) && !excepts(second, first))
        {
            let name = name.clone();
            self.report(
                first,
                second,
                &name,
                "exclude it from one of them: `{x!=text}`".to_owned(),
            );
        }
    }

    /// Checks that of two prefixes, one of which begins with the other, the longer one is tried
    /// first.
    fn prefixes(&mut self, first: &Reader<'_>, second: &Reader<'_>, name: &[Segment]) {
        let (longer, shorter) =
            if first.prefix > second.prefix { (first, second) } else { (second, first) };
        let wins =
            longer.prefix == shorter.prefix || order(&longer.segments, &shorter.segments).is_lt();
        let shown = |reader: &Reader<'_>| reader.root.and_then(|root| self.prefixes.get(root));
        if let (false, false, Some(longer), Some(shorter)) =
            (wins, self.prefix_reported, shown(longer), shown(shorter))
        {
            let message = format!(
                "statsd.prefixes: a line can have both `{}` and `{}` as its prefix: `{}`",
                Dotted(shorter),
                Dotted(longer),
                example(name),
            );
            let help = "remove one of them, or give the plugin another prefix";
            self.errors.push(Diagnostic::error(message).with_help(help));
            self.prefix_reported = true;
        }
    }

    /// Records that the other generation has such names too.
    fn record(&mut self, reader: &Reader<'_>, name: &[Segment]) {
        let own = reader.segments.iter().zip(name).enumerate().skip(reader.prefix);
        let own = own.take_while(|(_, (segment, _))| !matches!(segment, Segment::Many(_)));
        let texts = own.filter_map(|(place, pair)| match pair {
            (Segment::One(..), Segment::Text(text)) => Some((place - reader.prefix, text.clone())),
            _ => None,
        });
        let texts = texts.collect();
        let known = self.ambiguous.entry((reader.rule, reader.role)).or_default();
        if known.contains(&texts) {
            return;
        }
        known.push(texts);
        self.names += 1;
        if self.names == MAX_AMBIGUOUS_NAMES + 1 {
            let message = format!("more than {MAX_AMBIGUOUS_NAMES} names are ambiguous");
            let help = "exclude them from one of the patterns (`{x!=text}`)";
            let error = Diagnostic::error(message).with_help(help);
            self.errors.push(error);
        }
    }

    fn report_generations(&mut self, first: &Reader<'_>, second: &Reader<'_>, name: &[Segment]) {
        let below = if first.prefix == second.prefix { first.prefix } else { 0 };
        let remedy = format!(
            "exclude it from one of them (`{{x!=text}}`), or list `{}` under `either`: then what the same \
             sender sent before decides",
            Dotted(&name[below..])
        );
        self.report(first, second, name, remedy);
    }

    fn report(
        &mut self,
        first: &Reader<'_>,
        second: &Reader<'_>,
        name: &[Segment],
        remedy: String,
    ) {
        let pair = [(first.rule, first.role), (second.rule, second.role)];
        if !self.reported.insert(pair) {
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
            self.rules[first.rule].source(),
            example(name),
        );
        let pack = self.rules[second.rule].pack;
        self.errors.push(pack.source().error(second.span, message, remedy));
    }
}

/// True if `narrow` is an exception to `wide` and is tried first.
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
