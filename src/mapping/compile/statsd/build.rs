//! Builds the plan from checked rules. This step cannot fail.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::StatsdSettings;
use super::check::Ambiguities;
use crate::mapping::Pack;
use crate::mapping::compile::statsd::active::{ActiveRule, Reader, Role};
use crate::mapping::emitted::Emitted;
use crate::mapping::generation::Generation;
use crate::mapping::pack::PackLineRule;
use crate::mapping::pack::statsd::pattern::{Pattern, TaggedPattern};
use crate::mapping::pack::statsd::tags::Tags;
use crate::mapping::plan::name_tree::Front;
use crate::mapping::plan::statsd::{
    Capture, Ending, LineRule, LineRuleId, LineTemplate, Literal, Part, StatsdPlan, TaggedLines,
    TagsTemplate, WrittenValue,
};
use crate::mapping::plan::text::Text;
use crate::mapping::segment::{Placeholder, Segment};

/// Builds the plan of rules that [`check`](super::check) found nothing wrong with.
pub(super) fn plan(
    packs: &[Pack],
    active: &[ActiveRule<'_>],
    readers: &[Reader<'_>],
    ambiguous: &Ambiguities,
    (emitted, settings): (Emitted, &StatsdSettings),
) -> StatsdPlan {
    let mut build = Build {
        ambiguous,
        emitted,
        settings,
        bases: bases(active),
        ids: HashMap::new(),
        plan: StatsdPlan::default(),
    };
    build.tags(packs);
    for (place, from) in active.iter().enumerate() {
        for generation in [Generation::Old, Generation::New] {
            build.side(place, *from, generation);
            build.also(place, *from, generation);
        }
        build.tagged(place, *from);
    }
    build.names(readers);
    for rule in &mut build.plan.rules {
        rule.reads_values = rule.scaled || !rule.skip.is_empty();
    }
    build.plan
}

struct Build<'a> {
    ambiguous: &'a Ambiguities,
    emitted: Emitted,
    settings: &'a StatsdSettings,
    /// For each rule with `tagged`, the first rule that reads the same tagged lines. The first
    /// counts all of them, the others parts.
    bases: Vec<Option<usize>>,
    ids: HashMap<(usize, Role), LineRuleId>,
    plan: StatsdPlan,
}

impl Build<'_> {
    fn emits(&self, generation: Generation) -> bool {
        self.emitted.has(generation)
    }

    fn tags(&mut self, packs: &[Pack]) {
        for tag in packs.iter().flat_map(|pack| &pack.lines().tags.known) {
            if self.plan.tag(tag.as_bytes()).is_none() {
                self.plan.tags.push(tag.as_bytes().into());
                self.plan.keys.push(Text::new(tag.as_bytes()));
            }
        }
    }

    /// What is known of the tagged lines of a pack's sender.
    fn tagged_lines(&self, pack: &Pack) -> TaggedLines {
        let bits = |tags: &[String]| {
            let numbers = tags.iter().filter_map(|tag| self.plan.tag(tag.as_bytes()));
            numbers.fold(0, |bits, number| bits | 1 << number)
        };
        let Tags { known: _, required, text, types } = &pack.lines().tags;
        TaggedLines {
            types: types.iter().map(|word| word.as_bytes().into()).collect(),
            required: bits(required),
            text: bits(text),
        }
    }

    fn ambiguous(&self, place: usize, role: Role) -> Vec<Vec<(Capture, Box<[u8]>)>> {
        let part = |(place, text): &(usize, String)| {
            (Capture::Head(number(*place)), text.as_bytes().into())
        };
        let ambiguous = self.ambiguous.get(&(place, role)).into_iter().flatten();
        ambiguous.map(|parts| parts.iter().map(part).collect()).collect()
    }

    /// The rule for lines of one side.
    fn side(&mut self, place: usize, from: ActiveRule<'_>, reads: Generation) {
        let pack_rule = from.rule;
        let read = &pack_rule.side(reads).pattern;
        // A name that is the same in both generations is written once, in its new shape.
        let renamed = !pack_rule.old.pattern.names_like(&pack_rule.new.pattern);
        let both = self.emitted.is_both();
        let becomes = written_shown(pack_rule, reads.other());
        let factor = pack_rule.scale_to(reads.other());
        let factor = factor.map(|scale| format!(" ({scale})")).unwrap_or_default();
        let mut rule = rule(format!("{read} -> {becomes}{factor}"), from, reads);
        rule.ambiguous_with = self.ambiguous(place, Role::Side(reads));
        for written in [Generation::Old, Generation::New] {
            if !self.emits(written) || both && !renamed && written == Generation::Old {
                continue;
            }
            if let Some(template) = self.with_tags(place, pack_rule, (reads, written)) {
                rule.scaled |= pack_rule.scale.is_some() && reads != written;
                rule.writes.push(template);
            } else if written == reads {
                rule.keep = true;
            } else {
                let origin = |placeholder: &str| origin(read, placeholder);
                let mut writes = templates(pack_rule, (reads, written), &origin);
                rule.scaled |= pack_rule.scale.is_some();
                // The name of an `also` line does not end like the name read.
                if let Some(first) = writes.first_mut() {
                    first.ending = ending(&pack_rule.side(written).pattern, read, &origin);
                }
                rule.writes.extend(writes);
            }
        }
        // Only new lines are skipped: the old generation sends these values itself.
        if reads == Generation::Old && self.emits(Generation::New) {
            rule.skip = pack_rule.skip.iter().map(|value| value.as_bytes().into()).collect();
        }
        self.add(place, Role::Side(reads), rule);
    }

    /// The rule for `also` lines, which carry no information of their own: kept if their generation
    /// is emitted, otherwise dropped.
    fn also(&mut self, place: usize, from: ActiveRule<'_>, reads: Generation) {
        if let Some(also) = from.rule.also(reads) {
            let mut rule = rule(format!("{} -> nothing", also.pattern), from, reads);
            rule.ambiguous_with = self.ambiguous(place, Role::Also(reads));
            rule.keep = self.emits(reads);
            self.add(place, Role::Also(reads), rule);
        }
    }

    /// The rule for tagged lines, or an addition to the existing one.
    fn tagged(&mut self, place: usize, from: ActiveRule<'_>) {
        let Some((tagged, _)) = &from.rule.tagged else { return };
        let (mut templates, mut scaled) = (Vec::new(), false);
        if self.emits(Generation::Old) {
            let tag = |placeholder: &str| {
                let tag = tagged.tags.iter().find(|(_, its)| its.name == placeholder)?;
                self.plan.tag(tag.0.as_bytes()).map(Capture::Tag)
            };
            let generations = (Generation::New, Generation::Old);
            templates = self::templates(from.rule, generations, &tag);
            let numbers = tagged.tags.iter().filter_map(|(key, _)| self.plan.tag(key.as_bytes()));
            let needs = numbers.fold(0, |needs, number| needs | 1 << number);
            for template in &mut templates {
                template.needs = needs;
            }
            scaled = from.rule.scale.is_some();
        }
        let base = self.bases[place].unwrap_or(place);
        if base == place {
            let rule = LineRule {
                tagged: Some(Arc::new(self.tagged_lines(from.pack))),
                keep: self.emits(Generation::New),
                scaled,
                writes: templates,
                ..rule(
                    format!("{} with tags -> lines without", without_tags(tagged)),
                    from,
                    Generation::New,
                )
            };
            self.add(place, Role::Tagged, rule);
        } else if let Some(id) = self.ids.get(&(base, Role::Tagged)).copied() {
            let rule = &mut self.plan.rules[id.0 as usize];
            rule.writes.extend(templates);
            rule.scaled |= scaled;
            self.ids.insert((place, Role::Tagged), id);
        }
    }

    /// The tagged line that replaces one line of a rule, where settings ask for it and it is exact:
    /// the rule must be the one that counts the tagged lines whole.
    fn with_tags(
        &self,
        place: usize,
        pack_rule: &PackLineRule,
        (reads, written): (Generation, Generation),
    ) -> Option<LineTemplate> {
        let read = &pack_rule.side(reads).pattern;
        let dialect = self.settings.tags.filter(|_| written == Generation::New)?;
        let (tagged, _) = pack_rule.tagged.as_ref()?;
        if self.bases[place] != Some(place) || read.value.is_some() {
            return None;
        }
        let tag = |(key, placeholder): &(String, Placeholder)| {
            Some((key.as_bytes().into(), origin(read, &placeholder.name)?))
        };
        let tags: Option<Vec<(Box<[u8]>, Capture)>> = tagged.tags.iter().map(tag).collect();
        let origin = |placeholder: &str| origin(read, placeholder);
        let dotted = templates(pack_rule, (reads, written), &origin);
        let value = scaled(pack_rule, (reads, written));
        Some(LineTemplate {
            tags: Some(TagsTemplate { dialect, tags: tags?, dotted }),
            ..template(&tagged.segments, &tagged.types, value, &|_| None)
        })
    }

    fn add(&mut self, place: usize, role: Role, rule: LineRule) {
        let id = LineRuleId(u32::try_from(self.plan.rules.len()).expect("packs fit in memory"));
        self.plan.rules.push(rule);
        self.ids.insert((place, role), id);
    }

    fn names(&mut self, readers: &[Reader<'_>]) {
        let mut leads = BTreeSet::new();
        for reader in readers {
            let id = self.ids[&(reader.rule, reader.role)];
            let rule = &mut self.plan.rules[id.0 as usize];
            // Several pack rules can rewrite one tagged line; the first represents them. A tagged
            // line that is not rewritten needs no name in the tree.
            let first = reader.role != Role::Tagged || self.bases[reader.rule] == Some(reader.rule);
            if !first || rule.tagged.is_some() && rule.writes.is_empty() {
                continue;
            }
            rule.any_type = reader.types.is_empty();
            self.plan.tagged |= rule.tagged.is_some();
            let (segments, prefix) = (&reader.segments, reader.prefix);
            let front = Front { segments: prefix, between: reader.between };
            self.plan.names.insert(segments, front, reader.types, rule.reads, id);
            leads.insert(lead(segments, prefix));
        }
        self.plan.names.prepare();
        for lead in leads {
            // Leads are sorted: a lead that begins another one comes before it.
            if !self.plan.leads.last().is_some_and(|last| last.begins_line(&lead)) {
                self.plan.leads.push(Text::new(&lead));
            }
        }
    }
}

fn bases(active: &[ActiveRule<'_>]) -> Vec<Option<usize>> {
    let mut first = HashMap::new();
    let place = |(place, from): (usize, &ActiveRule<'_>)| {
        let (tagged, _) = from.rule.tagged.as_ref()?;
        Some(*first.entry(without_tags(tagged)).or_insert(place))
    };
    active.iter().enumerate().map(place).collect()
}

/// The text that names begin with: their prefix, or their first segment, up to a placeholder.
fn lead(segments: &[Segment], prefix: usize) -> Box<[u8]> {
    let mut lead = Vec::new();
    for (index, segment) in segments.iter().take(prefix.max(1)).enumerate() {
        let Segment::Text(text) = segment else { break };
        lead.extend_from_slice(text.as_bytes());
        if index + 1 < segments.len() {
            lead.push(b'.');
        }
    }
    lead.into()
}

fn rule(title: String, from: ActiveRule<'_>, reads: Generation) -> LineRule {
    LineRule {
        title,
        source: from.source(),
        reads,
        any_type: false,
        tagged: None,
        ambiguous_with: Vec::new(),
        skip: Vec::new(),
        scaled: false,
        reads_values: false,
        keep: false,
        writes: Vec::new(),
    }
}

fn without_tags(tagged: &TaggedPattern) -> String {
    TaggedPattern { tags: Vec::new(), ..tagged.clone() }.to_string()
}

/// The lines written, as shown to users.
fn written_shown(pack_rule: &PackLineRule, written: Generation) -> String {
    let also = pack_rule.also(written).map(|also| format!(", {}", also.pattern));
    format!("{}{}", pack_rule.side(written).pattern, also.unwrap_or_default())
}

/// How to write a side of a rule. `origin` gives the source of a placeholder's text.
fn templates(
    pack_rule: &PackLineRule,
    (reads, written): (Generation, Generation),
    origin: &dyn Fn(&str) -> Option<Capture>,
) -> Vec<LineTemplate> {
    let patterns = [Some(pack_rule.side(written)), pack_rule.also(written)];
    let scaled = scaled(pack_rule, (reads, written));
    let write = |pattern: &Pattern| {
        let captured = pattern.value.as_ref().and_then(|value| origin(&value.name));
        // If the value is that of the line read, it is copied with the rest.
        let captured = captured.filter(|value| *value != Capture::Value);
        template(
            &pattern.segments,
            &pattern.types,
            captured.map(WrittenValue::Part).or(scaled),
            origin,
        )
    };
    patterns.into_iter().flatten().map(|side| write(&side.pattern)).collect()
}

/// The value of lines of the other generation, if a rule has a factor.
fn scaled(
    pack_rule: &PackLineRule,
    (reads, written): (Generation, Generation),
) -> Option<WrittenValue> {
    let scale = pack_rule.scale_to(written).filter(|_| reads != written);
    scale.map(WrittenValue::Scaled)
}

fn template(
    segments: &[Segment],
    types: &[String],
    value: Option<WrittenValue>,
    origin: &dyn Fn(&str) -> Option<Capture>,
) -> LineTemplate {
    let metric_type = types.first().map(|word| word.as_bytes().into());
    let name = parts(segments, origin);
    LineTemplate { name, ending: None, value, metric_type, needs: 0, tags: None }
}

/// How to write a name.
fn parts(segments: &[Segment], origin: &dyn Fn(&str) -> Option<Capture>) -> Vec<Part> {
    let mut name = Vec::new();
    let mut text = String::new();
    for (index, segment) in segments.iter().enumerate() {
        if index > 0 {
            text.push('.');
        }
        let bound =
            |placeholder: &str| origin(placeholder).expect("checked: placeholders are bound");
        let part = match segment {
            Segment::Text(its) => {
                text.push_str(its);
                continue;
            }
            Segment::One(placeholder, _) => match bound(&placeholder.name) {
                // Only tag values can contain dots where one segment is written.
                tag @ Capture::Tag(_) => Part::Segment(tag),
                other => Part::Copy(other),
            },
            Segment::Many(placeholder) => Part::Copy(bound(&placeholder.name)),
        };
        if !text.is_empty() {
            name.push(Part::Text(Literal::new(std::mem::take(&mut text).as_bytes())));
        }
        name.push(part);
    }
    if !text.is_empty() {
        name.push(Part::Text(Literal::new(text.as_bytes())));
    }
    name
}

/// From where the written name equals the end of the name read.
fn ending(
    written: &Pattern,
    read: &Pattern,
    origin: &dyn Fn(&str) -> Option<Capture>,
) -> Option<Ending> {
    let same = |(a, b): &(&Segment, &Segment)| match (a, b) {
        (Segment::Text(a), Segment::Text(b)) => a == b,
        (Segment::One(a, _), Segment::One(b, _)) | (Segment::Many(a), Segment::Many(b)) => {
            a.name == b.name
        }
        _ => false,
    };
    let (w, r) = (&written.segments, &read.segments);
    let length = w.iter().rev().zip(r.iter().rev()).take_while(same).count();
    let from = place(read, r.len().checked_sub(length).filter(|place| *place < r.len())?);
    let mut front = parts(&w[..w.len() - length], origin);
    match front.last_mut() {
        None => {}
        Some(Part::Text(text)) => *text = Literal::new(&[text.bytes(), b"."].concat()),
        Some(_) => front.push(Part::Text(Literal::new(b"."))),
    }
    Some(Ending { front, from })
}

/// Where the text of a placeholder is in lines that a pattern reads.
fn origin(read: &Pattern, placeholder: &str) -> Option<Capture> {
    if read.value.as_ref().is_some_and(|value| value.name == placeholder) {
        return Some(Capture::Value);
    }
    let is_named =
        |segment: &Segment| segment.placeholder().is_some_and(|it| it.name == placeholder);
    Some(place(read, read.segments.iter().position(is_named)?))
}

/// A segment of the name read.
fn place(read: &Pattern, place: usize) -> Capture {
    let many = read.segments.iter().position(|segment| matches!(segment, Segment::Many(_)));
    match many {
        Some(many) if place == many => Capture::Many,
        Some(many) if place > many => Capture::Tail(number(read.segments.len() - 1 - place)),
        _ => Capture::Head(number(place)),
    }
}

fn number(place: usize) -> u8 {
    u8::try_from(place).expect("checked: names are short")
}
