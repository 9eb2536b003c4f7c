//! Turns checked entries into a plan. Nothing can go wrong here any more.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::check::plain_entry;
use super::expected;
use crate::mapping::Pack;
use crate::mapping::compile::Settings;
use crate::mapping::compile::exposition::active::InForce;
use crate::mapping::compile::exposition::labels;
use crate::mapping::generation::{BucketPolicy, Emit, Generation};
use crate::mapping::plan::exposition::{
    Kind, Output, OutputId, PartOf, Plan, Redirect, ReferenceFamily, ReferenceId, Rule, RuleId,
};

/// Builds the plan of entries that [`check`](super::check) found nothing wrong with.
pub(in crate::mapping) fn plan(
    packs: &[Pack],
    entries: &[InForce<'_>],
    settings: &Settings,
) -> Plan {
    let mut build = Build {
        entries,
        settings,
        ids: HashMap::new(),
        outputs: HashMap::new(),
        plan: Plan::default(),
    };
    build.name();
    build.rules();
    build.redirects();
    build.family_rules();
    build.stream();
    build.families(packs);
    build.plan.expected = expected::expected(packs, entries, &build.ids);
    build.plan
}

/// The generations that rules write.
fn written(emit: Emit) -> &'static [Generation] {
    match emit {
        Emit::Old => &[Generation::Old],
        Emit::New => &[Generation::New],
        Emit::Both => &[Generation::New, Generation::Old],
    }
}

struct Build<'a> {
    entries: &'a [InForce<'a>],
    settings: &'a Settings,
    /// The rule of an entry that writes a generation, by the entry's place.
    ids: HashMap<(usize, Generation), RuleId>,
    outputs: HashMap<&'a str, OutputId>,
    plan: Plan,
}

impl<'a> Build<'a> {
    /// Gives rules and outputs their numbers: rules point at each other, whichever comes first.
    fn name(&mut self) {
        let mut next = 0;
        for (index, entry) in self.entries.iter().enumerate() {
            for generation in written(self.settings.emit) {
                let rule = self.has_rule(index, *generation);
                if rule {
                    self.ids.insert((index, *generation), RuleId(next));
                    next += 1;
                }
                if rule || is_divert(*entry, *generation) {
                    self.output(*entry, *generation);
                }
            }
        }
    }

    fn has_rule(&self, index: usize, written: Generation) -> bool {
        let from = self.entries[index];
        let entry = from.entry;
        if entry.derive.is_some_and(|derived| derived != written) || is_divert(from, written) {
            return false;
        }
        if !entry.keeps_name() {
            return true;
        }
        // Side by side, a family with one name leaves in its new shape only.
        let leaves = self.settings.emit != Emit::Both || written == Generation::New;
        let changes = entry.buckets.is_some()
            || !labels::labels(entry, written, &self.settings.fill).is_identity();
        let redirected = |its: &InForce<'_>| {
            is_divert(*its, written) && plain_entry(*its, self.entries) == Some(index)
        };
        leaves && (changes || self.entries.iter().any(redirected))
    }

    fn rules(&mut self) {
        for (index, from) in self.entries.iter().enumerate() {
            for written in written(self.settings.emit) {
                if let Some(id) = self.ids.get(&(index, *written)).copied() {
                    let rule = self.rule(*from, *written);
                    self.writes(rule.to, id);
                    self.plan.rules.push(rule);
                }
            }
        }
    }

    fn rule(&mut self, from: InForce<'a>, written: Generation) -> Rule {
        let entry = from.entry;
        let labels = labels::labels(entry, written, &self.settings.fill);
        let included = written == Generation::Old && self.including(from).is_some();
        Rule {
            title: title(from, written),
            source: from.source(),
            from: entry.side(written.other()).family.as_bytes().into(),
            to: self.output(from, written),
            when: labels::conditions(entry, written, &labels),
            labels,
            kind: labels::kind(entry, written, self.settings.buckets),
            stream: false, // told when all rules are known
            keep: self.settings.emit == Emit::Both && !entry.keeps_name(),
            also: entry.derive.is_some() || included,
            part_of: self.part_of(from, written),
            remainder: entry.includes.is_some() && written == Generation::New,
            redirects: Vec::new(),
        }
    }

    fn output(&mut self, from: InForce<'a>, written: Generation) -> OutputId {
        let family = from.entry.side(written).family.as_str();
        let outputs = &mut self.plan.outputs;
        let id = *self.outputs.entry(family).or_insert_with(|| {
            outputs.push(Output { name: family.as_bytes().into(), help: None, rules: Vec::new() });
            OutputId(number(outputs.len() - 1))
        });
        let output = &mut outputs[id.0 as usize];
        if output.help.is_none() {
            output.help = from.entry.help(written).map(Into::into);
        }
        id
    }

    fn writes(&mut self, output: OutputId, rule: RuleId) {
        let rules = &mut self.plan.outputs[output.0 as usize].rules;
        if !rules.contains(&rule) {
            rules.push(rule);
        }
    }

    /// The place of the entry whose old side counts this one's counts too.
    fn including(&self, part: InForce<'_>) -> Option<usize> {
        self.entries.iter().position(|its| {
            let included = its.entry.includes.as_ref();
            part.entry.derive.is_none()
                && included.is_some_and(|(family, _)| *family == part.entry.old.family)
        })
    }

    fn part_of(&self, part: InForce<'_>, written: Generation) -> Option<PartOf> {
        if written == Generation::Old {
            return None;
        }
        let total = self.including(part)?;
        let named = &self.entries[total].entry.old;
        let without = part.entry.old.items.iter().map(|item| item.label.as_str());
        Some(PartOf {
            total: *self.ids.get(&(total, written))?,
            without: without
                .filter(|label| named.item(label).is_none())
                .map(|label| label.as_bytes().into())
                .collect(),
        })
    }

    fn redirects(&mut self) {
        let entries = self.entries;
        for written in written(self.settings.emit) {
            for entry in entries.iter().filter(|entry| is_divert(**entry, *written)) {
                self.redirect(*entry, *written);
            }
        }
    }

    /// Takes label sets away from the rule that reads the same samples.
    fn redirect(&mut self, from: InForce<'a>, written: Generation) {
        let condition = from.entry.only_with.as_ref().expect("only conditions redirect");
        let plain = plain_entry(from, self.entries).expect("checked: a plain entry reads the same");
        let id = self.ids[&(plain, written)];
        let to = self.output(from, written);
        let reference = self.reference(&condition.family, &condition.on);
        let redirect =
            Redirect { title: title(from, written), source: from.source(), reference, to };
        self.plan.rules[id.0 as usize].redirects.push(redirect);
        self.writes(to, id);
    }

    fn reference(&mut self, family: &str, on: &[String]) -> ReferenceId {
        let references = &mut self.plan.references;
        let decides = self.plan.families.entry(family.as_bytes().into()).or_default();
        *decides.reference.get_or_insert_with(|| {
            let on = on.iter().map(|label| label.as_bytes().into()).collect();
            references.push(ReferenceFamily { on });
            ReferenceId(number(references.len() - 1))
        })
    }

    /// Says for each family which rules read it, in the order to try them.
    fn family_rules(&mut self) {
        for (index, rule) in self.plan.rules.iter().enumerate() {
            let family = self.plan.families.entry(rule.from.clone()).or_default();
            family.rules.push(RuleId(number(index)));
        }
        let rules = &self.plan.rules;
        for family in self.plan.families.values_mut() {
            // A rule that lets others follow must come first, or they would not be reached; of the
            // others, the one that asks for more is the exception to the one that asks for less.
            family.rules.sort_by_key(|id| {
                let rule = &rules[id.0 as usize];
                (!rule.also, Reverse(rule.when.equal.len()), *id)
            });
        }
        for output in &mut self.plan.outputs {
            output.rules.sort_unstable();
        }
    }

    /// Tells which rules need not hold anything back.
    fn stream(&mut self) {
        for index in 0..self.plan.rules.len() {
            let rule = &self.plan.rules[index];
            let alone = self.plan.families[&rule.from].rules.len() == 1
                && self.plan.output(rule.to).rules.len() == 1;
            let ladder_stays = match &rule.kind {
                Kind::Histogram(ladders) => ladders.policy == BucketPolicy::Native,
                Kind::Typed | Kind::Gauge(_) => true,
            };
            // Leaving out a label that has one value only cannot make two series equal.
            let joins = |label: &[u8]| !rule.when.equal.iter().any(|(its, _)| **its == *label);
            let stream = self.settings.emit != Emit::Both
                && alone
                && ladder_stays
                && !rule.labels.drop.iter().any(|label| joins(label))
                && rule.part_of.is_none()
                && !rule.remainder
                && !rule.also
                && rule.redirects.is_empty();
            self.plan.rules[index].stream = stream;
        }
    }

    /// Says the rest about families: those that rules write, and what packs know of them.
    fn families(&mut self, packs: &[Pack]) {
        for rule in &self.plan.rules {
            for to in rule.redirects.iter().map(|redirect| redirect.to).chain([rule.to]) {
                let name = self.plan.outputs[to.0 as usize].name.clone();
                self.plan.families.entry(name).or_default().written = true;
            }
        }
        for family in packs.iter().flat_map(Pack::repeats) {
            self.plan.families.entry(family.as_bytes().into()).or_default().once = true;
        }
        for generation in [Generation::Old, Generation::New] {
            for entry in self.entries {
                let family = &entry.entry.side(generation).family;
                if entry.entry.buckets.is_some() {
                    let family = self.plan.families.entry(family.as_bytes().into()).or_default();
                    family.histogram = true;
                }
                let elsewhere =
                    |its: &InForce<'_>| its.entry.side(generation.other()).family == *family;
                if !self.entries.iter().any(elsewhere) {
                    let family = self.plan.families.entry(family.as_bytes().into()).or_default();
                    family.generation = Some(generation);
                }
            }
        }
    }
}

/// True when the entry has no rule of its own: it redirects what the plain entry's rule holds.
fn is_divert(from: InForce<'_>, written: Generation) -> bool {
    from.entry.only_with.is_some() && written == Generation::New
}

/// The entry for people, read -> written.
fn title(from: InForce<'_>, written: Generation) -> String {
    format!("{} -> {}", from.entry.side(written.other()), from.entry.side(written))
}

fn number(index: usize) -> u32 {
    u32::try_from(index).expect("a pack with four thousand million entries does not fit in memory")
}
